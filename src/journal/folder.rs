//! Where everything of a run lies, and how a new run's folder is made.
//!
//! A run's folder may belong to somebody else, who may put links where files are expected, or another folder in its
//! place. So it is opened once, and whatever is made in it is made through that descriptor, new, never by following
//! a link. What is made to be handed on (report, result, summary) follows the umask; all else is its owner's alone.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, open, openat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};

/// Errors of a run's folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It exists and holds something.
    #[error("{path} is not empty: give --out another folder, or empty this one", path = .0.display())]
    NotEmpty(PathBuf),
    /// It is no folder.
    #[error("{path} is not a folder: give --out another path", path = .0.display())]
    NotAFolder(PathBuf),
    /// It cannot be made or written.
    #[error("{path} cannot be written: {source}. Give --out a folder that you may write", path = path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds no journal.
    #[error("{path} is not a run folder: {why}", path = path.display())]
    NoRun {
        /// Which.
        path: PathBuf,
        /// What was looked for.
        why: String,
    },
}

/// Who may read a file of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Its owner alone.
    Owner,
    /// Whom the umask lets.
    Umask,
}

impl Readers {
    fn mode(self) -> Mode {
        Mode::from_bits_truncate(if self == Readers::Owner { 0o600 } else { 0o666 })
    }
}

/// A run's folder.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
    opened: Arc<OwnedFd>,
}

const NEW: OFlag =
    OFlag::O_WRONLY.union(OFlag::O_CREAT).union(OFlag::O_EXCL).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

const A_FOLDER: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

impl Folder {
    /// Makes the folder of a new run, or takes one that is there and empty.
    ///
    /// # Errors
    /// It is not empty, no folder, or cannot be written.
    pub fn create(root: &Path) -> Result<Self, FolderError> {
        let folder = Self::for_reports(root)?;
        let unwritable = |source| FolderError::Unwritable { path: root.to_path_buf(), source };
        if !folder.names(None).map_err(unwritable)?.is_empty() {
            return Err(FolderError::NotEmpty(root.to_path_buf()));
        }
        match mkdirat(&*folder.opened, PROFILE, Mode::S_IRWXU) {
            Ok(()) => Ok(folder),
            // Another run took it at the same moment.
            Err(Errno::EEXIST) => Err(FolderError::NotEmpty(root.to_path_buf())),
            Err(error) => Err(unwritable(error.into())),
        }
    }

    /// Makes the folder of a new run below `base`, called `name`, or `name-2`, `name-3` where that is taken. Runs that
    /// begin at the same moment come to folders of their own.
    ///
    /// # Errors
    /// It cannot be made or written.
    pub fn create_named(base: &Path, name: &str) -> Result<Self, FolderError> {
        Self::for_reports(base)?;
        let names = std::iter::once(name.to_owned()).chain((2_u64..).map(|n| format!("{name}-{n}")));
        for root in names.map(|name| base.join(name)) {
            match fs::create_dir(&root) {
                Ok(()) => return Self::create(&root),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(FolderError::Unwritable { path: root, source }),
            }
        }
        Err(FolderError::NotEmpty(base.join(name)))
    }

    /// Makes a folder, or takes one that is there, to write reports into.
    ///
    /// # Errors
    /// It is no folder, or cannot be made.
    pub fn for_reports(root: &Path) -> Result<Self, FolderError> {
        let unwritable = |source| FolderError::Unwritable { path: root.to_path_buf(), source };
        if let Err(error) = fs::create_dir_all(root) {
            return Err(match root.exists() && !root.is_dir() {
                true => FolderError::NotAFolder(root.to_path_buf()),
                false => unwritable(error),
            });
        }
        // Absolute, as the server may run elsewhere. From here on no link is followed any more.
        let root = root.canonicalize().map_err(unwritable)?;
        let opened = open(&root, A_FOLDER, Mode::empty()).map_err(|error| unwritable(error.into()))?;
        Ok(Self { root, opened: Arc::new(opened) })
    }

    /// Opens the folder of a run that was made before; a file inside it will do.
    ///
    /// # Errors
    /// There is no journal in it.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let no_run = |why: &str| FolderError::NoRun { path: path.to_path_buf(), why: why.to_owned() };
        let root = if path.is_file() { path.parent().unwrap_or(Path::new(".")) } else { path };
        let root = root.canonicalize().map_err(|error| no_run(&error.to_string()))?;
        let opened = open(&root, A_FOLDER, Mode::empty()).map_err(|error| no_run(error.desc()))?;
        let folder = Self { root, opened: Arc::new(opened) };
        match folder.read(OsStr::new(JOURNAL)) {
            Ok(_) => Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(no_run("there is no journal.jsonl in it; give the folder that a run wrote (profile-run-out/...)"))
            }
            Err(error) => Err(no_run(&format!("its journal.jsonl {error}"))),
        }
    }

    /// The folder itself, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `journal.jsonl`.
    pub fn journal(&self) -> PathBuf {
        self.root.join(JOURNAL)
    }

    /// `samples.jsonl`.
    pub fn samples(&self) -> PathBuf {
        self.root.join(SAMPLES)
    }

    /// `profile/`.
    pub fn profile(&self) -> PathBuf {
        self.root.join(PROFILE)
    }

    /// `report.html`.
    pub fn report(&self) -> PathBuf {
        self.root.join("report.html")
    }

    /// The name of `target.PASS.log`, written by the target itself.
    pub fn target_log(pass: &str) -> OsString {
        format!("target.{pass}.log").into()
    }

    /// Makes `journal.jsonl`.
    ///
    /// # Errors
    /// It is there already, or cannot be made.
    pub fn new_journal(&self) -> io::Result<File> {
        self.create_file(None, OsStr::new(JOURNAL), Readers::Owner)
    }

    /// Makes `samples.jsonl`.
    ///
    /// # Errors
    /// It is there already, or cannot be made.
    pub fn new_samples(&self) -> io::Result<File> {
        self.create_file(None, OsStr::new(SAMPLES), Readers::Owner)
    }

    /// Makes a file of `profile/`.
    ///
    /// # Errors
    /// It is there already, or cannot be made.
    pub fn new_profile(&self, name: &OsStr) -> io::Result<File> {
        self.create_file(Some(PROFILE), name, Readers::Owner)
    }

    fn create_file(&self, below: Option<&str>, name: &OsStr, readers: Readers) -> io::Result<File> {
        let folder = self.below(below)?;
        openat(folder.as_fd(), name, NEW | OFlag::O_APPEND, readers.mode()).map(File::from).map_err(io::Error::from)
    }

    /// Opens a file to append to, its owner's alone; one that is there must be a file that this run could have made.
    ///
    /// # Errors
    /// It cannot be made, or is a link or no plain file.
    pub fn append(&self, name: &OsStr) -> io::Result<File> {
        let flags =
            OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_APPEND | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = File::from(openat(&*self.opened, name, flags, Readers::Owner.mode())?);
        let meta = file.metadata()?;
        plain(&meta)?;
        match meta.nlink() == 1 && meta.uid() == nix::unistd::geteuid().as_raw() {
            true => Ok(file),
            false => Err(io::Error::other("is somebody else's file, put into the run's folder")),
        }
    }

    /// Writes a file whole: into a new one, which then takes the place of one that bore its name. A reader sees the old
    /// file or the new one.
    ///
    /// # Errors
    /// It cannot be written; the text names the path.
    pub fn write_whole(&self, name: &str, bytes: &[u8], readers: Readers) -> io::Result<PathBuf> {
        let path = self.root.join(name);
        let draft = format!(".{name}.{}.part", std::process::id());
        let write = || -> io::Result<()> {
            let mut file = File::from(openat(&*self.opened, draft.as_str(), NEW, readers.mode())?);
            file.write_all(bytes)?;
            file.sync_all()?;
            Ok(renameat(&*self.opened, draft.as_str(), &*self.opened, name)?)
        };
        match write() {
            Ok(()) => Ok(path),
            Err(error) => {
                let _ = unlinkat(&*self.opened, draft.as_str(), UnlinkatFlags::NoRemoveDir);
                Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())))
            }
        }
    }

    /// Opens a plain file of the folder for reading: no link, no pipe, no device.
    ///
    /// # Errors
    /// It is not there, or no plain file.
    pub fn read(&self, name: &OsStr) -> io::Result<File> {
        open_plain_at(&*self.opened, name)
    }

    /// Opens `samples.jsonl` for reading.
    ///
    /// # Errors
    /// It is not there, or no plain file.
    pub fn read_samples(&self) -> io::Result<File> {
        self.read(OsStr::new(SAMPLES))
    }

    /// Takes a profile that was dropped elsewhere: by a hard link where both lie on one file system, else by a copy. From
    /// then on it is its owner's alone. Gives back its length.
    ///
    /// # Errors
    /// A file of this name is there already, or it cannot be written.
    pub fn adopt_profile(&self, file: File, name: &OsStr) -> io::Result<u64> {
        self.adopt(PROFILE, file, name)
    }

    fn adopt(&self, below: &str, mut file: File, name: &OsStr) -> io::Result<u64> {
        let folder = self.below(Some(below))?;
        // Through the descriptor, so that it is the very file that was looked at.
        let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
        let linked = linkat(AT_FDCWD, itself.as_str(), &folder, name, AtFlags::AT_SYMLINK_FOLLOW);
        if linked.is_ok() {
            let me = (nix::unistd::geteuid(), nix::unistd::getegid());
            nix::unistd::fchown(&file, Some(me.0), Some(me.1))?;
            file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        } else {
            let copied =
                self.create_file(Some(below), name, Readers::Owner).and_then(|mut copy| io::copy(&mut file, &mut copy));
            if let Err(error) = copied {
                // What did not fit makes room again.
                let _ = unlinkat(&folder, name, UnlinkatFlags::NoRemoveDir);
                return Err(error);
            }
        }
        Ok(file.metadata()?.len())
    }

    /// Gives a file of `profile/` another name; one that bears it is replaced.
    ///
    /// # Errors
    /// It is not there, or the folder cannot be written.
    pub fn rename_profile(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let folder = self.below(Some(PROFILE))?;
        Ok(renameat(&folder, from, &folder, to)?)
    }

    /// Removes the files of `profile/` whose name is `unwanted`.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn remove_profiles(&self, unwanted: impl Fn(&[u8]) -> bool) -> io::Result<()> {
        let folder = self.below(Some(PROFILE))?;
        for name in self.names(Some(PROFILE))?.iter().filter(|name| unwanted(name.as_encoded_bytes())) {
            unlinkat(&folder, name.as_os_str(), UnlinkatFlags::NoRemoveDir)?;
        }
        Ok(())
    }

    /// Opens a plain file of `profile/` for reading.
    ///
    /// # Errors
    /// It is not there, no plain file, or its name leads elsewhere.
    pub fn read_profile(&self, name: &OsStr) -> io::Result<File> {
        self.read_below(PROFILE, name)
    }

    fn read_below(&self, below: &str, name: &OsStr) -> io::Result<File> {
        let mut parts = Path::new(name).components();
        match (parts.next(), parts.next()) {
            (Some(std::path::Component::Normal(_)), None) => open_plain_at(self.below(Some(below))?, name),
            _ => Err(io::Error::other("lies outside of the run's folder")),
        }
    }

    /// `count/`.
    pub fn count(&self) -> PathBuf {
        self.root.join(COUNT)
    }

    /// Makes `count/`, where it is not there yet.
    ///
    /// # Errors
    /// It cannot be made, or something else bears its name.
    pub fn make_count(&self) -> io::Result<()> {
        match mkdirat(&*self.opened, COUNT, Mode::S_IRWXU) {
            Ok(()) | Err(Errno::EEXIST) => self.below(Some(COUNT)).map(drop),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a file of the count pass, as [`Folder::adopt_profile`] takes a profile.
    ///
    /// # Errors
    /// As there.
    pub fn adopt_count(&self, file: File, name: &OsStr) -> io::Result<u64> {
        self.adopt(COUNT, file, name)
    }

    /// Opens a plain file of `count/` for reading.
    ///
    /// # Errors
    /// As [`Folder::read_profile`].
    pub fn read_count(&self, name: &OsStr) -> io::Result<File> {
        self.read_below(COUNT, name)
    }

    /// Removes the files of `count/` whose name is `unwanted`; where none is left, the folder too.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn remove_counts(&self, unwanted: impl Fn(&[u8]) -> bool) -> io::Result<()> {
        let folder = match self.below(Some(COUNT)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            folder => folder?,
        };
        for name in self.names(Some(COUNT))?.iter().filter(|name| unwanted(name.as_encoded_bytes())) {
            unlinkat(&folder, name.as_os_str(), UnlinkatFlags::NoRemoveDir)?;
        }
        // It stays where something is in it.
        let _ = unlinkat(&*self.opened, COUNT, UnlinkatFlags::RemoveDir);
        Ok(())
    }

    /// The same folder is still found at its path.
    pub fn is_in_its_place(&self) -> bool {
        let opened = nix::sys::stat::fstat(&*self.opened);
        let there = fs::symlink_metadata(&self.root);
        matches!((opened, there), (Ok(a), Ok(b)) if a.st_dev == b.dev() && a.st_ino == b.ino())
    }

    /// Bytes that may still be written where the folder lies; `None` where the file system does not say.
    pub fn free(&self) -> Option<u64> {
        let stat = nix::sys::statvfs::fstatvfs(&*self.opened).ok()?;
        Some(stat.blocks_available() * stat.fragment_size())
    }

    fn below(&self, name: Option<&str>) -> io::Result<OwnedFd> {
        match name {
            None => self.opened.try_clone(),
            Some(name) => Ok(openat(&*self.opened, name, A_FOLDER, Mode::empty())?),
        }
    }

    fn names(&self, below: Option<&str>) -> io::Result<Vec<OsString>> {
        use std::os::unix::ffi::OsStrExt;
        let mut names = Vec::new();
        for entry in Dir::from_fd(self.below(below)?)?.iter() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }
}

const JOURNAL: &str = "journal.jsonl";
const SAMPLES: &str = "samples.jsonl";
const PROFILE: &str = "profile";
const COUNT: &str = "count";

fn open_plain_at(folder: impl AsFd, name: &OsStr) -> io::Result<File> {
    // A pipe without a writer would be waited for.
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = match openat(folder, name, flags, Mode::empty()) {
        Err(nix::Error::ELOOP) => return Err(io::Error::other("is a link; links are not followed")),
        other => File::from(other?),
    };
    plain(&file.metadata()?)?;
    Ok(file)
}

fn plain(meta: &Metadata) -> io::Result<()> {
    if meta.is_file() { Ok(()) } else { Err(io::Error::other("is not a plain file")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn what_is_handed_on_follows_the_umask_and_the_rest_is_the_owners() {
        let base = tempfile::tempdir().unwrap();
        let folder = Folder::create(&base.path().join("run")).unwrap();
        folder.new_journal().unwrap();
        folder.write_whole("report.html", b"x", Readers::Umask).unwrap();
        folder.write_whole("report.html", b"y", Readers::Umask).unwrap();
        let mode = |name: &str| fs::metadata(folder.root().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("journal.jsonl"), mode("profile")), (0o600, 0o700));
        let probe = base.path().join("probe");
        fs::write(&probe, "").unwrap();
        assert_eq!(mode("report.html"), fs::metadata(&probe).unwrap().permissions().mode() & 0o777);
        assert_eq!(fs::read(folder.root().join("report.html")).unwrap(), b"y");
        assert_eq!(fs::read_dir(folder.root()).unwrap().count(), 3);
    }

    #[test]
    fn runs_that_begin_at_the_same_moment_have_folders_of_their_own() {
        let base = tempfile::tempdir().unwrap();
        let runs = base.path().join("runs");
        let create = || Folder::create_named(&runs, "now").unwrap().root().file_name().unwrap().to_owned();
        let mut names: Vec<OsString> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..12).map(|_| scope.spawn(create)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 12);
        assert!(names.contains(&"now".into()) && names.contains(&"now-12".into()), "{names:?}");
    }

    #[test]
    fn no_link_is_followed_and_a_swap_is_seen() {
        let base = tempfile::tempdir().unwrap();
        let folder = Folder::create(&base.path().join("run")).unwrap();
        let victim = base.path().join("victim");
        fs::write(&victim, "kept").unwrap();
        for name in ["journal.jsonl", "samples.jsonl", "target.clean.log", "report.html", "profile/p"] {
            symlink(&victim, folder.root().join(name)).unwrap();
        }
        assert!(folder.new_journal().is_err() && folder.new_samples().is_err());
        assert!(folder.append(OsStr::new("target.clean.log")).is_err());
        assert!(folder.new_profile(OsStr::new("p")).is_err());
        folder.write_whole("report.html", b"ours", Readers::Umask).unwrap();
        assert!(folder.read(OsStr::new("samples.jsonl")).is_err());
        assert!(folder.read_profile(OsStr::new("../../victim")).is_err());
        assert_eq!(fs::read(&victim).unwrap(), b"kept");
        assert!(folder.is_in_its_place());
        fs::rename(folder.root(), base.path().join("away")).unwrap();
        fs::create_dir(folder.root()).unwrap();
        assert!(!folder.is_in_its_place());
        folder.write_whole("summary.md", b"ours", Readers::Umask).unwrap();
        assert!(base.path().join("away/summary.md").is_file() && !folder.root().join("summary.md").exists());
    }

    #[test]
    fn a_pipe_is_no_journal() {
        let base = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&base.path().join("journal.jsonl"), Mode::S_IRWXU).unwrap();
        let error = Folder::open(base.path()).unwrap_err().to_string();
        assert!(error.contains("plain file"), "{error}");
    }
}
