//! Writes a realistic profile of any size, for trials by hand.
//!
//! `cargo bench --bench generate -- 171MB FILE` (suffixes MB and GB; deterministic).

#[path = "support/profile.rs"]
mod profile;

use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let [wanted, path] = &arguments[..] else {
        println!("generate: give SIZE and FILE, as in `cargo bench --bench generate -- 171MB FILE`");
        return Ok(());
    };
    let Some(wanted) = profile::size(wanted) else {
        return Err(io::Error::other("the size is no number (as 171MB)"));
    };
    profile::write(Path::new(path), wanted)
}
