//! What the kernel of this machine knows of the server's side of connections.

use std::collections::HashSet;
use std::net::SocketAddr;

/// The sockets at a server's address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OtherSide {
    /// Connections that wait to be accepted, of all listeners.
    pub waiting: u32,
    /// How many may wait: the backlog of the listener with the shortest one; 0 where that is not known.
    pub backlog: u32,
    /// The clients' addresses of all connections that the server's side has, accepted or waiting.
    pub clients: HashSet<SocketAddr>,
}

impl OtherSide {
    /// Whether connections are being turned away or about to be.
    pub fn is_full(&self) -> bool {
        self.backlog > 0 && self.waiting >= self.backlog
    }
}
