//! Series of floors made up in the shapes that servers have, with their truth beside them.

use profile_run::verdict::{Bounds, Floor, Metric};

/// The same series from the same seed, everywhere.
pub struct Random(profile_run::model::Random);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(profile_run::model::Random::new(seed ^ 0x51ab_17e5_70c0_ffee))
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        self.0.unit()
    }

    /// Uniform in [low, high).
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Even on a logarithmic scale.
    pub fn scale(&mut self, low: f64, high: f64) -> f64 {
        self.between(low.ln(), high.ln()).exp()
    }

    /// Normal (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[(self.unit() * of.len() as f64) as usize]
    }
}

/// What lies under a leak, if there is one. Every one of them is bounded or slows like the logarithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    Still,
    WarmUp,
    FirstStep,
    CacheInOrder,
    CacheAtRandom,
    Logarithm,
    Collector,
    Noise,
    Outliers,
    Creep,
    AllocatorSteps,
    LargeFirst,
    Swings,
    RandomWalk,
}

impl Shape {
    pub const ALL: [Shape; 14] = [
        Shape::Still,
        Shape::WarmUp,
        Shape::FirstStep,
        Shape::CacheInOrder,
        Shape::CacheAtRandom,
        Shape::Logarithm,
        Shape::Collector,
        Shape::Noise,
        Shape::Outliers,
        Shape::Creep,
        Shape::AllocatorSteps,
        Shape::LargeFirst,
        Shape::Swings,
        Shape::RandomWalk,
    ];

    /// Whether descriptors come in this shape.
    pub fn counts(self) -> bool {
        matches!(self, Shape::Still | Shape::FirstStep | Shape::LargeFirst | Shape::Noise | Shape::Outliers)
    }
}

/// How a leak is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Leak {
    None,
    /// So much with each message.
    Each,
    /// The same mean in lumps, each 10th to 1,000th message.
    Lumps,
    /// An array that doubles.
    Doubling,
    /// A list that grows by an eighth.
    Eighth,
}

/// A series with its truth.
pub struct Series {
    /// What leaks, per 1,000 messages, in the long run.
    pub rate: f64,
    pub floors: Vec<Floor>,
    pub wave: u64,
    /// Its floors are those of a leak, for as long as a verdict waits: no rule can tell.
    pub undecidable: bool,
}

/// Makes a series of `waves` equal waves.
pub fn series(random: &mut Random, metric: Metric, shape: Shape, leak: Leak, waves: u32) -> Series {
    let wave = random.pick(&[200, 300, 500, 1000, 2000]) as u64;
    if metric.is_count() {
        return counts(random, shape, leak, waves);
    }
    let resident = metric.is_resident();
    let bound = if resident { 64_000.0 } else { 500.0 };
    let rate = match leak {
        Leak::None => 0.0,
        _ => random.scale(bound * 0.3, bound * if resident { 40.0 } else { 2_000.0 }),
    };
    let per_message = rate / 1000.0;
    let lump = random.scale(10.0, 1000.0).round();
    let base = if resident { random.between(2e6, 5e7) } else { random.between(4e5, 5e6) };
    let shaped = Shaped::new(random, shape, wave, resident);
    let slack = if resident { random.scale(8e3, 4e5) } else { 0.0 };
    let mut top = 0.0_f64;
    let mut walk = 0.0;
    let floors = (0..=waves)
        .map(|w| {
            let x = u64::from(w) * wave;
            let at = x as f64;
            let leaked = match leak {
                Leak::None => 0.0,
                Leak::Each => per_message * at,
                Leak::Lumps => (at / lump).floor() * lump * per_message,
                Leak::Doubling => {
                    if x < 8 {
                        8.0
                    } else {
                        x.next_power_of_two() as f64 * per_message
                    }
                }
                Leak::Eighth => eighth(at) * per_message,
            };
            if shape == Shape::RandomWalk {
                walk += 15_000.0 * random.normal();
            }
            let live = base + leaked + shaped.at(random, at, w) + walk;
            let value = if resident {
                // Freed memory stays; what is live first fills the slack that the start left behind.
                top = top.max(if w == 0 { live } else { live.max(base + slack) });
                let kept = if matches!(shape, Shape::Noise | Shape::Outliers | Shape::Swings | Shape::RandomWalk) {
                    live.max(base)
                } else {
                    top
                };
                (kept / 4096.0).ceil() * 4096.0
            } else {
                (live / 8.0).round() * 8.0
            };
            Floor::new(w, x, x / 25, value)
        })
        .collect();
    let undecidable = shape == Shape::Collector && hides(wave as f64, shaped.length);
    Series { rate, floors, wave, undecidable }
}

/// Descriptors: whole numbers, per session.
fn counts(random: &mut Random, shape: Shape, leak: Leak, waves: u32) -> Series {
    let wave = random.pick(&[10, 15, 20, 50, 200]) as u64;
    let rate = if leak == Leak::None { 0.0 } else { random.scale(7.0, 2_000.0).round() };
    let base = random.between(5.0, 60.0).round();
    let size = random.between(1.0, 12.0);
    let floors = (0..=waves)
        .map(|w| {
            let x = u64::from(w) * wave;
            let leaked = match leak {
                Leak::Lumps => (x as f64 * rate / 4_000.0).floor() * 4.0,
                _ => (x as f64 * rate / 1_000.0).floor(),
            };
            let over = match shape {
                Shape::FirstStep if w > 0 => size,
                Shape::LargeFirst => size * f64::from(w.min(2)),
                Shape::Noise => size * random.unit() * 0.4,
                Shape::Outliers if random.unit() < 0.1 => size,
                _ => 0.0,
            };
            Floor::new(w, x * 10, x, base + leaked + over.round())
        })
        .collect();
    Series { rate, floors, wave, undecidable: false }
}

/// Capacity of a list that grows by an eighth, at `x` elements.
fn eighth(x: f64) -> f64 {
    let mut size = 8.0_f64;
    while size < x {
        size = (size * 1.125 + 6.0).floor();
    }
    size
}

struct Shaped {
    shape: Shape,
    size: f64,
    length: f64,
    filled: std::cell::RefCell<(Vec<bool>, f64, f64)>,
    steps: Vec<(f64, f64)>,
}

/// Whether waves of this size show nothing of a collector that runs so often: each floor is met a little later after a run
/// than the one before, and they climb for longer than a verdict waits.
fn hides(wave: f64, period: f64) -> bool {
    let waves = Bounds::default().heap.leak_work_garbage / wave;
    let (runs, later) = ((wave / period).round(), wave - (wave / period).round() * period);
    runs >= 1.0 && later > 0.0 && period / later >= waves.max(8.0)
}

impl Shaped {
    fn new(random: &mut Random, shape: Shape, wave: u64, resident: bool) -> Self {
        let (size, length) = match shape {
            Shape::Still => (1_000.0, 100.0),
            Shape::WarmUp => (random.scale(1e4, 2e7), random.between(200.0, 4_000.0)),
            Shape::FirstStep => (random.scale(1e5, 3e7), 1.0),
            Shape::CacheInOrder => (random.scale(100.0, 4_000.0), random.between(500.0, 4_000.0)),
            Shape::CacheAtRandom => (random.scale(100.0, 2_000.0), random.between(300.0, 3_000.0)),
            Shape::Logarithm => (random.scale(1e4, 2e6), random.scale(10.0, 500.0)),
            Shape::Collector => (random.scale(50.0, 2_000.0), random.between(200.0, 10_000.0)),
            Shape::Noise => (random.scale(1e4, 1e6), 0.0),
            Shape::Outliers => (random.scale(1e4, 5e6), 0.0),
            // Allocators creep for longer than a heap of small blocks does.
            Shape::Creep => {
                (random.between(2e4, 1.5e5), random.between(1_000.0, if resident { 8_000.0 } else { 3_000.0 }))
            }
            Shape::AllocatorSteps => (random.pick(&[65_536.0, 262_144.0, 2_097_152.0]), 0.0),
            Shape::LargeFirst => (random.scale(1e6, 2e7), 2.0 * wave as f64),
            Shape::Swings => (random.scale(2e5, 4e6), random.between(1_500.0, 6_000.0)),
            Shape::RandomWalk => (0.0, 0.0),
        };
        // Steps that an allocator takes for good, ever rarer.
        let mut steps = Vec::new();
        if shape == Shape::AllocatorSteps {
            let mut at = random.between(0.0, 3_000.0);
            for _ in 0..4 {
                steps.push((at, size));
                at = 2.0 * at + random.between(500.0, 8_000.0);
            }
        }
        let filled = (vec![false; length as usize], 0.0, 0.0);
        Shaped { shape, size, length, filled: filled.into(), steps }
    }

    fn at(&self, random: &mut Random, x: f64, wave: u32) -> f64 {
        let Shaped { size, length, .. } = *self;
        match self.shape {
            Shape::Still | Shape::WarmUp => size * (x / length).min(1.0),
            Shape::FirstStep => {
                if wave > 0 {
                    size
                } else {
                    0.0
                }
            }
            Shape::LargeFirst => size * (1.0 - (-4.0 * x / length).exp()),
            Shape::CacheInOrder => size * x.min(length),
            Shape::CacheAtRandom => {
                let (slots, done, count) = &mut *self.filled.borrow_mut();
                while *done < x {
                    *done += 1.0;
                    let slot = (random.unit() * slots.len() as f64) as usize;
                    *count += f64::from(u8::from(!std::mem::replace(&mut slots[slot], true)));
                }
                size * *count
            }
            Shape::Logarithm => size * (1.0 + x / length).ln(),
            Shape::Collector => size * (x % length),
            Shape::Noise => size * random.unit(),
            Shape::Outliers => {
                if random.unit() < 0.1 {
                    size * random.unit()
                } else {
                    0.0
                }
            }
            Shape::Creep => size * (1.0 - (-x / length).exp()),
            Shape::AllocatorSteps => self.steps.iter().filter(|&&(at, _)| x > at).map(|(_, size)| size).sum(),
            Shape::Swings => size * (0.5 - 0.5 * (std::f64::consts::TAU * x / length).cos()),
            Shape::RandomWalk => 0.0,
        }
    }
}
