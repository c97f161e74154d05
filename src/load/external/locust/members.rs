//! Who is in the fleet, and how far each of them is: what the master told, kept for whoever asks.

use std::collections::BTreeMap;
use std::time::Instant;

use super::message::{Report, Told};
use crate::model::WarningKind;

/// Seconds by which a worker's clock may differ, on its way here included.
const CLOCK: f64 = 2.0;

/// A worker that is there, or was.
#[derive(Debug)]
pub struct Member {
    /// Its machine's name.
    pub host: String,
    /// Its process there.
    pub pid: i32,
    /// Its Locust's version.
    pub version: String,
    /// Why it is not there any more.
    pub(super) lost: Option<String>,
    /// Its last report, and when that came.
    pub(super) report: Option<(Report, Instant)>,
}

impl Member {
    fn name(&self) -> String {
        format!("{}, pid {}", self.host, self.pid)
    }
}

/// Something that the user should know of the workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What it is about.
    pub kind: WarningKind,
    /// What was seen.
    pub text: String,
    /// What to do.
    pub advice: &'static str,
}

/// The fleet as it was last heard of.
#[derive(Debug, Default)]
pub struct Members {
    /// Where the master listens.
    pub port: Option<u16>,
    /// The master's version.
    pub version: String,
    /// By the master's names for them.
    pub all: BTreeMap<String, Member>,
    /// What is to be said, not said yet.
    pub notes: Vec<Note>,
    /// Why nothing more can be loaded.
    pub broken: Option<String>,
}

impl Members {
    /// Takes what the master told. `now` are seconds since 1970.
    pub fn take(&mut self, told: Told, now: f64) {
        match told {
            Told::Ready { port, version } => (self.port, self.version) = (Some(port), version),
            Told::Hello { worker, host, pid, version, clock } => {
                let member = Member { host, pid, version, lost: None, report: None };
                self.compare(&member, now - clock);
                self.all.insert(worker, member);
            }
            Told::Report(report) => {
                if let Some(member) = self.all.get_mut(&report.worker) {
                    member.report = Some((*report, Instant::now()));
                }
            }
            Told::Lost { worker, why } => self.lose(|name, _| name == worker, &why),
        }
    }

    /// Those that are there.
    pub fn present(&self) -> impl Iterator<Item = &String> {
        self.all.iter().filter(|(_, member)| member.lost.is_none()).map(|(name, _)| name)
    }

    /// Strikes off whom `is_it` means.
    pub fn lose(&mut self, is_it: impl Fn(&str, &Member) -> bool, why: &str) {
        let gone = self.all.iter_mut().filter(|(name, member)| member.lost.is_none() && is_it(name, member));
        for (_, member) in gone {
            member.lost = Some(why.to_owned());
            self.notes.push(Note {
                kind: WarningKind::LostWorker,
                text: format!("A worker of Locust's was lost ({}): {why}.", member.name()),
                advice: "What it had under way is counted as interrupted_worker; the others go on without it.",
            });
        }
    }

    /// Says where a worker differs from us.
    fn compare(&mut self, member: &Member, late: f64) {
        let minor = |version: &str| version.split('.').take(2).collect::<Vec<_>>().join(".");
        if minor(&member.version) != minor(&self.version) {
            let text = format!(
                "A worker ({}) has Locust {}, and this machine {}.",
                member.name(),
                member.version,
                self.version
            );
            let advice = "Install the same version on both: pip install locust==VERSION.";
            self.notes.push(Note { kind: WarningKind::WorkerVersion, text, advice });
        }
        if late.abs() > CLOCK {
            let (by, how) = (late.abs(), if late > 0.0 { "behind" } else { "ahead of" });
            let text = format!("The clock of a worker ({}) is {by:.0} s {how} this machine's.", member.name());
            let advice =
                "No figure depends on it, as each worker measures times by itself; its messages bear other dates.";
            self.notes.push(Note { kind: WarningKind::WorkerClock, text, advice });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(worker: &str, version: &str, clock: f64) -> Told {
        Told::Hello { worker: worker.into(), host: "b".into(), pid: 7, version: version.into(), clock }
    }

    #[test]
    fn who_differs_and_who_is_lost_is_said_once() {
        let mut members = Members::default();
        members.take(Told::Ready { port: 1, version: "2.47.0".into() }, 0.0);
        members.take(hello("same", "2.47.3", 100.0), 100.2);
        assert!(members.notes.is_empty(), "{:?}", members.notes);
        members.take(hello("other", "2.31.1", 40.0), 100.2);
        let kinds = |notes: &[Note]| notes.iter().map(|note| note.kind).collect::<Vec<_>>();
        assert_eq!(kinds(&members.notes), [WarningKind::WorkerVersion, WarningKind::WorkerClock]);
        assert!(members.notes[1].text.contains("60 s behind"), "{}", members.notes[1].text);
        members.notes.clear();
        for _ in 0..2 {
            members.take(Told::Lost { worker: "other".into(), why: "it quit".into() }, 0.0);
        }
        assert_eq!(kinds(&members.notes), [WarningKind::LostWorker]);
        assert_eq!(members.present().collect::<Vec<_>>(), ["same"]);
    }
}
