//! A machine that is not the run's alone.

use super::support::{Busy, Place, SERVER, port, text, words};

#[test]
fn other_programs_that_take_the_processors_are_said_in_the_report() {
    let _busy = Busy::new(2 * std::thread::available_parallelism().map_or(1, usize::from));
    let place = Place::new();
    let options = ["--passes", "measure", "--load", "smoke", "--budget", "20s"];
    let output = place.run(&options, &words(&["php", SERVER, "plain", &port()]));
    let result = place.result();
    let warnings = result["warnings"].as_array().unwrap_or_else(|| panic!("{}", text(&output)));
    assert!(warnings.iter().any(|warning| warning["kind"] == "busy_machine"), "{warnings:?}");
    let page = std::fs::read_to_string(place.out().join("report.html")).unwrap();
    assert!(page.contains("of this machine's processors") || page.contains("of this machine&#39;s processors"));
}
