//! Floors in, a state or "more waves" out. Pure: no files, no clock, no processes.
