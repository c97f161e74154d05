//! Files mapped into memory that somebody may cut short meanwhile. Such a read ends in SIGBUS: a handler puts pages of
//! zeros where the file no longer is, and notes it, so that whoever has read can ask, and read again. The bytes lie in
//! memory as without it, and cost as much.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};

use memmap2::Mmap;
use nix::errno::Errno;

/// The bytes of a file.
#[derive(Debug)]
pub(crate) struct Map {
    map: Mmap,
    /// Beyond it the map is not shown.
    shown: usize,
    place: Option<Arc<Place>>,
}

impl Map {
    /// Maps a file that had so many bytes; the second tells afterwards what became of it.
    pub(crate) fn of_file(file: File, length: u64) -> io::Result<(Self, Watch)> {
        static HANDLER: Once = Once::new();
        HANDLER.call_once(handle_bus_errors);
        // SAFETY: the map is only read, and nothing relies on its bytes to stay as they are: where the file is cut
        // short below it, the handler makes the rest of it zeros, and what was read is read again.
        let map = unsafe { Mmap::map(&file) }?;
        let place = Arc::new(Place::take(map.as_ptr().addr(), map.len()));
        let watch = Watch { file, length: length.max(map.len() as u64), place: Some(place.clone()) };
        Ok((Map { shown: map.len(), map, place: Some(place) }, watch))
    }

    /// Bytes that no file holds.
    pub(crate) fn of_memory(map: Mmap) -> Self {
        Map { shown: map.len(), map, place: None }
    }

    /// Shows the first bytes alone.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.shown = self.shown.min(length);
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map[..self.shown]
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // Before the addresses are given to somebody else.
        if let Some(place) = &self.place {
            place.0.begin.store(0, Ordering::Release);
        }
    }
}

/// Tells whether a file that was opened is still as long as it was then.
#[derive(Debug)]
pub(crate) struct Watch {
    file: File,
    length: u64,
    place: Option<Arc<Place>>,
}

impl Watch {
    /// Of a file that is read by its descriptor.
    pub(crate) fn of_read(file: File, length: u64) -> Self {
        Watch { file, length, place: None }
    }

    /// It is mapped: what was appended since it was opened is not read.
    pub(crate) fn is_mapped(&self) -> bool {
        self.place.is_some()
    }

    /// Bytes that it had when it was opened.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Bytes that it has now.
    pub(crate) fn now(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// It was cut short since it was opened, even where it has grown again.
    pub(crate) fn was_cut(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.0.lost.load(Ordering::Acquire)) || self.now() < self.length
    }
}

/// A slot that is ours until the last of map and watch is gone.
#[derive(Debug)]
struct Place(&'static Slot);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.begin.store(0, Ordering::Release);
        self.0.used.store(false, Ordering::Release);
    }
}

/// The addresses of one map. Slots are never freed, since the handler may look at them at any time.
#[derive(Debug, Default)]
struct Slot {
    /// 0: none.
    begin: AtomicUsize,
    end: AtomicUsize,
    lost: AtomicBool,
    used: AtomicBool,
    next: AtomicPtr<Slot>,
}

static FIRST: AtomicPtr<Slot> = AtomicPtr::new(ptr::null_mut());

impl Place {
    fn take(begin: usize, length: usize) -> Self {
        static TAKING: Mutex<()> = Mutex::new(());
        let _taking = TAKING.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots().find(|slot| !slot.used.load(Ordering::Acquire)).unwrap_or_else(|| {
            let slot: &'static Slot = Box::leak(Box::default());
            slot.next.store(FIRST.load(Ordering::Acquire), Ordering::Release);
            FIRST.store(ptr::from_ref(slot).cast_mut(), Ordering::Release);
            slot
        });
        slot.used.store(true, Ordering::Release);
        slot.lost.store(false, Ordering::Release);
        slot.end.store(begin + length, Ordering::Release);
        slot.begin.store(begin, Ordering::Release);
        Place(slot)
    }
}

/// All slots. Takes no lock and no memory, for the handler.
fn slots() -> impl Iterator<Item = &'static Slot> {
    let follow = |at: &AtomicPtr<Slot>| {
        // SAFETY: a slot is put there whole, is only changed through its atomics, and is never freed.
        unsafe { at.load(Ordering::Acquire).as_ref::<'static>() }
    };
    std::iter::successors(follow(&FIRST), move |slot| follow(&slot.next))
}

/// What was done on SIGBUS before.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();
static PAGE: AtomicUsize = AtomicUsize::new(4096);

fn handle_bus_errors() {
    // SAFETY: sigaction is a plain struct of C for which all zeros are a value; the handler does nothing but what is
    // allowed in one: atomics, mmap, sigaction.
    unsafe {
        let page = libc::sysconf(libc::_SC_PAGESIZE);
        PAGE.store(usize::try_from(page).unwrap_or(4096), Ordering::Relaxed);
        let mut before: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGBUS, ptr::null(), &mut before) != 0 || BEFORE.set(before).is_err() {
            return;
        }
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_bus_error as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigaction(libc::SIGBUS, &action, ptr::null_mut());
    }
}

/// Puts zeros behind the place of one of our maps that was read, or else lets happen what would have happened before.
extern "C" fn on_bus_error(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the system hands over a whole siginfo.
    let address = unsafe { (*info).si_addr() }.addr();
    let errno = Errno::last_raw();
    let ours = slots().find(|slot| {
        let begin = slot.begin.load(Ordering::Acquire);
        begin != 0 && (begin..slot.end.load(Ordering::Acquire)).contains(&address)
    });
    let mended = ours.is_some_and(|slot| {
        slot.lost.store(true, Ordering::Release);
        let from = address & !(PAGE.load(Ordering::Relaxed) - 1);
        let length = slot.end.load(Ordering::Acquire) - from;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        // SAFETY: the pages belong to a map of ours, which is only read and given back as a whole.
        let at = unsafe { libc::mmap(from as *mut libc::c_void, length, libc::PROT_READ, flags, -1, 0) };
        at != libc::MAP_FAILED
    });
    if !mended && let Some(before) = BEFORE.get() {
        // The instruction is tried again, and fails for whoever was there before.
        // SAFETY: what is set is what the system gave us.
        unsafe { libc::sigaction(libc::SIGBUS, before, ptr::null_mut()) };
    }
    Errno::set_raw(errno);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_below_a_map_reads_as_zeros_and_is_said() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let open = || File::open(file.path()).unwrap();
        std::fs::write(file.path(), vec![b'x'; 1 << 20]).unwrap();
        let (map, watch) = Map::of_file(open(), 1 << 20).unwrap();
        let (other, other_watch) = Map::of_file(open(), 1 << 20).unwrap();
        assert_eq!((map[5], map[(1 << 20) - 1], watch.was_cut()), (b'x', b'x', false));
        file.as_file().set_len(300_000).unwrap();
        std::thread::scope(|threads| {
            for part in map.chunks(100_000) {
                threads.spawn(|| assert!(part.iter().all(|byte| matches!(byte, 0 | b'x'))));
            }
        });
        assert_eq!((map[299_999], map[300_000], map[(1 << 20) - 1]), (b'x', 0, 0));
        file.as_file().set_len(1 << 20).unwrap();
        assert!(watch.was_cut() && !other_watch.was_cut(), "who has read nothing of it has missed nothing");
        drop(other);
        drop((map, watch));
        let (again, watch) = Map::of_file(open(), 1 << 20).unwrap();
        assert_eq!((again[0], again[300_000], watch.was_cut()), (b'x', 0, false), "the slot begins anew");
    }
}
