//! Flamegraphs: a call tree that was laid out becomes inferno's picture and the figures in which the page's script
//! moves.

mod data;
mod differential;
mod draw;
mod kind;
mod part;
mod single;

pub(super) use differential::{Differential, differential};
pub(super) use part::{Flames, counted, flames};
pub(super) use single::{Singles, singles};
