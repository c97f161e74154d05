//! What a file's lines amount to: self costs by function and file, calls by caller and callee.

use std::collections::HashMap;

/// A function as the file names it: object, file and name, each an id of a string.
pub(super) type Triple = (u32, u32, u32);

/// Self cost of a function in one file: its own, or one whose code was inlined into it.
#[derive(Debug, Clone)]
pub(super) struct Share {
    pub function: u32,
    pub file: u32,
    pub costs: Vec<i64>,
}

/// All calls from one function to another.
#[derive(Debug, Clone)]
pub(super) struct Calls {
    pub caller: u32,
    pub callee: u32,
    pub calls: u64,
    pub costs: Vec<i64>,
}

/// The sums.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// Functions by id, and whether a line named their object and file.
    pub functions: Vec<Triple>,
    pub explicit: Vec<Explicit>,
    index: HashMap<Triple, u32>,
    pub shares: Vec<Share>,
    share_index: HashMap<(u32, u32), u32>,
    pub calls: Vec<Calls>,
    call_index: HashMap<(u32, u32), u32>,
    /// Self costs by share and line, while the file may be cachegrind's.
    pub lines: Option<HashMap<(u32, i64), Vec<i64>>>,
    /// Sum of all self costs.
    pub total: Vec<i64>,
    /// Sizes of all costs, those of calls too.
    pub sizes: Vec<u64>,
}

/// What was said of a function, rather than supposed.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Explicit {
    pub object: bool,
    pub file: bool,
    /// It has lines of its own.
    pub body: bool,
}

/// Adds costs to those of the events that `columns` names, up to the limit of 64 bits.
pub(super) fn add(sum: &mut Vec<i64>, columns: &[usize], costs: &[i64]) {
    for (&column, &cost) in columns.iter().zip(costs) {
        if sum.len() <= column {
            sum.resize(column + 1, 0);
        }
        sum[column] = sum[column].saturating_add(cost);
    }
}

impl Sums {
    /// Sums that keep the costs of lines, until calls show that the file is not cachegrind's.
    pub(super) fn with_lines() -> Self {
        Sums { lines: Some(HashMap::new()), ..Sums::default() }
    }

    pub(super) fn function(&mut self, triple: Triple, explicit: Explicit) -> u32 {
        let next = self.functions.len() as u32;
        let id = *self.index.entry(triple).or_insert(next);
        if id == next {
            self.functions.push(triple);
            self.explicit.push(Explicit::default());
        }
        let known = &mut self.explicit[id as usize];
        known.object |= explicit.object;
        known.file |= explicit.file;
        known.body |= explicit.body;
        id
    }

    /// The place where self costs of a function in a file are summed.
    pub(super) fn share(&mut self, function: u32, file: u32) -> u32 {
        let next = self.shares.len() as u32;
        let id = *self.share_index.entry((function, file)).or_insert(next);
        if id == next {
            self.shares.push(Share { function, file, costs: Vec::new() });
        }
        id
    }

    pub(super) fn own(&mut self, share: u32, line: i64, columns: &[usize], costs: &[i64]) {
        add(&mut self.shares[share as usize].costs, columns, costs);
        add(&mut self.total, columns, costs);
        self.measure(columns, costs);
        if let Some(lines) = &mut self.lines {
            add(lines.entry((share, line)).or_default(), columns, costs);
        }
    }

    pub(super) fn call(&mut self, caller: u32, callee: u32, calls: u64, columns: &[usize], costs: &[i64]) {
        self.lines = None;
        let next = self.calls.len() as u32;
        let id = *self.call_index.entry((caller, callee)).or_insert(next);
        if id == next {
            self.calls.push(Calls { caller, callee, calls: 0, costs: Vec::new() });
        }
        let sum = &mut self.calls[id as usize];
        sum.calls = sum.calls.saturating_add(calls);
        add(&mut sum.costs, columns, costs);
        self.measure(columns, costs);
    }

    fn measure(&mut self, columns: &[usize], costs: &[i64]) {
        for (&column, cost) in columns.iter().zip(costs) {
            if self.sizes.len() <= column {
                self.sizes.resize(column + 1, 0);
            }
            self.sizes[column] = self.sizes[column].saturating_add(cost.unsigned_abs());
        }
    }

    /// Sum of the self costs of the first event.
    pub(super) fn first(&self) -> i64 {
        self.total.first().copied().unwrap_or(0)
    }
}
