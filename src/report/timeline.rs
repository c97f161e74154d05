//! What happened when: charts with one time axis, waves shaded by scenario, and the points that the
//! page's cursor reads.

use serde::Serialize;

use super::axis::Axis;
use super::sheet::{Anchor, Frame, Ink, Sheet, draw};
use super::{Error, words};
use crate::analysis::result::{RunResult, State};
use crate::analysis::view::{RunView, Track};
use crate::model::{Metric, Pass};

/// The timeline as the page shows it.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// Names and styles of the lines.
    pub legend: Vec<Legend>,
    /// For wide and for narrow screens.
    pub wide: String,
    /// The same, drawn anew for a narrow screen.
    pub narrow: String,
    /// Points, waves and geometry for the cursor.
    pub data: String,
}

/// A line's name.
#[derive(Debug)]
pub(super) struct Legend {
    /// As readers know it.
    pub name: String,
    /// It is memory.
    pub bytes: bool,
    /// Style class of its colour.
    pub class: &'static str,
}

/// How the same charts are laid out on one kind of screen.
struct Layout {
    width: f64,
    left: f64,
    heights: [f64; 4],
    gap: f64,
    top: f64,
    ticks_up: usize,
    ticks_across: usize,
    font: f64,
    columns: usize,
}

const WIDE: Layout = Layout {
    width: 1046.0,
    left: 60.0,
    heights: [84.0, 76.0, 84.0, 72.0],
    gap: 16.0,
    top: 34.0,
    ticks_up: 3,
    ticks_across: 8,
    font: 10.5,
    columns: 480,
};

const NARROW: Layout = Layout {
    width: 328.0,
    left: 58.0,
    heights: [108.0, 96.0, 100.0, 88.0],
    gap: 16.0,
    top: 34.0,
    ticks_up: 3,
    ticks_across: 4,
    font: 10.0,
    columns: 150,
};

const RIGHT: f64 = 8.0;
const FOOT: f64 = 20.0;

struct Chart<'a> {
    tracks: Vec<(&'a Track, Ink)>,
    axis: Axis,
}

#[derive(Serialize)]
struct Shade<'a> {
    scenario: &'a str,
    wave: u32,
    begin: f64,
    end: f64,
}

#[derive(Serialize)]
struct Line<'a> {
    name: String,
    unit: &'a str,
    points: Vec<(f64, f64)>,
}

#[derive(Serialize)]
struct Data<'a> {
    from: f64,
    to: f64,
    wide: (f64, f64),
    narrow: (f64, f64),
    waves: Vec<Shade<'a>>,
    lines: Vec<Line<'a>>,
}

/// Draws the timeline; nothing where there are no series.
pub(super) fn timeline(view: &RunView) -> Result<Option<Timeline>, Error> {
    let tracks: Vec<&Track> = view.timeline.tracks.iter().filter(|track| !track.points.is_empty()).collect();
    let times = || tracks.iter().flat_map(|track| track.points.iter().map(|point| point.0));
    let waves = shades(&view.result);
    let from = times().chain(waves.iter().map(|wave| wave.begin)).fold(f64::INFINITY, f64::min).max(0.0);
    let to = times().chain(waves.iter().map(|wave| wave.end)).fold(f64::NEG_INFINITY, f64::max);
    if tracks.is_empty() || from >= to {
        return Ok(None);
    }
    // The launch belongs to the picture unless it lies far behind.
    let from = if from < to * 0.2 { 0.0 } else { from };
    let inks = inks(&view.result, &tracks);
    let of = |at: usize| tracks.iter().zip(&inks).filter(|(t, _)| panel(t) == at).map(|(t, i)| (*t, *i)).collect();
    let charts: Vec<(usize, Vec<(&Track, Ink)>)> = (0..WIDE.heights.len()).map(|at| (at, of(at))).collect();
    let paint = |layout: &Layout| -> Result<String, Error> {
        let charts: Vec<(f64, Chart<'_>)> = charts
            .iter()
            .filter(|(_, tracks)| !tracks.is_empty())
            .map(|(n, tracks)| (layout.heights[*n], chart(tracks, layout)))
            .collect();
        let height = layout.top
            + charts.iter().map(|(height, _)| height).sum::<f64>()
            + layout.gap * (charts.len() - 1) as f64
            + FOOT;
        draw("timeline", &label(&tracks, &waves), (layout.width, height), |sheet| {
            all(sheet, layout, &charts, &waves, (from, to))
        })
    };
    let data = Data {
        from,
        to,
        wide: (WIDE.left / WIDE.width, (WIDE.width - RIGHT) / WIDE.width),
        narrow: (NARROW.left / NARROW.width, (NARROW.width - RIGHT) / NARROW.width),
        lines: tracks
            .iter()
            .map(|track| Line {
                name: name(&track.name),
                unit: &track.unit,
                points: thin(&track.points, (from, to), 300).iter().map(|&(t, v)| (round(t), round(v))).collect(),
            })
            .collect(),
        waves: view
            .result
            .waves
            .iter()
            .filter(|wave| wave.pass == Pass::Measure)
            .map(|w| Shade { scenario: &w.scenario, wave: w.wave, begin: round(w.begin), end: round(w.end) })
            .collect(),
    };
    Ok(Some(Timeline {
        legend: tracks
            .iter()
            .zip(&inks)
            .map(|(t, ink)| Legend { name: name(&t.name), bytes: t.unit == "bytes", class: ink.class() })
            .collect(),
        wide: paint(&WIDE)?,
        narrow: paint(&NARROW)?,
        data: super::embed::script_json(&data)?,
    }))
}

/// Which chart a line stands in: PHP's heap is small beside the resident memory, and would be a flat line on its axis.
fn panel(track: &Track) -> usize {
    match (track.name.as_str(), track.unit.as_str()) {
        ("heap", _) => 1,
        (_, "bytes") => 0,
        (_, "count") => 2,
        _ => 3,
    }
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn name(track: &str) -> String {
    match track {
        "rss" => "RSS".to_owned(),
        "heap" => "PHP heap".to_owned(),
        "fd" => "descriptors".to_owned(),
        other => words::visible(other),
    }
}

/// The line that shows a leak best takes the leak's colour, one in each chart: the heap before RSS, which
/// grows with it, and CLOSE_WAIT before all descriptors. The others have a colour of their own, the same
/// in each report.
fn inks(result: &RunResult, tracks: &[&Track]) -> Vec<Ink> {
    let leaks = |metric: Metric| result.findings.iter().any(|f| f.state == State::Leak && f.metric == metric);
    let mut spare = 4;
    let there = |name: &str| tracks.iter().any(|track| track.name == name);
    let heap = leaks(Metric::Heap) && there("heap");
    let sockets = leaks(Metric::Sockets) && there("CLOSE_WAIT");
    tracks
        .iter()
        .map(|track| match track.name.as_str() {
            "heap" if heap => Ink::Leak,
            "rss" if leaks(Metric::Rss) && !heap => Ink::Leak,
            "CLOSE_WAIT" if sockets => Ink::Leak,
            "fd" if leaks(Metric::Fd) && !sockets => Ink::Leak,
            "rss" | "fd" => Ink::Series(0),
            "heap" => Ink::Series(1),
            "ESTABLISHED" => Ink::Series(2),
            "messages/s" => Ink::Series(3),
            _ => {
                spare += 1;
                Ink::Series(spare - 1)
            }
        })
        .collect()
}

struct Wave {
    scenario: String,
    begin: f64,
    end: f64,
    ink: Ink,
    opens: bool,
}

/// The waves of the measure pass, in order of time; the first of a scenario opens it.
fn shades(result: &RunResult) -> Vec<Wave> {
    let mut names: Vec<&str> = Vec::new();
    let mut waves: Vec<_> = result
        .waves
        .iter()
        .filter(|wave| wave.pass == Pass::Measure && wave.begin.is_finite() && wave.end > wave.begin)
        .collect();
    waves.sort_by(|a, b| a.begin.total_cmp(&b.begin));
    let mut before = None;
    waves
        .iter()
        .map(|wave| {
            let at = names.iter().position(|name| *name == wave.scenario).unwrap_or_else(|| {
                names.push(&wave.scenario);
                names.len() - 1
            });
            let opens = before.replace(wave.scenario.as_str()) != Some(wave.scenario.as_str());
            let scenario = words::visible(&wave.scenario);
            Wave { scenario, begin: wave.begin, end: wave.end, ink: Ink::Scenario(at as u8), opens }
        })
        .collect()
}

fn label(tracks: &[&Track], waves: &[Wave]) -> String {
    let names: Vec<String> = tracks.iter().map(|track| name(&track.name)).collect();
    let scenarios: Vec<&str> = waves.iter().filter(|wave| wave.opens).map(|wave| wave.scenario.as_str()).collect();
    format!("{} over time; load: {}", names.join(", "), scenarios.join(", "))
}

fn chart<'a>(tracks: &[(&'a Track, Ink)], layout: &Layout) -> Chart<'a> {
    let high = tracks
        .iter()
        .flat_map(|(track, _)| track.points.iter().map(|point| point.1))
        .filter(|value| value.is_finite())
        .fold(0.0, f64::max);
    let low = tracks.iter().flat_map(|(track, _)| &track.points).map(|point| point.1).fold(f64::INFINITY, f64::min);
    let axis = if tracks.iter().all(|(track, _)| panel(track) == 1) {
        // From its lowest floor on, and never over so little that noise would look like growth.
        let spare = ((high * 0.05).max(65_536.0) - (high - low)).max(0.0) / 2.0;
        Axis::memory((low - spare).max(0.0), high + spare, layout.ticks_up)
    } else if tracks.iter().any(|(track, _)| track.unit == "bytes") {
        Axis::memory(0.0, high.max(1024.0), layout.ticks_up)
    } else {
        Axis::count(0.0, high.max(1.0), layout.ticks_up)
    };
    Chart { tracks: tracks.to_vec(), axis }
}

fn all(
    sheet: &Sheet<'_>,
    layout: &Layout,
    charts: &[(f64, Chart<'_>)],
    waves: &[Wave],
    across: (f64, f64),
) -> Result<(), Error> {
    let x = (layout.left, layout.width - RIGHT);
    let mut top = layout.top;
    let mut last = Frame { x, y: (0.0, 0.0), across, up: (0.0, 1.0) };
    for (height, chart) in charts {
        let frame = Frame { x, y: (top, top + height), across, up: chart.axis.range };
        for wave in waves {
            let (left, right) = (frame.px(wave.begin), frame.px(wave.end));
            sheet.rectangle((left, frame.y.0), (right.max(left + 0.5), frame.y.1), wave.ink, 0.14)?;
        }
        grid(sheet, layout, &frame, &chart.axis)?;
        for (track, ink) in &chart.tracks {
            let points: Vec<(f64, f64)> = thin(&track.points, across, layout.columns)
                .into_iter()
                .map(|(t, v)| (frame.px(t), frame.py(v).clamp(frame.y.0, frame.y.1)))
                .collect();
            sheet.line(&points, *ink, 1.3)?;
        }
        top += height + layout.gap;
        last = frame;
    }
    names(sheet, layout, waves, &last)?;
    seconds(sheet, layout, &last)
}

fn grid(sheet: &Sheet<'_>, layout: &Layout, frame: &Frame, axis: &Axis) -> Result<(), Error> {
    let top = axis.ticks.len() - 1;
    for (n, &tick) in axis.ticks.iter().enumerate() {
        let y = frame.py(tick);
        sheet.line(&[(frame.x.0, y), (frame.x.1, y)], Ink::Grid, 1.0)?;
        let text = axis.label(tick);
        // The unit stands once, at the top of the axis.
        let text = if n == top { format!("{text} {}", axis.unit) } else { text };
        sheet.text(text.trim_end(), (frame.x.0 - 6.0, y), layout.font, Ink::Label, Anchor::End)?;
    }
    Ok(())
}

/// Names of the scenarios above their first wave; on a second line where the first is taken, and left
/// out where both are.
fn names(sheet: &Sheet<'_>, layout: &Layout, waves: &[Wave], frame: &Frame) -> Result<(), Error> {
    let lines = if layout.top > 30.0 { 2 } else { 1 };
    let mut free = [f64::NEG_INFINITY; 2];
    for wave in waves.iter().filter(|wave| wave.opens) {
        let width = wave.scenario.chars().count() as f64 * layout.font * 0.58;
        let left = frame.px(wave.begin).min(frame.x.1 - width).max(frame.x.0);
        if let Some(line) = (0..lines).find(|&line| free[line] <= left) {
            let y = layout.top - 8.0 - line as f64 * 13.0;
            sheet.text(&wave.scenario, (left, y), layout.font, wave.ink, Anchor::Start)?;
            free[line] = left + width + 8.0;
        }
    }
    Ok(())
}

fn seconds(sheet: &Sheet<'_>, layout: &Layout, frame: &Frame) -> Result<(), Error> {
    let axis = Axis::seconds(frame.across.0, frame.across.1, layout.ticks_across);
    let y = frame.y.1 + 13.0;
    for &tick in axis.ticks.iter().filter(|tick| (frame.across.0..=frame.across.1).contains(*tick)) {
        let x = frame.px(tick);
        let anchor = if x < frame.x.0 + 12.0 {
            Anchor::Start
        } else if x > frame.x.1 - 16.0 {
            Anchor::End
        } else {
            Anchor::Middle
        };
        sheet.text(&format!("{} s", axis.label(tick)), (x, y), layout.font, Ink::Label, anchor)?;
    }
    Ok(())
}

/// At most four points for each of `columns` equal stretches of time: the first, the lowest, the highest
/// and the last, so that no peak is lost.
fn thin(points: &[(f64, f64)], (from, to): (f64, f64), columns: usize) -> Vec<(f64, f64)> {
    if points.len() <= columns * 2 {
        return points.iter().copied().filter(|point| point.1.is_finite()).collect();
    }
    let column = |t: f64| (((t - from) / (to - from)).clamp(0.0, 1.0) * columns as f64) as usize;
    let mut out = Vec::with_capacity(columns * 4);
    for stretch in points.chunk_by(|a, b| column(a.0) == column(b.0)) {
        let finite = || stretch.iter().enumerate().filter(|(_, point)| point.1.is_finite());
        let Some((first, _)) = finite().next() else { continue };
        let last = finite().next_back().map_or(first, |(at, _)| at);
        let low = finite().min_by(|a, b| a.1.1.total_cmp(&b.1.1)).map_or(first, |(at, _)| at);
        let high = finite().max_by(|a, b| a.1.1.total_cmp(&b.1.1)).map_or(first, |(at, _)| at);
        let mut kept = [first, low, high, last];
        kept.sort_unstable();
        let mut before = None;
        for at in kept {
            if before.replace(at) != Some(at) {
                out.push(stretch[at]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_every_peak() {
        let points: Vec<(f64, f64)> =
            (0..10_000).map(|i| (f64::from(i), if i == 5_003 { 99.0 } else { 1.0 })).collect();
        let thinned = thin(&points, (0.0, 10_000.0), 100);
        assert!(thinned.len() <= 404, "{}", thinned.len());
        assert!(thinned.contains(&(5_003.0, 99.0)));
        assert!(thinned.windows(2).all(|pair| pair[0].0 < pair[1].0), "still in order of time");
    }
}
