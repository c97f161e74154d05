//! Counting while a load runs: cheap keys now, names at the end.

use std::collections::BTreeMap;

use crate::model::plan::scenario::Unit;

use super::super::job::Live;
use crate::model::load_stats::Latency;
use crate::model::load_stats::LoadStats;
use crate::model::load_stats::Step;

/// Why a session was refused or broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A reply of 4xx or 5xx.
    Code(u16),
    /// Nobody listens, or its queue turns us away.
    ConnectRefused,
    /// Any other failed connect.
    ConnectFailed,
    /// RST.
    Reset,
    /// The server's end where a reply was due.
    Closed,
    /// No reply in time.
    Timeout,
    /// No SMTP reply, or one that fits no rule.
    Protocol,
    /// A reply that nothing asked for.
    EarlyReply,
    /// A reply beyond all limits.
    OverlongReply,
    /// Bytes after the reply to QUIT.
    AfterClose,
    /// The TLS handshake or a record of it.
    Tls,
    /// The server does not offer it.
    NotOffered(&'static str),
    /// Any other error of the socket.
    Io,
    /// It had not its turn yet when the load ended.
    Unfinished,
    /// The load was told to stop.
    Interrupted,
}

impl Cause {
    /// The name in counts and in JSON.
    pub fn name(self, step: Step) -> String {
        let step = step.name();
        match self {
            Cause::Code(code) => format!("{step}_{code}"),
            Cause::ConnectRefused => "connect_refused".into(),
            Cause::ConnectFailed => "connect_failed".into(),
            Cause::Reset => format!("reset_{step}"),
            Cause::Closed => format!("closed_{step}"),
            Cause::Timeout => format!("timeout_{step}"),
            Cause::Protocol => format!("protocol_{step}"),
            Cause::EarlyReply => format!("early_reply_{step}"),
            Cause::OverlongReply => format!("overlong_reply_{step}"),
            Cause::AfterClose => "bytes_after_close".into(),
            Cause::Tls => format!("tls_failed_{step}"),
            Cause::NotOffered(what) => format!("{what}_not_offered"),
            Cause::Io => format!("io_{step}"),
            Cause::Unfinished => format!("unfinished_{step}"),
            Cause::Interrupted => format!("interrupted_{step}"),
        }
    }
}

/// All counts of a load that runs.
#[derive(Debug)]
pub struct Counters {
    pub stats: LoadStats,
    errors: BTreeMap<(Cause, Step), u64>,
    error_count: u64,
    steps: [Latency; Step::ALL.len()],
}

impl Counters {
    pub fn new(unit: Unit, asked: u64) -> Self {
        Self {
            stats: LoadStats::new(unit, asked),
            errors: BTreeMap::new(),
            error_count: 0,
            steps: std::array::from_fn(|_| Latency::default()),
        }
    }

    pub fn error(&mut self, cause: Cause, step: Step) {
        self.error_count += 1;
        *self.errors.entry((cause, step)).or_default() += 1;
    }

    pub fn step(&mut self, step: Step, nanos: u64) {
        self.steps[step as usize].record(nanos);
    }

    pub fn client_limit(&mut self, name: &str) {
        *self.stats.client_limits.entry(name.to_owned()).or_default() += 1;
    }

    pub fn live(&self, open: u64) -> Live {
        let sessions = &self.stats.sessions;
        Live {
            sessions: sessions.finished + sessions.refused + sessions.failed,
            open,
            sent: self.stats.messages_sent,
            accepted: self.stats.messages_accepted,
            errors: self.error_count,
            bytes: self.stats.bytes,
        }
    }

    /// The stats, with names for all that was counted.
    pub fn finish(&mut self) -> LoadStats {
        let mut stats = self.stats.clone();
        for ((cause, step), count) in &self.errors {
            *stats.errors.entry(cause.name(*step)).or_default() += count;
        }
        for step in Step::ALL {
            let latency = &self.steps[step as usize];
            if !latency.is_empty() {
                stats.steps.insert(step, latency.clone());
            }
        }
        stats
    }
}
