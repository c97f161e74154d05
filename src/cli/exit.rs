//! The exit codes under their short name.

pub use crate::model::ExitCode as Exit;
