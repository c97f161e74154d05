//! Folded stacks: `a;b;c VALUE`, one line a path, for every flamegraph tool.

use std::collections::HashMap;
use std::io::{self, Write};

use crate::profile::contents::Profile;
use crate::profile::tree::{CallTree, Metric};

/// Writes every path with a self cost, frames as named in the file (`;` replaced by `:`, control
/// characters by a space), values in the file's units. Paths of equal names are summed.
pub fn write(profile: &Profile, tree: &CallTree, metric: Metric, out: &mut impl Write) -> io::Result<()> {
    let (names, by_name) = by_name(profile, tree);
    let mut stack: Vec<u8> = Vec::new();
    let mut lengths = Vec::new();
    let mut result = Ok(());
    by_name.walk(
        |node| &names[by_name.nodes()[node as usize].key as usize],
        |id, down| {
            if !down {
                stack.truncate(lengths.pop().unwrap_or(0));
                return;
            }
            let node = &by_name.nodes()[id as usize];
            lengths.push(stack.len());
            if !stack.is_empty() {
                stack.push(b';');
            }
            stack.extend_from_slice(names[node.key as usize].as_bytes());
            let value = node.cost.of(metric);
            if value != 0 && result.is_ok() {
                result = out.write_all(&stack).and_then(|()| writeln!(out, " {value}"));
            }
        },
    );
    result
}

/// Bytes that [`write()`] would write, at most: each path stands with all its callers, so a chain of calls twice as deep
/// takes four times as much.
pub fn size(profile: &Profile, tree: &CallTree, metric: Metric) -> u64 {
    let name = |key: u64| profile.names.get(key as u32).name.len() as u64;
    let mut lengths = vec![0u64; tree.nodes().len()];
    let mut size = 0u64;
    for (id, node) in tree.nodes().iter().enumerate().skip(1) {
        // A separator or the line's end; a space and the value.
        lengths[id] = lengths[node.parent as usize] + name(node.key) + 1;
        if node.cost.of(metric) != 0 {
            let digits = node.cost.of(metric).unsigned_abs().ilog10() + 1;
            size = size.saturating_add(lengths[id] + 1 + u64::from(digits) + u64::from(node.cost.of(metric) < 0));
        }
    }
    size
}

/// The tree with functions of equal frame names merged, and these names.
fn by_name(profile: &Profile, tree: &CallTree) -> (Vec<String>, CallTree) {
    let mut names = Vec::new();
    let mut ids: HashMap<String, u64> = HashMap::new();
    let of_function: Vec<u64> = profile
        .names
        .iter()
        .map(|function| {
            let frame = frame(&function.name);
            *ids.entry(frame.clone()).or_insert_with(|| {
                names.push(frame);
                names.len() as u64 - 1
            })
        })
        .collect();
    let tree = tree.map(|_, node| Some((of_function[node.key as usize], node.cost)));
    (names, tree)
}

/// A name as a frame: nothing in it may separate frames or lines.
pub fn frame(name: &str) -> String {
    super::printable(name).replace(';', ":")
}
