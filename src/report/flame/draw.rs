//! inferno's picture of a tree: what a reader without script sees, and what is printed. Its colours are
//! exchanged for style classes, its page frame is left off.

use std::collections::HashSet;

use inferno::flamegraph::color::{Color, PaletteMap};
use inferno::flamegraph::{self, Direction, Options};

use super::kind::Kind;
use super::tree::Tree;
use crate::report::{Error, words};

/// The static picture of `tree` for a screen of about `width` pixels, frames below `share` left out.
pub(super) fn picture(
    tree: &Tree<'_>,
    waiting: &HashSet<&str>,
    width: usize,
    share: f64,
    unit: &str,
) -> Result<String, Error> {
    let mut tree = tree.clone();
    tree.prune(share, usize::MAX);
    let lines = tree.to_folded(frame_text);
    if lines.is_empty() {
        return Ok(String::new());
    }
    let mut palette = PaletteMap::default();
    for node in &tree.nodes {
        palette.insert(frame_text(node.name), marker(Kind::of(node.name, waiting)));
    }
    let mut options = Options::default();
    options.no_javascript = true;
    options.direction = Direction::Inverted;
    options.image_width = Some(width);
    options.min_width = 0.0;
    options.frame_height = 19;
    options.font_size = 11;
    options.font_width = 0.62;
    options.count_name = unit.to_owned();
    options.palette_map = Some(&mut palette);
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut svg)
        .map_err(|error| Error::Chart { chart: "flamegraph".to_owned(), cause: error.to_string() })?;
    Ok(restyle(&String::from_utf8_lossy(&svg)))
}

/// A name as inferno may read it: a figure at its end, after a space, would be taken for its cost.
fn frame_text(name: &str) -> String {
    words::visible(name).replace(' ', "\u{a0}").replace(';', ":")
}

fn marker(kind: Kind) -> Color {
    let at = Kind::all().iter().position(|known| *known == kind).unwrap_or(0) as u8;
    Color { r: 1, g: 2, b: at }
}

/// Only the frames, in an element of their own that is as wide as its place.
fn restyle(svg: &str) -> String {
    let Some(at) = svg.find("<svg id=\"frames\"") else { return String::new() };
    let frames = svg[at..].trim_end().strip_suffix("</svg>").unwrap_or(&svg[at..]);
    let body =
        frames.split_once('>').map_or("", |(_, body)| body).trim_end().strip_suffix("</svg>").unwrap_or_default();
    let mut body = body.replace(" x=\"0.0000%\"", " x=\"0%\"");
    for (at, kind) in Kind::all().into_iter().enumerate() {
        body = body.replace(&format!("fill=\"rgb(1,2,{at})\""), &format!("class=\"k k{}\"", kind.code()));
    }
    let rows = lowest(&body);
    let top = 66;
    format!(
        "<svg class=\"flame-static\" role=\"img\" aria-label=\"Flamegraph\" width=\"100%\" height=\"{}\"><svg y=\"-{top}\" overflow=\"visible\">{body}</svg></svg>",
        rows.saturating_sub(top) + 19,
    )
}

fn lowest(body: &str) -> usize {
    body.split(" y=\"")
        .skip(1)
        .filter_map(|rest| rest.split_once('"').and_then(|(y, _)| y.parse::<f64>().ok()))
        .fold(0.0, f64::max) as usize
}
