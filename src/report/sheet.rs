//! A sheet to draw charts on: plotters' SVG, with style classes in the place of its colours, so that the
//! page's style sheet decides what is light and what is dark.

use plotters::coord::Shift;
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::prelude::{DrawingArea, IntoDrawingArea, SVGBackend, ShapeStyle};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontFamily, IntoFont, RGBColor, TextStyle};

use super::Error;

/// plotters places whole pixels; drawn this many times larger and scaled back, lines come out smooth.
const FINE: f64 = 8.0;

/// What something drawn stands for. The page's style sheet has a colour for each, as `.p-NAME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// Grid lines.
    Grid,
    /// Figures and words on axes.
    Label,
    /// Something that leaks.
    Leak,
    /// Something judged clean.
    Clean,
    /// Something that rose once.
    Plateau,
    /// Something that is not decided.
    Inconclusive,
    /// Something not judged.
    NotJudged,
    /// The n-th line of a chart.
    Series(u8),
    /// Shade and label of the n-th scenario.
    Scenario(u8),
}

const SERIES: [&str; 6] = ["series0", "series1", "series2", "series3", "series4", "series5"];
const SCENARIOS: [&str; 6] = ["scenario0", "scenario1", "scenario2", "scenario3", "scenario4", "scenario5"];

impl Ink {
    const PLAIN: [(Ink, &'static str); 7] = [
        (Ink::Grid, "grid"),
        (Ink::Label, "label"),
        (Ink::Leak, "leak"),
        (Ink::Clean, "clean"),
        (Ink::Plateau, "plateau"),
        (Ink::Inconclusive, "inconclusive"),
        (Ink::NotJudged, "notjudged"),
    ];

    /// The style class, without its prefix.
    pub fn class(self) -> &'static str {
        match self {
            Ink::Series(n) => SERIES[n as usize % SERIES.len()],
            Ink::Scenario(n) => SCENARIOS[n as usize % SCENARIOS.len()],
            plain => Self::PLAIN.iter().find(|(ink, _)| *ink == plain).map_or("label", |(_, name)| name),
        }
    }

    fn code(self) -> u8 {
        match self {
            Ink::Series(n) => 32 + n % SERIES.len() as u8,
            Ink::Scenario(n) => 64 + n % SCENARIOS.len() as u8,
            plain => Self::PLAIN.iter().position(|(ink, _)| *ink == plain).unwrap_or(0) as u8,
        }
    }

    fn all() -> impl Iterator<Item = Ink> {
        Self::PLAIN
            .iter()
            .map(|(ink, _)| *ink)
            .chain((0..SERIES.len() as u8).map(Ink::Series))
            .chain((0..SCENARIOS.len() as u8).map(Ink::Scenario))
    }

    /// A colour that nothing else has, found again in the finished drawing.
    fn marker(self) -> RGBColor {
        RGBColor(1, 2, self.code())
    }
}

/// Where text hangs on its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    /// The point is left of the text.
    Start,
    /// The point is in the middle.
    Middle,
    /// The point is right of the text.
    End,
}

/// A sheet of `width` by `height` pixels.
pub(super) struct Sheet<'a> {
    chart: &'a str,
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

/// Draws `paint` on a sheet and returns its SVG element, which fills the width it is given.
pub(super) fn draw(
    chart: &str,
    label: &str,
    (width, height): (f64, f64),
    paint: impl FnOnce(&Sheet<'_>) -> Result<(), Error>,
) -> Result<String, Error> {
    let mut svg = String::new();
    let size = ((width * FINE) as u32, (height * FINE) as u32);
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let sheet = Sheet { chart, area };
        paint(&sheet)?;
        sheet.check(sheet.area.present())?;
    }
    let (_, body) = svg.split_once('>').unwrap_or(("", &svg));
    let mut body = body.replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", "").replace("\n", "");
    for ink in Ink::all() {
        let RGBColor(r, g, b) = ink.marker();
        let colour = format!("#{r:02X}{g:02X}{b:02X}");
        body = body
            .replace(&format!("fill=\"{colour}\""), &format!("class=\"pf p-{}\"", ink.class()))
            .replace(&format!("stroke=\"{colour}\""), &format!("class=\"ps p-{}\"", ink.class()));
    }
    let label = super::words::visible(label).replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    Ok(format!("<svg class=\"plot\" role=\"img\" aria-label=\"{label}\" viewBox=\"0 0 {} {}\">{body}", size.0, size.1))
}

impl Sheet<'_> {
    fn check<T, E: std::fmt::Display>(&self, outcome: Result<T, E>) -> Result<T, Error> {
        outcome.map_err(|error| Error::Chart { chart: self.chart.to_owned(), cause: error.to_string() })
    }

    /// A line through `points`.
    pub fn line(&self, points: &[(f64, f64)], ink: Ink, width: f64) -> Result<(), Error> {
        let style = ShapeStyle { color: ink.marker().into(), filled: false, stroke_width: (width * FINE) as u32 };
        self.check(self.area.draw(&PathElement::new(points.iter().map(fine).collect::<Vec<_>>(), style)))
    }

    /// A filled polygon.
    pub fn polygon(&self, points: &[(f64, f64)], ink: Ink, opacity: f64) -> Result<(), Error> {
        let style = ink.marker().mix(opacity).filled();
        self.check(self.area.draw(&Polygon::new(points.iter().map(fine).collect::<Vec<_>>(), style)))
    }

    /// A filled rectangle between two corners.
    pub fn rectangle(&self, from: (f64, f64), to: (f64, f64), ink: Ink, opacity: f64) -> Result<(), Error> {
        let style = ink.marker().mix(opacity).filled();
        self.check(self.area.draw(&Rectangle::new([fine(&from), fine(&to)], style)))
    }

    /// A dot, or a ring.
    pub fn dot(&self, at: (f64, f64), radius: f64, ink: Ink, filled: bool) -> Result<(), Error> {
        let style = ShapeStyle { color: ink.marker().into(), filled, stroke_width: (1.2 * FINE) as u32 };
        self.check(self.area.draw(&Circle::new(fine(&at), (radius * FINE) as i32, style)))
    }

    /// Text of `size` pixels, its middle at `at`'s height.
    pub fn text(&self, text: &str, at: (f64, f64), size: f64, ink: Ink, anchor: Anchor) -> Result<(), Error> {
        let position = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        // plotters divides the size by 1.24 on its way into the file.
        let colour = ink.marker();
        let style = TextStyle::from((FontFamily::SansSerif, size * FINE * 1.24).into_font())
            .color(&colour)
            .pos(Pos::new(position, VPos::Center));
        self.check(self.area.draw(&Text::new(super::words::visible(text), fine(&at), style)))
    }
}

fn fine((x, y): &(f64, f64)) -> (i32, i32) {
    ((x * FINE).round() as i32, (y * FINE).round() as i32)
}

/// A box with linear scales: from values to pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    /// Pixels of the left and right edge.
    pub x: (f64, f64),
    /// Pixels of the upper and lower edge.
    pub y: (f64, f64),
    /// Values at the left and right edge.
    pub across: (f64, f64),
    /// Values at the lower and upper edge.
    pub up: (f64, f64),
}

impl Frame {
    /// The pixel column of a value.
    pub fn px(&self, value: f64) -> f64 {
        scale(value, self.across, self.x)
    }

    /// The pixel row of a value.
    pub fn py(&self, value: f64) -> f64 {
        scale(value, (self.up.1, self.up.0), self.y)
    }
}

fn scale(value: f64, (from, to): (f64, f64), (a, b): (f64, f64)) -> f64 {
    if to == from { a } else { a + (value - from) / (to - from) * (b - a) }
}
