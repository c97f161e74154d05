//! Why a server stopped answering or died: one sentence out of what was seen.
//!
//! [`Observations`] are plain values, [`diagnose`] is a pure function of them, [`Witness`] gathers
//! them from a process that still lives (or from what it left).

mod diagnosis;
mod observe;
mod output;
#[cfg(test)]
mod tests;

pub use diagnosis::{Cause, Diagnosis, diagnose};
pub use observe::{Ended, Observations, Queue, Sleeping, Witness};
