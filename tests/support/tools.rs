//! Programs of others that a test needs: one that is missing fails the test, so that a green run has tested everything.

/// Nothing where the tool is there. Where it is missing the test fails and says how to get it;
/// with `PROFILE_RUN_SKIP_MISSING=1` it is left out instead, and the result is true.
pub fn missing(there: bool, tool: &str, package: &str) -> bool {
    if there {
        return false;
    }
    let why = format!("{tool} is not here: `sh tests/install-tools.sh test` installs it (Debian's {package})");
    assert!(std::env::var_os("PROFILE_RUN_SKIP_MISSING").is_some_and(|value| value == "1"), "{why}");
    println!("left out: {why}");
    true
}
