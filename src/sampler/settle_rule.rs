//! When a server has come to rest after a wave. A pure rule over moments, on whatever clock they carry.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SocketSample;
use crate::model::Sample;
use crate::proc::State;

/// What is asked of a server at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietRule {
    /// For how long figures must be still and CPU at its idle level.
    pub still: Duration,
    /// For how long, when connections are left that were not there before: what stays open that long
    /// is a leak to be measured, not a goodbye that is still under way.
    pub still_with_leftovers: Duration,
    /// At least so many readings must lie in that time.
    pub readings: usize,
    /// When waiting ends all the same.
    pub deadline: Duration,
}

impl Default for QuietRule {
    fn default() -> Self {
        Self {
            still: Duration::from_millis(400),
            still_with_leftovers: Duration::from_millis(1500),
            readings: 4,
            deadline: Duration::from_secs(10),
        }
    }
}

impl QuietRule {
    /// The same rule with a deadline that grows with the load of the machine: `runnable` processes
    /// want one of `cpus` processors, so everything takes that much longer.
    pub fn on_a_loaded_machine(self, runnable: f64, cpus: u32) -> Self {
        let factor = (runnable / f64::from(cpus.max(1))).clamp(1.0, 6.0);
        Self { deadline: self.deadline.mul_f64(factor), ..self }
    }

    /// The same rule where so many seconds are left: a server that never rests must not use them up with a few waits. On
    /// a loaded machine one wait takes a tenth of them at most, and the ordinary wait a quarter.
    pub fn where_time_is_short(self, left: f64) -> Self {
        let ordinary = Self::default().deadline.as_secs_f64().min(left / 4.0);
        let longest = Duration::from_secs_f64((left / 10.0).max(ordinary).max(0.0));
        Self { deadline: self.deadline.min(longest), ..self }
    }
}

/// The whole family at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Moment {
    /// Seconds on the run's clock.
    pub seconds: f64,
    /// CPU time used so far by all processes, seconds.
    pub cpu: f64,
    /// Anonymous memory of all, bytes.
    pub rss_anon: u64,
    /// Open descriptors of all.
    pub fds: u64,
    /// Threads of all.
    pub threads: u64,
    /// The processes.
    pub pids: Vec<i32>,
    /// Connections that the server's side still holds (every TCP socket but listeners).
    pub connections: u32,
    /// Connections that our side, the load, still holds open.
    pub ours: u32,
}

impl Moment {
    /// Sums up the newest readings of a family.
    pub fn of(samples: &[Sample], sockets: &[SocketSample], ours: u32) -> Self {
        let open = |s: &SocketSample| {
            s.states.iter().filter(|(state, _)| **state != State::Listen).map(|(_, n)| n).sum::<u32>()
        };
        Self {
            seconds: samples.iter().map(|s| s.seconds).fold(0.0, f64::max),
            cpu: samples.iter().map(|s| s.cpu).sum(),
            rss_anon: samples.iter().map(|s| s.rss_anon).sum(),
            fds: samples.iter().map(|s| u64::from(s.fds)).sum(),
            threads: samples.iter().map(|s| u64::from(s.threads)).sum(),
            pids: samples.iter().map(|s| s.pid).collect(),
            connections: sockets.iter().map(open).sum(),
            ours,
        }
    }

    fn still_like(&self, other: &Moment) -> bool {
        self.rss_anon == other.rss_anon
            && self.fds == other.fds
            && self.threads == other.threads
            && self.connections == other.connections
            && self.pids == other.pids
    }
}

/// What the server was like at rest before the wave.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Idle {
    /// Share of one processor that it used while it idled; for a server that polls this is not 0.
    pub cpu: f64,
    /// Connections that its side held (a database's, or those leaked by earlier waves).
    pub connections: u32,
}

impl Idle {
    /// The level of a stretch of moments in which nothing was asked of the server.
    pub fn of(moments: &[Moment]) -> Self {
        let (Some(first), Some(last)) = (moments.first(), moments.last()) else { return Self::default() };
        let span = last.seconds - first.seconds;
        let cpu = if span > 0.0 { (last.cpu - first.cpu).max(0.0) / span } else { 0.0 };
        Self { cpu, connections: last.connections }
    }
}

/// Why a server is not at rest yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unrest {
    /// Our side has connections open.
    OurConnections,
    /// It was not watched for long enough yet.
    TooEarly,
    /// Memory, descriptors, threads or connections still change.
    Figures,
    /// It uses more CPU than when it idled.
    Cpu,
    /// All is still, but connections are left over and it is given longer for them.
    Leftovers,
}

impl Unrest {
    /// What to say when the deadline passed.
    pub fn reason(self) -> &'static str {
        match self {
            Unrest::OurConnections => "connections of the load were still open",
            Unrest::TooEarly => "too few readings came in",
            Unrest::Figures => "memory, descriptors, threads or connections still changed",
            Unrest::Cpu => "it used more CPU than it did at idle before the load",
            Unrest::Leftovers => "connections were left over",
        }
    }
}

/// How the waiting stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rest {
    /// Not at rest yet.
    Waiting(Unrest),
    /// At rest, this many seconds after the wave.
    Quiet(f64),
    /// The deadline passed, for this reason.
    Deadline(f64, Unrest),
}

/// Waits for rest: feed it moments, ask it after each.
#[derive(Debug, Clone)]
pub struct Quiet {
    rule: QuietRule,
    idle: Idle,
    began: f64,
    moments: VecDeque<Moment>,
}

impl Quiet {
    /// Begins to wait at this second of the run's clock, when the wave has ended.
    pub fn new(rule: QuietRule, idle: Idle, began: f64) -> Self {
        Self { rule, idle, began, moments: VecDeque::new() }
    }

    /// Takes the next moment and says how it stands. A moment that was seen before changes nothing.
    pub fn push(&mut self, moment: Moment) -> Rest {
        let now = moment.seconds;
        if self.moments.back().is_none_or(|last| last.seconds < now) && now >= self.began {
            self.moments.push_back(moment);
            // One moment from before the longest stretch stays, so that the stretch is covered whole.
            let horizon = now - self.rule.still_with_leftovers.as_secs_f64();
            while self.moments.get(1).is_some_and(|second| second.seconds <= horizon) {
                self.moments.pop_front();
            }
        }
        let waited = (now - self.began).max(0.0);
        match self.unrest() {
            None => Rest::Quiet(waited),
            Some(why) if waited >= self.rule.deadline.as_secs_f64() => Rest::Deadline(waited, why),
            Some(why) => Rest::Waiting(why),
        }
    }

    fn unrest(&self) -> Option<Unrest> {
        let Some(last) = self.moments.back() else { return Some(Unrest::TooEarly) };
        if last.ours > 0 {
            return Some(Unrest::OurConnections);
        }
        if let Some(why) = self.unrest_over(self.rule.still) {
            return Some(why);
        }
        if last.connections > self.idle.connections && self.unrest_over(self.rule.still_with_leftovers).is_some() {
            return Some(Unrest::Leftovers);
        }
        None
    }

    /// Whether anything moved in the last `stretch`.
    fn unrest_over(&self, stretch: Duration) -> Option<Unrest> {
        let last = self.moments.back()?;
        let from = last.seconds - stretch.as_secs_f64();
        // The youngest moment that is at least `stretch` old begins the stretch.
        let Some(begin) = self.moments.iter().rposition(|m| m.seconds <= from + 1e-9) else {
            return Some(Unrest::TooEarly);
        };
        let window = self.moments.range(begin..);
        if window.len() < self.rule.readings {
            return Some(Unrest::TooEarly);
        }
        let first = &self.moments[begin];
        if self.moments.range(begin..).any(|m| m.ours > 0 || !m.still_like(last)) {
            return Some(Unrest::Figures);
        }
        // The kernel counts CPU in ticks of 10 ms, so one more tick than at idle says nothing.
        let span = last.seconds - first.seconds;
        let allowed = self.idle.cpu * 1.25 * span + 0.02 * span + 0.0101;
        (last.cpu - first.cpu > allowed).then_some(Unrest::Cpu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that is read each 50 ms; `at` says what it is like at a second.
    fn run(idle: Idle, at: impl Fn(f64) -> Moment) -> Rest {
        let mut quiet = Quiet::new(QuietRule::default(), idle, 0.0);
        for i in 0.. {
            let seconds = f64::from(i) * 0.05;
            match quiet.push(Moment { seconds, ..at(seconds) }) {
                Rest::Waiting(_) => {}
                end => return end,
            }
        }
        unreachable!()
    }

    fn still() -> Moment {
        Moment { rss_anon: 1 << 20, fds: 9, threads: 1, pids: vec![7], ..Moment::default() }
    }

    fn waited(rest: Rest) -> f64 {
        match rest {
            Rest::Quiet(seconds) => seconds,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_still_server_is_quiet_at_once() {
        assert!((waited(run(Idle::default(), |_| still())) - 0.4).abs() < 0.06);
    }

    #[test]
    fn waits_for_our_own_connections_and_for_the_servers() {
        let rest = run(Idle::default(), |t| Moment {
            ours: u32::from(t < 1.0),
            connections: if t < 2.0 { 5 } else { 0 },
            ..still()
        });
        assert!((waited(rest) - 2.4).abs() < 0.06, "{rest:?}");
    }

    #[test]
    fn leaked_connections_are_waited_for_longer_but_not_to_the_deadline() {
        let rest = run(Idle::default(), |_| Moment { connections: 17, ..still() });
        assert!((waited(rest) - 1.5).abs() < 0.06, "{rest:?}");
        // Those of the waves before are no news.
        let rest = run(Idle { cpu: 0.0, connections: 17 }, |_| Moment { connections: 17, ..still() });
        assert!(waited(rest) < 0.5);
    }

    #[test]
    fn memory_that_is_freed_late_is_waited_for() {
        let rest = run(Idle::default(), |t| Moment { rss_anon: if t < 3.0 { 9 << 20 } else { 1 << 20 }, ..still() });
        // It looks still before it falls, as anything would: that is what rests longer than timers are for.
        assert!(waited(rest) < 0.5);
        let rest = run(Idle::default(), |t| Moment {
            rss_anon: (20.0 - t.min(3.0)) as u64 * 4096 + (t.min(3.0) * 20.0) as u64,
            ..still()
        });
        assert!((waited(rest) - 3.4).abs() < 0.1, "{rest:?}");
    }

    #[test]
    fn cpu_must_come_back_to_the_idle_level_and_not_to_zero() {
        // Polls at 30%, and works at 80% for two seconds after the wave.
        let polling = |t: f64| Moment { cpu: 0.8 * t.min(2.0) + 0.3 * (t - 2.0).max(0.0), ..still() };
        let rest = run(Idle { cpu: 0.3, connections: 0 }, polling);
        assert!((2.0..2.6).contains(&waited(rest)), "{rest:?}");
        // The same server taken for one that idles at nothing never rests.
        assert!(matches!(run(Idle::default(), polling), Rest::Deadline(_, Unrest::Cpu)));
    }

    #[test]
    fn the_deadline_is_said_with_its_reason() {
        let rest = run(Idle::default(), |t| Moment { fds: (t * 20.0).round() as u64, ..still() });
        assert!(
            matches!(rest, Rest::Deadline(seconds, Unrest::Figures) if (10.0..10.1).contains(&seconds)),
            "{rest:?}"
        );
        let rule = QuietRule::default();
        assert_eq!(rule.on_a_loaded_machine(8.0, 2).deadline, rule.deadline * 4);
        assert_eq!(rule.on_a_loaded_machine(0.1, 2), rule);
        let loaded = rule.on_a_loaded_machine(8.0, 2);
        let seconds = |rule: QuietRule, left: f64| rule.where_time_is_short(left).deadline.as_secs_f64();
        assert_eq!([900.0, 200.0, 60.0, 20.0, -1.0].map(|left| seconds(loaded, left)), [40.0, 20.0, 10.0, 5.0, 0.0]);
        assert_eq!([900.0, 60.0, 20.0].map(|left| seconds(rule, left)), [10.0, 10.0, 5.0]);
    }

    #[test]
    fn a_worker_that_is_born_or_dies_is_unrest() {
        let rest = run(Idle::default(), |t| Moment { pids: if t < 1.0 { vec![7, 8] } else { vec![7] }, ..still() });
        // The pair was still before: quiet already then. After a change the stretch begins anew.
        assert!(waited(rest) < 0.5);
        let mut quiet = Quiet::new(QuietRule::default(), Idle::default(), 0.0);
        for i in 0..8 {
            quiet.push(Moment { seconds: f64::from(i) * 0.05, pids: vec![7, 8], ..still() });
        }
        for i in 8..16 {
            let rest = quiet.push(Moment { seconds: f64::from(i) * 0.05, ..still() });
            assert!(matches!(rest, Rest::Waiting(_)), "{rest:?}");
        }
    }

    #[test]
    fn moments_are_sums() {
        let sample =
            |pid, fds| Sample { seconds: 1.0, pid, fds, rss_anon: 10, cpu: 0.75, threads: 2, ..Sample::default() };
        let sockets = SocketSample { seconds: 1.0, pid: 1, states: [(State::Listen, 2), (State::CloseWait, 3)].into() };
        let moment = Moment::of(&[sample(1, 5), sample(2, 6)], &[sockets], 4);
        let expected = Moment {
            seconds: 1.0,
            cpu: 1.5,
            rss_anon: 20,
            fds: 11,
            threads: 4,
            pids: vec![1, 2],
            connections: 3,
            ours: 4,
        };
        assert_eq!(moment, expected);
    }

    #[test]
    fn the_idle_level() {
        let at = |seconds, cpu| Moment { seconds, cpu, connections: 2, ..still() };
        assert_eq!(Idle::of(&[at(1.0, 5.0), at(2.0, 5.1), at(3.0, 5.5)]), Idle { cpu: 0.25, connections: 2 });
        assert_eq!(Idle::of(&[]), Idle::default());
    }
}
