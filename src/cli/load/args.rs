//! What may be typed after `profile-run load`.

use std::path::PathBuf;
use std::time::Duration;

use super::super::fleet;
use super::super::lists::{self, ScenarioName};
use super::super::parse;
use crate::load::{Address, Auth, Mechanism};
use crate::model::plan::Engine;

/// Send SMTP load to a server, in smtp-source's place
///
/// Up to `-s` sessions are in flight; each goes on as soon as the server's banner comes. One message, one
/// connection, unless --keep-open says otherwise. Every reply is checked and counted; the connection is closed
/// in order (QUIT, its reply, the server's close).
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Where the server is: HOST:PORT, inet:HOST:PORT or unix:PATH (port 25 if none is given)
    #[arg(value_name = "HOST:PORT", value_parser = address)]
    pub target: Address,

    /// Sessions in flight at once
    #[arg(short = 's', long, value_name = "N", default_value_t = 1, help_heading = "How much")]
    pub sessions: u64,
    /// Messages in all [default: 1]; with -c and 0 as many sessions as -s, each HELO and QUIT
    #[arg(short = 'm', long, value_name = "N", help_heading = "How much")]
    pub messages: Option<u64>,
    /// Bytes of payload a message, headers not counted: N, MIN-MAX (by chance), or ~MEDIAN-MAX (log-normal)
    #[arg(short = 'l', long, value_name = "BYTES", help_heading = "How much")]
    pub length: Option<String>,
    /// RCPT commands a message, all to the same address unless -N is given
    #[arg(short = 'r', long, value_name = "N", default_value_t = 1, help_heading = "How much")]
    pub recipients: u32,
    /// No DATA: with messages MAIL, RCPT and QUIT; with `-m 0` HELO and QUIT (smtp-source: a running counter)
    #[arg(short = 'c', long, help_heading = "How much")]
    pub no_data: bool,
    /// Accepted for compatibility, no effect: DATA is sent unless -c is given (smtp-source: keep the connection, here --keep-open)
    #[arg(short = 'd', long, help_heading = "How much")]
    pub data: bool,
    /// Send the next message over the same connection, at most N of them (all if N is left out)
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "4294967295", help_heading = "How much")]
    pub keep_open: Option<u32>,
    /// Scenarios in place of -s -m -l -c: NAME[,NAME...]; `recipe` is smoke,sequential,churn,large,handshake
    #[arg(long, alias = "load", value_name = "NAMES", value_delimiter = ',', value_parser = ScenarioName, conflicts_with_all = ["sessions", "messages", "length", "recipients", "no_data", "keep_open", "file"], help_heading = "How much")]
    pub scenario: Option<Vec<String>>,
    /// Sessions and messages of the scenarios times F, at least 1 each
    #[arg(long, value_name = "F", default_value_t = 1.0, value_parser = parse::scale, requires = "scenario", help_heading = "How much")]
    pub scale: f64,
    /// Play the lines of FILE, each as it stands, waiting for each reply; -m N plays it N times, -s at once
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scenario", "length", "recipients", "no_data", "keep_open", "file", "engine", "rate", "duration", "hold", "auth", "starttls"], help_heading = "How much")]
    pub script: Option<PathBuf>,
    /// Where [scenario.NAME] tables are [default: profile-run.toml if it is there]
    #[arg(long, value_name = "FILE", help_heading = "How much")]
    pub config: Option<PathBuf>,

    /// Sender; "" is the empty one
    #[arg(short = 'f', long, value_name = "ADDR", default_value = "test@localhost", help_heading = "SMTP")]
    pub from: String,
    /// Recipient
    #[arg(short = 't', long, value_name = "ADDR", default_value = "test@localhost", help_heading = "SMTP")]
    pub to: String,
    /// Name in HELO or EHLO [default: this machine's]
    #[arg(short = 'M', long, value_name = "NAME", help_heading = "SMTP")]
    pub helo: Option<String>,
    /// Subject header
    #[arg(short = 'S', long, value_name = "TEXT", help_heading = "SMTP")]
    pub subject: Option<String>,
    /// A message as it is, or a folder of .eml files in turn; line ends become CRLF, leading dots are doubled
    #[arg(short = 'F', long, value_name = "FILE|DIR", conflicts_with = "length", help_heading = "SMTP")]
    pub file: Option<PathBuf>,
    /// A number that never repeats before each recipient
    #[arg(short = 'N', long, help_heading = "SMTP")]
    pub number_recipients: bool,
    /// LMTP instead of SMTP
    #[arg(short = 'L', long, help_heading = "SMTP")]
    pub lmtp: bool,
    /// Old mode: no HELO and no message headers
    #[arg(short = 'o', long, help_heading = "SMTP")]
    pub old: bool,
    /// EHLO even where HELO would do
    #[arg(long, help_heading = "SMTP")]
    pub ehlo: bool,
    /// MAIL, RCPT and DATA in one write where the server offers PIPELINING
    #[arg(long, help_heading = "SMTP")]
    pub pipelining: bool,
    /// Log in
    #[arg(long, value_name = "USER:PASS", value_parser = auth, help_heading = "SMTP")]
    pub auth: Option<Auth>,
    /// AUTH mechanism [default: what the server offers, PLAIN, then LOGIN, then CRAM-MD5]
    #[arg(long, value_name = "MECHANISM", value_enum, requires = "auth", help_heading = "SMTP")]
    pub auth_mechanism: Option<MechanismName>,
    /// STARTTLS
    #[arg(long, conflicts_with = "tls", help_heading = "SMTP")]
    pub starttls: bool,
    /// TLS from the first byte
    #[arg(long, help_heading = "SMTP")]
    pub tls: bool,
    /// Trust the certificates of this PEM file alone: an authority, or the server's own; without it none is checked
    #[arg(long, value_name = "FILE", help_heading = "SMTP")]
    pub tls_ca: Option<PathBuf>,

    /// Wait between messages, in seconds or as 250ms
    #[arg(short = 'w', long, value_name = "TIME", value_parser = parse::wait, help_heading = "Timing")]
    pub message_delay: Option<Duration>,
    /// Wait between recipients (smtp-source: a random wait between messages)
    #[arg(short = 'R', long, value_name = "TIME", value_parser = parse::wait, help_heading = "Timing")]
    pub recipient_delay: Option<Duration>,
    /// Randomise -w and -R, from 0 to their values
    #[arg(long, help_heading = "Timing")]
    pub random_delay: bool,
    /// Send on schedule (500/s) however slow the server is; latency counts from the scheduled time
    #[arg(long, value_name = "N/s", value_parser = rate, help_heading = "Timing")]
    pub rate: Option<f64>,
    /// The rate grows from 0 over this time
    #[arg(long, value_name = "TIME", value_parser = parse::wait, requires = "rate", help_heading = "Timing")]
    pub ramp: Option<Duration>,
    /// End after this time; without -m that alone ends it
    #[arg(long, value_name = "TIME", value_parser = parse::wait, help_heading = "Timing")]
    pub duration: Option<Duration>,
    /// Open all sessions before any speaks: a test of limits
    #[arg(long, conflicts_with = "rate", help_heading = "Timing")]
    pub hold: bool,
    /// Sessions between connect and banner at once [default: 100, fewer where the server's backlog is shorter]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Timing")]
    pub pace: Option<u32>,
    /// Long bodies (above 64 KiB) under way at once; 0: no limit
    #[arg(long, value_name = "N", default_value_t = 8, help_heading = "Timing")]
    pub bodies_at_once: u32,
    /// Wait this long before each look for replies, so that several come at once [default: no wait]
    #[arg(long, value_name = "TIME", value_parser = parse::wait, help_heading = "Timing")]
    pub gather: Option<Duration>,
    /// End when the server answered nobody for so long
    #[arg(long, value_name = "TIME", value_parser = parse::duration, default_value = "30s", help_heading = "Timing")]
    pub stall_timeout: Duration,

    /// IPv4 alone
    #[arg(short = '4', long, conflicts_with = "ipv6", help_heading = "Connection")]
    pub ipv4: bool,
    /// IPv6 alone
    #[arg(short = '6', long, help_heading = "Connection")]
    pub ipv6: bool,
    /// Try a refused connection so often
    #[arg(short = 'C', long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Connection")]
    pub connect_tries: u32,
    /// Who makes the load: this program, postfix's smtp-source, --load-command, or Locust
    #[arg(long, value_name = "ENGINE", default_value = "builtin", value_parser = lists::engine(), help_heading = "Connection")]
    pub engine: Engine,
    /// Run this by the shell for each message (or session); {host} {port} {from} {to} {number} are filled in
    #[arg(long, value_name = "COMMAND", required_if_eq("engine", "command"), help_heading = "Connection")]
    pub load_command: Option<String>,
    #[command(flatten)]
    pub fleet: fleet::Args,
    /// Allow a server that is not this machine
    #[arg(long, help_heading = "Connection")]
    pub allow_remote: bool,

    /// Receive window of each connection in bytes, as smtp-source's -T
    #[arg(short = 'T', long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Connection")]
    pub window: Option<u32>,

    /// Accepted for compatibility, no effect: the load always goes on after a refusal
    #[arg(short = 'A', long, help_heading = "Output")]
    pub go_on: bool,
    /// Show the dialogue of the first session; -vv: of the first ten
    #[arg(short = 'v', long, action = clap::ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,
    /// Nothing but errors
    #[arg(short = 'q', long, help_heading = "Output")]
    pub quiet: bool,
    /// JSON lines on stdout, the last one with the result; all else goes to stderr
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// Seed for random lengths and delays
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Output")]
    pub seed: u64,
}

/// The way in which a client shows who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum MechanismName {
    /// One line (RFC 4616)
    Plain,
    /// Two questions
    Login,
    /// A challenge (RFC 2195)
    CramMd5,
}

impl From<MechanismName> for Mechanism {
    fn from(name: MechanismName) -> Self {
        match name {
            MechanismName::Plain => Mechanism::Plain,
            MechanismName::Login => Mechanism::Login,
            MechanismName::CramMd5 => Mechanism::CramMd5,
        }
    }
}

const AFTER_HELP: &str = "\
Examples:
  profile-run load -d -f test@localhost -t test@localhost -s 10 -l 1 -m 10 localhost:2525
  profile-run load -c -s 1000 -m 0 localhost:2525          greeting and QUIT, 1,000 sessions
  profile-run load --rate 200/s --duration 30s -s 100 -l 2000 localhost:2525
  profile-run load --scenario recipe,abrupt,refused localhost:2525

Exit codes: 0 all that was asked was done; 1 some or all was refused or failed; 2 it could not start;
3 the server answered nobody for --stall-timeout; 130 interrupted.

--engine command counts runs: exit code 0 is one done. It needs no SMTP, and says nothing of messages.

Where smtp-source means something else: -c is its running counter, -d keeps its connection open (here
--keep-open), -R is its random wait between messages, -r puts a number before each recipient (here -N), -A goes
on after a refusal (here always). It resets each connection at its end; here --scenario abrupt does that.";

fn address(text: &str) -> Result<Address, String> {
    Address::parse(text).map_err(|error| error.to_string())
}

fn auth(text: &str) -> Result<Auth, String> {
    Auth::parse(text).ok_or_else(|| "write USER:PASS".into())
}

fn rate(text: &str) -> Result<f64, String> {
    let (number, seconds) = match text.split_once('/') {
        None | Some((_, "s")) => (text.trim_end_matches("/s"), 1.0),
        Some((number, "min" | "m")) => (number, 60.0),
        Some((number, "h")) => (number, 3600.0),
        Some(_) => return Err("write it like 500/s, 30/min or 90/h".into()),
    };
    match number.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate / seconds),
        _ => Err("write it like 500/s, above 0".into()),
    }
}
