//! A folder that belongs to somebody else, umasks, and paths that mean something to a shell, an ini or a list.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::support::{Count, Place, SERVER, end_of, long, port, text, words};

/// `nobody`.
const OTHER: u32 = 65_534;

const ATTACK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/attack.php");

const OPTIONS: [&str; 4] = ["--load", "smoke", "--budget", "12s"];

fn has_a_profile(place: &Place) -> Result<(), String> {
    match place.result()["profile"]["records"].as_u64() {
        Some(1..) => Ok(()),
        _ => Err(format!("no profile: {}", place.result()["not_measured"])),
    }
}

/// Two users are needed: who runs, and who owns the folder.
fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("rights between two users: not tried, as this is not root");
    }
    root
}

fn attacked(place: &Place, server: &[String]) -> Result<(), String> {
    let folder = place.path().join("theirs");
    fs::create_dir(&folder).unwrap();
    let out = folder.join("run");
    fs::create_dir(&out).unwrap();
    let (victims, proof) = (place.path().join("victims"), place.path().join("theirs/proof"));
    fs::create_dir(&victims).unwrap();
    let victim = victims.join("victim");
    fs::write(&victim, "kept").unwrap();
    for path in [&folder, &out] {
        chown(path, Some(OTHER), Some(OTHER)).unwrap();
    }
    let mut attacker = Command::new("php")
        .arg(ATTACK)
        .args([&out, &victim, &proof])
        .arg("9")
        .uid(OTHER)
        .gid(OTHER)
        .current_dir("/")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut run = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .arg("--out")
        .arg(&out)
        .args(OPTIONS)
        .arg("--")
        .args(server)
        .current_dir(place.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ended = end_of(&mut run, Duration::from_secs(90)).map(drop);
    let _ = attacker.kill();
    let _ = attacker.wait();
    if fs::read_to_string(&victim).unwrap() != "kept" || fs::read_dir(&victims).unwrap().count() != 1 {
        return Err("something outside the folder was written".to_owned());
    }
    if proof.exists() {
        return Err(format!("the other user's code ran as user {}", fs::read_to_string(&proof).unwrap()));
    }
    ended
}

#[test]
fn the_owner_of_the_folder_cannot_run_code_or_reach_other_files() {
    if !is_root() {
        return;
    }
    let mut count = Count::new("rights: attacks");
    for round in 0..if long() { 10 } else { 1 } {
        let place = Place::new();
        let port = port();
        let server = match round % 2 {
            0 => words(&["php", SERVER, "plain", &port]),
            _ => words(&["sh", "-c", &format!("php {SERVER} plain {port}")]),
        };
        count.take(&format!("round {round}"), attacked(&place, &server).and(place.is_left_empty()));
    }
    count.end();
}

#[test]
fn a_folder_of_another_user_takes_a_whole_run() {
    if !is_root() {
        return;
    }
    let mut count = Count::new("rights: mounts");
    for form in ["plain", "dropped"] {
        let place = Place::new();
        fs::create_dir(place.out()).unwrap();
        chown(place.out(), Some(OTHER), Some(OTHER)).unwrap();
        let output = place.run(&OPTIONS, &words(&["php", SERVER, form, &port()]));
        let ended = match output.status.code() {
            Some(0 | 4) => Ok(()),
            _ => Err(text(&output)),
        };
        let readable = fs::metadata(place.out().join("report.html")).unwrap().mode() & 0o044 == 0o044;
        let readable = if readable { Ok(()) } else { Err("its owner cannot read the report".to_owned()) };
        count.take(form, ended.and_then(|()| has_a_profile(&place)).and(readable).and(place.is_left_empty()));
    }
    count.end();
}

#[test]
fn a_server_that_may_not_be_looked_into_is_told_from_one_that_does_not_listen() {
    if !is_root() {
        return;
    }
    let port = port();
    let target = format!("127.0.0.1:{port}");
    for (options, said_first) in [
        (vec![], "No port of the server was found".to_owned()),
        (vec!["--target", &target], format!("Whether the server listens at --target {target} could not be seen")),
    ] {
        let place = Place::new();
        let output = Command::new("setpriv")
            .args(["--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace", env!("CARGO_BIN_EXE_profile-run")])
            .arg("--out")
            .arg(place.out())
            .args(options)
            .args(["--ready-timeout", "3s", "--", "php", SERVER, "dropped", &port])
            .current_dir(place.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        let said = text(&output);
        assert!(said.contains(&said_first) && said.contains("takes the right CAP_SYS_PTRACE"), "{said}");
        assert!(said.contains(" runs as user 65534, and does not let profile-run read its descriptors"), "{said}");
        place.is_left_empty().unwrap();
    }
}

#[test]
fn what_is_shared_follows_the_umask_and_the_rest_is_the_owners() {
    let mut count = Count::new("rights: umasks");
    for (umask, shared) in [("000", 0o666), ("022", 0o644), ("077", 0o600)] {
        let place = Place::new();
        let line = format!(
            "umask {umask}; exec {} --out {} --passes profile --load smoke -- php {SERVER} plain {}",
            env!("CARGO_BIN_EXE_profile-run"),
            place.out().display(),
            port()
        );
        let output = Command::new("sh").args(["-c", &line]).current_dir(place.path()).output().unwrap();
        let mode = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.permissions().mode() & 0o777);
        let mut wrong = Vec::new();
        for (name, wanted) in [
            ("report.html", shared),
            ("result.json", shared),
            ("summary.md", shared),
            ("journal.jsonl", 0o600),
            ("samples.jsonl", 0o600),
            ("plan.json", 0o600),
            ("target.profile.log", 0o600),
            ("profile", 0o700),
        ] {
            let found = mode(&place.out().join(name));
            if found != wanted {
                wrong.push(format!("{name} is {found:o}, not {wanted:o}"));
            }
        }
        for profile in fs::read_dir(place.out().join("profile")).into_iter().flatten().flatten() {
            if mode(&profile.path()) & 0o077 != 0 {
                wrong.push(format!("{} may be read by others", profile.path().display()));
            }
        }
        let outcome = if wrong.is_empty() { Ok(()) } else { Err(format!("{}: {}", wrong.join(", "), text(&output))) };
        count.take(umask, outcome);
    }
    count.end();
}

#[test]
fn no_path_is_taken_for_anything_else() {
    let names: [&[u8]; 8] = [
        b"a:b",
        b"d\"q",
        b"${HOME}",
        b"two\nlines",
        b"it's",
        b"b\xffd",
        b"semi;colon",
        "gr\u{fc}n \u{202e}".as_bytes(),
    ];
    let mut count = Count::new("rights: paths");
    for (at, name) in names.into_iter().enumerate() {
        for shell in [false, true] {
            if !long() && at % 2 == usize::from(shell) {
                continue;
            }
            let place = Place::new();
            let port = port();
            let out = place.path().join(OsStr::from_bytes(name));
            let mut command = Command::new(env!("CARGO_BIN_EXE_profile-run"));
            command.arg("--out").arg(&out).args(["--passes", "profile", "--load", "smoke", "--"]);
            match shell {
                true => command.args(["sh", "-c", &format!("php {SERVER} plain {port}")]),
                false => command.args(["php", SERVER, "plain", &port]),
            };
            let output = command.current_dir(place.path()).stdin(Stdio::null()).output().unwrap();
            let result = fs::read(out.join("result.json")).unwrap_or_default();
            let result: serde_json::Value = serde_json::from_slice(&result).unwrap_or_default();
            let outcome = match result["profile"]["records"].as_u64() {
                Some(1..) => Ok(()),
                _ => Err(format!("{}{}", result["not_measured"], text(&output))),
            };
            count.take(&format!("{:?}, shell {shell}", String::from_utf8_lossy(name)), outcome);
        }
    }
    count.end();
}

#[test]
fn what_the_machine_lacks_is_said_by_its_name() {
    let place = Place::new();
    let run = format!("{} --out run -- php {SERVER} plain {}", env!("CARGO_BIN_EXE_profile-run"), port());
    let said = |lines: &str| {
        let output = Command::new("sh").args(["-c", lines]).current_dir(place.path()).output().unwrap();
        let _ = fs::remove_dir_all(place.out());
        (output.status.code(), text(&output))
    };
    let (code, few) = said(&format!("ulimit -n 16; exec {run}"));
    assert!(code == Some(2) && few.contains("ulimit -n") && few.lines().count() == 1, "{code:?}: {few}");
    if is_root() {
        let (code, nowhere) = said(&format!("exec unshare -m sh -c 'umount -l /proc && exec {run}'"));
        assert!(code == Some(2) && nowhere.contains("there is no /proc"), "{code:?}: {nowhere}");
    }
    place.is_left_empty().unwrap();
}
