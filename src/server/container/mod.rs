//! A server in a container that the command starts: the client's words, the engine that is asked, the way to the server.

mod client;
mod engine;
mod options;
mod reach;

pub use client::{Client, find as find_client};
pub use engine::{Engine, Whereabouts, is_marked};
pub use reach::{Place, Reach, Way};
