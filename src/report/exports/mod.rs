//! A run for other programs: test reports, code scanning, annotations, metrics, a picture. One file a format.

mod export;
mod findings;
mod firefox;
mod github;
mod junit;
mod metrics;
mod plot;
mod sarif;

pub use export::{Export, export};
