//! Slices: which part of the recording the cost of each path falls into. Records stand in the order in
//! which calls ended, so a row of records is a stretch of time, and any such stretch can be had as a tree.
//!
//! They are made while the tree is built, in the same pass, last record first: every so many records
//! the costs of the nodes that these records went to are compared with those at the last cut. There are never more than
//! a few hundred parts and a bounded number of cells; where there would be more, neighbours are merged and the parts
//! to come are twice as wide. So memory does not grow with the file, and a part is one record in a file of few hundred,
//! and less than a two hundredth of a longer one.

use super::tree::{CallTree, Cost, Node};

/// Parts at most: the tenth that a part is put into is off by a few hundredths of itself at most.
const MOST_PARTS: usize = 512;
/// Cells at most (32 bytes each), or two for each node.
const MOST_CELLS: usize = 1 << 20;
/// Where a part has less than one record for so many nodes, the nodes of its records are remembered; else a cut looks at
/// all.
const NODES_A_RECORD: u64 = 8;
/// Parts of a segment where several files are laid on each other.
const COMMON: usize = 40;

/// What one path did in one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// The node of the tree.
    pub node: u32,
    /// Calls that ended in the part.
    pub calls: u64,
    /// Their self cost.
    pub cost: Cost,
}

impl Cell {
    fn plus(mut self, other: Cell) -> Cell {
        self.calls += other.calls;
        self.cost.add(other.cost);
        self
    }
}

/// A row of records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Span {
    /// How many.
    pub records: u64,
    /// Marks of the recording that stand before it.
    pub segment: u32,
    /// What they cost, by node, ascending.
    pub cells: Vec<Cell>,
}

impl Span {
    /// Puts the records of a neighbour into this part.
    fn merge(&mut self, other: &Span) {
        let mut cells = Vec::with_capacity(self.cells.len().max(other.cells.len()));
        let (mut ours, mut theirs) = (self.cells.iter().copied().peekable(), other.cells.iter().copied().peekable());
        loop {
            let (our, their) = (ours.peek().map(|cell| cell.node), theirs.peek().map(|cell| cell.node));
            let mut sum = match (our, their) {
                (None, None) => break,
                (Some(our), their) if their.is_none_or(|their| our <= their) => ours.next(),
                _ => theirs.next(),
            };
            if our.is_some() && our == their {
                sum = sum.zip(theirs.next()).map(|(our, their)| our.plus(their));
            }
            cells.extend(sum);
        }
        self.cells = cells;
        self.records += other.records;
    }
}

/// The parts of a recording, in order of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slices {
    parts: Vec<Span>,
}

/// Where the cost of a node goes when its tree is changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub node: u32,
    /// Its calls are calls of that node.
    pub calls: bool,
    pub time: Time,
    /// Its allocation stays.
    pub memory: bool,
}

/// What becomes of the time.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Time {
    /// It is multiplied; by 0 where it is left out.
    Times(i64),
    /// Each call takes so much.
    ForACall(i64),
    /// The allocation stands in its place.
    Allocation,
}

impl Place {
    /// All that the node has goes to another.
    pub(crate) fn all(node: u32) -> Self {
        Place { node, calls: true, time: Time::Times(1), memory: true }
    }
}

impl From<Vec<Span>> for Slices {
    fn from(parts: Vec<Span>) -> Self {
        Slices { parts }
    }
}

impl Slices {
    /// The parts, first in time first.
    pub fn parts(&self) -> &[Span] {
        &self.parts
    }

    /// Records of all parts.
    pub fn records(&self) -> u64 {
        self.parts.iter().map(|part| part.records).sum()
    }

    /// The parts that lie in a stretch of the recording, from one share of its records to another, and the shares where
    /// they begin and end. Where the stretch holds the middle of no part, the part around its own middle.
    pub fn nearest(&self, from: f64, to: f64) -> (std::ops::Range<usize>, (f64, f64)) {
        let all = self.records() as f64;
        let mut ends = vec![0.0];
        let mut before = 0u64;
        for part in &self.parts {
            before += part.records;
            ends.push(before as f64 / all);
        }
        let begins = |share: f64| {
            self.parts.iter().enumerate().take_while(|(at, _)| (ends[*at] + ends[at + 1]) / 2.0 < share).count()
        };
        let mut range = begins(from)..begins(to);
        if range.is_empty() && !self.parts.is_empty() {
            let around = ends[1..].partition_point(|end| *end <= (from + to) / 2.0).min(self.parts.len() - 1);
            range = around..around + 1;
        }
        let shown = (ends[range.start], ends[range.end]);
        (range, shown)
    }

    /// The parts of a segment: what stands between two marks of the recording.
    pub fn segment(&self, segment: u32) -> &[Span] {
        let begin = self.parts.partition_point(|part| part.segment < segment);
        let end = self.parts.partition_point(|part| part.segment <= segment);
        &self.parts[begin..end]
    }

    /// The tree with the costs of some parts alone; its nodes are those of `whole`.
    pub fn tree<'a>(whole: &CallTree, parts: impl IntoIterator<Item = &'a Span>) -> CallTree {
        let mut tree = whole.emptied();
        for cell in parts.into_iter().flat_map(|part| &part.cells) {
            tree.record(cell.node, cell.calls, cell.cost);
        }
        tree
    }

    /// The same slices over a changed tree.
    pub(crate) fn moved(&self, place: impl Fn(u32) -> Option<Place>) -> Slices {
        let part = |part: &Span| {
            let mut cells: Vec<Cell> = part.cells.iter().filter_map(|cell| moved(cell, place(cell.node)?)).collect();
            cells.sort_by_key(|cell| cell.node);
            cells.dedup_by(|cell, kept| {
                let same = cell.node == kept.node;
                if same {
                    *kept = kept.plus(*cell);
                }
                same
            });
            Span { cells, ..*part }
        };
        Slices { parts: self.parts.iter().map(part).collect() }
    }

    /// Lays the slices of another file on these: the first tenth on the first tenth, segment by segment.
    pub(crate) fn absorb(&mut self, other: &Slices) {
        let (mut ours, theirs) = (self.common(), other.common());
        let segments = ours.keys().chain(theirs.keys()).copied().collect::<std::collections::BTreeSet<_>>();
        self.parts.clear();
        for segment in segments {
            let mut parts = ours.remove(&segment).unwrap_or_default();
            for (at, part) in theirs.get(&segment).into_iter().flatten().enumerate() {
                match parts.get_mut(at) {
                    Some(ours) => ours.merge(part),
                    None => parts.push(part.clone()),
                }
            }
            self.parts.extend(parts);
        }
    }

    /// Every segment in [`COMMON`] parts.
    fn common(&self) -> std::collections::BTreeMap<u32, Vec<Span>> {
        let mut segments = std::collections::BTreeMap::new();
        for rows in self.parts.chunk_by(|a, b| a.segment == b.segment) {
            let segment = rows[0].segment;
            let mut parts = vec![Span { segment, ..Span::default() }; COMMON];
            for (at, row) in split(rows, COMMON).into_iter().enumerate() {
                row.iter().for_each(|part| parts[at].merge(part));
            }
            segments.insert(segment, parts);
        }
        segments
    }
}

/// Parts in order, put into `count` slices of nearly as many records each. A slice may be empty.
pub fn split(parts: &[Span], count: usize) -> Vec<&[Span]> {
    let all: u64 = parts.iter().map(|part| part.records).sum();
    let mut slices = Vec::with_capacity(count);
    let (mut begin, mut before) = (0, 0u64);
    for slice in 1..=count {
        let end = u128::from(all) * slice as u128;
        let mut at = begin;
        // A part belongs where its middle is.
        while at < parts.len() && u128::from(2 * before + parts[at].records) * count as u128 <= 2 * end {
            before += parts[at].records;
            at += 1;
        }
        slices.push(&parts[begin..at]);
        begin = at;
    }
    slices
}

fn moved(cell: &Cell, place: Place) -> Option<Cell> {
    let calls = if place.calls { cell.calls } else { 0 };
    let cost = Cost {
        time: match place.time {
            Time::Times(factor) => cell.cost.time.saturating_mul(factor),
            Time::ForACall(each) => each.saturating_mul(cell.calls as i64),
            Time::Allocation => cell.cost.memory,
        },
        memory: if place.memory { cell.cost.memory } else { 0 },
    };
    (calls > 0 || cost != Cost::default()).then_some(Cell { node: place.node, calls, cost })
}

/// Cuts slices while a tree is built from the last record to the first.
#[derive(Debug)]
pub(crate) struct Slicer {
    /// Records of a part.
    width: u64,
    /// Records until the next cut.
    left: u64,
    segment: u32,
    /// Parts so far, last in time first.
    parts: Vec<Span>,
    cells: usize,
    /// Calls and costs at the last cut, by node.
    seen: Vec<(u64, Cost)>,
    /// Nodes of the records since then, where they are remembered.
    touched: Vec<u32>,
    remembers: bool,
}

impl Default for Slicer {
    fn default() -> Self {
        Slicer {
            width: 1,
            left: 1,
            segment: 0,
            parts: Vec::new(),
            cells: 0,
            seen: Vec::new(),
            touched: Vec::new(),
            remembers: true,
        }
    }
}

impl Slicer {
    /// One that never cuts: for whoever wants the tree alone.
    pub(crate) fn off() -> Self {
        Slicer { width: u64::MAX, left: u64::MAX, remembers: false, ..Slicer::default() }
    }

    fn is_off(&self) -> bool {
        self.width == u64::MAX
    }

    /// A record was put into the tree, at a node.
    #[inline]
    pub(crate) fn count(&mut self, tree: &CallTree, node: u32) {
        if self.remembers {
            self.touched.push(node);
        }
        self.left -= 1;
        if self.left == 0 {
            self.cut(tree);
        }
    }

    /// The records to come stand in another segment.
    pub(crate) fn enter(&mut self, segment: u32, tree: &CallTree) {
        if segment != self.segment && self.left < self.width && !self.is_off() {
            self.cut(tree);
        }
        self.segment = segment;
    }

    #[cold]
    fn cut(&mut self, tree: &CallTree) {
        let nodes = tree.nodes();
        self.seen.resize(nodes.len(), (0, Cost::default()));
        let mut cells = Vec::new();
        let seen = &mut self.seen;
        let mut look = |id: u32| {
            let (node, seen) = (&nodes[id as usize], &mut seen[id as usize]);
            if (node.calls, node.cost) != *seen {
                cells.push(since(id, node, *seen));
                *seen = (node.calls, node.cost);
            }
        };
        match self.remembers {
            true => self.touched.drain(..).for_each(&mut look),
            false => (0..nodes.len() as u32).for_each(&mut look),
        }
        cells.sort_unstable_by_key(|cell| cell.node);
        self.cells += cells.len();
        self.parts.push(Span { records: self.width - self.left, segment: self.segment, cells });
        while self.parts.len() > MOST_PARTS || self.cells > MOST_CELLS.max(2 * nodes.len()) {
            if !self.halve() {
                break;
            }
        }
        self.remembers = self.width < nodes.len() as u64 / NODES_A_RECORD + 16;
        self.left = self.width;
    }

    /// Twice the width, neighbours merged. False when nothing is left to be merged.
    fn halve(&mut self) -> bool {
        if self.parts.len() < 2 {
            return false;
        }
        self.width *= 2;
        let before = self.parts.len();
        let mut parts: Vec<Span> = Vec::with_capacity(before);
        for part in self.parts.drain(..) {
            match parts.last_mut() {
                Some(last) if last.segment == part.segment && last.records + part.records <= self.width => {
                    last.merge(&part);
                }
                _ => parts.push(part),
            }
        }
        self.parts = parts;
        self.cells = self.parts.iter().map(|part| part.cells.len()).sum();
        self.parts.len() < before
    }

    /// The tree was pruned: where the cost of each node went.
    pub(crate) fn pruned(&mut self, places: &[u32], nodes: usize) {
        if self.is_off() {
            return;
        }
        let parts = Slices { parts: std::mem::take(&mut self.parts) };
        self.parts = parts.moved(|node| Some(Place::all(places[node as usize]))).parts;
        self.cells = self.parts.iter().map(|part| part.cells.len()).sum();
        let mut seen = vec![(0, Cost::default()); nodes];
        for ((calls, cost), place) in self.seen.iter().zip(places) {
            let sum: &mut (u64, Cost) = &mut seen[*place as usize];
            sum.0 += calls;
            sum.1.add(*cost);
        }
        self.seen = seen;
        self.touched.iter_mut().for_each(|node| *node = places[*node as usize]);
    }

    /// The slices, when all records are in the tree.
    pub(crate) fn finish(mut self, tree: &CallTree) -> Slices {
        if self.left < self.width && !self.is_off() {
            self.cut(tree);
        }
        self.parts.reverse();
        Slices { parts: self.parts }
    }
}

fn since(id: u32, node: &Node, (calls, cost): (u64, Cost)) -> Cell {
    let cost =
        Cost { time: node.cost.time.saturating_sub(cost.time), memory: node.cost.memory.saturating_sub(cost.memory) };
    Cell { node: id, calls: node.calls - calls, cost }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::tree::ROOT;

    /// A tree of `keys` nodes gets `records` records, one of time 1 each, in turn; marks before some.
    fn sliced(records: u64, keys: u64, marks: &[(u64, u32)]) -> (CallTree, Slices) {
        let (mut tree, mut slicer) = (CallTree::new(), Slicer::default());
        for record in 0..records {
            if let Some((_, segment)) = marks.iter().find(|(at, _)| *at == record) {
                slicer.enter(*segment, &tree);
            }
            let node = tree.child(ROOT, record % keys);
            tree.record(node, 1, Cost { time: 1, memory: -2 });
            slicer.count(&tree, node);
        }
        let slices = slicer.finish(&tree);
        (tree, slices)
    }

    fn time(parts: &[Span]) -> i64 {
        parts.iter().flat_map(|part| &part.cells).map(|cell| cell.cost.time).sum()
    }

    #[test]
    fn nothing_is_lost_however_many_records_there_are() {
        for (records, keys) in [(1, 1), (15, 3), (16, 3), (17, 3), (100_000, 7), (1_000_003, 5000), (9_000, 9_000)] {
            let (tree, slices) = sliced(records, keys, &[]);
            assert_eq!((slices.records(), time(slices.parts())), (records, records as i64));
            assert!(slices.parts().len() <= MOST_PARTS);
            assert_eq!(Slices::tree(&tree, slices.parts()).nodes(), tree.nodes());
        }
    }

    #[test]
    fn tenths_are_tenths() {
        let (_, slices) = sliced(1_000_003, 7, &[]);
        for tenth in split(slices.parts(), 10) {
            let records: u64 = tenth.iter().map(|part| part.records).sum();
            assert!(records.abs_diff(100_000) < 4_000, "{records}");
            assert_eq!(time(tenth), records as i64);
        }
    }

    #[test]
    fn a_part_is_small_whatever_the_tree_is() {
        for (records, keys, most) in [(400, 3, 1), (400, 400, 1), (3_000, 3_000, 8), (600_000, 600_000, 2048)] {
            let (_, slices) = sliced(records, keys, &[]);
            let widest = slices.parts().iter().map(|part| part.records).max().unwrap();
            assert!(widest <= most, "{records}: {widest} in {}", slices.parts().len());
            assert_eq!((slices.records(), time(slices.parts())), (records, records as i64));
        }
    }

    #[test]
    fn the_nearest_parts_are_taken_and_never_none() {
        let (_, slices) = sliced(10, 3, &[]);
        assert_eq!(slices.nearest(0.2, 0.4), (2..4, (0.2, 0.4)));
        assert_eq!(slices.nearest(0.21, 0.22), (2..3, (0.2, 0.3)), "finer than a record");
        assert_eq!(slices.nearest(0.0, 0.01), (0..1, (0.0, 0.1)));
        assert_eq!(slices.nearest(0.99, 1.0), (9..10, (0.9, 1.0)));
        assert_eq!(slices.nearest(0.0, 1.0), (0..10, (0.0, 1.0)));
        assert_eq!(Slices::default().nearest(0.0, 0.5), (0..0, (0.0, 0.0)));
        // Neighbours share nothing and leave nothing out.
        let (_, slices) = sliced(12_345, 3, &[]);
        let cuts: Vec<_> = (0..50).map(|n| slices.nearest(f64::from(n) / 50.0, f64::from(n + 1) / 50.0).0).collect();
        assert!(cuts.windows(2).all(|pair| pair[0].end == pair[1].start) && cuts[49].end == slices.parts().len());
    }

    #[test]
    fn a_part_never_reaches_over_a_mark() {
        let (_, slices) = sliced(50_000, 7, &[(0, 2), (10_000, 1), (49_990, 0)]);
        let records = |segment| slices.segment(segment).iter().map(|part| part.records).sum::<u64>();
        assert_eq!([records(0), records(1), records(2)], [10, 39_990, 10_000]);
    }

    #[test]
    fn cells_stay_bounded() {
        let (_, slices) = sliced(3_000_000, 100_000, &[]);
        let cells: usize = slices.parts().iter().map(|part| part.cells.len()).sum();
        assert!(cells <= MOST_CELLS && slices.parts().len() > 1, "{cells} in {}", slices.parts().len());
        assert_eq!(time(slices.parts()), 3_000_000);
    }

    #[test]
    fn files_are_laid_on_each_other() {
        let (_, mut slices) = sliced(50_000, 7, &[]);
        slices.absorb(&sliced(1_000, 7, &[]).1);
        assert_eq!((slices.records(), time(slices.parts())), (51_000, 51_000));
        for tenth in split(slices.parts(), 10) {
            assert!(time(tenth).abs_diff(5_100) < 700, "{}", time(tenth));
        }
    }
}
