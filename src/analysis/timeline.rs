//! What happened over time: the samples as tracks, thinned so that peaks stay.

use std::collections::BTreeMap;

use super::history::RunHistory;
use super::view::{Timeline, Track};
use crate::journal::{Floor, Row};
use crate::matrix::server_figure;

/// Points that a track keeps: more than a wide chart has pixels.
const POINTS: usize = 1600;

/// Seconds over which a rate of messages is taken.
const BIN: f64 = 1.0;

/// The figures of all processes at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct Moment {
    rss: f64,
    fds: f64,
    established: Option<f64>,
    close_wait: Option<f64>,
    messages: f64,
}

/// Draws the tracks of the measure pass (of all, where there was no other).
pub fn timeline(rows: &[Row], history: &RunHistory) -> Timeline {
    let until = match history.floors.is_empty() {
        true => f64::INFINITY,
        false => history.profile_from.unwrap_or(f64::INFINITY),
    };
    let mut moments: Vec<(f64, Moment)> = Vec::new();
    for row in rows {
        let Some(seconds) = row.get("seconds").filter(|seconds| *seconds < until) else { continue };
        // One round reads all processes within a moment.
        if moments.last().is_none_or(|(last, _)| seconds - last > 0.01) {
            moments.push((seconds, Moment::default()));
        }
        let Some((_, moment)) = moments.last_mut() else { continue };
        moment.rss += row.get("rss").unwrap_or(0.0);
        moment.fds += row.get("fds").unwrap_or(0.0);
        for (sum, field) in [(&mut moment.established, "established"), (&mut moment.close_wait, "close_wait")] {
            if let Some(value) = row.get(field) {
                *sum = Some(sum.unwrap_or(0.0) + value);
            }
        }
        moment.messages = moment.messages.max(row.get("messages").unwrap_or(0.0));
    }
    let track = |name: &str, unit: &str, of: &dyn Fn(&Moment) -> Option<f64>| Track {
        name: name.to_owned(),
        unit: unit.to_owned(),
        points: thin(moments.iter().filter_map(|(seconds, moment)| Some((*seconds, of(moment)?))).collect()),
    };
    let mut tracks = vec![
        track("rss", "bytes", &|m| Some(m.rss)),
        Track { name: "heap".to_owned(), unit: "bytes".to_owned(), points: heap(history) },
        track("fd", "count", &|m| Some(m.fds)),
        track("ESTABLISHED", "count", &|m| m.established),
        track("CLOSE_WAIT", "count", &|m| m.close_wait),
        Track { name: "messages/s".to_owned(), unit: "per second".to_owned(), points: thin(rates(&moments)) },
    ];
    tracks.retain(|track| !track.points.is_empty());
    Timeline { tracks }
}

/// PHP's heap is read at floors alone.
fn heap(history: &RunHistory) -> Vec<(f64, f64)> {
    let at = |floor: &Floor| {
        let wave = history.waves.iter().rev().find(|wave| *wave.scene() == floor.scene);
        let seconds = wave.map(|wave| {
            wave.end.as_ref().map_or(wave.begin, |(end, _)| *end) + wave.settle.map_or(0.0, |(settle, _)| settle)
        });
        Some((seconds?, server_figure(&floor.processes, "heap")?))
    };
    history.floors.iter().filter_map(at).collect()
}

/// Messages a second, bin by bin.
fn rates(moments: &[(f64, Moment)]) -> Vec<(f64, f64)> {
    let mut bins: BTreeMap<u64, f64> = BTreeMap::new();
    for pair in moments.windows(2) {
        let more = (pair[1].1.messages - pair[0].1.messages).max(0.0);
        *bins.entry((pair[1].0 / BIN) as u64).or_default() += more / BIN;
    }
    bins.into_iter().map(|(bin, rate)| (bin as f64 * BIN + BIN / 2.0, rate)).collect()
}

/// Keeps the lowest and the highest point of each stretch.
fn thin(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if points.len() <= POINTS {
        return points;
    }
    let stretch = points.len().div_ceil(POINTS / 2);
    let mut kept = Vec::with_capacity(POINTS);
    for chunk in points.chunks(stretch) {
        let by = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let (Some(low), Some(high)) = (chunk.iter().min_by(by), chunk.iter().max_by(by)) else { continue };
        if low.0 < high.0 {
            kept.extend([*low, *high]);
        } else if low.0 > high.0 {
            kept.extend([*high, *low]);
        } else {
            kept.push(*low);
        }
    }
    kept
}

/// Peaks and counts of the samples.
pub fn summary(rows: &[Row], history: &RunHistory) -> BTreeMap<String, f64> {
    let sampling = &history.sampling;
    let until = if history.floors.is_empty() { f64::INFINITY } else { history.profile_from.unwrap_or(f64::INFINITY) };
    let mut summary: BTreeMap<String, f64> = BTreeMap::new();
    summary.insert("samples".to_owned(), rows.len() as f64);
    for (name, field) in [
        ("rss_peak", "rss"),
        ("rss_anon_peak", "rss_anon"),
        ("vsz_peak", "vsz"),
        ("fd_peak", "fds"),
        ("threads_peak", "threads"),
        ("established_peak", "established"),
        ("close_wait_peak", "close_wait"),
    ] {
        let clean = rows.iter().filter(|row| row.get("seconds").is_some_and(|seconds| seconds < until));
        if let Some(peak) = clean.filter_map(|row| row.get(field)).max_by(f64::total_cmp) {
            summary.insert(name.to_owned(), peak);
        }
    }
    if sampling.seconds > 0.0 {
        summary.insert("rounds_per_second".to_owned(), sampling.rounds as f64 / sampling.seconds);
        summary.insert("socket_rounds_per_second".to_owned(), sampling.socket_rounds as f64 / sampling.seconds);
        summary.insert("sampler_cpu_share".to_owned(), sampling.cpu_seconds / sampling.seconds);
        summary.insert("longest_gap_seconds".to_owned(), sampling.longest_gap);
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_stay_when_points_go() {
        let mut points: Vec<(f64, f64)> = (0..10_000).map(|i| (f64::from(i), 1.0)).collect();
        points[4_321].1 = 99.0;
        let kept = thin(points);
        assert!(kept.len() <= POINTS);
        assert!(kept.contains(&(4_321.0, 99.0)));
    }
}
