//! The thresholds of the rule, each with its reason. They can be set in the configuration.

use serde::{Deserialize, Serialize};

use super::floor::{Case, Metric};

/// All thresholds of the rule.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
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
}

/// A heap's bounds, in bytes per 1,000 messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Growth per hour, in bytes, from which on time is a cause: 16 kB is one small block (4 bytes and more) a second.
    pub hour: f64,
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
            hour: 16_384.0,
            elements: 20.0,
            resolution: 500.0,
            step: 16_384.0,
        }
    }
}

/// Resident memory's bounds, in bytes per 1,000 messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Growth per hour, in bytes, from which on time is a cause.
    pub hour: f64,
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
            hour: 1_048_576.0,
            resolution: 64_000.0,
            session: 65_536.0,
            step: 131_072.0,
        }
    }
}

/// Bounds of what is counted, per 1,000 sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CountLimits {
    /// A leak grows by more: one in 50 sessions.
    pub leak: f64,
    /// A clean one grows by less.
    pub clean: f64,
    /// Sessions in a message where only messages were counted: up to ten messages a session are taken for usual,
    /// so the bounds are a tenth per message.
    pub sessions_per_message: f64,
    /// Growth per hour from which on time is a cause.
    pub hour: f64,
    /// Growth of the warm-up from which on a still count is a `plateau`.
    pub step: f64,
}

impl Default for CountLimits {
    fn default() -> Self {
        CountLimits { leak: 20.0, clean: 20.0, sessions_per_message: 0.1, hour: 60.0, step: 2.0 }
    }
}

/// Bounds of large mails, by the mail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

/// How many waves and how much work a look needs, and what shapes it asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Waves {
    /// Waves before anything is said: the window (three quarters of them) must hold enough floors for an interval.
    pub least: usize,
    /// Messages before `clean`.
    pub clean_work: f64,
    /// Messages of them in the later half.
    pub clean_half: f64,
    /// Looks running that must agree. Repeated looks raise the rate of false alarms; agreement brings it down.
    pub agree: usize,
    /// The window begins at this share of the work: warm-up is left behind without being guessed.
    pub window: f64,
    /// A leak grew by this many times its own noise (largest fall + largest step).
    pub over_noise: f64,
    /// Waves of the window that must have grown.
    pub grew: usize,
    /// Each third of a leak's window grows by this share of the mean.
    pub steady: f64,
    /// The last third of slowing growth is below this share of the first.
    pub slowing: f64,
    /// Waves running at the end, each of which grew by less than the one before, from which on they must keep half of the
    /// last rate when growth as the logarithm is taken away ...
    pub slowing_waves: usize,
    /// ... where no floor lies further from that fit than this share of the growth: by chance four waves stand in that
    /// order once in 24 looks, and seldom so smoothly.
    pub slowing_smooth: f64,
    /// Falls in the window from which on its noise counts as noise, and not as one slow swing that hides a leak.
    pub swings: usize,
    /// A container that doubles is flat while the work doubles: clean looks back to this share of the work ...
    pub doubling_from: f64,
    /// ... and takes this many times the rate since then.
    pub doubling_factor: f64,
}

impl Default for Waves {
    fn default() -> Self {
        Waves {
            least: 8,
            clean_work: 5_000.0,
            clean_half: 2_500.0,
            agree: 2,
            window: 0.25,
            over_noise: 2.0,
            grew: 4,
            steady: 0.75,
            slowing: 0.7,
            slowing_waves: 4,
            slowing_smooth: 0.005,
            swings: 4,
            doubling_from: 0.4,
            doubling_factor: 1.5,
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
    /// Work of the later half before `clean`.
    pub clean_half: f64,
    /// The least limit that can be stated.
    pub resolution: f64,
    /// Growth of a warm-up worth a word.
    pub step: f64,
}

impl Bounds {
    /// Growth per hour from which on time is a cause of it.
    pub fn hour(&self, metric: Metric) -> f64 {
        match metric {
            Metric::Heap => self.heap.hour,
            Metric::Rss => self.rss.hour,
            Metric::Fd | Metric::Sockets | Metric::Threads | Metric::Processes => self.count.hour,
        }
    }

    /// The bounds that hold for a case.
    pub fn for_case(&self, case: &Case) -> Limits {
        let work = |least: f64, garbage: f64| if case.garbage_known { least } else { garbage };
        let heavy = case.large_mail.filter(|&bytes| bytes >= self.heavy.from);
        let (clean_work, clean_half) = (self.waves.clean_work, self.waves.clean_half);
        match case.metric {
            metric if metric.is_count() => {
                let scale = match case.per {
                    super::Per::Sessions => 1.0,
                    super::Per::Messages => self.count.sessions_per_message,
                } / 1000.0;
                Limits {
                    leak: self.count.leak * scale,
                    clean: self.count.clean * scale,
                    leak_work: 0.0,
                    clean_work: 0.0,
                    clean_half: 0.0,
                    resolution: self.count.leak * scale,
                    step: self.count.step,
                }
            }
            Metric::Heap => match heavy {
                Some(_) => Limits {
                    leak: self.heavy.heap_leak,
                    clean: self.heavy.heap_clean,
                    leak_work: 0.0,
                    clean_work: 0.0,
                    clean_half: 0.0,
                    resolution: self.heavy.heap_leak,
                    step: self.heap.step,
                },
                None => Limits {
                    leak: self.heap.leak / 1000.0,
                    clean: self.heap.clean / 1000.0,
                    leak_work: work(self.heap.leak_work, self.heap.leak_work_garbage),
                    clean_work,
                    clean_half,
                    resolution: self.heap.resolution / 1000.0,
                    step: self.heap.step,
                },
            },
            _ => match heavy {
                Some(bytes) => Limits {
                    leak: self.heavy.rss_leak,
                    clean: bytes * self.heavy.rss_clean_share,
                    leak_work: 0.0,
                    clean_work: 0.0,
                    clean_half: 0.0,
                    resolution: self.heavy.rss_leak,
                    step: self.rss.step,
                },
                None => Limits {
                    leak: self.rss.leak / 1000.0,
                    clean: self.rss.clean / 1000.0,
                    leak_work: work(self.rss.leak_work, self.rss.leak_work_garbage),
                    clean_work,
                    clean_half,
                    resolution: self.rss.resolution / 1000.0,
                    step: self.rss.step,
                },
            },
        }
    }
}
