//! The ticker and what it reads at which rate; the thorough reading at a settle point (the floor);
//! when a server has come to rest; what is named of what survived; why it stalled.
//!
//! The room reads processes and judges nothing but stillness and stalls: whether something leaks is
//! decided elsewhere, from the floors that it hands out.

mod descriptors;
mod error;
mod floor;
mod peers;
mod quiet;
mod row;
mod sampler;
pub mod stall;
mod tracker;
mod watcher;

pub use descriptors::{Group, Naming, groups, survivors};
pub use error::Error;
pub use floor::{FdCounts, Floor, Reader};
pub use peers::{Listener, MAIL_PORTS, MailConnection, holders, listeners_at, listening, outside_mail_connections};
pub use quiet::{Idle, Moment, Quiet, QuietRule, Rest, Unrest};
pub use row::{Sample, SocketSample};
pub use sampler::{Effort, Rates, Sampler, SamplerHandle, Sink};
pub use tracker::{Tracker, Trackers};
pub use watcher::Watcher;
