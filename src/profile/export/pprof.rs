//! pprof's format: a gzipped protobuf message (`profile.proto` of github.com/google/pprof), written by
//! hand since it takes five kinds of messages and two kinds of fields.

use std::collections::HashMap;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::profile::contents::Profile;
use crate::profile::tree::{Metric, ROOT};

/// Bytes of the message that are held at most, and one stack.
const PIECE: usize = 1 << 16;

/// Writes the tree: a sample for each path, with its calls, its time (nanoseconds where the tick is
/// known) and its allocation in bytes. `metric` is what pprof shows first.
pub fn write(profile: &Profile, metric: Metric, out: &mut impl Write) -> io::Result<()> {
    let mut strings = Strings::default();
    strings.id("");
    let mut gzip = GzEncoder::new(out, Compression::default());
    let mut message = Vec::new();
    let tick = profile.units.nanoseconds_per_tick;
    let time_unit = if tick.is_some() { "nanoseconds" } else { "count" };
    let time_name = if tick.is_some() { "time" } else { profile.units.time_event.as_str() };
    for (kind, unit) in [("calls", "count"), (time_name, time_unit), ("allocation", "bytes")] {
        let mut value_type = Vec::new();
        number(&mut value_type, 1, strings.id(kind));
        number(&mut value_type, 2, strings.id(unit));
        bytes(&mut message, 1, &value_type);
    }
    let nodes = profile.tree.nodes();
    let (mut stack, mut values, mut sample) = (Vec::new(), Vec::new(), Vec::new());
    for (id, node) in nodes.iter().enumerate().skip(1) {
        [&mut stack, &mut values, &mut sample].into_iter().for_each(Vec::clear);
        let mut at = id as u32;
        while at != ROOT {
            varint(&mut stack, nodes[at as usize].key + 1);
            at = nodes[at as usize].parent;
        }
        varint(&mut values, node.calls);
        varint(&mut values, node.cost.time.saturating_mul(tick.unwrap_or(1) as i64) as u64);
        varint(&mut values, node.cost.memory as u64);
        bytes(&mut sample, 1, &stack);
        bytes(&mut sample, 2, &values);
        bytes(&mut message, 2, &sample);
        // Stacks of millions of deep paths are gigabytes: they are packed as they come.
        if message.len() >= PIECE {
            gzip.write_all(&message)?;
            message.clear();
        }
    }
    for (at, function) in profile.names.iter().enumerate() {
        let id = at as u64 + 1;
        let (mut line, mut location, mut named) = (Vec::new(), Vec::new(), Vec::new());
        number(&mut line, 1, id);
        number(&mut location, 1, id);
        bytes(&mut location, 4, &line);
        bytes(&mut message, 4, &location);
        number(&mut named, 1, id);
        number(&mut named, 2, strings.id(&function.name));
        number(&mut named, 3, strings.id(&function.name));
        number(&mut named, 4, strings.id(&function.file));
        bytes(&mut message, 5, &named);
    }
    if profile.estimated {
        number(&mut message, 13, strings.id("stacks are an estimate from callers and callees"));
    }
    let first = if metric == Metric::Time { time_name } else { "allocation" };
    number(&mut message, 14, strings.id(first));
    for text in &strings.all {
        bytes(&mut message, 6, text.as_bytes());
    }
    gzip.write_all(&message)?;
    gzip.finish()?;
    Ok(())
}

/// Bytes of the message that [`write()`] would pack, without the names: what a reader unpacks. Each path stands with all its
/// callers, so a chain of calls twice as deep takes four times as much.
pub fn size(profile: &Profile) -> u64 {
    let length = |value: u64| u64::from(value.max(1).ilog2() / 7 + 1);
    let nodes = profile.tree.nodes();
    let mut stacks = vec![0u64; nodes.len()];
    let mut size = 0u64;
    for (id, node) in nodes.iter().enumerate().skip(1) {
        stacks[id] = stacks[node.parent as usize] + length(node.key + 1);
        size = size.saturating_add(stacks[id]);
    }
    size
}

#[derive(Default)]
struct Strings {
    all: Vec<String>,
    ids: HashMap<String, u64>,
}

impl Strings {
    fn id(&mut self, text: &str) -> u64 {
        if let Some(&id) = self.ids.get(text) {
            return id;
        }
        let id = self.all.len() as u64;
        self.all.push(text.to_owned());
        self.ids.insert(text.to_owned(), id);
        id
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 128 {
        out.push(value as u8 | 128);
        value >>= 7;
    }
    out.push(value as u8);
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

fn bytes(out: &mut Vec<u8>, field: u64, content: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}
