//! Instructions per message in words.

use super::amount::{grouped, significant};
use crate::model::{
    CountCondition, CountDiffers, CountStatus, CountedPer, InstructionRow, Instructions, Runtime, Uncounted,
};

/// `message` or `session`.
pub fn counted_per(per: CountedPer) -> &'static str {
    match per {
        CountedPer::Message => "message",
        CountedPer::Session => "session",
    }
}

/// A change with its sign: `+0.57%`.
pub fn change_share(part: f64) -> String {
    format!("{}{}%", if part > 0.0 { "+" } else { "" }, significant(part * 100.0))
}

/// A figure with what it is for: `162,414 instructions per message`.
pub fn instructions_per(value: f64, per: CountedPer) -> String {
    format!("{} instructions per {}", grouped(value.round() as u64), counted_per(per))
}

/// How exact a figure is: `spread 0.003% over 3 tries, judged from 0.5% on`, or why it is not judged.
pub fn exactness(row: &InstructionRow) -> String {
    let spread = row.spread.map_or(String::new(), |known| spread(known, row.tries.len()));
    let judged = match (row.limit, &row.unjudged) {
        (_, Some(why)) => format!("not judged: {}", uncounted(why)),
        (Some(limit), None) => format!("a change from {} on is judged", percent(limit)),
        (None, None) => "not judged".to_owned(),
    };
    [spread, judged].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ")
}

/// By how much tries differ: `spread 0.003% over 3 tries`.
pub fn spread(part: f64, tries: usize) -> String {
    match tries {
        1 => "1 try".to_owned(),
        tries => format!("spread {} over {tries} tries", percent(part)),
    }
}

/// A part of a whole, exact where it is small: `0.003%`.
fn percent(part: f64) -> String {
    let percent = part * 100.0;
    match percent {
        0.0 => "0%".to_owned(),
        below if below < 0.001 => "below 0.001%".to_owned(),
        _ => format!("{}%", significant(percent)),
    }
}

/// Why a scenario has no figure that can be judged.
pub fn uncounted(why: &Uncounted) -> String {
    match why {
        Uncounted::TimeUsed => "the pass had no time for all tries; a larger --budget gives it more".to_owned(),
        Uncounted::NotAsMeant { done, asked } => {
            format!("{} of {} went as they are meant to", grouped(*done), grouped(*asked))
        }
        Uncounted::FileMissing(pid) => format!("process {pid} left no file, as it did not end by itself"),
        Uncounted::FileCut(pid) => format!("the file of process {pid} is cut off or damaged"),
        Uncounted::NoFile => "no process of the server left a file".to_owned(),
        Uncounted::Forks => "the server forks under load, and what its processes cost cannot be told apart".to_owned(),
        Uncounted::Fell => "the server did not start, or stopped answering, under valgrind".to_owned(),
        Uncounted::Unsteady => {
            "its tries differ by too much, as those of a loop that polls on a short time-out do".to_owned()
        }
        Uncounted::Probed => "the server was asked for its banner more often at one start than at the other".to_owned(),
    }
}

/// Why nothing was counted; none where the pass was run.
pub fn not_counted(status: &CountStatus) -> Option<String> {
    Some(match status {
        CountStatus::Counted => return None,
        CountStatus::NoValgrind => {
            "valgrind is not installed (Debian: apt-get install valgrind; elsewhere the package has the same name)".to_owned()
        }
        CountStatus::ValgrindFails(why) => format!("valgrind does not start: {why}"),
        CountStatus::OtherEngine => "instructions are counted with the built-in engine alone (leave --engine out)".to_owned(),
        CountStatus::Attached => "a server that runs already cannot be started under valgrind".to_owned(),
        CountStatus::Container => {
            "a server in a container is counted where profile-run and valgrind are in the same one".to_owned()
        }
        CountStatus::OtherRuntime(runtime) => format!(
            "{} compiles code while it runs and collects when it will; under valgrind that was not tried",
            match runtime {
                Runtime::Jvm => "a Java virtual machine",
                Runtime::V8 => "V8 (Node.js)",
                Runtime::DotNet => ".NET",
                Runtime::Go => "Go's runtime",
                Runtime::Other => "the server's runtime",
            }
        ),
        CountStatus::NotReached => "the run ended before".to_owned(),
        CountStatus::NothingToCount => {
            "none of its scenarios can be played one session at a time without waits (sequential, large and handshake can)"
                .to_owned()
        }
    })
}

/// What the pass came to, a line for each scenario: its name, and the figure with how exact it is.
pub fn counted(instructions: &Instructions) -> Vec<(String, String)> {
    let line = |row: &InstructionRow| {
        let figure = row.value.map_or("none".to_owned(), |value| instructions_per(value, row.per));
        (row.scenario.clone(), format!("{figure} ({})", exactness(row)))
    };
    match not_counted(&instructions.status) {
        Some(why) => vec![(String::new(), format!("not counted: {why}"))],
        None => instructions.scenarios.iter().map(line).collect(),
    }
}

/// All figures in one line: `instructions: 162,414 per message (sequential), 60,973 per session (handshake)`.
pub fn counted_in_short(instructions: &Instructions) -> String {
    let figure = |row: &InstructionRow| {
        let value = row.value.map_or("none".to_owned(), |value| grouped(value.round() as u64));
        let judged = if row.limit.is_none() { ", not judged" } else { "" };
        format!("{value} per {} ({}{judged})", counted_per(row.per), row.scenario)
    };
    match not_counted(&instructions.status) {
        Some(why) => format!("no instructions: {why}"),
        None if instructions.scenarios.is_empty() => "no instructions were counted".to_owned(),
        None => format!("instructions: {}", instructions.scenarios.iter().map(figure).collect::<Vec<_>>().join(", ")),
    }
}

/// In which condition two counts differ: `the build of libc.so.6: 93ac61ec5a8e, now 58254ca97202`.
pub fn count_difference(differs: &CountDiffers) -> String {
    let what = match &differs.what {
        CountCondition::Valgrind => "valgrind".to_owned(),
        CountCondition::Php => "PHP".to_owned(),
        CountCondition::Build(file) => format!("the build of {file}"),
        CountCondition::Features => "the processor's features".to_owned(),
        CountCondition::Tunables => "GLIBC_TUNABLES".to_owned(),
        CountCondition::Mail => "what the mail options add to a session".to_owned(),
    };
    let short = matches!(differs.what, CountCondition::Build(_));
    let side = |side: &Option<String>| match side {
        Some(build) if short => build.chars().take(20).collect(),
        Some(text) => text.clone(),
        None => "none".to_owned(),
    };
    format!("{what}: {}, now {}", side(&differs.was), side(&differs.is))
}

/// That two runs' loads of a scenario differ.
pub fn other_load(scenario: &str) -> String {
    format!("the load of {scenario} (number or length of its messages)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(tries: &[f64], unjudged: Option<Uncounted>) -> InstructionRow {
        let known = crate::model::spread(tries);
        InstructionRow {
            scenario: "sequential".to_owned(),
            per: CountedPer::Message,
            value: known.map(|(value, _)| value),
            tries: tries.to_vec(),
            spread: known.map(|(_, spread)| spread),
            limit: unjudged.is_none().then_some(0.005),
            unjudged,
            loads: [50, 150],
            bytes: 100,
            processes: 1,
            functions: Vec::new(),
            files: Vec::new(),
        }
    }

    #[test]
    fn a_figure_says_how_exact_it_is() {
        let steady = row(&[162_414.0, 162_419.0, 162_414.0], None);
        assert_eq!(exactness(&steady), "spread 0.00308% over 3 tries, a change from 0.5% on is judged");
        let short = row(&[162_414.0], Some(Uncounted::TimeUsed));
        assert!(exactness(&short).starts_with("1 try, not judged: the pass had no time"), "{}", exactness(&short));
        let all = Instructions {
            status: CountStatus::Counted,
            scenarios: vec![steady, row(&[], Some(Uncounted::FileMissing(7)))],
            conditions: None,
            seconds: 3.0,
        };
        let lines = counted(&all);
        assert!(lines[0].1.starts_with("162,414 instructions per message (spread"), "{lines:?}");
        assert_eq!(lines[1].1, "none (not judged: process 7 left no file, as it did not end by itself)");
        let none = Instructions { status: CountStatus::NoValgrind, scenarios: Vec::new(), ..all };
        assert!(counted(&none)[0].1.contains("apt-get install valgrind"));
        assert_eq!(change_share(0.0057), "+0.57%");
        assert_eq!(change_share(-0.01), "-1%");
    }
}
