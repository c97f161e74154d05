//! From a run's folder to its result: verdicts, drift, comparison. Knows nothing of how it is shown.

pub mod against;
mod analyse;
pub mod analyze_json;
pub mod bisection;
mod callers;
mod censuses;
pub mod compare;
mod compare_functions;
mod compare_instructions;
mod conclusion;
pub mod csv;
mod csv_columns;
pub mod drift;
mod drivers;
mod findings;
pub mod flame;
mod history;
mod holders;
mod instructions;
pub mod laid;
mod load;
mod processes;
pub mod profile;
pub mod profile_figures;
pub mod result;
mod settings;
mod settings_read;
pub mod slices;
mod thresholds;
mod timeline;
pub mod view;
pub mod waiting;

pub use analyse::{AnalysisError, analyse};
pub use compare::{Comparison, compare};
pub use settings::Settings;
pub use thresholds::{Condition, ThresholdTable};
