//! The ledger of a run: conversations as values, and what each of them left in the server's heap.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name under which the ledger's conversations stand among the load.
pub const LEDGER: &str = "ledger";

/// The file, in the run's folder, that plays the shortest conversation again.
pub const REPRODUCE: &str = "reproduce.smtp";

/// One thing that the client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// EHLO, or HELO where the server knows that alone.
    Ehlo,
    /// STARTTLS, and the handshake.
    Starttls,
    /// AUTH.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT that the server accepts.
    Rcpt,
    /// RCPT for an address under `.invalid`.
    RefusedRcpt,
    /// DATA.
    Data,
    /// A message of so many bytes, and the final dot.
    Message(u64),
    /// The first half of a message, without its dot.
    HalfMessage,
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// QUIT.
    Quit,
}

impl Act {
    /// It stands behind DATA, and nowhere else.
    pub fn is_content(self) -> bool {
        matches!(self, Act::Message(_) | Act::HalfMessage)
    }
}

/// What the client does from the greeting on; then it closes the connection. Without QUIT it vanishes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conversation {
    /// In their order.
    pub acts: Vec<Act>,
    /// MAIL, RCPT and DATA that stand together go in one write (PIPELINING).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pipelined: bool,
}

impl Conversation {
    /// Each command after the reply to the one before.
    pub fn of(acts: &[Act]) -> Self {
        Self { acts: acts.to_vec(), pipelined: false }
    }

    /// It says QUIT.
    pub fn is_polite(&self) -> bool {
        self.acts.contains(&Act::Quit)
    }
}

/// What the heap's readings after one conversation, played several times, show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Regularity {
    /// Nothing is kept.
    Nothing,
    /// About the same each time.
    EachTime,
    /// Nothing most times, something at more than a quarter of them.
    NowAndThen,
    /// Another amount each time.
    Varies,
}

/// One conversation, and what it left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerStep {
    /// What the client did.
    #[serde(flatten)]
    pub conversation: Conversation,
    /// How often it was read.
    pub readings: u64,
    /// Bytes that PHP's heap held more after it, without garbage: the median.
    pub kept: i64,
    /// The least of the readings.
    pub least: i64,
    /// The most.
    pub most: i64,
    /// Bytes of garbage that it left for the collector: the median.
    pub garbage: i64,
    /// What the readings show.
    pub regularity: Regularity,
    /// Refusals by step and code, `rcpt_550`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<String>,
}

/// What keeps bytes in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeptAt {
    /// The connection as such.
    Connection,
    /// The end of a connection whose client vanished without QUIT.
    Vanishing,
    /// Commands that came in one write.
    Pipelining,
    /// This step.
    Step(Act),
}

/// Why neither each time nor once a connection is said of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Neither {
    /// Each time that the steps before it come again as well; not when it alone does.
    WithStepsBefore,
    /// The server did not take it again within a connection.
    Refused,
    /// Repetitions keep something else.
    Differs,
    /// It was not repeated: there is no way to, or no time.
    NotTried,
}

/// Bytes that a message keeps whatever the length of its body. The allocator rounds what it hands out, so that they lie
/// between two figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Beside {
    /// At least; below 0 where it is nothing, or less is kept than comes in.
    pub least: i64,
    /// At most.
    pub most: i64,
    /// Bytes of the headers that were sent with each message: they may be among them.
    pub headers: u64,
}

/// A step that keeps bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Kept {
    /// What keeps them.
    pub at: KeptAt,
    /// Which of several such steps of the conversation: 2 for a second recipient.
    pub nth: u64,
    /// Bytes, as PHP's allocator counts them.
    pub bytes: i64,
    /// Each time that the step comes, or once a connection: as repetitions that the server took have shown.
    pub each: Option<bool>,
    /// Why it is neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neither: Option<Neither>,
    /// Bytes more for each byte of a message, where it depends on the length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_byte: Option<f64>,
    /// What a message keeps beside those, where its lengths tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
    /// The shortest conversation that keeps them.
    pub shortest: Conversation,
    /// How often that was played, all in all.
    pub played: u64,
}

/// What the ledger came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", content = "why", rename_all = "snake_case")]
pub enum LedgerStatus {
    /// The steps that keep bytes are named.
    Named,
    /// Nothing is kept by any conversation.
    NothingKept,
    /// What is kept differs from time to time.
    NotSteady,
    /// The heap moves without any traffic, by so many bytes a second.
    MovesByItself(f64),
    /// What was kept was given back later.
    GivenBack,
    /// After so many conversations it keeps less: something fills up.
    KeepsLess(u64),
    /// The time was used up before anything could be said.
    TimeUsed,
    /// `--ledger off`.
    Off,
    /// A tenth of the budget is too short; a budget of so many seconds would do.
    BudgetTooShort(f64),
    /// No heap can be read, for this reason.
    NotReadable(String),
    /// Another program makes the load.
    OtherEngine,
    /// The server stopped answering.
    Silent,
    /// The server ended, or its processes changed.
    Fell,
}

/// A conversation that was left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// The step at which it ended.
    pub step: Act,
    /// It was never answered; otherwise the connection broke.
    pub unanswered: bool,
}

/// Garbage of one whole conversation with a message.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerGarbage {
    /// Bytes.
    pub bytes: i64,
    /// So many such conversations until the collector runs, where it counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversations: Option<u64>,
}

/// The ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ledger {
    /// What it came to.
    #[serde(flatten)]
    pub status: LedgerStatus,
    /// Each conversation.
    pub steps: Vec<LedgerStep>,
    /// The steps that keep bytes, the shortest conversation first.
    pub kept: Vec<Kept>,
    /// What was left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// Garbage that a whole conversation leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub garbage: Option<LedgerGarbage>,
    /// The file in the run's folder that plays the first of `kept`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// Seconds that it took.
    pub seconds: f64,
}

impl Ledger {
    /// One that tells why there is none.
    pub fn without(status: LedgerStatus) -> Self {
        Self {
            status,
            steps: Vec::new(),
            kept: Vec::new(),
            left_out: Vec::new(),
            garbage: None,
            script: None,
            seconds: 0.0,
        }
    }
}
