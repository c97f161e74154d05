//! Reading a live process: finding PHP in it, copying its memory, holding it still for the copy. Knows nothing of what
//! the copy holds.

pub mod activity;
pub mod image;
pub mod modules;
pub mod remote;
pub mod snapshot;
pub mod stop;
