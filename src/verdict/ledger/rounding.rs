//! What PHP's allocator rounds, and what that leaves open: bytes for each byte of a message, and bytes beside them.

/// The largest block that shares pages with others, and the size of a page.
const LARGEST_SHARED: i64 = 3072;
const PAGE: i64 = 4096;
/// From here on a block is mapped on its own, in pages of the machine: of 64 KiB at most.
const HUGE: i64 = (2 << 20) - PAGE;
const LARGEST_PAGE: i64 = 64 << 10;

/// From the largest block in so many bytes to the next smaller one: what is asked for lies between the two.
pub(super) fn step(block: i64) -> i64 {
    if block <= 64 {
        8
    } else if block <= LARGEST_SHARED {
        // Four sizes between two powers of two.
        1 << ((block as u64 - 1).ilog2() - 2)
    } else if block < 2 * PAGE {
        PAGE - LARGEST_SHARED
    } else if block <= HUGE {
        PAGE
    } else {
        LARGEST_PAGE
    }
}

/// What several blocks of a sum may differ by from what was asked for.
pub(super) fn rounded(bytes: i64, blocks: i64) -> i64 {
    blocks * (step(bytes / blocks.max(1)) - 1)
}

/// Blocks in which what depends on the length lies: one for each copy of it.
pub(super) fn blocks(per_byte: f64) -> i64 {
    (per_byte.round() as i64).max(1)
}

/// What is kept, as a line over the length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    /// For each byte.
    pub per_byte: f64,
    /// Whatever the length: the least and the most. None where what is kept lies on no line, but for rounding.
    pub beside: Option<(i64, i64)>,
}

/// The line through what is kept (bytes) of messages of three lengths; none where it does not depend on them.
pub(super) fn line(points: [(u64, i64); 3]) -> Option<Line> {
    let [(short, _), (long, at_long), (large, at_large)] = points;
    let per_byte = (at_large - at_long) as f64 / (large - long) as f64;
    let strips = points.map(|(length, kept)| {
        let least = kept - rounded(kept, blocks(per_byte));
        (length as f64, least as f64, kept as f64)
    });
    let [first, second, third] = strips;
    // More than rounding alone could make of one amount.
    if second.1 <= first.2 || third.1 <= second.2 {
        return None;
    }
    let slopes = [(first, second), (first, third), (second, third)].map(|(one, other)| {
        let apart = other.0 - one.0;
        ((other.1 - one.2) / apart, (other.2 - one.1) / apart)
    });
    let least = slopes.iter().map(|slope| slope.0).fold(f64::MIN, f64::max);
    let most = slopes.iter().map(|slope| slope.1).fold(f64::MAX, f64::min);
    if least > most {
        let first = (at_long - points[0].1) as f64 / (long - short) as f64;
        return (0.5..2.0).contains(&(first / per_byte)).then_some(Line { per_byte, beside: None });
    }
    let lowest = strips.iter().map(|strip| strip.1 - most * strip.0).fold(f64::MIN, f64::max);
    let highest = strips.iter().map(|strip| strip.2 - least * strip.0).fold(f64::MAX, f64::min);
    let beside = Some((lowest.floor() as i64, highest.ceil() as i64));
    Some(Line { per_byte: per_byte.clamp(least, most), beside })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The sizes of PHP's blocks.
    const SIZES: [i64; 30] = [
        8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024,
        1280, 1536, 1792, 2048, 2560, 3072,
    ];

    fn block(bytes: i64) -> i64 {
        SIZES.into_iter().find(|size| *size >= bytes).unwrap_or((bytes + PAGE - 1) / PAGE * PAGE)
    }

    #[test]
    fn a_step_lies_between_two_sizes() {
        for pair in SIZES.windows(2) {
            assert_eq!(step(pair[1]), pair[1] - pair[0], "{}", pair[1]);
        }
        let larger = [8, 4096, 8191, 8192, 102_400, 4 << 20].map(step);
        assert_eq!(larger, [8, 1024, 1024, 4096, 4096, 65_536]);
    }

    const LENGTHS: [u64; 3] = [100, 10_000, 100_000];

    fn points(kept: impl Fn(f64) -> i64) -> [(u64, i64); 3] {
        LENGTHS.map(|length| (length, kept(length as f64)))
    }

    #[test]
    fn one_string_for_each_message_leaves_open_what_its_block_rounds() {
        // 24 bytes of a string and half of the message: 74 bytes in a block of 80.
        let half = line(points(|length| block(24 + (length / 2.0) as i64))).unwrap();
        let (least, most) = half.beside.unwrap();
        assert!((0.45..0.55).contains(&half.per_byte), "{half:?}");
        assert!(least <= 24 && 24 <= most && most - least < 40, "{half:?}");
        let rest = |beside: i64| line(points(|length| beside + block(24 + length as i64))).unwrap().beside.unwrap();
        assert!(rest(0).0 <= 24 && rest(0).1 < 48, "{:?}", rest(0));
        // A real one of 256 bytes is not rounding.
        assert!(rest(256).0 > 200 && rest(256).1 >= 280, "{:?}", rest(256));
    }

    #[test]
    fn what_is_the_same_or_capped_has_no_line() {
        assert_eq!(line(points(|_| 1024)), None);
        assert_eq!(line(points(|length| block(length.min(10_000.0) as i64))), None);
        assert_eq!(line([(100, 1024), (10_000, 1024), (100_000, 2048)]), None);
        // An array of lines that doubles: about so much for a byte, and nothing sure beside it.
        let doubled = line([(100, 500), (10_000, 14_000), (100_000, 250_000)]).unwrap();
        assert_eq!(doubled.beside, None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_true_line_is_within(per_byte in 0.3..1.4_f64, beside in 0_i64..2000, string in 24_i64..64) {
            let of = |length: f64| (string as f64 + per_byte * length).ceil() as i64;
            let found = line(points(|length| beside + block(of(length)))).unwrap();
            let (least, most) = found.beside.unwrap();
            prop_assert!(least <= beside + string + 1 && beside + string <= most + 1, "{:?}", found);
        }
    }
}
