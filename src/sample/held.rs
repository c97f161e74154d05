//! The sockets of several processes by state, counted again and again.

use std::collections::BTreeMap;

use crate::proc::{Process, SocketTable, State, held_tcp, states};

/// Counts the TCP sockets of processes by state.
#[derive(Debug)]
pub struct HeldSockets {
    table: SocketTable,
}

impl Default for HeldSockets {
    fn default() -> Self {
        Self { table: SocketTable::open() }
    }
}

impl HeldSockets {
    /// The states of each process's sockets; processes that cannot be read are left out.
    pub fn count(&mut self, processes: &[&Process]) -> Vec<(i32, BTreeMap<State, u32>)> {
        let mut out = Vec::new();
        for process in processes {
            let Ok(descriptors) = process.descriptors() else { continue };
            if let Ok(held) = held_tcp(process, &descriptors, &mut self.table) {
                out.push((process.pid(), states(held.values())));
            }
        }
        out
    }

    /// Forgets what is known of a process that ended.
    pub fn forget(&mut self, _pid: i32) {}
}
