//! What an ELF file exports, how it wants to be loaded, and which build it is. Knows files, not processes.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use object::read::ReadCache;
use object::{Architecture, Object, ObjectSegment, ObjectSymbol};

use super::page_size;

/// A loadable segment (`PT_LOAD`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Address in the file's own numbering.
    pub address: u64,
    /// Size in memory, in bytes.
    pub memory_size: u64,
    /// Offset into the file, in bytes.
    pub file_offset: u64,
    /// Size in the file, in bytes.
    pub file_size: u64,
}

/// An exported symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symbol {
    /// Address in the file's own numbering.
    pub address: u64,
    /// Size in bytes, as the symbol table tells it.
    pub size: u64,
}

/// An ELF file that exports every symbol that was asked for.
#[derive(Debug, Clone)]
pub struct Image {
    /// The file, for reading constants that no process changes.
    pub file: Arc<File>,
    /// Loadable segments in the file's order.
    pub segments: Vec<Segment>,
    /// The symbols, in the order that they were asked for.
    pub symbols: Vec<Symbol>,
    /// Compiled for x86-64 or 64-bit ARM, little end first: what the engine's structures look the same on.
    pub is_known: bool,
}

impl Image {
    /// Opens `file` as ELF and looks `names` up in `.dynsym`. `None` where it is no ELF file, or
    /// where one of the names is not exported.
    pub fn open(file: File, names: &[&str]) -> Option<Image> {
        let cache = ReadCache::new(file.try_clone().ok()?);
        let elf = object::File::parse(&cache).ok()?;
        let mut found: Vec<Option<Symbol>> = vec![None; names.len()];
        for symbol in elf.dynamic_symbols() {
            if symbol.address() == 0 {
                continue;
            }
            let Ok(name) = symbol.name() else { continue };
            if let Some(slot) = names.iter().position(|wanted| *wanted == name) {
                found[slot] = Some(Symbol { address: symbol.address(), size: symbol.size() });
            }
        }
        let symbols = found.into_iter().collect::<Option<Vec<_>>>()?;
        let segments = elf
            .segments()
            .map(|segment| {
                let (file_offset, file_size) = segment.file_range();
                Segment { address: segment.address(), memory_size: segment.size(), file_offset, file_size }
            })
            .collect();
        let is_known =
            matches!(elf.architecture(), Architecture::X86_64 | Architecture::Aarch64) && elf.is_little_endian();
        Some(Image { file: Arc::new(file), segments, symbols, is_known })
    }

    /// The exported variable that covers `address` (the file's numbering).
    pub fn symbol_at(&self, address: u64) -> Option<String> {
        let cache = ReadCache::new(self.file.try_clone().ok()?);
        let elf = object::File::parse(&cache).ok()?;
        let covers = |symbol: &object::Symbol<'_, '_, _>| {
            (symbol.address()..symbol.address().saturating_add(symbol.size())).contains(&address)
        };
        let symbol = elf.dynamic_symbols().find(covers)?;
        symbol.name().ok().map(str::to_owned)
    }

    /// Load bias: what to add to the file's addresses, given that the mapping of `file_offset`
    /// starts at `mapped_at`.
    pub fn bias(&self, file_offset: u64, mapped_at: u64) -> Option<u64> {
        self.bias_by(page_size(), file_offset, mapped_at)
    }

    fn bias_by(&self, page: u64, file_offset: u64, mapped_at: u64) -> Option<u64> {
        // Mappings start at page boundaries, segments need not. Pages have 4, 16 or 64 KiB.
        let page_of = |offset: u64| offset / page;
        let segment =
            self.segments.iter().find(|s| page_of(s.file_offset) == page_of(file_offset) && s.file_size > 0)?;
        let back = segment.file_offset.wrapping_sub(file_offset);
        Some(mapped_at.wrapping_add(back).wrapping_sub(segment.address))
    }

    /// The file's own bytes at `address` (the file's numbering). `false` where the address lies in
    /// no segment's file part.
    pub fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let end = address.saturating_add(into.len() as u64);
        self.segments
            .iter()
            .find(|s| address >= s.address && end <= s.address.saturating_add(s.file_size))
            .is_some_and(|s| self.file.read_exact_at(into, s.file_offset + (address - s.address)).is_ok())
    }
}

/// Which build an ELF file is: its build id (`.note.gnu.build-id`) in hexadecimal, or where it has none, `content:` and a
/// sum of its bytes (FNV-1a, 64 bits). `None` where it is no ELF file or cannot be read.
pub fn build_of(file: &File) -> Option<String> {
    let cache = ReadCache::new(file);
    let elf = object::File::parse(&cache).ok()?;
    match elf.build_id() {
        Ok(Some(id)) => Some(id.iter().map(|byte| format!("{byte:02x}")).collect()),
        _ => Some(format!("content:{:016x}", sum(file)?)),
    }
}

fn sum(file: &File) -> Option<u64> {
    let (mut sum, mut at, mut part) = (0xcbf2_9ce4_8422_2325_u64, 0, vec![0; 1 << 16]);
    loop {
        let read = file.read_at(&mut part, at).ok()?;
        if read == 0 {
            return Some(sum);
        }
        at += read as u64;
        sum = part[..read].iter().fold(sum, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_elf_is_none() {
        let file = File::open("Cargo.toml").unwrap();
        assert!(Image::open(file, &["main"]).is_none());
    }

    #[test]
    fn a_build_is_told_by_its_note_and_without_one_by_its_bytes() {
        assert_eq!(build_of(&File::open("Cargo.toml").unwrap()), None);
        let own = std::fs::read("/proc/self/exe").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let of = |bytes: &[u8]| {
            let path = folder.path().join("program");
            std::fs::write(&path, bytes).unwrap();
            build_of(&File::open(&path).unwrap()).unwrap()
        };
        let noted = of(&own);
        assert!(noted.len() >= 16 && noted.bytes().all(|b| b.is_ascii_hexdigit()), "{noted}");
        // The note's owner and kind stand before it; of another owner it is no build id.
        let note = b"\x14\0\0\0\x03\0\0\0GNU\0";
        let at = own.windows(note.len()).position(|part| part == note).expect("a build id");
        let mut without = own.clone();
        without[at + 8..at + 11].copy_from_slice(b"XYZ");
        let summed = of(&without);
        assert!(summed.starts_with("content:") && summed.len() == 24, "{summed}");
        *without.last_mut().unwrap() ^= 1;
        assert_ne!(of(&without), summed);
    }

    #[test]
    fn bias_follows_the_segment_of_the_mapped_offset() {
        let image = Image {
            file: Arc::new(File::open("Cargo.toml").unwrap()),
            segments: vec![
                Segment { address: 0, memory_size: 0x1000, file_offset: 0, file_size: 0x1000 },
                Segment { address: 0x5f08, memory_size: 0x100, file_offset: 0x4f08, file_size: 0x100 },
            ],
            symbols: vec![],
            is_known: true,
        };
        assert_eq!(image.bias_by(0x1000, 0, 0x5000_0000), Some(0x5000_0000));
        assert_eq!(image.bias_by(0x1000, 0x4000, 0x5000_5000), Some(0x5000_0000));
        assert_eq!(image.bias_by(0x1000, 0x9000, 0x5000_5000), None);
        // Where pages have 64 KiB, a mapping begins as many before its segment.
        let segment = Segment { address: 0x2_fda8, memory_size: 0x900, file_offset: 0x1_fda8, file_size: 0x800 };
        let image = Image { segments: vec![segment], ..image };
        assert_eq!(image.bias_by(0x1_0000, 0x1_0000, 0xaaaa_0002_0000), Some(0xaaaa_0000_0000));
        assert_eq!(image.bias_by(0x1000, 0x1_0000, 0xaaaa_0002_0000), None);
    }
}
