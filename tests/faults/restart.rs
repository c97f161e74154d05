//! An application that starts itself anew without Xdebug is profiled all the same.

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
