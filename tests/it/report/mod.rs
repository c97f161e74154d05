//! The report in a browser.

mod page;
mod runs;
