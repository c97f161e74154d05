//! Walking over a copy of a PHP's memory: the engine's structures, what must hold of them, who is reached from where.
//! Reads the copy alone, never the process.

mod buffers;
mod callbacks;
pub mod checks;
pub mod classes;
pub mod collector;
pub mod declared;
pub mod engine;
mod expand;
mod frames;
pub mod garbage;
pub mod objects;
mod orphans;
pub mod paths;
mod resolved;
pub mod resources;
mod roots;
pub mod slot;
pub mod stack;
mod storage;
pub mod take;
pub mod walker;
