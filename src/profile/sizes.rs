//! How large the costs of each event are in all, whatever their signs: up to the largest number that a sum can hold, no
//! sum of some of them can have been cut off.

/// Sizes by the event's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sizes(Vec<(String, u64)>);

impl Sizes {
    /// Counts costs of an event whose sizes sum up to `size`.
    pub(crate) fn add(&mut self, event: &str, size: u64) {
        match self.0.iter_mut().find(|(name, _)| name == event) {
            Some((_, sum)) => *sum = sum.saturating_add(size),
            None => self.0.push((event.to_owned(), size)),
        }
    }

    /// Counts another file's; its times stand in units that are so many times as long.
    pub(crate) fn absorb(&mut self, other: &Sizes, time: &str, factor: i64) {
        for (event, size) in &other.0 {
            let factor = if event == time { factor.unsigned_abs() } else { 1 };
            self.add(event, size.saturating_mul(factor));
        }
    }

    /// What to say of sums that may have been cut off, one sentence for each event that `known` has not said already.
    pub(crate) fn beyond(&self, known: &Sizes) -> Vec<String> {
        let large = |sizes: &Sizes| -> Vec<String> {
            let large = sizes.0.iter().filter(|(_, size)| *size > i64::MAX as u64);
            large.map(|(event, _)| event.clone()).collect()
        };
        let said = large(known);
        let events = large(self).into_iter().filter(|event| !said.contains(event));
        let said = |event| {
            format!(
                "its costs of {event} add up to more than a sum can hold (2^63 - 1): sums and shares of {event}, here and in \
                 every export, are not exact"
            )
        };
        events.map(said).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_doubted_from_where_they_may_have_been_cut_off() {
        let mut sizes = Sizes::default();
        sizes.add("Ir", i64::MAX as u64 - 1);
        sizes.add("Dr", 5);
        sizes.add("Ir", 1);
        assert_eq!(sizes.beyond(&Sizes::default()), Vec::<String>::new());
        let before = sizes.clone();
        sizes.add("Ir", 1);
        assert!(matches!(&sizes.beyond(&before)[..], [said] if said.contains("costs of Ir")));
        assert_eq!(sizes.beyond(&sizes), Vec::<String>::new(), "it is said once");
        let mut times = Sizes::default();
        times.absorb(&before, "Ir", 2);
        assert_eq!(times.beyond(&before).len(), 1);
    }
}
