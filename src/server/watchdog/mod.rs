//! The process that stands between a run and everything that it starts for the server's sake.
//!
//! Server and hooks are children of the watchdog, not of the run, and the watchdog is a subreaper:
//! whatever they leave orphaned becomes its child, whatever it did to its environment, title, user or
//! session. So all that descends from the watchdog is ours and nothing else is, and its own wait says
//! without a race whether anything is left. When the run's end of the socket closes, for whatever
//! reason, it kills what is left and removes the run's private folder.
//!
//! The run is a subreaper too: should the watchdog be killed first, the run inherits the tree and goes
//! on by pid and start time. Only where both are killed, the watchdog first, does a tree survive;
//! `profile-run doctor` finds such a one by its mark.

mod handle;
mod life;
mod message;

pub use handle::{ARGUMENT, NAME, Start, Watchdog};
pub use life::main;
