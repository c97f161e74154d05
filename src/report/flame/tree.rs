//! The tree under a flamegraph, laid out in the order in which it is drawn. Knows nothing of how it is drawn.

use crate::analysis::flame::Flame;
use crate::profile::{CallTree, Cost, Node as CallNode, ROOT};

/// A call tree in pre-order; siblings in the order of their names.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tree<'a> {
    /// The nodes; the first level has depth 0.
    pub nodes: Vec<Node<'a>>,
    /// Sum of the first level.
    pub total: u64,
}

/// One frame of a tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Node<'a> {
    /// How deep it stands.
    pub depth: usize,
    /// The function.
    pub name: &'a str,
    /// Its cost with all that it called.
    pub value: u64,
    /// Its cost alone.
    pub own: u64,
}

impl<'a> Tree<'a> {
    /// Who called whom, from the entry point on.
    pub fn of_stacks(flame: &'a Flame) -> Self {
        Tree::lay_out(&flame.names, &flame.tree, |node| flame.own(node))
    }

    /// The same cost by function: each function's own cost stands on the first level, who called it below.
    pub fn by_function(flame: &'a Flame) -> Self {
        let nodes = flame.tree.nodes();
        let mut turned = CallTree::new();
        for node in &nodes[1..] {
            let own = flame.own(node);
            if own == 0 {
                continue;
            }
            let mut at = turned.child(ROOT, node.key);
            let mut up = node;
            while up.parent != ROOT {
                up = &nodes[up.parent as usize];
                at = turned.child(at, up.key);
            }
            turned.record(at, 0, Cost { time: i64::try_from(own).unwrap_or(i64::MAX), memory: 0 });
        }
        Tree::lay_out(&flame.names, &turned, |node| node.cost.time.unsigned_abs())
    }

    /// Frames without a cost carry no width and are left out.
    fn lay_out(names: &'a [String], tree: &CallTree, own: impl Fn(&CallNode) -> u64) -> Self {
        let nodes = tree.nodes();
        let name = |id: u32| names.get(nodes[id as usize].key as usize).map_or("", String::as_str);
        // The root stands for no function.
        let mut values: Vec<u64> = nodes.iter().map(&own).collect();
        values[ROOT as usize] = 0;
        for id in (1..nodes.len()).rev() {
            let parent = nodes[id].parent as usize;
            values[parent] = values[parent].saturating_add(values[id]);
        }
        let mut laid = Tree { nodes: Vec::new(), total: values[ROOT as usize] };
        let mut depth = 0;
        tree.walk(name, |id, down| {
            if !down {
                depth -= 1;
                return;
            }
            let value = values[id as usize];
            if value > 0 {
                laid.nodes.push(Node { depth, name: name(id), value, own: own(&nodes[id as usize]) });
            }
            depth += 1;
        });
        laid
    }

    /// Without the frames that have less than `share` of the whole; twice that where more than `most`
    /// frames would be left, and so on. Returns the share below which frames were left out.
    pub fn prune(&mut self, share: f64, most: usize) -> f64 {
        let mut share = share;
        loop {
            let least = self.total as f64 * share;
            if self.nodes.iter().filter(|node| node.value as f64 >= least).count() <= most {
                self.nodes.retain(|node| node.value as f64 >= least);
                return share;
            }
            share *= 2.0;
        }
    }

    /// Each frame with its stack and with what it does not share with a frame below it: `visit(stack, cost)`.
    pub fn stacks(&self, mut visit: impl FnMut(&[&'a str], u64)) {
        let mut stack: Vec<&str> = Vec::new();
        for (at, node) in self.nodes.iter().enumerate() {
            stack.truncate(node.depth);
            stack.push(node.name);
            let below: u64 = self.children(at).map(|child| child.value).sum();
            if node.value > below {
                visit(&stack, node.value - below);
            }
        }
    }

    /// What of each frame's cost lies in frames below it that were left out.
    pub fn rests(&self) -> impl Iterator<Item = u64> {
        self.nodes.iter().enumerate().map(|(at, node)| {
            let below: u64 = self.children(at).map(|child| child.value).sum();
            node.value.saturating_sub(node.own).saturating_sub(below)
        })
    }

    fn children(&self, at: usize) -> impl Iterator<Item = &Node<'a>> {
        let depth = self.nodes[at].depth;
        self.nodes[at + 1..]
            .iter()
            .take_while(move |node| node.depth > depth)
            .filter(move |node| node.depth == depth + 1)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::analysis::flame::{Cost as Shown, Slice};

    /// A flamegraph of time out of stacks, outermost first, each with its self cost in nanoseconds.
    pub fn flame(busy: bool, stacks: &[(&[&str], i64)]) -> Flame {
        let mut names: Vec<String> = Vec::new();
        let mut tree = CallTree::new();
        for (stack, cost) in stacks {
            let mut at = ROOT;
            for frame in *stack {
                let known = names.iter().position(|name| name == frame).unwrap_or_else(|| {
                    names.push((*frame).to_owned());
                    names.len() - 1
                });
                at = tree.child(at, known as u64);
            }
            tree.record(at, 1, Cost { time: *cost, memory: 0 });
        }
        Flame {
            cost: Shown::Time,
            busy,
            slice: Slice::All,
            estimated: false,
            names: Arc::new(names),
            tree: Arc::new(tree),
            tick: 1,
        }
    }

    fn shape(tree: &Tree<'_>) -> Vec<(usize, String, u64, u64)> {
        tree.nodes.iter().map(|n| (n.depth, n.name.to_owned(), n.value, n.own)).collect()
    }

    fn stacks(tree: &Tree<'_>) -> Vec<(String, u64)> {
        let mut out = Vec::new();
        tree.stacks(|stack, cost| out.push((stack.join(";"), cost)));
        out
    }

    #[test]
    fn siblings_stand_by_name_and_what_costs_nothing_has_no_width() {
        let flame = flame(
            false,
            &[
                (&["m", "run", "read"], 6),
                (&["m", "run"], 2),
                (&["m", "run", "a b"], 3),
                (&["m", "idle"], 0),
                (&["x"], -4),
            ],
        );
        let tree = Tree::of_stacks(&flame);
        assert_eq!(tree.total, 11);
        assert_eq!(
            shape(&tree),
            [(0, "m".into(), 11, 0), (1, "run".into(), 11, 2), (2, "a b".into(), 3, 3), (2, "read".into(), 6, 6)]
        );
    }

    #[test]
    fn by_function_puts_own_cost_first() {
        let flame = flame(false, &[(&["a", "b"], 4), (&["a", "c", "b"], 3), (&["a"], 1)]);
        let tree = Tree::by_function(&flame);
        assert_eq!(tree.total, 8);
        let first: Vec<_> = tree.nodes.iter().filter(|n| n.depth == 0).map(|n| (n.name, n.value)).collect();
        assert_eq!(first, [("a", 1), ("b", 7)]);
    }

    #[test]
    fn pruning_keeps_the_sum() {
        let flame = flame(false, &[(&["a", "b"], 9990), (&["a", "c"], 6), (&["a", "d"], 4)]);
        let mut tree = Tree::of_stacks(&flame);
        assert_eq!(tree.prune(0.0005, 100), 0.0005);
        assert_eq!(stacks(&tree), [("a".into(), 4), ("a;b".into(), 9990), ("a;c".into(), 6)]);
        assert_eq!(tree.prune(0.0005, 2), 0.001);
        assert_eq!(stacks(&tree), [("a".into(), 10), ("a;b".into(), 9990)]);
    }

    #[test]
    fn a_deep_recursion_is_no_danger() {
        let stack = vec!["f"; 50_000];
        let flame = flame(false, &[(&stack, 7)]);
        let tree = Tree::of_stacks(&flame);
        assert_eq!((tree.total, tree.nodes.len(), tree.nodes[0].value), (7, 50_000, 7));
        assert_eq!(Tree::by_function(&flame).nodes.len(), 50_000);
    }
}
