//! Metric by scenario: the floors of a run laid out as the verdict's series, and looked at one by one.
//!
//! The conductor feeds it while a run goes on, to learn whether one more wave is wanted; the analysis
//! feeds it the same journal again, so that both come to the same states.

mod cell;
mod facts;
mod layout;
mod lives;

pub use cell::{Cell, Wish};
pub use layout::{Cells, judged, server_figure};
pub use lives::Lives;
