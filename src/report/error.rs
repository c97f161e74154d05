//! What can go wrong while a report is made. Writing files is `std::io`'s business.

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A template did not render.
    #[error("the report's template did not render: {0}; this is a fault of profile-run, please report it")]
    Template(#[from] askama::Error),
    /// A value could not be written as JSON.
    #[error("the result could not be written as JSON: {0}; this is a fault of profile-run, please report it")]
    Json(#[from] serde_json::Error),
    /// A chart could not be drawn.
    #[error("the chart {chart} could not be drawn: {cause}; this is a fault of profile-run, please report it")]
    Chart {
        /// Which chart.
        chart: String,
        /// What plotters or inferno said.
        cause: String,
    },
}
