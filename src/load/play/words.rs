//! A conversation as a value to the script that plays it. Pure.

use crate::load::error::LoadError;
use crate::load::job::{Mechanism, SessionOptions};
use crate::load::script::{Command, Numbers, Script};
use crate::model::load_stats::Step;
use crate::model::plan::scenario::{Greeting, Scenario};
use crate::model::{Act, Conversation};

/// An address that no server has and that no relay can deliver to (RFC 2606).
const NOBODY: &[u8] = b"RCPT TO:<nobody@profile-run.invalid>\r\n";

/// The longest line of a message's body, without its end.
const LINE: usize = 78;

/// How the client of a conversation speaks.
#[derive(Debug, Clone)]
pub struct Speaker<'a> {
    /// Sender, recipient, name, user.
    pub options: &'a SessionOptions,
    /// The server knows EHLO; otherwise HELO alone.
    pub ehlo: bool,
    /// How it logs in.
    pub mechanism: Mechanism,
    /// When, for the message's headers.
    pub now: jiff::Timestamp,
}

/// The script of a conversation. The client closes at its end. A password stands in it where the conversation logs in.
///
/// # Errors
/// Addresses and names that would break out of their line.
pub fn written(conversation: &Conversation, speaker: &Speaker) -> Result<Vec<u8>, LoadError> {
    let script = script(speaker)?;
    let mut numbers = Numbers::default();
    let mut out = Vec::new();
    let mut acts = conversation.acts.as_slice();
    while let Some(act) = acts.first() {
        let group = acts.iter().take_while(|act| conversation.pipelined && goes_together(**act)).count();
        if group > 1 {
            out.extend_from_slice(format!("#! together {group}\r\n").as_bytes());
        }
        let many = group.max(1);
        for act in &acts[..many] {
            one(*act, &script, speaker.mechanism, &mut numbers, &mut out);
        }
        debug_assert!(!act.is_content() || many == 1, "a message is no command");
        acts = &acts[many..];
    }
    out.extend_from_slice(b"#! close\r\n");
    Ok(out)
}

/// Bytes of the headers that stand before the body of each message.
///
/// # Errors
/// Those of [`written`].
pub fn headers(speaker: &Speaker) -> Result<usize, LoadError> {
    let mut out = Vec::new();
    script(speaker)?.headers(&mut Numbers::default(), &mut out);
    Ok(out.len())
}

fn script(speaker: &Speaker) -> Result<Script, LoadError> {
    let greeting = if speaker.ehlo { Greeting::Ehlo } else { Greeting::Helo };
    let scenario = Scenario { greeting, ..Scenario::plain("ledger", 1, 1) };
    Script::new(&scenario, speaker.options, speaker.now)
}

/// The last reply to each act, out of all replies in their order; none to what was not sent, or needs none.
pub fn answers(acts: &[Act], mechanism: Mechanism, replies: &[(Step, u16)]) -> Vec<Option<u16>> {
    let mut rest = replies.iter().skip_while(|(step, _)| *step == Step::Banner).peekable();
    let mut answer = |act: &Act| {
        let (_, mut code) = *rest.next_if(|(step, _)| Some(*step) == answered_as(*act))?;
        let more = match (act, mechanism) {
            (Act::Auth, Mechanism::Login) => 2,
            (Act::Auth, Mechanism::CramMd5) if code == 334 => 1,
            _ => 0,
        };
        for _ in 0..more {
            code = rest.next()?.1;
        }
        Some(code)
    };
    acts.iter().map(&mut answer).collect()
}

/// The step of the reply to an act; none where it has no reply.
fn answered_as(act: Act) -> Option<Step> {
    Some(match act {
        Act::Ehlo => Step::Helo,
        Act::Starttls => Step::Starttls,
        Act::Auth => Step::Auth,
        Act::Mail => Step::Mail,
        Act::Rcpt | Act::RefusedRcpt => Step::Rcpt,
        Act::Data => Step::Data,
        Act::Message(_) => Step::Message,
        Act::HalfMessage => return None,
        Act::Rset => Step::Rset,
        Act::Noop => Step::Command,
        Act::Quit => Step::Quit,
    })
}

/// Commands that RFC 2920 lets a client send without waiting.
fn goes_together(act: Act) -> bool {
    matches!(act, Act::Mail | Act::Rcpt | Act::RefusedRcpt | Act::Data | Act::Rset)
}

fn one(act: Act, script: &Script, mechanism: Mechanism, numbers: &mut Numbers, out: &mut Vec<u8>) {
    let mut say = |command| script.command(command, numbers, out);
    match act {
        Act::Ehlo => say(Command::Helo),
        Act::Starttls => say(Command::Starttls),
        Act::Auth => {
            say(Command::Auth(mechanism));
            match mechanism {
                Mechanism::Plain => {}
                Mechanism::Login => {
                    say(Command::AuthUser);
                    say(Command::AuthPassword);
                }
                Mechanism::CramMd5 => out.extend_from_slice(&script.cram_directive()),
            }
        }
        Act::Mail => say(Command::Mail),
        Act::Rcpt => say(Command::Rcpt),
        Act::RefusedRcpt => out.extend_from_slice(NOBODY),
        Act::Data => say(Command::Data),
        Act::Message(length) => {
            script.headers(numbers, out);
            body(length as usize, out);
            out.extend_from_slice(b".\r\n");
        }
        Act::HalfMessage => {
            script.headers(numbers, out);
            body(LINE, out);
        }
        Act::Rset => say(Command::Rset),
        Act::Noop => out.extend_from_slice(b"NOOP\r\n"),
        Act::Quit => say(Command::Quit),
    }
}

/// So many bytes in lines, their ends counted.
fn body(length: usize, out: &mut Vec<u8>) {
    let end = out.len() + length;
    while out.len() < end {
        let line = (end - out.len()).saturating_sub(2).min(LINE);
        out.resize(out.len() + line, b'x');
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Auth;
    use crate::load::play::{Move, Recording};
    use Act::{Data, Ehlo, HalfMessage, Mail, Message, Noop, Quit, Rcpt, RefusedRcpt};

    fn script(acts: &[Act], pipelined: bool, mechanism: Mechanism) -> String {
        let options = SessionOptions { auth: Auth::parse("me:secret"), ..SessionOptions::default() };
        let speaker = Speaker { options: &options, ehlo: true, mechanism, now: jiff::Timestamp::UNIX_EPOCH };
        let conversation = Conversation { acts: acts.to_vec(), pipelined };
        String::from_utf8(written(&conversation, &speaker).unwrap()).unwrap()
    }

    fn steps(text: &str) -> Vec<Step> {
        let moves = Recording::parse(text.as_bytes()).expect(text).moves;
        let of = |doing: Move| match doing {
            Move::Say { steps, .. } => steps,
            Move::Message { whole: true, .. } => vec![Step::Message],
            Move::Close => vec![Step::Close],
            _ => vec![],
        };
        moves.into_iter().flat_map(of).collect()
    }

    #[test]
    fn what_is_written_is_what_is_played() {
        let text = script(&[Ehlo, Noop, Mail, Rcpt, Data, Message(100), Quit], false, Mechanism::Plain);
        let said =
            [Step::Helo, Step::Command, Step::Mail, Step::Rcpt, Step::Data, Step::Message, Step::Quit, Step::Close];
        assert_eq!(steps(&text), said);
        assert_eq!(steps(&script(&[], false, Mechanism::Plain)), [Step::Close]);
        assert_eq!(
            steps(&script(&[Mail, Rcpt, Data, HalfMessage], false, Mechanism::Plain)).last(),
            Some(&Step::Close)
        );
    }

    #[test]
    fn a_message_has_its_length() {
        for length in [100, 10_000, 100_000] {
            let text = script(&[Data, Message(length)], false, Mechanism::Plain);
            let body = text.split("\r\n\r\n").nth(1).unwrap().split(".\r\n").next().unwrap();
            assert_eq!(body.len() as u64, length);
        }
    }

    #[test]
    fn commands_go_in_one_write_where_they_may() {
        let text = script(&[Ehlo, Mail, Rcpt, Data, Message(100), Quit], true, Mechanism::Plain);
        assert!(text.contains("EHLO localhost\r\n#! together 3\r\nMAIL FROM"), "{text}");
        assert!(!script(&[Ehlo, Mail, Quit], true, Mechanism::Plain).contains("together"));
    }

    #[test]
    fn each_act_has_the_reply_to_it() {
        let told = |acts: &[Act], mechanism, replies: &[(Step, u16)]| {
            answers(acts, mechanism, &[&[(Step::Banner, 220)][..], replies].concat())
        };
        // A refused DATA has no message behind it.
        let acts = [Mail, Data, Message(100), Mail, Data, Message(100), Quit];
        let replies =
            [(Step::Mail, 250), (Step::Data, 503), (Step::Mail, 250), (Step::Data, 354), (Step::Message, 250)];
        let all = told(&acts, Mechanism::Plain, &replies);
        assert_eq!(all, [Some(250), Some(503), None, Some(250), Some(354), Some(250), None]);
        let login = [(Step::Auth, 334), (Step::Command, 334), (Step::Command, 235), (Step::Command, 250)];
        assert_eq!(told(&[Act::Auth, Noop], Mechanism::Login, &login), [Some(235), Some(250)]);
        let cram = [(Step::Auth, 334), (Step::Auth, 235), (Step::Auth, 503)];
        assert_eq!(told(&[Act::Auth, Act::Auth], Mechanism::CramMd5, &cram), [Some(235), Some(503)]);
        assert_eq!(told(&[Data, HalfMessage], Mechanism::Plain, &[(Step::Data, 354)]), [Some(354), None]);
    }

    #[test]
    fn the_headers_stand_before_the_body() {
        let options = SessionOptions::default();
        let now = jiff::Timestamp::UNIX_EPOCH;
        let speaker = Speaker { options: &options, ehlo: true, mechanism: Mechanism::Plain, now };
        let text = written(&Conversation::of(&[Data, Message(0)]), &speaker).unwrap();
        let message = String::from_utf8(text).unwrap();
        let message = message.strip_prefix("DATA\r\n").and_then(|rest| rest.split(".\r\n#! close").next()).unwrap();
        assert_eq!(headers(&speaker).unwrap(), message.len());
    }

    #[test]
    fn nobody_is_invalid_and_a_login_has_its_lines() {
        assert!(script(&[RefusedRcpt], false, Mechanism::Plain).contains(".invalid>"));
        assert_eq!(script(&[Act::Auth], false, Mechanism::Plain), "AUTH PLAIN AG1lAHNlY3JldA==\r\n#! close\r\n");
        let login = script(&[Act::Auth], false, Mechanism::Login);
        assert_eq!(login.lines().collect::<Vec<_>>(), ["AUTH LOGIN", "bWU=", "c2VjcmV0", "#! close"]);
        let cram = script(&[Act::Auth], false, Mechanism::CramMd5);
        assert_eq!(cram, "AUTH CRAM-MD5\r\n#! cram-md5 me secret\r\n#! close\r\n");
        let answer = Move::Answer { user: "me".to_owned(), password: "secret".to_owned() };
        assert!(Recording::parse(cram.as_bytes()).unwrap().moves.contains(&answer));
    }
}
