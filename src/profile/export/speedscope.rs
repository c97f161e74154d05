//! speedscope's JSON, as `https://www.speedscope.app/file-format-schema.json` has it: one sample for each path with a self
//! cost; of trees so deep that the stacks would be most of the file, the way down and up through the tree.

use std::io::{self, Write};

use serde_json::json;

use crate::profile::contents::Profile;
use crate::profile::tree::{Metric, ROOT};

/// Frames in the stacks of all samples at most: about a hundred megabytes. A chain of calls twice as deep has four times
/// as many.
const MOST_FRAMES: u64 = 1 << 24;

/// Writes the tree. Time is in nanoseconds where the file's tick is known. speedscope knows no weight below zero: paths
/// that have one (memory that was given back, the difference of two profiles) stand in a second profile, with what they
/// are below zero.
pub fn write(profile: &Profile, metric: Metric, out: &mut impl Write) -> io::Result<()> {
    write_within(profile, metric, MOST_FRAMES, out)
}

fn write_within(profile: &Profile, metric: Metric, most: u64, out: &mut impl Write) -> io::Result<()> {
    let frames: Vec<_> =
        profile.names.iter().map(|function| json!({ "name": function.name, "file": function.file })).collect();
    let (unit, scale) = match (metric, profile.units.nanoseconds_per_tick) {
        (Metric::Time, Some(tick)) => ("nanoseconds", tick as i64),
        (Metric::Time, None) => ("none", 1),
        (Metric::Allocation, _) => ("bytes", 1),
    };
    let nodes = profile.tree.nodes();
    let name = profile.files.iter().map(|file| file.path.display().to_string()).collect::<Vec<_>>().join(", ");
    let estimated = if profile.estimated { " (stacks are an estimate)" } else { "" };
    let name = format!("{name}{estimated}");
    let (title, frames) = (json!(name), json!(frames));
    write!(
        out,
        "{{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"exporter\":\"profile-run {}\",\
         \"name\":{title},\"activeProfileIndex\":0,\"shared\":{{\"frames\":{frames}}},\"profiles\":[",
        env!("CARGO_PKG_VERSION"),
    )?;
    for below in [false, true] {
        let weight = |id: u32| {
            let weight = nodes[id as usize].cost.of(metric).saturating_mul(scale);
            if below { weight.min(0).saturating_neg() } else { weight.max(0) }
        };
        let end = (1..nodes.len() as u32).map(weight).fold(0, i64::saturating_add);
        if below && end == 0 {
            break;
        }
        let (comma, name) = if below { (",", format!("{name}: below zero")) } else { ("", name.clone()) };
        write!(out, "{comma}{{\"name\":{},\"unit\":\"{unit}\",\"startValue\":0,\"endValue\":{end},", json!(name))?;
        match frames_of_all(profile, weight) > most {
            true => events(profile, weight, out)?,
            false => samples(profile, weight, out)?,
        }
        out.write_all(b"}")?;
    }
    writeln!(out, "]}}")
}

/// Frames in the stacks of all paths that have a weight.
fn frames_of_all(profile: &Profile, weight: impl Fn(u32) -> i64) -> u64 {
    let nodes = profile.tree.nodes();
    let mut depths = vec![0u64; nodes.len()];
    let mut sum = 0u64;
    for id in 1..nodes.len() {
        depths[id] = depths[nodes[id].parent as usize] + 1;
        sum = sum.saturating_add(if weight(id as u32) > 0 { depths[id] } else { 0 });
    }
    sum
}

/// A stack for each path that has a weight, and its weight.
fn samples(profile: &Profile, weight: impl Fn(u32) -> i64, out: &mut impl Write) -> io::Result<()> {
    let nodes = profile.tree.nodes();
    out.write_all(b"\"type\":\"sampled\",\"samples\":[")?;
    // Written as they come.
    let mut stack = Vec::new();
    let mut first = true;
    each(profile, |id, down| {
        if !down || weight(id) <= 0 {
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
    each(profile, |id, down| {
        let weight = weight(id);
        if !down || weight <= 0 {
            return Ok(());
        }
        let comma = if std::mem::take(&mut first) { "" } else { "," };
        write!(out, "{comma}{weight}")
    })?;
    out.write_all(b"]")
}

/// Where each frame opens and closes, one path behind the other: two lines of text a path, however deep it is.
fn events(profile: &Profile, weight: impl Fn(u32) -> i64, out: &mut impl Write) -> io::Result<()> {
    let nodes = profile.tree.nodes();
    let mut inclusive: Vec<i64> = (0..nodes.len() as u32).map(&weight).collect();
    for id in (1..nodes.len()).rev() {
        let parent = nodes[id].parent as usize;
        inclusive[parent] = inclusive[parent].saturating_add(inclusive[id]);
    }
    out.write_all(b"\"type\":\"evented\",\"events\":[")?;
    let (mut at, mut first) = (0i64, true);
    each(profile, |id, down| {
        let node = &nodes[id as usize];
        if inclusive[id as usize] == 0 {
            return Ok(());
        }
        let comma = if std::mem::take(&mut first) { "" } else { "," };
        let kind = if down { 'O' } else { 'C' };
        write!(out, "{comma}{{\"type\":\"{kind}\",\"frame\":{},\"at\":{at}}}", node.key)?;
        if down {
            at = at.saturating_add(weight(id));
        }
        Ok(())
    })?;
    out.write_all(b"]")
}

/// Visits every node, depth first, down and up, until a visit fails.
fn each(profile: &Profile, mut visit: impl FnMut(u32, bool) -> io::Result<()>) -> io::Result<()> {
    let mut outcome = Ok(());
    profile.tree.walk(std::cmp::Reverse, |id, down| {
        if outcome.is_ok() {
            outcome = visit(id, down);
        }
    });
    outcome
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::profile::{Options, read_bytes};

    fn file(profile: &Profile, most: u64) -> serde_json::Value {
        let mut text = Vec::new();
        write_within(profile, Metric::Allocation, most, &mut text).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    #[test]
    fn deep_stacks_are_written_as_the_way_through_the_tree() {
        let text = "version: 1\ncreator: xdebug 3.2.0 (PHP 8.2.0)\ncmd: a.php\npart: 1\npositions: line\n\n\
                    events: Time_(10ns) Memory_(bytes)\n\nfl=(1) a.php\nfn=(1) f\n1 5 7\n\n\
                    fl=(1)\nfn=(2) g\n1 3 -2\ncfl=(1)\ncfn=(1)\ncalls=1 0 0\n1 5 7\n\n\
                    fl=(1)\nfn=(3) {main}\n1 2 1\ncfl=(1)\ncfn=(2)\ncalls=1 0 0\n1 8 5\n\nsummary: 10 6\n\n";
        let profile = read_bytes(Path::new("a"), text.as_bytes(), &Options::default()).unwrap();
        let (stacks, events) = (file(&profile, 99), file(&profile, 1));
        let names: Vec<&str> = stacks["shared"]["frames"]
            .as_array()
            .unwrap()
            .iter()
            .map(|frame| frame["name"].as_str().unwrap())
            .collect();
        let id = |name: &str| names.iter().position(|known| *known == name).unwrap();
        let (main, g, f) = (id("{main}"), id("g"), id("f"));
        assert_eq!(stacks["profiles"][0]["samples"], json!([[main], [main, g, f]]));
        assert_eq!(stacks["profiles"][0]["weights"], json!([1, 7]));
        let event = |kind: &str, frame: usize, at: u64| json!({"type": kind, "frame": frame, "at": at});
        let way = [event("O", main, 0), event("O", g, 1), event("O", f, 1), event("C", f, 8), event("C", g, 8)];
        assert_eq!(events["profiles"][0]["events"].as_array().unwrap()[..5], way);
        for (at, file) in [(1, &stacks), (1, &events)] {
            let below = &file["profiles"][at];
            assert_eq!((below["name"].as_str(), below["endValue"].as_i64()), (Some("a: below zero"), Some(2)));
        }
        assert_eq!(events["profiles"][0]["endValue"], 8);
    }
}
