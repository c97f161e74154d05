//! Lines of schema 1 in the shapes of today. Schema 1 wrote some values as sentences; this file alone knows them.

use serde_json::{Map, Value, json};

use crate::model::plan::scenario::Scenario;

/// Turns the lines of one journal of schema 1, in order, into lines of today.
#[derive(Debug, Default)]
pub(super) struct Upgrade {
    /// Scenarios of the plan.
    scenarios: Vec<Scenario>,
}

impl Upgrade {
    /// One line; what is not known is left as it is.
    pub fn line(&mut self, mut line: Value) -> Value {
        let Some(object) = line.as_object_mut() else { return line };
        match object.get("event").and_then(Value::as_str).unwrap_or_default() {
            "plan" => {
                let scenarios = object.get("plan").and_then(|plan| plan.get("scenarios")).cloned().unwrap_or_default();
                self.scenarios = serde_json::from_value(scenarios).unwrap_or_default();
            }
            "scenario" => self.scenario(object),
            "scenario_end" => {
                let why = object.get("why").and_then(Value::as_str).unwrap_or_default();
                let why = stop(why);
                object.insert("why".to_owned(), why);
            }
            "look" => look(object),
            _ => {}
        }
        line
    }

    /// What it asks for stood in words; the plan has it as figures.
    fn scenario(&self, object: &mut Map<String, Value>) {
        let name = object.get("scenario").and_then(Value::as_str);
        let known = self.scenarios.iter().find(|scenario| Some(scenario.name.as_str()) == name);
        let asked = match known {
            Some(scenario) => serde_json::to_value(super::Asked::from(scenario)).unwrap_or_default(),
            None => json!({ "total": 0, "parallel": 1, "unit": "messages" }),
        };
        object.insert("asked".to_owned(), asked);
    }
}

/// Why a scenario got no further wave, as schema 1 said it.
fn stop(why: &str) -> Value {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let rest = || {
        let seconds = number(why.strip_prefix("a rest of ")?.strip_suffix(" s had no room in the budget")?)?;
        Some(json!({ "no_room_for_rest": { "seconds": seconds as f64 } }))
    };
    let again = || {
        let (parallel, fewer) = why.strip_prefix("it did not hold ")?.split_once(" at once; run again at ")?;
        Some(json!({ "run_again": { "parallel": number(parallel)?, "fewer": number(fewer)? } }))
    };
    match why {
        "decided" => json!("decided"),
        "all that was asked was run" => json!("all_run"),
        "its part of the budget was used" => json!("budget_used"),
        "as much as its time allowed" => json!("time_used"),
        "the budget was used before it began" => json!("never_began"),
        "the server had fallen under the profiler" => json!("already_gone"),
        "the server did not go on" => json!("fell"),
        _ => rest().or_else(again).unwrap_or_else(|| json!("budget_used")),
    }
}

/// A look's state stood in words, and so did its growth, which nothing reads back.
fn look(object: &mut Map<String, Value>) {
    let (state, reason) = match object.get("state").and_then(Value::as_str).unwrap_or_default() {
        "too short" => ("not_judged", Some("too_short")),
        "refused" => ("not_judged", Some("refused")),
        "not readable" => ("not_judged", Some("not_readable")),
        "not running" => ("not_judged", Some("not_running")),
        "not judged" => ("not_judged", None),
        word @ ("leak" | "clean" | "plateau") => (word, None),
        _ => ("inconclusive", None),
    };
    object.insert("state".to_owned(), json!(state));
    object.insert("reason".to_owned(), json!(reason));
    object.insert("growth".to_owned(), Value::Null);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Event, Line};
    use crate::model::{Pass, ScenarioStop};

    fn read(line: Value) -> Event {
        serde_json::from_value::<Line>(Upgrade::default().line(line)).expect("a line of today").event
    }

    #[test]
    fn every_reason_of_schema_1_has_its_value() {
        for (why, value) in [
            ("decided", ScenarioStop::Decided),
            ("all that was asked was run", ScenarioStop::AllRun),
            ("its part of the budget was used", ScenarioStop::BudgetUsed),
            ("a rest of 15 s had no room in the budget", ScenarioStop::NoRoomForRest { seconds: 15.0 }),
            ("it did not hold 400 at once; run again at 150", ScenarioStop::RunAgain { parallel: 400, fewer: 150 }),
            ("the server did not go on", ScenarioStop::Fell),
        ] {
            let event = read(json!({
                "event": "scenario_end", "pass": "clean", "scenario": "churn", "why": why, "t": 3.5
            }));
            let Event::ScenarioEnd(end) = event else { panic!("{event:?}") };
            assert_eq!((end.pass, end.why), (Pass::Measure, value), "{why}");
        }
    }

    #[test]
    fn looks_and_rests_are_values() {
        let event = read(json!({
            "event": "look", "pass": "clean", "scenario": "churn", "wave": 3, "metric": "fd", "state": "too short",
            "growth": null, "t": 1.0
        }));
        assert!(matches!(event, Event::Look(look) if look.reason == Some(crate::model::Reason::TooShort)));
        let event = read(json!({
            "event": "rest", "pass": "clean", "scenario": "churn", "wave": 3, "seconds": 15.0, "why": "growth was seen",
            "before": [], "t": 1.0
        }));
        assert!(matches!(event, Event::Rest(rest) if rest.seconds == 15.0));
    }
}
