//! Which step of a conversation keeps bytes in the server. Pure: a [`Bench`] plays conversations one at a time and reads
//! the heap after each; what is played next, and what the readings show, is decided here.

mod bench;
mod conversations;
mod inquiry;
mod often;
mod readings;
mod rounding;
mod shortest;

pub use bench::{Bench, Played, Reading, Stop, Whole};
pub use conversations::Offers;
pub use inquiry::inquire;
