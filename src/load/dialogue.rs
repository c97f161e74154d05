//! A session's side of the conversation: replies in, what to do next out. Knows no socket and no clock.

use crate::model::plan::scenario::{Depth, Ending, Expect, TlsMode};

use super::cram;
use super::job::Mechanism;
use super::reply;
use super::script::{Command, Script};
use crate::model::load_stats::Step;

/// A session that leaves before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leave {
    /// Where.
    pub at: Point,
    /// By RST instead of FIN.
    pub reset: bool,
}

/// Where a session may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// As soon as it is connected.
    Connected,
    /// After the reply of this step.
    After(Step),
    /// In the middle of a message's data.
    HalfData,
    /// Before the reply of this step (the message's end, QUIT).
    Before(Step),
}

impl Leave {
    /// The stage at which session `number` of a scenario that vanishes everywhere leaves: all stages in
    /// turn by FIN, then all by RST.
    pub fn in_turn(number: u64) -> Self {
        const POINTS: [Point; 10] = [
            Point::Connected,
            Point::After(Step::Banner),
            Point::After(Step::Helo),
            Point::After(Step::Mail),
            Point::After(Step::Rcpt),
            Point::After(Step::Data),
            Point::HalfData,
            Point::Before(Step::Message),
            Point::After(Step::Message),
            Point::Before(Step::Quit),
        ];
        let turns = POINTS.len() as u64;
        Self { at: POINTS[(number % turns) as usize], reset: number / turns % 2 == 1 }
    }
}

/// What to do after a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Write this, then wait for the reply to [`Dialogue::step`].
    Send(Command),
    /// Write this after the pause between recipients.
    SendLater(Command),
    /// Write the message, then wait.
    Body,
    /// Write half of the message, then leave.
    HalfBody,
    /// The reply to something already written comes next.
    Await,
    /// Begin TLS.
    Secure,
    /// The message was accepted: [`Dialogue::go_on`] or [`Dialogue::end`].
    Accepted,
    /// The message was refused: as after [`Next::Accepted`], but the transaction may still be open.
    Refused,
    /// Stay a while, then [`Dialogue::end`].
    Stay,
    /// Leave now: by RST, or by FIN.
    Leave {
        /// By RST.
        reset: bool,
    },
    /// QUIT was answered, or the server said 421: its close comes next.
    Hangup,
    /// A reply that fits no rule, such as 250 to DATA.
    Unexpected,
    /// The server does not offer what the session needs.
    NotOffered(&'static str),
}

/// A command that the server refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The command's step.
    pub step: Step,
    /// Its code, 4xx or 5xx.
    pub code: u16,
}

/// Where a session stands.
#[derive(Debug, Clone)]
pub struct Dialogue {
    /// What it waits for.
    pub step: Step,
    /// Where it leaves, if before its end.
    pub leave: Option<Leave>,
    /// Messages begun on this connection.
    pub messages: u32,
    secured: bool,
    /// The login that was begun.
    mechanism: Option<Mechanism>,
    /// AUTH LOGIN has been told the user's name.
    named: bool,
    pipelines: bool,
    stayed: bool,
    /// Commands of this message are already on the wire.
    ahead: bool,
    /// The message cannot go on, though its remaining replies must still be read.
    doomed: bool,
    /// The server keeps an open transaction, to be ended by RSET.
    open_transaction: bool,
    rcpt_answered: u32,
    rcpt_accepted: u32,
    lmtp_refused: bool,
    lmtp_left: u32,
}

impl Dialogue {
    /// Before the connection.
    pub fn new(leave: Option<Leave>) -> Self {
        Self {
            step: Step::Connect,
            leave,
            messages: 0,
            secured: false,
            mechanism: None,
            named: false,
            pipelines: false,
            stayed: false,
            ahead: false,
            doomed: false,
            open_transaction: false,
            rcpt_answered: 0,
            rcpt_accepted: 0,
            lmtp_refused: false,
            lmtp_left: 0,
        }
    }

    /// The connection stands.
    pub fn connected(&mut self, script: &Script) -> Next {
        if let Some(Leave { at: Point::Connected, reset }) = self.leave {
            return Next::Leave { reset };
        }
        if script.tls == TlsMode::Implicit {
            self.step = Step::Tls;
            Next::Secure
        } else {
            self.step = Step::Banner;
            Next::Await
        }
    }

    /// The TLS handshake is done.
    pub fn secured(&mut self, script: &Script) -> Next {
        self.secured = true;
        if script.tls == TlsMode::Implicit {
            self.step = Step::Banner;
            Next::Await
        } else {
            // What was said in the clear is forgotten (RFC 3207, section 4.2).
            self.say(Step::Helo, Command::Helo)
        }
    }

    /// Takes a reply. A refusal is handed out beside what comes next.
    pub fn reply(&mut self, script: &Script, code: u16, text: &[u8]) -> (Next, Option<Refusal>) {
        if code == 421 {
            return (Next::Hangup, Some(Refusal { step: self.step, code }));
        }
        let refusal = (code >= 400).then_some(Refusal { step: self.step, code });
        let wanted = match (self.step, code / 100) {
            (Step::Data, hundreds) => hundreds == 3,
            (Step::Auth, hundreds) => hundreds == 2 || hundreds == 3,
            (_, hundreds) => hundreds == 2,
        };
        if !wanted && refusal.is_none() {
            return (Next::Unexpected, None);
        }
        if wanted && let Some(Leave { at: Point::After(step), reset }) = self.leave {
            // Several RCPT are one stage, left after the last.
            let last = step != Step::Rcpt || self.rcpt_answered + 1 == script.recipients;
            if step == self.step && last && (step != Step::Helo || self.secured || script.tls != TlsMode::Starttls) {
                return (Next::Leave { reset }, None);
            }
        }
        let next = match (self.step, wanted) {
            (Step::Banner, true) if script.until == Depth::Connect => self.end(script),
            (Step::Banner, true) if script.bare => self.mail(script),
            (Step::Banner, true) => self.say(Step::Helo, Command::Helo),
            (Step::Helo, true) => self.greeted(script, text),
            (Step::Starttls, true) => {
                self.step = Step::Tls;
                Next::Secure
            }
            (Step::Auth, true) => self.authenticate(script, code, text),
            (Step::Mail, wanted) => self.mail_answered(script, wanted),
            (Step::Rcpt, wanted) => self.rcpt_answered(script, wanted),
            (Step::Data, true) if self.doomed || self.rcpt_accepted == 0 => self.say(Step::Message, Command::Nothing),
            (Step::Data, true) => {
                self.step = Step::Message;
                self.lmtp_left = self.rcpt_accepted;
                match self.leave {
                    Some(Leave { at: Point::HalfData, .. }) => Next::HalfBody,
                    _ => Next::Body,
                }
            }
            (Step::Data, false) => self.abandon(),
            (Step::Message, wanted) => self.message_answered(script, wanted),
            (Step::Rset, true) => self.mail(script),
            (Step::Quit, _) => Next::Hangup,
            // Refused before any transaction: nothing can follow but QUIT.
            (_, _) => self.quit(),
        };
        (next, refusal)
    }

    /// Begins the next message on this connection.
    pub fn go_on(&mut self, script: &Script) -> Next {
        if self.open_transaction {
            return self.say(Step::Rset, Command::Rset);
        }
        self.mail(script)
    }

    /// Ends the session as the scenario says.
    pub fn end(&mut self, script: &Script) -> Next {
        if script.stays && !self.stayed {
            self.stayed = true;
            return Next::Stay;
        }
        match script.ending {
            Ending::Close => Next::Leave { reset: false },
            Ending::Reset => Next::Leave { reset: true },
            Ending::Quit | Ending::HalfData | Ending::Vanish => self.quit(),
        }
    }

    /// Says QUIT, whatever the scenario says.
    pub fn quit(&mut self) -> Next {
        self.say(Step::Quit, Command::Quit)
    }

    /// Whether a reply to a command beyond the current one is still to come.
    pub fn is_ahead(&self) -> bool {
        self.ahead || self.lmtp_left > 1
    }

    fn say(&mut self, step: Step, command: Command) -> Next {
        self.step = step;
        Next::Send(command)
    }

    fn greeted(&mut self, script: &Script, text: &[u8]) -> Next {
        if script.tls == TlsMode::Starttls && !self.secured {
            if !reply::offers(text, "STARTTLS") {
                return Next::NotOffered("starttls");
            }
            return self.say(Step::Starttls, Command::Starttls);
        }
        self.pipelines = script.pipelining && self.leave.is_none() && reply::offers(text, "PIPELINING");
        if let Some(chosen) = script.auth {
            let Some(mechanism) = chosen.or_else(|| offered_mechanism(reply::extensions(text))) else {
                return Next::NotOffered("auth");
            };
            self.mechanism = Some(mechanism);
            return self.say(Step::Auth, Command::Auth(mechanism));
        }
        self.past_greeting(script)
    }

    fn authenticate(&mut self, script: &Script, code: u16, text: &[u8]) -> Next {
        if code / 100 == 2 {
            return self.past_greeting(script);
        }
        if self.mechanism == Some(Mechanism::CramMd5) {
            let answer = cram::answer(text, &script.password);
            return answer.map_or(Next::Unexpected, |digest| self.say(Step::Auth, Command::AuthDigest(digest)));
        }
        // The words of the questions are each server's own: the first asks for the name, the second for the password.
        let named = std::mem::replace(&mut self.named, true);
        self.say(Step::Auth, if named { Command::AuthPassword } else { Command::AuthUser })
    }

    fn past_greeting(&mut self, script: &Script) -> Next {
        if script.until == Depth::Helo { self.end(script) } else { self.mail(script) }
    }

    fn mail(&mut self, script: &Script) -> Next {
        self.messages += 1;
        self.rcpt_answered = 0;
        self.rcpt_accepted = 0;
        self.lmtp_left = 0;
        self.lmtp_refused = false;
        self.doomed = false;
        self.open_transaction = false;
        self.ahead = self.pipelines && script.until >= Depth::Rcpt;
        self.say(Step::Mail, if self.ahead { Command::Envelope } else { Command::Mail })
    }

    fn mail_answered(&mut self, script: &Script, accepted: bool) -> Next {
        self.open_transaction = accepted;
        if self.ahead {
            self.doomed = !accepted;
            self.step = Step::Rcpt;
            return Next::Await;
        }
        match accepted {
            false => self.abandon(),
            true if script.until == Depth::Mail => self.end(script),
            true => self.say(Step::Rcpt, Command::Rcpt),
        }
    }

    fn rcpt_answered(&mut self, script: &Script, accepted: bool) -> Next {
        self.rcpt_answered += 1;
        self.rcpt_accepted += u32::from(accepted);
        if self.rcpt_answered < script.recipients {
            self.step = Step::Rcpt;
            return if self.ahead { Next::Await } else { Next::SendLater(Command::Rcpt) };
        }
        if script.until == Depth::Rcpt {
            self.ahead = false;
            return if script.expect == Expect::Accepted && self.rcpt_accepted == 0 {
                self.abandon()
            } else {
                self.end(script)
            };
        }
        if self.ahead {
            self.ahead = false;
            self.step = Step::Data;
            return Next::Await;
        }
        if self.rcpt_accepted == 0 {
            return if script.expect == Expect::Refused { self.end(script) } else { self.abandon() };
        }
        self.say(Step::Data, Command::Data)
    }

    fn message_answered(&mut self, script: &Script, accepted: bool) -> Next {
        self.lmtp_refused |= !accepted;
        if script.lmtp && self.lmtp_left > 1 {
            self.lmtp_left -= 1;
            return Next::Await;
        }
        self.lmtp_left = 0;
        self.open_transaction = false;
        if self.doomed || self.rcpt_accepted == 0 || self.lmtp_refused { Next::Refused } else { Next::Accepted }
    }

    fn abandon(&mut self) -> Next {
        self.ahead = false;
        Next::Refused
    }
}

/// The first that is spoken of those that are offered.
pub fn offered_mechanism<'a>(extensions: impl Iterator<Item = &'a str> + Clone) -> Option<Mechanism> {
    let offered = |name: &str| {
        extensions.clone().any(|line| {
            let mut words = line.split([' ', '=']);
            words.next().is_some_and(|word| word.eq_ignore_ascii_case("AUTH"))
                && words.any(|word| word.eq_ignore_ascii_case(name))
        })
    };
    let spoken = [("PLAIN", Mechanism::Plain), ("LOGIN", Mechanism::Login), ("CRAM-MD5", Mechanism::CramMd5)];
    spoken.into_iter().find(|(name, _)| offered(name)).map(|(_, mechanism)| mechanism)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_in_one_line_where_it_may() {
        let of = |lines: &[&str]| offered_mechanism(lines.iter().copied());
        assert_eq!(of(&["SIZE 1", "AUTH PLAIN LOGIN"]), Some(Mechanism::Plain));
        assert_eq!(of(&["auth cram-md5 login"]), Some(Mechanism::Login));
        assert_eq!(of(&["AUTH=LOGIN"]), Some(Mechanism::Login));
        assert_eq!(of(&["AUTH XOAUTH2 CRAM-MD5"]), Some(Mechanism::CramMd5));
        assert_eq!(of(&["SIZE 1", "AUTH XOAUTH2"]), None);
    }
}
