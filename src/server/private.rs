//! A run's private folder: the code and settings that PHP reads for us, and where its profiles are dropped.
//!
//! It lies outside the run's own folder, which may belong to another user (a mount in a container does) or stand where
//! others may write: whoever can replace a file that PHP runs, runs as the server does. Only its owner writes here;
//! everybody may read, as a server that drops its user must. Profiles come to a folder beside the code in which
//! everybody may create and nobody but the owner may look; they are taken from there by descriptor.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The private folder of a run, removed when this is dropped.
#[derive(Debug)]
pub struct Private {
    root: PathBuf,
}

impl Private {
    /// Makes it for the run marked `id`, on the file system of `near` where there is a choice.
    ///
    /// # Errors
    /// There is no folder for temporary files that only its owner could tamper with.
    pub fn create(id: &str, near: &Path) -> io::Result<Self> {
        let device = fs::metadata(near).map(|meta| meta.dev()).ok();
        let mut bases: Vec<PathBuf> = std::env::var_os("TMPDIR").map(PathBuf::from).into_iter().collect();
        bases.extend(["/tmp", "/var/tmp", "/dev/shm"].map(PathBuf::from));
        bases.retain(|base| is_plain(base) && is_trusted(base) && is_open_to_all(base));
        bases.sort_by_key(|base| fs::metadata(base).map(|meta| Some(meta.dev()) != device).unwrap_or(true));
        let mut last = io::Error::new(
            io::ErrorKind::PermissionDenied,
            "no folder for temporary files is safe from other users (TMPDIR, /tmp, /var/tmp, /dev/shm were tried)",
        );
        for base in bases {
            let root = base.join(format!("profile-run-{id}"));
            match make(&root) {
                Ok(()) => return Ok(Self { root }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where PHP's settings and the prepended file lie.
    pub fn php(&self) -> PathBuf {
        self.root.join("php")
    }

    /// Where profiles are dropped.
    pub fn drop_folder(&self) -> PathBuf {
        self.root.join("drop")
    }

    /// Where a pass has its profiles written: into `ours`, the run's own folder, where nobody else could put a link there,
    /// where the server cannot become another user, and where PHP's settings take the path as it is; else dropped here.
    pub fn profiles(&self, ours: &Path) -> PathBuf {
        let at_home = !nix::unistd::geteuid().is_root() && is_plain(ours) && is_trusted(ours);
        if at_home { ours.to_path_buf() } else { self.drop_folder() }
    }

    /// Writes a file that PHP will read, anew for each launch.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put(&self, path: &Path, content: &str) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file =
            OpenOptions::new().write(true).create_new(true).custom_flags(libc::O_NOFOLLOW).mode(0o644).open(path)?;
        // Whatever the umask: read by all, written by nobody else.
        file.set_permissions(Permissions::from_mode(0o644))?;
        file.write_all(content.as_bytes())
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // The watchdog tries again.
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn make(root: &Path) -> io::Result<()> {
    for (path, mode) in [(root.to_path_buf(), 0o755), (root.join("php"), 0o755), (root.join("drop"), 0o1733)] {
        DirBuilder::new().mode(0o700).create(&path)?;
        File::open(&path)?.set_permissions(Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// A path that PHP's settings take as it is: `:` parts a list of folders, `"`, `$` and others mean something in an ini.
pub fn is_plain(path: &Path) -> bool {
    path.to_str().is_some_and(|text| {
        text.chars().all(|c| c.is_alphanumeric() || "/._-+,@% ".contains(c)) && !text.is_empty() && path.is_absolute()
    })
}

/// No other user but root can put something else in this folder's place, or into it what was not there.
pub fn is_trusted(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    let me = nix::unistd::geteuid().as_raw();
    path.ancestors().all(|folder| {
        fs::symlink_metadata(folder).is_ok_and(|meta| {
            let writable = meta.mode() & 0o022 != 0;
            // In a sticky folder each may move only what is his own.
            let sticky = meta.mode() & 0o1000 != 0;
            (meta.uid() == 0 || meta.uid() == me) && (!writable || sticky)
        })
    })
}

/// Other users may go through to what lies in it.
fn is_open_to_all(path: &Path) -> bool {
    path.ancestors().all(|folder| fs::metadata(folder).is_ok_and(|meta| meta.mode() & 0o001 != 0))
}

/// Opens the plain files of a folder into which others may write, sorted by name: no links, neither hard nor soft, and
/// only files of the given `users`, but for those in `known`. What was passed over is told in words.
pub fn dropped(folder: &Path, known: &[PathBuf], users: &BTreeSet<u32>) -> (Vec<(OsString, File)>, Vec<String>) {
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    let Ok(entries) = fs::read_dir(folder) else { return (taken, refused) };
    for name in entries.flatten().map(|entry| entry.file_name()) {
        let path = folder.join(&name);
        if known.contains(&path) {
            continue;
        }
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&path);
        let opened = file.and_then(|file| Ok((file.metadata()?, file)));
        let why = match opened {
            Ok((meta, file)) if meta.is_file() && meta.nlink() == 1 && users.contains(&meta.uid()) => {
                taken.push((name, file));
                continue;
            }
            Ok((meta, _)) if meta.is_dir() => continue,
            Ok((meta, _)) if !meta.is_file() => "is not a plain file".to_owned(),
            Ok((meta, _)) if meta.nlink() != 1 => "is a link to a file that stands elsewhere".to_owned(),
            Ok((meta, _)) => format!("belongs to user {}, whom no process of the server ran as", meta.uid()),
            Err(error) => format!("cannot be opened: {error}"),
        };
        refused.push(format!("{} {why}", path.display()));
    }
    taken.sort_by(|a, b| a.0.cmp(&b.0));
    (taken, refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_owner_writes_and_it_goes_with_its_guard() {
        let near = tempfile::tempdir().unwrap();
        let private = Private::create(&format!("test-{}", std::process::id()), near.path()).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!((mode(private.root()), mode(&private.php()), mode(&private.drop_folder())), (0o755, 0o755, 0o1733));
        let file = private.php().join("prepend.php");
        private.put(&file, "<?php").unwrap();
        private.put(&file, "<?php // again").unwrap();
        assert_eq!(mode(&file), 0o644);
        let root = private.root().to_path_buf();
        drop(private);
        assert!(!root.exists());
    }

    #[test]
    fn only_plain_files_of_the_servers_users_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str| fs::write(folder.path().join(name), name).unwrap();
        put("profile");
        put("twice");
        fs::hard_link(folder.path().join("twice"), folder.path().join("again")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
        nix::unistd::mkfifo(&folder.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let me = nix::unistd::geteuid().as_raw();
        let (taken, refused) = dropped(folder.path(), &[], &BTreeSet::from([me]));
        assert_eq!(taken.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), ["profile"]);
        assert_eq!(refused.len(), 4, "{refused:?}");
        assert!(dropped(folder.path(), &[], &BTreeSet::from([me + 1])).0.is_empty());
    }

    #[test]
    fn what_phps_settings_would_take_apart() {
        assert!(is_plain(Path::new("/tmp/a b.c-1")));
        for path in ["relative", "/a:b", "/d\"q", "/${HOME}", "/a;b", "/a\nb", "/it's"] {
            assert!(!is_plain(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn a_folder_that_others_may_write_is_not_trusted() {
        let folder = tempfile::tempdir().unwrap();
        assert!(is_trusted(folder.path()));
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        assert!(!is_trusted(folder.path()));
        fs::set_permissions(folder.path(), Permissions::from_mode(0o1777)).unwrap();
        assert!(is_trusted(folder.path()));
    }
}
