//! Growth by what drives it.

use super::amount::{bytes, significant};
use super::state::metric_noun;
use crate::model::{Driven, Driver, Drivers, NotParted};

/// What drives the growth, and what cannot be told; empty where nothing is seen to.
pub fn drivers(drivers: &Drivers) -> Vec<String> {
    if !drivers.by.iter().any(Driven::is_seen) {
        return Vec::new();
    }
    let (seen, unseen): (Vec<&Driven>, Vec<&Driven>) = drivers.by.iter().partition(|driven| driven.is_seen());
    let mut first = format!(
        "All {} waves together: {} grows by {}",
        drivers.waves,
        metric_noun(drivers.metric),
        seen.into_iter().map(one).collect::<Vec<_>>().join(" and ")
    );
    if !unseen.is_empty() {
        let unseen: Vec<String> = unseen.into_iter().map(interval).collect();
        first.push_str(&format!("; nothing else is seen: {}", unseen.join(", ")));
    }
    let apart = Driver::ALL.into_iter().filter_map(|from| not_parted(from, &drivers.not_parted));
    std::iter::once(format!("{first}.")).chain(apart).collect()
}

/// `1,024 B per message (1,010 B to 1,040 B)`
fn one(driven: &Driven) -> String {
    let [low, high] = driven.ci95.map(|value| amount(driven.driver, value));
    format!("{} per {} ({low} to {high})", amount(driven.driver, driven.value), name(driven.driver))
}

/// `-3 B to 5 B per session`
fn interval(driven: &Driven) -> String {
    let [low, high] = driven.ci95.map(|value| amount(driven.driver, value));
    format!("{low} to {high} per {}", name(driven.driver))
}

fn amount(driver: Driver, value: f64) -> String {
    match driver {
        Driver::Byte => format!("{} B", significant(value)),
        _ if value < 0.0 => format!("-{}", bytes(-value)),
        _ => bytes(value),
    }
}

fn name(driver: Driver) -> &'static str {
    match driver {
        Driver::Session => "session",
        Driver::Message => "message",
        Driver::Recipient => "recipient",
        Driver::Byte => "byte of a message",
        Driver::Hour => "hour",
    }
}

/// What is not told from one of the others, and what would tell.
fn not_parted(from: Driver, pairs: &[NotParted]) -> Option<String> {
    let of: Vec<Driver> = pairs.iter().filter(|pair| pair.from == from).map(|pair| pair.driver).collect();
    let would: Vec<&str> = of.iter().copied().map(would_tell).collect();
    let names: Vec<String> = of.iter().map(|driver| format!("a {}", name(*driver))).collect();
    (!of.is_empty()).then(|| {
        format!(
            "What comes with {} is not told from what comes with a {}: {} would tell.",
            names.join(", "),
            name(from),
            would.join(", ")
        )
    })
}

fn would_tell(driver: Driver) -> &'static str {
    match driver {
        Driver::Session | Driver::Message => "sessions without messages (`handshake`)",
        Driver::Recipient => "several recipients",
        Driver::Byte => "other lengths (`large`)",
        Driver::Hour => "a longer rest",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Metric;

    #[test]
    fn what_is_seen_comes_first_and_what_is_not_told_is_said() {
        let driven = |driver, value, low, high| Driven { driver, value, ci95: [low, high] };
        let mut all = Drivers {
            metric: Metric::Heap,
            waves: 24,
            by: vec![
                driven(Driver::Session, 1.0, -3.0, 5.0),
                driven(Driver::Message, 1024.0, 1000.0, 1048.0),
                driven(Driver::Byte, 0.98, 0.9, 1.06),
            ],
            not_parted: vec![NotParted { driver: Driver::Recipient, from: Driver::Message }],
        };
        let lines = drivers(&all);
        assert_eq!(lines.len(), 2);
        let first = &lines[0];
        assert!(first.contains("per message (") && first.contains(" and 0.98 B per byte of a message"), "{first}");
        assert!(first.ends_with("; nothing else is seen: -3 B to 5 B per session."), "{first}");
        assert_eq!(
            lines[1],
            "What comes with a recipient is not told from what comes with a message: several recipients would tell."
        );
        all.by.retain(|driven| !driven.is_seen());
        assert!(drivers(&all).is_empty());
    }
}
