//! What a reader sees: the HTML report, the profile page, the Markdown summary.
//!
//! Everything here turns a [`RunView`](crate::analysis::view::RunView) into text and measures nothing
//! itself. The parts of the report have a file each, in the order in which they stand on the page.

mod axis;
mod censuses;
mod comparison;
mod drift;
mod embed;
mod error;
mod exports;
mod facts;
mod figures;
mod flame;
mod floors;
mod functions;
mod holders;
mod how_it_ran;
mod instructions;
mod links;
mod load;
mod markdown;
mod matrix;
mod page;
mod processes;
mod sheet;
mod thresholds;
mod timeline;
mod whole;
mod words;

pub use comparison::{comparison_html, comparison_markdown};
pub use embed::{RESULT_ID, read_result};
pub use error::Error;
pub use exports::{Export, export};
pub use markdown::markdown;
pub use page::{html, profile_html};
pub use whole::{stream_whole, write_whole};
