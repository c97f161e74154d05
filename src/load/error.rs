//! What keeps a load from starting. What happens while it runs is counted, not raised.

use std::net::IpAddr;
use std::path::PathBuf;

/// Why a load could not start, or could not go on for a reason of the client's own.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The address is no address.
    #[error("`{text}` is no address: {reason}; write HOST:PORT, inet:HOST:PORT or unix:PATH")]
    Address {
        /// What was typed.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The name does not resolve.
    #[error("{host} does not resolve ({reason}){}", nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    Unresolved {
        /// The name.
        host: String,
        /// The resolver's text.
        reason: String,
        /// The nearest name that is known here.
        nearest: Option<String>,
    },
    /// Another machine, and nobody said that it may be loaded.
    #[error("{host} ({address}) is not this machine: a load on somebody else's server needs --allow-remote")]
    Remote {
        /// What was typed.
        host: String,
        /// What it resolved to.
        address: IpAddr,
    },
    /// The payload cannot be read.
    #[error("{}: {source}", path.display())]
    Payload {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line of a script that means nothing.
    #[error("line {line} of the script: {reason}")]
    Script {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The scenario or the options ask for what cannot be.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// `--hold` asks for more connections than this process may have.
    #[error(
        "--hold opens {wanted} connections at once, but `ulimit -n` allows {limit} descriptors: raise the hard limit \
         (`ulimit -Hn`) or ask for fewer sessions"
    )]
    Descriptors {
        /// Connections asked for.
        wanted: u64,
        /// The hard limit.
        limit: u64,
    },
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// The program that should make the load is not there.
    #[error(
        "Locust is not installed here, neither as `locust` nor as a module of python3. Install it with\n  \
         python3 -m venv ~/locust && ~/locust/bin/pip install locust && PATH=~/locust/bin:$PATH"
    )]
    NoLocust,
    /// It is there and does not do it.
    #[error("--engine locust: {0}")]
    Locust(String),
    /// The operating system refused something that a load cannot do without.
    #[error("{what}: {source}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// Why not.
        source: std::io::Error,
    },
}

/// What was asked for and cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No messages a second.
    #[error("the rate must be above 0")]
    Rate,
    /// More conversations than there are threads for.
    #[error("--script plays at most {most} conversations at once (-s)")]
    AtOnce {
        /// As many as may be.
        most: u64,
    },
    /// It would break out of its line.
    #[error("the {what} {text:?} contains a control character")]
    Control {
        /// What it is.
        what: &'static str,
        /// As it was given.
        text: String,
    },
    /// A mailbox in other words than SMTP's.
    #[error("the {what} {text:?} is no address: leave out `<`, `>` and spaces")]
    Mailbox {
        /// Sender or recipient.
        what: &'static str,
        /// As it was given.
        text: String,
    },
    /// Only a sender may be the null address.
    #[error("the recipient is empty")]
    NoRecipient,
    /// The name to greet with.
    #[error("the name in HELO {name:?} is no host name")]
    HostName {
        /// As it was given.
        name: String,
    },
    /// What is said in a greeting, without one.
    #[error("without HELO there is no STARTTLS, AUTH, PIPELINING or LMTP")]
    NoGreeting,
    /// What only EHLO offers, after HELO.
    #[error("STARTTLS, AUTH and PIPELINING need EHLO")]
    NeedsEhlo,
    /// Another program makes the load, and cannot make this one.
    #[error("--engine smtp-source: it {lacks}; scenario `{scenario}` needs --engine builtin")]
    SmtpSource {
        /// What it cannot do.
        lacks: &'static str,
        /// The scenario that asks for it.
        scenario: String,
    },
    /// A wait of less than a second.
    #[error("--engine smtp-source: it waits whole seconds alone")]
    WholeSeconds,
    /// The same, of Locust's workers.
    #[error("--engine locust: it {lacks}; scenario `{scenario}` needs --engine builtin")]
    Locust {
        /// What it cannot do.
        lacks: &'static str,
        /// The scenario that asks for it.
        scenario: String,
    },
    /// Nothing to run.
    #[error("--load-command is empty: write what is to be run, `{{host}}` and `{{port}}` in it")]
    NoCommand,
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The library has none of its protocols.
    #[error(transparent)]
    Protocols(#[from] rustls::Error),
    /// The host's name can be in no certificate.
    #[error("`{host}` is no name that a certificate could bear")]
    Name {
        /// As it was typed.
        host: String,
    },
    /// The file of trusted certificates holds none.
    #[error("{}: no certificate in this file", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The file of trusted certificates cannot be used.
    #[error("{}: {source}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl LoadError {
    /// For `map_err`: the operating system refused `what`.
    pub(super) fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}
