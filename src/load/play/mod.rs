//! A conversation written down line by line, played as it stands: `load --script FILE`. Pure: [`script`] (the file's
//! text to steps); the player sends them and waits for each reply.

mod player;
pub mod script;

pub use player::run;
pub use script::{Move, Recording};
