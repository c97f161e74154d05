//! The load engine and other engines against servers of many kinds.

mod counts;
mod external;
mod hostile;
mod locust;
mod lost;
mod script;
mod secure;
mod sink;
