//! What was asked, as plain values: no sockets, no processes, no clock.

pub mod scenario;
