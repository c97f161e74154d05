//! The exact command and environment of each pass. Pure: what was typed in, what is started out.
//!
//! The command line's `-d` flags reach only a command that is php itself. A folder of ini files named
//! by `PHP_INI_SCAN_DIR` reaches every php below, through shells, wrappers and forks. Of several `-d`
//! the last wins, `-d` wins over the folder, and `XDEBUG_MODE` in the environment wins over all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::command::{Invocation, typed_setting};
use super::valgrind;
use crate::model::plan::Pass;

/// What is started in one pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The argument vector.
    pub argv: Vec<String>,
    /// Variables to set.
    pub set: BTreeMap<String, String>,
    /// Variables to remove.
    pub remove: Vec<String>,
    /// Files to write before the launch: path and content.
    pub files: Vec<(PathBuf, String)>,
    /// Where profiles will appear: ours, or the folder that the user typed.
    pub profile_folder: Option<PathBuf>,
    /// What the reader of the report should know of it.
    pub notes: Vec<String>,
}

/// What the settings are made from.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// Working directory of the server, absolute.
    pub cwd: &'a Path,
    /// The private folder for what PHP reads of ours, absolute.
    pub php: &'a Path,
    /// Where profiles go if the command names no folder, absolute.
    pub profiles: &'a Path,
    /// The server runs in a container, where its own folders are not ours.
    pub in_container: bool,
    /// The environment that the server would have, the plan's variables included.
    pub environment: &'a BTreeMap<String, String>,
    /// A prepended file that php's own configuration names.
    pub configured_prepend: Option<&'a str>,
    /// Where callgrind's files go in the count pass, absolute.
    pub counts: &'a Path,
}

/// The recipe's settings, and what makes the file readable.
fn xdebug_settings(output: &Path, prepend: &Path) -> Vec<(String, String)> {
    [
        ("xdebug.mode", "profile".to_owned()),
        ("xdebug.start_with_request", "yes".to_owned()),
        ("xdebug.output_dir", output.display().to_string()),
        ("xdebug.profiler_output_name", "cachegrind.out.%p".to_owned()),
        ("xdebug.use_compression", "0".to_owned()),
        ("opcache.enable_cli", "0".to_owned()),
        ("opcache.jit", "off".to_owned()),
        ("auto_prepend_file", prepend.display().to_string()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .to_vec()
}

/// The command and environment of a pass.
pub fn for_pass(pass: Pass, invocation: &Invocation, around: &Surroundings) -> Settings {
    match pass {
        Pass::Measure => clean(invocation, around),
        Pass::Profile => profile(invocation, around),
        Pass::Count => count(invocation, around),
    }
}

/// The server as the measure pass has it, below valgrind.
fn count(invocation: &Invocation, around: &Surroundings) -> Settings {
    let clean = clean(invocation, around);
    let mut argv = valgrind::command(around.counts);
    argv.extend(clean.argv);
    Settings { argv, notes: Vec::new(), ..clean }
}

fn clean(invocation: &Invocation, around: &Surroundings) -> Settings {
    let mut notes = Vec::new();
    if let Some(mode) = typed_setting(&invocation.argv, "xdebug.mode").filter(|mode| mode != "off") {
        notes.push(format!(
            "Xdebug was off in the measure pass (XDEBUG_MODE=off), although xdebug.mode={mode} was typed."
        ));
    } else if let Some(mode) = around.environment.get("XDEBUG_MODE").filter(|mode| *mode != "off") {
        notes.push(format!("Xdebug was off in the measure pass (XDEBUG_MODE=off), although XDEBUG_MODE was {mode}."));
    }
    Settings {
        argv: invocation.argv.clone(),
        set: BTreeMap::from([("XDEBUG_MODE".to_owned(), "off".to_owned())]),
        remove: vec!["XDEBUG_CONFIG".to_owned()],
        files: Vec::new(),
        profile_folder: None,
        notes,
    }
}

fn profile(invocation: &Invocation, around: &Surroundings) -> Settings {
    let mut notes = Vec::new();
    let prepend = around.php.join("prepend.php");
    let typed = |key: &str| typed_setting(&invocation.argv, key);

    let mut argv = invocation.argv.clone();
    let mut typed_folder = typed("xdebug.output_dir").map(|dir| around.cwd.join(dir));
    if around.in_container
        && let Some(theirs) = typed("xdebug.output_dir")
    {
        notes.push(format!("Profiles did not go to {theirs}, as typed: that is a folder of the container."));
        replace_setting(&mut argv, "xdebug.output_dir", &theirs, &around.profiles.display().to_string());
        typed_folder = None;
    }
    let profile_folder = typed_folder.unwrap_or_else(|| around.profiles.to_path_buf());
    if profile_folder != around.profiles {
        notes.push(format!("Profiles were written to {}, as typed, and read from there.", profile_folder.display()));
    }

    // A prepended file of the user's still runs: ours requires it.
    let typed_prepend = typed("auto_prepend_file").filter(|file| !file.is_empty());
    let chained = typed_prepend.as_deref().or(around.configured_prepend).filter(|file| !file.is_empty());
    let settings = xdebug_settings(around.profiles, &prepend);
    let ini: String = settings.iter().map(|(key, value)| format!("{key}=\"{value}\"\n")).collect();

    if let Some(file) = &typed_prepend {
        notes.push(format!("The prepended file {file} was run from ours in the profile pass."));
        replace_setting(&mut argv, "auto_prepend_file", file, &prepend.display().to_string());
    }
    if invocation.is_direct_php() {
        let flags = settings.iter().flat_map(|(key, value)| ["-d".to_owned(), format!("{key}={value}")]);
        argv.splice(1..1, flags);
    }

    // The environment's mode wins over everything, so it must hold what is meant.
    let mode = match typed("xdebug.mode") {
        Some(mode) if mode.split(',').any(|m| m.trim() == "profile") => mode,
        Some(mode) => {
            notes.push(format!("xdebug.mode={mode} was typed; the profile pass ran with profile."));
            "profile".to_owned()
        }
        None => "profile".to_owned(),
    };
    let mut set = BTreeMap::from([("XDEBUG_MODE".to_owned(), mode)]);
    if typed("xdebug.start_with_request").is_some_and(|value| value != "yes") {
        set.insert("XDEBUG_TRIGGER".to_owned(), "profile-run".to_owned());
    }
    // An empty element stands for the folder that was compiled in.
    let scan = around.environment.get("PHP_INI_SCAN_DIR").map_or(String::new(), Clone::clone);
    set.insert("PHP_INI_SCAN_DIR".to_owned(), format!("{scan}:{}", around.php.display()));

    Settings {
        argv,
        set,
        remove: vec!["XDEBUG_CONFIG".to_owned()],
        files: vec![(around.php.join("profile-run.ini"), ini), (prepend, super::prepend::text(chained))],
        profile_folder: Some(profile_folder),
        notes,
    }
}

fn replace_setting(argv: &mut [String], key: &str, theirs: &str, ours: &str) {
    for argument in argv {
        for quote in ["", "'", "\""] {
            let needle = format!("{key}={quote}{theirs}{quote}");
            if argument.contains(&needle) {
                *argument = argument.replace(&needle, &format!("{key}={quote}{ours}{quote}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invocation(line: &str, php_at: Option<usize>) -> Invocation {
        Invocation {
            argv: line.split(' ').map(str::to_owned).collect(),
            program: PathBuf::from("x"),
            php_at,
            php: None,
            names_php: php_at.is_some(),
            running: None,
            client: None,
        }
    }

    fn around(environment: &BTreeMap<String, String>) -> Surroundings<'_> {
        Surroundings {
            cwd: Path::new("/srv/app"),
            php: Path::new("/tmp/1/php"),
            profiles: Path::new("/run/1/profile"),
            in_container: false,
            environment,
            configured_prepend: None,
            counts: Path::new("/run/1/count"),
        }
    }

    #[test]
    fn flags_stand_directly_after_php_so_that_the_users_win() {
        let none = BTreeMap::new();
        let settings = profile(&invocation("php -d xdebug.output_dir=var/xdebug bin/console", Some(0)), &around(&none));
        assert_eq!(settings.argv[1], "-d");
        assert_eq!(settings.argv[2], "xdebug.mode=profile");
        let ours = settings.argv.iter().position(|a| a == "xdebug.output_dir=/run/1/profile").unwrap();
        let theirs = settings.argv.iter().position(|a| a == "xdebug.output_dir=var/xdebug").unwrap();
        assert!(ours < theirs);
        assert_eq!(settings.profile_folder.as_deref(), Some(Path::new("/srv/app/var/xdebug")));
    }

    #[test]
    fn other_commands_go_through_the_scanned_folder_and_keep_one_that_exists() {
        let mut environment = BTreeMap::new();
        let shell = invocation("sh -c x", None);
        let settings = profile(&shell, &around(&environment));
        assert_eq!(settings.argv, shell.argv);
        assert_eq!(settings.set["PHP_INI_SCAN_DIR"], ":/tmp/1/php");
        environment.insert("PHP_INI_SCAN_DIR".to_owned(), "/etc/own".to_owned());
        assert_eq!(profile(&shell, &around(&environment)).set["PHP_INI_SCAN_DIR"], "/etc/own:/tmp/1/php");
    }

    #[test]
    fn a_prepended_file_of_the_users_still_runs() {
        let none = BTreeMap::new();
        let settings = profile(&invocation("php -d auto_prepend_file=boot.php x", Some(0)), &around(&none));
        assert!(settings.argv.contains(&"auto_prepend_file=/tmp/1/php/prepend.php".to_owned()));
        assert!(!settings.argv.contains(&"auto_prepend_file=boot.php".to_owned()));
        assert!(settings.files[1].1.contains("require 'boot.php';"));
    }

    #[test]
    fn a_folder_of_a_container_is_replaced_by_the_one_that_is_mounted() {
        let environment = BTreeMap::new();
        let around = Surroundings { in_container: true, ..around(&environment) };
        let settings = profile(&invocation("docker run x php -d xdebug.output_dir=/x y", None), &around);
        assert_eq!(settings.argv.join(" "), "docker run x php -d xdebug.output_dir=/run/1/profile y");
        assert_eq!(settings.profile_folder.as_deref(), Some(Path::new("/run/1/profile")));
    }

    #[test]
    fn the_count_pass_is_the_measure_pass_below_valgrind() {
        let none = BTreeMap::new();
        let given = invocation("php -d xdebug.mode=profile x", Some(0));
        let (count, clean) = (count(&given, &around(&none)), clean(&given, &around(&none)));
        assert!(count.argv.ends_with(&clean.argv) && count.argv[0] == "valgrind", "{:?}", count.argv);
        assert_eq!((count.set, count.remove), (clean.set, clean.remove));
    }

    #[test]
    fn the_clean_pass_is_off_whatever_was_typed() {
        let none = BTreeMap::new();
        let settings = clean(&invocation("php -d xdebug.mode=profile x", Some(0)), &around(&none));
        assert_eq!(settings.set["XDEBUG_MODE"], "off");
        assert_eq!(settings.notes.len(), 1);
    }
}
