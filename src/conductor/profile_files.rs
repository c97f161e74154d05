//! The files that the profiler writes: found, measured while they grow, taken into the run's folder.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use super::context::Context;
use super::session::Session;
use super::stop_reason::Halt;
use crate::capture::Outcome;
use crate::journal::{Event, Profiled};
use crate::server::private::dropped;

/// What the pass did.
pub(super) struct Served {
    /// Messages accepted.
    pub messages: u64,
    /// The process that served: where no file bears its number, what there is belongs to others, and that is said.
    pub server: i32,
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
    let names: BTreeSet<OsString> = found.iter().map(|(name, _)| name.clone()).collect();
    for (name, mut file) in found {
        let length = file.metadata()?.len();
        if name.as_encoded_bytes().ends_with(COMPACT) {
            continue;
        }
        if let Some(compact) = followed.kept.get(&name) {
            // What is left of it are holes.
            fs::remove_file(folder.join(&name))?;
            run.folder.rename_profile(compact, &name)?;
            profiled.bytes += length;
            profiled.files.push(name.to_string_lossy().into_owned());
            continue;
        }
        let forked = length > 0 && names.contains(&beside(&name));
        let sidecar = Path::new(&name).extension().is_some_and(|kind| kind == FORK);
        if !forked && !sidecar && !is_profile(&mut file) {
            continue;
        }
        // Theirs stays where it is.
        if folder != ours
            && let Err(error) = run.folder.adopt_profile(file, &name)
        {
            let bytes = crate::phrase::bytes(length as f64);
            run.recorder.not_measured(format!(
                "The profile {} ({bytes}) could not be taken into the run's folder: {error}.",
                name.to_string_lossy()
            ))?;
            continue;
        }
        if !sidecar {
            profiled.bytes += length;
            profiled.files.push(name.to_string_lossy().into_owned());
        }
    }
    remove_unfinished(run)?;
    if profiled.files.is_empty() {
        return run.recorder.not_measured(format!(
            "The profile: no file appeared in {}. A console that restarts itself without Xdebug (composer/xdebug-handler) is \
             told to stay with it by a variable such as APP_ALLOW_XDEBUG=1, given with --env.",
            folder.display()
        ));
    }
    let by_pid: Vec<u32> = profiled.files.iter().filter_map(|name| pid(name)).collect();
    if by_pid.len() == profiled.files.len() && !by_pid.iter().any(|pid| i32::try_from(*pid) == Ok(server)) {
        run.recorder.not_measured(format!(
            "The profile of the process that served (pid {server}): no file bears its number, and what is shown belongs to \
             other processes. A console that restarts itself without Xdebug (composer/xdebug-handler) is told to stay \
             with it by a variable such as APP_ALLOW_XDEBUG=1, given with --env."
        ))?;
    }
    run.recorder.write(Event::Profiled(profiled))
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

/// The process in a profile's name: `cachegrind.out.PID`, with a number behind it where a pid came again.
fn pid(name: &str) -> Option<u32> {
    name.strip_prefix("cachegrind.out.")?.split('.').next()?.parse().ok()
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
    head.starts_with(b"version:") || head.starts_with(b"creator:") || head.starts_with(&[0x1f, 0x8b])
}
