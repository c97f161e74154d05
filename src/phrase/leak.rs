//! The verdict in one sentence, its evidence, and where to look.

use super::amount::{bytes, bytes_up, grouped, plural, significant};
use super::growth::{growth_of, limit_of, per_one, work};
use super::lines::holder_lines;
use super::state::{metric_noun, metric_one};
use crate::model::{Finding, GrowthPer as Per, GrowthSource, Holder, HolderKind, Metric, Reason, State, Unit};

/// What the evidence says of memory that grows where PHP's heap does not.
pub const OUTSIDE_HEAP_EVIDENCE: &str =
    "; PHP's heap does not grow like this: the growth is outside PHP's heap (an extension or the C library)";

/// The leak that a report opens with: of the most direct metric, in the first scenario that has it.
pub fn foremost(findings: &[Finding], state: State) -> Option<&Finding> {
    let of = |metric: Metric| findings.iter().find(|f| f.metric == metric && f.state == state && f.accepted.is_none());
    // Memory that a holder explains beats descriptors that nobody holds, and not the other way round.
    Metric::DIRECT.into_iter().find_map(of)
}

/// The clean finding that says most: of memory, in the scenario with most evidence.
pub fn foremost_clean(findings: &[Finding]) -> Option<&Finding> {
    let says_most = |f: &Finding| f.state == State::Clean || f.is_bounded_by_restarts();
    let of = |metric: Metric| findings.iter().find(|f| f.metric == metric && says_most(f));
    of(Metric::Heap).or_else(|| of(Metric::Rss))
}

/// A sentence with its first letter large.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}", letters.as_str())
}

/// How much a leak leaks, as its sentence says it: `412 B per message`; none for what is counted.
pub fn leak_amount(finding: &Finding) -> Option<String> {
    let growth = finding.growth.filter(|growth| growth.unit == Unit::Bytes)?;
    Some(growth_of(growth.value, growth.unit, growth.per))
}

/// The sentence of a leak.
pub fn leak(finding: &Finding) -> String {
    let Some(growth) = finding.growth else { return format!("It leaks {}.", metric_noun(finding.metric)) };
    if let Some(amount) = leak_amount(finding) {
        let load = if growth.per == Per::Hour { ", whatever the load" } else { "" };
        return format!("It leaks {amount}{load}{}", held(finding));
    }
    match growth.per {
        Per::Hour => format!(
            "It leaves {} {} open per hour, whatever the load.",
            significant(growth.value),
            metric_noun(finding.metric)
        ),
        per => {
            let what = finding.holders.first().map_or_else(|| metric_one(finding.metric).to_owned(), left_open);
            format!("It leaves {} for {}.", amount(growth.value, &what), every(growth.value, per))
        }
    }
}

/// `: X keeps one Y for every session.`, or where it is otherwise.
fn held(finding: &Finding) -> String {
    if finding.source == Some(GrowthSource::OutsideHeap) {
        return " outside PHP's heap (an extension or the C library).".to_owned();
    }
    let of = finding.holders.first().map_or(String::new(), |holder| format!(" of `{}`", short_class(&holder.path)));
    if finding.source == Some(GrowthSource::Garbage) {
        return format!(": garbage{of} that PHP's collector does not free.");
    }
    let Some(holder) = finding.holders.first() else { return ".".to_owned() };
    let name = short(&holder.path);
    if holder.what == HolderKind::String {
        return format!(": `{name}` is a string that only grows.");
    }
    let kind = &holder.kind;
    match finding.growth.map_or(Per::Messages, |growth| growth.per) {
        Per::Hour => format!(": `{name}` keeps more and more {}.", several(kind)),
        per => format!(": `{name}` keeps {} for {}.", kept(holder.per_1000, kind), every(holder.per_1000, per)),
    }
}

fn kept(per_1000: f64, kind: &str) -> String {
    if per_1000 > 1050.0 {
        return format!("{} {}", significant(per_1000 / 1000.0), several(kind));
    }
    match plain(kind) {
        Some(noun) => format!("one {noun}"),
        None => format!("one `{}`", short_class(kind)),
    }
}

/// Several of a kind: `strings`, `` `Session` objects ``.
fn several(kind: &str) -> String {
    match plain(kind) {
        Some(noun) => format!("{noun}s"),
        None => format!("`{}` objects", short_class(kind)),
    }
}

/// The noun for a kind of value that is no class.
fn plain(kind: &str) -> Option<&str> {
    Some(match kind {
        "string" | "array" | "float" | "null" => kind,
        "int" => "integer",
        "bool" => "boolean",
        "undefined" | "(other)" => "value",
        _ if kind.starts_with("resource(") => "resource",
        _ => return None,
    })
}

fn amount(per_1000: f64, what: &str) -> String {
    if per_1000 > 1050.0 { format!("{} times {what}", significant(per_1000 / 1000.0)) } else { format!("one {what}") }
}

/// `every session`, `every 29 messages`.
fn every(per_1000: f64, per: Per) -> String {
    let each = 1000.0 / per_1000.max(f64::MIN_POSITIVE);
    if each < 1.5 {
        format!("every {}", work(per))
    } else {
        format!("every {} {}s", significant(each.round()), work(per))
    }
}

/// `socket open (sockets in CLOSE_WAIT)`, `file open (/tmp/spool/*)`.
fn left_open(holder: &Holder) -> String {
    let what = match holder.what {
        HolderKind::Sockets => "socket",
        HolderKind::Files => "file",
        _ => "descriptor",
    };
    format!("{what} open (`{}`)", holder.path)
}

/// The last part of a path that still says where it is: `Server->sessions[]`.
pub fn short(path: &str) -> String {
    let Some((before, property)) = path.rsplit_once('}') else { return path.to_owned() };
    let class = before.rsplit_once('{').map_or(before, |(_, class)| class);
    if property.is_empty() { path.to_owned() } else { format!("{}{property}", short_class(class)) }
}

fn short_class(class: &str) -> &str {
    class.rsplit('\\').next().unwrap_or(class)
}

/// What the other findings say, in one sentence; nothing where there is nothing else.
pub fn also(findings: &[Finding], said: &Finding) -> Option<String> {
    let others: Vec<String> = findings
        .iter()
        .filter(|f| f.state == State::Leak && f.accepted.is_none() && !std::ptr::eq(*f, said))
        .map(|f| format!("{} in `{}`", noun_of(f), f.scenario))
        .collect();
    (!others.is_empty()).then(|| format!("Growing too: {}.", others.join(", ")))
}

fn noun_of(finding: &Finding) -> String {
    let by = finding.growth.map_or(String::new(), |growth| {
        let scale = if growth.per == Per::Hour { 1.0 } else { 1000.0 };
        let value = growth.value / scale;
        let text = if growth.unit == Unit::Bytes { bytes(value) } else { significant(value) };
        format!(" by {text} {}", per_one(growth.per))
    });
    format!("{}{by}", metric_noun(finding.metric))
}

/// The evidence of a finding as a sentence of its own.
pub fn finding_evidence(finding: &Finding) -> String {
    format!("In `{}`: {}.", finding.scenario, finding.evidence.trim_end_matches('.'))
}

/// Where to look for a leak.
pub fn where_to_look(finding: &Finding) -> String {
    if finding.source == Some(GrowthSource::Garbage) {
        return break_the_circle(finding.holders.first().map(|holder| holder.path.as_str()));
    }
    match finding.holders.first() {
        Some(holder) if finding.metric.is_memory() && !lines(finding, holder).is_empty() => {
            format!("Where to look: `{}` is {}.", holder.path, lines(finding, holder))
        }
        Some(holder) if finding.metric.is_memory() => {
            format!("Look for code that adds to `{}` and never removes from it.", holder.path)
        }
        Some(holder) => format!("Look for code that opens `{}` and does not close it.", holder.path),
        None if finding.metric == Metric::Rss => match finding.source {
            Some(GrowthSource::OutsideHeap) => {
                "Look at extensions, and libraries that they use; PHP's own heap does not hold it.".to_owned()
            }
            _ => format!(
                "Look at what a session of `{}` leaves in memory; no heap could be read that would name it.",
                finding.scenario
            ),
        },
        None => format!("Look at what `{}` does that the other scenarios do not.", finding.scenario),
    }
}

fn lines(finding: &Finding, holder: &Holder) -> String {
    holder_lines(holder, finding.growth.map_or(Per::Messages, |growth| growth.per))
}

/// What helps against garbage in cycles, mostly of a class.
fn break_the_circle(class: Option<&str>) -> String {
    format!(
        "{} hold one another in a circle: take one of the references back (unset, WeakReference), or call \
         gc_collect_cycles() after each session; gc_disable() and zend.enable_gc=0 keep the collector off.",
        class.map_or("Objects".to_owned(), |class| format!("Objects of `{class}`"))
    )
}

/// What a server's heap was before it failed: garbage, and how far its collector was from its next run, which comes at so
/// many possible roots.
pub fn garbage_before(garbage: u64, heap: u64, (roots, threshold): (u32, u32), class: Option<&str>) -> String {
    format!(
        "At the last floor {} of PHP's {} were garbage in cycles, with {} of the {} possible roots at which the collector \
         runs. {}",
        bytes(garbage as f64),
        bytes(heap as f64),
        grouped(u64::from(roots)),
        grouped(u64::from(threshold)),
        break_the_circle(class)
    )
}

/// The sentence of a clean run: what was done, and scenario by scenario what it could not have seen.
pub fn clean(findings: &[Finding], work_of: &dyn Fn(&str) -> (u64, u64)) -> String {
    let holds = |f: &&Finding| f.state == State::Clean || f.state == State::Plateau;
    let mut scenarios: Vec<&str> = Vec::new();
    for finding in findings.iter().filter(holds) {
        if !scenarios.contains(&finding.scenario.as_str()) {
            scenarios.push(&finding.scenario);
        }
    }
    // PHP's heap is exact to the byte, so its limit is the scenario's where there is one.
    let memory = |scenario: &&str| {
        let of = |metric| findings.iter().filter(holds).find(|f| f.metric == metric && f.scenario == **scenario);
        of(Metric::Heap).or_else(|| of(Metric::Rss))
    };
    let judged: Vec<&Finding> = scenarios.iter().filter_map(memory).collect();
    let Some(most) = judged.iter().max_by_key(|f| work_of(&f.scenario)) else { return "No leak found.".to_owned() };
    let name = if most.metric == Metric::Heap { "the heap" } else { "memory" };
    let unread = |f: &Finding| f.metric == Metric::Heap && f.reason == Some(Reason::NotReadable);
    let mut hidden = hidden(&judged, work_of);
    if findings.iter().any(unread) && !findings.iter().any(|f| f.metric == Metric::Heap && !unread(f)) {
        hidden.push_str(" PHP's heap could not be read.");
    }
    hidden.push_str(&below(findings));
    match (most.state, most.growth) {
        (_, Some(growth)) if most.is_bounded_by_restarts() => format!(
            "Growth is bounded by worker restarts: within one worker's lifetime {name} grows by {} per {}{}.",
            bytes(growth.value / 1000.0),
            unit_of(most, work_of),
            // A heap is still when it is warm; a young process's resident memory creeps.
            if most.metric == Metric::Rss { ", its warm-up included" } else { "" }
        ),
        (State::Plateau, _) => {
            format!("No leak: {name} rose at first, then stood still up to {}.{hidden}", done(&[*most], work_of))
        }
        _ => format!("No leak found in {}.{hidden}", done(&judged, work_of)),
    }
}

/// ` Descriptors grow by 10 per 1,000 sessions in sequential, below what is called a leak.`: growth that was seen.
fn below(findings: &[Finding]) -> String {
    let seen = |f: &&Finding| {
        f.metric.is_count() && f.state == State::Plateau && !f.steady && f.ci95.is_some_and(|[low, _]| low > 0.0)
    };
    let Some((finding, growth)) = findings.iter().filter(seen).find_map(|f| Some((f, f.growth?))) else {
        return String::new();
    };
    format!(
        " {} grow by {} in {}, below what is called a leak.",
        capital(metric_noun(finding.metric)),
        growth_of(growth.value, growth.unit, growth.per),
        finding.scenario
    )
}

fn unit_of(finding: &Finding, work_of: &dyn Fn(&str) -> (u64, u64)) -> &'static str {
    if work_of(&finding.scenario).0 > 0 { "message" } else { "session" }
}

/// `18,038 messages and 10,050 sessions without mail`.
fn done(findings: &[&Finding], work_of: &dyn Fn(&str) -> (u64, u64)) -> String {
    let works = findings.iter().map(|finding| work_of(&finding.scenario));
    let (mut messages, mut without) = (0, 0);
    for (sent, sessions) in works {
        messages += sent;
        without += if sent == 0 { sessions } else { 0 };
    }
    match (messages, without) {
        (0, sessions) => plural(sessions, "session"),
        (messages, 0) => plural(messages, "message"),
        (messages, sessions) => {
            format!("{} and {} without mail", plural(messages, "message"), plural(sessions, "session"))
        }
    }
}

/// ` What could be hidden: 0.5 B per message (sequential, churn), 12 B per session (handshake).`
fn hidden(findings: &[&Finding], work_of: &dyn Fn(&str) -> (u64, u64)) -> String {
    let mut limits: Vec<(String, Vec<&str>)> = Vec::new();
    for finding in findings {
        let Some(limit) = finding.could_have_missed else { continue };
        let text = format!("{} per {}", bytes_up(limit / 1000.0), unit_of(finding, work_of));
        match limits.iter_mut().find(|(known, _)| *known == text) {
            Some((_, scenarios)) => scenarios.push(&finding.scenario),
            None => limits.push((text, vec![&finding.scenario])),
        }
    }
    if limits.is_empty() {
        return String::new();
    }
    let limits: Vec<String> =
        limits.into_iter().map(|(text, scenarios)| format!("{text} ({})", scenarios.join(", "))).collect();
    format!(" What could be hidden: {}.", limits.join(", "))
}

/// The sentence where growth was seen and not decided.
pub fn undecided(finding: &Finding) -> String {
    let name = if finding.metric == Metric::Heap { "the heap" } else { metric_noun(finding.metric) };
    let more = finding
        .would_decide
        .as_deref()
        .map_or(String::new(), |more| format!(" {} would decide.", capital(more.trim_end_matches('.'))));
    format!("Not decided: {name} grew in `{}`.{more}", finding.scenario)
}

/// What a run lacks in which something was never judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacks {
    /// A scenario of more than a few messages.
    Messages,
    /// Time: a scenario that is large enough was asked for.
    Time,
    /// The same, in a run of set counts.
    Counts,
}

/// The sentence where something was never judged, or looked at and not decided; `first` is of what is missing, and knows
/// what would decide, if anything does.
pub fn never_judged(missing: &[&str], first: Option<&Finding>, lacks: Lacks) -> String {
    let would_decide = first.and_then(|finding| finding.would_decide.as_deref());
    let looked_at = first.filter(|_| missing.len() == 1).and_then(|finding| {
        let (limit, growth) = (finding.could_have_missed?, finding.growth?);
        let limit = limit_of(limit, growth.unit, growth.per);
        Some(format!("{} may grow by up to {limit} in `{}`", metric_noun(finding.metric), finding.scenario))
    });
    format!(
        "Not decided: {}. {} would decide.",
        looked_at.unwrap_or_else(|| match missing {
            [one] => format!("{one} {} never judged in any scenario", if *one == "memory" { "was" } else { "were" }),
            [others @ .., last] => {
                format!("{} and {last} were never judged in any scenario", others.join(", "))
            }
            [] => "nothing was judged".to_owned(),
        }),
        match (would_decide, first.and_then(|finding| finding.reason), lacks) {
            (Some(what), ..) => capital(what),
            (None, Some(Reason::Refused), _) => "A load that is accepted".to_owned(),
            (None, _, Lacks::Messages) => "More messages (--load sequential)".to_owned(),
            (None, _, Lacks::Time) => "A longer run (--budget)".to_owned(),
            (None, _, Lacks::Counts) => "A larger --scale".to_owned(),
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cut_where_they_still_say_where() {
        assert_eq!(short(r"App\K->run() $s{App\Server}->faults[]{App\Kept}->sessions[]"), "Kept->sessions[]");
        assert_eq!(short(r"App\Map::$seen"), r"App\Map::$seen");
        assert_eq!(short(r"$server{Server}"), r"$server{Server}");
    }

    #[test]
    fn what_is_kept_is_counted_in_words() {
        assert_eq!(kept(1000.0, r"App\Session"), "one `Session`");
        assert_eq!(kept(2000.0, r"App\Session"), "2 `Session` objects");
        assert_eq!(kept(1000.0, "array"), "one array");
        assert_eq!(kept(2500.0, "string"), "2.5 strings");
        assert_eq!(kept(3000.0, "int"), "3 integers");
        assert_eq!(kept(1000.0, "resource(stream)"), "one resource");
    }

    #[test]
    fn one_in_so_many() {
        assert_eq!(every(1000.0, Per::Sessions), "every session");
        assert_eq!(every(34.5, Per::Messages), "every 29 messages");
    }
}
