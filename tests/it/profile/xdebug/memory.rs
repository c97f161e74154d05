//! Memory does not grow with the file.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use profile_run::profile::{LEFT_OUT_NAME, Metric, Options, Profile, read_paths};

use super::written;

/// The most private memory of `analyze`, in kilobytes, and the bytes of the file.
fn most(folder: &Path, size: u64) -> (u64, u64) {
    let file = folder.join("cachegrind.out.1");
    written::write(&file, size).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_profile-run"))
        .args(["analyze", "--format", "folded"])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let private = |text: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"))?.trim().strip_suffix(" kB")?;
        line.trim().parse::<u64>().ok()
    };
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        most = most.max(std::fs::read_to_string(&status).ok().and_then(|text| private(&text)).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(child.wait().unwrap().success());
    (most, std::fs::metadata(&file).unwrap().len())
}

#[test]
fn a_file_of_four_times_the_size_takes_no_more_private_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (small, bytes) = most(folder.path(), 10 << 20);
    let (large, more) = most(folder.path(), 40 << 20);
    assert!(small > 0 && more > 3 * bytes);
    // Lists of a chunk grow a little with its largest one; the file itself would be 30 MB more.
    assert!(large < small + 8_000, "{small} kB for {bytes} bytes, {large} kB for {more}");
    assert!(large < 64_000, "{large} kB");
}

/// A profile of `chains` calls of the script, each of which goes `depth` calls down a way of its own.
fn chains(path: &Path, chains: u64, depth: u64) {
    let header = "version: 1\ncreator: xdebug 3.2.0\ncmd: a\npart: 1\npositions: line\n\n\
                  events: Time_(10ns) Memory_(bytes)\n\nfl=(1) /srv/a.php\nfn=(1) boot\n1 5 0\n\n";
    let mut text = header.to_owned();
    let (mut mains, mut known, mut sum) = (String::new(), std::collections::HashSet::new(), 10);
    let mut name = |id: u64| match known.insert(id) {
        true => format!("({id}) f{id}"),
        false => format!("({id})"),
    };
    for chain in 0..chains {
        let mut below: Option<(u64, u64)> = None;
        for level in (0..depth).rev() {
            let id = if level == 0 { 1_000 + chain } else { 2 + (chain * 7 + level * 13) % 500 };
            let own = 10 + chain;
            text.push_str(&format!("fl=(1)\nfn={}\n2 {own} 0\n", name(id)));
            if let Some((callee, time)) = below {
                text.push_str(&format!("cfl=(1)\ncfn=({callee})\ncalls=1 0 0\n3 {time} 0\n"));
            }
            text.push('\n');
            below = Some((id, own + below.map_or(0, |(_, time)| time)));
        }
        let (id, time) = below.expect("a chain");
        mains.push_str(&format!("cfl=(1)\ncfn=({id})\ncalls=1 0 0\n4 {time} 0\n"));
        sum += time;
    }
    text.push_str(&format!("fl=(1)\nfn=(999999) {{main}}\n1 5 0\n{mains}\nsummary: {sum} 0\n\n"));
    std::fs::write(path, text).unwrap();
}

#[test]
fn a_tree_that_outgrows_its_room_is_pruned_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cachegrind.out.1");
    chains(&path, 400, 100);
    let read = |max_tree: u64, streamed: bool| -> Profile {
        read_paths(std::slice::from_ref(&path), &Options { max_tree, streamed, ..Options::default() }).unwrap()
    };
    let whole = read(u64::MAX, false);
    assert!(whole.tree.len() > 40_000 && whole.files[0].warnings.is_empty(), "{}", whole.tree.len());
    for streamed in [false, true] {
        let pruned = read(500_000, streamed);
        assert!(pruned.tree.bytes() <= 500_000, "{}", pruned.tree.bytes());
        assert_eq!(pruned.total(Metric::Time), whole.total(Metric::Time));
        assert_eq!((pruned.records(), pruned.complete()), (whole.records(), true));
        let said = &pruned.files[0].warnings;
        assert!(said.iter().any(|warning| warning.contains("outgrew --max-tree")), "{said:?}");
        let calls = |profile: &Profile| profile.functions.iter().map(|function| function.calls).sum::<u64>();
        assert_eq!(calls(&pruned), calls(&whole));
        let left_out = pruned.functions.iter().find(|function| function.name == LEFT_OUT_NAME).expect("a frame for it");
        assert!(left_out.own.time > 0 && left_out.own.time < whole.total(Metric::Time));
        // The dearest path is there, from its root on.
        let dear = |profile: &Profile| {
            let of = |name: &str| profile.functions.iter().find(|function| function.name == name).unwrap().inclusive;
            of("f1399")
        };
        assert_eq!(dear(&pruned), dear(&whole));
    }
}

#[test]
fn the_page_of_a_deep_tree_takes_no_more_for_its_depth() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cachegrind.out.1");
    chains(&path, 200, 1_000);
    let output = Command::new(env!("CARGO_BIN_EXE_profile-run")).arg("analyze").arg(&path).output().unwrap();
    assert!(output.status.success() && output.stdout.len() < 4_000_000, "{}", output.stdout.len());
}
