//! inferno's picture of a tree: what a reader without script sees, and what is printed. Its colours are
//! exchanged for style classes, its page frame is left off.

use std::borrow::Cow;
use std::collections::HashMap;

use inferno::flamegraph::color::{Color, PaletteMap};
use inferno::flamegraph::{self, Direction, Options};

use super::kind::Kind;
use crate::analysis::laid::{Laid, Step};
use crate::report::{Error, words};

/// Where inferno's frames begin, in pixels from its upper edge, below the one that sums up all.
const TOP: f64 = 67.0;
/// Pixels of a row.
const ROW: usize = 19;

/// Stands for what is left out below a frame.
const LEFT_OUT: &str = "[not drawn one by one]";

/// Levels of a picture that nobody can move in. inferno takes time for each frame above each frame.
const LEVELS: usize = 100;

/// What a picture's figures count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit<'a> {
    /// Its name.
    pub name: &'a str,
    /// So much of it is one of the tree's.
    pub factor: f64,
    /// From left to right as time went, in the place of by name.
    pub in_time: bool,
}

/// The static picture of `laid` for a screen of about `width` pixels, frames below `share` left out. Each of the names
/// has its kind.
pub(super) fn picture(
    laid: &Laid,
    (names, kinds): (&[String], &[Kind]),
    width: usize,
    share: f64,
    unit: Unit<'_>,
) -> Result<String, Error> {
    let laid = laid.pruned(share, LEVELS);
    let name = |step: Step| match step {
        Step::Function(name) | Step::Again(name) => Cow::Borrowed(names[name as usize].as_str()),
        Step::LeftOut => LEFT_OUT.into(),
        Step::Deeper(levels) => format!("[{}]", words::deeper(levels)).into(),
    };
    let kind = |step: Step| match step {
        Step::Function(name) | Step::Again(name) => kinds[name as usize].look(),
        Step::LeftOut | Step::Deeper(_) => Kind::Note,
    };
    // The one place where stacks become text: inferno reads nothing else.
    let mut lines = Vec::new();
    let mut palette = PaletteMap::default();
    let mut looks: HashMap<String, Kind> = HashMap::new();
    let mut line = |stack: &[Step], cost: u64| {
        // inferno tells frames apart by their text alone: what looks otherwise, or comes once more, has another one that
        // reads the same.
        let mut text = |step: &Step| {
            let (mut text, kind) = (frame_text(&name(*step)), kind(*step));
            if let Step::Again(_) = step {
                text.extend([JOINER, JOINER]);
            }
            while *looks.entry(text.clone()).or_insert(kind) != kind {
                text.push(JOINER);
            }
            palette.insert(text.clone(), marker(kind));
            text
        };
        let frames: Vec<String> = stack.iter().map(&mut text).collect();
        lines.push(format!("{} {cost}", frames.join(";")));
    };
    match unit.in_time {
        true => laid.in_time(line),
        false => laid.stacks(&mut line),
    }
    if lines.is_empty() {
        return Ok(String::new());
    }
    let mut options = Options::default();
    options.no_javascript = true;
    options.direction = Direction::Inverted;
    options.image_width = Some(width);
    options.min_width = 0.0;
    options.frame_height = ROW;
    options.font_size = 11;
    options.font_width = 0.62;
    options.count_name = unit.name.to_owned();
    options.factor = unit.factor;
    options.palette_map = Some(&mut palette);
    if unit.in_time {
        // It takes the last line first.
        options.flame_chart = true;
        lines.reverse();
    }
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut svg)
        .map_err(|error| strange(&error.to_string()))?;
    restyle(&String::from_utf8_lossy(&svg))
}

/// A name as inferno may read it: a figure at its end, after a space, would be taken for its cost, a dash alone for a
/// gap, and white space at either end, or nothing at all, would be cut off.
fn frame_text(name: &str) -> String {
    match words::visible(name).replace(' ', "\u{a0}").replace(';', ":") {
        dashes if dashes == "-" || dashes == "--" => dashes.replace('-', "\u{2010}"),
        blank if blank.trim() != blank || blank.is_empty() => format!("{JOINER}{blank}{JOINER}"),
        text => text,
    }
}

/// No white space, and nothing to see.
const JOINER: char = '\u{2060}';

fn marker(kind: Kind) -> Color {
    let at = Kind::all().iter().position(|known| *known == kind).unwrap_or(0) as u8;
    Color { r: 1, g: 2, b: at }
}

fn strange(cause: &str) -> Error {
    Error::Chart { chart: "flamegraph".to_owned(), cause: cause.to_owned() }
}

/// Only the frames, in an element of their own that is as wide as its place. inferno promises nothing about the
/// inside of its pictures, so whatever is not as it is known is an error: half a picture would be taken for the whole.
fn restyle(svg: &str) -> Result<String, Error> {
    let (_, frames) = svg.split_once("<svg id=\"frames\"").ok_or_else(|| strange("inferno drew no frames"))?;
    let body = frames
        .trim_end()
        .strip_suffix("</svg></svg>")
        .and_then(|frames| frames.split_once('>'))
        .map(|(_, body)| body)
        .ok_or_else(|| strange("inferno's frames do not end where its picture does"))?;
    let (mut body, rows) = rows(body)?;
    let mut marked = 0;
    body = body.replace(" x=\"0.0000%\"", " x=\"0%\"");
    for (at, kind) in Kind::all().into_iter().enumerate() {
        let fill = format!("fill=\"rgb(1,2,{at})\"");
        marked += body.matches(&fill).count();
        body = body.replace(&fill, &format!("class=\"k k{}\"", kind.code()));
    }
    if marked != rows.len() {
        return Err(strange(&format!("of {} frames, inferno painted {marked} as it was told to", rows.len())));
    }
    let lowest = rows.iter().copied().fold(TOP, f64::max);
    Ok(format!(
        "<svg class=\"flame-static\" role=\"img\" aria-label=\"Flamegraph\" width=\"100%\" height=\"{}\"><svg y=\"-{TOP}\" overflow=\"visible\">{body}</svg></svg>",
        (lowest - TOP) as usize + ROW,
    ))
}

/// The frames and the upper edge of each. The one that sums up all stands for no function and is left out.
fn rows(body: &str) -> Result<(String, Vec<f64>), Error> {
    let edge = |frame: &str| {
        let (_, rect) = frame.split_once("<rect")?;
        let (attributes, _) = rect.split_once('>')?;
        let (_, y) = attributes.split_once(" y=\"")?;
        y.split_once('"')?.0.parse::<f64>().ok()
    };
    let (mut frames, mut rows, mut sums) = (String::new(), Vec::new(), 0);
    for frame in body.split_inclusive("</g>").filter(|frame| !frame.trim().is_empty()) {
        match edge(frame) {
            Some(y) if y == TOP - ROW as f64 => sums += 1,
            Some(y) if y >= TOP => {
                frames.push_str(frame);
                rows.push(y);
            }
            _ => return Err(strange(&format!("a frame of inferno's stands in no row: {}", frame.trim()))),
        }
    }
    let highest = rows.iter().copied().fold(f64::INFINITY, f64::min);
    match (sums, highest == TOP) {
        (1, true) => Ok((frames, rows)),
        _ => Err(strange(&format!("inferno drew {sums} frames above the first row, which is at {highest}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::analysis::flame::{Flame, Slice};

    fn drawn(tiny: u64) -> String {
        let stacks = [(vec!["main", "read"], 60), (vec!["main", "php::fread"], 40), (vec!["main", "tiny"], tiny)];
        let flame = Flame::of_stacks(Slice::All, stacks);
        let waiting = HashSet::from(["php::fread"]);
        let kinds: Vec<Kind> = flame.names.iter().map(|name| Kind::of(name, &waiting)).collect();
        picture(&flame.stacks, (&flame.names, &kinds), 1000, 0.02, Unit { name: "ns", factor: 1.0, in_time: false })
            .unwrap()
    }

    /// As inferno writes it, the two lines of figures that depend on its fonts left as they are.
    const PICTURE: &str = concat!(
        "<?xml version=\"1.0\"?><svg version=\"1.1\" width=\"1000\" height=\"180\">",
        "<svg id=\"frames\" x=\"10\" width=\"980\" total_samples=\"5\">",
        "<g><title>all (5 ns, 100%)</title><rect x=\"0.0000%\" y=\"48\" width=\"100%\" height=\"18\" fill=\"rgb(9,9,9)\"/></g>",
        "<g><title>main (5 ns, 100.00%)</title><rect x=\"0.0000%\" y=\"67\" width=\"100%\" height=\"18\" fill=\"rgb(1,2,0)\"/></g>",
        "<g><title>f (5 ns, 100.00%)</title><rect x=\"0.0000%\" y=\"86\" width=\"100%\" height=\"18\" fill=\"rgb(1,2,7)\"/></g>",
        "</svg></svg>\n",
    );

    #[test]
    fn every_frame_is_there_in_its_colour() {
        let svg = drawn(0);
        assert_eq!((svg.matches("<rect").count(), svg.matches("class=\"k k").count()), (3, 3), "{svg}");
        assert!(!svg.contains("rgb(") && !svg.contains("<title>all"), "{svg}");
        let svg = drawn(1);
        assert!(svg.contains("not\u{a0}drawn") && !svg.contains("tiny"), "{svg}");
        let svg = restyle(PICTURE).unwrap();
        assert!(svg.contains("height=\"38\"") && svg.contains("class=\"k kw\""), "{svg}");
    }

    #[test]
    fn a_picture_that_inferno_draws_otherwise_is_an_error() {
        for (known, changed) in [
            ("id=\"frames\"", "id=\"stacks\""),
            ("</svg></svg>", "</svg><g/></svg>"),
            ("y=\"48\"", "y=\"67\""),
            ("y=\"67\"", "y=\"73\""),
            (" y=\"86\"", ""),
            ("rgb(1,2,7)", "#010207"),
            ("<rect x", "<path x"),
        ] {
            let svg = PICTURE.replace(known, changed);
            assert_ne!(svg, PICTURE, "{known}");
            assert!(restyle(&svg).is_err(), "{changed}");
        }
    }
}
