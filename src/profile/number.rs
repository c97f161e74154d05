//! Decimal numbers of cost lines, as wild as they come.

/// Costs at or beyond this cannot be counted, and are no costs: small negative ones that were written unsigned, or damage.
const IMPLAUSIBLE: u64 = 1 << 63;

/// One field of a cost line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    /// A usable figure.
    Is(i64),
    /// Digits, but no cost that can be: a negative number written unsigned, or damage. Left out.
    Wrapped,
    /// No number.
    No,
}

/// Reads a whole field as a decimal integer.
pub(crate) fn decimal(field: &[u8]) -> Number {
    let (negative, digits) = match field {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, field),
    };
    if digits.is_empty() {
        return Number::No;
    }
    let mut value = 0u64;
    let mut beyond = false;
    for &byte in digits {
        if !byte.is_ascii_digit() {
            return Number::No;
        }
        match value.checked_mul(10).and_then(|v| v.checked_add(u64::from(byte - b'0'))) {
            Some(v) => value = v,
            None => beyond = true,
        }
    }
    match beyond || value >= IMPLAUSIBLE {
        true => Number::Wrapped,
        false if negative => Number::Is(-(value as i64)),
        false => Number::Is(value as i64),
    }
}

/// True for a size just below 2^32, which 32-bit builds of Xdebug 2 wrote for a small negative one.
pub(crate) fn wrapped_at_32_bits(value: i64) -> bool {
    ((1i64 << 32) - (1 << 28)..1i64 << 32).contains(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let table: &[(&str, Number)] = &[
            ("0", Number::Is(0)),
            ("-12", Number::Is(-12)),
            ("+7", Number::Is(7)),
            ("9007199254740991", Number::Is(9007199254740991)),
            ("9007199254740993", Number::Is(9007199254740993)),
            ("9223372036854775807", Number::Is(i64::MAX)),
            ("-9223372036854775807", Number::Is(-i64::MAX)),
            ("9223372036854775808", Number::Wrapped),
            ("18446744073709551000", Number::Wrapped),
            ("99999999999999999999999", Number::Wrapped),
            ("", Number::No),
            ("-", Number::No),
            ("%d", Number::No),
            ("1e5", Number::No),
        ];
        for (text, expected) in table {
            assert_eq!(decimal(text.as_bytes()), *expected, "{text}");
        }
    }
}
