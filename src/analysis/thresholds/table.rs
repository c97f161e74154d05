//! The older form of thresholds, `[[threshold]]`, lowered to conditions.

use serde::{Deserialize, Serialize};

use super::Condition;

/// A figure that a table can be put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableFigure {
    /// Median latency of a message, ms.
    P50Ms,
    /// 90th percentile, ms.
    P90Ms,
    /// 99th percentile, ms.
    P99Ms,
    /// The longest, ms.
    MaxMs,
    /// Messages (or sessions, without messages) a second.
    PerSecond,
    /// Refusals and failures.
    Errors,
    /// CPU of the server for a message (or session), ms.
    ServerCpuMs,
    /// The highest resident memory of the run, bytes.
    RssPeak,
    /// The most descriptors of the run.
    FdPeak,
}

impl TableFigure {
    /// As conditions name it, and their unit.
    fn said(self) -> (&'static str, &'static str) {
        match self {
            TableFigure::P50Ms => ("p50", "ms"),
            TableFigure::P90Ms => ("p90", "ms"),
            TableFigure::P99Ms => ("p99", "ms"),
            TableFigure::MaxMs => ("max", "ms"),
            TableFigure::PerSecond => ("throughput", "/s"),
            TableFigure::Errors => ("errors", ""),
            TableFigure::ServerCpuMs => ("cpu", "ms"),
            TableFigure::RssPeak => ("rss_peak", "B"),
            TableFigure::FdPeak => ("fd_peak", ""),
        }
    }
}

/// A threshold as a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThresholdTable {
    /// What is held.
    pub figure: TableFigure,
    /// In which scenario; in each if none is named.
    #[serde(default)]
    pub scenario: Option<String>,
    /// It may be this at most.
    #[serde(default)]
    pub most: Option<f64>,
    /// It must be this at least.
    #[serde(default)]
    pub least: Option<f64>,
}

impl ThresholdTable {
    /// Its conditions: one for each bound.
    ///
    /// # Errors
    /// It has no bound, or one that is no number from 0 on.
    pub fn conditions(&self) -> Result<Vec<Condition>, String> {
        let (figure, unit) = self.figure.said();
        let place = self.scenario.as_ref().map_or(String::new(), |name| format!(" in {name}"));
        let bounds = [(self.most, '>'), (self.least, '<')];
        let conditions: Vec<Condition> = bounds
            .iter()
            .filter_map(|(bound, sign)| Some(((*bound)?, sign)))
            .map(|(bound, sign)| match bound.is_finite() && bound >= 0.0 {
                true => format!("{figure} {sign} {bound}{unit}{place}").parse(),
                false => Err(format!("{bound} is no bound; write a number from 0 on")),
            })
            .collect::<Result<_, _>>()?;
        if conditions.is_empty() { Err("needs `most` or `least`".to_owned()) } else { Ok(conditions) }
    }
}
