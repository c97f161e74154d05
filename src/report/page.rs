//! The pages: the whole report, and the profile part alone.

use askama::Template;

use super::drift::{Drift, drift};
use super::flame::{Differential, Flames, Singles, counted, differential, flames, singles};
use super::functions::{Functions, functions};
use super::links::Links;
use super::{
    Error, censuses, comparison, embed, facts, figures, floors, holders, how_it_ran, instructions, load, matrix,
    processes, thresholds, timeline, words,
};
use crate::analysis::flame::Cost;
use crate::analysis::messages::{Messages, NoMessages};
use crate::analysis::profile::Shown;
use crate::analysis::result::{State, Verdict};
use crate::analysis::view::RunView;
use crate::model::ExitCode;
use crate::phrase::{duration, grouped, profiled_work};
use std::hash::{Hash, Hasher};
use std::time::Duration;

#[derive(Template)]
#[template(path = "report.html")]
struct Report {
    assets: Assets,
    title: String,
    command: String,
    started: String,
    took: String,
    verdict: Banner,
    facts: Vec<facts::Fact>,
    figures: Vec<figures::Figure>,
    warnings: Vec<[String; 2]>,
    thresholds: Vec<thresholds::Row>,
    tables: Vec<comparison::Table>,
    difference: Option<Differential>,
    ledger: Vec<Vec<words::Piece>>,
    drivers: Vec<Vec<words::Piece>>,
    matrix: matrix::Matrix,
    holders: Vec<holders::Row>,
    censuses: Option<censuses::Censuses>,
    floors: floors::Floors,
    timeline: Option<timeline::Timeline>,
    profile: Profile,
    instructions: Option<instructions::Counted>,
    load: Vec<load::Row>,
    load_notes: Vec<Vec<words::Piece>>,
    setup: how_it_ran::Setup,
    version: &'static str,
    result: String,
}

#[derive(Template)]
#[template(path = "profile.html")]
struct ProfilePage {
    assets: Assets,
    title: String,
    profile: Profile,
    version: &'static str,
}

/// Style and script, put into the page whole.
pub(super) struct Assets {
    /// The style sheet.
    pub style: &'static str,
    /// The script.
    pub script: &'static str,
    /// The one script that may run carries it: whatever a name smuggled into the page would not.
    pub nonce: String,
}

/// The assets of a page about `content`. The nonce follows from all that the page says, so that a report that is written
/// anew is the same, and whoever chooses a name in it does not know the nonce.
pub(super) fn assets(content: &str) -> Assets {
    let mut hasher = std::hash::DefaultHasher::new();
    content.hash(&mut hasher);
    Assets {
        style: include_str!("../../templates/report.css"),
        script: include_str!("../../templates/report.js"),
        nonce: format!("{:016x}", hasher.finish()),
    }
}

/// The verdict as it stands at the top.
struct Banner {
    class: &'static str,
    word: &'static str,
    sentence: Vec<words::Piece>,
    evidence: Vec<Vec<words::Piece>>,
    cut_off: bool,
    failures: Vec<Vec<words::Piece>>,
}

/// Where the time goes.
#[derive(Default)]
struct Profile {
    facts: Vec<String>,
    notes: Vec<Vec<words::Piece>>,
    flames: Option<Flames>,
    messages: Option<Singles>,
    drift: Drift,
    functions: Functions,
    processes: Vec<processes::Row>,
    waiting: String,
    allocated: &'static str,
}

/// The report of a run: one file that asks nothing of the network and carries its result.
///
/// # Errors
/// Only faults of this program: a template, a chart or the result's JSON could not be made.
pub fn html(view: &RunView) -> Result<String, Error> {
    let result = &view.result;
    let command = crate::model::shell::line(result.target.command.iter().map(String::as_str));
    let command = words::visible(&command);
    let carried = embed::script_json(result)?;
    let links = Links::of(view);
    let report = Report {
        assets: assets(&carried),
        title: words::visible(&result.sentence.replace('`', "")),
        command,
        started: started(&result.started),
        took: if result.seconds > 0.0 { took(result.seconds) } else { String::new() },
        verdict: banner(view, &links),
        facts: facts::facts(result),
        figures: figures::figures(view),
        warnings: result.warnings.iter().map(|w| [words::visible(&w.text), words::visible(&w.advice)]).collect(),
        thresholds: thresholds::thresholds(result),
        tables: comparison::of_baseline(result),
        difference: view.difference.as_ref().map(differential).transpose()?,
        ledger: result.ledger.iter().flat_map(crate::phrase::ledger).map(|line| words::pieces(&line)).collect(),
        drivers: words::driven(result).iter().map(|line| words::pieces(line)).collect(),
        matrix: matrix::matrix(view),
        holders: holders::holders(result, &links),
        censuses: censuses::censuses(view)?,
        floors: floors::floors(result)?,
        timeline: timeline::timeline(view)?,
        profile: profile(view)?,
        instructions: result.instructions.as_ref().map(instructions::counted),
        load: load::load(view),
        load_notes: view.load_notes.iter().map(|note| words::pieces(note)).collect(),
        setup: how_it_ran::setup(view),
        version: env!("CARGO_PKG_VERSION"),
        result: carried,
    };
    Ok(report.render()?)
}

/// The profile part alone: `title` names what was read.
///
/// # Errors
/// As [`html`].
pub fn profile_html(title: &str, shown: &Shown) -> Result<String, Error> {
    let summary = &shown.summary;
    let waiting: Vec<&str> = shown.waiting.iter().map(String::as_str).collect();
    let graphs = flames(&shown.flames, &waiting, &shown.first)?;
    let page = ProfilePage {
        assets: assets(graphs.as_ref().map_or("", |graphs| graphs.data.as_str())),
        title: words::visible(title),
        profile: Profile {
            facts: Vec::new(),
            notes: shown.notes.iter().map(|note| words::pieces(note)).collect(),
            waiting: waiting_words(graphs.as_ref()),
            flames: graphs,
            messages: single_messages(shown.messages.as_ref(), &waiting)?,
            drift: drift(&summary.figures.drift, !summary.waves.is_empty(), summary.figures.drift_looked_for),
            functions: functions(summary, shown.busy.as_ref(), counted(&shown.flames).is_some()),
            processes: processes::processes(summary),
            // Counts of events come without allocation.
            allocated: if counted(&shown.flames).is_some() { "" } else { allocated(summary.figures.messages) },
        },
        version: env!("CARGO_PKG_VERSION"),
    };
    Ok(page.render()?)
}

fn allocated(messages: u64) -> &'static str {
    if messages > 0 { "Allocated per message" } else { "Allocated" }
}

fn banner(view: &RunView, links: &Links) -> Banner {
    let result = &view.result;
    let (class, word) = match result.verdict {
        // Green over an exit code that stops a merge would be believed.
        Some(Verdict::Clean | Verdict::Inconclusive) if result.exit_code == ExitCode::Failed => ("failed", "failed"),
        Some(Verdict::Leak) => ("leak", "leak"),
        Some(Verdict::Failed) => ("failed", "failed"),
        Some(Verdict::Inconclusive) => ("inconclusive", "inconclusive"),
        Some(Verdict::Clean) => ("clean", "clean"),
        None if result.exit_code == ExitCode::CouldNotRun => ("failed", "could not run"),
        None if result.profile.is_none() && result.instructions.is_some() => ("inconclusive", "count only"),
        None => ("inconclusive", "profile only"),
    };
    let said = |text: &String| *text == result.sentence || result.evidence.contains(text);
    let amount = crate::phrase::foremost(&result.findings, State::Leak).and_then(crate::phrase::leak_amount);
    Banner {
        class,
        word,
        sentence: words::verdict_pieces(&result.sentence, amount.as_deref()),
        evidence: result.evidence.iter().map(|text| links.set(words::pieces(text))).collect(),
        cut_off: result.cut_off,
        failures: result
            .failures
            .iter()
            .filter(|failure| !said(&failure.sentence))
            .map(|failure| words::pieces(&failure.sentence))
            .collect(),
    }
}

fn profile(view: &RunView) -> Result<Profile, Error> {
    let waiting: Vec<&str> = view.waiting.iter().map(String::as_str).collect();
    let graphs = flames(&view.flames, &waiting, &Cost::Time)?;
    let Some(summary) = &view.result.profile else {
        return Ok(Profile { waiting: waiting_words(graphs.as_ref()), flames: graphs, ..Profile::default() });
    };
    let mut facts = vec![format!("{} calls under the profiler.", grouped(summary.figures.records))];
    facts.extend(processes::counted(summary));
    let estimated = graphs.as_ref().is_some_and(|graphs| graphs.estimated);
    facts.push(if estimated {
        "The stacks are estimates: this kind of file holds only who called whom.".to_owned()
    } else {
        "The stacks are exact, nothing was sampled.".to_owned()
    });
    if !summary.figures.complete {
        let share = words::percent(summary.figures.recovered_share);
        facts.push(format!("A profile ends in the middle; {share} of what it holds could be used."));
    }
    if let Some(overhead) = summary.overhead.filter(|times| times.is_finite() && *times > 1.05) {
        facts.push(format!("Under the profiler the server needed {}.", profiled_work(overhead)));
    }
    Ok(Profile {
        facts,
        notes: match summary.served {
            Some(false) => vec![words::pieces(processes::NOT_SERVED)],
            _ => Vec::new(),
        },
        processes: processes::processes(summary),
        waiting: waiting_words(graphs.as_ref()),
        flames: graphs,
        messages: single_messages(view.messages.as_ref(), &waiting)?,
        drift: drift(&summary.figures.drift, !summary.waves.is_empty(), summary.figures.drift_looked_for),
        functions: functions(summary, view.busy.as_ref(), counted(&view.flames).is_some()),
        allocated: allocated(summary.figures.messages),
    })
}

fn single_messages(found: Option<&Result<Messages, NoMessages>>, waiting: &[&str]) -> Result<Option<Singles>, Error> {
    found.map(|found| singles(found, &waiting.iter().copied().collect())).transpose()
}

fn waiting_words(graphs: Option<&Flames>) -> String {
    let share = graphs.and_then(|graphs| graphs.waiting_share);
    share.map_or(String::new(), |share| format!("hatched: waiting, {}", words::percent(share)))
}

/// `25 Nov 2026, 14:02` as the clock stood where it ran; the text itself where it is no time.
fn started(text: &str) -> String {
    // Without the zone: the reader asks when it was there.
    match text.get(..19).unwrap_or(text).parse::<jiff::civil::DateTime>() {
        Ok(time) => time.strftime("%-d %b %Y, %H:%M").to_string(),
        Err(_) => words::visible(text),
    }
}

fn took(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds).map_or(String::new(), duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_by_people() {
        assert_eq!(started("2026-11-05T14:02:33+01:00"), "5 Nov 2026, 14:02");
        assert_eq!(started("2026-11-29T09:40:36.798026454Z"), "29 Nov 2026, 09:40");
        assert_eq!(started("soon"), "soon");
    }
}
