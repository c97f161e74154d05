//! Faults, one after the other: trees and endings, starts, rights, secrets, disks, settings, journals. Real processes,
//! real PHP. A short form runs with the other tests; PROFILE_RUN_FAULTS=1 (`make faults`) runs all of it and prints what
//! was tried and what was survived.

mod disk;
mod journals;
mod machine;
mod readme;
mod restart;
mod rights;
mod secrets;
mod settings;
mod support;
mod tree;
