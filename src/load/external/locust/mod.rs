//! Locust: conversations in as many processes, on as many machines, as are wanted, while this program stays beside the
//! server and judges.
//!
//! A fleet is started once a run and stands idle between waves: a master, which only relays, and its workers. Pure parts:
//! `order` (what a job comes to for each worker, what cannot be done), `message` (the lines that go to and fro),
//! `merge` (what became of a wave). What the workers do stands in `locustfile.py`.

mod fleet;
mod members;
mod merge;
mod message;
mod order;
mod program;
mod wave;

pub use fleet::{FILE, Locust, Muster, Workers};
pub use members::{Member, Note};
pub use order::check;
pub use program::find;
