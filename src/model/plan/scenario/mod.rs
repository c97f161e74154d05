//! Scenarios: what a load does, as plain values. A scenario says how many sessions, how far each goes
//! and how it ends; it knows neither sockets nor the server that it will meet.
//!
//! The recipe's five come first, in their order, then the other built-ins, then those of the
//! configuration file (`[scenario.NAME]` in `profile-run.toml`).

mod builtin;
mod catalog;
mod config;
mod seconds;
mod single;
mod value;

pub use builtin::{BUILT_IN, RECIPE, built_in};
pub use catalog::{Catalog, ScenarioError, nearest};
pub use config::{AtMost, LengthConfig, ScenarioConfig};
pub use single::{single, smaller_load};
pub use value::{
    Delay, Depth, Ending, Expect, FEW, Greeting, LARGE, Length, Payload, PerConnection, Scenario, Slow, TlsMode, Unit,
};
