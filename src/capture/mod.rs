//! The profile while it is still being written: follow, compact, release.
