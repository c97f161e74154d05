//! Compiles the libraries that the profile pass and the count pass preload (`src/capture/fork.c`, `src/capture/count.c`) with
//! the C compiler that links Rust's programs, too. Where that cannot be done the program is built without them: forked
//! processes share a profile, and servers that fork under load are not counted.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=CC");
    for name in ["fork", "count"] {
        compile(name);
    }
}

fn compile(name: &str) {
    let source = format!("src/capture/{name}.c");
    println!("cargo:rerun-if-changed={source}");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let library = PathBuf::from(variable("OUT_DIR")).join(format!("{name}.so"));
    let here = variable("HOST") == variable("TARGET") && variable("CARGO_CFG_TARGET_OS") == "linux";
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let built = here
        && Command::new(compiler)
            .args(["-shared", "-fPIC", "-O2", "-s", "-o"])
            .arg(&library)
            .arg(&source)
            .arg("-lpthread")
            .status()
            .is_ok_and(|status| status.success());
    if !built {
        if here {
            println!("cargo:warning={source} was not compiled: forked processes will not be told apart");
        }
        std::fs::write(&library, b"").expect("the build's own folder can be written");
    }
}
