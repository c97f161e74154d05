//! What was asked, as plain values: no sockets, no processes, no clock. A plan can be written down.

mod run;
pub mod scenario;

pub use crate::model::Pass;
pub use run::{Engine, FailOn, Mail, Plan};
