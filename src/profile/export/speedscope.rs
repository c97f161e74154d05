//! speedscope's JSON, as `https://www.speedscope.app/file-format-schema.json` has it: one sampled
//! profile, one sample for each path with a self cost.

use std::io::{self, Write};

use serde_json::json;

use crate::profile::contents::Profile;
use crate::profile::tree::{Metric, ROOT};

/// Writes the tree. Time is in nanoseconds where the file's tick is known. A path whose allocation is
/// negative (only old files have them) is left out: speedscope knows no weight below zero.
pub fn write(profile: &Profile, metric: Metric, out: &mut impl Write) -> io::Result<()> {
    let frames: Vec<_> =
        profile.names.iter().map(|function| json!({ "name": function.name, "file": function.file })).collect();
    let (unit, scale) = match (metric, profile.units.nanoseconds_per_tick) {
        (Metric::Time, Some(tick)) => ("nanoseconds", tick as i64),
        (Metric::Time, None) => ("none", 1),
        (Metric::Allocation, _) => ("bytes", 1),
    };
    let (mut samples, mut weights, mut end) = (Vec::new(), Vec::new(), 0i64);
    let nodes = profile.tree.nodes();
    profile.tree.walk(std::cmp::Reverse, |id, down| {
        let weight = nodes[id as usize].cost.of(metric).saturating_mul(scale);
        if !down || weight <= 0 {
            return;
        }
        let (mut stack, mut at) = (Vec::new(), id);
        while at != ROOT {
            stack.push(nodes[at as usize].key);
            at = nodes[at as usize].parent;
        }
        stack.reverse();
        samples.push(stack);
        weights.push(weight);
        end = end.saturating_add(weight);
    });
    let name = profile.files.iter().map(|file| file.path.display().to_string()).collect::<Vec<_>>().join(", ");
    let estimated = if profile.estimated { " (stacks are an estimate)" } else { "" };
    let object = json!({
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "exporter": concat!("profile-run ", env!("CARGO_PKG_VERSION")),
        "name": format!("{name}{estimated}"),
        "activeProfileIndex": 0,
        "shared": { "frames": frames },
        "profiles": [{
            "type": "sampled",
            "name": format!("{name}{estimated}"),
            "unit": unit,
            "startValue": 0,
            "endValue": end,
            "samples": samples,
            "weights": weights,
        }],
    });
    serde_json::to_writer(&mut *out, &object)?;
    writeln!(out)
}
