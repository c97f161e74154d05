//! A search for the commit that brought a leak, in words.

use super::growth::{growth_of, work};
use super::state::metric_noun;
use super::{amount::grouped, plural};
use crate::model::{Finding, GrowthPer, Sought};

/// What is looked for: `PHP's heap grows by 1,024 B per message in sequential, held by `Fault->sessions``.
pub fn sought(sought: &Sought) -> String {
    let held = sought.holder.as_ref().map_or(String::new(), |holder| format!(", held by `{holder}`"));
    let growth = growth_of(sought.growth.value, sought.growth.unit, sought.growth.per);
    format!("{} grows by {growth} in {}{held}", metric_noun(sought.metric), sought.scenario)
}

/// What a step keeps: `keeps 1,024 B per message`.
pub fn step_keeps(bytes: i64, per: GrowthPer) -> String {
    match bytes {
        0 => "keeps nothing".to_owned(),
        bytes => format!("keeps {} B per {}", grouped(bytes.unsigned_abs()), work(per)),
    }
}

/// What the waves showed: `grows by 1,024 B per message`.
pub fn waves_show(finding: &Finding) -> String {
    match finding.growth.filter(|_| !finding.state.holds()) {
        Some(growth) => format!("grows by {}", growth_of(growth.value, growth.unit, growth.per)),
        None => "does not grow".to_owned(),
    }
}

/// Another leak than the one that is looked for.
pub fn grows_otherwise(finding: &Finding) -> String {
    let holder = finding.holders.first().map_or(String::new(), |holder| format!(" by `{}`", holder.path));
    format!("{}, but{holder}: another leak", waves_show(finding))
}

/// How many runs it takes.
pub fn runs_to_come(commits: usize, runs: u32) -> String {
    format!("{}: {} at most", plural(commits as u64, "commit"), plural(u64::from(runs), "run"))
}
