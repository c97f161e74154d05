//! Colour, where it is wanted: a terminal, `NO_COLOR` and `CLICOLOR_FORCE` obeyed. Colour means state.

use std::io::IsTerminal;

use console::Style as Look;

use crate::model::{State, Verdict};
use crate::phrase;

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
        let look = Look::new();
        let look = match state {
            State::Leak => look.red(),
            State::Clean => look.green(),
            State::Plateau => look.blue(),
            State::Inconclusive => look.yellow(),
            State::NotJudged => look.dim(),
        };
        self.paint(word, look)
    }

    /// The verdict's word, in the verdict's colour.
    pub fn verdict(self, verdict: Verdict) -> String {
        let look = match verdict {
            Verdict::Leak | Verdict::Failed => Look::new().red(),
            Verdict::Inconclusive => Look::new().yellow(),
            Verdict::Clean => Look::new().green(),
        };
        self.paint(phrase::verdict(verdict), look)
    }

    /// A word for what is in order.
    pub fn good(self, word: &str) -> String {
        self.paint(word, Look::new().green())
    }

    /// A word that warns.
    pub fn warning(self, word: &str) -> String {
        self.paint(word, Look::new().yellow())
    }

    /// A word for what failed.
    pub fn failed(self, word: &str) -> String {
        self.paint(word, Look::new().red())
    }

    /// Quiet text.
    pub fn dim(self, text: &str) -> String {
        self.paint(text, Look::new().dim())
    }

    /// Loud text.
    pub fn bold(self, text: &str) -> String {
        self.paint(text, Look::new().bold())
    }

    fn paint(self, text: &str, look: Look) -> String {
        look.force_styling(self.color).apply_to(text).to_string()
    }
}
