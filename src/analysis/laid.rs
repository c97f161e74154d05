//! A call tree laid out for a picture: the dearest frames, as many and as deep as a picture holds, and what of each lies
//! in frames that are left out. It takes time and memory in proportion to the tree, however deep that is.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use crate::profile::{CallTree, ROOT};

/// Frames below this share of the whole are left out.
const LEAST: f64 = 0.0001;
/// Paths that are looked at, one step from a function to its caller each, before pictures by function end.
const STEPS: usize = 1 << 25;

/// Frames in pre-order; siblings in the order of their names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Laid {
    /// The frames; the first level has depth 0.
    pub frames: Vec<Frame>,
    /// Cost of the whole, with what is left out.
    pub total: u64,
    /// Below which share of the whole frames are left out.
    pub least: f64,
    /// So many levels are shown at most, where there are more.
    pub levels: Option<usize>,
    /// Frames below this depth are left out too, where the tree was too large to look at all.
    pub deepest: Option<usize>,
}

/// One frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// How deep it stands.
    pub depth: usize,
    /// Its name, by the flamegraph's names.
    pub name: u32,
    /// Its cost with all that it called; by function, what of the function's own cost came by this path.
    pub value: u64,
    /// What of `value` is no callee's.
    pub own: u64,
    /// It stands on the last level that is shown, and so many would follow below it.
    pub deeper: usize,
}

/// One step of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A function, by the flamegraph's names.
    Function(u32),
    /// The same function, right behind itself.
    Again(u32),
    /// Frames that are left out, as each costs too little.
    LeftOut,
    /// So many levels that are left out, as there are too many.
    Deeper(usize),
}

/// What a tree's nodes cost in one picture.
#[derive(Debug)]
pub struct Costs<'a> {
    /// The tree.
    pub tree: &'a CallTree,
    /// Self cost of each node.
    pub own: Vec<u64>,
    /// The name of each of the tree's keys.
    pub name_of: &'a [u32],
    /// The names.
    pub names: &'a [String],
    /// Most frames of the picture.
    pub most: usize,
    /// Most levels of it.
    pub levels: usize,
}

impl Costs<'_> {
    fn name(&self, node: u32) -> u32 {
        self.name_of[self.tree.nodes()[node as usize].key as usize]
    }

    fn total(&self) -> u64 {
        self.own[1..].iter().fold(0, |sum: u64, own| sum.saturating_add(*own))
    }

    /// Who called whom, from the entry point on. `children` are those of the tree.
    pub fn stacks(&self) -> Laid {
        let (children, begins) = self.tree.children();
        let mut values = self.own.clone();
        let nodes = self.tree.nodes();
        // Levels of frames at and below each node.
        let mut heights = vec![0u32; nodes.len()];
        for id in (1..nodes.len()).rev() {
            if values[id] == 0 {
                continue;
            }
            let parent = nodes[id].parent as usize;
            values[parent] = values[parent].saturating_add(values[id]);
            heights[id] += 1;
            heights[parent] = heights[parent].max(heights[id]);
        }
        let below = |node: u32| {
            let range = begins[node as usize] as usize..begins[node as usize + 1] as usize;
            children[range].iter().map(|child| (*child, values[*child as usize]))
        };
        let mut layout = Layout::new(self, heights);
        layout.open(None, self, below(ROOT));
        while let Some(group) = layout.next() {
            let own = group.entries.iter().map(|(node, _)| self.own[*node as usize]).fold(0, u64::saturating_add);
            let at = layout.draw(&group, own);
            layout.open(Some(at), self, group.entries.iter().flat_map(|(node, _)| below(*node)));
        }
        layout.finish(self.names)
    }

    /// The same cost by function: each function's own cost stands on the first level, who called it below.
    pub fn by_function(&self) -> Laid {
        let caller = |node: u32| self.tree.nodes()[node as usize].parent;
        // Levels of frames from each node up.
        let mut depths = vec![0u32; self.own.len()];
        for (id, node) in self.tree.nodes().iter().enumerate().skip(1) {
            depths[id] = depths[node.parent as usize] + 1;
        }
        let mut layout = Layout::new(self, depths);
        layout.open(None, self, (1..self.own.len() as u32).map(|node| (node, self.own[node as usize])));
        let mut left = STEPS;
        while let Some(mut group) = layout.next() {
            if group.entries.len() > left {
                layout.stop_at(group.depth);
                let at = layout.draw(&group, 0);
                layout.deepen(at, group.entries.iter().map(|(node, _)| caller(*node)));
                continue;
            }
            left -= group.entries.len();
            // Paths that go on in the same way are one from here on.
            group.entries.iter_mut().for_each(|(node, _)| *node = caller(*node));
            group.entries.sort_unstable_by_key(|(node, _)| *node);
            group.entries.dedup_by(|(node, cost), (kept, sum)| {
                let same = node == kept;
                if same {
                    *sum = sum.saturating_add(*cost);
                }
                same
            });
            // Those that nobody called stand first.
            let ended = group.entries.partition_point(|(node, _)| *node == ROOT);
            let own = group.entries[..ended].iter().map(|(_, cost)| *cost).fold(0, u64::saturating_add);
            let at = layout.draw(&group, own);
            layout.open(Some(at), self, group.entries[ended..].iter().copied());
        }
        layout.finish(self.names)
    }

    /// Self cost by name, the dearest first: of all that a picture with room for everything would show.
    pub fn by_name(&self) -> Vec<(u32, u64)> {
        let mut own = vec![0u64; self.names.len()];
        let (mut seen, mut shown) = (vec![false; own.len()], vec![false; self.own.len()]);
        for (node, cost) in self.own.iter().enumerate().skip(1).rev() {
            shown[node] |= *cost > 0;
            if shown[node] {
                shown[self.tree.nodes()[node].parent as usize] = true;
                let name = self.name(node as u32) as usize;
                own[name] = own[name].saturating_add(*cost);
                seen[name] = true;
            }
        }
        let mut own: Vec<(u32, u64)> = (0..).zip(own).filter(|(name, _)| seen[*name as usize]).collect();
        own.sort_by_key(|(name, own)| (Reverse(*own), &self.names[*name as usize]));
        own
    }
}

/// A node of the tree and its cost in the group.
type Entry = (u32, u64);

/// A frame that may be drawn.
struct Group {
    value: u64,
    /// The frame that it stands below.
    above: Option<usize>,
    depth: usize,
    name: u32,
    entries: Vec<Entry>,
}

/// Frames in the order of their cost, as long as there is room.
struct Layout {
    total: u64,
    most: usize,
    /// Most levels.
    levels: usize,
    /// Levels that each node stands for.
    heights: Vec<u32>,
    least: u64,
    /// By value; those that came first before those of the same value.
    waiting: BinaryHeap<(u64, Reverse<usize>)>,
    groups: HashMap<usize, Group>,
    came: usize,
    drawn: Vec<(Option<usize>, Frame)>,
    deepest: Option<usize>,
    /// The group of each name among those that are being made, from 1.
    known: Vec<u32>,
}

impl Layout {
    fn new(costs: &Costs<'_>, heights: Vec<u32>) -> Self {
        let total = costs.total();
        Layout {
            total,
            most: costs.most,
            levels: costs.levels,
            heights,
            least: ((total as f64 * LEAST).ceil() as u64).max(1),
            waiting: BinaryHeap::new(),
            groups: HashMap::new(),
            came: 0,
            drawn: Vec::new(),
            deepest: None,
            known: vec![0; costs.names.len()],
        }
    }

    /// The frames below one, or those of the first level: nodes of one name are one frame. What costs nothing or too
    /// little is left out.
    fn open(&mut self, above: Option<usize>, costs: &Costs<'_>, entries: impl Iterator<Item = Entry>) {
        let depth = above.map_or(0, |above| self.drawn[above].1.depth + 1);
        let entries = entries.filter(|(_, value)| *value > 0);
        if let Some(above) = above.filter(|_| depth >= self.levels) {
            return self.deepen(above, entries.map(|(node, _)| node));
        }
        let mut groups: Vec<Group> = Vec::new();
        for (node, value) in entries {
            let name = costs.name(node);
            let known = &mut self.known[name as usize];
            if *known == 0 {
                groups.push(Group { value: 0, above, depth, name, entries: Vec::new() });
                *known = groups.len() as u32;
            }
            let group = &mut groups[*known as usize - 1];
            group.value = group.value.saturating_add(value);
            group.entries.push((node, value));
        }
        for group in groups {
            self.known[group.name as usize] = 0;
            if group.value >= self.least {
                self.waiting.push((group.value, Reverse(self.came)));
                self.groups.insert(self.came, group);
                self.came += 1;
            }
        }
    }

    /// The dearest frame that is not drawn yet.
    fn next(&mut self) -> Option<Group> {
        if self.drawn.len() >= self.most {
            return None;
        }
        let (_, Reverse(number)) = self.waiting.pop()?;
        self.groups.remove(&number)
    }

    fn draw(&mut self, group: &Group, own: u64) -> usize {
        let frame = Frame { depth: group.depth, name: group.name, value: group.value, own, deeper: 0 };
        self.drawn.push((group.above, frame));
        self.drawn.len() - 1
    }

    /// Nothing is drawn below a frame: how many levels these nodes would take.
    fn deepen(&mut self, at: usize, nodes: impl Iterator<Item = u32>) {
        let heights = &self.heights;
        let deeper = nodes.map(|node| heights[node as usize] as usize).max().unwrap_or(0);
        self.drawn[at].1.deeper = deeper;
    }

    fn stop_at(&mut self, depth: usize) {
        self.deepest = Some(self.deepest.map_or(depth, |known| known.min(depth)));
    }

    fn finish(self, names: &[String]) -> Laid {
        let next = self.waiting.peek().map_or(0.0, |(value, _)| *value as f64 / self.total.max(1) as f64);
        let mut below: Vec<Vec<usize>> = vec![Vec::new(); self.drawn.len() + 1];
        for (at, (above, _)) in self.drawn.iter().enumerate() {
            below[above.map_or(0, |above| above + 1)].push(at);
        }
        for siblings in &mut below {
            siblings.sort_by(|a, b| names[self.drawn[*b].1.name as usize].cmp(&names[self.drawn[*a].1.name as usize]));
        }
        let mut frames = Vec::with_capacity(self.drawn.len());
        let mut open = std::mem::take(&mut below[0]);
        while let Some(at) = open.pop() {
            frames.push(self.drawn[at].1);
            open.append(&mut below[at + 1]);
        }
        let levels =
            frames.iter().any(|frame| frame.depth + 1 == self.levels && frame.deeper > 0).then_some(self.levels);
        Laid { frames, total: self.total, least: next.max(LEAST), levels, deepest: self.deepest }
    }
}

impl Laid {
    /// Without the frames that have less than `share` of the whole, and without those below so many levels.
    pub fn pruned(&self, share: f64, levels: usize) -> Laid {
        let least = self.total as f64 * share;
        let mut frames: Vec<Frame> = Vec::new();
        // The last level, and its frame that stands above what comes.
        let mut last: Option<usize> = None;
        for frame in self.frames.iter().filter(|frame| frame.value as f64 >= least) {
            match last.filter(|_| frame.depth >= levels) {
                Some(last) => {
                    let deeper = frame.depth + 1 - levels + frame.deeper;
                    frames[last].deeper = frames[last].deeper.max(deeper);
                }
                None => {
                    last = (frame.depth + 1 == levels).then_some(frames.len());
                    frames.push(*frame);
                }
            }
        }
        let cut = frames.iter().any(|frame| frame.depth + 1 == levels && frame.deeper > 0);
        let levels = if cut { Some(levels) } else { self.levels };
        Laid { frames, least: self.least.max(share), levels, ..*self }
    }

    /// What of each frame's cost lies in frames below it that are left out.
    pub fn rests(&self) -> Vec<u64> {
        let mut rests: Vec<u64> = self.frames.iter().map(|frame| frame.value.saturating_sub(frame.own)).collect();
        let mut open: Vec<usize> = Vec::new();
        for (at, frame) in self.frames.iter().enumerate() {
            open.truncate(frame.depth);
            if let Some(above) = open.last() {
                rests[*above] = rests[*above].saturating_sub(frame.value);
            }
            open.push(at);
        }
        rests
    }

    /// What of the whole lies in frames of the first level that are left out.
    pub fn rest(&self) -> u64 {
        let first = self.frames.iter().filter(|frame| frame.depth == 0);
        self.total.saturating_sub(first.map(|frame| frame.value).fold(0, u64::saturating_add))
    }

    /// Each frame that has a cost of its own, with its stack: `visit(stack, own)`. What is left out below a frame stands
    /// at the end of its stack.
    pub fn stacks(&self, mut visit: impl FnMut(&[Step], u64)) {
        let mut stack: Vec<Step> = Vec::new();
        for (frame, rest) in self.frames.iter().zip(self.rests()) {
            stack.truncate(frame.depth);
            stack.push(Step::Function(frame.name));
            if frame.own > 0 {
                visit(&stack, frame.own);
            }
            if rest > 0 {
                stack.push(if frame.deeper > 0 { Step::Deeper(frame.deeper) } else { Step::LeftOut });
                visit(&stack, rest);
            }
        }
        if self.rest() > 0 {
            visit(&[Step::LeftOut], self.rest());
        }
    }

    /// The same where siblings stand in the order of time: what is left out below a frame comes behind what it called,
    /// and its own cost behind that.
    pub fn in_time(&self, mut visit: impl FnMut(&[Step], u64)) {
        let mut stack: Vec<Step> = Vec::new();
        // Own cost, what is left out, and levels of that, of each frame in the stack.
        let mut open: Vec<(u64, u64, usize)> = Vec::new();
        // The frame before, where it is a sibling.
        let mut before = None;
        let mut close = |stack: &mut Vec<Step>, open: &mut Vec<(u64, u64, usize)>| {
            let (own, rest, deeper) = open.pop()?;
            if rest > 0 {
                stack.push(if deeper > 0 { Step::Deeper(deeper) } else { Step::LeftOut });
                visit(stack, rest);
                stack.pop();
            }
            if own > 0 {
                visit(stack, own);
            }
            stack.pop()
        };
        for (frame, rest) in self.frames.iter().zip(self.rests()) {
            while open.len() > frame.depth {
                before = close(&mut stack, &mut open);
            }
            let again = before.take() == Some(Step::Function(frame.name));
            stack.push(if again { Step::Again(frame.name) } else { Step::Function(frame.name) });
            open.push((frame.own, rest, frame.deeper));
        }
        while close(&mut stack, &mut open).is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::flame::{Flame, Slice};

    const MOST: usize = 4000;

    fn flame(stacks: &[(&[&'static str], u64)]) -> Flame {
        Flame::of_stacks(Slice::All, stacks.iter().map(|(stack, cost)| (stack.to_vec(), *cost)))
    }

    fn shape(flame: &Flame, laid: &Laid) -> Vec<(usize, String, u64, u64)> {
        let name = |frame: &Frame| flame.names[frame.name as usize].clone();
        laid.frames.iter().map(|frame| (frame.depth, name(frame), frame.value, frame.own)).collect()
    }

    fn stacks(flame: &Flame, laid: &Laid) -> Vec<(String, u64)> {
        let mut stacks = Vec::new();
        let name = |step: &Step| match step {
            Step::Function(name) | Step::Again(name) => flame.names[*name as usize].clone(),
            Step::LeftOut => "...".to_owned(),
            Step::Deeper(levels) => format!("+{levels}"),
        };
        laid.stacks(|stack, cost| stacks.push((stack.iter().map(name).collect::<Vec<_>>().join(";"), cost)));
        stacks
    }

    #[test]
    fn siblings_stand_by_name_and_what_costs_nothing_has_no_width() {
        let flame = flame(&[
            (&["m", "run", "read"], 6),
            (&["m", "run"], 2),
            (&["m", "run", "a b"], 3),
            (&["m", "idle"], 0),
            (&["x"], 0),
        ]);
        let frames = [(0, "m", 11, 0), (1, "run", 11, 2), (2, "a b", 3, 3), (2, "read", 6, 6)];
        assert_eq!(
            shape(&flame, &flame.stacks),
            frames.map(|(depth, name, value, own)| (depth, name.into(), value, own))
        );
        assert_eq!((flame.stacks.total, flame.stacks.rest()), (11, 0));
    }

    #[test]
    fn by_function_puts_own_cost_first() {
        let flame = flame(&[(&["a", "b"], 4), (&["a", "c", "b"], 3), (&["a"], 1)]);
        let frames = [(0, "a", 1, 1), (0, "b", 7, 0), (1, "a", 4, 4), (1, "c", 3, 0), (2, "a", 3, 3)];
        let shown = shape(&flame, &flame.by_function);
        assert_eq!(shown, frames.map(|(depth, name, value, own)| (depth, name.into(), value, own)));
    }

    #[test]
    fn what_is_left_out_keeps_its_place_and_its_share() {
        let flame = flame(&[(&["a", "b"], 99_890), (&["a", "c"], 106), (&["a", "d"], 4)]);
        let laid = &flame.stacks;
        assert_eq!(laid.least, LEAST);
        let all = [("a;...", 4), ("a;b", 99_890), ("a;c", 106)].map(|(stack, cost)| (stack.to_owned(), cost));
        assert_eq!(stacks(&flame, laid), all);
        let pruned = [("a;...", 110), ("a;b", 99_890)].map(|(stack, cost)| (stack.to_owned(), cost));
        assert_eq!(stacks(&flame, &laid.pruned(0.01, 99)), pruned);
        assert_eq!((flame.by_function.rest(), flame.own.len()), (4, 4));
    }

    #[test]
    fn a_picture_of_many_small_functions_is_one_bar() {
        let names: Vec<String> = (0..20_000).map(|n| format!("f{n}")).collect();
        let flame = Flame::of_stacks(Slice::All, names.iter().map(|name| (vec!["main", name.as_str()], 1)));
        assert_eq!(stacks(&flame, &flame.by_function), [("...".to_owned(), 20_000)]);
        assert_eq!(flame.own.len(), 20_001);
    }

    #[test]
    fn there_is_an_end_of_frames() {
        let names: Vec<String> = (0..9_000).map(|n| format!("f{n}")).collect();
        let flame = Flame::of_stacks(Slice::All, names.iter().map(|name| (vec![name.as_str()], 10)));
        let laid = &flame.stacks;
        assert_eq!((laid.frames.len(), laid.rest()), (MOST, 50_000));
        assert!((laid.least - 1.0 / 9_000.0).abs() < 1e-9, "{}", laid.least);
    }

    #[test]
    fn of_a_deep_recursion_the_first_levels_are_drawn_and_the_others_said() {
        let deep = flame(&[(&["f"; 50_000], 7), (&["f", "g"], 3)]);
        let (stacks, by_function) = (&deep.stacks, &deep.by_function);
        let levels = Slice::All.most_levels();
        for (laid, levels) in [(stacks, levels), (by_function, levels), (&stacks.pruned(0.0, 9), 9)] {
            let deepest = laid.frames.iter().max_by_key(|frame| frame.depth).unwrap();
            assert_eq!((deepest.depth + 1, deepest.deeper, deepest.value), (levels, 50_000 - levels, 7));
            assert_eq!((laid.total, laid.levels, laid.deepest), (10, Some(levels), None));
            let sum: u64 = {
                let mut sum = 0;
                laid.stacks(|_, cost| sum += cost);
                sum
            };
            assert_eq!(sum, 10, "the grey bar has what is not drawn");
        }
        assert_eq!(self::stacks(&deep, &stacks.pruned(0.0, 2))[0], ("f;f;+49998".to_owned(), 7));
        let shallow = flame(&[(&["f"; 40], 7)]);
        assert_eq!((shallow.stacks.levels, shallow.stacks.frames.len()), (None, 40));
        assert_eq!(shallow.stacks.pruned(0.0, 40), shallow.stacks);
    }
}
