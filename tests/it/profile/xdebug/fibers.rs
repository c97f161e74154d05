//! Records of several stacks in one row.

use proptest::prelude::*;

use super::machine::{Machine, SWITCH, steps};
use super::{folded, read};
use crate::support::files::gzip;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_machines_with_fibers_come_back_equal(steps in steps()) {
        let machine = Machine::run(&steps);
        let switches: i64 = machine.switches.values().sum();
        for (bytes, streamed) in [
            (machine.text.as_bytes().to_vec(), false),
            (machine.text.as_bytes().to_vec(), true),
            (gzip(machine.text.as_bytes()), false),
            (machine.text.replace('\n', "\r\n").into_bytes(), false),
        ] {
            let profile = read(&bytes, streamed).unwrap();
            prop_assert!(profile.complete(), "{:?}\n{}", profile.files[0].first_defect, machine.text);
            prop_assert_eq!(profile.records(), machine.records);
            let mut paths = folded(&profile);
            // Each figure of the file is rounded, and what is left over is shared out among the switches.
            let slack = 1 + machine.records as i64 / switches.max(1);
            for (path, calls) in &machine.switches {
                let own = paths.remove(path).unwrap_or(0);
                prop_assert!((own - calls * SWITCH / 10).abs() <= calls * slack, "{own} for {calls} of {path}");
            }
            let true_paths: Vec<_> = machine.folded.iter().filter(|(_, time)| **time != 0).collect();
            prop_assert_eq!(paths.iter().collect::<Vec<_>>(), true_paths, "{}", machine.text);
        }
    }
}
