//! What kind of function a frame is: it decides the colour and nothing else.

use std::collections::HashSet;

/// Kinds of frames, each with a colour family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// The user's code, in one of four shades; a class keeps its shade.
    User(u8),
    /// One of PHP's own functions, in one of three shades.
    Internal(u8),
    /// It waits.
    Waiting,
    /// Not a function: frames that were still running, what was left out.
    Note,
}

impl Kind {
    /// The kind of the function `name`.
    pub fn of(name: &str, waiting: &HashSet<&str>) -> Self {
        if waiting.contains(name) {
            Kind::Waiting
        } else if name.starts_with('[') || name.starts_with('(') {
            Kind::Note
        } else if name.starts_with("php::") {
            Kind::Internal((hash(name) % 3) as u8)
        } else {
            let class = name.split_once("->").or_else(|| name.split_once("::")).map_or(name, |(class, _)| class);
            Kind::User((hash(class) % 4) as u8)
        }
    }

    /// One letter, as the page's script and its style classes know it.
    pub fn code(self) -> &'static str {
        match self {
            Kind::User(n) => ["a", "b", "c", "d"][n as usize % 4],
            Kind::Internal(n) => ["p", "q", "r"][n as usize % 3],
            Kind::Waiting => "w",
            Kind::Note => "x",
        }
    }

    /// All kinds.
    pub fn all() -> [Kind; 9] {
        [
            Kind::User(0),
            Kind::User(1),
            Kind::User(2),
            Kind::User(3),
            Kind::Internal(0),
            Kind::Internal(1),
            Kind::Internal(2),
            Kind::Waiting,
            Kind::Note,
        ]
    }
}

/// FNV-1a, so that a function has the same shade in every report.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)) >> 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        let waiting = HashSet::from(["php::stream_select"]);
        assert_eq!(Kind::of("php::stream_select", &waiting), Kind::Waiting);
        assert!(matches!(Kind::of("php::substr", &waiting), Kind::Internal(_)));
        assert_eq!(Kind::of("App\\Parser->line", &waiting), Kind::of("App\\Parser::make", &waiting));
        assert_eq!(Kind::of("[still running]", &waiting), Kind::Note);
    }
}
