//! Colour, where it is wanted: a terminal, `NO_COLOR` and `CLICOLOR_FORCE` obeyed. Colour means state.

use std::io::IsTerminal;

use crate::model::{State, Verdict};
use crate::phrase;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const BLUE: &str = "34";

/// How text may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Escape sequences may be used.
    pub color: bool,
    /// The bottom line may move.
    pub motion: bool,
}

impl Style {
    /// For standard error or standard output, by the environment.
    pub fn of(stderr: bool) -> Self {
        let terminal = if stderr { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() };
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let forced = std::env::var("CLICOLOR_FORCE").is_ok_and(|value| !value.is_empty() && value != "0");
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        Self { color: !set("NO_COLOR") && (forced || (terminal && !dumb)), motion: terminal && !dumb }
    }

    /// The word for a state, in the state's colour.
    pub fn state(self, state: State, word: &str) -> String {
        let code = match state {
            State::Leak => RED,
            State::Clean => GREEN,
            State::Plateau => BLUE,
            State::Inconclusive => YELLOW,
            State::NotJudged => DIM,
        };
        self.paint(word, code)
    }

    /// The verdict's word, in the verdict's colour.
    pub fn verdict(self, verdict: Verdict) -> String {
        let code = match verdict {
            Verdict::Leak | Verdict::Failed => RED,
            Verdict::Inconclusive => YELLOW,
            Verdict::Clean => GREEN,
        };
        self.paint(phrase::verdict(verdict), code)
    }

    /// A word for what is in order.
    pub fn good(self, word: &str) -> String {
        self.paint(word, GREEN)
    }

    /// A word that warns.
    pub fn warning(self, word: &str) -> String {
        self.paint(word, YELLOW)
    }

    /// A word for what failed.
    pub fn failed(self, word: &str) -> String {
        self.paint(word, RED)
    }

    /// Quiet text.
    pub fn dim(self, text: &str) -> String {
        self.paint(text, DIM)
    }

    /// Loud text.
    pub fn bold(self, text: &str) -> String {
        self.paint(text, BOLD)
    }

    fn paint(self, text: &str, code: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
