//! The load in rows: by wave, by scenario, asked and run side by side.

use std::collections::BTreeMap;

use super::history::{Material, Wave};
use super::result::WaveRow;
use super::view::Asked;
use crate::model::load_stats::{LoadRow, LoadStats};
use crate::model::plan::Pass;
use crate::model::plan::scenario::{Depth, Ending, Scenario, Unit};
use crate::phrase::grouped;

/// One row of load.
fn row(pass: Pass, scenario: &str, wave: Option<u32>, tally: &LoadStats, server_cpu: f64) -> LoadRow {
    LoadRow::new(scenario, wave, pass.name(), tally, Some(server_cpu))
}

/// The load of each scenario as a whole, the preflight first, then that of each wave.
pub fn rows(material: &Material) -> Vec<LoadRow> {
    let mut rows = Vec::new();
    for (pass, sessions, messages, refused) in &material.preflights {
        let mut tally = LoadStats::new(Unit::Messages, 1);
        (tally.as_meant, tally.messages_sent, tally.messages_accepted) = (*sessions, *messages, *messages);
        tally.asked.not_started = 0;
        if refused.is_none() {
            tally.asked.finished = 1;
        } else {
            tally.asked.refused = 1;
            tally.errors.insert("refused".to_owned(), 1);
        }
        rows.push(row(*pass, "preflight", None, &tally, 0.0));
    }
    let mut waves = Vec::new();
    for pass in [Pass::Clean, Pass::Profile] {
        for (name, tally, cpu) in totals(material, pass) {
            rows.push(row(pass, &name, None, &tally, cpu));
        }
        let each = material.done(pass);
        waves.extend(
            each.map(|(wave, tally)| row(pass, &wave.scene.scenario, Some(wave.scene.wave), tally, wave.server_cpu)),
        );
    }
    rows.extend(waves);
    rows
}

/// Every scenario of a pass, its waves merged, in the order in which they ran.
pub fn totals(material: &Material, pass: Pass) -> Vec<(String, LoadStats, f64)> {
    let mut all: Vec<(String, LoadStats, f64)> = Vec::new();
    for (wave, tally) in material.done(pass) {
        match all.iter_mut().find(|(name, ..)| *name == wave.scene.scenario) {
            Some((_, sum, cpu)) => {
                sum.merge(tally);
                *cpu += wave.server_cpu;
            }
            None => all.push((wave.scene.scenario.clone(), tally.clone(), wave.server_cpu)),
        }
    }
    all
}

/// The waves that came to an end.
pub fn waves(material: &Material) -> Vec<WaveRow> {
    let row = |wave: &Wave| {
        let tally = wave.tally.as_ref()?;
        let (settle, settle_deadline) = wave.settle.unwrap_or((0.0, false));
        Some(WaveRow {
            pass: wave.scene.pass.name().to_owned(),
            scenario: wave.scene.scenario.clone(),
            wave: wave.scene.wave,
            begin: wave.begin,
            end: wave.end?,
            settle,
            settle_deadline,
            messages: tally.messages_accepted,
            sessions: tally.as_meant,
            parallel: wave.parallel,
        })
    };
    material.waves.iter().filter_map(row).collect()
}

/// Asked and run, scenario by scenario, of the clean pass, or of the profile pass where it was the only one.
pub fn asked(material: &Material) -> Vec<Asked> {
    let clean = material.scenarios.iter().any(|scenario| scenario.pass == Pass::Clean);
    let pass = if clean { Pass::Clean } else { Pass::Profile };
    let of_pass = material.scenarios.iter().filter(|scenario| scenario.pass == pass);
    of_pass
        .map(|scenario| {
            let waves: Vec<&Wave> =
                material.done(pass).map(|(wave, _)| wave).filter(|w| w.scene.scenario == scenario.name).collect();
            Asked { scenario: scenario.name.clone(), asked: scenario.asked.clone(), run: run(&waves) }
        })
        .collect()
}

/// `12 x 1,000, 480 at once`, the warm-up counted in.
fn run(waves: &[&Wave]) -> String {
    let Some(last) = waves.last() else { return "nothing".to_owned() };
    let total: u64 = waves.iter().map(|wave| wave.count).sum();
    let numbered = waves.iter().filter(|wave| wave.scene.wave > 0).count();
    let parallel = waves.iter().map(|wave| wave.parallel).max().unwrap_or(1);
    let mut text = match numbered {
        0 | 1 => grouped(total),
        _ => format!("{} in {numbered} waves of {}", grouped(total), grouped(last.count)),
    };
    if parallel > 1 {
        text.push_str(&format!(", {} at once", grouped(u64::from(parallel))));
    }
    text
}

/// What went otherwise than asked.
pub fn notes(material: &Material) -> Vec<String> {
    let mut notes = Vec::new();
    for scenario in &material.scenarios {
        if let Some(why) = &scenario.why
            && !matches!(why.as_str(), "decided" | "all that was asked was run" | "as much as its time allowed")
        {
            notes.push(format!("`{}` ({} pass): {why}.", scenario.name, scenario.pass.name()));
        }
    }
    for (name, tally, _) in totals(material, Pass::Clean) {
        if let Some(wave) = material.waves.iter().filter(|w| w.scene.scenario == name).max_by_key(|w| w.parallel)
            && let Some(asked) = sessions_asked(material, &name)
            && u64::from(wave.parallel) < asked.min(wave.count)
        {
            notes.push(format!(
                "`{name}` ran with at most {} sessions at once instead of {}: the server must stay below its limit of descriptors.",
                grouped(u64::from(wave.parallel)),
                grouped(asked)
            ));
        }
        if !tally.client_limits.is_empty() {
            let limits: Vec<String> =
                tally.client_limits.iter().map(|(kind, n)| format!("{} {kind}", grouped(*n))).collect();
            notes.push(format!("`{name}`: limits of the load itself, not of the server: {}.", limits.join(", ")));
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
    let late = material.waves.iter().filter(|wave| wave.settle.is_some_and(|(_, deadline)| deadline)).count();
    if late > 0 {
        notes.push(format!(
            "After {late} waves the server had not come to rest by the deadline; their floors were taken then."
        ));
    }
    notes
}

fn sessions_asked(material: &Material, name: &str) -> Option<u64> {
    material.plan.as_ref()?.scenarios.iter().find(|scenario| scenario.name == name).map(|scenario| scenario.sessions)
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
    say(any(&|s| crate::matrix::mail_length(s) >= 100_000), "Large messages (`--load large`).");
    say(any(&|s| s.ending != Ending::Quit), "Clients that vanish in the middle (`--load abrupt`).");
    let refused = errors.keys().any(|kind| kind.contains("_4") || kind.contains("_5"));
    say(refused || any(&|s| s.name == "refused"), "Refused recipients (`--load refused`).");
    say(any(&|s| s.tls.is_some()), "STARTTLS and TLS (`--starttls`, `--load tls`).");
    paths
}
