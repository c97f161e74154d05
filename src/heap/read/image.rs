//! Finding PHP in a process: which file, loaded where, of which version. Reads the live process;
//! knows nothing of its heap.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::sync::{Mutex, PoisonError};

use crate::heap::census::error::Error;
use crate::heap::layout::{self, Layout};
use crate::heap::memory::Memory;
use crate::proc::elf::Image;
use crate::proc::maps::Mapping;
use crate::proc::remote::Remote;

/// What every build exports, the stripped ones too.
const SYMBOLS: [&str; 3] = ["executor_globals", "compiler_globals", "module_registry"];

/// What a build with threads exports in the place of the first: each thread has globals of its own, at this offset.
const OF_THREADS: &str = "executor_globals_offset";

/// How far a release may stand from the table's `sizeof(executor_globals)` of its minor version
/// (8.2 gained 16 bytes between two of its releases; two minor versions differ by more).
const GLOBALS_SLACK: u32 = 64;

/// Buckets of the module registry that are looked at.
const MODULES: u64 = 1024;

/// A PHP in a process.
#[derive(Debug)]
pub struct Php {
    /// The file that holds the engine: `php` itself, or a libphp.
    pub image: Image,
    /// What to add to the file's addresses.
    pub bias: u64,
    /// `executor_globals`
    pub eg: u64,
    /// `compiler_globals`
    pub cg: u64,
    /// The minor version's layout.
    pub layout: Layout,
    /// As PHP tells it: `8.2.36`.
    pub version: String,
}

impl Php {
    /// Finds PHP in process `pid` and makes sure that its layout is known.
    ///
    /// # Errors
    /// `NotPhp`, `Unsupported`; `Busy` where PHP has not yet started up.
    pub fn find(pid: i32, maps: &[Mapping], memory: &Remote) -> Result<Php, Error> {
        let (image, bias) = find_image(pid, maps)?;
        let [eg, cg, registry] = [0, 1, 2].map(|i| image.symbols[i].address.wrapping_add(bias));
        if !image.is_known {
            return Err(Error::Unsupported("it is compiled neither for x86-64 nor for 64-bit ARM".into()));
        }
        let standard = standard_module(memory, registry)?;
        let layout = identify(memory, standard)?;
        let version = memory
            .u64(standard + 88)
            .and_then(|at| c_string(memory, at))
            .filter(|version| version.starts_with(&format!("{}.", layout.version)))
            .ok_or_else(|| Error::Unsupported(format!("it does not say that it is a PHP {}", layout.version)))?;
        for (symbol, expected, name) in
            [(image.symbols[0], layout.eg_size, SYMBOLS[0]), (image.symbols[1], layout.cg_size, SYMBOLS[1])]
        {
            if (symbol.size as i64 - i64::from(expected)).abs() > i64::from(GLOBALS_SLACK) {
                return Err(Error::Unsupported(format!(
                    "its {name} has {} bytes where PHP {} has about {expected}",
                    symbol.size, layout.version
                )));
            }
        }
        Ok(Php { image, bias, eg, cg, layout, version })
    }

    /// The writable part of the image in memory, where its static variables lie: (start, length).
    pub fn data(&self) -> (u64, usize) {
        // executor_globals is in .bss, which ends the last segment.
        let at = self.image.symbols[0].address;
        self.image
            .segments
            .iter()
            .find(|s| (s.address..s.address + s.memory_size).contains(&at))
            .map_or((0, 0), |s| (s.address.wrapping_add(self.bias), s.memory_size as usize))
    }

    /// A constant of the image (a C string in `.rodata`) by its address in the process; read from
    /// the file, so that no page of the process is touched.
    pub fn constant_string(&self, address: u64) -> Option<String> {
        c_string(&FileConstants(self), address)
    }
}

/// The image's file, read by the process's addresses.
struct FileConstants<'a>(&'a Php);

impl Memory for FileConstants<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> Option<()> {
        self.0.image.read(address.wrapping_sub(self.0.bias), into).then_some(())
    }
}

/// A C string of at most 64 printable bytes.
pub fn c_string(memory: &impl Memory, address: u64) -> Option<String> {
    let mut text = String::new();
    for offset in 0..64 {
        match memory.u8(address.checked_add(offset)?)? {
            0 => return Some(text),
            byte @ 0x20..0x7f => text.push(byte as char),
            _ => return None,
        }
    }
    None
}

fn find_image(pid: i32, maps: &[Mapping]) -> Result<(Image, u64), Error> {
    let mut tried: Vec<(&str, u64)> = Vec::new();
    let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    let exe = exe.to_string_lossy();
    // The executable first; then whatever else runs, which finds a libphp and a PHP that was
    // started through its dynamic loader.
    let mut candidates: Vec<&Mapping> = maps.iter().filter(|m| m.is_file() && m.executable).collect();
    candidates.sort_by_key(|m| (m.path != exe, !m.path.contains("php")));
    for code in candidates {
        if tried.contains(&(code.path.as_str(), code.inode)) {
            continue;
        }
        tried.push((&code.path, code.inode));
        let Some(first) = maps.iter().find(|m| m.inode == code.inode && m.path == code.path) else { continue };
        let Some(file) = open_mapped(pid, first, code.path == exe) else { continue };
        match open_engine(file) {
            Opened::Engine(image) => {
                let bias = image.bias(first.offset, first.start);
                return bias.map(|bias| (image, bias)).ok_or(Error::Unsupported("its mappings fit no segment".into()));
            }
            Opened::WithThreads => {
                return Err(Error::Unsupported(
                    "it is built with threads (ZTS), and each thread has a heap of its own; a PHP that is built \
                     without them (NTS) can be read"
                        .into(),
                ));
            }
            Opened::Other => {}
        }
    }
    let name = exe.rsplit('/').next().unwrap_or_default();
    if name.starts_with("php") || name == "frankenphp" {
        return Err(Error::Unsupported(format!(
            "{name} exports no executor_globals, as static builds do not; a PHP that exports its symbols can be read"
        )));
    }
    Err(Error::NotPhp)
}

/// What a file is.
enum Opened {
    /// It holds the engine.
    Engine(Image),
    /// An engine with threads.
    WithThreads,
    /// Neither.
    Other,
}

/// A file, as long as it is not written.
type FileKey = (u64, u64, i64, i64);

/// Files that are no engine. A server of many processes has the same libraries in each of them, and to look through all
/// their symbols anew would take longer than all the rest of a floor.
static NO_ENGINE: Mutex<BTreeSet<FileKey>> = Mutex::new(BTreeSet::new());

fn open_engine(file: File) -> Opened {
    use std::os::unix::fs::MetadataExt;
    let Ok(about) = file.metadata() else { return Opened::Other };
    let key = (about.dev(), about.ino(), about.mtime(), about.mtime_nsec());
    if NO_ENGINE.lock().unwrap_or_else(PoisonError::into_inner).contains(&key) {
        return Opened::Other;
    }
    let open = |names: &[&str]| Image::open(file.try_clone().ok()?, names);
    if let Some(image) = open(&SYMBOLS) {
        return Opened::Engine(image);
    }
    if open(&[OF_THREADS, SYMBOLS[2]]).is_some() {
        return Opened::WithThreads;
    }
    NO_ENGINE.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
    Opened::Other
}

fn open_mapped(pid: i32, mapping: &Mapping, is_exe: bool) -> Option<File> {
    use std::os::unix::fs::MetadataExt;
    if is_exe {
        return File::open(format!("/proc/{pid}/exe")).ok();
    }
    // By the process's own root, as it may be in a container; and only if it is still that file.
    let file = File::open(format!("/proc/{pid}/root{}", mapping.path)).ok()?;
    (file.metadata().ok()?.ino() == mapping.inode).then_some(file)
}

/// The module entry of `standard`, which every PHP has.
fn standard_module(memory: &impl Memory, registry: u64) -> Result<u64, Error> {
    // A HashTable's and a bucket's layout are the same in every version since 7.3.
    let find = || {
        let (data, used) = (memory.u64(registry + 16)?, memory.u32(registry + 24)?);
        for index in 0..u64::from(used).min(MODULES) {
            let bucket = data.checked_add(index * 32)?;
            let key = memory.u64(bucket + 24)?;
            if key != 0 && memory.u64(key + 16)? == 8 && memory.vec(key + 24, 8)? == b"standard" {
                return memory.u64(bucket);
            }
        }
        None
    };
    find().ok_or(Error::Busy)
}

/// Accepts exactly `API<n>,NTS` of a layout that is known.
fn identify(memory: &impl Memory, module: u64) -> Result<Layout, Error> {
    let unreadable = || Error::Unsupported("its module entries cannot be read".into());
    let api = memory.u32(module + 4).ok_or_else(unreadable)?;
    let debug = memory.u8(module + 8).ok_or_else(unreadable)?;
    let zts = memory.u8(module + 9).ok_or_else(unreadable)?;
    let build = memory.u64(module + 160).and_then(|at| c_string(memory, at)).ok_or_else(unreadable)?;
    let layout = layout::known().iter().find(|l| l.api == api);
    match layout {
        Some(layout) if debug == 0 && zts == 0 && build == format!("API{api},NTS") => Ok(layout.clone()),
        Some(_) => Err(Error::Unsupported(format!("only builds without threads and debugging are known, not {build}"))),
        None => Err(Error::Unsupported(format!("a PHP with {build} is not known"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module's entry in memory of its own: its API, whether it is built for debugging, whether with threads.
    struct Entry {
        bytes: Vec<u8>,
    }

    const AT: u64 = 0x1000;

    impl Entry {
        fn new(api: u32, debug: u8, threads: u8, build: &str) -> Entry {
            let mut bytes = vec![0; 256];
            bytes[4..8].copy_from_slice(&api.to_le_bytes());
            (bytes[8], bytes[9]) = (debug, threads);
            bytes[160..168].copy_from_slice(&(AT + 200).to_le_bytes());
            bytes[200..200 + build.len()].copy_from_slice(build.as_bytes());
            Entry { bytes }
        }
    }

    impl Memory for Entry {
        fn read(&self, address: u64, into: &mut [u8]) -> Option<()> {
            let from = address.checked_sub(AT)? as usize;
            into.copy_from_slice(self.bytes.get(from..from + into.len())?);
            Some(())
        }
    }

    #[test]
    fn a_build_that_is_not_known_is_refused_by_name() {
        let told = |api, debug, threads, build: &str| identify(&Entry::new(api, debug, threads, build), AT);
        assert_eq!(told(20_240_924, 0, 0, "API20240924,NTS").unwrap().version, "8.4");
        for (api, debug, threads, build) in [
            (20_240_924, 0, 1, "API20240924,TS"),
            // The byte alone, or the name alone.
            (20_240_924, 0, 1, "API20240924,NTS"),
            (20_240_924, 0, 0, "API20240924,TS"),
            (20_240_924, 1, 0, "API20240924,NTS,debug"),
            (20_260_924, 0, 0, "API20260924,NTS"),
        ] {
            let refused = told(api, debug, threads, build).unwrap_err();
            assert!(matches!(&refused, Error::Unsupported(why) if why.contains(build)), "{build}: {refused:?}");
        }
    }
}
