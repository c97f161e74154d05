//! Lines of JSON between this program and Locust's master.

use serde::{Deserialize, Serialize};

use super::order::Order;
use crate::model::load_stats::{LoadStats, Step};

/// What is said to the master; all but the end is handed on to a worker.
#[derive(Debug, Serialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Say<'a> {
    /// A part of a wave.
    Order {
        /// Whose.
        worker: &'a str,
        /// Which.
        order: &'a Order,
    },
    /// The wave ends now.
    Stop {
        /// Whose.
        worker: &'a str,
        /// Why.
        why: Why,
    },
    /// The end of the run.
    Quit,
}

/// Why a wave ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The server answered nobody.
    Stalled,
    /// Somebody asked for it.
    Interrupted,
}

/// What the master tells.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Told {
    /// It listens.
    Ready {
        /// Where.
        port: u16,
        /// Locust's version.
        version: String,
    },
    /// A worker is there.
    Hello {
        /// Its name with the master.
        worker: String,
        /// Its machine's name.
        host: String,
        /// Its process there.
        pid: i32,
        /// Its Locust's version.
        version: String,
        /// Its clock: seconds since 1970.
        clock: f64,
    },
    /// How far a worker's part of a wave is, or why it is not begun.
    Report(Box<Report>),
    /// A worker is gone.
    Lost {
        /// Which.
        worker: String,
        /// How that is known.
        why: String,
    },
}

/// A worker's report: everything since the wave began.
#[derive(Debug, Deserialize)]
pub struct Report {
    /// Whose.
    pub worker: String,
    /// Of which wave.
    pub wave: u64,
    /// Why it cannot be done.
    #[serde(default)]
    pub refused: Option<String>,
    /// The last one.
    #[serde(default)]
    pub done: bool,
    /// Sessions in flight.
    #[serde(default)]
    pub open: u64,
    /// Seconds since the server's last sign of life.
    #[serde(default)]
    pub silent: f64,
    /// Seconds that the most patient session has waited for its step.
    #[serde(default)]
    pub waited: f64,
    /// What most of the open sessions wait for.
    #[serde(default)]
    pub stage: Option<Step>,
    /// Counts.
    #[serde(default)]
    pub stats: Option<LoadStats>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_master() {
        let told: Told = serde_json::from_str(r#"{"event": "ready", "port": 5557, "version": "2.47.0"}"#).unwrap();
        assert!(matches!(told, Told::Ready { port: 5557, .. }));
        let line = r#"{"event": "report", "worker": "a_1", "wave": 3, "refused": "no"}"#;
        let Told::Report(report) = serde_json::from_str(line).unwrap() else { panic!("a report") };
        assert_eq!((report.wave, report.refused.as_deref(), report.done), (3, Some("no"), false));
        let stop = serde_json::to_value(Say::Stop { worker: "a_1", why: Why::Stalled }).unwrap();
        assert_eq!(stop, serde_json::json!({"do": "stop", "worker": "a_1", "why": "stalled"}));
    }
}
