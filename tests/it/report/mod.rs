//! The report in a browser.

mod compared;
mod page;
mod runs;
