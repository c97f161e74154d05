//! Flamegraphs: a call tree is laid out, and becomes inferno's picture and the figures in which the page's
//! script moves.

mod draw;
mod kind;
mod part;
mod tree;

pub(super) use part::{Flames, counted, flames};
