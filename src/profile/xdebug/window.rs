//! The numbers in 64 bytes of text: where each begins and ends, what stands between them, and their values. Knows nothing
//! of records.

use super::digits::{Masks, WINDOW, value_of_last};

/// Bytes that must be readable before a window: numbers are loaded by their end.
pub(crate) const LEAD: usize = 8;

/// Begin and end of a number in a window.
pub(super) type Range = (u32, u32);

/// Bytes behind the begin of a window that its words may reach.
pub(super) const REACH: usize = WINDOW + 16;

/// 64 bytes of the text: which of them are digits, and which end a line.
pub(super) struct Window<'a> {
    /// The window, with [`LEAD`] bytes before it.
    text: &'a [u8; LEAD + REACH],
    digits: u64,
    /// The ends of numbers that are not taken yet.
    ends: u64,
    lines: u64,
}

impl<'a> Window<'a> {
    /// # Safety
    ///
    /// `text` must go on for [`LEAD`] bytes before and [`REACH`] bytes behind `begin`.
    #[inline(always)]
    pub(super) unsafe fn at<M: Masks>(text: &'a [u8], begin: usize) -> Self {
        debug_assert!(begin >= LEAD && begin + REACH <= text.len());
        // SAFETY: as the caller promises.
        let text = unsafe { &*text.as_ptr().add(begin - LEAD).cast::<[u8; LEAD + REACH]>() };
        let (digits, lines) = M::of(text[LEAD..].first_chunk().unwrap_or(&[0; WINDOW]));
        Window { text, digits, ends: !digits & (digits << 1), lines }
    }

    /// Where the line ends before which so many others do; 64 where it does not end here. It is what the next record waits
    /// for, so it comes by the shortest way.
    #[inline(always)]
    pub(super) fn end_of_line(&self, lines_before: u32) -> u32 {
        (0..lines_before).fold(self.lines, |lines, _| lines & lines.wrapping_sub(1)).trailing_zeros()
    }

    /// Where the next number ends; 64 where there is none.
    #[inline(always)]
    pub(super) fn end(&mut self) -> u32 {
        let end = self.ends.trailing_zeros();
        self.ends &= self.ends.wrapping_sub(1);
        end
    }

    /// Ends of numbers before this place are passed over.
    #[inline(always)]
    pub(super) fn skip(&mut self, place: u32) {
        self.ends = self.ends >> (place & 63) << (place & 63);
    }

    /// Eight bytes, `at` at most 72 bytes behind the begin or 8 before it.
    #[inline(always)]
    pub(super) fn word(&self, at: i32) -> u64 {
        let at = (LEAD as i32 + at) as usize;
        debug_assert!(at + 8 <= self.text.len());
        // SAFETY: places are those of set bits of a mask, 64 where there is none, with 8 less or at most 8 more.
        unsafe { u64::from_le(self.text.as_ptr().add(at).cast::<u64>().read_unaligned()) }
    }

    /// The bits in which the text is other than expected.
    #[inline(always)]
    pub(super) fn other(&self, at: u32, expected: u64, mask: u64) -> u64 {
        (self.word(at as i32) ^ expected) & mask
    }

    /// The places at which no digit stands.
    #[inline(always)]
    pub(super) fn no_digit<const N: usize>(&self, places: [u32; N]) -> u64 {
        places.iter().fold(0, |all, place| all | 1u64.wrapping_shl(*place)) & !self.digits
    }

    /// Value of a number of 1 to 8 digits.
    #[inline(always)]
    pub(super) fn value(&self, begin: u32, end: u32) -> u64 {
        value_of_last(self.word(end as i32 - 8), end - begin)
    }
}

/// A negative number where one has more than so many digits.
#[inline(always)]
pub(super) fn too_long<const N: usize>(numbers: [(Range, u32); N]) -> i32 {
    numbers.iter().fold(0, |all, ((begin, end), most)| all | (most + begin).wrapping_sub(*end) as i32)
}
