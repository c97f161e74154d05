//! The load: scenarios made into sessions, replies checked, latencies counted.
