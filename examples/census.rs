//! Prints a census of a PHP process as JSON: `cargo run --example census -- PID [idle]`.

use profile_run::heap::{CopyMode, Inspector};

fn main() {
    let pid = std::env::args().nth(1).and_then(|p| p.parse().ok()).expect("a pid");
    let mode = if std::env::args().nth(2).is_some() { CopyMode::IdleOnly } else { CopyMode::MayStop };
    let census = Inspector::attach(pid).and_then(|inspector| {
        println!("{:?}", inspector.figures());
        inspector.census(mode)
    });
    match census {
        Ok(census) => println!("{}", serde_json::to_string_pretty(&census).expect("plain values")),
        Err(status) => println!("{}: {status}", status.word()),
    }
}
