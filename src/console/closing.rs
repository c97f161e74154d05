//! The closing table: the verdict, at most seven lines of figures, the report's path.

use super::style::Style;
use crate::model::Verdict;

/// What the closing table says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// The verdict, where one was asked for.
    pub verdict: Option<Verdict>,
    /// The verdict's sentence.
    pub sentence: String,
    /// Label and figures; the first seven are shown.
    pub lines: Vec<(String, String)>,
    /// Thresholds: held or not, the condition, where and by which figure. All of them are shown.
    pub thresholds: Vec<(bool, String, String)>,
    /// Where the report is.
    pub report: String,
}

/// The table as text, without a final newline.
pub fn closing(closing: &Closing, style: Style, quiet: bool) -> String {
    let mut out = String::new();
    if !quiet {
        out.push('\n');
    }
    if let Some(verdict) = closing.verdict {
        out.push_str(&format!("{}  ", style.verdict(verdict)));
    }
    out.push_str(&format!("{}\n", style.bold(&closing.sentence)));
    if !quiet {
        for (label, figures) in closing.lines.iter().take(7) {
            out.push_str(&format!("  {} {figures}\n", style.dim(&format!("{label:<12}"))));
        }
        let width = closing.thresholds.iter().map(|(_, condition, _)| condition.chars().count()).max().unwrap_or(0);
        for (held, condition, figure) in &closing.thresholds {
            let state = if *held { style.dim("held        ") } else { style.bold("broken      ") };
            out.push_str(&format!("  {state} {condition:<width$}  {figure}\n"));
        }
    }
    out.push_str(&format!("  {} {}", style.dim(&format!("{:<12}", "report")), closing.report));
    out
}
