//! An application that starts itself anew without Xdebug is profiled all the same, or what it did is said.

use super::support::{Place, SERVER, port, text, words};

#[test]
fn an_application_that_restarts_without_xdebug_is_profiled() {
    let place = Place::new();
    let options = ["--passes", "profile", "--load", "smoke", "--budget", "20s"];
    let output = place.run(&options, &words(&["php", SERVER, "restart", &port()]));
    let result = place.result();
    let functions = result["profile"]["functions"].as_array().unwrap_or_else(|| panic!("{}", text(&output)));
    assert!(functions.iter().any(|function| function["name"] == "serve"), "{functions:?}");
    assert!(place.journal().contains("FAULTS_ALLOW_XDEBUG=1"), "what was set is said");
    assert_eq!(result["not_measured"].as_array().map_or(0, Vec::len), 0, "{}", result["not_measured"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    place.is_left_empty().unwrap();
}

#[test]
fn one_that_leaves_xdebug_in_both_passes_is_profiled_or_told_by_its_own_command_line() {
    let options = ["--load", "smoke", "--budget", "20s"];
    let place = Place::new();
    let output = place.run(&options, &words(&["php", SERVER, "restart-always", &port()]));
    let functions = place.result()["profile"]["functions"].to_string();
    assert!(functions.contains("\"serve\""), "{}", text(&output));
    let shell = |options: &str| words(&["sh", "-c", &format!("php {options} {SERVER} plain {}", port())]);
    for (server, said) in [
        (words(&["php", SERVER, "restart-silent", &port()]), "_ALLOW_XDEBUG=1"),
        (shell("-n"), "was started without Xdebug"),
    ] {
        let place = Place::new();
        let output = place.run(&options, &server);
        let not_measured = place.result()["not_measured"].to_string();
        assert!(not_measured.contains("-n") && not_measured.contains(said), "{not_measured}");
        assert!(!not_measured.contains("Install"), "it is installed: {not_measured}");
        assert!(text(&output).contains("was started without Xdebug"), "{}", text(&output));
        place.is_left_empty().unwrap();
    }
}
