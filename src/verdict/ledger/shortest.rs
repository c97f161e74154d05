//! From a conversation that keeps bytes to the shortest one that still does: no step of it can be left out.

use crate::model::{Act, Conversation};

use super::conversations::{LARGE, LONG, SHORT};

/// The conversation, made shorter for as long as `keeps` says that it keeps the bytes.
///
/// # Errors
/// Those of `keeps`.
pub(super) fn shortest<E>(
    conversation: &Conversation,
    mut keeps: impl FnMut(&Conversation) -> Result<bool, E>,
) -> Result<Conversation, E> {
    let mut now = conversation.clone();
    loop {
        let mut shorter = None;
        for candidate in shorter_ones(&now) {
            if keeps(&candidate)? {
                shorter = Some(candidate);
                break;
            }
        }
        match shorter {
            Some(candidate) => now = candidate,
            None => return Ok(now),
        }
    }
}

/// All that are one step shorter: the longest cuts first.
fn shorter_ones(conversation: &Conversation) -> Vec<Conversation> {
    let acts = &conversation.acts;
    let with = |acts: Vec<Act>| Conversation { acts, pipelined: conversation.pipelined };
    let mut all = Vec::new();
    if conversation.pipelined {
        all.push(Conversation { pipelined: false, ..conversation.clone() });
    }
    // The end cut off; a message goes with its DATA, or turns into none.
    for at in 0..acts.len() {
        let cut = acts[..at].to_vec();
        if at + 1 < acts.len() || !acts[at].is_content() {
            all.push(with(cut));
        } else {
            all.push(with(cut.clone()));
            all.push(with(cut[..cut.len().saturating_sub(1)].to_vec()));
        }
    }
    for at in 0..acts.len() {
        let mut left = acts.clone();
        match acts[at] {
            Act::Data if acts.get(at + 1).is_some_and(|next| next.is_content()) => drop(left.drain(at..at + 2)),
            act if act.is_content() => {
                let smaller: &[u64] = match act {
                    Act::Message(LARGE) => &[SHORT, LONG],
                    Act::Message(LONG) => &[SHORT],
                    _ => &[],
                };
                for length in smaller {
                    let mut shorter = acts.clone();
                    shorter[at] = Act::Message(*length);
                    all.push(with(shorter));
                }
                continue;
            }
            _ => drop(left.remove(at)),
        }
        all.push(with(left));
    }
    let mut seen = Vec::new();
    all.retain(|candidate| {
        let new = candidate != conversation && !seen.contains(candidate);
        seen.push(candidate.clone());
        new
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use Act::{Data, Ehlo, Mail, Message, Noop, Quit, Rcpt, Rset};

    /// The shortest where the bytes are kept by all of `needed`, in their order.
    fn shortest_with(from: &[Act], needed: &[Act]) -> Vec<Act> {
        let found = shortest(&Conversation::of(from), |candidate| {
            let mut rest = candidate.acts.iter();
            Ok::<_, ()>(needed.iter().all(|act| rest.any(|other| other == act)))
        });
        found.unwrap().acts
    }

    #[test]
    fn no_step_can_be_left_out() {
        let whole = [Ehlo, Noop, Mail, Rset, Mail, Rcpt, Data, Message(100), Quit];
        assert_eq!(shortest_with(&whole, &[Noop]), [Noop]);
        assert_eq!(shortest_with(&whole, &[]), []);
        assert_eq!(shortest_with(&whole, &[Ehlo, Rset, Quit]), [Ehlo, Rset, Quit]);
        let message = [Ehlo, Mail, Rcpt, Data, Message(100)];
        assert_eq!(shortest_with(&whole, &message), message);
    }

    #[test]
    fn a_message_loses_its_length_and_goes_with_its_data() {
        let large = [Ehlo, Mail, Rcpt, Data, Message(LARGE), Quit];
        assert_eq!(shortest_with(&large, &[Data, Message(SHORT)]), [Data, Message(SHORT)]);
        assert_eq!(shortest_with(&large, &[Data, Message(LARGE)]), [Data, Message(LARGE)]);
        for candidate in shorter_ones(&Conversation::of(&large)) {
            for (at, act) in candidate.acts.iter().enumerate() {
                assert!(!act.is_content() || at > 0 && candidate.acts[at - 1] == Data, "{candidate:?}");
            }
        }
    }

    #[test]
    fn pipelining_goes_first() {
        let piped = Conversation { pipelined: true, acts: vec![Mail, Rcpt] };
        let found = shortest(&piped, |candidate| Ok::<_, ()>(candidate.pipelined)).unwrap();
        assert_eq!(found, Conversation { pipelined: true, acts: vec![] });
        assert_eq!(shortest(&piped, |_| Ok::<_, ()>(true)).unwrap(), Conversation::default());
    }
}
