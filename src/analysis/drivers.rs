//! Growth by what drives it: all waves of a run, whatever their scenario, fitted together. Scenarios differ in how many
//! messages a session has, in their lengths and their times; where they do not differ enough, that is said.

use std::collections::BTreeMap;

use super::result::{FloorRow, LoadRow, Metric, Pass, RowPass, RunResult, WaveRow};
use crate::model::plan::Plan;
use crate::model::{Driven, Driver, Drivers, NotParted, median};
use crate::verdict::student::quantile_975;

/// Waves more than there are figures to be told, at least.
const SPARE: usize = 4;
/// Of a column, the share that the others do not tell, from which on it is parted from them.
const APART: f64 = 0.1;
/// A container that doubles is no part of what each wave keeps: a wave so many median deviations off is left out, but no
/// more than one in five.
const OFF: f64 = 6.0;
const MOST_OFF: f64 = 0.2;

/// What was done in a wave, by driver, and the bytes that it left.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Row {
    done: [f64; 5],
    grown: f64,
}

/// Fits PHP's heap, or where there is none the memory of the whole tree; nothing where there are too few waves.
pub fn drivers(result: &RunResult, plan: &Plan) -> Option<Drivers> {
    [Metric::Heap, Metric::Rss].into_iter().find_map(|metric| {
        let (mut rows, parted) = (rows(result, plan, metric), |rows: &[Row]| columns(rows));
        let (chosen, _) = parted(&rows);
        if rows.len() < chosen.len() + SPARE || chosen.is_empty() {
            return None;
        }
        let fitted = fit(&rows, &chosen);
        leave_out(&mut rows, &fitted.left);
        let (mut chosen, not_parted) = parted(&rows);
        let fitted = fit_grown(&rows, &mut chosen);
        let by = chosen.iter().zip(&fitted.values).map(|(column, (value, reach))| Driven {
            driver: Driver::ALL[*column],
            value: *value,
            ci95: [value - reach, value + reach],
        });
        Some(Drivers { metric, waves: rows.len() as u64, by: by.collect(), not_parted })
    })
}

/// The waves behind the first of each scenario: that one compiles and warms up. Where a process was replaced no two floors
/// tell what a wave left.
fn rows(result: &RunResult, plan: &Plan, metric: Metric) -> Vec<Row> {
    let mut floors: BTreeMap<(&str, u32), BTreeMap<&str, &FloorRow>> = BTreeMap::new();
    for floor in &result.floors {
        floors.entry((&floor.scenario, floor.wave)).or_default().insert(&floor.metric, floor);
    }
    let replaced = |scenario: &str| {
        result.findings.iter().any(|finding| finding.scenario == scenario && finding.metric == metric && finding.lives)
    };
    let value = |at: &BTreeMap<&str, &FloorRow>| {
        let garbage = at.get("heap_garbage").filter(|_| metric == Metric::Heap).map_or(0.0, |row| row.value);
        at.get(metric.name()).map(|row| row.value - garbage)
    };
    let at_rest = |scenario: &str, wave: u32| {
        let of = |row: &&WaveRow| row.pass == Pass::Measure && row.scenario == scenario && row.wave == wave;
        result.waves.iter().find(of).map(|row| row.end + row.settle)
    };
    let bytes = |scenario: &str, wave: u32| {
        let of = |row: &&LoadRow| row.pass == RowPass::Measure && row.scenario == scenario && row.wave == Some(wave);
        result.load.iter().find(of).map_or(0, |row| row.bytes) as f64
    };
    let row = |((scenario, wave), now): (&(&str, u32), &BTreeMap<&str, &FloorRow>)| {
        let before = floors.get(&(*scenario, wave.checked_sub(1)?)).filter(|_| *wave > 1 && !replaced(scenario))?;
        let (work, earlier) = (now.values().next()?, before.values().next()?);
        let messages = work.messages.checked_sub(earlier.messages)? as f64;
        let sessions = work.sessions.checked_sub(earlier.sessions)? as f64;
        let recipients =
            plan.scenarios.iter().find(|known| known.name == *scenario).map_or(1, |known| known.recipients);
        let hours = (at_rest(scenario, *wave)? - at_rest(scenario, wave - 1)?) / 3600.0;
        Some(Row {
            done: [sessions, messages, messages * f64::from(recipients), bytes(scenario, *wave), hours],
            grown: value(now)? - value(before)?,
        })
    };
    floors.iter().filter_map(row).collect()
}

/// The columns that can be told apart, and the others with the one that each is most like.
fn columns(rows: &[Row]) -> (Vec<usize>, Vec<NotParted>) {
    let (mut chosen, mut units, mut not_parted) = (Vec::new(), Vec::<Vec<f64>>::new(), Vec::new());
    for column in 0..Driver::ALL.len() {
        let whole: Vec<f64> = rows.iter().map(|row| row.done[column]).collect();
        let length = norm(&whole);
        if length == 0.0 {
            continue;
        }
        let mut rest = whole.clone();
        for unit in &units {
            let part = dot(&rest, unit);
            rest.iter_mut().zip(unit).for_each(|(value, unit)| *value -= part * unit);
        }
        let own = norm(&rest);
        if own < APART * length {
            let like = |other: &&usize| {
                let other: Vec<f64> = rows.iter().map(|row| row.done[**other]).collect();
                dot(&whole, &other) / norm(&other)
            };
            let from = chosen.iter().max_by(|a, b| like(a).total_cmp(&like(b)));
            not_parted
                .extend(from.map(|from: &usize| NotParted { driver: Driver::ALL[column], from: Driver::ALL[*from] }));
            continue;
        }
        rest.iter_mut().for_each(|value| *value /= own);
        units.push(rest);
        chosen.push(column);
    }
    (chosen, not_parted)
}

/// A fit: of each column the bytes for one and how far the interval reaches, and of each row what is left over.
struct Fit {
    values: Vec<(f64, f64)>,
    left: Vec<f64>,
}

/// The least squares, by orthogonal columns.
fn fit(rows: &[Row], chosen: &[usize]) -> Fit {
    let (many, grown) = (chosen.len(), rows.iter().map(|row| row.grown).collect::<Vec<_>>());
    let mut units: Vec<Vec<f64>> = Vec::new();
    // The upper triangle by which the columns are made of the units.
    let mut parts = vec![vec![0.0; many]; many];
    for (at, column) in chosen.iter().enumerate() {
        let mut rest: Vec<f64> = rows.iter().map(|row| row.done[*column]).collect();
        for (before, unit) in units.iter().enumerate() {
            let part = dot(&rest, unit);
            parts[before][at] = part;
            rest.iter_mut().zip(unit).for_each(|(value, unit)| *value -= part * unit);
        }
        parts[at][at] = norm(&rest);
        rest.iter_mut().for_each(|value| *value /= parts[at][at]);
        units.push(rest);
    }
    let along: Vec<f64> = units.iter().map(|unit| dot(&grown, unit)).collect();
    let solve = |right: &[f64]| {
        let mut found = vec![0.0; many];
        for at in (0..many).rev() {
            let known: f64 = (at + 1..many).map(|other| parts[at][other] * found[other]).sum();
            found[at] = (right[at] - known) / parts[at][at];
        }
        found
    };
    let values = solve(&along);
    let told = |row: &Row| chosen.iter().zip(&values).map(|(column, value)| row.done[*column] * value).sum::<f64>();
    let left: Vec<f64> = rows.iter().map(|row| row.grown - told(row)).collect();
    let freedom = rows.len().saturating_sub(many).max(1);
    let variance = dot(&left, &left) / freedom as f64;
    let reach = quantile_975(freedom as f64);
    // The inverse of the triangle, a column at a time: its rows tell how far each value may be off.
    let mut spread = vec![0.0; many];
    for at in 0..many {
        let one: Vec<f64> = (0..many).map(|other| f64::from(u8::from(other == at))).collect();
        solve(&one).iter().zip(&mut spread).for_each(|(value, spread)| *spread += value * value);
    }
    let values = values.into_iter().zip(&spread).map(|(value, spread)| (value, reach * (variance * spread).sqrt()));
    Fit { values: values.collect(), left }
}

/// The same without what would take memory back: no work does, so that a column which comes out below 0 for sure tells of
/// something else.
fn fit_grown(rows: &[Row], chosen: &mut Vec<usize>) -> Fit {
    loop {
        let fitted = fit(rows, chosen);
        let high = |at: &usize| fitted.values[*at].0 + fitted.values[*at].1;
        let lowest = (0..chosen.len()).filter(|at| high(at) < 0.0).min_by(|a, b| {
            let far = |at: &usize| fitted.values[*at].0 / fitted.values[*at].1.max(1e-9);
            far(a).total_cmp(&far(b))
        });
        match lowest {
            Some(at) if chosen.len() > 1 => drop(chosen.remove(at)),
            _ => return fitted,
        }
    }
}

fn leave_out(rows: &mut Vec<Row>, left: &[f64]) {
    let off = |values: &[f64]| median(&mut values.iter().map(|value| value.abs()).collect::<Vec<_>>());
    let bound = OFF * off(left).max(1.0);
    let mut far: Vec<usize> = (0..rows.len()).filter(|at| left[*at].abs() > bound).collect();
    far.sort_by(|a, b| left[*b].abs().total_cmp(&left[*a].abs()));
    far.truncate((rows.len() as f64 * MOST_OFF) as usize);
    let mut at = 0;
    rows.retain(|_| {
        at += 1;
        !far.contains(&(at - 1))
    });
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

fn norm(column: &[f64]) -> f64 {
    dot(column, column).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waves of two scenarios: sessions of one message each, and sessions without any.
    fn waves(grown: impl Fn(&[f64; 5]) -> f64) -> Vec<Row> {
        let row = |at: usize, messages: f64| {
            let sessions = 800.0 + 37.0 * (at * at % 11) as f64;
            let messages = sessions * messages;
            let done = [sessions, messages, messages, messages * 400.0, 0.001 + 0.0005 * (at * 7 % 5) as f64];
            Row { done, grown: grown(&done) }
        };
        (0..9).map(|at| row(at, 1.0)).chain((0..9).map(|at| row(at + 3, 0.0))).collect()
    }

    fn fitted(rows: &[Row]) -> (Vec<(Driver, f64, f64)>, Vec<NotParted>) {
        let (chosen, not_parted) = columns(rows);
        let values = fit(rows, &chosen).values;
        let of = |(column, (value, reach)): (&usize, &(f64, f64))| (Driver::ALL[*column], *value, *reach);
        (chosen.iter().zip(&values).map(of).collect(), not_parted)
    }

    #[test]
    fn what_two_scenarios_tell_apart_is_told_apart() {
        let (by, not_parted) = fitted(&waves(|done| 640.0 * done[0] + 1024.0 * done[1]));
        let told = |driver| by.iter().find(|one| one.0 == driver).map(|one| one.1.round());
        assert_eq!(
            (told(Driver::Session), told(Driver::Message), told(Driver::Hour)),
            (Some(640.0), Some(1024.0), Some(0.0))
        );
        let pair = |driver| NotParted { driver, from: Driver::Message };
        assert_eq!(not_parted, [pair(Driver::Recipient), pair(Driver::Byte)]);
    }

    #[test]
    fn one_scenario_does_not_part_sessions_from_messages() {
        let (by, not_parted) = fitted(&waves(|done| 1024.0 * done[1])[..9]);
        assert_eq!(by[0].0, Driver::Session);
        assert!((by[0].1 - 1024.0).abs() < 1e-6, "{by:?}");
        assert_eq!(not_parted[0], NotParted { driver: Driver::Message, from: Driver::Session });
    }

    #[test]
    fn growth_with_time_is_no_growth_with_work() {
        let (by, _) = fitted(&waves(|done| 3e6 * done[4]));
        let hour = by.iter().find(|one| one.0 == Driver::Hour).expect("hours");
        assert!((hour.1 - 3e6).abs() < 1.0 && by[0].1.abs() < 1e-3, "{by:?}");
    }

    #[test]
    fn nothing_takes_memory_back() {
        let rows = waves(|done| 1024.0 * done[1] - 3e6 * done[4]);
        let (mut chosen, _) = columns(&rows);
        let fitted = fit_grown(&rows, &mut chosen);
        assert!(chosen.iter().all(|column| Driver::ALL[*column] != Driver::Hour), "{chosen:?}");
        assert!(fitted.values.iter().all(|(value, reach)| value + reach >= 0.0));
    }

    #[test]
    fn the_interval_holds_what_noise_moves_and_a_leap_is_left_out() {
        let noise = |done: &[f64; 5]| 1024.0 * done[1] + 9000.0 * ((done[0] * 0.37).sin());
        let mut rows = waves(noise);
        rows[4].grown += 1_048_576.0;
        let (chosen, _) = columns(&rows);
        let left = fit(&rows, &chosen).left;
        leave_out(&mut rows, &left);
        assert_eq!(rows.len(), 17, "the leap alone is left out");
        for (driver, value, reach) in fitted(&rows).0 {
            let truth = if driver == Driver::Message { 1024.0 } else { 0.0 };
            assert!((value - truth).abs() <= reach && reach > 0.0, "{driver:?}: {value} and {reach}");
        }
    }
}
