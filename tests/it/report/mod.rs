//! The report in a browser.

mod accessible;
mod compared;
mod differential;
mod large;
mod links;
mod messages;
mod page;
mod runs;
mod schema;
