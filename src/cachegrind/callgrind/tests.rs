//! The reader by itself.
