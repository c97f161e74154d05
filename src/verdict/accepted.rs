//! Leaks that are known and accepted: a list in the configuration that must not hide a new one.

use serde::{Deserialize, Serialize};

use crate::model::{Judgement, State};

/// A leak that is known and accepted for a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// The finding's metric (`heap`, `rss`, `fd` ...).
    pub metric: String,
    /// What holds it, as the census names it; none: whatever holds it, where nothing is named.
    #[serde(default)]
    pub holder: Option<String>,
    /// Growth up to which it is accepted, in the finding's unit.
    pub limit: f64,
    /// Why it is accepted.
    pub reason: String,
    /// The last day on which it is, as `2026-12-31`.
    pub expires: String,
}

/// What the list says to one leak.
#[derive(Debug, Clone, PartialEq)]
pub enum Acceptance {
    /// Nothing in the list is about it.
    Unlisted,
    /// All of it is accepted, for these reasons.
    Accepted(Vec<String>),
    /// It is listed and yet not accepted; why.
    Refused(String),
}

/// Whether a leak is accepted today (`2026-11-25`). Each of its holders must be listed, no entry may have expired, and
/// the growth's upper limit must lie within what the entries allow together: a new leak behind an old one shows.
pub fn acceptance(
    list: &[Accepted],
    metric: &str,
    holders: &[String],
    judgement: &Judgement,
    today: &str,
) -> Acceptance {
    if judgement.state != State::Leak {
        return Acceptance::Unlisted;
    }
    let of_metric = list.iter().filter(|entry| entry.metric == metric);
    let matching: Vec<&Accepted> = match holders {
        [] => of_metric.filter(|entry| entry.holder.is_none()).collect(),
        _ => of_metric.filter(|entry| entry.holder.as_ref().is_none_or(|holder| holders.contains(holder))).collect(),
    };
    if matching.is_empty() {
        return Acceptance::Unlisted;
    }
    let listed = |holder: &String| matching.iter().any(|entry| entry.holder.as_ref() == Some(holder));
    if let Some(new) = holders.iter().find(|holder| !listed(holder)) {
        return Acceptance::Refused(format!("{new} is not in the list of accepted leaks"));
    }
    if let Some(old) = matching.iter().find(|entry| !is_day(&entry.expires) || entry.expires.as_str() < today) {
        return Acceptance::Refused(format!("accepted until {} only ({})", old.expires, old.reason));
    }
    let allowed: f64 = matching.iter().map(|entry| entry.limit).sum();
    let grows = judgement.ci95.map_or(f64::INFINITY, |[_, high]| high);
    if grows > allowed {
        let figures = [grows, allowed].map(crate::phrase::significant);
        return Acceptance::Refused(format!("grows by up to {}, {} are accepted", figures[0], figures[1]));
    }
    Acceptance::Accepted(matching.iter().map(|entry| entry.reason.clone()).collect())
}

/// `YYYY-MM-DD`, which sorts as text.
fn is_day(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(i, byte)| if i == 4 || i == 7 { byte == b'-' } else { byte.is_ascii_digit() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Growth, GrowthPer, Reason, Why};

    fn leak(high: f64) -> Judgement {
        let growth = Growth { value: high, unit: crate::model::Unit::Bytes, per: GrowthPer::Messages };
        let base = Judgement::not_judged(Reason::TooShort, Why::NoFloor);
        Judgement { state: State::Leak, reason: None, growth: Some(growth), ci95: Some([high, high]), ..base }
    }

    #[test]
    fn only_what_is_listed_in_kind_amount_and_time_is_accepted() {
        let entry = Accepted {
            metric: "heap".into(),
            holder: Some("$server->log[]".into()),
            limit: 1000.0,
            reason: "ticket 12".into(),
            expires: "2026-12-31".into(),
        };
        let list = [entry];
        let known = ["$server->log[]".to_owned()];
        let more = ["$server->log[]".to_owned(), "Metrics::$seen[]".to_owned()];
        let accepted = Acceptance::Accepted(vec!["ticket 12".to_owned()]);
        assert_eq!(acceptance(&list, "heap", &known, &leak(900.0), "2026-11-25"), accepted);
        assert_eq!(acceptance(&list, "rss", &known, &leak(900.0), "2026-11-25"), Acceptance::Unlisted);
        assert_eq!(acceptance(&list, "heap", &[], &leak(900.0), "2026-11-25"), Acceptance::Unlisted);
        for (holders, high, today) in
            [(&more[..], 900.0, "2026-11-25"), (&known, 1100.0, "2026-11-25"), (&known, 900.0, "2027-01-01")]
        {
            let said = acceptance(&list, "heap", holders, &leak(high), today);
            assert!(matches!(said, Acceptance::Refused(_)), "{said:?}");
        }
    }
}
