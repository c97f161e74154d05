//! `summary.md`: the verdict for a pull request's comment.

use std::fmt::Write as _;

use super::links::Links;
use super::{comparison, drift, facts, holders, load, matrix, processes, thresholds, words};
use crate::analysis::result::Verdict;
use crate::analysis::view::RunView;
use crate::model::ExitCode;

/// The summary as Markdown that GitHub, GitLab and plain readers show alike: sentence, evidence, matrix,
/// holders, load. Names stand in code spans; nothing in them can end a table or call a person.
pub fn markdown(view: &RunView) -> String {
    let result = &view.result;
    let mut out = String::new();
    let word = match result.verdict {
        Some(Verdict::Clean | Verdict::Inconclusive) if result.exit_code == ExitCode::Failed => "failed",
        Some(Verdict::Leak) => "leak",
        Some(Verdict::Failed) => "failed",
        Some(Verdict::Inconclusive) => "inconclusive",
        Some(Verdict::Clean) => "clean",
        None if result.exit_code == ExitCode::CouldNotRun => "could not run",
        None if result.profile.is_none() && result.instructions.is_some() => "count",
        None => "profile",
    };
    let _ = writeln!(out, "**{word}** · {}", sentence(&result.sentence));
    if result.cut_off {
        let _ = writeln!(out, "\nThe run was cut off; this is what there is.");
    }
    for text in &result.evidence {
        let _ = writeln!(out, "\n{}", sentence(text));
    }
    for warning in &result.warnings {
        let _ = writeln!(out, "\n> **Warning:** {} {}", sentence(&warning.text), sentence(&warning.advice));
    }
    for line in words::driven(result) {
        let _ = writeln!(out, "\n{}", sentence(&line));
    }
    if let Some(ledger) = &result.ledger {
        let lines = crate::phrase::ledger(ledger);
        if !lines.is_empty() {
            let _ = writeln!(out, "\n{}", sentence(&lines.join(" ")));
        }
    }
    out.push('\n');
    for fact in facts::facts(result) {
        let _ = writeln!(out, "- {}: {}", fact.name, plain(&fact.text));
    }
    for (scenario, figure) in result.instructions.iter().flat_map(crate::phrase::counted) {
        let place = if scenario.is_empty() { String::new() } else { format!(" {}", code(&scenario)) };
        let _ = writeln!(out, "- Instructions{place}: {}", plain(&figure));
    }
    let rows = thresholds::thresholds(result);
    let broken = rows.iter().filter(|row| !row.held).count();
    let title = format!("Thresholds: {} held, {broken} broken", rows.len() - broken);
    folded(&mut out, &title, broken > 0, |out| held_or_broken(out, &rows));
    folded(&mut out, "Compared with the baseline", false, |out| {
        for table in comparison::of_baseline(result) {
            let _ = writeln!(out, "\n**{}**\n{}", table.title, comparison::markdown_table(&table));
        }
    });
    folded(&mut out, "Leaks by scenario", false, |out| findings(out, view));
    folded(&mut out, "What grows, and who holds it", false, |out| held(out, view));
    folded(&mut out, "Functions that get slower", false, |out| slower(out, view));
    folded(&mut out, "Processes under the profiler", false, |out| profiled(out, view));
    folded(&mut out, "Load", false, |out| loads(out, view));
    let command = result.target.command.join(" ");
    if !command.is_empty() {
        let _ = writeln!(out, "\n{} · profile-run {}", code(&command), env!("CARGO_PKG_VERSION"));
    }
    out
}

/// A part that opens at a click, or stands `open`, where there is anything in it.
pub(super) fn folded(out: &mut String, title: &str, open: bool, write: impl FnOnce(&mut String)) {
    let mut part = String::new();
    write(&mut part);
    if !part.is_empty() {
        let _ = writeln!(
            out,
            "\n<details{}><summary>{title}</summary>\n{part}\n</details>",
            if open { " open" } else { "" }
        );
    }
}

fn held_or_broken(out: &mut String, rows: &[thresholds::Row]) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n| Broken if | In | Measured | |\n| --- | --- | ---: | --- |");
    for row in rows {
        let state = if row.held { row.state().to_owned() } else { format!("**{}**", row.state()) };
        let _ = writeln!(out, "| {} | {} | {} | {state} |", code(&row.text), plain(&row.scenario), plain(&row.figure));
    }
}

fn findings(out: &mut String, view: &RunView) {
    let matrix = matrix::matrix(view);
    if matrix.rows.is_empty() {
        return;
    }
    let heads: Vec<String> = matrix.scenarios.iter().map(|name| plain(name)).collect();
    let _ = writeln!(out, "\n| | {} |\n| --- |{}", heads.join(" | "), " --- |".repeat(heads.len()));
    for row in &matrix.rows {
        let cells = row.cells.iter().map(|cell| match cell {
            Some(cell) => {
                let state = if cell.class == "leak" && !cell.accepted { "**leak**" } else { cell.state };
                let accepted = if cell.accepted { ", accepted" } else { "" };
                format!("{state}{accepted} {}", plain(&cell.figure)).trim_end().to_owned()
            }
            None => String::new(),
        });
        let _ = writeln!(out, "| {} | {} |", plain(&row.metric), cells.collect::<Vec<_>>().join(" | "));
    }
}

fn held(out: &mut String, view: &RunView) {
    let rows = holders::holders(&view.result, &Links::default());
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n| Held by | What | Entries | Per 1,000 | Explains |\n| --- | --- | ---: | ---: | ---: |");
    for row in rows.iter().take(10) {
        let kind = if row.code { code(&row.kind) } else { plain(&row.kind) };
        let path = code(&row.path);
        let _ = writeln!(out, "| {path} | {kind} | {} | {} | {} |", row.entries, row.per_1000, row.explains);
    }
    // The lines that fill the foremost one.
    for quote in rows.first().map_or(&[][..], |row| &row.source) {
        let text: String = quote.lines.iter().map(|line| format!("{:>5}  {}\n", line.number, line.text)).collect();
        let fence = fence(&text, 3);
        let _ = writeln!(out, "\n{}:\n\n{fence}php\n{text}{fence}", code(&quote.place));
    }
}

fn slower(out: &mut String, view: &RunView) {
    for drift in view.result.profile.iter().flat_map(|profile| &profile.figures.drift).take(5) {
        let row = drift::row(drift);
        let load = if row.scenario.is_empty() { String::new() } else { format!(" of {}", plain(&row.scenario)) };
        let _ = writeln!(
            out,
            "\nGets slower: {}, {} {} in the first tenth{load}, {} in the last.",
            code(&drift.name),
            row.first,
            row.of,
            row.last
        );
    }
}

fn profiled(out: &mut String, view: &RunView) {
    let Some(summary) = &view.result.profile else { return };
    if summary.served == Some(false) {
        let _ = writeln!(out, "\n{}", sentence(processes::NOT_SERVED));
    }
    let rows = processes::processes(summary);
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n| Role | Ran | Processes | Calls | Self time |\n| --- | --- | ---: | ---: | ---: |");
    for row in rows {
        let _ = writeln!(out, "| {} | {} | {} | {} | {} |", row.role, code(row.ran()), row.count, row.calls, row.time);
    }
}

fn loads(out: &mut String, view: &RunView) {
    let rows = load::load(view);
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "\n| Load | Asked | Run | Accepted | Refused | Failed | per second | p50 ms | p99 ms |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    for row in rows {
        let words: Vec<String> = [
            &row.scenario,
            &row.asked,
            &row.run,
            &row.accepted,
            &row.refused,
            &row.failed,
            &row.speed,
            &row.p50,
            &row.p99,
        ]
        .map(|text| plain(text))
        .into();
        let _ = writeln!(out, "| {} |", words.join(" | "));
    }
    for note in &view.load_notes {
        let _ = writeln!(out, "\n{}", sentence(note));
    }
}

pub(super) fn sentence(text: &str) -> String {
    words::pieces(text).iter().map(|p| if p.is_code() { code(&p.text) } else { plain(&p.text) }).collect()
}

/// Text in which nothing is markup.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in words::visible(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// A code span, also of text with backticks; in a table a pipe would end the cell even there.
pub(super) fn code(text: &str) -> String {
    let text = words::visible(text).replace('|', "\u{2758}");
    let fence = fence(&text, 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Backticks that the text does not end.
fn fence(text: &str, least: usize) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(least.max(longest + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_is_markup() {
        assert_eq!(plain("a|b <c> @d"), "a\\|b &lt;c&gt; &#64;d");
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(sentence("`A->b[]` keeps *all*"), "`A->b[]` keeps \\*all\\*");
    }
}
