//! Conditions read: `FIGURE > LIMIT`, then what it is counted for, then `in SCENARIO`.

use super::condition::{Condition, Figure, FunctionFigure, Quantile};
use crate::model::plan::scenario::nearest;
use crate::model::{Breaks, Metric, ThresholdUnit};

/// Figures that are one word, beside the metrics.
const WORDS: [(&str, Figure); 10] = [
    ("errors", Figure::Errors),
    ("p50", Figure::Latency(Quantile::P50)),
    ("p90", Figure::Latency(Quantile::P90)),
    ("p99", Figure::Latency(Quantile::P99)),
    ("max", Figure::Latency(Quantile::Max)),
    ("throughput", Figure::Throughput),
    ("cpu", Figure::Cpu),
    ("rss_peak", Figure::RssPeak),
    ("fd_peak", Figure::FdPeak),
    ("new_functions", Figure::NewFunctions),
];

/// The figure that a third, short pass counts.
const INSTRUCTIONS: &str = "instructions";

/// What a limit is given in.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Given {
    /// A bare number.
    Number,
    /// Milliseconds.
    Ms,
    /// Bytes.
    Bytes,
    /// `/s`.
    PerSecond,
    /// A share of 1.
    Percent,
}

const UNITS: [(&str, Given, f64); 16] = [
    ("%", Given::Percent, 0.01),
    ("ns", Given::Ms, 1e-6),
    ("us", Given::Ms, 1e-3),
    ("µs", Given::Ms, 1e-3),
    ("ms", Given::Ms, 1.0),
    ("s", Given::Ms, 1000.0),
    ("/s", Given::PerSecond, 1.0),
    ("B", Given::Bytes, 1.0),
    // As the kernel and PHP's memory_limit mean them.
    ("kB", Given::Bytes, 1024.0),
    ("KB", Given::Bytes, 1024.0),
    ("MB", Given::Bytes, 1_048_576.0),
    ("GB", Given::Bytes, 1_073_741_824.0),
    ("KiB", Given::Bytes, 1024.0),
    ("MiB", Given::Bytes, 1_048_576.0),
    ("GiB", Given::Bytes, 1_073_741_824.0),
    ("", Given::Number, 1.0),
];

/// What follows the sign, taken apart.
struct Right<'a> {
    limit: f64,
    given: Given,
    /// It had a `+` or a `-`: it is held against the baseline.
    signed: bool,
    /// What it is counted for: `message`, `session`, `hour`.
    per: Option<&'a str>,
    scenario: Option<&'a str>,
}

/// Reads a condition.
///
/// # Errors
/// What is wrong with it, and how it is written.
pub(super) fn condition(text: &str) -> Result<Condition, String> {
    let text = text.trim();
    let (left, sign, right) =
        split(text).ok_or_else(|| format!("`{text}`: write FIGURE > LIMIT or FIGURE < LIMIT, as `p99 > 50ms`"))?;
    let figure = figure(left.trim()).map_err(|why| format!("`{text}`: {why}"))?;
    let right = limit(right.trim()).map_err(|why| format!("`{text}`: {why}"))?;
    let unit = unit(&figure, &right).map_err(|why| format!("`{text}`: {why}"))?;
    if unit == ThresholdUnit::Share && right.limit > 1.0 {
        return Err(format!("`{text}`: a share is never above 100%"));
    }
    if right.scenario.is_some() && !figure.is_of_a_scenario() {
        return Err(format!("`{text}`: this figure is of the whole run; leave `in ...` out"));
    }
    Ok(Condition {
        text: text.to_owned(),
        figure,
        scenario: right.scenario.map(str::to_owned),
        breaks: if sign == '>' { Breaks::Above } else { Breaks::Below },
        limit: right.limit,
        unit,
    })
}

/// The parts beside the first sign that stands in no quotes and in no `->`.
fn split(text: &str) -> Option<(&str, char, &str)> {
    let mut quoted = false;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            // What is quoted is a name, and `->` is a part of one.
            _ if quoted || c == '>' && before == '-' => {}
            '<' | '>' => {
                return Some((&text[..at], c, &text[at + 1..]));
            }
            _ => {}
        }
        before = c;
    }
    None
}

fn figure(left: &str) -> Result<Figure, String> {
    let (word, rest) = left.split_once(char::is_whitespace).map_or((left, ""), |(word, rest)| (word, rest.trim()));
    match word {
        "calls" => Ok(Figure::Calls(name(rest)?.0)),
        "function" => {
            let (name, rest) = name(rest)?;
            match rest {
                "self" => Ok(Figure::Function(name, FunctionFigure::Own)),
                "inclusive" => Ok(Figure::Function(name, FunctionFigure::Inclusive)),
                _ => Err("after the function's name stands `self` or `inclusive`".to_owned()),
            }
        }
        _ if !rest.is_empty() => Err(format!("`{rest}` does not belong behind `{word}`")),
        INSTRUCTIONS => Ok(Figure::Instructions),
        _ => {
            let metric = Metric::ALL.into_iter().find(|metric| metric.name() == word).map(Figure::Growth);
            let known = WORDS.iter().find(|(known, _)| *known == word).map(|(_, figure)| figure.clone());
            metric.or(known).ok_or_else(|| {
                let metrics = Metric::ALL.into_iter().map(Metric::name);
                let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
                let all: Vec<&str> =
                    words.into_iter().chain(metrics).chain([INSTRUCTIONS, "calls", "function"]).collect();
                let meant = nearest(word, all.iter().copied());
                let meant = meant.map_or(String::new(), |name| format!(" (did you mean `{name}`?)"));
                format!("`{word}` is no figure{meant}; there are {}", all.join(", "))
            })
        }
    }
}

/// A function's name, quoted or one word, and what follows it. PHP writes one backslash where a shell or TOML may need two.
fn name(text: &str) -> Result<(String, &str), String> {
    let (name, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').ok_or("the function's name has no closing quote")?,
        None => text.split_once(char::is_whitespace).unwrap_or((text, "")),
    };
    if name.is_empty() {
        return Err("write the function's name in quotes, as \"php::file_put_contents\"".to_owned());
    }
    Ok((name.replace("\\\\", "\\"), rest.trim()))
}

fn limit(right: &str) -> Result<Right<'_>, String> {
    let digits = right.strip_prefix(['+', '-']).unwrap_or(right);
    let number = digits.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ','))).unwrap_or(digits.len());
    let signed = digits.len() < right.len();
    // Thousands may be grouped; a decimal comma would be read as a hundredfold.
    if digits[..number].split(',').skip(1).any(|group| group.split('.').next().is_none_or(|three| three.len() != 3)) {
        return Err(format!("`{}` is no number: decimals follow a point", &digits[..number]));
    }
    let value: f64 = digits[..number].replace(',', "").parse().map_err(|_| {
        let shown = right.split_whitespace().next().unwrap_or_default();
        format!("`{shown}` is no limit; write a number with its unit, as 50ms, 0.1%, 256MB")
    })?;
    let mut words = digits[number..].split_whitespace().peekable();
    let attached = !digits[number..].starts_with(char::is_whitespace) && number < digits.len();
    let is_unit = |word: &&str| UNITS.iter().any(|(unit, ..)| unit == word);
    let unit = match attached {
        true => words.next().unwrap_or_default(),
        false => words.next_if(is_unit).unwrap_or_default(),
    };
    let (_, given, times) = UNITS
        .iter()
        .find(|(known, ..)| *known == unit)
        .ok_or_else(|| format!("`{unit}` is no unit; there are {}", UNITS.map(|(unit, ..)| unit).join(" ").trim()))?;
    words.next_if(|word| matches!(*word, "calls" | "instructions"));
    let per = match words.next_if_eq(&"per") {
        None => None,
        Some(_) => {
            let thousand = words.next_if(|word| matches!(*word, "1000" | "1,000")).is_some();
            let work = words.next().map(|word| word.trim_end_matches('s'));
            let known = ["message", "session", "hour"].into_iter().find(|known| Some(*known) == work);
            let known = known.ok_or("after `per` stands `message`, `session` or `hour`")?;
            Some((known, if thousand { 1000.0 } else { 1.0 }))
        }
    };
    let scenario = match words.next_if_eq(&"in") {
        None => None,
        Some(_) => Some(words.next().ok_or("after `in` stands a scenario")?),
    };
    if let Some(rest) = words.next() {
        return Err(format!("`{rest}` is not understood here"));
    }
    let negative = right.starts_with('-');
    let value = value * times / per.map_or(1.0, |(_, of)| of);
    Ok(Right {
        limit: if negative { -value } else { value },
        given: *given,
        signed,
        per: per.map(|(work, _)| work),
        scenario,
    })
}

/// What the figure counts in, where the limit is one that it can have.
fn unit(figure: &Figure, right: &Right<'_>) -> Result<ThresholdUnit, String> {
    use ThresholdUnit as U;
    let per_message = right.per == Some("message");
    let change = right.signed && right.given == Given::Percent;
    let relative = matches!(
        figure,
        Figure::Latency(_)
            | Figure::Throughput
            | Figure::Cpu
            | Figure::RssPeak
            | Figure::FdPeak
            | Figure::Calls(_)
            | Figure::Instructions
    );
    if change && relative {
        return Ok(U::Change);
    }
    if right.signed {
        return Err(
            "a limit with a sign is held against the baseline and is a percentage of it, as `p99 > +10%`; this \
                    figure has none"
                .to_owned(),
        );
    }
    let wanted = match (figure, right.given, right.per) {
        (Figure::Errors, Given::Percent, None) => return Ok(U::Share),
        (Figure::Errors | Figure::FdPeak, Given::Number, None) => return Ok(U::Count),
        (Figure::Errors, ..) => "a share or a count, as 0.1% or 5",
        (Figure::FdPeak, ..) => "a count",
        (Figure::Latency(_), Given::Ms, None) => return Ok(U::Ms),
        (Figure::Latency(_), ..) => "a time, as 50ms, or a change against the baseline, as +10%",
        (Figure::Throughput, Given::Number | Given::PerSecond, None) => return Ok(U::PerSecond),
        (Figure::Throughput, ..) => "work per second, as 100/s, or a change against the baseline, as -10%",
        (Figure::Cpu, Given::Ms, _) if right.per.is_none() || per_message => return Ok(U::MsPerMessage),
        (Figure::Cpu, ..) => "a time per message, as 2ms, or a change against the baseline, as +10%",
        (Figure::RssPeak, Given::Bytes, None) => return Ok(U::Bytes),
        (Figure::RssPeak, ..) => "an amount of memory, as 256MB, or a change against the baseline, as +10%",
        (Figure::Growth(metric), given, Some(per)) if metric.is_memory() == (given == Given::Bytes) => {
            return match (given, per) {
                (Given::Bytes, "message") => Ok(U::BytesPerMessage),
                (Given::Bytes, "session") => Ok(U::BytesPerSession),
                (Given::Bytes, _) => Ok(U::BytesPerHour),
                (Given::Number, "message") => Ok(U::CountPerMessage),
                (Given::Number, "session") => Ok(U::CountPerSession),
                (Given::Number, _) => Ok(U::CountPerHour),
                _ => Err("a growth is bytes or a count".to_owned()),
            };
        }
        (Figure::Growth(metric), ..) if metric.is_memory() => "bytes for work, as 100 B per message",
        (Figure::Growth(_), ..) => "a count for work, as 20 per 1000 sessions",
        (Figure::Calls(_) | Figure::NewFunctions, Given::Number, Some("message")) => return Ok(U::CallsPerMessage),
        (Figure::Calls(_) | Figure::NewFunctions, ..) => "calls per message, as 2 per message",
        (Figure::Function(..), Given::Percent, None) => return Ok(U::Share),
        (Figure::Function(..), Given::Ms, Some("message")) => return Ok(U::MsPerMessage),
        (Figure::Function(..), ..) => "a share of the time, as 20%, or a time for work, as 2ms per message",
        (Figure::Instructions, Given::Number, Some("message")) => return Ok(U::InstructionsPerMessage),
        (Figure::Instructions, ..) => "200000 per message, or a change against the baseline, as +0.5%",
    };
    Err(format!("its limit is {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written_as_it_was() {
        use ThresholdUnit as U;
        for (text, figure, limit, unit) in [
            ("errors > 0.1%", Figure::Errors, 0.001, U::Share),
            ("errors > 5 in churn", Figure::Errors, 5.0, U::Count),
            ("p99 > 50ms", Figure::Latency(Quantile::P99), 50.0, U::Ms),
            ("max > 1.5 s in churn", Figure::Latency(Quantile::Max), 1500.0, U::Ms),
            ("rss_peak > 256MB", Figure::RssPeak, 268_435_456.0, U::Bytes),
            ("heap > 100 B per message", Figure::Growth(Metric::Heap), 100.0, U::BytesPerMessage),
            ("rss > 1 MiB per hour", Figure::Growth(Metric::Rss), 1_048_576.0, U::BytesPerHour),
            ("fd > 20 per 1,000 sessions", Figure::Growth(Metric::Fd), 0.02, U::CountPerSession),
            (
                "calls \"php::file_put_contents\" > 2 per message",
                Figure::Calls("php::file_put_contents".into()),
                2.0,
                U::CallsPerMessage,
            ),
            ("calls App\\A->b > +0%", Figure::Calls("App\\A->b".into()), 0.0, U::Change),
            (
                "function \"App\\\\Parser::parse\" self > 20%",
                Figure::Function("App\\Parser::parse".into(), FunctionFigure::Own),
                0.2,
                U::Share,
            ),
            (
                "function \"A->b\" inclusive > 2ms per message",
                Figure::Function("A->b".into(), FunctionFigure::Inclusive),
                2.0,
                U::MsPerMessage,
            ),
            ("throughput < -10%", Figure::Throughput, -0.1, U::Change),
            ("throughput<1,000/s", Figure::Throughput, 1000.0, U::PerSecond),
            ("cpu > 2ms", Figure::Cpu, 2.0, U::MsPerMessage),
            ("new_functions > 100 calls per message", Figure::NewFunctions, 100.0, U::CallsPerMessage),
            ("instructions > +0.5%", Figure::Instructions, 0.005, U::Change),
            ("instructions > 200000 per message", Figure::Instructions, 200_000.0, U::InstructionsPerMessage),
        ] {
            let read = condition(text).unwrap_or_else(|why| panic!("{why}"));
            assert_eq!((&read.figure, read.unit), (&figure, unit), "{text}");
            assert!((read.limit - limit).abs() < 1e-12, "{text}: {}", read.limit);
            assert_eq!(read.breaks == Breaks::Below, text.contains('<'), "{text}");
            assert_eq!(read.scenario.as_deref(), text.split_once(" in ").map(|(_, name)| name), "{text}");
            assert_eq!(String::from(read), text);
        }
    }

    #[test]
    fn slips_are_told_with_what_is_meant() {
        for (text, part) in [
            ("p99", "FIGURE > LIMIT"),
            ("", "FIGURE > LIMIT"),
            ("p98 > 50ms", "did you mean `p9"),
            ("p99 > 50", "a time, as 50ms"),
            ("p99 > 50 ms in", "a scenario"),
            ("p99 > fast", "`fast` is no limit"),
            ("p99 >= 50ms", "`=` is no limit"),
            ("p99 > 50msec", "`msec` is no unit"),
            ("p99 > 50ms soon", "`soon` is not understood"),
            ("heap > 100 B", "as 100 B per message"),
            ("heap > +10%", "against the baseline"),
            ("fd > 20 B per session", "20 per 1000 sessions"),
            ("throughput < 10%", "as -10%"),
            ("rss_peak > 1GB in churn", "whole run"),
            ("calls > 2 per message", "in quotes"),
            ("calls \"x > 2 per message", "FIGURE > LIMIT"),
            ("function \"x\" > 20%", "`self` or `inclusive`"),
            ("errors > -1", "against the baseline"),
            ("errors > 1,5%", "decimals follow a point"),
            ("errors > 150%", "never above 100%"),
            ("function \"x\" self > 101%", "never above 100%"),
            ("errors all > 1", "does not belong"),
            ("new_functions > 5", "per message"),
            ("heap > 1 B per week", "`session` or `hour`"),
        ] {
            let why = condition(text).expect_err(text);
            assert!(why.contains(part), "{text}: {why}");
        }
    }
}
