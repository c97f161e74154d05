//! Cost drift: functions whose calls grow dearer, or more for each message, the more messages were served. A list
//! that is searched and only grows looks like that long before it is a leak that anybody sees.
//!
//! A stretch of the recording under one kind of load is cut into tenths of equally many records. A function is named
//! only where all of the following holds; each bar is there against something that a sound server does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Slices of a stretch.
pub const TENTHS: usize = 10;

/// Calls in each tenth. Below that one call that lost the processor (milliseconds, to microseconds of its own)
/// makes the mean, and the clock's steps of 10 ns count.
const LEAST_CALLS: u64 = 20;

/// The last tenth against the first. A search that only grows has 19 (its list is 19 times as long); half of
/// the cost may be something else, and there is still 10. On a machine that others use too, two tenths of a sound
/// server were seen to differ by a third.
const LEAST_RATIO: f64 = 1.5;

/// Pairs of tenths, of 45, that may stand in the wrong order: a growing cost has none or few. By chance at most
/// four are wrong in 649 of the 10! orders, one in 5,600, so that a hundred functions without drift are a false name in
/// 56 runs before the other bars count. A list that has filled up, or a step, has ten and more.
const MOST_INVERSIONS: usize = 4;

/// The middle one of the last three tenths against the middle one of the first three: a single tenth in which others had
/// the processor does not decide. A search that only grows has 5.7, a cost that doubles has 1.6.
const LEAST_STEADY_RATIO: f64 = 1.4;

/// The same against the three tenths in the middle: what grew in the beginning and stands since is a cache that
/// filled. A search that only grows has 1.5 here, a cost that doubles has 1.2.
const LEAST_LATE_RATIO: f64 = 1.1;

/// What the growth costs: the part of the busy time of the last tenth that would not be there at the first
/// tenth's cost. Less is not worth a name.
const LEAST_SHARE: f64 = 0.01;

/// Functions that tell how fast the machine was in each tenth; with fewer none is taken out.
const LEAST_WITNESSES: usize = 5;

/// What grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grows {
    /// The self time of a call.
    CostPerCall,
    /// The calls for each message.
    CallsPerMessage,
}

/// A function whose cost drifts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DriftRow {
    /// The function.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Who called it for most of that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// What grows.
    pub grows: Grows,
    /// In the load of which scenario; none where the recording was looked at as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// In the first tenth: self time of a call, in the unit of the object's times, or calls a message.
    pub first: f64,
    /// In the last tenth.
    pub last: f64,
    /// In each tenth.
    pub tenths: Vec<f64>,
    /// Calls in the first tenth and in the last.
    pub calls: [u64; 2],
    /// What the growth costs: part of the busy time of the last tenth, 0 to 1.
    pub share: f64,
}

/// One function over the tenths of a stretch.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Course {
    /// Calls.
    pub calls: [u64; TENTHS],
    /// Self time.
    pub time: [i64; TENTHS],
}

impl Course {
    /// The self time of a call in each tenth; none where a tenth has too few calls.
    pub fn cost(&self) -> Option<[f64; TENTHS]> {
        let enough = self.calls.iter().all(|calls| *calls >= LEAST_CALLS);
        enough.then(|| std::array::from_fn(|at| self.time[at].max(0) as f64 / self.calls[at] as f64))
    }
}

/// What was found of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its place in the courses given.
    pub at: usize,
    /// What grows.
    pub grows: Grows,
    /// The figure in each tenth, as measured.
    pub tenths: [f64; TENTHS],
    /// Part of the busy time of the last tenth that the growth costs.
    pub share: f64,
}

/// The functions of a stretch that drift, the dearest first. `busy` is the busy time of each tenth; `messages` those
/// served in each, where that is known.
pub fn drifting(courses: &[Course], busy: &[i64; TENTHS], messages: Option<&[u64; TENTHS]>) -> Vec<Found> {
    let pace = pace(courses);
    let busy = busy[TENTHS - 1].max(1) as f64;
    let mut found: Vec<Found> = Vec::new();
    for (at, course) in courses.iter().enumerate() {
        let calls = course.calls[TENTHS - 1] as f64;
        if let Some(cost) = course.cost() {
            let fair = std::array::from_fn(|tenth| cost[tenth] / pace[tenth]);
            let share = (cost[TENTHS - 1] - cost[0]) * calls / busy;
            if grows(&cost, &fair) && share >= LEAST_SHARE {
                found.push(Found { at, grows: Grows::CostPerCall, tenths: cost, share });
            }
        }
        let Some(messages) = messages.filter(|messages| messages.iter().all(|served| *served >= LEAST_CALLS)) else {
            continue;
        };
        let each: [f64; TENTHS] = std::array::from_fn(|tenth| course.calls[tenth] as f64 / messages[tenth] as f64);
        let of_a_call = course.time[TENTHS - 1].max(0) as f64 / calls.max(1.0);
        let share = (each[TENTHS - 1] - each[0]) * messages[TENTHS - 1] as f64 * of_a_call / busy;
        if course.calls.iter().all(|calls| *calls > 0) && grows(&each, &each) && share >= LEAST_SHARE {
            found.push(Found { at, grows: Grows::CallsPerMessage, tenths: each, share });
        }
    }
    found.sort_by(|a, b| b.share.total_cmp(&a.share));
    found
}

/// `fair` is what was measured with the machine's pace taken out.
fn grows(measured: &[f64; TENTHS], fair: &[f64; TENTHS]) -> bool {
    let ratio = |of: &[f64; TENTHS]| {
        let steady = middle(of, TENTHS - 3) >= LEAST_STEADY_RATIO * middle(of, 0);
        steady && of[TENTHS - 1] >= LEAST_RATIO * of[0] && of[0] > 0.0
    };
    let late = middle(fair, TENTHS - 3) >= LEAST_LATE_RATIO * middle(fair, TENTHS / 2 - 1);
    let inversions =
        (0..TENTHS).flat_map(|a| (a + 1..TENTHS).map(move |b| (a, b))).filter(|(a, b)| fair[*a] >= fair[*b]);
    ratio(measured) && ratio(fair) && late && inversions.count() <= MOST_INVERSIONS
}

/// The middle one of three tenths.
fn middle(of: &[f64; TENTHS], from: usize) -> f64 {
    let [a, b, c] = [of[from], of[from + 1], of[from + 2]];
    a.min(b).max(a.max(b).min(c))
}

/// How slow the machine was in each tenth: the median over all functions of what a call cost there against what
/// it cost over all tenths. A machine that others use goes at half its speed for seconds.
fn pace(courses: &[Course]) -> [f64; TENTHS] {
    let shapes: Vec<[f64; TENTHS]> = courses
        .iter()
        .filter_map(|course| {
            let cost = course.cost()?;
            let mean = course.time.iter().sum::<i64>() as f64 / course.calls.iter().sum::<u64>() as f64;
            (mean > 0.0).then(|| cost.map(|tenth| tenth / mean))
        })
        .collect();
    if shapes.len() < LEAST_WITNESSES {
        return [1.0; TENTHS];
    }
    std::array::from_fn(|tenth| {
        let mut values: Vec<f64> = shapes.iter().map(|shape| shape[tenth]).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2].max(1e-3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls in each tenth, and what one costs there, in ticks.
    fn course(calls: u64, cost: impl Fn(usize) -> f64) -> Course {
        Course {
            calls: [calls; TENTHS],
            time: std::array::from_fn(|tenth| (cost(tenth) * calls as f64).round() as i64),
        }
    }

    /// The same noise at every run.
    fn noise(seed: u64, tenth: usize) -> f64 {
        let mut state = (seed << 8 | tenth as u64).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        state ^= state >> 29;
        state = state.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (state >> 40) as f64 / (1u64 << 24) as f64
    }

    fn of(courses: &[Course], messages: Option<&[u64; TENTHS]>) -> Vec<(usize, Grows)> {
        let busy = std::array::from_fn(|tenth| courses.iter().map(|course| course.time[tenth]).sum());
        drifting(courses, &busy, messages).iter().map(|found| (found.at, found.grows)).collect()
    }

    #[test]
    fn a_search_that_grows_is_named_and_its_neighbours_are_not() {
        let mut courses: Vec<Course> =
            (0..20).map(|seed| course(1000, move |tenth| 200.0 * (1.0 + 0.3 * noise(seed, tenth)))).collect();
        courses.push(course(100, |tenth| 210.0 + 190.0 * tenth as f64));
        assert_eq!(of(&courses, None), [(20, Grows::CostPerCall)]);
    }

    #[test]
    fn half_of_the_growth_over_a_machine_at_half_its_speed() {
        let slow = |tenth: usize| if (3..6).contains(&tenth) { 2.0 } else { 1.0 };
        let mut courses: Vec<Course> = (0..20).map(|_| course(1000, move |tenth| 200.0 * slow(tenth))).collect();
        courses.push(course(300, move |tenth| (200.0 + 50.0 * tenth as f64) * slow(tenth)));
        assert_eq!(of(&courses, None), [(20, Grows::CostPerCall)]);
        // A machine that grows slower all the time is nobody's drift.
        let courses: Vec<Course> = (0..20).map(|_| course(1000, |tenth| 200.0 * (1.0 + 0.2 * tenth as f64))).collect();
        assert_eq!(of(&courses, None), []);
    }

    #[test]
    fn what_only_looks_like_drift_is_not_named() {
        let sound = (0..20).map(|seed| course(1000, move |tenth| 200.0 * (1.0 + 0.3 * noise(seed, tenth))));
        let seeming: [(&str, Course); 7] = [
            ("too few calls", course(5, |tenth| 1e5 * (1 + tenth) as f64)),
            (
                "a cache that fills",
                course(500, |tenth| 200.0 * (1.0 + tenth.min(3) as f64) * (1.0 + 0.02 * noise(99, tenth))),
            ),
            ("one step", course(500, |tenth| if tenth < 5 { 200.0 } else { 900.0 } + noise(98, tenth))),
            ("a single slow tenth", course(500, |tenth| if tenth == 9 { 9000.0 } else { 200.0 + noise(97, tenth) })),
            // As it was measured of a sound server beside a process that took the processor now and then.
            ("others at the end", {
                let measured = [7108, 7460, 8041, 6846, 6960, 7465, 8029, 7249, 7584, 26696];
                course(70, move |tenth| f64::from(measured[tenth]) / 10.0 * (1.0 + 0.02 * tenth as f64))
            }),
            ("too small to matter", course(20, |tenth| 2.0 * (1 + tenth) as f64)),
            ("growth of a quarter", course(1000, |tenth| 200.0 + 5.5 * tenth as f64)),
        ];
        for (what, course) in seeming {
            let courses: Vec<Course> = sound.clone().chain([course]).collect();
            assert_eq!(of(&courses, None), [], "{what}");
        }
    }

    #[test]
    fn noise_alone_hardly_ever_names_one() {
        // Means of tenths that differ five times by chance alone: far more than any machine was seen to do.
        let mut named = 0;
        for run in 0..400 {
            let courses: Vec<Course> = (0..100)
                .map(|f| course(100, move |tenth| 300.0 * (0.4 + 1.8 * noise(run * 1000 + f, tenth).powi(3))))
                .collect();
            named += of(&courses, None).len();
        }
        // One order in 5,600 would be seven; the other bars take some of them.
        assert!(named <= 7, "{named} of 40,000");
    }

    #[test]
    fn calls_a_message_are_counted_where_messages_are_known() {
        let messages = [100u64; TENTHS];
        let mut courses: Vec<Course> = (0..20).map(|_| course(1000, |_| 200.0)).collect();
        courses.push(Course {
            calls: std::array::from_fn(|tenth| 100 * (5 + 10 * tenth as u64)),
            time: std::array::from_fn(|tenth| 100 * (5 + 10 * tenth as i64) * 20),
        });
        assert_eq!(of(&courses, Some(&messages)), [(20, Grows::CallsPerMessage)]);
        assert_eq!(of(&courses, None), []);
    }
}
