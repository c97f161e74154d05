//! From a run's folder to its result: verdicts, drift, comparison. Knows nothing of how it is shown.

pub mod csv;
pub mod result;
pub mod view;
