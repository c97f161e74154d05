//! Callbacks that pile up inside the engine, in whole runs: all kinds; one of them is short, and stands in tests/it.

#[path = "../support/callbacks.rs"]
mod support;

#[test]
fn what_the_engine_keeps_is_named_in_the_sentence() {
    if std::env::var("PROFILE_RUN_TRUTH").is_err() {
        return;
    }
    for kind in support::KINDS {
        support::check(kind);
        println!("{:<10} {}", kind.0, kind.1);
    }
}
