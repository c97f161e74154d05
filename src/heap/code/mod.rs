//! The compiled code of a running PHP: which lines fill a container and which empty it. Read from a copy, once a
//! process; nothing here knows a process, and what does not fit what it is read by is refused.

mod accesses;
mod calls;
mod conditions;
mod containers;
mod functions;
mod opcodes;
mod slots;
mod sole;
mod steps;

pub use containers::read;
