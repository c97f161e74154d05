//! What other programs use of the machine, looked at while the server is at rest: then nearly all that is used is theirs.

use super::session::Session;
use crate::journal::Warning;
use crate::model::WarningKind;
use crate::proc::{CpuTime, Process, clock_ticks};

/// From this part of all processors on, latency and throughput are other programs' too.
const NOISY: f64 = 0.25;

/// Seconds of processors, summed over the looks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Others {
    used: f64,
    all: f64,
}

/// The beginning of a look.
pub struct Look {
    machine: CpuTime,
    own: f64,
}

impl Look {
    /// Begins one; none where the kernel does not tell.
    pub fn begin(session: &Session) -> Option<Self> {
        Some(Self { machine: CpuTime::read().ok()?, own: own(session) })
    }
}

impl Others {
    /// Takes what was used since the look began.
    pub fn take(&mut self, look: Option<Look>, session: &Session) {
        let Some((look, now)) = look.and_then(|look| Some((look, CpuTime::read().ok()?))) else { return };
        let seconds = |ticks: u64| ticks as f64 / clock_ticks() as f64;
        let busy = seconds(now.busy.saturating_sub(look.machine.busy));
        self.used += (busy - (own(session) - look.own).max(0.0)).max(0.0);
        self.all += seconds(now.all.saturating_sub(look.machine.all));
    }

    /// What is said where it was much.
    pub fn warning(&self) -> Option<Warning> {
        let share = self.used / self.all;
        (share >= NOISY).then(|| Warning {
            kind: WarningKind::BusyMachine,
            text: format!(
                "Other programs used {:.0}% of this machine's processors while the server was at rest.",
                share * 100.0
            ),
            advice: "Latency and throughput are theirs too, and leak verdicts take longer; run on a calmer machine."
                .to_owned(),
        })
    }
}

/// CPU seconds of this program and of the server's processes.
fn own(session: &Session) -> f64 {
    let me = Process::open(std::process::id() as i32).and_then(|me| me.stat());
    session.cpu() + me.map_or(0.0, |stat| (stat.utime + stat.stime) as f64 / clock_ticks() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn said_from_a_quarter_on() {
        let warned = |used, all| Others { used, all }.warning().map(|warning| warning.text);
        assert_eq!(warned(0.0, 0.0), None, "never looked");
        assert_eq!(warned(2.4, 10.0), None);
        assert!(warned(8.0, 10.0).is_some_and(|text| text.contains("80%")));
    }
}
