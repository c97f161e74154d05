//! Builds the merged tree from records that come in reverse: post-order read backwards is pre-order,
//! so the parent of each record is known when the record is met.

use std::collections::HashMap;

use crate::profile::slices::{Slicer, Slices};
use crate::profile::tree::{CallTree, Cost, ROOT};

/// Key of the frame that stands above the roots of a run without its end.
pub(crate) const STILL_RUNNING: u64 = u64::MAX;

/// Key of the frames that stand for paths which a tree had no room for.
pub(crate) const LEFT_OUT: u64 = u64::MAX - 1;

/// How large a tree may grow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room(u64);

impl Room {
    /// So many bytes.
    pub(crate) fn of(bytes: u64) -> Self {
        Room(bytes)
    }

    #[inline]
    pub(crate) fn is_outgrown(&self, tree: &CallTree) -> bool {
        tree.bytes() > self.0
    }

    /// Prunes a tree and its slices; gives back where the cost of each node went. `open` are the nodes that calls to come
    /// may stand below.
    #[cold]
    pub(crate) fn make(
        &mut self,
        tree: &mut CallTree,
        slicer: &mut Slicer,
        open: impl Iterator<Item = u32>,
    ) -> Vec<u32> {
        let places = tree.prune(open, LEFT_OUT);
        slicer.pruned(&places, tree.nodes().len());
        // Calls that are open stay: where they alone are too many, the tree must grow.
        if tree.bytes() > self.0 / 4 * 3 {
            self.0 = tree.bytes() * 2;
        }
        places
    }
}

/// Takes records from the last to the first.
#[derive(Debug)]
pub(crate) struct Builder {
    tree: CallTree,
    slicer: Slicer,
    room: Room,
    /// Parents of the records to come, as runs of equal ones.
    parents: Vec<(u32, u64)>,
    /// Parents of records that were claimed out of order, by the number of records that follow them.
    claimed: HashMap<u64, u32>,
    /// What the times of records to come are too high by, likewise.
    excess: HashMap<u64, i64>,
    /// Records taken so far.
    taken: u64,
}

impl Builder {
    /// A builder of a tree that has so much room, and that cuts slices where they are wanted.
    pub(crate) fn new(room: Room, sliced: bool) -> Self {
        Builder {
            tree: CallTree::new(),
            slicer: if sliced { Slicer::default() } else { Slicer::off() },
            room,
            parents: Vec::new(),
            claimed: HashMap::new(),
            excess: HashMap::new(),
            taken: 0,
        }
    }

    #[cold]
    fn make_room(&mut self) {
        let open = self.parents.iter().map(|(node, _)| *node).chain(self.claimed.values().copied());
        let places = self.room.make(&mut self.tree, &mut self.slicer, open);
        let move_node = |node: &mut u32| *node = places[*node as usize];
        self.parents.iter_mut().for_each(|(node, _)| move_node(node));
        self.claimed.values_mut().for_each(move_node);
    }

    /// The end of a run: `roots` subtrees are nobody's callees.
    pub(crate) fn end_of_run(&mut self, roots: u64, ended: bool) {
        self.parents.clear();
        self.claimed.clear();
        let root = if ended || roots == 0 { ROOT } else { self.tree.child(ROOT, STILL_RUNNING) };
        self.parents.push((root, roots));
    }

    /// A record that owns the last `children` unclaimed subtrees before it.
    #[inline]
    pub(crate) fn record(&mut self, key: u64, calls: u64, cost: Cost, children: u64) {
        let node = self.node(key, calls, cost);
        if children > 0 {
            self.parents.push((node, children));
        }
    }

    /// A record that owns the records which ended so many records before it.
    pub(crate) fn record_at(&mut self, key: u64, calls: u64, cost: Cost, distances: &[u64]) {
        let node = self.node(key, calls, cost);
        for distance in distances {
            self.claimed.insert((self.taken - 1).saturating_add(*distance), node);
        }
    }

    /// The time of the record that stands so many before is too high by so much.
    pub(crate) fn excess(&mut self, distance: u64, time: i64) {
        self.excess.insert(self.taken.saturating_add(distance.saturating_sub(1)), time);
    }

    #[inline]
    fn node(&mut self, key: u64, calls: u64, mut cost: Cost) -> u32 {
        if self.room.is_outgrown(&self.tree) {
            self.make_room();
        }
        if !self.excess.is_empty()
            && let Some(excess) = self.excess.remove(&self.taken)
        {
            cost.time = cost.time.saturating_sub(excess);
        }
        let parent = if self.claimed.is_empty() { None } else { self.claimed.remove(&self.taken) };
        let parent = parent.unwrap_or_else(|| self.next_parent());
        self.taken += 1;
        let node = self.tree.child(parent, key);
        self.tree.record(node, calls, cost);
        self.slicer.count(&self.tree, node);
        node
    }

    #[inline]
    fn next_parent(&mut self) -> u32 {
        while let Some((node, left)) = self.parents.last_mut() {
            if *left > 0 {
                *left -= 1;
                return *node;
            }
            self.parents.pop();
        }
        ROOT
    }

    /// Records taken so far.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// The records to come stand before a mark of the recording: so many marks are before them.
    pub(crate) fn enter(&mut self, segment: u32) {
        self.slicer.enter(segment, &self.tree);
    }

    /// The tree of all records taken, its keys those of the records, and its slices.
    pub(crate) fn finish(self) -> (CallTree, Slices) {
        let slices = self.slicer.finish(&self.tree);
        (self.tree, slices)
    }
}
