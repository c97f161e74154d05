//! From a run's folder to its result: verdicts, drift, comparison. Knows nothing of how it is shown.

pub mod csv;
pub mod result;
mod settings;
pub mod view;

pub use settings::{Figure, Settings, Threshold};
