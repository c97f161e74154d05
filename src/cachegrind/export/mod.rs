//! What a profile can be written as, one file a format.

pub mod folded;
pub mod json;
