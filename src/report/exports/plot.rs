//! The most telling floors as one picture, for a comment or a wiki: it carries its style, and follows light and dark.

use std::fmt::Write as _;

use super::export::xml;
use crate::analysis::result::RunResult;
use crate::report::{Error, floors};

/// Plots in the picture, two beside each other.
const PLOTS: usize = 4;
/// A plot with its words, in pixels.
const CELL: (usize, usize) = (340, 218);

/// The picture.
pub(super) fn plot(result: &RunResult) -> Result<String, Error> {
    let cards = floors::floors(result)?;
    let shown: Vec<&floors::Card> = cards.open.iter().take(PLOTS).collect();
    let rows = shown.len().div_ceil(2).max(1);
    let columns = shown.len().clamp(1, 2);
    let (width, height) = (columns * CELL.0, 36 + rows * CELL.1);
    let sentence = xml(&result.sentence.replace('`', ""));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" aria-label=\"{sentence}\">\n<style>{}</style>\n\
         <rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>\n",
        style()
    );
    // Writing to a string cannot fail.
    let _ = writeln!(out, "<text class=\"head\" x=\"12\" y=\"24\">profile-run: floors after each wave</text>");
    for (at, card) in shown.iter().enumerate() {
        let (x, y) = ((at % 2) * CELL.0 + 12, 36 + (at / 2) * CELL.1);
        let svg =
            card.svg.replacen("<svg class=\"plot\"", "<svg class=\"plot\" width=\"316\" height=\"152\" y=\"50\"", 1);
        let _ = writeln!(
            out,
            "<g transform=\"translate({x} {y})\"><text class=\"title\" y=\"18\">{} <tspan class=\"aside\">{}</tspan></text>\
             <text class=\"chip p-{}\" x=\"316\" y=\"18\" text-anchor=\"end\">{}</text>\
             <text class=\"aside\" y=\"38\">{}</text>{svg}</g>",
            xml(card.title.as_str()),
            xml(&card.of),
            card.class,
            card.state,
            xml(&card.caption),
        );
    }
    if shown.is_empty() {
        let _ = writeln!(out, "<text class=\"aside\" x=\"12\" y=\"60\">There are no floors to show.</text>");
    }
    out.push_str("</svg>\n");
    Ok(out)
}

/// The colours and the plots' own rules of the report's style sheet, and what a picture needs beside them.
fn style() -> String {
    let sheet = include_str!("../../../templates/report.css");
    let colours = sheet.split_once("* {").map_or("", |(colours, _)| colours);
    let plots: Vec<&str> =
        sheet.lines().filter(|line| [".plot", ".pf", ".p-"].iter().any(|class| line.starts_with(class))).collect();
    format!(
        "{colours}{}\nsvg {{ font: 13px system-ui, sans-serif; }} .plot {{ width: auto; }} .ground {{ fill: var(--card); }} \
         text.head {{ font-weight: 650; }} text.title {{ font-weight: 600; }} text {{ fill: var(--ink); }} \
         .plot text {{ fill: var(--p); }} .aside {{ fill: var(--soft); font-weight: 400; }} text.chip {{ fill: var(--p); }}\n",
        plots.join("\n")
    )
}
