//! What `analyze` says of a profile on a terminal, where a page of HTML would be of no use.

use std::fmt::Write as _;

use crate::phrase::{duration, grouped, plural};
use crate::profile::{Metric, Profile};

/// Functions that are listed.
const LISTED: usize = 15;

/// The summary, with line ends.
pub(super) fn text(profile: &Profile, metric: Metric) -> String {
    let total = profile.total(metric);
    let amount = |value: i64| match (metric, profile.units.nanoseconds_per_tick) {
        (Metric::Time, Some(tick)) => {
            duration(std::time::Duration::from_nanos(value.max(0).unsigned_abs().saturating_mul(tick)))
        }
        (Metric::Time, None) => format!("{} {}", value, profile.units.time_event),
        (Metric::Allocation, _) => format!("{value} bytes"),
    };
    let whole = if profile.complete() {
        "complete".to_owned()
    } else {
        format!("{:.2}% recovered", profile.recovered_share() * 100.0)
    };
    let mut text = format!(
        "{}, {} records, {} in all, {whole}\n\n{:>12} {:>7} {:>12} {:>10}  function\n",
        plural(profile.files.len() as u64, "file"),
        grouped(profile.records()),
        amount(total),
        "self",
        "share",
        "inclusive",
        "calls",
    );
    let mut functions: Vec<_> = profile.functions.iter().collect();
    functions.sort_by_key(|function| std::cmp::Reverse(function.own.of(metric)));
    for function in functions.iter().take(LISTED) {
        let own = function.own.of(metric);
        let share = if total == 0 { 0.0 } else { own as f64 * 100.0 / total as f64 };
        let name: String = function.name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        // A string takes all that is written.
        let _ = writeln!(
            text,
            "{:>12} {share:>6.2}% {:>12} {:>10}  {name}",
            amount(own),
            amount(function.inclusive.of(metric)),
            grouped(function.calls),
        );
    }
    if functions.len() > LISTED {
        let _ = writeln!(text, "and {} more", grouped((functions.len() - LISTED) as u64));
    }
    text + "\nWrite the page with -o FILE.html; see --format for others.\n"
}
