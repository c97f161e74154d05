//! The end of a file: is it whole, and may its last line be believed?

use super::super::defect::{Defect, DefectKind};
use super::fields::cost_line;
use super::lines::Line;
use super::place::Next;
use super::reader::{Body, Reader};

/// Takes what stands behind the last line end, and notes what is missing.
pub(super) fn finish(reader: &mut Reader) {
    if let Some(line) = reader.lines.rest() {
        last_line(&mut reader.body, line);
    }
    let body = &mut reader.body;
    let (number, offset) = (reader.lines.count().max(1), reader.lines.bytes());
    if matches!(body.next, Next::Call(..) | Next::Nobody) {
        body.call(&[]);
        body.defect(Defect { line: number, offset, kind: DefectKind::CutRecord });
    } else if body.found.records > 0 && !body.found.ended && !fits(body, 0) && writes_its_end(body) {
        body.defect(Defect { line: number, offset, kind: DefectKind::NoSummary });
    }
    body.end_part();
}

/// valgrind ends each part of callgrind's with `totals:`, and cachegrind's files with `summary:`.
fn writes_its_end(body: &Body) -> bool {
    let header = &body.found.header;
    match body.found.callgrind {
        true => header.creator.starts_with("callgrind"),
        false => body.sums.lines.is_some() && !header.cmd.is_empty(),
    }
}

/// The self costs of the last part and `more` are what it declares.
fn fits(body: &Body, more: i64) -> bool {
    let sum = body.part_sums().first().copied().unwrap_or(0).saturating_add(more);
    [&body.found.summary, &body.found.totals].into_iter().flatten().any(|costs| costs.first() == Some(&sum))
}

/// A last line without its end may be cut in the middle of a number. It counts where what is declared
/// proves it whole, or where nothing is declared; in the latter case it is said.
fn last_line(body: &mut Body, line: Line) {
    let text = line.text.unwrap_or_default().trim_ascii();
    if text.is_empty() || text.starts_with(b"#") {
        return;
    }
    let digits = matches!(text, [b'0'..=b'9' | b'+' | b'-' | b'*', ..]);
    let own = digits && body.next == Next::Own;
    let declares = [&body.found.summary, &body.found.totals]
        .into_iter()
        .flatten()
        .any(|sum| sum.first().is_some_and(|sum| *sum != 0));
    if own && declares {
        let (mut positions, mut costs) = (vec![0; body.positions().len()], Vec::new());
        let read = cost_line(text, body.columns.len(), &mut positions, &mut costs);
        let first = body.columns.iter().zip(&costs).find(|(column, _)| **column == 0).map_or(0, |(_, cost)| *cost);
        match read.is_ok() && fits(body, first) {
            true => body.take(line),
            false => body.damage(line, DefectKind::CutRecord),
        }
    } else if text.starts_with(b"totals:") || text.starts_with(b"summary:") {
        let before = (body.found.summary.clone(), body.found.totals.clone(), body.found.ended);
        body.take(line);
        if !fits(body, 0) {
            (body.found.summary, body.found.totals, body.found.ended) = before;
            body.damage(line, DefectKind::CutRecord);
        }
    } else if digits {
        let costs = super::fields::words(text).count();
        body.take(line);
        if costs < body.positions().len() + body.columns.len() {
            body.damage(line, DefectKind::OpenLine);
        }
    } else {
        body.damage(line, DefectKind::CutRecord);
    }
}
