//! Zend's memory manager: its figures, found by what must hold of them and not by a table (the
//! structure differs within a minor version), and the size of any block by its address.

use super::census::values::Figures;
use super::memory::{AddressMap, Arena, Memory};

/// Bytes of a chunk; chunks are aligned to it.
pub const CHUNK: u64 = 2 << 20;
/// Bytes of a page of the manager, which is 4 KiB wherever the system's own are larger.
pub const PAGE: u64 = 4096;
const PAGES: usize = 512;
/// Where the heap's structure lies in the main chunk.
const HEAP_SLOT: u64 = 0x40;
/// The map's word for a run of one page that is no run of small blocks: every chunk's first page.
const FIRST_PAGE: u32 = 0x4000_0001;
const SMALL_RUN: u32 = 0x8000_0000;
const LARGE_RUN: u32 = 0x4000_0000;
/// Where `real_size` can stand at the earliest: behind four words and thirty free lists.
const FIRST_REAL: u64 = 34 * 8;
/// More chunks than any process has (2 TiB): a longer ring is no ring.
const MOST_CHUNKS: u32 = 1 << 20;
const MOST_HUGE: usize = 1 << 20;

/// Bytes of a small block, by bin.
const BIN_SIZE: [u32; 30] = [
    8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280,
    1536, 1792, 2048, 2560, 3072,
];
/// Pages of a run of small blocks, by bin.
const BIN_PAGES: [u32; 30] = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 5, 3, 1, 1, 5, 3, 2, 2, 5, 3, 7, 4, 5, 3];

/// The manager's structure in one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zmm {
    heap: u64,
    /// Offset of `main_chunk` in the heap; the list of huge blocks stands before it, the counts of
    /// chunks behind it.
    main: u64,
    /// Offset of `real_size`; the free lists end before it, its peak and the limit follow.
    real: u64,
    /// Offset of `free_map` in a chunk; the map follows it.
    free_map: u64,
}

impl Zmm {
    /// Finds the manager, given an address in one of its chunks. `None` where PHP does not use it
    /// (`USE_ZEND_ALLOC=0`), or where it is changing just now.
    pub fn find(memory: &impl Memory, inside: u64) -> Option<Zmm> {
        let heap = memory.u64(inside & !(CHUNK - 1))?;
        let main_chunk = heap.checked_sub(HEAP_SLOT)?;
        if main_chunk == 0 || main_chunk % CHUNK != 0 {
            return None;
        }
        let main = (16..62).map(|i| i * 8).find(|&offset| memory.u64(heap + offset) == Some(main_chunk))?;
        // The chunk's maps follow the heap's structure.
        let candidate = |free_map: u64, real: u64| Zmm { heap, main, real, free_map };
        let free_map = (main / 8 + 1..1024 / 8)
            .map(|i| HEAP_SLOT + i * 8)
            .find(|&offset| candidate(offset, 0).chunk_holds(memory, main_chunk))?;
        let total = candidate(free_map, 0).total(memory)?;
        // Between the free lists and the huge blocks; a release may have put limits of its own there.
        let real = (FIRST_REAL / 8..main / 8).map(|i| i * 8).find(|&o| memory.u64(heap + o) == Some(total))?;
        let found = candidate(free_map, real);
        found.figures(memory)?;
        Some(found)
    }

    fn chunk_holds(&self, memory: &impl Memory, chunk: u64) -> bool {
        let holds = || {
            let free = memory.vec(chunk + self.free_map, PAGES / 8)?;
            let used: u32 = free.iter().map(|b| b.count_ones()).sum();
            let free_pages = memory.u32(chunk + 24)?;
            let first = memory.u32(chunk + self.free_map + PAGES as u64 / 8)?;
            Some(first == FIRST_PAGE && free[0] & 1 == 1 && used + free_pages == PAGES as u32)
        };
        holds().unwrap_or(false)
    }

    /// Addresses of all chunks, main chunk first. `None` where the ring does not close.
    pub fn chunks(&self, memory: &impl Memory) -> Option<Vec<u64>> {
        let main_chunk = self.heap - HEAP_SLOT;
        let count = memory.u32(self.heap + self.main + 16)?;
        if count == 0 || count > MOST_CHUNKS {
            return None;
        }
        let mut chunks = Vec::with_capacity(count.min(4096) as usize);
        let mut chunk = main_chunk;
        for _ in 0..count {
            if !chunk.is_multiple_of(CHUNK) || memory.u64(chunk)? != self.heap || !self.chunk_holds(memory, chunk) {
                return None;
            }
            chunks.push(chunk);
            chunk = memory.u64(chunk + 8)?;
        }
        (chunk == main_chunk).then_some(chunks)
    }

    /// Huge blocks (address, bytes).
    pub fn huge(&self, memory: &impl Memory) -> Option<Vec<(u64, u64)>> {
        let mut blocks = Vec::new();
        let mut at = memory.u64(self.heap + self.main - 8)?;
        while at != 0 {
            if blocks.len() == MOST_HUGE {
                return None;
            }
            let (block, size) = (memory.u64(at)?, memory.u64(at + 8)?);
            if block % CHUNK != 0 || size % PAGE != 0 || size > 1 << 46 {
                return None;
            }
            blocks.push((block, size));
            at = memory.u64(at + 16)?;
        }
        Some(blocks)
    }

    /// What the chunks, the cached ones too, and the huge blocks add up to.
    fn total(&self, memory: &impl Memory) -> Option<u64> {
        let cached = memory.u32(self.heap + self.main + 24)?;
        let huge: u64 = self.huge(memory)?.iter().map(|h| h.1).sum();
        Some((self.chunks(memory)?.len() as u64 + u64::from(cached)) * CHUNK + huge)
    }

    /// The figures, where everything that must hold of them does.
    pub fn figures(&self, memory: &impl Memory) -> Option<Figures> {
        let word = |offset: u64| memory.u64(self.heap + offset);
        let (size, peak) = (word(16)?, word(24)?);
        let (real_size, real_peak, limit) = (word(self.real)?, word(self.real + 8)?, word(self.real + 16)?);
        let total = self.total(memory)?;
        let holds =
            real_size == total && size <= peak && size <= real_size && real_size <= real_peak && peak <= real_peak;
        // No limit is the largest number that the engine can take, aligned down.
        let limit = (limit < 1 << 62).then_some(limit);
        (holds && word(0)? & 0xffff_ffff == 0).then_some(Figures { size, peak, real_size, real_peak, limit })
    }

    /// Pages of `chunk` in use, as runs (first page, pages).
    pub fn used_runs(&self, memory: &impl Memory, chunk: u64) -> Option<Vec<(usize, usize)>> {
        let bits = memory.vec(chunk + self.free_map, PAGES / 8)?;
        let used = |page: usize| bits[page / 8] >> (page % 8) & 1 == 1;
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for page in (0..PAGES).filter(|&p| used(p)) {
            match runs.last_mut() {
                Some((first, pages)) if *first + *pages == page => *pages += 1,
                _ => runs.push((page, 1)),
            }
        }
        Some(runs)
    }
}

/// A block that the manager has given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// First address.
    pub start: u64,
    /// Bytes, as the manager counts them.
    pub size: u64,
}

/// The page maps of a copy, for asking after any block.
#[derive(Debug)]
pub struct BlockMap {
    chunks: AddressMap<Box<[u32; PAGES]>>,
    huge: Vec<(u64, u64)>,
}

impl BlockMap {
    /// Reads the maps, and makes sure that the blocks given out, in sum, are what the manager says
    /// that it has given out: to the byte.
    pub fn read(zmm: &Zmm, arena: &Arena) -> Option<BlockMap> {
        let figures = zmm.figures(arena)?;
        let mut chunks = AddressMap::default();
        let mut total = 0_u64;
        let mut slots = [0_u64; 30];
        for chunk in zmm.chunks(arena)? {
            let bytes = arena.slice(chunk + zmm.free_map + PAGES as u64 / 8, PAGES * 4)?;
            let mut map = Box::new([0_u32; PAGES]);
            for (word, bytes) in map.iter_mut().zip(bytes.chunks_exact(4)) {
                *word = u32::from_le_bytes(bytes.try_into().expect("four bytes"));
            }
            let free = arena.slice(chunk + zmm.free_map, PAGES / 8)?;
            let mut page = 1;
            while page < PAGES {
                let word = map[page];
                if free[page / 8] >> (page % 8) & 1 == 0 {
                    map[page] = 0;
                    page += 1;
                } else if word & SMALL_RUN != 0 {
                    let bin = (word & 0x1f) as usize;
                    let pages = *BIN_PAGES.get(bin)? as usize;
                    slots[bin] += pages as u64 * PAGE / u64::from(BIN_SIZE[bin]);
                    page += pages;
                } else if word & LARGE_RUN != 0 {
                    let pages = (word & 0x3ff) as usize;
                    if pages == 0 {
                        return None;
                    }
                    total += pages as u64 * PAGE;
                    page += pages;
                } else {
                    return None;
                }
            }
            if page != PAGES {
                return None;
            }
            chunks.insert(chunk, map);
        }
        let huge = zmm.huge(arena)?;
        total += huge.iter().map(|h| h.1).sum::<u64>();
        for (bin, &slots) in slots.iter().enumerate() {
            // free_slot[30] stands between the peak and the real size; its list runs through the
            // free blocks themselves.
            let head = zmm.heap + zmm.real - (30 - bin as u64) * 8;
            let mut free = 0;
            let mut at = arena.u64(head)?;
            while at != 0 {
                free += 1;
                if free > slots {
                    return None;
                }
                at = arena.u64(at)?;
            }
            total += (slots - free) * u64::from(BIN_SIZE[bin]);
        }
        (total == figures.size).then_some(BlockMap { chunks, huge })
    }

    /// Whether `address` lies in the manager's memory, given out or not.
    pub fn is_managed(&self, address: u64) -> bool {
        self.chunks.contains_key(&(address & !(CHUNK - 1)))
            || self.huge.iter().any(|(start, size)| (*start..start + size).contains(&address))
    }

    /// The block that `address` lies in; `None` where the manager gave none out there.
    #[inline]
    pub fn block(&self, address: u64) -> Option<Block> {
        let chunk = address & !(CHUNK - 1);
        let Some(map) = self.chunks.get(&chunk) else {
            return self
                .huge
                .iter()
                .find(|(start, size)| (*start..start + size).contains(&address))
                .map(|&(start, size)| Block { start, size });
        };
        let mut page = ((address - chunk) / PAGE) as usize;
        let mut word = map[page];
        if page == 0 {
            return None;
        }
        if word & SMALL_RUN != 0 {
            if word & LARGE_RUN != 0 {
                // A page inside a run of several: the word says how far back the run starts.
                page = page.checked_sub((word >> 16 & 0x1ff) as usize)?;
                word = map[page];
            }
            let size = u64::from(*BIN_SIZE.get((word & 0x1f) as usize)?);
            let start = chunk + page as u64 * PAGE;
            return Some(Block { start: start + (address - start) / size * size, size });
        }
        // Inside a large run the map may hold anything; its first page is what tells.
        while word & LARGE_RUN == 0 && page > 1 {
            page -= 1;
            word = map[page];
        }
        let pages = u64::from(word & 0x3ff);
        let start = chunk + page as u64 * PAGE;
        let size = pages * PAGE;
        (word & SMALL_RUN == 0 && address < start + size).then_some(Block { start, size })
    }
}
