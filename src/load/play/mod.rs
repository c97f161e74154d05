//! A conversation written down line by line, played as it stands: `load --script FILE`. Pure: [`script`] (the file's
//! text to steps); the player sends them and waits for each reply. [`words`] writes a conversation down that way.

mod player;
pub mod script;
mod words;

pub use player::{CutOff, Once, once, run};
pub use script::{Move, Recording};
pub use words::{Speaker, answers, headers, written};
