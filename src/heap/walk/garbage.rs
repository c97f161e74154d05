//! What the roots do not reach: garbage that the collector has not yet taken, or something that an
//! extension or a temporary holds.

use super::engine::{Value, kind};
use super::walker::{Walk, Walked};
use crate::heap::census::values::Sum;

/// The label of what no name leads to.
pub const NOT_REACHED: &str = "(not reached)";

/// The three shares of all objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shares {
    /// Reached from the roots.
    pub reachable: Sum,
    /// Only reached from one another: the cycle collector takes them when it runs.
    pub garbage: Sum,
    /// Not reached, and yet referred to from outside: by an extension or a temporary.
    pub held: Sum,
}

/// Walks what was not reached, and tells garbage from what is held. To be called when the walk
/// from the roots is done.
pub fn shares(walk: &mut Walk) -> Walked<Shares> {
    let reached = walk.nodes.len();
    let mut shares = Shares::default();
    for node in &walk.nodes {
        add(&mut shares.reachable, node.kind, node.bytes);
    }
    let unreached: Vec<u64> = walk.live.all.iter().map(|o| o.at).filter(|at| !walk.has_met(*at)).collect();
    walk.edges = Some(Vec::new());
    let label = walk.paths.label(0, NOT_REACHED);
    let path = walk.paths.child(0, label);
    for object in unreached {
        if !walk.has_met(object) {
            walk.meet(Value { word: object, kind: kind::OBJECT }, path, false)?;
            walk.run()?;
        }
    }
    let edges = walk.edges.take().unwrap_or_default();
    let nodes = &walk.nodes[reached..];
    // Whoever counts more references than were met is held from outside, and so is all that it
    // leads to.
    let mut held: Vec<bool> = nodes.iter().map(|n| n.edges < n.refcount).collect();
    let mut next: Vec<Vec<u32>> = vec![Vec::new(); nodes.len()];
    for (from, to) in edges {
        let inner = |id: u32| (id as usize).checked_sub(reached);
        if let (Some(targets), Some(to)) = (inner(from).and_then(|from| next.get_mut(from)), inner(to)) {
            targets.push(to as u32);
        }
    }
    let mut queue: Vec<usize> = (0..nodes.len()).filter(|&i| held[i]).collect();
    while let Some(from) = queue.pop() {
        for &to in &next[from] {
            if !std::mem::replace(&mut held[to as usize], true) {
                queue.push(to as usize);
            }
        }
    }
    for (node, held) in nodes.iter().zip(held) {
        add(if held { &mut shares.held } else { &mut shares.garbage }, node.kind, node.bytes);
    }
    Ok(shares)
}

fn add(sum: &mut Sum, of: u8, bytes: u64) {
    sum.objects += u64::from(of == kind::OBJECT);
    sum.bytes += bytes;
}
