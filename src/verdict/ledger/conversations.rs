//! The conversations that are played: a whole one, and it cut short or varied step by step.

use crate::model::{Act, Conversation};

/// A short message, bytes.
pub(super) const SHORT: u64 = 100;
/// A longer one.
pub(super) const LONG: u64 = 10_000;
/// One that many servers treat otherwise.
pub(super) const LARGE: u64 = 100_000;

/// What the run uses of the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offers {
    /// STARTTLS before MAIL.
    pub starttls: bool,
    /// AUTH before MAIL.
    pub auth: bool,
    /// It takes several commands at once.
    pub pipelining: bool,
}

/// What comes before MAIL.
pub(super) fn opening(offers: Offers) -> Vec<Act> {
    let mut acts = vec![Act::Ehlo];
    if offers.starttls {
        acts.extend([Act::Starttls, Act::Ehlo]);
    }
    acts.extend(offers.auth.then_some(Act::Auth));
    acts
}

/// All conversations, what tells most first: where the time ends, the last ones are left out.
pub(super) fn all(offers: Offers) -> Vec<Conversation> {
    use Act::{Data, Ehlo, HalfMessage, Mail, Message, Noop, Quit, Rcpt, RefusedRcpt, Rset};
    let opening = opening(offers);
    let opened = |acts: &[Act]| Conversation::of(&[&opening[..], acts].concat());
    let mut all = vec![
        opened(&[Mail, Rcpt, Data, Message(SHORT), Quit]),
        Conversation::of(&[]),
        Conversation::of(&[Quit]),
        Conversation::of(&[Ehlo, Quit]),
        opened(&[Mail, RefusedRcpt, Quit]),
        opened(&[Mail, Rcpt, Data, Message(SHORT)]),
    ];
    // Each step of the opening beyond EHLO.
    all.extend((2..=opening.len()).map(|many| Conversation::of(&[&opening[..many], &[Quit]].concat())));
    all.extend([
        opened(&[Mail, Rcpt, Data, Message(LONG), Quit]),
        opened(&[Mail, Rcpt, Data, Message(LARGE), Quit]),
        opened(&[Mail, Quit]),
        opened(&[Mail, Rcpt, Quit]),
        opened(&[Mail, Rcpt, Rcpt, Quit]),
        opened(&[Mail, Rset, Quit]),
        opened(&[Noop, Quit]),
        opened(&[Mail, Rcpt, Data, Message(SHORT), Mail, Rcpt, Data, Message(SHORT), Quit]),
    ]);
    if offers.pipelining {
        all.push(Conversation { pipelined: true, ..opened(&[Mail, Rcpt, Data, Message(SHORT), Quit]) });
    }
    all.extend([
        Conversation::of(&[Ehlo]),
        opened(&[Mail]),
        opened(&[Mail, Rcpt]),
        opened(&[Mail, Rcpt, Data]),
        opened(&[Mail, Rcpt, Data, HalfMessage]),
    ]);
    all
}

/// Whether `short` is played within `long`: its acts in their order, and an end of the same kind where `vanishes`.
pub(super) fn contains(long: &Conversation, short: &Conversation, vanishes: bool) -> bool {
    let mut rest = long.acts.iter();
    short.acts.iter().all(|act| rest.any(|other| is_same(*other, *act)))
        && (!vanishes || !long.is_polite())
        && (!short.pipelined || long.pipelined)
}

/// A longer message is also a short one.
pub(super) fn is_same(long: Act, short: Act) -> bool {
    match (long, short) {
        (Act::Message(long), Act::Message(short)) => long >= short,
        (long, short) => long == short,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stands_behind_data_and_each_conversation_once() {
        for offers in [Offers::default(), Offers { starttls: true, auth: true, pipelining: true }] {
            let all = all(offers);
            for (at, conversation) in all.iter().enumerate() {
                assert!(!all[..at].contains(conversation), "{conversation:?} twice");
                for pair in conversation.acts.windows(2) {
                    assert_eq!(pair[1].is_content(), pair[0] == Act::Data && pair[1] != Act::Quit, "{conversation:?}");
                }
                let quits = conversation.acts.iter().position(|act| *act == Act::Quit);
                assert!(quits.is_none_or(|at| at + 1 == conversation.acts.len()), "{conversation:?}");
                // What is refused here is never followed by DATA: nobody is sent a message.
                assert!(!conversation.acts.contains(&Act::RefusedRcpt) || !conversation.acts.contains(&Act::Data));
            }
        }
    }
}
