//! The lines of figures: what a call costs, and the calls that it made.

use super::{ANY_FILE, Claim, Lexer};
use crate::profile::defect::DefectKind;
use crate::profile::number::{Number, decimal, wrapped_at_32_bits};
use crate::profile::tree::Cost;

impl Lexer {
    /// The lines of a call have ended: without its cost, or nothing has begun.
    pub(super) fn end_call(&mut self) {
        if self.call_count.is_some() || self.callee.is_some() {
            self.damage(DefectKind::StrangeLine);
            self.call(0, None);
        }
        (self.callee_file, self.call_begun) = (None, None);
    }

    /// Notes the call in hand. One without its count is one call; one that names nobody is nobody's.
    fn call(&mut self, line: u32, time: Option<i64>) {
        let (count, name, file) = (self.call_count.take(), self.callee.take(), self.callee_file.take());
        self.call_begun = None;
        if count.is_none() || name.is_none() {
            self.damage(DefectKind::StrangeLine);
        }
        let count = count.unwrap_or(1);
        if let (Some(name), Some(open)) = (name, &mut self.open) {
            let pair = file.map_or(ANY_FILE, |file| self.found.pairs.intern(file, name));
            open.record.claims.push(Claim { pair, name, line, time: time.filter(|_| count == 1), count });
        }
    }

    pub(super) fn costs(&mut self, line: &[u8]) -> bool {
        if self.open.is_none() {
            return false;
        }
        let mut fields = line.split(|b| *b == b' ').filter(|field| !field.is_empty());
        let line = fields.next().map_or(0, |position| match decimal(position) {
            Number::Is(line) => u32::try_from(line).unwrap_or(0),
            _ => 0,
        });
        let (time_column, memory_column) = self.columns;
        let (mut cost, mut wrapped, mut bad, mut given) = (Cost::default(), false, false, false);
        for (column, field) in fields.enumerate() {
            if column != time_column && column != memory_column {
                continue;
            }
            let value = match decimal(field) {
                Number::Is(value) if column == memory_column && !self.modern && wrapped_at_32_bits(value) => {
                    wrapped = true;
                    0
                }
                Number::Is(value) => value,
                Number::Wrapped => {
                    wrapped = true;
                    0
                }
                Number::No => {
                    bad = true;
                    0
                }
            };
            given = true;
            if column == time_column { cost.time = value } else { cost.memory = value }
        }
        let called = self.call_count.is_some() || self.callee.is_some();
        if called {
            let time = (!wrapped && !bad && given).then_some(cost.time);
            self.call(line, time);
        } else if let Some(open) = &mut self.open {
            open.has_cost = true;
            open.record.cost.add(cost);
        }
        if bad || !given {
            self.damage(DefectKind::BadCost);
        } else if wrapped {
            self.found.defect(self.line, self.offset, DefectKind::WrappedNumber);
        }
        true
    }
}
