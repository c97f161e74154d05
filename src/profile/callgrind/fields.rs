//! The fields of a cost line: subpositions and costs.

use super::super::defect::DefectKind;

/// A field that was read as a number of at most 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digits {
    Is(u64),
    Beyond,
    No,
}

/// Decimal digits, or hexadecimal ones behind `0x`.
fn digits(field: &[u8]) -> Digits {
    let (radix, digits) = match field {
        [b'0', b'x' | b'X', rest @ ..] => (16, rest),
        _ => (10, field),
    };
    if digits.is_empty() {
        return Digits::No;
    }
    let (mut value, mut beyond) = (0u64, false);
    for &byte in digits {
        let Some(digit) = char::from(byte).to_digit(radix) else { return Digits::No };
        match value.checked_mul(u64::from(radix)).and_then(|v| v.checked_add(u64::from(digit))) {
            Some(v) => value = v,
            None => beyond = true,
        }
    }
    if beyond { Digits::Beyond } else { Digits::Is(value) }
}

/// A cost that is declared: it may be below zero.
pub(super) fn declared(field: &[u8]) -> Option<i64> {
    let (sign, field) = field.strip_prefix(b"-").map_or((1, field), |field| (-1, field));
    Some(sign * count(field).and_then(|value| i64::try_from(value).ok())?)
}

/// A number of calls or of jumps, at the beginning of a field.
pub(super) fn count(field: &[u8]) -> Option<u64> {
    match digits(field) {
        Digits::Is(value) => Some(value),
        _ => None,
    }
}

/// A subposition, with what it is relative to. Positions wrap: an address may fill 64 bits, and a
/// relative one may lead below zero.
pub(super) fn position(field: &[u8], before: i64) -> Option<i64> {
    let number = |field| match digits(field) {
        Digits::Is(value) => Some(value as i64),
        _ => None,
    };
    match field {
        b"*" => Some(before),
        [b'+', rest @ ..] => Some(before.wrapping_add(number(rest)?)),
        [b'-', rest @ ..] => Some(before.wrapping_sub(number(rest)?)),
        _ => number(field),
    }
}

/// The words of a line.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty())
}

/// Reads a cost line into `positions` (those of the line before on entry) and `costs`, of which there
/// may be fewer than `events`: the rest is 0.
///
/// # Errors
/// What is wrong with the line; then `positions` are as they were.
pub(super) fn cost_line(
    line: &[u8],
    events: usize,
    positions: &mut [i64],
    costs: &mut Vec<i64>,
) -> Result<(), DefectKind> {
    costs.clear();
    let mut words = words(line);
    if let [single] = positions {
        let place = words.next().and_then(|field| position(field, *single)).ok_or(DefectKind::BadCost)?;
        read_costs(words, events, costs)?;
        *single = place;
        return Ok(());
    }
    let mut places = Vec::with_capacity(positions.len());
    for &before in positions.iter() {
        places.push(words.next().and_then(|field| position(field, before)).ok_or(DefectKind::BadCost)?);
    }
    read_costs(words, events, costs)?;
    positions.copy_from_slice(&places);
    Ok(())
}

fn read_costs<'a>(
    words: impl Iterator<Item = &'a [u8]>,
    events: usize,
    costs: &mut Vec<i64>,
) -> Result<(), DefectKind> {
    for field in words {
        if costs.len() == events {
            return Err(DefectKind::BadCost);
        }
        match digits(field) {
            Digits::Is(value) => costs.push(i64::try_from(value).map_err(|_| DefectKind::WrappedNumber)?),
            Digits::Beyond => return Err(DefectKind::WrappedNumber),
            // The format lets positions be relative, costs not: what they are relative to is unknown. A file that
            // has such costs has negative ones in the same sense, and is refused for the former.
            Digits::No => match field {
                // What a difference of two profiles has less, and memory that was given back.
                [b'-', digits @ ..] if digits.first().is_some_and(u8::is_ascii_digit) => match self::digits(digits) {
                    Digits::Is(value) if i64::try_from(value).is_ok() => costs.push(-(value as i64)),
                    Digits::Is(_) | Digits::Beyond => return Err(DefectKind::WrappedNumber),
                    Digits::No => return Err(DefectKind::BadCost),
                },
                [b'*'] | [b'+', b'0'..=b'9', ..] => return Err(DefectKind::CompressedCost),
                _ => return Err(DefectKind::BadCost),
            },
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str, events: usize, before: &[i64]) -> Result<(Vec<i64>, Vec<i64>), DefectKind> {
        let (mut positions, mut costs) = (before.to_vec(), Vec::new());
        let outcome = cost_line(line.as_bytes(), events, &mut positions, &mut costs);
        if outcome.is_err() {
            assert_eq!(positions, before);
        }
        outcome.map(|()| (positions, costs))
    }

    #[test]
    fn positions_are_absolute_or_relative() {
        assert_eq!(read("16 20 7", 2, &[0]), Ok((vec![16], vec![20, 7])));
        assert_eq!(read("0x10 0x14", 2, &[0]), Ok((vec![16], vec![20])));
        assert_eq!(read("+3 * 5", 1, &[100, 90]), Ok((vec![103, 90], vec![5])));
        assert_eq!(read("-64  +0x1\t5", 1, &[3, 0]), Ok((vec![-61, 1], vec![5])));
        assert_eq!(read("*", 1, &[7]), Ok((vec![7], vec![])));
        assert_eq!(read("0xffffffffffffffff 1", 1, &[0]), Ok((vec![-1], vec![1])));
    }

    #[test]
    fn what_is_no_cost_line_is_told() {
        for (line, kind) in [
            ("1 2 3", DefectKind::BadCost),
            ("1 x", DefectKind::BadCost),
            ("1 2.5", DefectKind::BadCost),
            ("1 *", DefectKind::CompressedCost),
            ("1 +4", DefectKind::CompressedCost),
            ("1 -x", DefectKind::BadCost),
            ("1 -9223372036854775808", DefectKind::WrappedNumber),
            ("1 9223372036854775808", DefectKind::WrappedNumber),
            ("1 99999999999999999999999", DefectKind::WrappedNumber),
            ("+", DefectKind::BadCost),
            ("0x", DefectKind::BadCost),
        ] {
            assert_eq!(read(line, 1, &[5]), Err(kind), "{line}");
        }
        assert_eq!(read("1 9223372036854775807", 1, &[0]), Ok((vec![1], vec![i64::MAX])));
        assert_eq!(read("1 -4 7", 2, &[0]), Ok((vec![1], vec![-4, 7])));
        assert_eq!(read("1", 1, &[0, 0]), Err(DefectKind::BadCost));
    }
}
