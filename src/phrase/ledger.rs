//! The ledger in two lines.

use crate::model::{Act, Beside, Conversation, Kept, KeptAt, Ledger, LedgerStatus, Neither, Regularity};

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
    let further = if kept.nth > 1 && kept.each == Some(true) { " and each further one" } else { "" };
    format!("{at}{further}: {} B{}{}", grouped(kept.bytes.unsigned_abs()), often(kept), of_length(kept))
}

fn often(kept: &Kept) -> &'static str {
    if matches!(kept.at, KeptAt::Connection | KeptAt::Vanishing) {
        return "";
    }
    match (kept.each, kept.neither) {
        (Some(true), _) => " each time",
        (Some(false), _) => " once a connection",
        (None, Some(Neither::WithStepsBefore)) => " each time that the steps before it come again as well",
        (None, Some(Neither::Refused)) => {
            " (each time or once a connection is not known: the server did not take it again)"
        }
        (None, Some(Neither::Differs)) => " the first time, other amounts when it comes again",
        (None, Some(Neither::NotTried) | None) => {
            " (each time or once a connection is not known: it was not repeated, or not in time)"
        }
    }
}

/// ` for a body of 100 B: 1 B for each byte of it and 200 to 232 B whatever its length (blocks are rounded)`
fn of_length(kept: &Kept) -> String {
    let Some(per_byte) = kept.per_byte else { return String::new() };
    let each = format!(" for a body of 100 B: {} B for each byte of it", significant(per_byte));
    let Some(Beside { least, most, headers }) = kept.beside.filter(|beside| beside.most > 0) else { return each };
    let most_of_them = per_byte * headers as f64;
    let headers = if headers > 0 && most as f64 >= most_of_them {
        format!("; {} B of headers are part of it where they are kept", grouped(headers))
    } else {
        String::new()
    };
    let most = grouped(most.unsigned_abs());
    match u64::try_from(least) {
        Ok(least) if least > 0 => {
            format!("{each} and {} to {most} B whatever its length (blocks are rounded{headers})", grouped(least))
        }
        _ => format!("{each}, at most {most} B whatever its length (it may be the rounding of blocks alone{headers})"),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use Act::{Data, Message, Rcpt};

    fn said(kept: Kept) -> String {
        one(&kept, true)
    }

    fn kept(acts: &[Act], each: Option<bool>, neither: Option<Neither>) -> Kept {
        let last = *acts.last().unwrap();
        let nth = acts.iter().filter(|act| **act == last).count() as u64;
        let shortest = Conversation::of(acts);
        let at = KeptAt::Step(last);
        Kept { at, nth, bytes: 1024, each, neither, per_byte: None, beside: None, shortest, played: 4 }
    }

    #[test]
    fn once_is_said_of_what_was_seen_to_be_once() {
        let message = [Data, Message(100)];
        assert_eq!(said(kept(&message, Some(true), None)), "at the final dot: 1,024 B each time");
        assert_eq!(said(kept(&message, Some(false), None)), "at the final dot: 1,024 B once a connection");
        let twice = [Data, Message(100), Data, Message(100)];
        let further = "at the second final dot and each further one: 1,024 B each time";
        assert_eq!(said(kept(&twice, Some(true), None)), further);
        for why in [Neither::Refused, Neither::NotTried] {
            let text = said(kept(&message, None, Some(why)));
            assert!(text.contains("1,024 B (each time or once a connection is not known: "), "{text}");
        }
        let envelope = said(kept(&[Rcpt, Rcpt], None, Some(Neither::WithStepsBefore)));
        assert!(envelope.ends_with("1,024 B each time that the steps before it come again as well"), "{envelope}");
        let differs = said(kept(&message, None, Some(Neither::Differs)));
        assert!(differs.ends_with("1,024 B the first time, other amounts when it comes again"), "{differs}");
    }

    #[test]
    fn what_rounding_leaves_open_is_said() {
        let of = |least, most, headers| {
            let beside = Some(Beside { least, most, headers });
            said(Kept { per_byte: Some(0.5), beside, ..kept(&[Data, Message(100)], Some(true), None) })
        };
        let known = "at the final dot: 1,024 B each time for a body of 100 B: 0.5 B for each byte of it";
        assert_eq!(of(20, 51, 0), format!("{known} and 20 to 51 B whatever its length (blocks are rounded)"));
        let headers = "blocks are rounded; 80 B of headers are part of it where they are kept";
        assert_eq!(of(20, 51, 80), format!("{known} and 20 to 51 B whatever its length ({headers})"));
        let alone = "at most 51 B whatever its length (it may be the rounding of blocks alone)";
        assert_eq!(of(-3, 51, 0), format!("{known}, {alone}"));
        assert_eq!(of(-90, -3, 80), known);
    }
}
