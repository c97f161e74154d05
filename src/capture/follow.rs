//! Profiles followed while they are written: read into the compact form, released behind the reader, and bounded in all
//! that they take of the disk.
//!
//! Small profiles stay as they are. A profile that has grown to a good part of what the disk may hold is read as it
//! grows; what was read becomes a hole in its file, which goes on growing for whoever writes it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::fcntl::{FallocateFlags, fallocate};

use super::room::{Bound, Room};
use super::writers::{NAME, Writer, Writers};
use crate::profile::Keeper;

/// Between two looks at the folder.
const LOOK: Duration = Duration::from_millis(20);

/// How many times as long as a look without news lasted the next one is waited for.
const RESTS: u32 = 20;

/// Bytes that are read at one go.
const CHUNK: usize = 1 << 20;

/// Pieces as they are released that are read of one file in one look, so that the others have their turn and the bound
/// is looked at.
const TURN: u64 = 1;

/// Holes begin and end at blocks.
const BLOCK: u64 = 4096;

/// What a compressed file begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Ends the name of what stands beside a forked process's profile.
const FORK: &str = ".fork";

/// Makes an empty file for a compact form, under a name.
pub type MakeFile = Box<dyn Fn(&OsStr) -> io::Result<File> + Send>;

/// Finds a process by the number that it has in its own pid namespace.
pub type FindProcess = Box<dyn Fn(i32) -> Option<i32> + Send>;

/// What is followed.
pub struct Followed {
    /// Where profiles appear.
    pub folder: PathBuf,
    /// Files that lay there before.
    pub before: Vec<PathBuf>,
    /// The run's folder, which counts too.
    pub run: PathBuf,
    /// Bytes that all of it may take.
    pub most: u64,
    /// Profiles stay as they are written.
    pub keep_raw: bool,
    /// Where compact forms go.
    pub make: MakeFile,
    /// Finds the process that has a number in its own pid namespace, where that is not ours.
    pub process: Option<FindProcess>,
}

/// What became of the profiles.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Profiles whose compact form is whole: the profile's name, and that of the compact form.
    pub kept: BTreeMap<OsString, OsString>,
    /// Who wrote each profile, by its name.
    pub writers: BTreeMap<OsString, Writer>,
    /// What could not be followed, one sentence each.
    pub failed: Vec<String>,
    /// Bytes of profiles that were released.
    pub released: u64,
}

/// A thread that follows the profiles of one pass.
pub struct Follower {
    stop: Arc<AtomicBool>,
    reached: Arc<Mutex<Reached>>,
    thread: JoinHandle<Outcome>,
}

/// The bound, and who is to be told.
#[derive(Default)]
struct Reached {
    bound: Option<Bound>,
    /// Bytes that may still be written; none where what is written is released.
    left: Option<u64>,
    tell: Option<Box<dyn Fn() + Send>>,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("bound", &self.bound()).finish_non_exhaustive()
    }
}

impl Follower {
    /// Begins to follow.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(followed: Followed) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let reached = Arc::new(Mutex::new(Reached::default()));
        let (told, said) = (Arc::clone(&stop), Arc::clone(&reached));
        let thread = std::thread::Builder::new().name("capture".to_owned()).spawn(move || {
            let mut work = Work::new(followed);
            while !told.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let (bound, left) = work.look();
                let mut reached = said.lock().unwrap_or_else(PoisonError::into_inner);
                reached.left = left;
                if let Some(bound) = bound {
                    reached.bound.get_or_insert(bound);
                    reached.tell.iter().for_each(|tell| tell());
                }
                drop(reached);
                // A folder of many files takes long to look at.
                let pause = if work.read == 0 { begun.elapsed() * RESTS } else { Duration::ZERO };
                std::thread::sleep(pause.clamp(LOOK, LOOK * 5));
            }
            work.finish()
        })?;
        Ok(Follower { stop, reached, thread })
    }

    /// The bound that was reached: the pass should end.
    pub fn bound(&self) -> Option<Bound> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner).bound
    }

    /// Bytes that profiles may still grow by, with what the end of the server adds to each of them; none where they are
    /// released as they grow.
    pub fn left(&self) -> Option<u64> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner).left.map(|left| left / 2)
    }

    /// Whom to tell at once, from now on, when a bound is reached: whoever looks now and then comes late.
    pub fn at_bound(&self, tell: impl Fn() + Send + 'static) {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner).tell = Some(Box::new(tell));
    }

    /// The profiles have ended: reads the rest of them.
    pub fn finish(self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

/// A profile that is followed.
struct Followee {
    file: File,
    keeper: Keeper,
    /// The compact form's name.
    name: OsString,
    released: u64,
}

/// A profile.
enum Profile {
    /// It stays as it is.
    Left,
    Followed(Box<Followee>),
}

struct Work {
    followed: Followed,
    room: Room,
    files: BTreeMap<OsString, Profile>,
    outcome: Outcome,
    writers: Writers,
    /// Bytes that the last look has read.
    read: u64,
}

impl Work {
    fn new(mut followed: Followed) -> Self {
        let writers = Writers::new(followed.process.take());
        let (room, files, outcome) = (Room::default(), BTreeMap::new(), Outcome::default());
        Work { followed, room, files, outcome, writers, read: 0 }
    }

    /// One look at all profiles; gives back the bound where one is reached, and what may still be written.
    fn look(&mut self) -> (Option<Bound>, Option<u64>) {
        let names = self.names();
        self.writers.met();
        let taken = names.iter().map(|(_, blocks)| blocks).sum::<u64>();
        let compact: u64 = self.files.values().map(|profile| profile.written()).sum();
        self.room.look(&self.followed.run, &self.followed.folder, taken + compact, self.followed.most);
        // What forks inherit is read with them.
        let shared = self.writers.shared();
        let wanted = |name: &OsString, length: u64| {
            let profile = !is_note(name) && !shared.contains(name.as_os_str());
            profile && !self.followed.keep_raw && length > self.room.worth_following()
        };
        let new: Vec<&OsString> =
            names.iter().filter(|(name, length)| wanted(name, *length)).map(|(name, _)| name).collect();
        for name in new {
            if !self.files.contains_key(name) {
                let profile = match self.begin(name) {
                    Ok(followee) => Profile::Followed(Box::new(followee)),
                    Err(error) => self.fail(name, &error),
                };
                self.files.insert(name.clone(), profile);
            }
        }
        let step = self.room.step();
        let followed = self.files.iter_mut();
        let mut failed = Vec::new();
        self.read = 0;
        for (name, profile) in followed {
            let Profile::Followed(followee) = profile else { continue };
            match followee.read(TURN * step, step) {
                Ok(0) => followee.keeper.rest(),
                Ok(read) => self.read += read,
                Err(error) => failed.push((name.clone(), error)),
            }
        }
        for (name, error) in failed {
            let left = self.fail(&name, &error);
            self.files.insert(name, left);
        }
        let released = !self.followed.keep_raw && self.writers.shared().is_empty();
        let (taken, at_end, most) = (taken + compact, self.at_end(&names), self.followed.most);
        let left = (!released).then(|| self.room.left(taken + at_end, most));
        (self.room.bound(taken, at_end, most), left)
    }

    /// What will come when the server ends: the calls that are open then claim all that they called. A server's loop
    /// calls everything, so that this may be as much as all that was written before; where a profile is not read it is
    /// taken to be. What is read meanwhile is released at half the speed at which it comes.
    fn at_end(&self, names: &[(OsString, u64)]) -> u64 {
        let of = |(name, blocks): &(OsString, u64)| match self.files.get(name) {
            Some(Profile::Followed(followee)) => followee.keeper.at_end() / 2,
            Some(Profile::Left) | None if is_note(name) => 0,
            Some(Profile::Left) | None => *blocks,
        };
        names.iter().map(of).sum()
    }

    /// Profiles, and what stands beside them, with the room that they take.
    fn names(&mut self) -> Vec<(OsString, u64)> {
        let mut names = Vec::new();
        let Ok(entries) = std::fs::read_dir(&self.followed.folder) else { return names };
        for entry in entries.flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            if !name.as_encoded_bytes().starts_with(NAME.as_bytes()) || self.followed.before.contains(&path) {
                continue;
            }
            let Ok(meta) = std::fs::symlink_metadata(&path) else { continue };
            if meta.is_file() {
                if !is_note(&name) {
                    self.writers.meet(&path, meta.len());
                }
                names.push((name, meta.blocks() * 512));
            }
        }
        names
    }

    fn begin(&self, name: &OsStr) -> io::Result<Followee> {
        let path = self.followed.folder.join(name);
        let file =
            OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() || meta.nlink() != 1 {
            return Err(io::Error::other("it is no plain file of its own"));
        }
        let mut head = [0; 2];
        if file.read_at(&mut head, 0)? == head.len() && head == GZIP {
            return Err(io::Error::other("it is compressed while it is written (xdebug.use_compression)"));
        }
        let mut compact = OsString::from(".");
        compact.push(name);
        compact.push(".compact");
        let keeper = Keeper::new((self.followed.make)(&compact)?)?;
        let mut followee = Followee { file, keeper, name: compact, released: 0 };
        // Tried before anything depends on it.
        followee.read(BLOCK, BLOCK)?;
        Ok(followee)
    }

    fn fail(&mut self, name: &OsStr, error: &io::Error) -> Profile {
        let what = match error.raw_os_error() {
            Some(libc::EOPNOTSUPP) => "its file system releases no parts of files".to_owned(),
            _ => error.to_string(),
        };
        self.outcome.failed.push(format!("{}: {what}", name.to_string_lossy()));
        Profile::Left
    }

    fn finish(mut self) -> Outcome {
        self.names();
        let step = self.room.step();
        for (name, profile) in std::mem::take(&mut self.files) {
            let Profile::Followed(mut followee) = profile else { continue };
            let compact = followee.name.clone();
            let rest = loop {
                match followee.read(TURN * step, step) {
                    Ok(0) => break Ok(()),
                    Ok(_) => {}
                    Err(error) => break Err(error),
                }
            };
            self.outcome.released += followee.released;
            match rest.and_then(|()| followee.keeper.finish()) {
                Ok(()) => drop(self.outcome.kept.insert(name, compact)),
                Err(error) => drop(self.fail(&name, &error)),
            }
        }
        self.outcome.writers = self.writers.finish();
        self.outcome
    }
}

impl Profile {
    fn written(&self) -> u64 {
        match self {
            Profile::Followed(followee) => followee.keeper.written(),
            Profile::Left => 0,
        }
    }
}

impl Followee {
    /// Reads what is there, `most` bytes at most, and releases what was read, `step` bytes at once. Gives back how much
    /// was read.
    fn read(&mut self, most: u64, step: u64) -> io::Result<u64> {
        let mut buffer = vec![0; CHUNK.min(most as usize)];
        let mut read = 0;
        while read < most {
            let length = self.file.read_at(&mut buffer, self.keeper.taken())?;
            if length == 0 {
                break;
            }
            self.keeper.push(&buffer[..length])?;
            read += length as u64;
            let end = self.keeper.taken() / BLOCK * BLOCK;
            if end >= self.released + step {
                let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
                let (begin, length) = (self.released as libc::off_t, (end - self.released) as libc::off_t);
                fallocate(self.file.as_fd(), hole, begin, length)?;
                self.released = end;
            }
        }
        Ok(read)
    }
}

fn is_note(name: &OsStr) -> bool {
    name.as_encoded_bytes().ends_with(FORK.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;

    use super::*;

    const HEAD: &str = "version: 1\ncreator: xdebug 3.2.0\npositions: line\n\nevents: Time_(10ns) Memory_(bytes)\n\n";

    fn follow(folder: &Path, run: &Path, most: u64, keep_raw: bool) -> Follower {
        let place = run.to_path_buf();
        let make = Box::new(move |name: &OsStr| File::create_new(place.join(name)));
        let (folder, run) = (folder.to_path_buf(), run.to_path_buf());
        Follower::start(Followed { folder, before: Vec::new(), run, most, keep_raw, make, process: None }).unwrap()
    }

    /// Writes a profile of some megabytes in blocks, as PHP does.
    fn write(path: &Path, pause: Duration) -> u64 {
        let mut file = File::create_new(path).unwrap();
        let mut text = format!("{HEAD}fl=(1) php:internal\nfn=(1) php::strlen\n1 7 16\n\n");
        for record in 0..200_000 {
            text.push_str(&format!("fl=(1)\nfn=(1)\n1 {} 16\n\n", record % 50));
        }
        text.push_str("summary: 1 1\n\n");
        for part in text.as_bytes().chunks(BLOCK as usize * 16) {
            file.write_all(part).unwrap();
            std::thread::sleep(pause);
        }
        text.len() as u64
    }

    #[test]
    fn a_profile_is_released_behind_its_reader_and_comes_out_the_same() {
        let (folder, run) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let follower = follow(folder.path(), run.path(), 4 << 20, false);
        let path = folder.path().join("cachegrind.out.7");
        let length = write(&path, Duration::from_millis(2));
        let outcome = follower.finish();
        assert_eq!(outcome.failed, Vec::<String>::new());
        let meta = path.metadata().unwrap();
        assert_eq!(meta.len(), length);
        assert!(outcome.released > length / 2 && meta.blocks() * 512 < length / 2, "{} of {length}", outcome.released);
        let kept = run.path().join(&outcome.kept[OsStr::new("cachegrind.out.7")]);
        assert!(kept.metadata().unwrap().len() < length / 10);
        let again = tempfile::tempdir().unwrap();
        let raw = again.path().join("raw");
        write(&raw, Duration::ZERO);
        let read = |path: &Path| crate::profile::read_paths(&[path.to_owned()], &Default::default()).unwrap();
        let (kept, raw) = (read(&kept), read(&raw));
        assert_eq!(kept.functions, raw.functions);
        assert_eq!(kept.tree.nodes(), raw.tree.nodes());
        assert!(kept.complete());
    }

    #[test]
    fn what_outgrows_the_disk_is_said_before_it_is_full() {
        let (folder, run) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let follower = follow(folder.path(), run.path(), 1 << 20, true);
        write(&folder.path().join("cachegrind.out.7"), Duration::from_millis(1));
        assert!(matches!(follower.bound(), Some(Bound::MaxDisk { .. })), "{:?}", follower.bound());
        assert!(follower.finish().kept.is_empty());
    }
}
