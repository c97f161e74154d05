//! What a profile can be written as, one file a format.

mod text;

pub mod callgrind;
pub mod folded;
pub mod pprof;
pub mod speedscope;

use text::printable;
