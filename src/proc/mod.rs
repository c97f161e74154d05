//! Pure readers of /proc, maps, ELF and sock_diag: text or bytes in, struct out, and thin readers around them.
//!
//! Everything hangs on [`Process`], a handle that keeps `/proc/PID` open: a reused pid can never be
//! mistaken for the process that was meant. The room knows nothing of servers, loads or verdicts.

mod addresses;
mod cgroup;
mod counters;
mod diag;
pub mod elf;
mod error;
mod fd;
mod held;
mod host;
mod limits;
pub mod maps;
mod memory;
mod pidfd;
mod process;
pub mod remote;
mod socket_table;
mod sockets;
mod stat;
mod syscalls;
mod tcp;
mod tree;

pub use addresses::{addresses_of, is_on_bridge, is_own_address, own_addresses};
pub use cgroup::{Cgroup, Version as CgroupVersion, unified_group};
pub use counters::{NetCounters, Segments, oom_kills};
pub use diag::{Diag, Family};
pub use error::Error;
pub use fd::{Descriptor, Kind};
pub use held::{FileId, mapped_by_file, tmpfs_devices};
pub use host::{CpuTime, Host, Load, Meminfo, uptime};
pub use limits::{Limit, Limits};
pub use memory::{Rollup, Statm, Status, page_size};
pub use pidfd::{PidFd, wait_for_an_end};
pub use process::{Process, Waiting, fd_count_is_fast};
pub use socket_table::{Ask, SocketTable};
pub use sockets::{closed_tcp, held_tcp, listening_ports, states};
pub use stat::{Stat, clock_ticks};
pub use syscalls::syscall_name;
pub use tcp::{State, TcpSocket};
pub use tree::{Entry, Tree, is_there, user_of};
