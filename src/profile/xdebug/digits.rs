//! Where numbers stand in 64 bytes, and their values: the part of the lexer that vector
//! instructions speed up. Knows nothing of profiles.

/// Which vector instructions may be used, as far as the processor has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Vectors {
    /// The widest that there are.
    #[default]
    Widest,
    /// On x86-64 those of SSE2, which every such processor has; none elsewhere.
    Common,
    /// None.
    None,
}

/// Bytes that one mask covers.
pub(crate) const WINDOW: usize = 64;

/// Bit n of the first mask is set where byte n is an ASCII digit, of the second where it ends a line.
pub(crate) trait Masks {
    /// Looks at [`WINDOW`] bytes.
    fn of(bytes: &[u8; WINDOW]) -> (u64, u64);
}

/// Eight bytes at a time in ordinary registers, for any processor.
pub(crate) struct Portable;

impl Masks for Portable {
    #[inline(always)]
    fn of(bytes: &[u8; WINDOW]) -> (u64, u64) {
        let (mut all_digits, mut all_lines) = (0u64, 0u64);
        // The highest bits of the eight bytes, as the eight lowest.
        let bits = |word: u64| (word >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        for (at, word) in bytes.chunks_exact(8).enumerate() {
            let word = u64::from_le_bytes([word[0], word[1], word[2], word[3], word[4], word[5], word[6], word[7]]);
            // A digit has the high nibble 3 and stays below 0x40 when 6 is added to it.
            let odd = (word ^ 0x3030_3030_3030_3030)
                | (((word ^ 0x3030_3030_3030_3030) & 0x0f0f_0f0f_0f0f_0f0f) + 0x0606_0606_0606_0606);
            let odd = odd & 0xf0f0_f0f0_f0f0_f0f0;
            let odd = (odd | odd << 1 | odd << 2 | odd << 3) & 0x8080_8080_8080_8080;
            let digits = !odd & 0x8080_8080_8080_8080;
            all_digits |= bits(digits) << (at * 8);
            // Only a zero byte has its highest bit set neither before 127 is added to the others nor after.
            let line = word ^ 0x0a0a_0a0a_0a0a_0a0a;
            let other = ((line & 0x7f7f_7f7f_7f7f_7f7f) + 0x7f7f_7f7f_7f7f_7f7f) | line;
            all_lines |= bits(!other & 0x8080_8080_8080_8080) << (at * 8);
        }
        (all_digits, all_lines)
    }
}

/// 32 bytes at a time. Only for processors with AVX2.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Avx2;

#[cfg(target_arch = "x86_64")]
impl Masks for Avx2 {
    #[inline(always)]
    fn of(bytes: &[u8; WINDOW]) -> (u64, u64) {
        use std::arch::x86_64::*;
        // SAFETY: the loads are unaligned ones within the 64 bytes; whoever uses this type has
        // checked that the processor has AVX2.
        unsafe {
            let half = |at: usize| {
                let word = _mm256_loadu_si256(bytes.as_ptr().add(at).cast());
                // '0'..='9' become the ten smallest signed bytes.
                let shifted = _mm256_add_epi8(word, _mm256_set1_epi8((0x80u8 - b'0') as i8));
                let digits = _mm256_cmpgt_epi8(_mm256_set1_epi8(-128 + 10), shifted);
                let lines = _mm256_cmpeq_epi8(word, _mm256_set1_epi8(b'\n' as i8));
                let mask = |of| u64::from(_mm256_movemask_epi8(of) as u32);
                (mask(digits), mask(lines))
            };
            let (low, high) = (half(0), half(32));
            (low.0 | high.0 << 32, low.1 | high.1 << 32)
        }
    }
}

/// 16 bytes at a time: every x86-64 processor can.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Sse2;

#[cfg(target_arch = "x86_64")]
impl Masks for Sse2 {
    #[inline(always)]
    fn of(bytes: &[u8; WINDOW]) -> (u64, u64) {
        use std::arch::x86_64::*;
        // SAFETY: the loads are unaligned ones within the 64 bytes; SSE2 belongs to x86-64.
        unsafe {
            let quarter = |at: usize| {
                let word = _mm_loadu_si128(bytes.as_ptr().add(at).cast());
                let shifted = _mm_add_epi8(word, _mm_set1_epi8((0x80u8 - b'0') as i8));
                let digits = _mm_cmplt_epi8(shifted, _mm_set1_epi8(-128 + 10));
                let lines = _mm_cmpeq_epi8(word, _mm_set1_epi8(b'\n' as i8));
                let mask = |of| u64::from(_mm_movemask_epi8(of) as u32) << at;
                (mask(digits), mask(lines))
            };
            let quarters = [quarter(0), quarter(16), quarter(32), quarter(48)];
            quarters.iter().fold((0, 0), |all, quarter| (all.0 | quarter.0, all.1 | quarter.1))
        }
    }
}

/// Value of up to eight digits that end at the top byte of `word` (its other bytes are ignored).
#[inline(always)]
pub(crate) fn value_of_last(word: u64, digits: u32) -> u64 {
    debug_assert!((1..=8).contains(&digits));
    let unused = 64 - 8 * digits;
    let word = ((word & 0x0f0f_0f0f_0f0f_0f0f) >> unused) << unused;
    let pairs = word.wrapping_mul(10).wrapping_add(word >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(bytes: &[u8; WINDOW]) -> (u64, u64) {
        let mask = |of: fn(&u8) -> bool| bytes.iter().enumerate().map(|(at, byte)| u64::from(of(byte)) << at).sum();
        (mask(u8::is_ascii_digit), mask(|byte| *byte == b'\n'))
    }

    proptest! {
        #[test]
        fn masks_are_equal(bytes in proptest::collection::vec(any::<u8>(), WINDOW)) {
            let bytes: [u8; WINDOW] = bytes.try_into().unwrap();
            prop_assert_eq!(Portable::of(&bytes), plain(&bytes));
            #[cfg(target_arch = "x86_64")]
            {
                prop_assert_eq!(Sse2::of(&bytes), plain(&bytes));
                if std::is_x86_feature_detected!("avx2") {
                    prop_assert_eq!(Avx2::of(&bytes), plain(&bytes));
                }
            }
        }

        #[test]
        fn values(value in 0u64..100_000_000, junk in any::<[u8; 8]>()) {
            let text = value.to_string();
            let mut bytes = junk;
            bytes[8 - text.len()..].copy_from_slice(text.as_bytes());
            prop_assert_eq!(value_of_last(u64::from_le_bytes(bytes), text.len() as u32), value);
        }
    }

    #[test]
    fn every_byte_is_told() {
        for start in 0..=255u8 {
            let bytes: [u8; WINDOW] = std::array::from_fn(|at| start.wrapping_add(at as u8));
            assert_eq!(Portable::of(&bytes), plain(&bytes), "{start}");
        }
    }
}
