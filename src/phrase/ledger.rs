//! The ledger in two lines.

use crate::model::{Act, Conversation, Kept, KeptAt, Ledger, LedgerStatus, Regularity};

use super::amount::{bytes, grouped, significant};

/// What the ledger came to, in two lines at most; none where nothing was looked for.
pub fn ledger(ledger: &Ledger) -> Vec<String> {
    let first = match &ledger.status {
        LedgerStatus::Off
        | LedgerStatus::BudgetTooShort(_)
        | LedgerStatus::OtherEngine
        | LedgerStatus::NotReadable(_) => return Vec::new(),
        LedgerStatus::Named => named(ledger),
        LedgerStatus::NothingKept => {
            format!("Single conversations keep no memory, in {} forms that were tried.", ledger.steps.len())
        }
        LedgerStatus::NotSteady => {
            "What single conversations keep differs from time to time: no step is named.".to_owned()
        }
        LedgerStatus::MovesByItself(rate) => {
            let moves = if *rate > 0.0 { "grows" } else { "shrinks" };
            format!("PHP's heap {moves} by {} a second without any traffic: no step is named.", bytes(rate.abs()))
        }
        LedgerStatus::GivenBack => "What single conversations keep is given back later: no step is named.".to_owned(),
        LedgerStatus::KeepsLess(after) => format!(
            "Single conversations keep less after {} of them, as a cache that fills does: no step is named.",
            grouped(*after)
        ),
        LedgerStatus::TimeUsed => "The time was used up before a step that keeps memory could be named.".to_owned(),
        LedgerStatus::Silent => "The server stopped answering single conversations: no step is named.".to_owned(),
        LedgerStatus::Fell => "The server ended, or its processes changed: no step is named.".to_owned(),
    };
    let mut second = Vec::new();
    if let Some(kept) = ledger.kept.first() {
        second.push(format!("Shortest conversation: {}.", conversation(&kept.shortest)));
    }
    if let Some(script) = &ledger.script {
        second.push(format!("Play it again with `profile-run load --script {script} HOST:PORT`. The waves decide."));
    }
    if let Some(garbage) = ledger.garbage {
        let until =
            garbage.conversations.map_or(String::new(), |n| format!(", taken after some {} of them", grouped(n)));
        second.push(format!("Each leaves {} B of garbage{until}.", grouped(garbage.bytes.unsigned_abs())));
    }
    for left in &ledger.left_out {
        let why = if left.unanswered { "was never answered" } else { "broke the connection" };
        second.push(format!("{} {why} and is left out.", act(left.step)));
    }
    std::iter::once(first).chain((!second.is_empty()).then(|| second.join(" "))).collect()
}

/// `Kept at the final dot: 1,024 B each time; nothing for a connection, a recipient, the length of a message.`
fn named(ledger: &Ledger) -> String {
    let refused =
        ledger.steps.iter().any(|step| step.conversation.acts.contains(&Act::RefusedRcpt) && !step.refusals.is_empty());
    let kept: Vec<String> = ledger.kept.iter().map(|kept| one(kept, refused)).collect();
    let nothing = nothing_for(ledger);
    let nothing = if nothing.is_empty() { String::new() } else { format!("; nothing for {}", nothing.join(", ")) };
    format!("Kept {}{nothing}.", kept.join("; "))
}

fn one(kept: &Kept, refused: bool) -> String {
    let ordinal = match kept.nth {
        0 | 1 => "",
        2 => "second ",
        3 => "third ",
        _ => "last ",
    };
    let the = |what: &str| match ordinal {
        "" => what.to_owned(),
        ordinal => format!("the {ordinal}{what}"),
    };
    let at = match kept.at {
        KeptAt::Connection => "for each connection".to_owned(),
        KeptAt::Vanishing => match kept.shortest.acts.last() {
            Some(last) => format!("when a client vanishes after {}", act(*last)),
            None => "when a client vanishes without QUIT".to_owned(),
        },
        KeptAt::Pipelining => "at commands that come in one write".to_owned(),
        KeptAt::Step(Act::Message(_)) if kept.nth > 1 => format!("at the {ordinal}final dot"),
        KeptAt::Step(Act::Message(length)) if length > 100 => {
            format!("at the final dot of a message of {} B", grouped(length))
        }
        KeptAt::Step(Act::Message(_)) => "at the final dot".to_owned(),
        KeptAt::Step(Act::Rcpt) => format!("at {}", the("accepted RCPT")),
        KeptAt::Step(Act::RefusedRcpt) if refused => format!("at {}", the("refused RCPT")),
        KeptAt::Step(step) => format!("at {}", the(&act(step))),
    };
    let per_byte = kept.per_byte.map_or(String::new(), |each| format!(" and {} B for each byte", significant(each)));
    let often = match (kept.each, kept.at) {
        (_, KeptAt::Connection | KeptAt::Vanishing) => "",
        (true, _) => " each time",
        (false, _) => " once a connection",
    };
    format!("{at}: {} B{often}{per_byte}", grouped(kept.bytes.unsigned_abs()))
}

/// What was tried, and keeps nothing.
fn nothing_for(ledger: &Ledger) -> Vec<&'static str> {
    let of = |wanted: &dyn Fn(&Conversation) -> bool| {
        let rows = ledger.steps.iter().filter(|step| !step.conversation.pipelined && wanted(&step.conversation));
        rows.map(|step| (step.regularity, step.kept)).next()
    };
    let ends = |acts: &'static [Act]| move |c: &Conversation| c.acts.ends_with(acts);
    let same = |one: Option<(Regularity, i64)>, other: Option<(Regularity, i64)>| {
        one.zip(other).is_some_and(|(one, other)| one == other && one.0 != Regularity::Varies)
    };
    let mut nothing = Vec::new();
    let quiet = |acts: &'static [Act]| of(&move |c| c.acts == acts) == Some((Regularity::Nothing, 0));
    if quiet(&[]) && quiet(&[Act::Quit]) {
        nothing.push("a connection");
    }
    let no_recipient = of(&ends(&[Act::Mail, Act::Quit]));
    let recipient = of(&ends(&[Act::Mail, Act::Rcpt, Act::Quit]));
    let recipients = of(&ends(&[Act::Mail, Act::Rcpt, Act::Rcpt, Act::Quit]));
    if same(no_recipient, recipient) && same(recipient, recipients) {
        nothing.push("a recipient");
    }
    let length = |length| of(&move |c| c.acts.ends_with(&[Act::Message(length), Act::Quit]) && messages(c) == 1);
    if same(length(100), length(10_000)) && same(length(10_000), length(100_000)) {
        nothing.push("the length of a message");
    }
    nothing
}

fn messages(conversation: &Conversation) -> usize {
    conversation.acts.iter().filter(|act| act.is_content()).count()
}

/// `connect, EHLO, MAIL, RCPT, DATA, a message of 100 B, close`.
fn conversation(conversation: &Conversation) -> String {
    let acts = conversation.acts.iter().map(|step| act(*step));
    let words: Vec<String> = std::iter::once("connect".to_owned()).chain(acts).chain(["close".to_owned()]).collect();
    let together = if conversation.pipelined { " (MAIL, RCPT and DATA in one write)" } else { "" };
    format!("{}{together}", words.join(", "))
}

fn act(act: Act) -> String {
    match act {
        Act::Ehlo => "EHLO",
        Act::Starttls => "STARTTLS",
        Act::Auth => "AUTH",
        Act::Mail => "MAIL",
        Act::Rcpt => "RCPT",
        Act::RefusedRcpt => "RCPT of nobody",
        Act::Data => "DATA",
        Act::Message(length) => return format!("a message of {} B", grouped(length)),
        Act::HalfMessage => "half a message",
        Act::Rset => "RSET",
        Act::Noop => "NOOP",
        Act::Quit => "QUIT",
    }
    .to_owned()
}
