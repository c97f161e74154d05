//! What is said on stderr of a profile that was read, and of what the format that was asked for cannot hold.

use super::super::stdout::errln;
use super::Format;
use crate::phrase::{bytes, grouped, plural, significant};
use crate::profile::export::{folded, pprof};
use crate::profile::{EXACT, Metric, Profile};

/// One line for each file that is not whole, and one for each warning.
pub fn what_was_lost(profile: &Profile) {
    for file in &profile.files {
        let path = file.path.display();
        if !file.complete {
            let share = file.recovered_share * 100.0;
            let first = file.first_defect.as_ref().map(|defect| format!("; {defect}")).unwrap_or_default();
            errln!("profile-run: {path}: incomplete, {share:.2}% recovered{first}");
        }
        for warning in &file.warnings {
            errln!("profile-run: {path}: {warning}");
        }
    }
}

/// Which part of the recording is shown, where that is not quite the one that was asked for.
pub fn what_part(asked: (f64, f64), shown: (f64, f64)) {
    let percent = |share: f64| significant((share * 1e4).round() / 1e2);
    let [asked, shown] = [asked, shown].map(|(from, to)| format!("{}-{}", percent(from), percent(to)));
    if asked != shown {
        errln!("profile-run: shown are the calls from {shown} percent of the recording, which is not kept any finer");
    }
}

/// Refuses a file that would be larger than anybody expects of it: where calls stand deep in each other, formats that write
/// each path with all its callers grow by the square.
pub fn refuse_too_much(profile: &Profile, metric: Metric, format: Format, most: u64) -> anyhow::Result<()> {
    let (what, size) = match format {
        Format::Folded => ("folded stacks", folded::size(profile, &profile.tree, metric)),
        Format::Pprof => ("a pprof file, unpacked,", pprof::size(profile)),
        Format::Html | Format::Json | Format::Speedscope | Format::Callgrind => return Ok(()),
    };
    if size <= most {
        return Ok(());
    }
    anyhow::bail!(
        "{what} would take {} of this profile: each path is written with all its callers, and there are {} of up to {}; \
         take --format html, speedscope or callgrind, which do not repeat the callers, narrow it with --hide \
         or --focus, or allow it with --max-output",
        bytes(size as f64),
        plural(profile.tree.len() as u64, "path"),
        plural(profile.tree.deepest() as u64, "level"),
    )
}

/// Costs that are not there, that are below nothing, or that have more digits than readers keep.
pub fn what_readers_may_miss(profile: &Profile, metric: Metric, format: Format) {
    let nodes = || profile.tree.nodes()[1..].iter().map(|node| node.cost.of(metric));
    let of = match (metric, &profile.units.memory_event) {
        (Metric::Allocation, Some(event)) => event,
        _ => &profile.units.time_event,
    };
    let all = matches!(format, Format::Html | Format::Callgrind);
    if !all && nodes().all(|cost| cost == 0) {
        errln!("profile-run: no call has any cost of {of}; the files hold {}", profile.events().join(", "));
    }
    let paths = nodes().filter(|cost| *cost < 0).count();
    let below = nodes().filter(|cost| *cost < 0).fold(0i64, i64::saturating_add);
    if paths > 0 {
        let costs = format!("{below} of {of} in {}", plural(paths as u64, "path"));
        match format {
            Format::Speedscope => errln!(
                "profile-run: {costs} are below zero, which speedscope does not know: they stand in a second profile of the \
                 file, called \"below zero\""
            ),
            Format::Folded => errln!(
                "profile-run: {costs} are below zero: they are written with their sign, and most programs that draw folded \
                 stacks pass over such lines"
            ),
            Format::Pprof => {
                errln!("profile-run: {costs} are below zero: they are written with their sign, as in a difference");
            }
            Format::Html | Format::Json | Format::Callgrind => {}
        }
    }
    if matches!(format, Format::Speedscope | Format::Json) && profile.has_rounded(metric) {
        errln!(
            "profile-run: some costs are {} (2^53) or more: they are written whole, and speedscope and other readers that \
             count as JavaScript does round them to about 15 digits",
            grouped(EXACT)
        );
    }
}
