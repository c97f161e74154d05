//! The lines of code that fill a container, empty it, and make what it holds: values that the journal keeps.

use serde::{Deserialize, Serialize};

/// What a line does to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Puts an element in, or makes a string longer.
    PutsIn,
    /// Takes elements out, or sets a new value in the container's place.
    TakesOut,
    /// Makes the object that is kept.
    Creates,
    /// Calls, from outside a library, the library's function that puts it in.
    Calls,
}

/// A place in a script.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Location {
    /// What it does.
    pub role: Role,
    /// The script, as PHP was given it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// `Server->close`; `{main}` for a script's own code.
    pub function: String,
}

/// What the code does to one container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerCode {
    /// As the census writes it: `$server{Server}->leak[]`
    pub path: String,
    /// The lines, by role, file and line.
    pub locations: Vec<Location>,
    /// It is handed on by reference (an object: handed on at all), so that code which names it otherwise may fill or
    /// empty it too. Where this is not set and no line takes out, nothing does.
    pub by_reference: bool,
}

/// What was read of a process's compiled code.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Code {
    /// Functions, methods and closures read.
    pub functions: u64,
    /// Their opcodes.
    pub opcodes: u64,
    /// Bytes looked at.
    pub bytes: u64,
    /// Milliseconds that it took.
    pub milliseconds: f64,
    /// The containers of the census that any line was found for.
    pub containers: Vec<ContainerCode>,
    /// Why there are none, where the code could not be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refused: Option<String>,
}

impl Code {
    /// What the code does to the container at `path`.
    pub fn container(&self, path: &str) -> Option<&ContainerCode> {
        self.containers.iter().find(|container| container.path == path)
    }
}
