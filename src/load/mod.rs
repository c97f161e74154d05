//! The load: scenarios made into sessions, replies checked, latencies counted.
//!
//! Pure parts, which know neither socket nor clock: [`reply`] (bytes to replies), [`dialogue`] (replies to
//! what comes next), [`pace`] (when messages are due), [`payload`]. The engine ties
//! them to sockets, on one thread: [`run`] is blocking and is called on a thread of its own.

mod address;
mod alarm;
mod base64;
mod cpu;
pub mod dialogue;
mod engine;
mod error;
pub mod external;
mod job;
mod limits;
mod link;
pub mod pace;
pub mod payload;
pub mod preflight;
pub mod reply;
mod rng;
pub mod script;
mod tls;

pub use crate::model::load_stats::{Count, Latency, LoadStats, Stall, Step};
pub use address::{Address, Endpoint, Family, Resolved};
pub use engine::run;
pub use error::LoadError;
pub use external::{Tool, run_external};
pub use job::{Auth, Control, Job, Live, Mechanism, PACE, Rate, SessionOptions};
pub use preflight::{Preflight, PreflightError, PreflightTimes, Refused, preflight, probe_banner};
pub use rng::Rng;
