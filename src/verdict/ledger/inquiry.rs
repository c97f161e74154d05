//! The inquiry itself: still at first, each conversation some times, the shortest that keeps bytes, that one often, and
//! still again. What is named in the end was kept each time, by nothing but the conversation, and went on.

use std::collections::BTreeMap;

use crate::model::{
    Act, Beside, Conversation, Kept, KeptAt, Ledger, LedgerGarbage, LedgerStatus, LedgerStep, LeftOut, Regularity,
};

use super::conversations::{LARGE, LONG, Offers, SHORT, all, contains, is_same, opening};
use super::often::{self, Step};
use super::readings::{Readings, is_alike};
use super::rounding::{self, Line};
use super::shortest::shortest;
use super::{Bench, Played, Stop, Whole};

/// Pauses before the first conversation; a server that moves in each of them moves by itself.
const PAUSES: u32 = 3;
/// Readings of a conversation.
const FEW: usize = 4;
/// Readings that must agree while it is made shorter.
const MAJORITY: u32 = 2;
/// Readings where fewer do not agree, and of the shortest one.
const MANY: usize = 17;
/// Of the time, what the conversations may use before the shortest one is looked for.
const FOR_ALL: f64 = 0.45;
/// The same while none of them keeps anything, so that nothing is to be looked for.
const FOR_NOTHING: f64 = 0.9;
/// Of the time, after which no further step is looked for.
const FOR_SEARCH: f64 = 0.65;
/// Conversations of one round; fewer show nothing.
const ENOUGH: u64 = 50;
/// Conversations after which what fills up should be full: with fewer nothing is named, where there is room for more.
const FILLED: u64 = 1_200;
/// Conversations after which it is believed, and the most rounds.
const BELIEVED: u64 = 1_500;
const ROUNDS: u32 = 12;
/// Of what each conversation kept, the part that it must go on to keep.
const GOES_ON: f64 = 0.75;
/// Steps that are named at most.
const MOST: usize = 3;
/// Bytes that are worth a name: the smallest block of PHP's allocator is 8.
const LEAST: i64 = 16;
/// Seconds of a pause in which a timer would show.
const LAST_PAUSES: u32 = 2;

/// Plays conversations on `bench` until it can say which step keeps bytes, or why it cannot.
///
/// # Errors
/// The run was told to stop. All other ends are what the ledger came to.
pub fn inquire(bench: &mut dyn Bench, offers: Offers) -> Result<Ledger, Stop> {
    let mut inquiry = Inquiry { bench, offers, rows: Vec::new(), left_out: Vec::new(), played: BTreeMap::new() };
    let outcome = inquiry.run();
    let (status, kept) = match outcome {
        Ok(outcome) => outcome,
        Err(Stop::Told) => return Err(Stop::Told),
        Err(Stop::Time) => (LedgerStatus::TimeUsed, Vec::new()),
        Err(Stop::Silent) => (LedgerStatus::Silent, Vec::new()),
        Err(Stop::Fell) => (LedgerStatus::Fell, Vec::new()),
    };
    let garbage = inquiry.garbage();
    let steps = inquiry.rows.into_iter().map(|row| row.step).collect();
    Ok(Ledger { steps, kept, left_out: inquiry.left_out, garbage, ..Ledger::without(status) })
}

struct Row {
    step: LedgerStep,
    roots: i64,
}

struct Inquiry<'a> {
    bench: &'a mut dyn Bench,
    offers: Offers,
    rows: Vec<Row>,
    left_out: Vec<LeftOut>,
    /// How often each conversation was played, by its acts.
    played: BTreeMap<Vec<Act>, u64>,
}

type Outcome = (LedgerStatus, Vec<Kept>);

impl Inquiry<'_> {
    fn run(&mut self) -> Result<Outcome, Stop> {
        if let Some(rate) = self.moves(PAUSES)? {
            return Ok((LedgerStatus::MovesByItself(rate), Vec::new()));
        }
        let conversations = all(self.offers);
        let mut complete = true;
        for conversation in &conversations {
            let keeps = self.rows.iter().any(|row| row.step.regularity == Regularity::EachTime);
            if self.bench.used() > if keeps { FOR_ALL } else { FOR_NOTHING } {
                complete = false;
                break;
            }
            self.row(conversation)?;
        }
        let mut found: Vec<Kept> = Vec::new();
        // The first reason for which nothing was named.
        let mut doubt = None;
        let mut tried: Vec<Conversation> = Vec::new();
        while found.len() < MOST && self.bench.used() < FOR_SEARCH {
            let Some((conversation, bytes)) = self.unexplained(&found, &tried) else { break };
            tried.push(conversation.clone());
            match self.named(&conversation, bytes, &found) {
                Ok(Ok(kept)) => found.push(kept),
                Ok(Err(status)) => drop(doubt.get_or_insert(status)),
                // What was named before the time was up stays named.
                Err(Stop::Time) if !found.is_empty() => break,
                Err(stop) => return Err(stop),
            }
        }
        let irregular = |row: &Row| matches!(row.step.regularity, Regularity::NowAndThen | Regularity::Varies);
        if found.is_empty() {
            let status = match doubt {
                Some(status) => status,
                None if self.rows.iter().any(irregular) => LedgerStatus::NotSteady,
                None if !complete || self.rows.is_empty() => LedgerStatus::TimeUsed,
                None => LedgerStatus::NothingKept,
            };
            return Ok((status, Vec::new()));
        }
        let least = found.iter().map(|kept| kept.bytes).min().unwrap_or(0);
        match self.still_afterwards(least) {
            Ok(None) | Err(Stop::Time) => Ok((LedgerStatus::Named, found)),
            Ok(Some(status)) => Ok((status, Vec::new())),
            Err(stop) => Err(stop),
        }
    }

    /// Bytes a second by which the heap moves without any conversation, where it does in each of so many pauses.
    fn moves(&mut self, pauses: u32) -> Result<Option<f64>, Stop> {
        let (mut seconds, mut bytes) = (0.0, 0);
        for _ in 0..pauses {
            let (waited, moved) = self.bench.pause()?;
            if moved == 0 {
                return Ok(None);
            }
            seconds += waited;
            bytes += moved;
        }
        Ok(Some(bytes as f64 / f64::max(seconds, 1e-3)))
    }

    /// What a pause after the conversations shows against what they kept.
    fn still_afterwards(&mut self, least: i64) -> Result<Option<LedgerStatus>, Stop> {
        let (mut seconds, mut bytes) = (0.0, 0);
        for _ in 0..LAST_PAUSES {
            let (waited, moved) = self.bench.pause()?;
            seconds += waited;
            bytes += moved;
        }
        Ok(match bytes {
            bytes if bytes <= -least => Some(LedgerStatus::GivenBack),
            bytes if bytes > least / 8 => Some(LedgerStatus::MovesByItself(bytes as f64 / f64::max(seconds, 1e-3))),
            _ => None,
        })
    }

    /// Plays a conversation some times; none where it cannot be played to its end.
    fn readings(
        &mut self,
        conversation: &Conversation,
        wanted: usize,
    ) -> Result<Option<(Readings, Vec<String>)>, Stop> {
        let mut readings = Readings::default();
        let mut all_refusals = Vec::new();
        while readings.len() < wanted {
            if self.left_out.iter().any(|left| left.unanswered && conversation.acts.contains(&left.step)) {
                return Ok(None);
            }
            *self.played.entry(conversation.acts.clone()).or_default() += 1;
            match self.bench.play(conversation)? {
                Played::Whole(Whole { reading, refusals, .. }) => {
                    readings.push(reading);
                    all_refusals = refusals;
                }
                Played::Unanswered(step) => {
                    self.left_out.push(LeftOut { step, unanswered: true });
                    return Ok(None);
                }
                Played::Broken(step) => {
                    let left = LeftOut { step, unanswered: false };
                    if !self.left_out.contains(&left) {
                        self.left_out.push(left);
                    }
                    return Ok(None);
                }
            }
        }
        Ok(Some((readings, all_refusals)))
    }

    /// One conversation of the list: once to warm up, then as often as it takes for the readings to agree.
    fn row(&mut self, conversation: &Conversation) -> Result<(), Stop> {
        if self.readings(conversation, 1)?.is_none() {
            return Ok(());
        }
        let Some((mut readings, mut refusals)) = self.readings(conversation, FEW)? else { return Ok(()) };
        if readings.regularity() != Regularity::EachTime && !readings.agree() {
            match self.readings(conversation, MANY)? {
                Some(more) => (readings, refusals) = more,
                None => return Ok(()),
            }
        }
        let (least, most) = readings.range();
        self.rows.push(Row {
            step: LedgerStep {
                conversation: conversation.clone(),
                readings: readings.len() as u64,
                kept: readings.kept(),
                least,
                most,
                garbage: readings.garbage(),
                regularity: readings.regularity(),
                refusals,
            },
            roots: readings.roots(),
        });
        Ok(())
    }

    /// The shortest conversation that keeps more than what was found explains, and how much more.
    fn unexplained(&self, found: &[Kept], tried: &[Conversation]) -> Option<(Conversation, i64)> {
        let rows = self.rows.iter().filter(|row| row.step.regularity == Regularity::EachTime);
        let open = rows.filter_map(|row| {
            let explained = explained(found, &row.step.conversation);
            let more = row.step.kept - explained;
            let small = more < LEAST || is_alike(row.step.kept, explained) || more <= rounded(found, row);
            (!small && !tried.contains(&row.step.conversation)).then(|| (row.step.conversation.clone(), more))
        });
        open.min_by_key(|(conversation, _)| (conversation.pipelined, conversation.acts.len(), length(conversation)))
    }

    /// What keeps the bytes of a conversation: the shortest one, played often. Otherwise why none is named.
    fn named(
        &mut self,
        conversation: &Conversation,
        bytes: i64,
        found: &[Kept],
    ) -> Result<Result<Kept, LedgerStatus>, Stop> {
        let known: Vec<(Conversation, i64)> = self
            .rows
            .iter()
            .filter(|row| row.step.regularity != Regularity::Varies)
            .map(|row| (row.step.conversation.clone(), row.step.kept))
            .collect();
        let enough = |candidate: &Conversation, kept: i64| {
            let more = kept - explained(found, candidate);
            more >= LEAST && (more >= bytes || is_alike(more, bytes))
        };
        let shortest = shortest(conversation, |candidate| {
            if let Some((_, kept)) = known.iter().find(|(known, _)| known == candidate) {
                return Ok(enough(candidate, *kept));
            }
            self.most(candidate, |kept| enough(candidate, kept))
        })?;
        let Some((readings, _)) = self.readings(&shortest, MANY)? else { return Ok(Err(LedgerStatus::NotSteady)) };
        let own = readings.kept() - explained(found, &shortest);
        if readings.range().0 <= -own.max(LEAST) {
            return Ok(Err(LedgerStatus::GivenBack));
        }
        if readings.regularity() != Regularity::EachTime || own < LEAST {
            return Ok(Err(LedgerStatus::NotSteady));
        }
        let polite = politely(&shortest);
        let vanishing = !shortest.is_polite() && !self.keeps(&polite, |kept| enough(&polite, kept))?;
        let at = match shortest.acts.last() {
            _ if vanishing => KeptAt::Vanishing,
            _ if shortest.pipelined => KeptAt::Pipelining,
            None => KeptAt::Connection,
            Some(last) => KeptAt::Step(*last),
        };
        let nth = shortest.acts.last().map_or(1, |last| shortest.acts.iter().filter(|act| *act == last).count() as u64);
        if let Some(status) = self.keeps_less(&shortest, readings.kept())? {
            return Ok(Err(status));
        }
        let each = if vanishing {
            Ok(false)
        } else {
            let others = |conversation: &Conversation| explained(found, conversation);
            let step = Step { shortest: &shortest, kept: readings.kept(), own, others: &others };
            often::each(self.bench, &step)?
        };
        let line = self.line(found, &shortest);
        let per_byte = line.map(|line| line.per_byte);
        let headers = self.bench.headers();
        let beside = line.and_then(|line| line.beside).map(|(least, most)| Beside { least, most, headers });
        let played = self.played.get(&shortest.acts).copied().unwrap_or(0);
        let (each, neither) = (each.ok(), each.err());
        Ok(Ok(Kept { at, nth, bytes: own, each, neither, per_byte, beside, shortest, played }))
    }

    /// What some readings of a conversation come to, where it can be played at all.
    fn keeps(&mut self, conversation: &Conversation, what: impl Fn(i64) -> bool) -> Result<bool, Stop> {
        let known = self.rows.iter().find(|row| row.step.conversation == *conversation).map(|row| row.step.kept);
        if let Some(kept) = known {
            return Ok(what(kept));
        }
        self.most(conversation, what)
    }

    /// What most of three readings of a conversation come to, where it can be played at all.
    fn most(&mut self, conversation: &Conversation, what: impl Fn(i64) -> bool) -> Result<bool, Stop> {
        let mut votes = [0, 0];
        while votes.iter().all(|votes| *votes < MAJORITY) {
            let Some((readings, _)) = self.readings(conversation, 1)? else { return Ok(false) };
            votes[usize::from(what(readings.kept()))] += 1;
        }
        Ok(votes[1] == MAJORITY)
    }

    /// Plays a conversation so often that what fills up has time to be full; after how many it keeps less, if it does.
    fn keeps_less(&mut self, conversation: &Conversation, bytes: i64) -> Result<Option<LedgerStatus>, Stop> {
        let mut all = self.played.get(&conversation.acts).copied().unwrap_or(0);
        for _ in 0..ROUNDS {
            let (times, grown) = match self.bench.many(conversation, bytes) {
                // No memory or no descriptors are left for more of them.
                Ok((0, _)) => return Ok(None),
                Ok(done) => done,
                Err(Stop::Time) if all >= FILLED => return Ok(None),
                Err(stop) => return Err(stop),
            };
            all += times;
            self.played.insert(conversation.acts.clone(), all);
            if times >= ENOUGH && (grown as f64) < GOES_ON * bytes as f64 * times as f64 {
                return Ok(Some(LedgerStatus::KeepsLess(all)));
            }
            if all >= BELIEVED {
                return Ok(None);
            }
        }
        // A slow server: what fills up had no time to be full.
        if all < FILLED { Err(Stop::Time) } else { Ok(None) }
    }

    /// What is kept of messages of the three lengths, where it depends on them.
    fn line(&self, found: &[Kept], shortest: &Conversation) -> Option<Line> {
        if !matches!(shortest.acts.last(), Some(Act::Message(SHORT))) {
            return None;
        }
        let of = |length| {
            let opening = opening(self.offers);
            let acts = [&opening[..], &[Act::Mail, Act::Rcpt, Act::Data, Act::Message(length), Act::Quit]].concat();
            let row = self.rows.iter().find(|row| row.step.conversation == Conversation::of(&acts))?;
            Some((length, row.step.kept - explained(found, &row.step.conversation)))
        };
        rounding::line([of(SHORT)?, of(LONG)?, of(LARGE)?])
    }

    /// Garbage of a whole conversation with a message.
    fn garbage(&self) -> Option<LedgerGarbage> {
        let whole = self.rows.iter().find(|row| row.step.conversation == all(self.offers)[0])?;
        let conversations = self.bench.until_collector(whole.roots);
        (whole.step.garbage > 0).then_some(LedgerGarbage { bytes: whole.step.garbage, conversations })
    }
}

/// Bytes that `found` accounts for in a conversation.
fn explained(found: &[Kept], conversation: &Conversation) -> i64 {
    let of = |kept: &Kept| {
        if !contains(conversation, &kept.shortest, kept.at == KeptAt::Vanishing) {
            return 0;
        }
        let times = times(kept, conversation);
        let longer = length(conversation).saturating_sub(times as u64 * length(&kept.shortest)) as f64;
        times * kept.bytes + kept.per_byte.map_or(0, |each| (each * longer) as i64)
    };
    found.iter().map(of).sum()
}

/// How often a conversation keeps what a step keeps; at most, where that is not known.
fn times(kept: &Kept, conversation: &Conversation) -> i64 {
    let Some(last) = kept.shortest.acts.last() else { return 1 };
    let count = |of: &Conversation| of.acts.iter().filter(|act| is_same(**act, *last)).count() as i64;
    match kept.each {
        Some(false) => 1,
        Some(true) | None => (count(conversation) - count(&kept.shortest) + 1).max(1),
    }
}

/// Bytes that the allocator may have added where what was found depends on the length.
fn rounded(found: &[Kept], row: &Row) -> i64 {
    let within = found.iter().filter(|kept| contains(&row.step.conversation, &kept.shortest, false));
    within.filter_map(|kept| Some(rounding::rounded(row.step.kept, rounding::blocks(kept.per_byte?)))).sum()
}

/// The same with QUIT; what stands within a message is brought to its end first.
fn politely(conversation: &Conversation) -> Conversation {
    let (acts, end): (&[Act], &[Act]) = match conversation.acts.as_slice() {
        [acts @ .., Act::HalfMessage] => (acts, &[Act::Message(SHORT), Act::Quit]),
        acts @ [.., Act::Data] => (acts, &[Act::Message(SHORT), Act::Quit]),
        acts => (acts, &[Act::Quit]),
    };
    Conversation { acts: [acts, end].concat(), ..conversation.clone() }
}

/// Bytes of the messages.
fn length(conversation: &Conversation) -> u64 {
    conversation.acts.iter().map(|act| if let Act::Message(length) = act { *length } else { 0 }).sum()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
