//! The lines of code that fill a container, empty it, and make what it holds: values that the journal keeps.

use serde::{Deserialize, Serialize};

pub use crate::model::{Location, Role};

/// What the code does to one container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

impl ContainerCode {
    /// The lines, without those that put in nothing of what grows: objects of another class. `growing`: the classes that
    /// do, none where that is not known; `element`: what most of the container's elements are.
    pub fn lines_of(&self, growing: &[String], element: &str) -> Vec<Location> {
        let no_objects = matches!(element, "string" | "int" | "float" | "bool" | "null");
        let of_growing = |at: &&Location| {
            let class = at.class.as_ref().filter(|_| at.role == Role::PutsIn);
            class.is_none_or(|class| !no_objects && (growing.is_empty() || growing.contains(class)))
        };
        let lines: Vec<Location> = self.locations.iter().filter(of_growing).cloned().collect();
        // Something puts in what grows: where none of the lines does, they are told as they are.
        match lines.iter().any(|at| at.role == Role::PutsIn) {
            true => lines,
            false => self.locations.clone(),
        }
    }
}

impl Code {
    /// What the code does to the container at `path`.
    pub fn container(&self, path: &str) -> Option<&ContainerCode> {
        self.containers.iter().find(|container| container.path == path)
    }
}
