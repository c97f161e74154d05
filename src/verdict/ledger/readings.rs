//! Readings of one conversation, repeated. A container that doubles now and then and a buffer that is grown once are
//! no part of what each conversation keeps: the median is.

use crate::model::Regularity;

use super::Reading;

/// Of the readings, the part that must agree.
const AGREE: f64 = 0.75;
/// The part that must be nothing: an array doubles at 8 and at 16 elements, and that is two of 17 readings.
const NOTHING: f64 = 0.88;
/// By how much two of them may differ: this part, or so many bytes.
const ALIKE: f64 = 0.125;
const ALIKE_BYTES: i64 = 64;

/// Readings, in their order.
#[derive(Debug, Clone, Default)]
pub struct Readings(Vec<Reading>);

impl Readings {
    /// One more.
    pub fn push(&mut self, reading: Reading) {
        self.0.push(reading);
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Bytes kept, in order of size.
    fn sorted(&self) -> Vec<i64> {
        let mut kept: Vec<i64> = self.0.iter().map(|reading| reading.kept).collect();
        kept.sort_unstable();
        kept
    }

    /// The median of what was kept.
    pub fn kept(&self) -> i64 {
        median(self.0.iter().map(|reading| reading.kept))
    }

    /// The median of the garbage.
    pub fn garbage(&self) -> i64 {
        median(self.0.iter().map(|reading| reading.garbage))
    }

    /// The median of new roots.
    pub fn roots(&self) -> i64 {
        median(self.0.iter().map(|reading| reading.roots))
    }

    /// The least and the most that was kept.
    pub fn range(&self) -> (i64, i64) {
        let sorted = self.sorted();
        (sorted.first().copied().unwrap_or(0), sorted.last().copied().unwrap_or(0))
    }

    /// What they show.
    pub fn regularity(&self) -> Regularity {
        let kept = self.kept();
        let agree = self.alike() as f64 / self.0.len().max(1) as f64;
        match kept {
            0 if agree >= NOTHING => Regularity::Nothing,
            0 => Regularity::NowAndThen,
            kept if kept > 0 && agree >= AGREE => Regularity::EachTime,
            _ => Regularity::Varies,
        }
    }

    /// How many are about the median.
    fn alike(&self) -> usize {
        let kept = self.kept();
        self.0.iter().filter(|reading| is_alike(reading.kept, kept)).count()
    }

    /// All of them are: more of them would tell nothing more.
    pub fn agree(&self) -> bool {
        self.alike() == self.0.len()
    }
}

/// Whether two amounts are the same but for a block's size.
pub(super) fn is_alike(one: i64, other: i64) -> bool {
    (one - other).abs() <= ALIKE_BYTES.max((other.abs() as f64 * ALIKE) as i64).min(other.abs() / 2)
}

/// The middle one; of two the smaller. 0 of none.
pub fn median(values: impl Iterator<Item = i64>) -> i64 {
    let mut all: Vec<i64> = values.collect();
    all.sort_unstable();
    all.get(all.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regularity(kept: &[i64]) -> Regularity {
        let readings = kept.iter().map(|kept| Reading { kept: *kept, ..Reading::default() });
        Readings(readings.collect()).regularity()
    }

    #[test]
    fn an_array_that_doubles_is_no_part_of_it() {
        assert_eq!(regularity(&[1024, 1024, 1280, 1024, 1024, 1024, 1536, 1024]), Regularity::EachTime);
        let doubled = [0, 0, 256, 0, 0, 0, 0, 0, 0, 0, 512, 0, 0, 0, 0, 0, 0];
        assert_eq!(regularity(&doubled), Regularity::Nothing);
    }

    #[test]
    fn every_fourth_message_is_not_nothing() {
        assert_eq!(regularity(&[0, 0, 0, 1024, 0, 0, 1024, 0, 0, 0, 1024]), Regularity::NowAndThen);
    }

    #[test]
    fn what_slows_down_and_what_goes_by_chance_varies() {
        assert_eq!(regularity(&[100_000, 75_000, 60_000, 50_000, 43_000]), Regularity::Varies);
        assert_eq!(regularity(&[-900, 5000, 200, -4000, 100]), Regularity::Varies);
        assert_eq!(regularity(&[-64, -64, -64]), Regularity::Varies);
    }

    #[test]
    fn small_amounts_must_agree_too() {
        assert_eq!(regularity(&[16, 16, 16, 16]), Regularity::EachTime);
        assert_eq!(regularity(&[16, 0, 48, 16]), Regularity::Varies);
    }

    #[test]
    fn the_median_of_an_even_number_is_one_of_them() {
        assert_eq!(median([4, 1, 3, 2].into_iter()), 2);
        assert_eq!(median(std::iter::empty()), 0);
    }
}
