//! The thresholds of the rule, each with its reason. They can be set in the configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::floor::{Case, Metric};
use crate::model::MetricKind;

/// All thresholds of the rule.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Bounds {
    /// The heap of a runtime, exact to the byte.
    pub heap: HeapLimits,
    /// Resident memory.
    pub rss: RssLimits,
    /// Descriptors, sockets, threads.
    pub count: CountLimits,
    /// Large mails, by the mail.
    pub heavy: Heavy,
    /// How many waves and how much work a look needs.
    pub waves: Waves,
    /// What a leak looks like.
    pub shape: Shape,
    /// What rest looks like.
    pub rest: Rest,
}

/// A heap's bounds, in bytes per 1,000 messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HeapLimits {
    /// A leak grows by more. A leak-free PHP's heap is still to the byte from the second wave on, so this
    /// is only as far from nothing as one small block (16 bytes) in 32 messages.
    pub leak: f64,
    /// A clean heap grows by less: 16 bytes a message, the smallest thing that a message can leave in an array.
    pub clean: f64,
    /// Messages before `leak`: a cache or table of some thousand entries has filled by then.
    pub leak_work: f64,
    /// Messages before `leak` while garbage cannot be told apart: PHP's collector waits for 10,000 roots, so one
    /// root a message looks like a leak for 10,000 messages. By 11,500 a heap has fallen, and of resident memory,
    /// which stays, the last third of the window grew by half of the mean.
    pub leak_work_garbage: f64,
    /// Growth per hour without load, in bytes, from which on it leaks with time: a thousand small blocks an hour and more.
    pub hour: f64,
    /// Seconds without load before that is said.
    pub idle: f64,
    /// Elements per 1,000 messages from which on a container leaks, whatever its memory does meanwhile.
    pub elements: f64,
    /// The least limit that `clean` states: below the bound of a leak nothing is looked for.
    pub resolution: f64,
    /// Growth of the warm-up, in bytes, from which on a still heap is a `plateau`: below, nobody would ask.
    pub step: f64,
}

impl Default for HeapLimits {
    fn default() -> Self {
        HeapLimits {
            leak: 500.0,
            clean: 16_000.0,
            leak_work: 5_000.0,
            leak_work_garbage: 11_500.0,
            hour: 1_048_576.0,
            idle: 60.0,
            elements: 2.0,
            resolution: 500.0,
            step: 16_384.0,
        }
    }
}

/// Resident memory's bounds, in bytes per 1,000 messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RssLimits {
    /// A leak grows by more. A leak-free Python creeps by 6 to 10 bytes a message for 15,000 messages, by 27 at
    /// first: twice that is the least that can be told from creep.
    pub leak: f64,
    /// A clean one grows by less.
    pub clean: f64,
    /// Messages before `leak`: the creep of allocators has slowed by then.
    pub leak_work: f64,
    /// Messages before `leak` while a collector's garbage may be in it: as for the heap.
    pub leak_work_garbage: f64,
    /// Growth per hour without load, in bytes, from which on it leaks with time.
    pub hour: f64,
    /// Seconds without load before that is said.
    pub idle: f64,
    /// The least limit that `clean` states: below the bound of a leak nothing is looked for.
    pub resolution: f64,
    /// Buffers that a session may have had and given back, beside its mail: a reader's 64 kB.
    pub session: f64,
    /// Growth of the warm-up, in bytes, from which on still memory is a `plateau`.
    pub step: f64,
}

impl Default for RssLimits {
    fn default() -> Self {
        RssLimits {
            leak: 64_000.0,
            clean: 64_000.0,
            leak_work: 10_000.0,
            leak_work_garbage: 11_500.0,
            hour: 16_777_216.0,
            idle: 120.0,
            resolution: 64_000.0,
            session: 65_536.0,
            step: 131_072.0,
        }
    }
}

/// Bounds of what is counted, per 1,000 sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CountLimits {
    /// A leak grows by more: one in 50 sessions.
    pub leak: f64,
    /// A clean one grows by less.
    pub clean: f64,
    /// Sessions in a message where only messages were counted: up to ten messages a session are taken for usual,
    /// so the bounds are a tenth per message.
    pub sessions_per_message: f64,
    /// Growth per hour without load from which on it leaks with time.
    pub hour: f64,
    /// Seconds without load before that is said.
    pub idle: f64,
    /// Growth of the warm-up from which on a still count is a `plateau`.
    pub step: f64,
}

impl Default for CountLimits {
    fn default() -> Self {
        CountLimits { leak: 20.0, clean: 20.0, sessions_per_message: 0.1, hour: 60.0, idle: 60.0, step: 2.0 }
    }
}

/// Bounds of large mails, by the mail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Heavy {
    /// Bytes of a mail from which on it counts as large: waves of them are short, and by the message the usual
    /// bounds would never be reached.
    pub from: f64,
    /// A heap's leak, bytes a mail: two small blocks.
    pub heap_leak: f64,
    /// A clean heap, bytes a mail: one page.
    pub heap_clean: f64,
    /// A leak of resident memory, bytes a mail: one page.
    pub rss_leak: f64,
    /// Clean resident memory, as a share of the mail: buffers of a mail's size come and go.
    pub rss_clean_share: f64,
}

impl Default for Heavy {
    fn default() -> Self {
        Heavy { from: 256.0 * 1024.0, heap_leak: 32.0, heap_clean: 4_096.0, rss_leak: 4_096.0, rss_clean_share: 0.05 }
    }
}

/// How many waves and how much work a look needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Waves {
    /// Waves before anything is said.
    pub least: usize,
    /// Messages before `clean`.
    pub clean_work: f64,
    /// Looks running that must agree before a scenario may end.
    pub agree: usize,
    /// Waves that must follow a rest where floors fell.
    pub after_rest: usize,
    /// Of the growth that was found, the share that must go on after a rest.
    pub after_rest_share: f64,
    /// In a file of equal waves: bytes of a record below which growth, times the waves seen, may be a buffer that walks
    /// in step with them: of the floors themselves, of means of stretches, of the lows between swings.
    pub in_step: [f64; 3],
}

impl Default for Waves {
    fn default() -> Self {
        Waves {
            least: 10,
            clean_work: 5_000.0,
            agree: 2,
            after_rest: 4,
            after_rest_share: 0.75,
            in_step: [512.0, 512.0, 1200.0],
        }
    }
}

/// What a leak looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Shape {
    /// Shares of the work from which on it may rise: a warm-up, or a change, is left behind without being guessed.
    pub windows: [f64; 2],
    /// Floors that a window needs.
    pub floors: usize,
    /// Floors that a window is thinned to, one after the other: rare steps are steps in the finest and a slope in the
    /// coarsest.
    pub thin: [usize; 3],
    /// Stretches whose means are judged where floors scatter; each takes three floors.
    pub means: [usize; 4],
    /// It grew by this many times its largest fall and largest step together.
    pub over_noise: f64,
    /// Share of the steps that rise.
    pub rises: f64,
    /// Each quarter of the window grows by this share of the mean.
    pub quarter: f64,
    /// The last quarter grows by this share of the first.
    pub last_quarter: f64,
    /// Growth as this power of the work slows too much: distinct keys of skewed traffic grow with powers of 0.5 to 0.8.
    pub power: f64,
    /// The slopes of the window, its later two thirds and its later half lie within this ratio.
    pub even: f64,
    /// Of its growth, the share by which the last floor tops all before the window.
    pub record: f64,
    /// Of the growth, the share by which an allocator may hand out more or less than is kept (size classes).
    pub allocator: f64,
}

impl Default for Shape {
    fn default() -> Self {
        Shape {
            windows: [0.25, 0.5],
            floors: 7,
            thin: [60, 24, 12],
            means: [12, 16, 24, 36],
            over_noise: 3.0,
            rises: 0.3,
            quarter: 0.75,
            last_quarter: 0.85,
            power: 0.87,
            even: 0.8,
            record: 0.5,
            allocator: 0.05,
        }
    }
}

/// What rest looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rest {
    /// Floors that the later half needs.
    pub floors: usize,
    /// Lows between swings that are needed.
    pub lows: usize,
    /// Of the work since the last low, at most this share of all.
    pub since_low: f64,
    /// Stretches, as shares of the work from which they run to the end, and what their range is multiplied by: what comes
    /// in bursts is met by an edge of a stretch.
    pub stretches: [(f64, f64); 5],
    /// What a rate that is seen to fall or rise is multiplied by.
    pub fall: f64,
    /// What the change of a rate is multiplied by.
    pub bend: f64,
    /// What the rate is multiplied by that a fall which ends leaves behind.
    pub decay: f64,
    /// What a step that stayed is multiplied by.
    pub step: f64,
    /// Steps before this share of the work are a warm-up, unless they stand alone ...
    pub warm: f64,
    /// ... and come after this share.
    pub first: f64,
    /// Of the swing, the share by which late peaks may top early ones.
    pub peaks: f64,
}

impl Default for Rest {
    fn default() -> Self {
        Rest {
            floors: 4,
            lows: 4,
            since_low: 0.2,
            stretches: [(0.4, 1.15), (0.5, 1.25), (0.6, 1.25), (0.667, 1.25), (0.75, 1.25)],
            fall: 1.25,
            bend: 1.6,
            decay: 1.5,
            step: 1.1,
            warm: 0.25,
            first: 0.05,
            peaks: 0.15,
        }
    }
}

/// The bounds of one case, per unit of work (one message, one session, one mail).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// A leak grows by more.
    pub leak: f64,
    /// A clean one grows by less.
    pub clean: f64,
    /// Work before `leak`; 0: the least number of waves is enough.
    pub leak_work: f64,
    /// Work before `clean`; 0: the least number of waves is enough.
    pub clean_work: f64,
    /// The least limit that can be stated.
    pub resolution: f64,
    /// Growth of a warm-up worth a word.
    pub step: f64,
}

impl Bounds {
    /// Growth per 1,000 messages or sessions from which on it is a leak.
    pub fn leak(&self, metric: Metric) -> f64 {
        match metric.kind() {
            MetricKind::Heap => self.heap.leak,
            MetricKind::Resident => self.rss.leak,
            MetricKind::Counted => self.count.leak,
        }
    }

    /// Growth per hour from which on time is a cause of it.
    pub fn hour(&self, metric: Metric) -> f64 {
        match metric.kind() {
            MetricKind::Heap => self.heap.hour,
            MetricKind::Resident => self.rss.hour,
            MetricKind::Counted => self.count.hour,
        }
    }

    /// Seconds without load before growth with time is said.
    pub fn idle(&self, metric: Metric) -> f64 {
        match metric.kind() {
            MetricKind::Heap => self.heap.idle,
            MetricKind::Resident => self.rss.idle,
            MetricKind::Counted => self.count.idle,
        }
    }

    /// The bounds that hold for a case.
    pub fn for_case(&self, case: &Case) -> Limits {
        let known = case.garbage_known || case.collected == Some(super::floor::Collected::Forced);
        let work = |least: f64, garbage: f64| if known { least } else { garbage };
        let heavy = case.large_mail.filter(|&bytes| bytes >= self.heavy.from);
        let clean_work = self.waves.clean_work;
        match case.metric.kind() {
            MetricKind::Counted => {
                let scale = match case.per {
                    super::Per::Sessions => 1.0,
                    super::Per::Messages => self.count.sessions_per_message,
                } / 1000.0;
                Limits {
                    leak: self.count.leak * scale,
                    clean: self.count.clean * scale,
                    leak_work: 0.0,
                    clean_work: 0.0,
                    resolution: self.count.leak * scale,
                    step: self.count.step,
                }
            }
            MetricKind::Heap => match heavy {
                Some(_) => Limits {
                    leak: self.heavy.heap_leak,
                    clean: self.heavy.heap_clean,
                    leak_work: 0.0,
                    clean_work: 0.0,
                    resolution: self.heavy.heap_leak,
                    step: self.heap.step,
                },
                None => Limits {
                    leak: self.heap.leak / 1000.0,
                    clean: self.heap.clean / 1000.0,
                    leak_work: work(self.heap.leak_work, self.heap.leak_work_garbage),
                    clean_work,
                    resolution: self.heap.resolution / 1000.0,
                    step: self.heap.step,
                },
            },
            MetricKind::Resident => match heavy {
                Some(bytes) => Limits {
                    leak: self.heavy.rss_leak,
                    clean: bytes * self.heavy.rss_clean_share,
                    leak_work: 0.0,
                    clean_work: 0.0,
                    resolution: self.heavy.rss_leak,
                    step: self.rss.step,
                },
                None => Limits {
                    leak: self.rss.leak / 1000.0,
                    clean: self.rss.clean / 1000.0,
                    leak_work: work(self.rss.leak_work, self.rss.leak_work_garbage),
                    clean_work,
                    resolution: self.rss.resolution / 1000.0,
                    step: self.rss.step,
                },
            },
        }
    }
}
