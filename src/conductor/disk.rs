//! Room on the disk: looked at while a run goes on, and made where a profile has taken it.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::context::Context;
use super::stop_reason::Halt;
use crate::capture::Bound;
use crate::journal::Warning;
use crate::model::WarningKind;

/// Room that is kept for the journal and the reports, bytes.
const KEPT: u64 = 2 << 20;

/// Goes on while there is room where the run's folder and its profiles lie.
///
/// # Errors
/// There is hardly any left.
pub(super) fn check(run: &Context<'_>, profiles: Option<&(PathBuf, Vec<PathBuf>)>) -> Result<(), Halt> {
    let there = profiles.and_then(|(folder, _)| Some((free_at(folder)?, folder.as_path())));
    let here = run.folder.free().map(|free| (free, run.folder.root()));
    match [here, there].into_iter().flatten().min_by_key(|(free, _)| *free) {
        Some((free, place)) if free < KEPT => Err(Halt::Disk(format!(
            "only {} are free at {}: make room, or give --out a folder on another disk",
            crate::phrase::bytes(free as f64),
            place.display()
        ))),
        _ => Ok(()),
    }
}

/// What is said of a profile pass that ended early.
pub(super) fn reached(bound: Bound, most: u64) -> Warning {
    let size = |bytes: u64| crate::phrase::bytes(bytes as f64);
    let (text, advice) = match bound {
        Bound::MaxDisk { taken } => (
            format!("its files had taken {} of the {} that --max-disk allows", size(taken), size(most)),
            "Give it a larger --max-disk, or less load (--scale, --load).",
        ),
        Bound::Free { free } => {
            (format!("only {} were left on the disk", size(free)), "Make room, or give --out a folder on another disk.")
        }
    };
    Warning {
        kind: WarningKind::ProfileDisk,
        text: format!(
            "The profile pass ended early: {text}. What was served until then is profiled; the rest of its load was not run."
        ),
        advice: advice.to_owned(),
    }
}

/// What is said of a profile pass whose load was cut before it was run.
pub(super) fn cut(most: u64) -> Warning {
    Warning {
        kind: WarningKind::ProfileDisk,
        text: format!(
            "The load of the profile pass was cut to what {} have room for (--max-disk, or what is free): the files of \
             processes that fork are kept whole until the end.",
            crate::phrase::bytes(most as f64)
        ),
        advice: "Give it a larger --max-disk.".to_owned(),
    }
}

fn free_at(folder: &Path) -> Option<u64> {
    let stat = nix::sys::statvfs::statvfs(folder).ok()?;
    Some(stat.blocks_available() * stat.fragment_size())
}

/// Empties the profiles of a pass, so that the rest of the run can be written down. Xdebug writes on where it was; what
/// lies before is a hole.
pub(super) fn empty(folder: &Path, before: &[PathBuf]) {
    for path in super::profile_files::list(folder).into_iter().filter(|path| !before.contains(path)) {
        if let Ok(file) = OpenOptions::new().write(true).custom_flags(libc::O_NOFOLLOW).open(&path) {
            let _ = file.set_len(0);
        }
    }
}

/// Bytes of the disk that the run's folder takes.
pub(super) fn taken(run: &Context<'_>) -> u64 {
    blocks(&own_files(run).collect())
}

fn own_files(run: &Context<'_>) -> impl Iterator<Item = PathBuf> {
    let all = walkdir::WalkDir::new(run.folder.root()).into_iter().flatten().map(walkdir::DirEntry::into_path);
    all.filter(|path| path.is_file())
}

fn blocks(files: &BTreeSet<PathBuf>) -> u64 {
    files.iter().map(|path| std::fs::metadata(path).map_or(0, |meta| meta.blocks() * 512)).sum()
}

/// What is said where all files of a run take more than is allowed, its profiles among them.
pub(super) fn over(run: &Context<'_>, folder: &Path, before: &[PathBuf]) -> Option<String> {
    let most = run.plan.max_disk;
    let apart = super::profile_files::list(folder).into_iter().filter(|path| !before.contains(path));
    let taken = blocks(&own_files(run).chain(apart).collect());
    let size = |bytes: u64| crate::phrase::bytes(bytes as f64);
    (taken > most).then(|| {
        format!("the run's files took {} in the end, of the {} that --max-disk allows", size(taken), size(most))
    })
}

/// Removes them.
pub(super) fn remove(folder: &Path, before: &[PathBuf]) {
    for path in super::profile_files::list(folder).into_iter().filter(|path| !before.contains(path)) {
        let _ = std::fs::remove_file(path);
    }
}
