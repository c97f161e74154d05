//! The text of a recorded conversation to its steps. Pure.
//!
//! Every line is what the client sends, without its line end. Lines that begin with `#` are comments, except those that
//! begin with `#!`, which say what the client does beside sending: `#! wait 2s`, `#! together 3` (the next lines go in one
//! write), `#! cram-md5 USER PASSWORD` (the answer to a challenge), `#! close` (FIN), `#! reset` (RST).
//! Between `DATA` and the line `.` all lines are the message's, comments too; `#! close` and `#! reset` hold there as
//! well, and break the message off.

use std::time::Duration;

use crate::load::error::LoadError;
use crate::model::load_stats::Step;
use crate::model::parse_duration;

/// What the client does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// Sends a line, or several in one write, and waits for the reply to each.
    Say {
        /// With their line ends.
        words: Vec<u8>,
        /// What each of them is, by its verb.
        steps: Vec<Step>,
    },
    /// Sends a message, where DATA was answered with 354, and waits for the reply to its end.
    Message {
        /// With its line ends; the final dot where it is whole.
        words: Vec<u8>,
        /// Whether the final dot is there: without it there is no reply.
        whole: bool,
    },
    /// Answers the challenge of AUTH CRAM-MD5, where the last reply was one.
    Answer {
        /// Who.
        user: String,
        /// And the password.
        password: String,
    },
    /// Waits.
    Wait(Duration),
    /// Closes the connection without a word.
    Close,
    /// Resets the connection.
    Reset,
}

/// A conversation from its first line to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The moves after the greeting, in their order.
    pub moves: Vec<Move>,
}

impl Recording {
    /// Reads the text of a script.
    ///
    /// # Errors
    /// A `#!` line that is none of the five, lines after the end, a message without its final dot, fewer lines than go
    /// together; with the line.
    pub fn parse(text: &[u8]) -> Result<Self, LoadError> {
        let mut moves = Vec::new();
        let mut message: Option<Vec<u8>> = None;
        let mut ended = false;
        // Lines that the one before still waits for.
        let mut together = 0;
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let at = |reason: String| LoadError::Script { line: number + 1, reason };
            let does = directive(line).map_err(at)?;
            if together > 0 && (does.is_some() || message.is_some()) {
                return Err(at(format!("{together} more commands belong to the `#! together` above")));
            }
            if ended {
                if line.is_empty() || line.starts_with(b"#") && does.is_none() {
                    continue;
                }
                return Err(at("nothing can follow `#! close` and `#! reset`".to_owned()));
            }
            match (does, message.take()) {
                (Some(Does::Together(_) | Does::Moves(Move::Wait(_) | Move::Answer { .. })), Some(_)) => {
                    return Err(at(
                        "`#! wait`, `#! together` and `#! cram-md5` stand between lines, not in a message".to_owned()
                    ));
                }
                (Some(Does::Together(lines)), None) => {
                    together = lines;
                    moves.push(Move::Say { words: Vec::new(), steps: Vec::new() });
                }
                (Some(Does::Moves(does)), begun) => {
                    moves.extend(begun.map(|words| Move::Message { words, whole: false }));
                    ended = matches!(does, Move::Close | Move::Reset);
                    moves.push(does);
                }
                (None, Some(mut words)) => {
                    words.extend_from_slice(line);
                    words.extend_from_slice(b"\r\n");
                    if line == b"." {
                        moves.push(Move::Message { words, whole: true });
                    } else {
                        message = Some(words);
                    }
                }
                // The file's own last line end, and lines left empty to read better.
                (None, None) if line.is_empty() || line.starts_with(b"#") => {}
                (None, None) => {
                    let step = step(line);
                    if step == Step::Data {
                        message = Some(Vec::new());
                    }
                    let line = [line, b"\r\n"].concat();
                    match moves.last_mut() {
                        Some(Move::Say { words, steps }) if together > 0 => {
                            together -= 1;
                            words.extend(line);
                            steps.push(step);
                        }
                        _ => moves.push(Move::Say { words: line, steps: vec![step] }),
                    }
                }
            }
        }
        let missing = match (message, together) {
            (Some(_), _) => "the message has no end: write `.` on a line, or `#! close`".to_owned(),
            (None, 0) => return Ok(Self { moves }),
            (None, more) => format!("{more} more commands belong to the `#! together` above"),
        };
        Err(LoadError::Script { line: text.split(|byte| *byte == b'\n').count(), reason: missing })
    }
}

/// What a `#!` line asks for.
enum Does {
    Moves(Move),
    Together(usize),
}

/// What a `#!` line asks for; none for any other line.
fn directive(line: &[u8]) -> Result<Option<Does>, String> {
    let Some(rest) = line.strip_prefix(b"#!") else { return Ok(None) };
    let text = String::from_utf8_lossy(rest);
    if let Some(login) = text.trim_start().strip_prefix("cram-md5 ") {
        let (user, password) = login.split_once(' ').ok_or("`#! cram-md5` needs a user and a password")?;
        let (user, password) = (user.to_owned(), password.to_owned());
        return Ok(Some(Does::Moves(Move::Answer { user, password })));
    }
    let mut words = text.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some("wait"), Some(time), None) => parse_duration(time).map(|time| Some(Does::Moves(Move::Wait(time)))),
        (Some("together"), Some(lines), None) => match lines.parse() {
            Ok(lines @ 1..) => Ok(Some(Does::Together(lines))),
            _ => Err(format!("`{lines}` is no number of lines from 1")),
        },
        (Some("close"), None, None) => Ok(Some(Does::Moves(Move::Close))),
        (Some("reset"), None, None) => Ok(Some(Does::Moves(Move::Reset))),
        _ => Err(format!(
            "`#!{text}` is none of `#! wait TIME`, `#! together LINES`, `#! cram-md5 USER PASSWORD`, `#! close`, `#! reset`"
        )),
    }
}

/// What a line is, by its verb.
fn step(line: &[u8]) -> Step {
    let verb = line.split(|byte| *byte == b' ' || *byte == b':').next().unwrap_or_default();
    match verb.to_ascii_uppercase().as_slice() {
        b"HELO" | b"EHLO" | b"LHLO" => Step::Helo,
        b"STARTTLS" => Step::Starttls,
        b"AUTH" => Step::Auth,
        b"MAIL" => Step::Mail,
        b"RCPT" => Step::Rcpt,
        b"DATA" => Step::Data,
        b"RSET" => Step::Rset,
        b"QUIT" => Step::Quit,
        _ => Step::Command,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(words: &str, step: Step) -> Move {
        Move::Say { words: format!("{words}\r\n").into_bytes(), steps: vec![step] }
    }

    #[test]
    fn a_whole_conversation() {
        let text = "# keeps 1,024 B at the final dot\r\nEHLO a\r\nMAIL FROM:<>\r\n#! wait 50ms\r\nRCPT TO:<a@b>\r\nDATA\r\n\
                    # no comment\r\n\r\nX\r\n.\r\nQUIT\r\n";
        let recording = Recording::parse(text.as_bytes()).expect("a script");
        assert_eq!(
            recording.moves,
            [
                say("EHLO a", Step::Helo),
                say("MAIL FROM:<>", Step::Mail),
                Move::Wait(Duration::from_millis(50)),
                say("RCPT TO:<a@b>", Step::Rcpt),
                say("DATA", Step::Data),
                Move::Message { words: b"# no comment\r\n\r\nX\r\n.\r\n".to_vec(), whole: true },
                say("QUIT", Step::Quit),
            ]
        );
        // Line ends of either kind are the same.
        assert_eq!(Recording::parse(text.replace('\r', "").as_bytes()).expect("a script"), recording);
    }

    #[test]
    fn a_message_may_break_off() {
        let recording = Recording::parse(b"DATA\nhalf\n#! reset\n\n# done\n").expect("a script");
        let half = Move::Message { words: b"half\r\n".to_vec(), whole: false };
        assert_eq!(recording.moves, [say("DATA", Step::Data), half, Move::Reset]);
        assert_eq!(Recording::parse(b"").expect("connects and closes").moves, []);
    }

    #[test]
    fn lines_that_go_together() {
        let text = b"EHLO a\n#! together 3\nMAIL FROM:<>\n# between\nRCPT TO:<a@b>\nDATA\nX\n.\n#! close\n";
        let recording = Recording::parse(text).expect("a script");
        let together = Move::Say {
            words: b"MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n".to_vec(),
            steps: vec![Step::Mail, Step::Rcpt, Step::Data],
        };
        let message = Move::Message { words: b"X\r\n.\r\n".to_vec(), whole: true };
        assert_eq!(recording.moves, [say("EHLO a", Step::Helo), together, message, Move::Close]);
    }

    #[test]
    fn what_means_nothing_is_told_by_its_line() {
        for (text, line) in [
            ("NOOP\n#! sleep 2s\n", 2),
            ("#! wait soon\n", 1),
            ("#! wait\n", 1),
            ("#! cram-md5 me\n", 1),
            ("DATA\n#! cram-md5 me secret\n.\n", 2),
            ("NOOP\n#! close\nQUIT\n", 3),
            ("DATA\nhalf\n", 3),
            ("DATA\n#! wait 1s\n.\n", 2),
            ("DATA\n#! together 2\n.\n", 2),
            ("#! together none\n", 1),
            ("#! together 2\nNOOP\n", 3),
            ("#! together 2\nNOOP\n#! close\n", 3),
            ("#! together 3\nMAIL FROM:<>\nDATA\nX\n.\n", 4),
        ] {
            let error = Recording::parse(text.as_bytes()).expect_err(text).to_string();
            assert!(error.contains(&format!("line {line}")), "{text:?}: {error}");
        }
    }
}
