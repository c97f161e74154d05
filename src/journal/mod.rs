//! The run folder's one format, its writer and its reader.
