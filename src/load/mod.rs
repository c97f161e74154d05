//! The load: scenarios made into sessions, replies checked, latencies counted.
//!
//! Pure parts, which know neither socket nor clock: [`reply`] (bytes to replies), [`dialogue`] (replies to
//! what comes next), [`schedule`] (when messages are due), [`payload`]. The engine ties
//! them to sockets, on one thread: [`run`] is blocking and is called on a thread of its own.

mod address;
mod alarm;
mod cpu;
mod cram;
pub mod dialogue;
mod engine;
mod error;
pub mod external;
mod job;
mod limits;
mod link;
pub mod payload;
mod play;
pub mod preflight;
pub mod reply;
mod retransmits;
mod run;
pub mod schedule;
pub mod script;
mod tls;
mod wire;

pub use crate::model::load_stats::{Count, Latency, LoadStats, Stall, Step};
pub use address::{Address, Endpoint, Family, Resolved};
pub use dialogue::offered_mechanism;
pub use engine::run;
pub use error::{LoadError, PlanError, TlsError};
pub use external::locust::{Locust, Muster, Note, Workers};
pub use external::{Tool, run_external};
pub use job::{AskKernel, Auth, Control, HANDSHAKES, Job, Live, Mechanism, Rate, SessionOptions, Sources};
pub use play::{CutOff, Move, Once, Recording, Speaker, answers, headers, once, run as play, written};
pub use preflight::{Preflight, PreflightError, PreflightTimes, Refused, preflight};
pub use run::run_with;
pub use wire::probe_banner;
