//! A callback of each message that the engine keeps; tests/truth has the other kinds.

#[path = "../../support/callbacks.rs"]
mod support;

#[test]
fn shutdown_functions_are_named_as_what_leaks() {
    support::check(support::KINDS[0]);
}
