//! The built-in scenarios: the recipe's five, and those for the paths that polite clients never take.

use std::time::Duration;

use super::value::{Depth, Ending, Expect, Greeting, Length, Payload, PerConnection, Scenario, Slow, TlsMode};

/// The recipe's five, in its order; `--load recipe` means these.
pub const RECIPE: [&str; 5] = ["smoke", "sequential", "churn", "large", "handshake"];

/// All built-in names, the recipe's first.
pub const BUILT_IN: [&str; 11] =
    ["smoke", "sequential", "churn", "large", "handshake", "abrupt", "refused", "slow", "idle", "pipelined", "tls"];

/// The built-in scenario called `name`.
pub fn built_in(name: &str) -> Option<Scenario> {
    let generated = |length| Payload::Generated(Length::Fixed(length));
    let scenario = match name {
        "smoke" => Scenario {
            about: "a simple test: 10 sessions, one message each".into(),
            payload: generated(1),
            ..Scenario::plain(name, 10, 10)
        },
        "sequential" => Scenario {
            about: "one session after another".into(),
            payload: generated(100),
            ..Scenario::plain(name, 1, 10_000)
        },
        "churn" => Scenario {
            about: "many short sessions at once: leaks on connect and disconnect".into(),
            payload: generated(200),
            ..Scenario::plain(name, 5_000, 5_000)
        },
        "large" => Scenario {
            about: "large messages: leaks in DATA and its buffers".into(),
            payload: generated(5_000_000),
            // A client that sends 200 bodies at once makes the server's peak twenty times what the
            // recipe's own client, which writes one at a time, makes of it.
            bodies_at_once: Some(8),
            ..Scenario::plain(name, 200, 200)
        },
        "handshake" => Scenario {
            about: "greeting and QUIT, no recipient".into(),
            until: Depth::Helo,
            ..Scenario::plain(name, 1_000, 1_000)
        },
        "abrupt" => Scenario {
            about: "clients that vanish at every stage, by FIN and by RST".into(),
            ending: Ending::Vanish,
            expect: Expect::Gone,
            payload: generated(2_000),
            ..Scenario::plain(name, 20, 2_000)
        },
        "refused" => Scenario {
            about: "a refused recipient in each session: leaks of error paths".into(),
            until: Depth::Rcpt,
            expect: Expect::Refused,
            // A top-level domain that is reserved never to exist: no server takes mail for it, or relays it.
            to: Some("refused@profile-run.invalid".into()),
            ..Scenario::plain(name, 20, 2_000)
        },
        "slow" => Scenario {
            about: "slow writers and slow readers".into(),
            payload: generated(400),
            slow: Some(Slow { chunk: 16, pause: Duration::from_millis(5) }),
            ..Scenario::plain(name, 50, 500)
        },
        "idle" => Scenario {
            about: "connections that stay without a word".into(),
            until: Depth::Helo,
            stay: Duration::from_secs(1),
            ..Scenario::plain(name, 200, 2_000)
        },
        "pipelined" => Scenario {
            about: "MAIL, RCPT and DATA in one write, many messages a connection".into(),
            payload: generated(200),
            per_connection: PerConnection::AtMost(100),
            greeting: Greeting::Ehlo,
            pipelining: true,
            ..Scenario::plain(name, 20, 5_000)
        },
        "tls" => Scenario {
            about: "STARTTLS, one message, QUIT".into(),
            payload: generated(200),
            greeting: Greeting::Ehlo,
            tls: Some(TlsMode::Starttls),
            ..Scenario::plain(name, 20, 1_000)
        },
        _ => return None,
    };
    Some(scenario)
}

#[cfg(test)]
mod tests {
    use super::super::value::Unit;
    use super::*;

    #[test]
    fn the_recipe_by_the_numbers() {
        for (name, sessions, total, length) in [
            ("smoke", 10, 10, Some(1)),
            ("sequential", 1, 10_000, Some(100)),
            ("churn", 5_000, 5_000, Some(200)),
            ("large", 200, 200, Some(5_000_000)),
            ("handshake", 1_000, 1_000, None),
        ] {
            let scenario = built_in(name).expect(name);
            assert_eq!((scenario.sessions, scenario.total), (sessions, total), "{name}");
            let unit = if length.is_some() { Unit::Messages } else { Unit::Sessions };
            assert_eq!(scenario.unit(), unit, "{name}");
            if let Some(length) = length {
                assert_eq!(scenario.payload, Payload::Generated(Length::Fixed(length)), "{name}");
            }
        }
    }

    #[test]
    fn every_name_has_its_scenario_and_the_recipe_comes_first() {
        assert_eq!(BUILT_IN[..RECIPE.len()], RECIPE);
        for name in BUILT_IN {
            assert_eq!(built_in(name).expect(name).name, name);
        }
    }

    #[test]
    fn scaling_keeps_lengths_and_at_least_one() {
        let large = built_in("large").expect("large").scaled(0.001);
        assert_eq!((large.sessions, large.total), (1, 1));
        assert_eq!(large.payload, Payload::Generated(Length::Fixed(5_000_000)));
        let churn = built_in("churn").expect("churn").scaled(0.1);
        assert_eq!((churn.sessions, churn.total), (500, 500));
    }
}
