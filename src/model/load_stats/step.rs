//! The steps of a session, by the names under which they are counted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a session waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The connection.
    Connect,
    /// The server's greeting.
    Banner,
    /// The TLS handshake.
    Tls,
    /// The reply to HELO, EHLO or LHLO.
    Helo,
    /// The reply to STARTTLS.
    Starttls,
    /// A reply to AUTH.
    Auth,
    /// The reply to MAIL.
    Mail,
    /// The reply to a RCPT.
    Rcpt,
    /// The reply to DATA.
    Data,
    /// The reply to the end of the message.
    Message,
    /// The reply to RSET.
    Rset,
    /// The reply to QUIT.
    Quit,
    /// The reply to any other command.
    Command,
    /// The server's close after its reply to QUIT.
    Close,
    /// The end of a run of another program that makes the load.
    Run,
}

impl Step {
    /// All of them, in a session's order.
    pub const ALL: [Step; 15] = [
        Step::Connect,
        Step::Banner,
        Step::Tls,
        Step::Helo,
        Step::Starttls,
        Step::Auth,
        Step::Mail,
        Step::Rcpt,
        Step::Data,
        Step::Message,
        Step::Rset,
        Step::Quit,
        Step::Command,
        Step::Close,
        Step::Run,
    ];

    /// The name in counts and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Step::Connect => "connect",
            Step::Banner => "banner",
            Step::Tls => "tls",
            Step::Helo => "helo",
            Step::Starttls => "starttls",
            Step::Auth => "auth",
            Step::Mail => "mail",
            Step::Rcpt => "rcpt",
            Step::Data => "data",
            Step::Message => "message",
            Step::Rset => "rset",
            Step::Quit => "quit",
            Step::Command => "command",
            Step::Close => "close",
            Step::Run => "run",
        }
    }
}
