//! What a census says and what grew from one to the next: plain values and pure arithmetic. Nothing here knows a
//! process, so that recorded runs are analysed wherever this builds.

pub mod code;
pub mod error;
pub mod growth;
pub mod values;
