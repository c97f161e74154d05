//! Profile files: read, damaged, exported, shown.

mod analyze;
mod beside_a_writer;
mod callgrind;
mod drift;
mod edges;
mod extremes;
mod forks;
mod forms;
mod inputs;
mod speedscope;
mod xdebug;
