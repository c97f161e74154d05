//! Memory that is read by address: a live process, or a copy of one. Knows no PHP.

use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Reads at addresses of another process. `None`: not mapped, or not copied.
pub trait Memory {
    /// Fills `into` from `address`.
    fn read(&self, address: u64, into: &mut [u8]) -> Option<()>;

    /// One byte.
    fn u8(&self, address: u64) -> Option<u8> {
        let mut bytes = [0; 1];
        self.read(address, &mut bytes)?;
        Some(bytes[0])
    }

    /// Four bytes, little end first.
    fn u32(&self, address: u64) -> Option<u32> {
        let mut bytes = [0; 4];
        self.read(address, &mut bytes)?;
        Some(u32::from_le_bytes(bytes))
    }

    /// Eight bytes, little end first.
    fn u64(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes)?;
        Some(u64::from_le_bytes(bytes))
    }

    /// `length` bytes.
    fn vec(&self, address: u64, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.read(address, &mut bytes)?;
        Some(bytes)
    }
}

/// A range of the copy.
#[derive(Debug, Clone, Copy)]
struct Region {
    start: u64,
    end: u64,
    at: usize,
}

/// A copy of parts of a process's memory. What was not populated reads as zero inside a range.
#[derive(Debug, Default)]
pub struct Arena {
    regions: Vec<Region>,
    bytes: Vec<u8>,
    /// Reads come in runs: the region of the last one is tried first.
    last: Cell<usize>,
}

impl Arena {
    /// Takes ranges (start, length), sorted and disjoint, and the bytes of all, one behind the
    /// other.
    ///
    /// # Panics
    /// Where the bytes are not exactly as many as the ranges say.
    pub fn new(ranges: &[(u64, usize)], bytes: Vec<u8>) -> Arena {
        let mut at = 0;
        let regions = ranges
            .iter()
            .map(|&(start, length)| {
                let region = Region { start, end: start + length as u64, at };
                at += length;
                region
            })
            .collect();
        assert_eq!(at, bytes.len());
        Arena { regions, bytes, last: Cell::new(0) }
    }

    /// Its ranges: where each begins, and what it holds.
    pub fn regions(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let bytes = |r: &Region| &self.bytes[r.at..r.at + (r.end - r.start) as usize];
        self.regions.iter().map(move |region| (region.start, bytes(region)))
    }

    /// `length` bytes at `address`, where they lie in one range.
    #[inline]
    pub fn slice(&self, address: u64, length: usize) -> Option<&[u8]> {
        let end = address.checked_add(length as u64)?;
        let fits = |r: &Region| address >= r.start && end <= r.end;
        let region = match self.regions.get(self.last.get()) {
            Some(region) if fits(region) => region,
            _ => {
                let index = self.regions.partition_point(|r| r.end <= address);
                let region = self.regions.get(index).filter(|r| fits(r))?;
                self.last.set(index);
                region
            }
        };
        let at = region.at + (address - region.start) as usize;
        self.bytes.get(at..at + length)
    }
}

#[cfg(test)]
impl Arena {
    /// The bytes, to spoil.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Ranges held (start, end).
    pub fn ranges(&self) -> Vec<(u64, u64)> {
        self.regions.iter().map(|r| (r.start, r.end)).collect()
    }
}

impl Memory for Arena {
    fn read(&self, address: u64, into: &mut [u8]) -> Option<()> {
        into.copy_from_slice(self.slice(address, into.len())?);
        Some(())
    }

    #[inline]
    fn u8(&self, address: u64) -> Option<u8> {
        self.slice(address, 1).map(|b| b[0])
    }

    #[inline]
    fn u32(&self, address: u64) -> Option<u32> {
        self.slice(address, 4).map(|b| u32::from_le_bytes(b.try_into().expect("four bytes")))
    }

    #[inline]
    fn u64(&self, address: u64) -> Option<u64> {
        self.slice(address, 8).map(|b| u64::from_le_bytes(b.try_into().expect("eight bytes")))
    }
}

/// A map whose keys are addresses: one multiplication is hash enough, and the keys are no
/// attacker's free choice (they are where an allocator put things).
pub type AddressMap<V> = HashMap<u64, V, BuildHasherDefault<AddressHasher>>;

/// Fibonacci hashing of one word.
#[derive(Debug, Default, Clone, Copy)]
pub struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lie_in_one_range_or_are_none() {
        let arena = Arena::new(&[(0x1000, 16), (0x3000, 8)], (0..24).collect());
        assert_eq!(arena.u8(0x100f), Some(15));
        assert_eq!(arena.u64(0x3000), Some(u64::from_le_bytes([16, 17, 18, 19, 20, 21, 22, 23])));
        assert_eq!(arena.u64(0x1009), None);
        assert_eq!(arena.u32(0x2000), None);
        assert_eq!(arena.slice(u64::MAX, 8), None);
        assert_eq!(arena.vec(0x1000, 3), Some(vec![0, 1, 2]));
    }
}
