//! What a server runs in, as far as it frees memory by collections and not as it is given up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A runtime that collects its garbage when it will.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Runtime {
    /// A Java virtual machine.
    Jvm,
    /// Node.js, or another program around V8.
    V8,
    /// .NET.
    DotNet,
    /// A program in Go.
    Go,
    /// One that this version does not know.
    #[serde(other)]
    Other,
}
