//! What `load` shows: a line while it runs, a table at the end, JSON lines for programs.

use std::io::IsTerminal;

use serde_json::json;

use super::super::stdout::{err, errln, out, outln};
use super::args::Args;
use crate::load::{Job, Live, Resolved};
use crate::model::load_stats::{LoadRow, LoadStats};
use crate::phrase::{bytes, grouped, lost_connections, millis, plural, rate, significant};

/// Where it goes.
pub struct Show {
    json: bool,
    quiet: bool,
    live: bool,
}

impl Show {
    /// As the arguments say.
    pub fn new(args: &Args) -> Self {
        Self { json: args.json, quiet: args.quiet, live: !args.quiet && std::io::stderr().is_terminal() }
    }

    /// Before a job.
    pub fn begin(&self, job: &Job, resolved: &Resolved) {
        if let Some(note) = &resolved.note {
            errln!("profile-run: {note}");
        }
        let scenario = &job.scenario;
        self.event(json!({"event": "begin", "scenario": scenario.name, "target": job.target.to_string(),
            "address": resolved.endpoint.to_string(), "count": (job.count < u64::MAX).then_some(job.count), "unit": scenario.unit(),
            "sessions": scenario.sessions}));
    }

    /// While it runs.
    pub fn progress(&self, job: &Job, live: Live) {
        self.event(json!({"event": "progress", "scenario": job.scenario.name, "sessions": live.sessions,
            "open": live.open, "messages_sent": live.sent, "messages_accepted": live.accepted,
            "errors": live.errors}));
        if self.live {
            let errors = if live.errors > 0 { format!(", {}", plural(live.errors, "error")) } else { String::new() };
            err(format_args!(
                "\r\x1b[K{}: {}, {} accepted, {} open{errors}",
                job.scenario.name,
                plural(live.sessions, "session"),
                plural(live.accepted, "message"),
                grouped(live.open)
            ));
        }
    }

    /// Takes the line of progress away.
    pub fn clear(&self) {
        if self.live {
            err(format_args!("\r\x1b[K"));
        }
    }

    /// After a job.
    pub fn end(&self, job: &Job, stats: &LoadStats, row: &LoadRow) {
        for line in &stats.transcript {
            errln!("{line}");
        }
        if self.quiet {
            return;
        }
        let text = table(job, stats, row);
        if self.json { err(format_args!("{text}")) } else { out(format_args!("{text}")) }
    }

    /// The last line.
    pub fn result(&self, rows: &[LoadRow]) {
        self.event(json!({"event": "result", "result": {"load": rows}}));
    }

    fn event(&self, event: serde_json::Value) {
        if self.json {
            outln!("{event}");
        }
    }
}

fn table(job: &Job, stats: &LoadStats, row: &LoadRow) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| text.push_str(&format!("{name:<12}{value}\n"));
    let asked = &stats.asked;
    let noun = stats.unit.noun();
    let rest = [("refused", asked.refused), ("failed", asked.failed), ("not started", asked.not_started)];
    let rest: String =
        rest.iter().filter(|(_, n)| *n > 0).map(|(what, n)| format!(", {} {what}", grouped(*n))).collect();
    line("scenario", format!("{} to {}", job.scenario.name, job.target));
    line("done", format!("{} of {}{rest}", grouped(asked.finished), plural(asked.asked, noun)));
    if stats.messages_sent > 0 {
        line(
            "messages",
            format!(
                "{} sent, {} accepted, {}",
                grouped(stats.messages_sent),
                grouped(stats.messages_accepted),
                bytes(stats.bytes as f64)
            ),
        );
    }
    line(
        "sessions",
        format!(
            "{} opened, {} ended in order, {} as meant, {} at once at most",
            grouped(stats.sessions.asked - stats.sessions.not_started),
            grouped(stats.sessions.finished),
            grouped(stats.as_meant),
            grouped(stats.peak_open)
        ),
    );
    line("time", format!("{} s, {}", significant(stats.seconds), rate(stats.rate(), noun)));
    let latency = row.latency_ms;
    if latency.count > 0 {
        let kind = if stats.open_loop { "open loop, from when it was due" } else { "closed loop" };
        line(
            "latency",
            format!(
                "p50 {}, p90 {}, p99 {}, max {} ({kind})",
                millis(latency.p50),
                millis(latency.p90),
                millis(latency.p99),
                millis(latency.max)
            ),
        );
    }
    if let Some(late) = row.lateness_ms.filter(|late| late.count > 0) {
        line(
            "lateness",
            format!(
                "p50 {}, p99 {}, max {} (of the client itself)",
                millis(late.p50),
                millis(late.p99),
                millis(late.max)
            ),
        );
    }
    let each = |seconds: f64| format!("{} µs per {noun}", significant(seconds * 1e6 / asked.finished.max(1) as f64));
    line("client CPU", each(row.client_cpu_seconds));
    if let Some(seconds) = row.server_cpu_seconds {
        line("server CPU", each(seconds));
    }
    if stats.gather_micros > 0 {
        line("gathering", format!("{} µs before each look for replies", stats.gather_micros));
    }
    if let Some(text) = lost_connections(stats.lost, stats.backlog) {
        line("lost", text);
    }
    if stats.syn_retransmits > 0 {
        line(
            "SYN",
            format!("{} sent again: the accept queue was full, not the server slow", grouped(stats.syn_retransmits)),
        );
    }
    if stats.left_open > 0 {
        line(
            "left open",
            format!("{} that the server did not close after QUIT", plural(stats.left_open, "connection")),
        );
    }
    for (what, count) in &stats.client_limits {
        line("client", format!("{what}: {} times at a limit of this machine, not the server's", grouped(*count)));
    }
    for (kind, count) in &stats.errors {
        line("error", format!("{kind} {}", grouped(*count)));
    }
    if let Some(stall) = &stats.stalled {
        line(
            "stalled",
            format!(
                "no reply for {} s: {} open, most of them waiting for {}",
                significant(stall.last_reply_seconds_ago),
                plural(stall.open_sessions, "session"),
                stall.stage.name()
            ),
        );
    }
    if stats.interrupted {
        line("interrupted", "told to stop before its end".into());
    }
    text
}
