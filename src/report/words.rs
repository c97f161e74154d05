//! How results are said: names of metrics and states, growth for a unit of work, code inside sentences.

use crate::analysis::result::{Finding, Per, RunResult, State, Unit};
pub(super) use crate::model::visible;
use crate::phrase;
pub(super) use crate::phrase::{growth, growth_interval as interval, metric, per_one};

/// A piece of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Its text, safe to show: control characters are made visible.
    pub text: String,
    /// How it is set.
    pub tone: Tone,
    /// Where it leads.
    pub link: Option<String>,
}

/// How a piece of a sentence is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// As the sentence.
    Plain,
    /// In monospace.
    Code,
    /// In the state's colour: the figure that the sentence is about.
    Amount,
}

impl Piece {
    fn new(text: &str, tone: Tone) -> Self {
        Self { text: visible(text), tone, link: None }
    }

    /// Its text as HTML that breaks where a name may.
    pub fn html(&self) -> String {
        breakable(&self.text)
    }

    /// Set in monospace.
    pub fn is_code(&self) -> bool {
        self.tone == Tone::Code
    }

    /// Set in the state's colour.
    pub fn is_amount(&self) -> bool {
        self.tone == Tone::Amount
    }
}

/// A sentence with its code between backticks, in pieces. A backtick without a partner is text.
pub(super) fn pieces(sentence: &str) -> Vec<Piece> {
    let mut out = Vec::new();
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once('`') {
        let Some((code, behind)) = after.split_once('`') else { break };
        if !before.is_empty() {
            out.push(Piece::new(before, Tone::Plain));
        }
        if !code.is_empty() {
            out.push(Piece::new(code, Tone::Code));
        }
        rest = behind;
    }
    if !rest.is_empty() {
        out.push(Piece::new(rest, Tone::Plain));
    }
    out
}

/// [`pieces`], with the amount that the sentence is about set apart.
pub(super) fn verdict_pieces(sentence: &str, amount: Option<&str>) -> Vec<Piece> {
    let pieces = pieces(sentence);
    let (Some(first), Some(amount)) = (pieces.first().filter(|piece| piece.tone == Tone::Plain), amount) else {
        return pieces;
    };
    let Some((before, after)) = first.text.split_once(amount) else { return pieces };
    let mut out = vec![Piece::new(before, Tone::Plain), Piece::new(amount, Tone::Amount)];
    if !after.is_empty() {
        out.push(Piece::new(after, Tone::Plain));
    }
    out.extend(pieces.into_iter().skip(1));
    out
}

/// A name as HTML: it may break before an arrow and after a part of a namespace, and never inside `->`.
pub(super) fn breakable(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 32);
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        let arrow = ["->", "::"].into_iter().find(|arrow| rest.starts_with(arrow));
        match arrow {
            Some(arrow) => out.push_str(&format!("<wbr><span>{}</span>", arrow.replace('>', "&gt;"))),
            None => match c {
                '\\' => out.push_str("\\<wbr>"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '&' => out.push_str("&amp;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                c => out.push(c),
            },
        }
        rest = &rest[arrow.map_or(c.len_utf8(), str::len)..];
    }
    out
}

/// What stands below the last level of a flamegraph.
pub(super) fn deeper(levels: usize) -> String {
    match levels {
        1 => "1 level deeper is not drawn".to_owned(),
        levels => format!("{} levels deeper are not drawn", phrase::grouped(levels as u64)),
    }
}

/// The word for a state; for what was not judged, why.
pub(super) fn state(finding: &Finding) -> &'static str {
    phrase::state(finding.state, finding.reason)
}

/// The style class of a state.
pub(super) fn state_class(state: State) -> &'static str {
    match state {
        State::Leak => "leak",
        State::Clean => "clean",
        State::Plateau => "plateau",
        State::Inconclusive => "inconclusive",
        State::NotJudged => "notjudged",
    }
}

/// The amount alone: `412 B` for one message, `14 per 1,000` for counts.
pub(super) fn amount(value: f64, unit: Unit, per: Per) -> String {
    counted(phrase::growth_amount(value, unit, per), unit, per)
}

/// A limit: the same, rounded up.
pub(super) fn limit(value: f64, unit: Unit, per: Per) -> String {
    counted(phrase::limit_amount(value, unit, per), unit, per)
}

fn counted(amount: String, unit: Unit, per: Per) -> String {
    match (unit, per) {
        (Unit::Bytes, _) | (_, Per::Hour) => amount,
        _ => format!("{amount} per 1,000"),
    }
}

/// The unit and work that a finding counts in, also where no growth was measured.
pub(super) fn measure(finding: &Finding) -> (Unit, Per) {
    finding.growth.map_or_else(
        || (finding.metric.unit(), if finding.metric.is_count() { Per::Sessions } else { Per::Messages }),
        |growth| (growth.unit, growth.per),
    )
}

/// The largest leak that could have been missed: `3 B per message`.
pub(super) fn missed(finding: &Finding) -> Option<String> {
    let (unit, per) = measure(finding);
    Some(phrase::limit_of(finding.could_have_missed?, unit, per))
}

/// A share in percent with three digits at most: `33%`, `0.41%`.
pub(super) fn percent(share: f64) -> String {
    if !share.is_finite() {
        return "-".to_owned();
    }
    if share != 0.0 && share.abs() < 0.0001 {
        return "<0.01%".to_owned();
    }
    if share.abs() >= 0.0995 { format!("{:.1}%", share * 100.0) } else { format!("{:.2}%", share * 100.0) }
}

/// Growth by what drives it, where memory grows.
pub(super) fn driven(result: &RunResult) -> Vec<String> {
    let grows =
        |finding: &Finding| finding.metric.is_memory() && matches!(finding.state, State::Leak | State::Inconclusive);
    let drivers = result.drivers.as_ref().filter(|_| result.findings.iter().any(grows));
    drivers.map(phrase::drivers).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_fall_into_pieces() {
        let said = verdict_pieces("It leaks 1.5 KiB per message: `A->b[]` keeps one `C`.", Some("1.5 KiB per message"));
        let tones: Vec<_> = said.iter().map(|piece| (piece.text.as_str(), piece.tone)).collect();
        assert_eq!(
            tones,
            [
                ("It leaks ", Tone::Plain),
                ("1.5 KiB per message", Tone::Amount),
                (": ", Tone::Plain),
                ("A->b[]", Tone::Code),
                (" keeps one ", Tone::Plain),
                ("C", Tone::Code),
                (".", Tone::Plain),
            ]
        );
        assert_eq!(pieces("a ` b"), [Piece { text: "a ` b".into(), tone: Tone::Plain, link: None }]);
    }

    #[test]
    fn names_show_what_they_are() {
        assert_eq!(visible("class@anonymous\0/a.php:3$0"), "class@anonymous\\0/a.php:3$0");
        assert_eq!(visible("a\u{202e}b\u{1b}"), "a\\u{202e}b\\x1b");
        assert_eq!(breakable("A\\B-><c>"), "A\\<wbr>B<wbr><span>-&gt;</span>&lt;c&gt;");
    }
}
