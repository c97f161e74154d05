//! The files that the profiler writes: found, measured while they grow, taken into the run's folder.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::context::Context;
use super::session::Session;
use super::stop_reason::Halt;
use crate::capture::{Outcome, Writer, has_header};
use crate::journal::{Event, ProfileWriter, Profiled};
use crate::server::private::dropped;

/// What the pass did.
pub(super) struct Served {
    /// Messages accepted.
    pub messages: u64,
    /// The process that greeted, and when it was started: where no file is its own, what there is belongs to others, and
    /// that is said.
    pub server: (i32, Option<u64>),
    /// What became of those that were followed.
    pub followed: Outcome,
}

/// Takes the files that the pass left into the run's folder.
///
/// `users` are those that its processes ran as.
pub(super) fn collect(
    run: &mut Context<'_>,
    folder: &Path,
    before: &[PathBuf],
    mut users: BTreeSet<u32>,
    Served { messages, server, followed }: Served,
) -> Result<(), Halt> {
    let ours = run.folder.profile();
    users.insert(nix::unistd::geteuid().as_raw());
    let mut profiled = Profiled { messages, ..Profiled::default() };
    let known = if folder == ours { &[] } else { before };
    let (found, refused) = dropped(folder, known, &users);
    for why in refused {
        run.recorder.not_measured(format!("A profile: {why}, and was left out."))?;
    }
    for why in &followed.failed {
        run.recorder.not_measured(format!(
            "A profile could not be read and released while it grew, so that it was kept as it was written: {why}."
        ))?;
    }
    for (name, mut file, kind) in sorted(found)? {
        let length = file.metadata()?.len();
        if let Some(compact) = followed.kept.get(&name) {
            // What is left of it are holes.
            fs::remove_file(folder.join(&name))?;
            run.folder.rename_profile(compact, &name)?;
        } else if kind == Kind::Whole && !is_profile(&mut file) {
            continue;
        } else if folder != ours
            && let Err(error) = run.folder.adopt_profile(file, &name)
        {
            // Theirs stays where it is.
            let bytes = crate::phrase::bytes(length as f64);
            run.recorder.not_measured(format!(
                "The profile {} ({bytes}) could not be taken into the run's folder: {error}.",
                name.to_string_lossy()
            ))?;
            continue;
        }
        if kind != Kind::Note {
            profiled.bytes += length;
            profiled.files.push(name.to_string_lossy().into_owned());
        }
    }
    remove_unfinished(run)?;
    if profiled.files.is_empty() {
        return run.recorder.not_measured(format!("The profile: no file appeared in {}. {RESTARTS}", folder.display()));
    }
    profiled.writers = writers(&profiled.files, &followed.writers, server);
    if profiled.writers.len() == profiled.files.len() {
        profiled.served = Some(profiled.writers.iter().any(|writer| writer.served));
    }
    if profiled.served == Some(false) {
        run.recorder.not_measured(format!(
            "The profile of the process that served (pid {}): no file bears its number, and what is shown belongs to other \
             processes. {RESTARTS}",
            server.0
        ))?;
    }
    run.recorder.write(Event::Profiled(profiled))
}

/// What is to be done where an application throws Xdebug out.
pub(super) const RESTARTS: &str = "A console that restarts itself without Xdebug (composer/xdebug-handler) is told to stay with it by \
                        a variable such as APP_ALLOW_XDEBUG=1, given with --env.";

/// What a file of the profiler's is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One that begins with its header, if it is a profile.
    Whole,
    /// A forked process's, which goes on where its parent's was.
    Forked,
    /// What stands beside that.
    Note,
}

/// The files with what they are. Left out are compact forms that are not whole, and files of forked processes that
/// never wrote.
fn sorted(found: Vec<(OsString, fs::File)>) -> Result<Vec<(OsString, fs::File, Kind)>, Halt> {
    let names: BTreeSet<OsString> = found.iter().map(|(name, _)| name.clone()).collect();
    let mut forked = BTreeSet::new();
    let mut sorted = Vec::new();
    for (name, file) in found {
        let is_note = Path::new(&name).extension().is_some_and(|kind| kind == FORK);
        if is_note || name.as_encoded_bytes().ends_with(COMPACT) {
            if is_note {
                sorted.push((name, file, Kind::Note));
            }
            continue;
        }
        if !names.contains(&beside(&name)) {
            sorted.push((name, file, Kind::Whole));
        } else if file.metadata()?.len() > 0 {
            let mut head = [0; 8];
            // A forked process may have gone on as another php, with a whole profile in the place of its own.
            let whole = file.read_at(&mut head, 0).is_ok_and(|read| has_header(&head[..read]));
            if !whole {
                forked.insert(beside(&name));
            }
            sorted.push((name, file, if whole { Kind::Whole } else { Kind::Forked }));
        }
    }
    sorted.retain(|(name, _, kind)| *kind != Kind::Note || forked.contains(name));
    Ok(sorted)
}

/// Who wrote the files, as far as their names tell.
fn writers(
    files: &[String],
    seen: &BTreeMap<OsString, Writer>,
    (server, started): (i32, Option<u64>),
) -> Vec<ProfileWriter> {
    let writer = |file: &String| {
        let writer = seen.get(OsStr::new(file))?;
        // A number that came again is another process's.
        let same = writer.started.is_none() || started.is_none() || writer.started == started;
        Some(ProfileWriter {
            file: file.clone(),
            pid: writer.pid,
            started: writer.started,
            parent: writer.parent.as_ref().map(|parent| parent.to_string_lossy().into_owned()),
            early: writer.early,
            served: writer.pid == server && same && !writer.early,
        })
    };
    files.iter().filter_map(writer).collect()
}

/// Removes compact forms that did not come to their end.
pub(super) fn remove_unfinished(run: &Context<'_>) -> Result<(), Halt> {
    Ok(run.folder.remove_profiles(|name| name.ends_with(COMPACT))?)
}

/// Ends the name of a compact form that is not whole yet.
const COMPACT: &[u8] = b".compact";

/// Ends the name of what stands beside a forked process's profile and says where it was forked.
const FORK: &str = "fork";

fn beside(name: &OsStr) -> OsString {
    let mut beside = name.to_owned();
    beside.push(".");
    beside.push(FORK);
    beside
}

/// Bytes of each profile so far, by name. Its length grows also where what was read of it has been released.
pub(super) fn lengths(session: &Session) -> BTreeMap<String, u64> {
    let Some((folder, _)) = &session.profiles else { return BTreeMap::new() };
    let length = |path: PathBuf| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        Some((name, fs::metadata(&path).ok()?.len()))
    };
    list(folder).into_iter().filter_map(length).collect()
}

/// The files of a folder, sorted; none where it does not exist yet.
pub(super) fn list(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// A profile begins with its version, or is packed.
fn is_profile(file: &mut fs::File) -> bool {
    let mut head = [0; 8];
    let read = file.read(&mut head).unwrap_or(0);
    // It is read from its beginning afterwards.
    if file.rewind().is_err() {
        return false;
    }
    let head = &head[..read];
    has_header(head) || head.starts_with(&[0x1f, 0x8b])
}
