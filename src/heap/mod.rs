//! The census of a running PHP, read from outside.
