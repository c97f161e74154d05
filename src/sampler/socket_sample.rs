//! What a look at the socket tables tells of one process.

use std::collections::BTreeMap;

use crate::proc::State;

/// The TCP sockets that one process holds, by state.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SocketSample {
    /// Seconds on the run's clock.
    pub seconds: f64,
    /// Process id.
    pub pid: i32,
    /// How many in each state; states that nobody is in are left out.
    pub states: BTreeMap<State, u32>,
}
