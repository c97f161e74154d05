//! What makes memory grow, over all waves of a run: values.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::metric::Metric;

/// Something that a server does more or less of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Driver {
    /// A session.
    Session,
    /// A message.
    Message,
    /// A recipient of a message.
    Recipient,
    /// A byte of a message.
    Byte,
    /// An hour.
    Hour,
}

impl Driver {
    /// All of them.
    pub const ALL: [Driver; 5] = [Driver::Session, Driver::Message, Driver::Recipient, Driver::Byte, Driver::Hour];
}

/// How much grows with one of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Driven {
    /// With which.
    pub driver: Driver,
    /// Bytes for each.
    pub value: f64,
    /// 95% interval.
    pub ci95: [f64; 2],
}

impl Driven {
    /// It is more than nothing, for all that can be told.
    pub fn is_seen(&self) -> bool {
        self.ci95[0] > 0.0
    }
}

/// Two that came alike in all waves, so that what grows with either is told of the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotParted {
    /// This one
    pub driver: Driver,
    /// from this one.
    pub from: Driver,
}

/// Growth by what drives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Drivers {
    /// What grows.
    pub metric: Metric,
    /// Waves that were fitted together.
    pub waves: u64,
    /// Growth for each that the waves tell apart.
    pub by: Vec<Driven>,
    /// Those that they do not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_parted: Vec<NotParted>,
}
