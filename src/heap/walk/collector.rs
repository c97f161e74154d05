//! The cycle collector's own counters. `gc_globals` is a static variable without a name, so it is
//! found by what must hold of it, and not told where more than one place fits.

use super::engine::{Engine, kind};
use crate::heap::census::values::GcCounters;
use crate::heap::memory::Memory;
use crate::heap::read::image::Php;

/// The collector's threshold, and the step by which it moves it.
const THRESHOLD: u32 = 10_001;
const THRESHOLD_STEP: u32 = 10_000;
const MOST_THRESHOLD: u32 = 1_000_000_001;
/// The buffer's size to begin with, and the most that it grows to.
const BUFFER: u32 = 16 * 1024;
const MOST_BUFFER: u32 = 0x4000_0000;
/// Where a value's head keeps its place in the buffer, and how much of the place.
const PLACE_SHIFT: u32 = 10;
const PLACE_MASK: u32 = 0xf_ffff;
/// Places beyond are kept compressed.
const MOST_PLAIN: u32 = 0x8_0000;
/// Roots that are asked whether they know their place.
const ASKED: u32 = 64;

/// Finds the counters in a copy; `None` where no place fits, or more than one does.
pub fn find(engine: &Engine, php: &Php) -> Option<GcCounters> {
    let (start, length) = php.data();
    let mut found = (0..length.checked_sub(64)?).step_by(8).filter_map(|o| counters_at(engine, start + o as u64));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// The two orders that the structure has had: where the flags stand (four of one byte each), where
/// the buffer's address, and where the counters begin.
const SHAPES: [(u64, u64, u64); 2] = [(8, 0, 12), (0, 8, 16)];

fn counters_at(engine: &Engine, at: u64) -> Option<GcCounters> {
    SHAPES.iter().find_map(|shape| counters_of(engine, at, *shape))
}

fn counters_of(engine: &Engine, at: u64, (flags, buffer, counters): (u64, u64, u64)) -> Option<GcCounters> {
    // unused, first_unused, threshold, buf_size, num_roots, runs, collected: four bytes each.
    let half = |offset: u64| engine.arena.u32(at + counters + offset);
    let threshold = half(8)?;
    if !(THRESHOLD..=MOST_THRESHOLD).contains(&threshold) || !(threshold - THRESHOLD).is_multiple_of(THRESHOLD_STEP) {
        return None;
    }
    let flags = engine.arena.slice(at + flags, 4)?;
    let buffer = engine.arena.u64(at + buffer)?;
    let (unused, first_unused, size, roots) = (half(0)?, half(4)?, half(12)?, half(16)?);
    let holds = flags.iter().all(|&f| f <= 1)
        && (BUFFER..=MOST_BUFFER).contains(&size)
        && (1..=size).contains(&first_unused)
        && unused < first_unused
        && roots < first_unused
        && buffer != 0
        && buffer % 8 == 0;
    if !holds {
        return None;
    }
    let mut in_use = 0;
    let mut asked = 0;
    for place in 1..first_unused {
        let entry = engine.arena.u64(buffer.checked_add(u64::from(place) * 8)?)?;
        // The lowest bits mark a free place, or one that is being worked on.
        if entry & 3 != 0 {
            continue;
        }
        in_use += 1;
        if asked < ASKED && place < MOST_PLAIN {
            asked += 1;
            let info = engine.arena.u32(entry.checked_add(4)?)?;
            let knows = info >> PLACE_SHIFT & PLACE_MASK == place;
            if !knows || !matches!((info & 0xf) as u8, kind::ARRAY | kind::OBJECT | kind::REFERENCE) {
                return None;
            }
        }
    }
    // gc_enabled, gc_active, gc_protected, gc_full: the first is on unless zend.enable_gc or gc_disable() put it off.
    let enabled = flags[0] == 1;
    (in_use == roots).then_some(GcCounters { enabled, runs: half(20)?, collected: half(24)?, roots, threshold })
}
