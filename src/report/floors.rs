//! The evidence itself: one plot for each metric and scenario that was judged. A dot a wave, the trend
//! that the verdict found with its 95% band, or the level at which growth stopped.

use super::axis::Axis;
use super::sheet::{Anchor, Frame, Ink, Sheet, draw};
use super::{Error, words};
use crate::analysis::result::{Finding, FloorRow, Per, RunResult, State, Unit};
use crate::model::median;
use crate::phrase::{bytes, grouped, significant};

/// How many plots stand open on the page; the others are folded away below them.
const OPEN: usize = 6;
const SIZE: (f64, f64) = (316.0, 152.0);

/// A card with one plot.
#[derive(Debug)]
pub(super) struct Card {
    /// `PHP heap`.
    pub title: String,
    /// The scenario, and the unit of the axis.
    pub of: String,
    /// The state in a word.
    pub state: &'static str,
    /// The state's style class.
    pub class: &'static str,
    /// The figure that the plot shows.
    pub caption: String,
    /// The drawing.
    pub svg: String,
}

/// The plots: those that stand open, then the others.
#[derive(Debug, Default)]
pub(super) struct Floors {
    /// Worth a look.
    pub open: Vec<Card>,
    /// The rest.
    pub folded: Vec<Card>,
}

/// Chooses and draws the plots. What leaks comes first, then what is not decided, what rose once, and
/// what is clean by the work it was tested with.
pub(super) fn floors(result: &RunResult) -> Result<Floors, Error> {
    let mut chosen: Vec<_> = result
        .findings
        .iter()
        .filter_map(|finding| {
            let (dots, work) = dots(result, finding);
            (dots.len() >= 2).then_some((finding, dots, work))
        })
        .collect();
    chosen.sort_by_key(|(finding, dots, _)| {
        let work = dots.last().map_or(0.0, |dot| dot.work);
        (rank(finding.state), std::cmp::Reverse(work as u64), finding.metric)
    });
    // Each metric's first of a state before anybody's second, so that what stands open tells most.
    let mut seen: Vec<(crate::model::Metric, State)> = Vec::new();
    let mut rounds = Vec::new();
    for (finding, dots, work) in chosen {
        let key = (finding.metric, finding.state);
        let round = seen.iter().filter(|known| **known == key).count();
        seen.push(key);
        rounds.push((if is_story(finding.state) { round } else { usize::MAX }, finding, dots, work));
    }
    rounds.sort_by_key(|(round, ..)| *round);
    let stories = rounds.iter().filter(|(_, finding, ..)| is_story(finding.state)).count();
    let open = stories.clamp(3, OPEN).min(rounds.len());
    let cards = rounds.iter().map(|(_, finding, dots, work)| card(finding, dots, work));
    let mut cards = cards.collect::<Result<Vec<_>, _>>()?;
    let folded = cards.split_off(open);
    Ok(Floors { open: cards, folded })
}

fn is_story(state: State) -> bool {
    matches!(state, State::Leak | State::Inconclusive | State::Plateau)
}

fn rank(state: State) -> u8 {
    match state {
        State::Leak => 0,
        State::Inconclusive => 1,
        State::Plateau => 2,
        State::Clean => 3,
        State::NotJudged => 4,
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Dot {
    wave: u32,
    work: f64,
    value: f64,
}

/// The floors of a finding by the work that it is counted against, and what that work is.
fn dots(result: &RunResult, finding: &Finding) -> (Vec<Dot>, &'static str) {
    let rows = || result.floors_of(finding);
    let per = finding.growth.map(|growth| growth.per).filter(|per| *per != Per::Hour);
    let work = match per {
        Some(Per::Messages) => "messages",
        Some(_) => "sessions",
        None if rows().any(|row| row.messages > 0) => "messages",
        None if rows().any(|row| row.sessions > 0) => "sessions",
        // No work was done, as in the idle scenario: the looks themselves are counted.
        None => "waves",
    };
    let done = |row: &FloorRow| match work {
        "messages" => row.messages as f64,
        "sessions" => row.sessions as f64,
        _ => f64::from(row.wave),
    };
    let finite = rows().filter(|row| row.value.is_finite());
    let mut dots: Vec<Dot> = finite.map(|row| Dot { wave: row.wave, work: done(row), value: row.value }).collect();
    dots.sort_by_key(|dot| dot.wave);
    (dots, work)
}

fn card(finding: &Finding, dots: &[Dot], work: &str) -> Result<Card, Error> {
    let (unit, _) = words::measure(finding);
    let axis = axis(unit, dots);
    let name = words::metric(finding.metric);
    let scenario = words::visible(&finding.scenario);
    let of = if axis.unit.is_empty() { scenario } else { format!("{scenario}, {}", axis.unit) };
    let caption = caption(finding, dots, unit);
    let chart = format!("{name} after {}", words::visible(&finding.scenario));
    let label = format!("{chart}: {}. {caption}", words::state(finding));
    let svg = draw(&chart, &label, SIZE, |sheet| paint(sheet, finding, dots, &axis, work))?;
    let (state, class) = if finding.accepted.is_some() {
        ("accepted", "notjudged")
    } else {
        (words::state(finding), words::state_class(finding.state))
    };
    Ok(Card { title: name.to_owned(), of, state, class, caption, svg })
}

/// The axis covers the floors, and never so little that noise would look like growth.
fn axis(unit: Unit, dots: &[Dot]) -> Axis {
    let low = dots.iter().map(|dot| dot.value).fold(f64::INFINITY, f64::min);
    let high = dots.iter().map(|dot| dot.value).fold(f64::NEG_INFINITY, f64::max);
    let least = if unit == Unit::Bytes { (high * 0.02).max(32.0 * 1024.0) } else { 4.0 };
    let spare = ((least - (high - low)) / 2.0).max((high - low) * 0.04);
    let floor = if low >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
    let (low, high) = ((low - spare).max(floor), high + spare);
    if unit == Unit::Bytes { Axis::memory(low, high, 3) } else { Axis::count(low, high, 3) }
}

fn caption(finding: &Finding, dots: &[Dot], unit: Unit) -> String {
    let amount = |value: f64| if unit == Unit::Bytes { bytes(value) } else { significant(value) };
    match (finding.state, finding.growth) {
        (_, Some(growth)) if finding.is_bounded_by_restarts() => {
            format!("{} within one worker's lifetime, bounded by restarts", words::growth(growth))
        }
        (State::Plateau, _) => {
            let still = still_from(dots);
            let rise = dots[still].value - dots[0].value;
            let sign = if rise >= 0.0 { "+" } else { "" };
            format!("{sign}{} by wave {}, then still", amount(rise), dots[still].wave)
        }
        (State::Clean, _) => match words::missed(finding) {
            Some(limit) => format!("flat; below {limit} would not show"),
            None => "flat".to_owned(),
        },
        (_, Some(growth)) => {
            let interval = finding.ci95.map(|ci| format!(" ({})", words::interval(ci, growth.unit, growth.per)));
            format!("{}{}", words::growth(growth), interval.unwrap_or_default())
        }
        (_, None) => format!("{} waves", dots.len()),
    }
}

fn ink(state: State) -> Ink {
    match state {
        State::Leak => Ink::Leak,
        State::Clean => Ink::Clean,
        State::Plateau => Ink::Plateau,
        State::Inconclusive => Ink::Inconclusive,
        State::NotJudged => Ink::NotJudged,
    }
}

fn paint(sheet: &Sheet<'_>, finding: &Finding, dots: &[Dot], axis: &Axis, work: &str) -> Result<(), Error> {
    let last = dots.iter().map(|dot| dot.work).fold(0.0, f64::max);
    let margin = 10.0 + axis.ticks.iter().map(|&tick| axis.label(tick).len()).max().unwrap_or(1) as f64 * 6.0;
    let frame = Frame {
        x: (margin, SIZE.0 - 8.0),
        y: (8.0, SIZE.1 - 24.0),
        across: (0.0, if last > 0.0 { last * 1.02 } else { 1.0 }),
        up: axis.range,
    };
    for &tick in &axis.ticks {
        let y = frame.py(tick);
        sheet.line(&[(frame.x.0, y), (frame.x.1, y)], Ink::Grid, 1.0)?;
        sheet.text(&axis.label(tick), (frame.x.0 - 6.0, y), 10.0, Ink::Label, Anchor::End)?;
    }
    sheet.text("0", (frame.x.0, SIZE.1 - 9.0), 10.0, Ink::Label, Anchor::Start)?;
    let end = format!("{} {work}", grouped(last as u64));
    sheet.text(&end, (frame.x.1, SIZE.1 - 9.0), 10.0, Ink::Label, Anchor::End)?;

    let ink = ink(finding.state);
    match finding.state {
        _ if finding.lives => {}
        State::Leak | State::Inconclusive => trend(sheet, finding, dots, &frame, ink)?,
        State::Plateau | State::Clean => level(sheet, finding, dots, &frame, ink)?,
        State::NotJudged => {}
    }
    for dot in dots {
        // Wave 0 stands before the load and is not judged: a ring.
        sheet.dot((frame.px(dot.work), frame.py(dot.value)), 2.6, ink, dot.wave > 0)?;
    }
    Ok(())
}

/// The fitted line through the later three quarters of the work, and the band between the limits of its
/// slope, turned about the middle of what was judged.
fn trend(sheet: &Sheet<'_>, finding: &Finding, dots: &[Dot], frame: &Frame, ink: Ink) -> Result<(), Error> {
    let Some(growth) = finding.growth.filter(|growth| growth.per != Per::Hour) else { return Ok(()) };
    let last = dots.last().map_or(0.0, |dot| dot.work);
    let judged: Vec<&Dot> = dots.iter().filter(|dot| dot.wave > 0 && dot.work >= last / 4.0).collect();
    let Some(first) = judged.first().map(|dot| dot.work) else { return Ok(()) };
    let slope = growth.value / 1000.0;
    let middle = median(&mut judged.iter().map(|dot| dot.work).collect::<Vec<f64>>());
    let height = median(&mut judged.iter().map(|dot| dot.value - slope * (dot.work - middle)).collect::<Vec<f64>>());
    let at = |slope: f64, work: f64| {
        let value = height + slope * (work - middle);
        (frame.px(work), frame.py(value).clamp(frame.y.0, frame.y.1))
    };
    if let Some([low, high]) = finding.ci95 {
        let (low, high) = (low / 1000.0, high / 1000.0);
        let band = [at(low, first), at(low, middle), at(high, last), at(low, last), at(low, middle), at(high, first)];
        sheet.polygon(&[band[0], band[5], (band[1].0, band[1].1)], ink, 0.16)?;
        sheet.polygon(&[(band[1].0, band[1].1), band[2], band[3]], ink, 0.16)?;
    }
    sheet.line(&[at(slope, first), at(slope, last)], ink, 1.4)
}

/// The band in which the floors stand from where growth stopped.
fn level(sheet: &Sheet<'_>, finding: &Finding, dots: &[Dot], frame: &Frame, ink: Ink) -> Result<(), Error> {
    let from = if finding.state == State::Plateau { still_from(dots) } else { dots.len().min(2) - 1 };
    let still = &dots[from..];
    let low = still.iter().map(|dot| dot.value).fold(f64::INFINITY, f64::min);
    let high = still.iter().map(|dot| dot.value).fold(f64::NEG_INFINITY, f64::max);
    let left = frame.px(still[0].work) - 4.0;
    let right = frame.px(still[still.len() - 1].work) + 4.0;
    // At least as high as a dot, so that a level to the byte is seen as one.
    let middle = (frame.py(low) + frame.py(high)) / 2.0;
    let half = ((frame.py(low) - frame.py(high)) / 2.0 + 2.0).max(5.0);
    let top = (middle - half).max(frame.y.0);
    let bottom = (middle + half).min(frame.y.1 + 4.0);
    sheet.rectangle((left.max(frame.x.0), top), (right.min(frame.x.1 + 4.0), bottom), ink, 0.14)
}

/// The first dot from which on all stand within the range of the later half, widened by its own height.
fn still_from(dots: &[Dot]) -> usize {
    let later = &dots[dots.len() / 2..];
    let low = later.iter().map(|dot| dot.value).fold(f64::INFINITY, f64::min);
    let high = later.iter().map(|dot| dot.value).fold(f64::NEG_INFINITY, f64::max);
    let rise = high - dots[0].value;
    let slack = (high - low).max(rise.abs() * 0.05);
    let outside = dots.iter().rposition(|dot| dot.value < low - slack || dot.value > high + slack);
    outside.map_or(0, |at| (at + 1).min(dots.len() - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(values: &[f64]) -> Vec<Dot> {
        values.iter().enumerate().map(|(i, &value)| Dot { wave: i as u32, work: i as f64 * 100.0, value }).collect()
    }

    #[test]
    fn a_plateau_starts_where_growth_stopped() {
        assert_eq!(still_from(&line(&[20.0, 23.5, 25.4, 25.4, 25.5, 25.4, 25.5, 25.5])), 2);
        assert_eq!(still_from(&line(&[5.0, 5.0, 5.0, 5.0])), 0);
        assert_eq!(still_from(&line(&[1.0, 9.0])), 1);
    }

    #[test]
    fn a_flat_heap_gets_an_axis_that_keeps_it_flat() {
        let axis = axis(Unit::Bytes, &line(&[2_097_152.0, 2_097_160.0, 2_097_152.0]));
        assert!(axis.range.1 - axis.range.0 >= 32.0 * 1024.0);
        let none = super::axis(Unit::Sockets, &line(&[0.0, 0.0, 0.0]));
        assert!(none.range.0 >= 0.0, "no negative counts on the axis");
    }
}
