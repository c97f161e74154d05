//! From a run's folder to its result: verdicts, drift, comparison. Knows nothing of how it is shown.

mod compare;
mod conclusion;
pub mod csv;
mod findings;
mod holders;
mod load;
mod material;
pub mod profile;
pub mod result;
mod run;
mod sentences;
mod settings;
mod thresholds;
mod timeline;
pub mod view;

pub use compare::{Comparison, compare};
pub use run::{AnalysisError, analyse};
pub use settings::{Figure, Settings, Threshold};
