//! The tree under a flamegraph. Knows nothing of how it is drawn.

use std::collections::BTreeMap;

/// A call tree with equal stacks merged, in pre-order; children in the order of their names.
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

#[derive(Default)]
struct Branch<'a> {
    own: u64,
    below: BTreeMap<&'a str, Branch<'a>>,
}

impl<'a> Branch<'a> {
    fn add(&mut self, stack: impl Iterator<Item = &'a str>, value: u64) {
        let mut at = self;
        for frame in stack {
            at = at.below.entry(frame).or_default();
        }
        at.own += value;
    }

    fn into_tree(self) -> Tree<'a> {
        // An explicit stack: a recursion of the profiled program may be deeper than ours may go.
        let mut nodes: Vec<Node<'a>> = Vec::new();
        let mut open: Vec<(usize, usize)> = Vec::new();
        let mut work: Vec<(usize, &'a str, Branch<'a>)> =
            self.below.into_iter().rev().map(|(name, branch)| (0, name, branch)).collect();
        let mut total = 0;
        let close = |nodes: &mut Vec<Node<'a>>, open: &mut Vec<(usize, usize)>, depth: usize, total: &mut u64| {
            while let Some(&(at, _)) = open.last().filter(|(_, d)| *d >= depth) {
                open.pop();
                let value = nodes[at].value;
                match open.last() {
                    Some(&(parent, _)) => nodes[parent].value += value,
                    None => *total += value,
                }
            }
        };
        while let Some((depth, name, branch)) = work.pop() {
            close(&mut nodes, &mut open, depth, &mut total);
            open.push((nodes.len(), depth));
            nodes.push(Node { depth, name, value: branch.own, own: branch.own });
            work.extend(branch.below.into_iter().rev().map(|(name, below)| (depth + 1, name, below)));
        }
        close(&mut nodes, &mut open, 0, &mut total);
        Tree { nodes, total }
    }
}

impl<'a> Tree<'a> {
    /// The tree of `frame;frame VALUE` lines. Lines without a positive value carry no width and are left out.
    pub fn from_folded(lines: &'a [String]) -> Self {
        let mut root = Branch::default();
        for (stack, value) in folded(lines) {
            root.add(stack.split(';'), value);
        }
        root.into_tree()
    }

    /// The same cost by function: each function's own cost stands on the first level, who called it below.
    pub fn by_function(lines: &'a [String]) -> Self {
        let mut root = Branch::default();
        for (stack, value) in folded(lines) {
            root.add(stack.rsplit(';'), value);
        }
        root.into_tree()
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

    /// Folded lines of what is left, each with what its frame does not share with a frame below it.
    pub fn to_folded(&self, write: impl Fn(&str) -> String) -> Vec<String> {
        let mut stack: Vec<String> = Vec::new();
        let mut lines = Vec::new();
        for (at, node) in self.nodes.iter().enumerate() {
            stack.truncate(node.depth);
            stack.push(write(node.name));
            let below: u64 = self.children(at).map(|child| child.value).sum();
            if node.value > below {
                lines.push(format!("{} {}", stack.join(";"), node.value - below));
            }
        }
        lines
    }

    fn children(&self, at: usize) -> impl Iterator<Item = &Node<'a>> {
        let depth = self.nodes[at].depth;
        self.nodes[at + 1..]
            .iter()
            .take_while(move |node| node.depth > depth)
            .filter(move |node| node.depth == depth + 1)
    }
}

fn folded(lines: &[String]) -> impl Iterator<Item = (&str, u64)> {
    lines.iter().filter_map(|line| {
        let (stack, value) = line.rsplit_once(' ')?;
        let value = value.parse().ok().filter(|value| *value > 0)?;
        (!stack.is_empty()).then_some((stack, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
    }

    fn shape(tree: &Tree<'_>) -> Vec<(usize, String, u64, u64)> {
        tree.nodes.iter().map(|n| (n.depth, n.name.to_owned(), n.value, n.own)).collect()
    }

    #[test]
    fn stacks_merge() {
        let text = lines("{main};run;read 5\n{main};run 2\n{main};run;a b 3\n{main};run;read 1\nbroken\n{main} 0");
        let tree = Tree::from_folded(&text);
        assert_eq!(tree.total, 11);
        assert_eq!(
            shape(&tree),
            [(0, "{main}".into(), 11, 0), (1, "run".into(), 11, 2), (2, "a b".into(), 3, 3), (2, "read".into(), 6, 6)]
        );
    }

    #[test]
    fn by_function_puts_own_cost_first() {
        let text = lines("a;b 4\na;c;b 3\na 1");
        let tree = Tree::by_function(&text);
        assert_eq!(tree.total, 8);
        let first: Vec<_> = tree.nodes.iter().filter(|n| n.depth == 0).map(|n| (n.name, n.value)).collect();
        assert_eq!(first, [("a", 1), ("b", 7)]);
    }

    #[test]
    fn pruning_keeps_the_sum() {
        let text = lines("a;b 9990\na;c 6\na;d 4");
        let mut tree = Tree::from_folded(&text);
        assert_eq!(tree.prune(0.0005, 100), 0.0005);
        assert_eq!(tree.to_folded(str::to_owned), ["a 4", "a;b 9990", "a;c 6"]);
        assert_eq!(tree.prune(0.0005, 2), 0.001);
        assert_eq!(tree.to_folded(str::to_owned), ["a 10", "a;b 9990"]);
    }

    #[test]
    fn a_deep_recursion_is_no_danger() {
        let stack = vec!["f"; 50_000].join(";") + " 7";
        let text = [stack];
        let tree = Tree::from_folded(&text);
        assert_eq!((tree.total, tree.nodes.len(), tree.nodes[0].value), (7, 50_000, 7));
    }
}
