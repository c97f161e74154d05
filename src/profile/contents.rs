//! What comes out: one profile, merged over the files that were read.

use std::path::PathBuf;

use super::callers::Caller;
use super::callgrind::Graph;
use super::calls::Calls;
use super::defect::{Defect, DefectKind};
use super::groups::Group;
use super::header::Header;
use super::names::Functions;
use super::slices::Slices;
use super::tree::{CallTree, Cost, Metric, ROOT, totals};

/// Name of the frame above the roots of a file that ends too early.
pub const STILL_RUNNING_NAME: &str = "[still running when the file ended]";

/// Name of the frames that stand for paths which the tree had no room for.
pub const LEFT_OUT_NAME: &str = "[left out: --max-tree]";

/// Up to here every whole number is one for readers that hold all numbers as JavaScript does, with 53 bits.
pub const EXACT: u64 = 1 << 53;

/// Who writes files like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Xdebug: one record a call, the exact tree.
    Xdebug,
    /// Callgrind and those who write its format: edges only, the tree is an estimate.
    Callgrind,
    /// Cachegrind's own files: costs of functions, no calls.
    Cachegrind,
}

/// What the figures count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units {
    /// Nanoseconds of one tick of time; `None` where the first event is no time.
    pub nanoseconds_per_tick: Option<u64>,
    /// The event that stands in [`Cost::time`], as the file names it.
    pub time_event: String,
    /// The event that stands in [`Cost::memory`], if there is one.
    pub memory_event: Option<String>,
}

/// One file that was read.
#[derive(Debug, Clone)]
pub struct FileSummary {
    /// The file.
    pub path: PathBuf,
    /// Its header (the first, where runs were appended).
    pub header: Header,
    /// Calls whose record was found; of callgrind's and cachegrind's files, cost lines.
    pub records: u64,
    /// The file has its end and nothing in it was lost.
    pub complete: bool,
    /// The smaller of two shares: bytes that were understood, and time whose records were found.
    pub recovered_share: f64,
    /// Sum of the self costs as the file has them.
    pub own: Cost,
    /// Runs in the file; of callgrind's, parts.
    pub runs: u64,
    /// Processes that wrote into it, as far as can be told.
    pub writers: u64,
    /// What `summary:` declares; never a denominator.
    pub declared: Option<Cost>,
    /// Time and allocation that switches between fibers hold for others; not in the tree. What they cost by themselves
    /// is the rest of the script's time, the same for each.
    pub held_by_fibers: Cost,
    /// The first place of damage.
    pub first_defect: Option<Defect>,
    /// Places of damage.
    pub defects: u64,
    /// What a reader of the result should know, one sentence each.
    pub warnings: Vec<String>,
}

impl FileSummary {
    /// Somebody wrote on behind the bytes that were read, which end at an offset, in a line that `line` finds.
    pub(crate) fn grew(&mut self, offset: u64, line: impl FnOnce() -> u64) {
        self.damaged(DefectKind::Growing, offset, line);
        self.warnings.push(format!("it is still growing: its first {offset} bytes are shown"));
    }

    /// Something is missing at an offset, in a line that `line` finds.
    pub(crate) fn damaged(&mut self, kind: DefectKind, offset: u64, line: impl FnOnce() -> u64) {
        self.complete = false;
        self.defects += 1;
        self.first_defect.get_or_insert_with(|| Defect { line: line(), offset, kind });
    }
}

/// Cost of one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionCost {
    /// Its id in [`Profile::names`].
    pub id: u32,
    /// File that defines it.
    pub file: String,
    /// Its name.
    pub name: String,
    /// Self cost.
    pub own: Cost,
    /// Inclusive cost; recursion is counted once.
    pub inclusive: Cost,
    /// Calls.
    pub calls: u64,
}

/// Calls from one function to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The caller, `None` for roots.
    pub caller: Option<u32>,
    /// The callee.
    pub callee: u32,
    /// Calls.
    pub calls: u64,
    /// Inclusive cost; recursion is counted once.
    pub inclusive: Cost,
}

/// Profiles of one kind, summed.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Who wrote the files.
    pub dialect: Dialect,
    /// What the figures count.
    pub units: Units,
    /// The files, in the order in which they were read.
    pub files: Vec<FileSummary>,
    /// Functions by id.
    pub names: Functions,
    /// Costs of all functions, greatest self time first.
    pub functions: Vec<FunctionCost>,
    /// Callers and callees, greatest inclusive time first.
    pub edges: Vec<Edge>,
    /// The call tree; its keys are function ids.
    pub tree: CallTree,
    /// The tree is an estimate: the files hold edges, no stacks.
    pub estimated: bool,
    /// Which part of the recording each cost falls into; empty where they were not asked for
    /// and where records have no order (estimates).
    pub slices: Slices,
    /// Who called the functions whose callers were looked for.
    pub callers: Vec<Caller>,
    /// The calls of the function that was looked for.
    pub calls: Calls,
    /// What the files hold, all events and exact calls; of Xdebug's files, and where frames were hidden or
    /// focused on, there is none.
    pub graph: Option<Graph>,
    /// The files in groups, as they were asked for; none where frames were hidden or focused on.
    pub groups: Vec<Group>,
}

impl Profile {
    /// Fills `functions` and `edges` from the tree.
    pub(crate) fn from_tree(
        dialect: Dialect,
        units: Units,
        files: Vec<FileSummary>,
        names: Functions,
        tree: CallTree,
    ) -> Profile {
        let (by_function, by_edge) = totals(&tree);
        let mut functions: Vec<FunctionCost> = by_function
            .into_iter()
            .map(|(key, totals)| {
                let function = names.get(key as u32);
                FunctionCost {
                    id: key as u32,
                    file: function.file.clone(),
                    name: function.name.clone(),
                    own: totals.own,
                    inclusive: totals.inclusive,
                    calls: totals.calls,
                }
            })
            .collect();
        functions.sort_by(|a, b| (b.own.time, &a.name, &a.file).cmp(&(a.own.time, &b.name, &b.file)));
        let mut edges: Vec<Edge> = by_edge
            .into_iter()
            .map(|((caller, callee), totals)| Edge {
                caller: caller.map(|key| key as u32),
                callee: callee as u32,
                calls: totals.calls,
                inclusive: totals.inclusive,
            })
            .collect();
        edges.sort_by_key(|edge| (std::cmp::Reverse(edge.inclusive.time), edge.caller, edge.callee));
        Profile {
            dialect,
            units,
            files,
            names,
            functions,
            edges,
            tree,
            estimated: false,
            slices: Slices::default(),
            callers: Vec::new(),
            calls: Calls::default(),
            graph: None,
            groups: Vec::new(),
        }
    }

    /// Calls whose record was found, over all files.
    pub fn records(&self) -> u64 {
        self.files.iter().map(|file| file.records).sum()
    }

    /// All files are complete.
    pub fn complete(&self) -> bool {
        self.files.iter().all(|file| file.complete)
    }

    /// Share of the files' cost that was recovered, weighted by their records.
    pub fn recovered_share(&self) -> f64 {
        let records = self.records();
        match records {
            0 => self.files.iter().map(|file| file.recovered_share).fold(1.0, f64::min),
            _ => self.files.iter().map(|f| f.recovered_share * f.records as f64).sum::<f64>() / records as f64,
        }
    }

    /// Sum of the self costs: what shares are of.
    pub fn total(&self, metric: Metric) -> i64 {
        self.tree.total().of(metric)
    }

    /// A reader with 53 bits rounds some of the costs, in nanoseconds where the tick is known.
    pub fn has_rounded(&self, metric: Metric) -> bool {
        let tick = match metric {
            Metric::Time => self.units.nanoseconds_per_tick.unwrap_or(1),
            Metric::Allocation => 1,
        };
        // What functions cost with their callees is a sum of these: the sizes are summed.
        let sizes = self.tree.nodes().iter().map(|node| node.cost.of(metric).unsigned_abs());
        sizes.fold(0, u64::saturating_add).saturating_mul(tick) >= EXACT
    }

    /// The function at a node of the tree.
    pub fn function_at(&self, node: u32) -> &super::names::Function {
        debug_assert_ne!(node, ROOT);
        self.names.get(self.tree.nodes()[node as usize].key as u32)
    }
}
