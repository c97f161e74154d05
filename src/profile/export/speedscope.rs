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
    let nodes = profile.tree.nodes();
    let weight = |id: u32| nodes[id as usize].cost.of(metric).saturating_mul(scale);
    let end = (1..nodes.len() as u32).map(weight).filter(|weight| *weight > 0).fold(0, i64::saturating_add);
    let name = profile.files.iter().map(|file| file.path.display().to_string()).collect::<Vec<_>>().join(", ");
    let estimated = if profile.estimated { " (stacks are an estimate)" } else { "" };
    let name = json!(format!("{name}{estimated}"));
    let frames = json!(frames);
    write!(
        out,
        "{{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"exporter\":\"profile-run {}\",\
         \"name\":{name},\"activeProfileIndex\":0,\"shared\":{{\"frames\":{frames}}},\"profiles\":[{{\
         \"type\":\"sampled\",\"name\":{name},\"unit\":\"{unit}\",\"startValue\":0,\"endValue\":{end},\"samples\":[",
        env!("CARGO_PKG_VERSION"),
    )?;
    // Written as they come: the stacks of millions of deep paths are gigabytes.
    let mut stack = Vec::new();
    let mut first = true;
    each(profile, |id| {
        if weight(id) <= 0 {
            return Ok(());
        }
        stack.clear();
        let mut at = id;
        while at != ROOT {
            stack.push(nodes[at as usize].key);
            at = nodes[at as usize].parent;
        }
        out.write_all(if first { b"[" } else { b",[" })?;
        first = false;
        for (at, key) in stack.iter().rev().enumerate() {
            write!(out, "{}{key}", if at == 0 { "" } else { "," })?;
        }
        out.write_all(b"]")
    })?;
    out.write_all(b"],\"weights\":[")?;
    let mut first = true;
    each(profile, |id| {
        let weight = weight(id);
        if weight <= 0 {
            return Ok(());
        }
        let comma = if std::mem::take(&mut first) { "" } else { "," };
        write!(out, "{comma}{weight}")
    })?;
    writeln!(out, "]}}]}}")
}

/// Visits every node, depth first, until a visit fails.
fn each(profile: &Profile, mut visit: impl FnMut(u32) -> io::Result<()>) -> io::Result<()> {
    let mut outcome = Ok(());
    profile.tree.walk(std::cmp::Reverse, |id, down| {
        if down && outcome.is_ok() {
            outcome = visit(id);
        }
    });
    outcome
}
