//! The formats of other programs, and what writes each.

use super::{firefox, github, junit, metrics, plot, sarif};
use crate::analysis::view::RunView;
use crate::report::{Error, words};

/// A format of other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    /// JUnit's XML: a test case for each metric in each scenario, each threshold, and the server itself.
    Junit,
    /// SARIF 2.1.0: what fails, on the line that leaks.
    Sarif,
    /// Workflow commands of GitHub Actions: annotations on the lines that leak.
    Github,
    /// Metrics as text, a line each, as GitLab's metrics reports and Prometheus read them.
    Metrics,
    /// The most telling floors as one SVG picture.
    Plot,
    /// The run over time for the Firefox Profiler: memory and descriptors as counters, waves as markers.
    Firefox,
}

impl Export {
    /// All of them.
    pub const ALL: [Export; 6] =
        [Export::Junit, Export::Sarif, Export::Github, Export::Metrics, Export::Plot, Export::Firefox];

    /// The name of its file in a run's folder.
    pub fn file_name(self) -> &'static str {
        match self {
            Export::Junit => "junit.xml",
            Export::Sarif => "profile-run.sarif",
            Export::Github => "annotations.txt",
            Export::Metrics => "metrics.txt",
            Export::Plot => "plot.svg",
            Export::Firefox => "firefox-profile.json",
        }
    }
}

/// The text of an export.
///
/// # Errors
/// Only faults of this program: a chart or JSON could not be made.
pub fn export(view: &RunView, to: Export) -> Result<String, Error> {
    match to {
        Export::Junit => Ok(junit::junit(&view.result)),
        Export::Sarif => sarif::sarif(view),
        Export::Github => Ok(github::github(view)),
        Export::Metrics => Ok(metrics::metrics(&view.result)),
        Export::Plot => plot::plot(&view.result),
        Export::Firefox => firefox::firefox(view),
    }
}

/// Text for an attribute or an element of XML.
pub(super) fn xml(text: &str) -> String {
    let visible = words::visible(text);
    visible.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
