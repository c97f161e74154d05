//! A load command with its places filled in: pure text.

use crate::load::address::Address;
use crate::load::error::{LoadError, PlanError};
use crate::load::job::Job;
use crate::model::shell;

/// The places that are filled in.
pub const PLACES: [&str; 5] = ["{host}", "{port}", "{from}", "{to}", "{number}"];

/// `command` for run `number` (from 1) of `job`, each place quoted for the shell. Other braces are left alone.
///
/// # Errors
/// A command that is empty.
pub fn fill(command: &str, job: &Job, number: u64) -> Result<String, LoadError> {
    if command.trim().is_empty() {
        return Err(PlanError::NoCommand.into());
    }
    let (host, port) = match &job.target {
        Address::Tcp { host, port } => (host.clone(), port.to_string()),
        Address::Unix(path) => (path.display().to_string(), String::new()),
    };
    let scenario = &job.scenario;
    let from = scenario.from.as_ref().unwrap_or(&job.options.from);
    let to = scenario.to.as_ref().unwrap_or(&job.options.to);
    let values = [&host, &port, from, to, &number.to_string()];
    // Place by place from the left, so that a value that looks like a place is not filled in again.
    let mut filled = String::with_capacity(command.len() + 32);
    let mut rest = command;
    while let Some(at) = rest.find('{') {
        let (before, after) = rest.split_at(at);
        filled.push_str(before);
        match PLACES.iter().zip(values).find(|(place, _)| after.starts_with(**place)) {
            Some((place, value)) => {
                filled.push_str(&shell::quoted(value));
                rest = &after[place.len()..];
            }
            None => {
                filled.push('{');
                rest = &after[1..];
            }
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::SessionOptions;
    use crate::model::plan::scenario::Scenario;
    use std::time::Duration;

    fn job(from: &str, target: &str) -> Job {
        Job {
            scenario: Scenario::plain("test", 1, 1),
            target: Address::parse(target).expect("an address"),
            count: 1,
            stall_timeout: Duration::from_secs(1),
            seed: 1,
            options: SessionOptions { from: from.into(), ..SessionOptions::default() },
        }
    }

    #[test]
    fn places_are_filled_and_quoted() {
        for (command, from, filled) in [
            ("swaks -s {host} -p {port}", "a@b", "swaks -s localhost -p 2525"),
            ("echo {from}", "", "echo ''"),
            ("echo {from}", "it's {port}; rm", "echo \"it's {port}; rm\""),
            ("echo {number} {what} ${HOME} {", "a@b", "echo 7 {what} ${HOME} {"),
            ("nc {host} {port} </dev/null", "a@b", "nc localhost 2525 </dev/null"),
        ] {
            assert_eq!(fill(command, &job(from, "localhost:2525"), 7).expect("filled"), filled, "{command}");
        }
        assert!(fill("  ", &job("a@b", "localhost:2525"), 1).is_err());
        assert_eq!(fill("x {host}", &job("a@b", "[::1]:25"), 1).expect("filled"), "x ::1");
    }
}
