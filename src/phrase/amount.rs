//! How figures are written: three significant digits, binary units for memory, thousands grouped.

use std::collections::BTreeMap;
use std::time::Duration;

/// `n` with its thousands grouped: `12,000`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `value` with three significant digits and its thousands grouped: `1.93`, `44.8`, `412`, `1,448`.
/// Whole parts are never rounded away: `12345.6` is `12,346`.
pub fn significant(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let magnitude = value.abs();
    let sign = if value < 0.0 { "-" } else { "" };
    if magnitude >= 99.95 {
        return format!("{sign}{}", grouped(magnitude.round() as u64));
    }
    let decimals = decimals(magnitude);
    let text = format!("{magnitude:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "0" { "0".to_owned() } else { format!("{sign}{text}") }
}

/// Digits behind the point that [`significant`] writes.
fn decimals(magnitude: f64) -> usize {
    if magnitude >= 99.95 {
        0
    } else if magnitude >= 9.995 {
        1
    } else if magnitude >= 0.9995 || magnitude == 0.0 {
        2
    } else {
        // Below one, the leading zeros do not count as digits.
        ((-magnitude.log10().floor()) as usize + 2).min(9)
    }
}

/// As [`significant`], rounded up: for limits, which are never stated below what was found.
pub fn significant_up(value: f64) -> String {
    let digits = 10f64.powi(decimals(value.abs()) as i32);
    // What is off by less than a millionth of the last digit is as good as exact.
    significant((value * digits - 1e-6).ceil() / digits)
}

/// A number of bytes in binary units: `412 B`, `44.8 MiB`, `-1.5 KiB`.
pub fn bytes(value: f64) -> String {
    in_units(value, significant)
}

/// As [`bytes`], rounded up.
pub fn bytes_up(value: f64) -> String {
    in_units(value, significant_up)
}

fn in_units(value: f64, digits: fn(f64) -> String) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut scaled = value;
    let mut unit = 0;
    while scaled.abs() >= 1023.5 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    format!("{} {}", digits(scaled), UNITS[unit])
}

/// Milliseconds with their unit: `0.31 ms`, `1.9 ms`, `1.53 s` from a second on.
pub fn millis(ms: f64) -> String {
    if ms >= 999.5 { format!("{} s", significant(ms / 1000.0)) } else { format!("{} ms", significant(ms)) }
}

/// A duration for people: `1.9 ms`, `0.21 s`, `2 min 51 s`, `1 h 05 min`.
pub fn duration(d: Duration) -> String {
    let seconds = d.as_secs_f64();
    if seconds < 0.1 {
        return millis(seconds * 1000.0);
    }
    if seconds < 59.95 {
        return format!("{} s", significant(seconds));
    }
    let whole = seconds.round() as u64;
    if whole < 3600 {
        return if whole.is_multiple_of(60) {
            format!("{} min", whole / 60)
        } else {
            format!("{} min {} s", whole / 60, whole % 60)
        };
    }
    format!("{} h {:02} min", whole / 3600, whole % 3600 / 60)
}

/// A rate of events: `1,448 msg/s`.
pub fn rate(per_second: f64, what: &str) -> String {
    format!("{} {what}/s", significant(per_second))
}

/// A count with its noun: `1 message`, `12,000 messages`.
pub fn plural(n: u64, noun: &str) -> String {
    let ending = match n {
        1 => "",
        _ if noun.ends_with("ch") || noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{} {noun}{ending}", grouped(n))
}

/// Why functions of two profiles are not compared: there are fewer messages than it takes.
pub fn few_messages([was, is]: [u64; 2], least: u64) -> String {
    format!(
        "not compared: the profiles hold {} and {}, and below {least} a single one can make a difference",
        grouped(was),
        plural(is, "message")
    )
}

/// How the server's work under the profiler compares: `3 times the CPU time per message`, or no more within 5%.
pub fn profiled_work(times: f64) -> String {
    let times = if times < 1.05 { "no more".to_owned() } else { format!("{} times the", significant(times)) };
    format!("{times} CPU time per message")
}

/// `php 8.2.36, xdebug 3.2.0`.
pub fn versions(versions: &BTreeMap<String, String>) -> String {
    let texts: Vec<String> = versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (1.934, "1.93"),
            (44.81, "44.8"),
            (412.0, "412"),
            (1448.2, "1,448"),
            (0.0123, "0.0123"),
            (-2.0, "-2"),
            (12345.6, "12,346"),
            (99.97, "100"),
        ] {
            assert_eq!(significant(value), text);
        }
    }

    #[test]
    fn memory() {
        for (value, text) in
            [(412.0, "412 B"), (46_976_204.8, "44.8 MiB"), (-1536.0, "-1.5 KiB"), (1_048_575.0, "1 MiB")]
        {
            assert_eq!(bytes(value), text);
        }
    }

    #[test]
    fn limits_are_never_below_what_was_found() {
        for (value, text) in [
            (0.5, "0.5"),
            (0.500_1, "0.501"),
            (1.932, "1.94"),
            (44.81, "44.9"),
            (99.91, "100"),
            (412.0, "412"),
            (412.000_000_000_1, "412"),
            (1448.2, "1,449"),
            (9.991, "10"),
            (0.0, "0"),
        ] {
            assert_eq!(significant_up(value), text, "{value}");
        }
        assert_eq!((bytes_up(0.5), bytes_up(1537.0)), ("0.5 B".to_owned(), "1.51 KiB".to_owned()));
    }

    #[test]
    fn time() {
        for (ms, text) in [
            (1.9, "1.9 ms"),
            (210.0, "0.21 s"),
            (171_000.0, "2 min 51 s"),
            (60_000.0, "1 min"),
            (3_900_000.0, "1 h 05 min"),
        ] {
            assert_eq!(duration(Duration::from_secs_f64(ms / 1000.0)), text);
        }
    }
}
