//! What the parts of a file declare of themselves, held against their lines: each part's sums are its own.

/// What one part declares of an event, and what its lines sum up to.
#[derive(Debug)]
struct Misfit {
    part: u64,
    name: &'static str,
    event: usize,
    declared: i64,
    sum: i64,
}

/// What all parts declare.
#[derive(Debug, Default)]
pub(super) struct Declared {
    /// Of the first event, in sum.
    sum: Option<i64>,
    misfits: Vec<Misfit>,
    /// Parts with lines that declare nothing.
    silent: Vec<u64>,
    parts: u64,
}

impl Declared {
    /// A part has ended, with what its `summary:` and its `totals:` say, and the sums of its lines as far as they are
    /// exact.
    pub(super) fn part(&mut self, part: u64, has_lines: bool, said: [Option<Vec<i64>>; 2], sums: &[Option<i64>]) {
        self.parts = part;
        if has_lines && said.iter().all(Option::is_none) {
            self.silent.push(part);
        }
        if let Some(costs) = said.iter().flatten().next() {
            let first = costs.first().copied().unwrap_or(0);
            self.sum = Some(self.sum.unwrap_or(0).saturating_add(first));
        }
        for (name, costs) in ["summary:", "totals:"].into_iter().zip(&said) {
            for (event, &declared) in costs.iter().flatten().enumerate() {
                // A sum that was cut off tells nothing.
                let Some(sum) = sums.get(event).copied().unwrap_or(Some(0)) else { continue };
                if declared != sum {
                    self.misfits.push(Misfit { part, name, event, declared, sum });
                }
            }
        }
    }

    /// What the file declares of its first event, where each of its parts says it.
    pub(super) fn first(&self) -> Option<i64> {
        self.sum.filter(|_| self.silent.is_empty())
    }

    /// What to say of it.
    pub(super) fn warnings(&self, events: &[String]) -> Vec<String> {
        let mut warnings = Vec::new();
        for name in ["summary:", "totals:"] {
            for (event, of) in events.iter().enumerate() {
                let mut misfits = self.misfits.iter().filter(|misfit| misfit.name == name && misfit.event == event);
                let Some(Misfit { part, declared, sum, .. }) = misfits.next() else { continue };
                let of = if events.len() > 1 { format!(" {of}") } else { String::new() };
                let part = if self.parts > 1 { format!(" of part {part}") } else { String::new() };
                let others = match misfits.count() {
                    0 => String::new(),
                    count => format!(" (and {count} more parts differ)"),
                };
                warnings.push(format!(
                    "its `{name}`{part} declares {declared}{of}, its cost lines{part} sum up to {sum}{others}: shares are \
                     of the sum"
                ));
            }
        }
        // Many writers declare nothing: then that tells nothing.
        if let (Some(first), Some(_)) = (self.silent.first(), self.sum) {
            let others = match self.silent.len() {
                1 => String::new(),
                count => format!(" (and {} more parts)", count - 1),
            };
            warnings
                .push(format!("part {first} of {}{others} has no `totals:`: lines of it may be missing", self.parts));
        }
        warnings
    }
}
