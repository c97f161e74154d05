//! What callgrind left of a load: its files found, summed and kept; and which builds of programs and libraries ran.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::context::Context;
use super::disk;
use super::profile_files;
use super::stop_reason::Halt;
use crate::capture::instructions;
use crate::model::plan::scenario::Scenario;
use crate::model::{Build, Uncounted};
use crate::proc::{Process, elf, maps};
use crate::server::private::dropped;
use crate::server::valgrind;

/// What the processes of a load left.
#[derive(Debug)]
pub(super) struct Left {
    /// Instructions of all of them.
    pub instructions: u64,
    /// How many.
    pub processes: u32,
    /// Files that were kept.
    pub files: Vec<String>,
}

/// Takes callgrind's files and sums them. Kept are those of the first try, as far as the disk may be used. `alive` are the
/// processes that were asked to end: each has to have left a file. `users` are those that they ran as.
pub(super) fn collect(
    run: &mut Context<'_>,
    scenario: &Scenario,
    load: u64,
    number: u32,
    alive: &[i32],
    mut users: BTreeSet<u32>,
) -> Result<Result<Left, Uncounted>, Halt> {
    let ours = run.folder.count();
    let folder = run.private.profiles(&ours);
    users.insert(nix::unistd::geteuid().as_raw());
    // What the profile pass dropped may still lie there.
    let is_count = |path: &PathBuf| path.file_name().and_then(OsStr::to_str).and_then(valgrind::pid_of).is_some();
    let others: Vec<PathBuf> = profile_files::list(&folder).into_iter().filter(|path| !is_count(path)).collect();
    let (found, refused) = dropped(&folder, &others, &users);
    for why in refused {
        run.recorder.not_measured(format!("A file of the count pass: {why}, and was left out."))?;
    }
    let (mut sum, mut pids, mut files, mut cut) = (0_u64, BTreeSet::new(), Vec::new(), None);
    for (name, file) in found {
        let Some(pid) = name.to_str().and_then(valgrind::pid_of) else { continue };
        let kept = kept_name(&scenario.name, load, pid);
        // Whatever bore the name is of a try that was given up.
        run.folder.remove_counts(|other| other == kept.as_bytes())?;
        run.folder.make_count()?;
        run.folder.adopt_count(file, OsStr::new(&kept))?;
        fs::remove_file(folder.join(&name))?;
        match instructions(&ours.join(&kept)) {
            Ok(cost) => sum += cost,
            Err(_) => cut = cut.or(Some(pid)),
        }
        pids.insert(pid);
        files.push(kept);
    }
    let missing = alive.iter().find(|pid| !pids.contains(pid));
    let outcome = match (cut, missing) {
        (Some(pid), _) => Err(Uncounted::FileCut(pid)),
        (None, Some(pid)) => Err(Uncounted::FileMissing(*pid)),
        (None, None) if pids.is_empty() => Err(Uncounted::NoFile),
        (None, None) => Ok(pids.len() as u32),
    };
    let most = run.plan.max_disk;
    let full = disk::taken(run) > most;
    if number > 1 || full || outcome.is_err() {
        run.folder.remove_counts(|name| files.iter().any(|file| file.as_bytes() == name))?;
        run.folder.make_count()?;
        files.clear();
    }
    if number == 1 && full {
        let most = crate::phrase::bytes(most as f64);
        run.recorder.not_measured(format!(
            "Instructions by native function of `{}`: its files did not fit into the {most} that --max-disk allows.",
            scenario.name
        ))?;
    }
    Ok(outcome.map(|processes| Left { instructions: sum, processes, files }))
}

/// `callgrind.out.sequential.150.4711`.
fn kept_name(scenario: &str, load: u64, pid: i32) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    let scenario: String = scenario.chars().map(plain).collect();
    format!("callgrind.out.{scenario}.{load}.{pid}")
}

/// The programs and libraries that processes under valgrind run, without valgrind's own and without what lies in `ours`.
pub(super) fn builds(pids: &[i32], ours: &Path) -> BTreeSet<Build> {
    let mut paths = BTreeSet::new();
    for pid in pids {
        let Ok(text) = Process::open(*pid).and_then(|process| process.read("maps")) else { continue };
        let mapped = maps::parse(&String::from_utf8_lossy(&text));
        let code = mapped.into_iter().filter(|mapping| mapping.executable && mapping.is_file());
        paths.extend(code.map(|mapping| mapping.path).map(|path| (format!("/proc/{pid}/root{path}"), path)));
    }
    let known = |path: &str| !valgrind::is_own(path) && !Path::new(path).starts_with(ours);
    let build = |(opened, path): (String, String)| {
        let file = Path::new(&path).file_name()?.to_string_lossy().into_owned();
        let build = File::open(opened).ok().and_then(|file| elf::build_of(&file))?;
        Some(Build { file, build })
    };
    paths.into_iter().filter(|(_, path)| known(path)).filter_map(build).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_the_load_and_no_folder() {
        assert_eq!(kept_name("sequential", 150, 4711), "callgrind.out.sequential.150.4711");
        assert_eq!(kept_name("../a b", 50, 1), "callgrind.out.___a_b.50.1");
    }

    #[test]
    fn a_process_runs_its_program_and_its_libraries() {
        let own = builds(&[std::process::id() as i32], Path::new("/nowhere"));
        let exe = std::env::current_exe().unwrap();
        let name = exe.file_name().unwrap().to_string_lossy().into_owned();
        assert!(own.iter().any(|build| build.file == name && build.build.len() > 8), "{own:?}");
        assert!(own.iter().any(|build| build.file.starts_with("libc.")), "{own:?}");
        let without = builds(&[std::process::id() as i32], exe.parent().unwrap());
        assert!(!without.iter().any(|build| build.file == name));
    }
}
