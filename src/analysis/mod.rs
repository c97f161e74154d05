//! From a run's folder to its result: verdicts, drift, comparison. Knows nothing of how it is shown.

pub mod analyzed;
mod censuses;
mod compare;
mod conclusion;
pub mod csv;
pub mod drift;
mod findings;
mod holders;
mod load;
mod material;
pub mod parts;
pub mod profile;
pub mod result;
mod run;
mod sentences;
mod settings;
mod thresholds;
mod timeline;
pub mod view;
pub mod waiting;

pub use compare::{Comparison, compare};
pub use run::{AnalysisError, analyse};
pub use settings::{Figure, Settings, Threshold};
