//! A profile of any size, written as PHP writes it, under a bound of the disk: what it takes at most, how long it takes
//! beside one that nobody follows, and whether the tree is that of the raw file.
//!
//! `cargo bench --bench capture -- SIZE MAX FOLDER`, as `10GB 1GB /tmp/x`; the raw file is written into the folder too.

#[path = "support/measure.rs"]
#[allow(dead_code)]
mod measure;
#[path = "support/profile.rs"]
mod profile;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use profile_run::capture::{Followed, Follower};
use profile_run::profile::{Options, read_paths};
use serde_json::json;

/// Bytes that the files of a folder take.
fn taken(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .filter(|meta| meta.is_file())
        .map(|meta| meta.blocks() * 512)
        .sum()
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let [wanted, most, folder] = &arguments[..] else {
        println!("capture: give SIZE, MAX and FOLDER, as in `cargo bench --bench capture -- 10GB 1GB /tmp/x`");
        return Ok(());
    };
    let (Some(size), Some(most_bytes)) = (profile::size(wanted), profile::size(most)) else {
        return Err(io::Error::other("a size is no number (as 171MB)"));
    };
    let folder = Path::new(folder);
    let (followed, raw) = (folder.join("followed"), folder.join("raw"));
    fs::create_dir_all(&followed)?;
    fs::create_dir_all(&raw)?;
    let name = "cachegrind.out.1";

    let begun = Instant::now();
    profile::write(&raw.join(name), size)?;
    let alone = begun.elapsed().as_secs_f64();

    let place = followed.clone();
    let follower = Follower::start(Followed {
        folder: followed.clone(),
        before: Vec::new(),
        run: followed.clone(),
        most: most_bytes,
        keep_raw: false,
        make: Box::new(move |name: &OsStr| File::create_new(place.join(name))),
        process: None,
    })?;
    let (done, peak) = (AtomicBool::new(false), AtomicU64::new(0));
    let begun = Instant::now();
    let (written, followed_for) = std::thread::scope(|scope| -> io::Result<(f64, f64)> {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                peak.fetch_max(taken(&followed), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        // As PHP does: it waits for nobody. What writes faster than any PHP is held back where the bound is near.
        profile::write_as_php(&followed.join(name), size, || taken(&followed) > most_bytes / 4 * 3)?;
        let written = begun.elapsed().as_secs_f64();
        let outcome = follower.finish();
        done.store(true, Ordering::Relaxed);
        assert!(outcome.failed.is_empty(), "{:?}", outcome.failed);
        fs::rename(followed.join(&outcome.kept[OsStr::new(name)]), followed.join(name))?;
        Ok((written, begun.elapsed().as_secs_f64()))
    })?;
    let compact = followed.join(name).metadata()?.len();

    let read = |path: &Path| {
        let begun = Instant::now();
        let profile = read_paths(&[path.join(name)], &Options::default()).map_err(io::Error::other)?;
        Ok::<_, io::Error>((profile, begun.elapsed().as_secs_f64()))
    };
    let ((kept, kept_for), (whole, whole_for)) = (read(&followed)?, read(&raw)?);
    let equal = kept.functions == whole.functions && kept.tree.nodes() == whole.tree.nodes();
    println!("{equal}: the tree is that of the raw file, {} records, {} paths", whole.records(), whole.tree.len());
    println!(
        "{} bytes raw, {compact} compact, {} at most on the disk",
        raw.join(name).metadata()?.len(),
        peak.load(Ordering::Relaxed)
    );
    println!(
        "written in {written:.1} s followed ({followed_for:.1} s to the end), {alone:.1} s alone; read in {kept_for:.1} s, raw {whole_for:.1} s"
    );
    measure::keep(
        "capture",
        json!({ "asked": { "size": wanted, "max_disk": most } }),
        json!({}),
        json!({
            "bytes": { "raw": raw.join(name).metadata()?.len(), "compact": compact, "at_most": peak.load(Ordering::Relaxed) },
            "seconds": { "followed": written, "to_its_end": followed_for, "alone": alone, "read": kept_for, "read_raw": whole_for },
            "equal": equal,
            "records": whole.records(),
        }),
    );
    assert!(equal, "the trees differ");
    Ok(())
}
