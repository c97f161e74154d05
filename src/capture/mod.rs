//! Profiles while they are written: each forked process gets a file of its own. Knows no server and no report.

mod preload;

pub use preload::{Refused, Separate};
