//! What happened over time: the samples as tracks, thinned so that peaks stay.

use std::collections::BTreeMap;

use super::history::RunHistory;
use super::view::{Timeline, Track};
use crate::journal::Floor;
use crate::matrix::server_figure;
use crate::model::{Pass, Sample};

/// Points that a track keeps: more than a wide chart has pixels.
const POINTS: usize = 1600;

/// Seconds within which one round has read all processes.
const ROUND: f64 = 0.01;

/// The figures of all processes at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct Moment {
    rss: f64,
    fds: f64,
    established: Option<f64>,
    close_wait: Option<f64>,
}

/// Draws the tracks of the measure pass (of all, where there was no other).
pub fn timeline(samples: &[Sample], history: &RunHistory) -> Timeline {
    let until = match history.floors.is_empty() {
        true => f64::INFINITY,
        false => history.profile_from.unwrap_or(f64::INFINITY),
    };
    let moments = moments(samples, until);
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
        Track { name: "messages/s".to_owned(), unit: "per second".to_owned(), points: rates(history) },
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

/// The samples in rounds: each reads every process once. A process that comes again begins another round, however short
/// after the last one, for its memory is not there twice.
fn moments(samples: &[Sample], until: f64) -> Vec<(f64, Moment)> {
    let mut moments: Vec<(f64, Moment)> = Vec::new();
    let mut read: Vec<i32> = Vec::new();
    for sample in samples.iter().filter(|sample| sample.seconds < until) {
        if read.contains(&sample.pid) || moments.last().is_none_or(|(last, _)| sample.seconds - last > ROUND) {
            moments.push((sample.seconds, Moment::default()));
            read.clear();
        }
        read.push(sample.pid);
        let Some((_, moment)) = moments.last_mut() else { continue };
        moment.rss += sample.rss as f64;
        moment.fds += f64::from(sample.fds);
        if let Some(sockets) = sample.sockets {
            *moment.established.get_or_insert(0.0) += f64::from(sockets.established);
            *moment.close_wait.get_or_insert(0.0) += f64::from(sockets.close_wait);
        }
    }
    moments
}

/// Messages (sessions, where there are none) a second: each wave's own rate, the one that the load's row has.
fn rates(history: &RunHistory) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    let mut waves: Vec<_> = history.done(Pass::Measure).filter(|(_, stats)| stats.seconds > 0.0).collect();
    waves.sort_by(|(a, _), (b, _)| a.begin.total_cmp(&b.begin));
    for (wave, stats) in waves {
        let Some((end, _)) = &wave.end else { continue };
        let Some(rate) = super::load::row(Pass::Measure, "", None, stats, 0.0).rate() else { continue };
        points.extend([(wave.begin, 0.0), (wave.begin, rate), (*end, rate), (*end, 0.0)]);
    }
    points
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

/// A figure of a sample, where it was read.
type Read = fn(&Sample) -> Option<f64>;

/// Peaks and counts of the samples.
pub fn summary(samples: &[Sample], history: &RunHistory) -> BTreeMap<String, f64> {
    let sampling = &history.sampling;
    let until = if history.floors.is_empty() { f64::INFINITY } else { history.profile_from.unwrap_or(f64::INFINITY) };
    let mut summary: BTreeMap<String, f64> = BTreeMap::new();
    summary.insert("samples".to_owned(), samples.len() as f64);
    let peaks: [(&str, Read); 7] = [
        ("rss_peak", |s| Some(s.rss as f64)),
        ("rss_anon_peak", |s| Some(s.rss_anon as f64)),
        ("vsz_peak", |s| Some(s.vsz as f64)),
        ("fd_peak", |s| Some(s.fds.into())),
        ("threads_peak", |s| Some(s.threads.into())),
        ("established_peak", |s| Some(s.sockets?.established.into())),
        ("close_wait_peak", |s| Some(s.sockets?.close_wait.into())),
    ];
    for (name, of) in peaks {
        let measured = samples.iter().filter(|sample| sample.seconds < until);
        if let Some(peak) = measured.filter_map(of).max_by(f64::total_cmp) {
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
    fn two_rounds_within_a_moment_are_not_summed() {
        let row = |seconds: f64, pid: i32| Sample { seconds, pid, rss: 50, fds: 5, ..Sample::default() };
        let rows = [row(1.0, 7), row(1.0, 8), row(1.004, 7), row(1.004, 8), row(1.2, 7), row(1.201, 8)];
        let rss: Vec<f64> = moments(&rows, f64::INFINITY).iter().map(|(_, moment)| moment.rss).collect();
        assert_eq!(rss, [100.0, 100.0, 100.0]);
    }

    #[test]
    fn peaks_stay_when_points_go() {
        let mut points: Vec<(f64, f64)> = (0..10_000).map(|i| (f64::from(i), 1.0)).collect();
        points[4_321].1 = 99.0;
        let kept = thin(points);
        assert!(kept.len() <= POINTS);
        assert!(kept.contains(&(4_321.0, 99.0)));
    }
}
