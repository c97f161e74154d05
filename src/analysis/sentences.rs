//! The verdict in one sentence, its evidence in two, and where to look.

use super::history::RunHistory;
use super::result::{Finding, Holder, Metric, Per, State, Unit};
use crate::phrase::{bytes, grouped, significant};

/// Metrics by how directly they tell what leaks: a kept socket keeps memory too.
const DIRECT: [Metric; 6] =
    [Metric::Sockets, Metric::Fd, Metric::Heap, Metric::Rss, Metric::Processes, Metric::Threads];

/// The leak that a report opens with: of the most direct metric, in the first scenario that has it.
pub fn foremost(findings: &[Finding], state: State) -> Option<&Finding> {
    let of = |metric: Metric| findings.iter().find(|f| f.metric == metric && f.state == state && f.accepted.is_none());
    // Memory that a holder explains beats descriptors that nobody holds, and not the other way round.
    DIRECT.iter().find_map(|metric| of(*metric))
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

/// The sentence of a leak.
pub fn leak(finding: &Finding) -> String {
    let Some(growth) = finding.growth else { return format!("It leaks {}.", noun(finding.metric)) };
    let holder = finding.holders.first();
    match (growth.unit, growth.per) {
        (Unit::Bytes, Per::Hour) => {
            format!("It leaks {} an hour, whatever the load{}", bytes(growth.value), held(holder, finding))
        }
        (Unit::Bytes, per) => {
            format!("It leaks {} a {}{}", bytes(growth.value / 1000.0), one(per), held(holder, finding))
        }
        (_, Per::Hour) => {
            format!("It leaves {} {} open an hour, whatever the load.", significant(growth.value), noun(finding.metric))
        }
        (_, per) => {
            let what = holder.map_or_else(|| singular(finding.metric).to_owned(), left_open);
            format!("It leaves {} for {}.", amount(growth.value, &what), every(growth.value, per))
        }
    }
}

/// `: X keeps one Y for every session.`, or where it is otherwise.
fn held(holder: Option<&Holder>, finding: &Finding) -> String {
    match holder {
        Some(holder) if finding.metric == Metric::Heap || !finding.evidence.contains("outside PHP's heap") => {
            let per = finding.growth.map_or(Per::Messages, |growth| growth.per);
            let name = short(&holder.path);
            if holder.kind.ends_with("(bytes of it)") {
                return format!(": `{name}` is a string that only grows.");
            }
            let kind = short_class(&holder.kind);
            if per == Per::Hour {
                return format!(": `{name}` keeps more and more `{kind}`.");
            }
            format!(": `{name}` keeps {} for {}.", kept(holder.per_1000, kind), every(holder.per_1000, per))
        }
        _ if finding.evidence.contains("outside PHP's heap") => {
            " outside PHP's heap (an extension or the C library).".to_owned()
        }
        _ => ".".to_owned(),
    }
}

fn kept(per_1000: f64, kind: &str) -> String {
    if per_1000 > 1050.0 { format!("{} `{kind}`", significant(per_1000 / 1000.0)) } else { format!("one `{kind}`") }
}

fn amount(per_1000: f64, what: &str) -> String {
    if per_1000 > 1050.0 { format!("{} times {what}", significant(per_1000 / 1000.0)) } else { format!("one {what}") }
}

/// `every session`, `every 29 messages`.
fn every(per_1000: f64, per: Per) -> String {
    let each = 1000.0 / per_1000.max(f64::MIN_POSITIVE);
    if each < 1.5 {
        format!("every {}", one(per))
    } else {
        format!("every {} {}s", significant(each.round()), one(per))
    }
}

fn one(per: Per) -> &'static str {
    match per {
        Per::Messages => "message",
        Per::Sessions => "session",
        Per::Hour => "hour",
    }
}

fn noun(metric: Metric) -> &'static str {
    match metric {
        Metric::Heap | Metric::Rss => "memory",
        Metric::Fd => "descriptors",
        Metric::Sockets => "sockets",
        Metric::Threads => "threads",
        Metric::Processes => "processes",
    }
}

fn singular(metric: Metric) -> &'static str {
    match metric {
        Metric::Heap | Metric::Rss => "byte",
        Metric::Fd => "descriptor",
        Metric::Sockets => "socket",
        Metric::Threads => "thread",
        Metric::Processes => "process",
    }
}

/// `connection in CLOSE_WAIT`, `file open (/tmp/spool/*)`.
fn left_open(holder: &Holder) -> String {
    match holder.path.strip_prefix("sockets in ") {
        Some(rest) => format!("connection in {rest}"),
        None if holder.kind == "file" => format!("file open (`{}`)", holder.path),
        None => holder.path.strip_suffix('s').unwrap_or(&holder.path).to_owned(),
    }
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
    let growth = finding.growth.map_or(String::new(), |growth| {
        let scale = if growth.per == Per::Hour { 1.0 } else { 1000.0 };
        let value = growth.value / scale;
        let text = if growth.unit == Unit::Bytes { bytes(value) } else { significant(value) };
        let article = if growth.per == Per::Hour { "an" } else { "a" };
        format!(" by {text} {article} {}", one(growth.per))
    });
    let name = if finding.metric == Metric::Heap { "PHP's heap" } else { noun(finding.metric) };
    format!("{name}{growth}")
}

/// The evidence of a finding as a sentence of its own.
pub fn evidence(finding: &Finding) -> String {
    format!("In `{}`: {}.", finding.scenario, finding.evidence.trim_end_matches('.'))
}

/// Where to look for a leak.
pub fn where_to_look(finding: &Finding) -> String {
    match finding.holders.first() {
        Some(holder) if finding.metric.is_memory() && !holder.filled_and_emptied().is_empty() => {
            format!("Where to look: `{}` is {}.", holder.path, holder.filled_and_emptied())
        }
        Some(holder) if finding.metric.is_memory() => {
            format!("Where to look: what adds to `{}` and never removes from it.", holder.path)
        }
        Some(holder) => format!("Where to look: what opens `{}` and does not close it.", holder.path),
        None if finding.metric == Metric::Rss => match finding.evidence.contains("outside PHP's heap") {
            true => {
                "Where to look: extensions, and libraries that they use; PHP's own heap does not hold it.".to_owned()
            }
            false => format!(
                "Where to look: what a session of `{}` leaves in memory; no heap could be read that would name it.",
                finding.scenario
            ),
        },
        None => format!("Where to look: what `{}` does that the other scenarios do not.", finding.scenario),
    }
}

/// The sentence of a clean run: always with what it could not have seen.
pub fn clean(findings: &[Finding], history: &RunHistory) -> String {
    let holds = |f: &&Finding| f.state == State::Clean || f.state == State::Plateau;
    let memory = [Metric::Heap, Metric::Rss].into_iter().find_map(|metric| {
        findings.iter().filter(holds).filter(|f| f.metric == metric).max_by_key(|f| work(history, &f.scenario))
    });
    let Some(memory) = memory else { return "No leak found.".to_owned() };
    let name = if memory.metric == Metric::Heap { "the heap" } else { "memory" };
    let (messages, sessions) = work(history, &memory.scenario);
    let (done, each) = if messages > 0 {
        (format!("{} messages", grouped(messages)), "message")
    } else {
        (format!("{} sessions", grouped(sessions)), "session")
    };
    let missed = memory
        .could_have_missed
        .map_or(String::new(), |limit| format!(" (at most {} a {each} could have been missed)", bytes(limit / 1000.0)));
    match (memory.state, memory.growth) {
        (_, Some(growth)) if memory.is_bounded_by_restarts() => format!(
            "No leak for good: its worker is replaced before it shows; inside a life {name} grows by {} a {each}{}.",
            bytes(growth.value / 1000.0),
            // A heap is still when it is warm; a young process's resident memory creeps.
            if memory.metric == Metric::Rss { ", its warm-up included" } else { "" }
        ),
        (State::Plateau, _) => format!("No leak: {name} rose at first, then stood still up to {done}{missed}."),
        _ => format!("No leak found: after {done} {name} stands where it stood{missed}."),
    }
}

/// Messages and sessions of a scenario at its last floor.
fn work(history: &RunHistory, scenario: &str) -> (u64, u64) {
    history
        .floors
        .iter()
        .rev()
        .find(|floor| floor.scene.scenario == scenario)
        .map_or((0, 0), |floor| (floor.messages, floor.sessions))
}

/// The sentence where growth was seen and not decided.
pub fn undecided(finding: &Finding) -> String {
    let name = if finding.metric == Metric::Heap { "the heap" } else { noun(finding.metric) };
    let more = finding
        .would_decide
        .as_deref()
        .map_or(String::new(), |more| format!(" {} would decide.", capital(more.trim_end_matches('.'))));
    format!("Not decided: {name} grew in `{}`.{more}", finding.scenario)
}

/// The sentence where something was never judged, for want of what `would_decide` says, if it does.
pub fn never_judged(missing: &[&str], would_decide: Option<&str>) -> String {
    format!(
        "Not decided: {} never judged in any scenario. {} would decide.",
        match missing {
            [one] => format!("{one} {}", if *one == "memory" { "was" } else { "were" }),
            many => format!("{} were", many.join(" and ")),
        },
        would_decide.map_or("A longer run (--budget 5m) or more messages".to_owned(), capital)
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
    fn one_in_so_many() {
        assert_eq!(every(1000.0, Per::Sessions), "every session");
        assert_eq!(every(34.5, Per::Messages), "every 29 messages");
    }
}
