//! The `profile` object of `analyze --format json`: what the files hold, in their units, and what follows from it.

use serde::Serialize;

use super::drift::DriftRow;
use super::slices::{self, PartRow};
use super::waiting::Waiting;
use crate::profile::Profile;
use crate::profile::export::json::ProfileJson;

/// A profile as JSON. Times in the file's unit.
#[derive(Debug, Clone, Serialize)]
pub struct Analyzed {
    #[serde(flatten)]
    profile: ProfileJson,
    /// Messages served meanwhile; 0 where that is not known.
    messages: u64,
    /// Self time of the functions that wait: `total` without it is busy time.
    waiting: i64,
    /// The recording in tenths of equally many records; empty where it is too short.
    tenths: Vec<PartRow>,
    /// Functions whose cost grows from tenth to tenth, the dearest first.
    drift: Vec<DriftRow>,
    /// The recording was long enough for drift to be looked for.
    drift_looked_for: bool,
}

impl Analyzed {
    /// What follows from a profile; `messages` were served meanwhile, 0 where that is not known.
    pub fn of(profile: &Profile, messages: u64, waiting: &Waiting) -> Self {
        let waits = waiting.of(profile);
        let drift = slices::drift(profile, &waits, &[], messages, 1);
        let mut object = ProfileJson::from(profile);
        let top = object.top.len();
        for (json, function) in object.functions.iter_mut().zip(&profile.functions) {
            json.waiting = waits[function.id as usize];
            json.calls_per_message = (messages > 0).then(|| function.calls as f64 / messages as f64);
        }
        object.top = object.functions.iter().take(top).cloned().collect();
        let waited = object.functions.iter().filter(|function| function.waiting).map(|function| function.own).sum();
        Self {
            profile: object,
            messages,
            waiting: waited,
            tenths: slices::tenths(profile, &waits, 1),
            drift: drift.rows,
            drift_looked_for: drift.looked,
        }
    }
}
