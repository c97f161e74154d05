//! Profiles while they are written: each forked process gets a file of its own; what grows large is read as it grows and
//! released behind the reader. Knows no server and no report.

mod counted;
mod follow;
mod preload;
mod room;
mod writers;

pub use counted::{CountError, instructions};
pub use follow::{FindProcess, Followed, Follower, MakeFile, Outcome};
pub use preload::{Refused, Separate};
pub use room::Bound;
pub use writers::Writer;

pub use crate::profile::has_header;
