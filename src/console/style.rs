//! Colour, where it is wanted: a terminal, `NO_COLOR` and `CLICOLOR_FORCE` obeyed. Colour means state.

use std::io::IsTerminal;

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

    /// A state word in its colour.
    pub fn state(self, word: &str) -> String {
        let code = match word {
            "leak" | "failed" => "31",
            "clean" => "32",
            "plateau" => "34",
            "inconclusive" => "33",
            _ => "2",
        };
        self.paint(word, code)
    }

    /// Quiet text.
    pub fn dim(self, text: &str) -> String {
        self.paint(text, "2")
    }

    /// Loud text.
    pub fn bold(self, text: &str) -> String {
        self.paint(text, "1")
    }

    fn paint(self, text: &str, code: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
