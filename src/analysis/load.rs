//! The load in rows: by wave, by scenario, asked and run side by side.

use std::collections::BTreeMap;

use super::history::{RunHistory, Wave};
use super::result::{LEDGER, PREFLIGHT, WaveRow};
use super::view::Asked;
use crate::model::load_stats::{LoadRow, LoadStats};
use crate::model::plan::Pass;
use crate::model::plan::scenario::{Depth, Ending, Scenario, Unit};
use crate::phrase::{self, grouped, lost_connections};

/// One row of load.
pub fn row(pass: Pass, scenario: &str, wave: Option<u32>, tally: &LoadStats, server_cpu: f64) -> LoadRow {
    LoadRow::new(scenario, wave, pass, tally, Some(server_cpu))
}

/// The load of each scenario as a whole, the preflight and the ledger first, then that of each wave.
pub fn rows(history: &RunHistory) -> Vec<LoadRow> {
    let mut rows = Vec::new();
    for preflight in &history.preflights {
        let mut tally = LoadStats::new(Unit::Messages, preflight.messages.max(1));
        tally.as_meant = preflight.sessions;
        (tally.messages_sent, tally.messages_accepted) = (preflight.messages, preflight.messages);
        tally.asked.not_started = 0;
        if preflight.refused.is_none() {
            tally.asked.finished = tally.asked.asked;
        } else {
            tally.asked.refused = 1;
            tally.errors.insert("refused".to_owned(), 1);
        }
        rows.push(row(preflight.pass, PREFLIGHT, None, &tally, 0.0));
    }
    if let Some(taken) = history.ledger.as_ref().filter(|taken| taken.tally.sessions.asked > 0) {
        rows.push(row(taken.pass, LEDGER, None, &taken.tally, 0.0));
    }
    let mut waves = Vec::new();
    for pass in Pass::ALL {
        for (name, tally, cpu) in totals(history, pass) {
            rows.push(row(pass, &name, None, &tally, cpu));
        }
        let each = history.done(pass);
        waves.extend(
            each.map(|(wave, tally)| {
                row(pass, &wave.scene().scenario, Some(wave.scene().wave), tally, wave.server_cpu())
            }),
        );
    }
    rows.extend(waves);
    rows
}

/// Every scenario of a pass, its waves merged, in the order in which they ran.
pub fn totals(history: &RunHistory, pass: Pass) -> Vec<(String, LoadStats, f64)> {
    let mut all: Vec<(String, LoadStats, f64)> = Vec::new();
    for (wave, tally) in history.done(pass) {
        match all.iter_mut().find(|(name, ..)| *name == wave.scene().scenario) {
            Some((_, sum, cpu)) => {
                sum.merge(tally);
                *cpu += wave.server_cpu();
            }
            None => all.push((wave.scene().scenario.clone(), tally.clone(), wave.server_cpu())),
        }
    }
    all
}

/// The waves that came to an end.
pub fn waves(history: &RunHistory) -> Vec<WaveRow> {
    let row = |wave: &Wave| {
        let (end, ended) = wave.end.as_ref()?;
        let (settle, settle_deadline) = wave.settle.unwrap_or((0.0, false));
        Some(WaveRow {
            pass: wave.scene().pass,
            scenario: wave.scene().scenario.clone(),
            wave: wave.scene().wave,
            begin: wave.begin,
            end: *end,
            settle,
            settle_deadline,
            messages: ended.tally.messages_accepted,
            sessions: ended.tally.as_meant,
            parallel: wave.asked.parallel,
        })
    };
    history.waves.iter().filter_map(row).collect()
}

/// Asked and run, scenario by scenario, of the measure pass, or of the profile pass where it was the only one.
pub fn asked(history: &RunHistory) -> Vec<Asked> {
    let clean = history.scenarios.iter().any(|scenario| scenario.begin.pass == Pass::Measure);
    let pass = if clean { Pass::Measure } else { Pass::Profile };
    let of_pass = history.scenarios.iter().filter(|scenario| scenario.begin.pass == pass);
    of_pass
        .map(|scenario| {
            let waves: Vec<(&Wave, &LoadStats)> =
                history.done(pass).filter(|(w, _)| w.scene().scenario == scenario.begin.scenario).collect();
            let asked = scenario.begin.asked;
            Asked {
                scenario: scenario.begin.scenario.clone(),
                asked: phrase::asked(asked.total, asked.parallel, asked.unit),
                run: run(&waves),
            }
        })
        .collect()
}

/// `12,000 in 12 waves of 480 to 1,310, 480 at once`, the warm-up counted in. How many were open at once is what was
/// measured, not what was allowed.
fn run(waves: &[(&Wave, &LoadStats)]) -> String {
    let total: u64 = waves.iter().map(|(wave, _)| wave.asked.count).sum();
    let numbered = || waves.iter().map(|(wave, _)| wave).filter(|wave| wave.scene().wave > 0);
    let open = waves.iter().map(|(_, stats)| stats.peak_open).max().unwrap_or(0);
    let counts = || numbered().map(|wave| wave.asked.count);
    let mut text = match (numbered().count(), counts().min(), counts().max()) {
        _ if waves.is_empty() => return "nothing".to_owned(),
        (0 | 1, ..) | (_, None, _) | (_, _, None) => grouped(total),
        (n, Some(least), Some(most)) if least == most => {
            format!("{} in {n} waves of {}", grouped(total), grouped(least))
        }
        (n, Some(least), Some(most)) => {
            format!("{} in {n} waves of {} to {}", grouped(total), grouped(least), grouped(most))
        }
    };
    if open > 1 {
        text.push_str(&format!(", {} open at once", grouped(open)));
    }
    text
}

/// What went otherwise than asked.
pub fn notes(history: &RunHistory) -> Vec<String> {
    let mut notes = Vec::new();
    // Each reason once, with the scenarios that it ended.
    let mut ended: Vec<(String, Pass, Vec<&str>)> = Vec::new();
    for scenario in &history.scenarios {
        let Some(why) = scenario.why.filter(|why| !why.is_as_planned()) else { continue };
        let (why, pass) = (phrase::scenario_stop(why), scenario.begin.pass);
        match ended.iter_mut().find(|(known, of, _)| *known == why && *of == pass) {
            Some((.., names)) => names.push(&scenario.begin.scenario),
            None => ended.push((why, pass, vec![&scenario.begin.scenario])),
        }
    }
    for (why, pass, names) in ended {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        notes.push(format!("{}, {} pass: {why}.", names.join(", "), pass.name()));
    }
    for (name, tally, _) in totals(history, Pass::Measure) {
        if let Some(wave) = history
            .done(Pass::Measure)
            .map(|(wave, _)| wave)
            .filter(|wave| wave.scene().scenario == name)
            .max_by_key(|wave| wave.asked.parallel)
            && let Some(asked) = sessions_asked(history, &name)
            && u64::from(wave.asked.parallel) < asked.min(wave.asked.count)
        {
            notes.push(format!(
                "`{name}` ran with at most {} sessions at once instead of {}: the server must stay below its limit of descriptors.",
                grouped(u64::from(wave.asked.parallel)),
                grouped(asked)
            ));
        }
        if !tally.client_limits.is_empty() {
            let limits: Vec<String> =
                tally.client_limits.iter().map(|(kind, n)| format!("{} {kind}", grouped(*n))).collect();
            notes.push(format!("`{name}`: limits of the load itself, not of the server: {}.", limits.join(", ")));
        }
        if let Some(text) = lost_connections(tally.lost, tally.backlog) {
            notes.push(format!("`{name}`: {text}."));
        }
        if tally.syn_retransmits > 0 {
            notes.push(format!(
                "`{name}`: {} SYNs were sent again: the server's accept queue was full.",
                grouped(tally.syn_retransmits)
            ));
        }
        if tally.left_open > 0 {
            notes.push(format!(
                "`{name}`: the server left {} connections open after its reply to QUIT.",
                grouped(tally.left_open)
            ));
        }
    }
    let late = history.waves.iter().filter(|wave| wave.settle.is_some_and(|(_, deadline)| deadline)).count();
    if late > 0 {
        notes.push(format!(
            "After {} the server had not come to rest by the deadline; the floors were taken then.",
            phrase::plural(late as u64, "wave")
        ));
    }
    notes
}

fn sessions_asked(history: &RunHistory, name: &str) -> Option<u64> {
    history.plan.as_ref()?.scenarios.iter().find(|scenario| scenario.name == name).map(|scenario| scenario.sessions)
}

/// Paths that the chosen scenarios never exercised.
pub fn not_exercised(scenarios: &[Scenario], errors: &BTreeMap<String, u64>) -> Vec<String> {
    let any = |wanted: &dyn Fn(&Scenario) -> bool| scenarios.iter().any(wanted);
    let mut paths = Vec::new();
    let mut say = |exercised: bool, text: &str| {
        if !exercised {
            paths.push(text.to_owned());
        }
    };
    let delivers = any(&|s| s.unit() == Unit::Messages && s.until == Depth::Data);
    say(delivers, "Whole messages (`--load sequential`).");
    say(any(&|s| s.sessions > 1), "Several sessions at once (`--load churn`).");
    say(any(&|s| s.mail_length() >= 100_000), "Large messages (`--load large`).");
    say(any(&|s| s.ending != Ending::Quit), "Clients that vanish in the middle (`--load abrupt`).");
    let refused = errors.keys().any(|kind| kind.contains("_4") || kind.contains("_5"));
    say(refused || any(&|s| s.name == "refused"), "Refused recipients (`--load refused`).");
    say(any(&|s| s.tls.is_some()), "STARTTLS and TLS (`--starttls`, `--load tls`).");
    paths
}
