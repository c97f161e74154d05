//! What the benches measure with, and where they keep it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use serde_json::{Value, json};

/// 25 %, 50 %, 75 %.
pub fn quartiles(values: &mut [f64]) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [0.25, 0.5, 0.75].map(|share| {
        let at = share * (values.len() - 1) as f64;
        let (low, high) = (values[at.floor() as usize], values[at.ceil() as usize]);
        low + (high - low) * at.fract()
    })
}

/// Waits for a child and asks what it used.
pub fn wait(child: &Child) -> (i32, libc::rusage) {
    // SAFETY: rusage is plain old data that wait4 fills; the pid is our own child's, not waited for elsewhere.
    unsafe {
        let mut status = 0;
        let mut usage: libc::rusage = std::mem::zeroed();
        let pid = libc::wait4(child.id() as libc::pid_t, &mut status, 0, &mut usage);
        assert_eq!(pid, child.id() as libc::pid_t);
        (status, usage)
    }
}

/// True where a tool is installed.
pub fn which(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).any(|folder| folder.join(tool).is_file())
}

/// The first line of what a tool says of its version.
pub fn version(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output().ok();
    let text = output.map_or(Vec::new(), |output| if output.stdout.is_empty() { output.stderr } else { output.stdout });
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned()
}

/// Writes what was measured to benches/results/, with the day, the machine and the versions.
pub fn keep(bench: &str, asked: Value, peers: Value, measured: Value) {
    let now = jiff::Timestamp::now();
    let mut file = json!({
        "date": now.to_string(),
        "command": format!("cargo bench --bench {bench}"),
        "kernel": version("uname", "-sr"),
        "profile_run": version(env!("CARGO_BIN_EXE_profile-run"), "--version"),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "load_average": std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim(),
    });
    for part in [asked, peers, measured] {
        if let (Some(all), Value::Object(part)) = (file.as_object_mut(), part) {
            all.extend(part);
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/results");
    std::fs::create_dir_all(&folder).expect("benches/results");
    let path = folder.join(format!("{bench}-{}.json", now.strftime("%Y%m%dT%H%M%SZ")));
    let text = serde_json::to_string_pretty(&file).expect("JSON");
    std::fs::write(&path, text + "\n").expect("a file for the results");
    println!("raw results: benches/results/{}", path.file_name().expect("a name").to_string_lossy());
}
