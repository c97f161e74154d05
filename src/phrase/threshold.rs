//! Thresholds in words: the figure with its unit, and what is said of broken ones.

use super::amount::{bytes, millis, plural, significant};
use crate::model::{ThresholdRow, ThresholdUnit, Unmeasured};

/// The figure that a threshold was held against, with its unit; why there is none where nothing was measured.
pub fn threshold_figure(row: &ThresholdRow) -> String {
    match (row.measured, row.unmeasured) {
        (Some(value), _) => match row.again {
            Some(again) => format!("{}, and {} when run again", figure(value, row.unit), figure(again, row.unit)),
            None => figure(value, row.unit),
        },
        (None, why) => without(why.unwrap_or(Unmeasured::NotMeasured)).to_owned(),
    }
}

/// Thresholds that are broken, in one sentence; none where all hold.
pub fn broken_thresholds(rows: &[ThresholdRow]) -> Option<String> {
    let broken: Vec<&ThresholdRow> = rows.iter().filter(|row| !row.held).collect();
    let first = broken.first()?;
    let place = match &first.scenario {
        Some(scenario) if !first.text.ends_with(&format!(" in {scenario}")) => format!(" in `{scenario}`"),
        _ => String::new(),
    };
    let found = match first.measured {
        Some(_) => format!("it is {}", threshold_figure(first)),
        None => threshold_figure(first),
    };
    let said = format!("`{}`{place}: {found}", first.text);
    Some(match broken.len() {
        1 => format!("A threshold is broken: {said}."),
        n => format!("{n} of {} are broken, the first of them {said}.", plural(rows.len() as u64, "threshold")),
    })
}

fn without(why: Unmeasured) -> &'static str {
    match why {
        Unmeasured::NotMeasured => "not measured",
        Unmeasured::NothingDone => "not measured: nothing was accepted",
        Unmeasured::NoBaseline => "no baseline to hold it against",
        Unmeasured::NotInBaseline => "the baseline has no such figure",
        Unmeasured::OtherConditions => "counted under other conditions than the baseline",
        Unmeasured::Unsteady => "not measured: its tries differ by more than the limit",
        Unmeasured::IncompleteProfile => "not measured: the profile is incomplete",
    }
}

fn figure(value: f64, unit: ThresholdUnit) -> String {
    let share = |share: f64| format!("{}%", significant(share * 100.0));
    match unit {
        ThresholdUnit::Ms => millis(value),
        ThresholdUnit::PerSecond => format!("{} per second", significant(value)),
        ThresholdUnit::Share => share(value),
        ThresholdUnit::Change => format!("{}{}", if value > 0.0 { "+" } else { "" }, share(value)),
        ThresholdUnit::Count => significant(value),
        ThresholdUnit::Bytes => bytes(value),
        ThresholdUnit::BytesPerMessage => format!("{} per message", bytes(value)),
        ThresholdUnit::BytesPerSession => format!("{} per session", bytes(value)),
        ThresholdUnit::BytesPerHour => format!("{} per hour", bytes(value)),
        ThresholdUnit::CountPerMessage => format!("{} per message", significant(value)),
        ThresholdUnit::CountPerSession => format!("{} per session", significant(value)),
        ThresholdUnit::CountPerHour => format!("{} per hour", significant(value)),
        ThresholdUnit::CallsPerMessage => format!("{} calls per message", significant(value)),
        ThresholdUnit::MsPerMessage => format!("{} per message", millis(value)),
        ThresholdUnit::InstructionsPerMessage => format!("{} instructions per message", significant(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Breaks;

    fn row(text: &str, scenario: Option<&str>, measured: Option<f64>, unit: ThresholdUnit) -> ThresholdRow {
        ThresholdRow {
            text: text.to_owned(),
            scenario: scenario.map(str::to_owned),
            held: false,
            measured,
            unit,
            limit: 0.0,
            breaks: Breaks::Above,
            unmeasured: measured.is_none().then_some(Unmeasured::NoBaseline),
            again: None,
        }
    }

    #[test]
    fn broken_ones_are_said_with_figure_and_place() {
        let late = row("p99 > 50ms", Some("churn"), Some(62.0), ThresholdUnit::Ms);
        let named = row("p99 > 50ms in churn", Some("churn"), Some(62.0), ThresholdUnit::Ms);
        let slow = row("throughput < -10%", None, None, ThresholdUnit::Change);
        let held = ThresholdRow { held: true, ..late.clone() };
        assert_eq!(broken_thresholds(std::slice::from_ref(&held)), None);
        let said = |rows: &[ThresholdRow]| broken_thresholds(rows).expect("broken");
        assert_eq!(said(&[held, late]), "A threshold is broken: `p99 > 50ms` in `churn`: it is 62 ms.");
        assert_eq!(
            said(&[slow, named]),
            "2 of 2 thresholds are broken, the first of them `throughput < -10%`: no baseline to hold it against."
        );
        assert_eq!(figure(-0.123, ThresholdUnit::Change), "-12.3%");
        assert_eq!(figure(0.005, ThresholdUnit::Change), "+0.5%");
    }
}
