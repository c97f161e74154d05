//! Scenarios played one session at a time, as instructions are counted: with sessions side by side their number goes by
//! who is served when.

use super::value::{Depth, Ending, LARGE, Length, Payload, Scenario};

/// Messages or sessions of the smaller load; the larger one has three times as many.
const MANY: u64 = 50;

/// The same where each costs much: by length as the scenario says, and by instructions as the first count shows.
const FEW: u64 = 20;
const FEWEST: u64 = 5;

/// Bytes of the smaller load of large messages, about.
const BYTES: u64 = 25_000_000;

/// Instructions of the smaller load from which it has fewer messages: some ten seconds under valgrind.
const DEAR: u64 = 1_000_000_000;

/// The scenarios of a run that instructions are counted of. Those whose sessions differ in the length of their messages
/// alone are one: the plainest by name where it is among them, else the first.
pub fn single(scenarios: &[Scenario]) -> Vec<Scenario> {
    let mut chosen: Vec<Scenario> = Vec::new();
    for scenario in scenarios.iter().filter(|scenario| is_still(scenario)) {
        let alone = alone(scenario);
        match chosen.iter_mut().find(|known| is_alike(known, &alone)) {
            Some(known) if alone.name == PLAINEST => *known = alone,
            Some(_) => {}
            None => chosen.push(alone),
        }
    }
    chosen
}

/// Messages, or sessions, of the smaller load of a scenario; `cost` is what it cost with as many as this says without.
pub fn smaller_load(scenario: &Scenario, cost: Option<u64>) -> u64 {
    let by_length = match scenario.mail_length() {
        0 => MANY,
        length if length >= LARGE => (BYTES / length).clamp(FEWEST, FEW),
        _ => MANY,
    };
    if cost.is_some_and(|cost| cost > DEAR) { by_length.min(FEW) } else { by_length }
}

const PLAINEST: &str = "sequential";

/// It waits for nothing but the server: what a server does meanwhile goes by the clock.
fn is_still(scenario: &Scenario) -> bool {
    let waits = !scenario.message_delay.is_none()
        || !scenario.recipient_delay.is_none()
        || !scenario.stay.is_zero()
        || scenario.slow.is_some();
    !waits && scenario.ending == Ending::Quit
}

fn alone(scenario: &Scenario) -> Scenario {
    Scenario { sessions: 1, bodies_at_once: None, ..scenario.clone() }
}

/// Nothing but names, numbers and the lengths of small messages differs.
fn is_alike(a: &Scenario, b: &Scenario) -> bool {
    // A session that sends no message has none whose length could matter.
    let large = |scenario: &Scenario| scenario.until == Depth::Data && scenario.mail_length() >= LARGE;
    let plain = |scenario: &Scenario| Scenario {
        name: String::new(),
        about: String::new(),
        total: 0,
        payload: match scenario.payload {
            Payload::Generated(Length::Fixed(_)) => Payload::Short,
            _ => scenario.payload.clone(),
        },
        ..scenario.clone()
    };
    large(a) == large(b) && plain(a) == plain(b)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::builtin::{BUILT_IN, RECIPE, built_in};
    use super::*;

    fn of(names: &[&str]) -> Vec<Scenario> {
        names.iter().map(|name| built_in(name).unwrap()).collect()
    }

    fn names(scenarios: &[Scenario]) -> Vec<String> {
        single(scenarios).into_iter().map(|scenario| scenario.name).collect()
    }

    #[test]
    fn of_the_recipe_three_are_left_one_session_at_a_time() {
        let chosen = single(&of(&RECIPE));
        assert_eq!(
            chosen.iter().map(|scenario| scenario.name.as_str()).collect::<Vec<_>>(),
            ["sequential", "large", "handshake"]
        );
        assert!(chosen.iter().all(|scenario| scenario.sessions == 1));
        assert_eq!(names(&of(&["churn", "smoke"])), ["churn"]);
        assert_eq!(names(&of(&BUILT_IN)), ["sequential", "large", "handshake", "refused", "pipelined", "tls"]);
        let folder = Scenario { payload: Payload::Folder("mails".into()), ..Scenario::plain("mine", 20, 100) };
        assert_eq!(names(&[of(&["smoke"]), vec![folder]].concat()), ["smoke", "mine"]);
    }

    #[test]
    fn who_waits_or_vanishes_is_not_counted() {
        assert_eq!(names(&of(&["slow", "idle", "abrupt"])), [""; 0]);
        let stays = Scenario { stay: Duration::from_millis(1), ..Scenario::plain("stays", 1, 1) };
        assert_eq!(names(&[stays]), [""; 0]);
    }

    #[test]
    fn loads_are_fewer_where_each_costs_more() {
        let scenario = |name: &str| built_in(name).unwrap();
        assert_eq!(smaller_load(&scenario("sequential"), None), 50);
        assert_eq!(smaller_load(&scenario("sequential"), Some(40_000_000)), 50);
        assert_eq!(smaller_load(&scenario("sequential"), Some(3_000_000_000)), 20);
        assert_eq!(smaller_load(&scenario("large"), None), 5);
        assert_eq!(smaller_load(&scenario("handshake"), None), 50);
    }
}
