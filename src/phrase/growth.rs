//! Growth in words: `412 B per message`, `14 per 1,000 sessions`.

use super::amount::{bytes, bytes_up, significant, significant_up};
use crate::model::{Growth, GrowthPer, Unit};

/// What one growth is counted against: `per message`.
pub fn per_one(per: GrowthPer) -> &'static str {
    match per {
        GrowthPer::Messages => "per message",
        GrowthPer::Sessions => "per session",
        GrowthPer::Hour => "per hour",
    }
}

/// What a growth is stated for: `per 1,000 messages`.
pub fn per_1000(per: GrowthPer) -> &'static str {
    match per {
        GrowthPer::Messages => "per 1,000 messages",
        GrowthPer::Sessions => "per 1,000 sessions",
        GrowthPer::Hour => "per hour",
    }
}

/// `message`, `session`, `hour`.
pub fn work(per: GrowthPer) -> &'static str {
    match per {
        GrowthPer::Messages => "message",
        GrowthPer::Sessions => "session",
        GrowthPer::Hour => "hour",
    }
}

/// The amount alone: bytes for one message (or session), counts for 1,000, both for an hour.
pub fn growth_amount(value: f64, unit: Unit, per: GrowthPer) -> String {
    match (unit, per) {
        (Unit::Bytes, GrowthPer::Hour) => bytes(value),
        (Unit::Bytes, _) => bytes(value / 1000.0),
        _ => significant(value),
    }
}

/// The same for a limit, rounded up: what is said is never below what was found.
pub fn limit_amount(value: f64, unit: Unit, per: GrowthPer) -> String {
    match (unit, per) {
        (Unit::Bytes, GrowthPer::Hour) => bytes_up(value),
        (Unit::Bytes, _) => bytes_up(value / 1000.0),
        _ => significant_up(value),
    }
}

/// A limit as a whole phrase: `412 B per message`.
pub fn limit_of(value: f64, unit: Unit, per: GrowthPer) -> String {
    format!("{} {}", limit_amount(value, unit, per), growth_per(unit, per))
}

/// What [`growth_amount`] is counted against: `per message` for bytes, `per 1,000 sessions` for counts.
pub fn growth_per(unit: Unit, per: GrowthPer) -> &'static str {
    match unit {
        Unit::Bytes => per_one(per),
        _ => per_1000(per),
    }
}

/// The whole phrase: `412 B per message`, `14 per 1,000 sessions`.
pub fn growth_of(value: f64, unit: Unit, per: GrowthPer) -> String {
    format!("{} {}", growth_amount(value, unit, per), growth_per(unit, per))
}

/// A growth with its sign: `+412 B per message`.
pub fn growth(growth: Growth) -> String {
    let sign = if growth.value > 0.0 { "+" } else { "" };
    format!("{sign}{}", growth_of(growth.value, growth.unit, growth.per))
}

/// `410 to 414 B`: an interval in the units of [`growth_amount`], the unit once where both ends share it.
pub fn growth_interval(ci: [f64; 2], unit: Unit, per: GrowthPer) -> String {
    let [low, high] = ci.map(|value| growth_amount(value, unit, per));
    match (low.rsplit_once(' '), high.rsplit_once(' ')) {
        (Some((number, low_unit)), Some((_, high_unit))) if low_unit == high_unit => format!("{number} to {high}"),
        _ => format!("{low} to {high}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_for_a_unit_of_work() {
        let heap = Growth { value: 412_000.0, unit: Unit::Bytes, per: GrowthPer::Messages };
        assert_eq!(growth(heap), "+412 B per message");
        assert_eq!(growth_interval([410_000.0, 414_000.0], Unit::Bytes, GrowthPer::Messages), "410 to 414 B");
        let sockets = Growth { value: 14.0, unit: Unit::Sockets, per: GrowthPer::Sessions };
        assert_eq!(growth(sockets), "+14 per 1,000 sessions");
        assert_eq!(growth_interval([13.0, 15.0], Unit::Sockets, GrowthPer::Sessions), "13 to 15");
        assert_eq!(growth_interval([900.0, 2_000_000.0], Unit::Bytes, GrowthPer::Hour), "900 B to 1.91 MiB");
        let hourly = Growth { value: 3.0, unit: Unit::Descriptors, per: GrowthPer::Hour };
        assert_eq!(growth(hourly), "+3 per hour");
    }
}
