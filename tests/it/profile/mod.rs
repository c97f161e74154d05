//! Profile files: read, damaged, exported, shown.

mod analyze;
mod callgrind;
mod drift;
mod extremes;
mod forks;
mod forms;
mod speedscope;
mod xdebug;
