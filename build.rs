//! Compiles the library that the profile pass preloads (`src/capture/fork.c`) with the C compiler that links Rust's
//! programs, too. Where that cannot be done the program is built without it, and forked processes share a profile.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=src/capture/fork.c");
    println!("cargo:rerun-if-env-changed=CC");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let library = PathBuf::from(variable("OUT_DIR")).join("fork.so");
    let here = variable("HOST") == variable("TARGET") && variable("CARGO_CFG_TARGET_OS") == "linux";
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let built = here
        && Command::new(compiler)
            .args(["-shared", "-fPIC", "-O2", "-s", "-o"])
            .arg(&library)
            .arg("src/capture/fork.c")
            .arg("-lpthread")
            .status()
            .is_ok_and(|status| status.success());
    if !built {
        if here {
            println!("cargo:warning=src/capture/fork.c was not compiled: forked processes will share one profile");
        }
        std::fs::write(&library, b"").expect("the build's own folder can be written");
    }
}
