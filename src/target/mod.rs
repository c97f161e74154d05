//! The server under test: launch, process tree, readiness, Xdebug's settings, the stop ladder.
