//! Whether each id has its name before it is used, of a file that is read from its end. Records are numbered from the
//! end, so the record of the higher number stands first.

use std::collections::HashMap;

use super::mapped::ids;
use crate::profile::tree::Node;

/// The first record in which each id of one kind is used, and the first that names it.
#[derive(Debug, Default)]
struct Firsts {
    used: HashMap<u32, u32>,
    named: HashMap<u32, u32>,
}

impl Firsts {
    fn note(table: &mut HashMap<u32, u32>, id: u32, number: u32) {
        let first = table.entry(id).or_default();
        *first = number.max(*first);
    }

    fn holds(&self) -> bool {
        self.used.iter().all(|(id, used)| self.named.get(id).is_some_and(|named| named >= used))
    }
}

/// First uses and names of both kinds of ids.
#[derive(Debug, Default)]
pub(crate) struct Order {
    files: Firsts,
    functions: Firsts,
}

impl Order {
    /// Record `number` names an id.
    pub(crate) fn named(&mut self, is_file: bool, id: u32, number: u32) {
        let firsts = if is_file { &mut self.files } else { &mut self.functions };
        Firsts::note(&mut firsts.named, id, number);
    }

    /// Notes which ids were used by nodes of a tree, each by the record that stands first.
    pub(crate) fn used<'a>(&mut self, nodes: impl Iterator<Item = &'a Node>) {
        for node in nodes {
            let (file, function) = ids(node.key);
            Firsts::note(&mut self.files.used, file, node.last);
            Firsts::note(&mut self.functions.used, function, node.last);
        }
    }

    /// Each id that is used is named, by that record or one before it.
    pub(crate) fn holds(&self) -> bool {
        self.files.holds() && self.functions.holds()
    }
}

#[cfg(test)]
mod tests {
    use super::super::strict::raw_id;
    use super::*;
    use crate::profile::tree::{CallTree, Cost, ROOT};

    fn order(used: u32, named: Option<u32>) -> bool {
        let mut tree = CallTree::new();
        let node = tree.child(ROOT, u64::from(raw_id(3)) << 32 | u64::from(raw_id(4)));
        tree.record_numbered(node, used, Cost::default());
        let mut order = Order::default();
        order.used(tree.nodes()[1..].iter());
        order.named(true, 3, 9);
        named.into_iter().for_each(|named| order.named(false, 4, named));
        order.holds()
    }

    #[test]
    fn an_id_is_named_before_it_is_used_or_in_the_same_record() {
        assert!(order(5, Some(5)) && order(5, Some(6)));
        assert!(!order(5, Some(4)) && !order(5, None));
    }
}
