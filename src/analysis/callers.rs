//! The lines of the program itself by which a library fills a container: from the calls that the profile holds.

use std::collections::BTreeMap;

use super::result::{Finding, Holder, Location, Role};
use super::slices::{WaveAt, segment};
use crate::model::{GrowthPer, Library};
use crate::phrase::Redactor;
use crate::profile::{Caller, Sought};

/// Files of built-in functions, as profiles name them.
const BUILT_IN: [&str; 2] = ["php:internal", ""];

/// The functions of libraries that fill what grows.
#[derive(Debug)]
pub struct Asked<'a> {
    library: &'a Library,
    redactor: &'a Redactor,
    /// File and name.
    targets: Vec<(String, String)>,
}

impl<'a> Asked<'a> {
    /// What is to be asked of the profile; none where no library fills anything.
    pub fn of(findings: &[Finding], library: &'a Library, redactor: &'a Redactor) -> Option<Self> {
        let fills = |at: &&Location| at.role == Role::PutsIn && library.holds(&at.file);
        let holders = findings.iter().flat_map(|finding| &finding.holders);
        let mut targets: Vec<(String, String)> = holders
            .flat_map(|holder| &holder.locations)
            .filter(fills)
            .map(|at| (at.file.clone(), at.function.clone()))
            .collect();
        targets.sort();
        targets.dedup();
        (!targets.is_empty()).then_some(Self { library, redactor, targets })
    }

    fn numbers<'b>(&'b self, holder: &'b Holder) -> impl Iterator<Item = u32> + 'b {
        let fills = |file: &String, function: &String| {
            let mut puts = holder.locations.iter().filter(|at| at.role == Role::PutsIn);
            puts.any(|at| at.file == *file && at.function == *function)
        };
        (0..).zip(&self.targets).filter(move |(_, (file, function))| fills(file, function)).map(|(number, _)| number)
    }
}

impl Sought for Asked<'_> {
    fn is_library(&self, file: &str) -> bool {
        BUILT_IN.contains(&file) || self.library.holds(&self.redactor.text(file))
    }

    fn target(&self, file: &str, name: &str) -> Option<u32> {
        let in_file = |of: &str| of == file || of == self.redactor.text(file);
        let at = self.targets.iter().position(|(of, function)| is_same(function, name) && in_file(of))?;
        u32::try_from(at).ok()
    }
}

/// Whether a function as compiled code has it is the one that a profile of the same file names so: a trait's method has
/// the class that uses it, a closure the lines on which it stands.
fn is_same(function: &str, name: &str) -> bool {
    if let Some((_, line)) = function.strip_prefix("Closure@").and_then(|place| place.rsplit_once(':')) {
        return name.contains("{closure:") && name.contains(&format!(":{line}-"));
    }
    let method = |name: &str| -> Option<String> {
        let (_, method) = name.rsplit_once("->").or_else(|| name.rsplit_once("::"))?;
        Some(method.to_owned())
    };
    function == name || method(function).is_some_and(|own| method(name) == Some(own))
}

/// Puts the lines that were seen to call into libraries in the place of those that might, each with its rate, the one
/// first whose rate is nearest to the growth.
pub fn name(findings: &mut [Finding], asked: &Asked<'_>, callers: &[Caller], waves: &[WaveAt]) {
    for finding in findings.iter_mut() {
        let per = finding.growth.map(|growth| growth.per);
        let of_scenario = |wave: &&(usize, &WaveAt)| wave.1.scenario == finding.scenario;
        let mut those: Vec<(usize, &WaveAt)> = waves.iter().enumerate().filter(|wave| of_scenario(&wave)).collect();
        if those.is_empty() {
            those = waves.iter().enumerate().collect();
        }
        let segments: Vec<u32> = those.iter().map(|(at, _)| segment(*at)).collect();
        let work: u64 = match per {
            Some(GrowthPer::Messages) => those.iter().map(|(_, wave)| wave.messages).sum(),
            Some(GrowthPer::Sessions) => those.iter().map(|(_, wave)| wave.sessions).sum(),
            _ => 0,
        };
        for holder in &mut finding.holders {
            let targets: Vec<u32> = asked.numbers(holder).collect();
            let mut seen: BTreeMap<(&str, &str, u32), u64> = BTreeMap::new();
            let counts = |caller: &&Caller| {
                caller.line > 0 && targets.contains(&caller.target) && segments.contains(&caller.segment)
            };
            for caller in callers.iter().filter(counts) {
                *seen.entry((&caller.file, &caller.function, caller.line)).or_default() += caller.calls;
            }
            if !seen.is_empty() {
                replace(holder, asked.redactor, &seen, work);
            }
        }
        let named = finding.holders.iter().find(|holder| !holder.locations.is_empty());
        finding.locations = named.map(|holder| holder.locations.clone()).unwrap_or_default();
    }
}

fn replace(holder: &mut Holder, redactor: &Redactor, seen: &BTreeMap<(&str, &str, u32), u64>, work: u64) {
    let (before, kept): (Vec<_>, Vec<_>) = holder.locations.drain(..).partition(|at| at.role == Role::Calls);
    let location = |(&(file, function, line), calls): (&(&str, &str, u32), &u64)| {
        let (file, function) = (redactor.text(file), redactor.text(function));
        let known = before.iter().find(|at| at.line == line && at.file == file);
        Location {
            role: Role::Calls,
            class: None,
            excerpt: known.and_then(|at| at.excerpt.clone()),
            per_1000: (work > 0).then(|| *calls as f64 / work as f64 * 1000.0),
            file,
            line,
            function,
        }
    };
    let mut calls: Vec<Location> = seen.iter().map(location).collect();
    let off = |at: &Location| at.per_1000.map_or(f64::INFINITY, |rate| (rate / holder.per_1000.max(1e-9)).ln().abs());
    calls.sort_by(|a, b| off(a).total_cmp(&off(b)));
    holder.locations = kept.into_iter().chain(calls).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_the_same_by_either_name() {
        assert!(is_same("App\\Timers->add", "App\\Timers->add") && !is_same("App\\Timers->add", "App\\Timers->cancel"));
        assert!(is_same("Emits->on", "App\\Socket->on") && is_same("Loop::get", "Loop::get"));
        assert!(is_same("Closure@Loop.php:12", "{closure:/srv/vendor/Loop.php:12-14}"));
        assert!(!is_same("Closure@Loop.php:12", "{closure:/srv/vendor/Loop.php:120-121}"));
        assert!(is_same("keep", "keep") && !is_same("keep", "Cache->keep"));
    }
}
