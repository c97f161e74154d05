//! The ticker and what it reads at which rate; the thorough reading at a settle point (the floor);
//! when a server has come to rest; what is named of what survived; why it stalled.
//!
//! The room reads processes and judges nothing but stillness and stalls: whether something leaks is
//! decided elsewhere, from the floors that it hands out.

mod descriptors;
mod error;
mod floor;
mod settle_rule;
mod socket_sample;
mod ticker;
mod tracker;
mod tree_sum;
mod watcher;

pub use descriptors::{Group, Naming, groups, survivors};
pub use error::Error;
pub use floor::{FdCounts, Floor, Reader};
pub use settle_rule::{Idle, Moment, Quiet, QuietRule, Rest, Unrest};
pub use socket_sample::SocketSample;
pub use ticker::{Effort, Rates, Sampler, SamplerHandle, Sink};
pub use tracker::{Tracker, Trackers};
pub use watcher::Watcher;
