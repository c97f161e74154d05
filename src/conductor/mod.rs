//! The order of a run: launch, ready, preflight, waves, settle, stop, seal.
