//! Made-up servers: what each conversation keeps is known, and what the ledger says of it is held against that.

use super::*;
use crate::model::Neither;
use crate::verdict::ledger::{Reading, Whole};
use Act::{Auth, Data, Ehlo, Mail, Message, Noop, Quit, Rcpt, RefusedRcpt, Rset, Starttls};

/// Bytes that a server keeps of a conversation, by how many messages it had before and by the time.
type Rule = Box<dyn FnMut(&Conversation, u64) -> i64>;

/// The codes with which it answers.
type Answers = Box<dyn Fn(&Conversation) -> Vec<Option<u16>>>;

struct Server {
    rule: Rule,
    /// Bytes a second, whatever is played.
    by_itself: f64,
    garbage: i64,
    never_answers: Option<Act>,
    answers: Answers,
    messages: u64,
    plays: u64,
    /// Plays that there is time for.
    time: u64,
    /// Plays of a round.
    round: u64,
}

impl Server {
    fn of(rule: impl FnMut(&Conversation, u64) -> i64 + 'static) -> Self {
        Self {
            rule: Box::new(rule),
            by_itself: 0.0,
            garbage: 0,
            never_answers: None,
            answers: Box::new(|c| c.acts.iter().map(|_| Some(250)).collect()),
            messages: 0,
            plays: 0,
            time: 600,
            round: 500,
        }
    }

    /// As a real one: a message needs what comes before it.
    fn once(&mut self, conversation: &Conversation) -> i64 {
        self.plays += 1;
        let kept = (self.rule)(conversation, self.messages);
        self.messages += messages(conversation, 0);
        kept
    }

    fn ledger(mut self, offers: Offers) -> Ledger {
        inquire(&mut self, offers).unwrap()
    }
}

impl Bench for Server {
    fn play(&mut self, conversation: &Conversation) -> Result<Played, Stop> {
        if let Some(act) = self.never_answers.filter(|act| conversation.acts.contains(act)) {
            return Ok(Played::Unanswered(act));
        }
        let kept = self.once(conversation) + (self.by_itself * 0.02) as i64;
        let reading = Reading { kept, garbage: self.garbage, roots: self.garbage / 40 };
        let answers = (self.answers)(conversation);
        Ok(Played::Whole(Whole { reading, refusals: Vec::new(), answers }))
    }

    fn many(&mut self, conversation: &Conversation, _: i64) -> Result<(u64, i64), Stop> {
        let plays = self.plays;
        let grown = (0..self.round).map(|_| self.once(conversation)).sum();
        self.plays = plays;
        Ok((self.round, grown))
    }

    fn pause(&mut self) -> Result<(f64, i64), Stop> {
        Ok((0.5, (self.by_itself * 0.5) as i64))
    }

    fn used(&self) -> f64 {
        self.plays as f64 / self.time as f64
    }

    fn headers(&self) -> u64 {
        0
    }

    fn until_collector(&self, roots: i64) -> Option<u64> {
        (roots > 0).then(|| 10_001 / roots as u64)
    }
}

/// Whole messages of at least so many bytes: after EHLO, MAIL, RCPT, DATA.
fn messages(conversation: &Conversation, least: u64) -> u64 {
    let (mut greeted, mut mail, mut rcpt, mut taken) = (false, false, false, 0);
    for act in &conversation.acts {
        match act {
            Ehlo => greeted = true,
            Mail => mail = greeted,
            Rset => mail = false,
            Rcpt => rcpt = mail,
            Message(length) => {
                taken += u64::from(rcpt && *length >= least);
                (mail, rcpt) = (false, false);
            }
            _ => {}
        }
    }
    taken
}

fn count(conversation: &Conversation, act: Act) -> i64 {
    conversation.acts.iter().filter(|other| **other == act).count() as i64
}

#[track_caller]
fn named(ledger: &Ledger) -> &Kept {
    assert_eq!(ledger.status, LedgerStatus::Named, "{ledger:#?}");
    assert_eq!(ledger.kept.len(), 1, "{:#?}", ledger.kept);
    &ledger.kept[0]
}

#[test]
fn a_message_at_its_dot() {
    let ledger = Server::of(|c, _| messages(c, 0) as i64 * 1024).ledger(Offers::default());
    let kept = named(&ledger);
    assert_eq!((kept.at, kept.bytes, kept.each), (KeptAt::Step(Message(SHORT)), 1024, Some(true)));
    assert_eq!(kept.shortest.acts, [Ehlo, Mail, Rcpt, Data, Message(SHORT)]);
    assert!(kept.played > 1_500, "{}", kept.played);
}

#[test]
fn each_step_by_its_own_name() {
    let all = Offers { starttls: true, auth: true, pipelining: true };
    let told = |acts: &[Act], rule: fn(&Conversation) -> i64| {
        let ledger = Server::of(move |c, _| rule(c)).ledger(all);
        let kept = named(&ledger).clone();
        assert_eq!((kept.shortest.acts.as_slice(), kept.bytes), (acts, 512), "{kept:?}");
        (kept.at, kept.nth, kept.each)
    };
    assert_eq!(told(&[], |_| 512), (KeptAt::Connection, 1, Some(false)));
    assert_eq!(told(&[], |c| if c.is_polite() { 0 } else { 512 }), (KeptAt::Vanishing, 1, Some(false)));
    assert_eq!(told(&[Quit], |c| 512 * count(c, Quit)), (KeptAt::Step(Quit), 1, Some(false)));
    assert_eq!(told(&[Ehlo], |c| 512 * count(c, Ehlo)), (KeptAt::Step(Ehlo), 1, Some(true)));
    assert_eq!(told(&[Noop], |c| 512 * count(c, Noop)), (KeptAt::Step(Noop), 1, Some(true)));
    assert_eq!(told(&[Rset], |c| 512 * count(c, Rset)), (KeptAt::Step(Rset), 1, Some(true)));
    assert_eq!(told(&[Auth], |c| 512 * count(c, Auth)), (KeptAt::Step(Auth), 1, Some(true)));
    assert_eq!(told(&[Starttls], |c| 512 * count(c, Starttls)), (KeptAt::Step(Starttls), 1, None));
    assert_eq!(told(&[RefusedRcpt], |c| 512 * count(c, RefusedRcpt)), (KeptAt::Step(RefusedRcpt), 1, Some(true)));
    let second = |c: &Conversation| 512 * i64::from(count(c, Rcpt) >= 2 && count(c, Data) < 2);
    assert_eq!(told(&[Rcpt, Rcpt], second), (KeptAt::Step(Rcpt), 2, Some(false)));
    let piped = |c: &Conversation| 512 * i64::from(c.pipelined && count(c, Mail) == 1 && count(c, Rcpt) >= 1);
    assert_eq!(told(&[Mail, Rcpt], piped), (KeptAt::Pipelining, 1, None));
    let large = |c: &Conversation| 512 * messages(c, LARGE) as i64;
    let acts = [Ehlo, Mail, Rcpt, Data, Message(LARGE)];
    assert_eq!(told(&acts, large), (KeptAt::Step(Message(LARGE)), 1, Some(true)));
}

/// What is kept, and whether a repeated step is taken: by the acts that came before, and this one.
type Turn = fn(&[Act], Act) -> (i64, u16);

/// A server that looks at each act in its turn.
#[track_caller]
fn told(turn: Turn) -> (Vec<Act>, Option<bool>, Option<Neither>) {
    fn all(c: &Conversation, turn: Turn) -> impl Iterator<Item = (i64, u16)> {
        c.acts.iter().enumerate().map(move |(at, act)| turn(&c.acts[..at], *act))
    }
    let mut server = Server::of(move |c, _| all(c, turn).map(|(kept, _)| kept).sum());
    server.answers = Box::new(move |c| all(c, turn).map(|(_, code)| Some(code)).collect());
    let ledger = server.ledger(Offers::default());
    let kept = named(&ledger);
    assert_eq!(kept.bytes, 1024, "{kept:?}");
    (kept.shortest.acts.clone(), kept.each, kept.neither)
}

fn before(acts: &[Act], wanted: Act) -> usize {
    acts.iter().filter(|act| **act == wanted).count()
}

fn is_message(act: Act) -> bool {
    matches!(act, Message(_))
}

#[test]
fn a_server_that_takes_data_without_mail_keeps_each_message() {
    let bare = vec![Data, Message(SHORT)];
    assert_eq!(told(|_, act| (1024 * i64::from(is_message(act)), 250)), (bare.clone(), Some(true), None));
    let once: Turn = |acts, act| (1024 * i64::from(is_message(act) && !acts.iter().any(|act| is_message(*act))), 250);
    assert_eq!(told(once), (bare.clone(), Some(false), None));
    // It answers a second one, but takes it after RSET alone; after a whole envelope alone; never.
    let after_reset: Turn = |acts, act| {
        let since = acts.iter().rev().take_while(|act| !matches!(act, Rset)).any(|act| is_message(*act));
        let takes = is_message(act) && !since;
        (1024 * i64::from(takes), if is_message(act) && !takes { 503 } else { 250 })
    };
    assert_eq!(told(after_reset), (bare.clone(), Some(true), None));
    let after_mail: Turn = |acts, act| {
        let since: Vec<Act> = acts.iter().rev().copied().take_while(|act| !is_message(*act)).collect();
        let takes = is_message(act) && (since.len() == acts.len() || since.contains(&Mail) && since.contains(&Rcpt));
        (1024 * i64::from(takes), if is_message(act) && !takes { 503 } else { 250 })
    };
    assert_eq!(told(after_mail), (bare.clone(), Some(true), None));
    let never: Turn = |acts, act| {
        let takes = is_message(act) && !acts.iter().any(|act| is_message(*act));
        (1024 * i64::from(takes), if is_message(act) && !takes { 451 } else { 250 })
    };
    assert_eq!(told(never), (bare, None, Some(Neither::Refused)));
}

#[test]
fn each_or_once_is_what_repetitions_show() {
    let refused: Turn = |_, act| (1024 * i64::from(act == RefusedRcpt), if act == RefusedRcpt { 550 } else { 250 });
    assert_eq!(told(refused), (vec![RefusedRcpt], Some(true), None));
    // Another code is no repetition.
    let tired: Turn = |acts, act| match before(acts, RefusedRcpt) {
        0 if act == RefusedRcpt => (1024, 550),
        _ => (0, if act == RefusedRcpt { 421 } else { 250 }),
    };
    assert_eq!(told(tired), (vec![RefusedRcpt], None, Some(Neither::Refused)));
    let two: Turn = |acts, act| match before(acts, Noop) {
        0 | 1 if act == Noop => (1024, 250),
        _ => (0, if act == Noop { 421 } else { 250 }),
    };
    assert_eq!(told(two), (vec![Noop], Some(true), None));
    let login: Turn = |acts, act| (1024 * i64::from(act == Ehlo && before(acts, Ehlo) == 0), 250);
    assert_eq!(told(login), (vec![Ehlo], Some(false), None));
    // Every second one of a connection: neither.
    let second: Turn = |acts, act| (1024 * i64::from(act == Rset && before(acts, Rset).is_multiple_of(2)), 250);
    assert_eq!(told(second), (vec![Rset], None, Some(Neither::Differs)));
    // The first message of a connection is free.
    let further: Turn = |acts, act| (1024 * i64::from(is_message(act) && acts.iter().any(|act| is_message(*act))), 250);
    assert_eq!(told(further), (vec![Data, Message(SHORT), Data, Message(SHORT)], Some(true), None));
    // The second recipient of each envelope.
    let envelope: Turn = |acts, act| {
        let since = acts.iter().rev().take_while(|act| **act != Mail).filter(|act| **act == Rcpt).count();
        (1024 * i64::from(act == Rcpt && since == 1 && before(acts, Mail) > 0), 250)
    };
    assert_eq!(told(envelope), (vec![Mail, Rcpt, Rcpt], None, Some(Neither::WithStepsBefore)));
}

#[test]
fn a_client_that_vanishes_within_a_message_is_told_from_data() {
    let within = |c: &Conversation| 1024 * i64::from(c.acts.last() == Some(&Data) || c.acts.ends_with(&[Data, Quit]));
    let ledger = Server::of(move |c, _| within(c)).ledger(Offers::default());
    let kept = named(&ledger);
    assert_eq!((kept.at, kept.shortest.acts.as_slice()), (KeptAt::Vanishing, &[Data][..]));
    let at_data = Server::of(|c, _| 1024 * count(c, Data)).ledger(Offers::default());
    assert_eq!((named(&at_data).at, named(&at_data).each), (KeptAt::Step(Data), Some(true)));
}

#[test]
fn rounding_is_no_step_of_its_own() {
    // A block of whole pages, or of the next of four sizes between two powers of two.
    let block = |bytes: u64| match bytes {
        ..=3072 => bytes.next_multiple_of(1 << ((bytes - 1).ilog2().max(5) - 2)),
        _ => bytes.next_multiple_of(4096),
    };
    for halves in [1, 2] {
        let of = move |c: &Conversation| -> i64 {
            let sizes = c.acts.iter().filter_map(|act| if let Message(length) = act { Some(*length) } else { None });
            if messages(c, 0) == 0 { 0 } else { sizes.map(|length| block(24 + length * halves / 2) as i64).sum() }
        };
        let ledger = Server::of(move |c, _| of(c)).ledger(Offers::default());
        let kept = named(&ledger);
        let beside = kept.beside.unwrap();
        assert!((kept.per_byte.unwrap() - halves as f64 / 2.0).abs() < 0.05, "{kept:?}");
        assert!(beside.least <= 24 && beside.most >= 24 && kept.each == Some(true), "{kept:?}");
    }
}

#[test]
fn a_session_and_a_message_apart() {
    let ledger = Server::of(|c, _| 640 + 1024 * messages(c, 0) as i64).ledger(Offers::default());
    let bytes: Vec<(KeptAt, i64)> = ledger.kept.iter().map(|kept| (kept.at, kept.bytes)).collect();
    assert_eq!(bytes, [(KeptAt::Connection, 640), (KeptAt::Step(Message(SHORT)), 1024)], "{ledger:#?}");
}

#[test]
fn what_is_kept_of_the_content_is_said_for_a_byte() {
    let size = |c: &Conversation| {
        let of = |act: &Act| if let Message(length) = act { *length as i64 + 64 } else { 0 };
        if messages(c, 0) == 0 { 0 } else { c.acts.iter().map(of).sum() }
    };
    let ledger = Server::of(move |c, _| size(c)).ledger(Offers::default());
    let kept = named(&ledger);
    assert_eq!((kept.at, kept.bytes), (KeptAt::Step(Message(SHORT)), 164));
    assert_eq!(kept.per_byte, Some(1.0));
}

#[test]
fn arrays_that_double_change_nothing() {
    let mut elements = 0_u64;
    let doubles = move |c: &Conversation, _| {
        let mut bytes = 0;
        for _ in 0..messages(c, 0) {
            elements += 1;
            bytes += 1024 + if elements >= 8 && elements.is_power_of_two() { 16 * elements as i64 } else { 0 };
        }
        bytes
    };
    assert_eq!(named(&Server::of(doubles).ledger(Offers::default())).bytes, 1024);
}

#[test]
fn no_step_is_named_of_what_keeps_nothing() {
    let sound = Server::of(|_, _| 0).ledger(Offers { pipelining: true, ..Offers::default() });
    assert_eq!((sound.status, sound.kept), (LedgerStatus::NothingKept, vec![]));
    let cycles = Server { garbage: 4000, ..Server::of(|_, _| 0) }.ledger(Offers::default());
    assert_eq!(cycles.status, LedgerStatus::NothingKept);
    assert_eq!(cycles.garbage, Some(LedgerGarbage { bytes: 4000, conversations: Some(100) }));
}

#[test]
fn no_step_is_named_of_what_moves_by_itself() {
    let timer = Server { by_itself: 10_240.0, ..Server::of(|_, _| 0) }.ledger(Offers::default());
    assert_eq!(timer.status, LedgerStatus::MovesByItself(10_240.0));
}

#[test]
fn no_step_is_named_of_what_fills_up_or_slows_down() {
    let cache = |c: &Conversation, before: u64| if before < 1000 { 1024 * messages(c, 0) as i64 } else { 0 };
    let ledger = Server::of(cache).ledger(Offers::default());
    assert!(matches!(ledger.status, LedgerStatus::KeepsLess(_)) && ledger.kept.is_empty(), "{:?}", ledger.status);
    for scale in [30.0, 100.0, 300.0, 1000.0] {
        let things = move |n: u64| (scale * (1.0 + n as f64).ln()) as i64;
        let log = move |c: &Conversation, before: u64| 1024 * (things(before + messages(c, 0)) - things(before));
        let ledger = Server::of(log).ledger(Offers::default());
        let fits = matches!(ledger.status, LedgerStatus::KeepsLess(_) | LedgerStatus::NotSteady);
        assert!(fits && ledger.kept.is_empty(), "{scale}: {:?}", ledger.status);
    }
}

#[test]
fn no_step_is_named_of_what_comes_now_and_then() {
    let ledger =
        Server::of(|c, before| 1024 * i64::from(messages(c, 0) > 0 && before % 3 == 0)).ledger(Offers::default());
    assert_eq!((ledger.status, ledger.kept), (LedgerStatus::NotSteady, vec![]));
}

#[test]
fn what_is_given_back_is_not_kept() {
    let mut pending = 0;
    let late = move |c: &Conversation, before: u64| {
        let more = 1024 * messages(c, 0) as i64;
        pending += more;
        // However many come at once, each sixtieth gives all back.
        let is_full = (before + messages(c, 0)) / 60 > before / 60;
        if is_full { more - std::mem::take(&mut pending) } else { more }
    };
    let ledger = Server::of(late).ledger(Offers::default());
    assert!(matches!(ledger.status, LedgerStatus::GivenBack | LedgerStatus::KeepsLess(_)), "{:?}", ledger.status);
    assert_eq!(ledger.kept, []);
}

#[test]
fn a_step_without_an_answer_is_asked_once_and_left_out() {
    let server = Server { never_answers: Some(Rset), ..Server::of(|c, _| 1024 * messages(c, 0) as i64) };
    let ledger = server.ledger(Offers::default());
    assert_eq!(ledger.left_out, [LeftOut { step: Rset, unanswered: true }]);
    assert_eq!(named(&ledger).bytes, 1024);
}

#[test]
fn where_the_time_ends_nothing_is_claimed() {
    let ledger = Server { time: 12, ..Server::of(|_, _| 0) }.ledger(Offers::default());
    assert_eq!(ledger.status, LedgerStatus::TimeUsed);
    assert!(!ledger.steps.is_empty());
}

#[test]
fn a_slow_server_has_had_no_time_to_fill_what_fills_up() {
    let server = |round| Server { round, ..Server::of(|c, _| 1024 * messages(c, 0) as i64) }.ledger(Offers::default());
    let slow = server(60);
    assert_eq!((slow.status, slow.kept), (LedgerStatus::TimeUsed, Vec::new()));
    assert_eq!(named(&server(110)).bytes, 1024);
    // Nothing is left that more of them could take.
    assert_eq!(named(&server(0)).bytes, 1024);
}
