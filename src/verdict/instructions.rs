//! Instructions per message: how exact tries are, and what became of a figure between two runs.

use crate::model::{Change, CountCondition as Condition, CountConditions, CountDiffers as Differs, TRIES, spread};

/// With one session at a time the tries of one build differ by less than a fifth of this.
pub const GATE: f64 = 0.005;

/// Where tries differ more, so many times their spread is what no third run of the same build reaches.
pub const SPREADS: f64 = 3.0;

/// Tries that differ by more than this say nothing of a build: what they count goes by the clock.
pub const STEADY: f64 = 0.02;

/// The part of the figure beyond which a change is one; none where there are too few tries to tell, or they differ by too
/// much.
pub fn limit(tries: &[f64]) -> Option<f64> {
    if tries.len() < TRIES {
        return None;
    }
    let (_, spread) = spread(tries)?;
    (spread <= STEADY).then(|| (SPREADS * spread).max(GATE))
}

/// What became of a figure; each has its value and its limit.
pub fn change(was: Option<(f64, f64)>, is: Option<(f64, f64)>) -> Change {
    let (Some((was, was_limit)), Some((is, is_limit))) = (was, is) else { return Change::Unknown };
    let limit = was_limit.max(is_limit);
    match is / was - 1.0 {
        change if change > limit => Change::Worse,
        change if change < -limit => Change::Better,
        _ => Change::Same,
    }
}

/// In which conditions two counts differ.
pub fn differences(was: &CountConditions, is: &CountConditions) -> Vec<Differs> {
    let mut found = Vec::new();
    let mut hold = |what: Condition, was: Option<String>, is: Option<String>| {
        if was != is {
            found.push(Differs { what, was, is });
        }
    };
    let list = |words: &[String]| (!words.is_empty()).then(|| words.join(", "));
    hold(Condition::Valgrind, Some(was.valgrind.clone()), Some(is.valgrind.clone()));
    hold(Condition::Php, was.php.clone(), is.php.clone());
    let mut files: Vec<&String> = was.builds.iter().chain(&is.builds).map(|build| &build.file).collect();
    files.sort();
    files.dedup();
    for file in files {
        let of = |side: &CountConditions| {
            let builds = side.builds.iter().filter(|build| build.file == *file).map(|build| build.build.clone());
            list(&builds.collect::<Vec<_>>())
        };
        hold(Condition::Build(file.clone()), of(was), of(is));
    }
    hold(Condition::Features, list(&was.features), list(&is.features));
    hold(Condition::Tunables, was.tunables.clone(), is.tunables.clone());
    hold(Condition::Mail, list(&was.mail), list(&is.mail));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Build;

    #[test]
    fn the_gate_widens_with_the_spread_and_needs_its_tries() {
        assert_eq!(limit(&[162_414.0, 162_419.0, 162_414.0]), Some(GATE));
        let polls = limit(&[100_000.0, 100_900.0, 100_300.0]).unwrap();
        assert!((polls - 3.0 * 900.0 / 100_300.0).abs() < 1e-12, "{polls}");
        assert_eq!(limit(&[162_414.0, 162_419.0]), None);
        assert_eq!(limit(&[180_000.0, 190_000.0, 181_000.0]), None, "it goes by the clock");
    }

    #[test]
    fn a_change_is_beyond_the_wider_limit() {
        let at = |value: f64, limit: f64| Some((value, limit));
        assert_eq!(change(at(162_414.0, GATE), at(163_100.0, GATE)), Change::Same);
        assert_eq!(change(at(162_414.0, GATE), at(163_300.0, GATE)), Change::Worse);
        assert_eq!(change(at(162_414.0, GATE), at(161_500.0, GATE)), Change::Better);
        assert_eq!(change(at(162_414.0, 0.02), at(163_300.0, GATE)), Change::Same);
        assert_eq!(change(None, at(163_300.0, GATE)), Change::Unknown);
    }

    #[test]
    fn what_differs_is_named_file_by_file() {
        let build = |file: &str, build: &str| Build { file: file.to_owned(), build: build.to_owned() };
        let was = CountConditions {
            valgrind: "3.19.0".to_owned(),
            builds: vec![build("libc.so.6", "aa"), build("php8.2", "bb"), build("curl.so", "cc")],
            features: vec!["avx".to_owned(), "avx2".to_owned()],
            ..CountConditions::default()
        };
        assert_eq!(differences(&was, &was), []);
        let is = CountConditions {
            builds: vec![build("libc.so.6", "aa"), build("php8.2", "dd"), build("opcache.so", "ee")],
            features: vec!["avx".to_owned()],
            ..was.clone()
        };
        let named: Vec<Condition> = differences(&was, &is).into_iter().map(|differs| differs.what).collect();
        let file = |name: &str| Condition::Build(name.to_owned());
        assert_eq!(named, [file("curl.so"), file("opcache.so"), file("php8.2"), Condition::Features]);
    }
}
