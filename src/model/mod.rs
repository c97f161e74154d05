//! Plain values that cross rooms: the plan, what a load comes down to, the run's one clock. Imports nothing of the
//! other rooms.

mod clock;
pub mod load_stats;
pub mod plan;

pub use clock::Clock;
