//! A leak that is looked for again: in another commit of the same project, say.

use serde::{Deserialize, Serialize};

use super::{Growth, GrowthPer, KeptAt, Ledger, LedgerStatus, Metric};

/// The leak that one run has found, and others are asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sought {
    /// What grows.
    pub metric: Metric,
    /// In which scenario.
    pub scenario: String,
    /// By how much.
    pub growth: Growth,
    /// Who holds it, where that is known.
    pub holder: Option<String>,
    /// The step of a conversation that keeps as much, where the ledger named it alone.
    pub step: Option<SoughtStep>,
}

/// A step of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SoughtStep {
    /// What keeps them.
    pub at: KeptAt,
    /// Which of several such steps of the conversation.
    pub nth: u64,
    /// Bytes that it keeps.
    pub bytes: i64,
}

/// Of what is sought, what another run must keep at the same step to have the same leak.
const SAME: f64 = 0.5;

/// How far what the ledger names may be from the growth that the waves found, for it to be the same: an array's doubling
/// is part of the one alone.
const ALIKE: std::ops::RangeInclusive<f64> = 0.6..=1.5;

impl SoughtStep {
    /// The one step that a ledger named, where it keeps what grows by `growth`.
    pub fn of(ledger: &Ledger, growth: Growth) -> Option<Self> {
        let [kept] = &ledger.kept[..] else { return None };
        let named = ledger.status == LedgerStatus::Named && growth.per != GrowthPer::Hour && kept.bytes > 0;
        let alike = named && ALIKE.contains(&(growth.value / 1000.0 / kept.bytes as f64));
        alike.then_some(Self { at: kept.at, nth: kept.nth, bytes: kept.bytes })
    }
}

impl Sought {
    /// Whether a ledger shows that the leak is there, or that it is not; none where it decides neither.
    pub fn is_in(&self, ledger: &Ledger) -> Option<bool> {
        let step = self.step?;
        match ledger.status {
            LedgerStatus::NothingKept => Some(false),
            LedgerStatus::Named => {
                let same = ledger.kept.iter().find(|kept| (kept.at, kept.nth) == (step.at, step.nth));
                match same {
                    Some(kept) => Some(kept.bytes as f64 >= step.bytes as f64 * SAME),
                    // Another step keeps as much: it may be the same leak under another name.
                    None if ledger.kept.iter().any(|kept| kept.bytes as f64 >= step.bytes as f64 * SAME) => None,
                    None => Some(false),
                }
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Act, Conversation, Kept, Unit};

    fn ledger(status: LedgerStatus, kept: &[(Act, i64)]) -> Ledger {
        let kept = kept.iter().map(|(act, bytes)| Kept {
            at: KeptAt::Step(*act),
            nth: 1,
            bytes: *bytes,
            each: Some(true),
            neither: None,
            per_byte: None,
            beside: None,
            shortest: Conversation::default(),
            played: 4,
        });
        Ledger { kept: kept.collect(), ..Ledger::without(status) }
    }

    fn growth(value: f64) -> Growth {
        Growth { value, unit: Unit::Bytes, per: GrowthPer::Messages }
    }

    #[test]
    fn a_ledger_shows_the_leak_or_that_it_is_gone_or_neither() {
        let bad = ledger(LedgerStatus::Named, &[(Act::Message(100), 1024)]);
        let step = SoughtStep::of(&bad, growth(1_030_000.0));
        assert_eq!(step.map(|step| step.bytes), Some(1024));
        // Another leak than the one that the waves found.
        assert_eq!(SoughtStep::of(&bad, growth(9_000_000.0)), None);
        let sought = Sought {
            metric: Metric::Heap,
            scenario: "sequential".to_owned(),
            growth: growth(1_030_000.0),
            holder: None,
            step,
        };
        let named = |kept: &[(Act, i64)]| sought.is_in(&ledger(LedgerStatus::Named, kept));
        assert_eq!(sought.is_in(&bad), Some(true));
        assert_eq!(named(&[(Act::Ehlo, 48), (Act::Message(100), 1100)]), Some(true));
        assert_eq!(named(&[(Act::Message(100), 100)]), Some(false));
        assert_eq!(named(&[(Act::Ehlo, 48)]), Some(false));
        assert_eq!(named(&[(Act::Data, 1024)]), None);
        assert_eq!(sought.is_in(&ledger(LedgerStatus::NothingKept, &[])), Some(false));
        assert_eq!(sought.is_in(&ledger(LedgerStatus::NotSteady, &[])), None);
        let without = Sought { step: None, ..sought };
        assert_eq!(without.is_in(&bad), None);
    }
}
