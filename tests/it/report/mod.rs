//! The report in a browser.

mod compared;
mod links;
mod page;
mod runs;
mod schema;
