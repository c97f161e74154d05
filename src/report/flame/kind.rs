//! What kind of function a frame is, or what became of it since an earlier run: it decides the colour and nothing else.

use std::collections::HashSet;

use crate::analysis::difference::FrameChange;

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
    /// What became of it.
    Changed(FrameChange),
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
            Kind::Waiting | Kind::Changed(FrameChange::Waits) => "w",
            Kind::Note | Kind::Changed(FrameChange::Note) => "x",
            Kind::Changed(FrameChange::More(shade)) => ["1", "2", "3"][shade as usize % 3],
            Kind::Changed(FrameChange::Less(shade)) => ["4", "5", "6"][shade as usize % 3],
            Kind::Changed(FrameChange::Same) => "0",
            Kind::Changed(FrameChange::New) => "n",
            Kind::Changed(FrameChange::Gone) => "g",
            Kind::Changed(FrameChange::Unknown) => "u",
        }
    }

    /// All kinds that have a look of their own.
    pub fn all() -> Vec<Kind> {
        let shades = || 0..3;
        let more = shades().map(FrameChange::More).chain(shades().map(FrameChange::Less));
        let changes = more.chain([FrameChange::Same, FrameChange::New, FrameChange::Gone, FrameChange::Unknown]);
        let functions = (0..4).map(Kind::User).chain(shades().map(Kind::Internal));
        functions.chain([Kind::Waiting, Kind::Note]).chain(changes.map(Kind::Changed)).collect()
    }

    /// Of two kinds that look alike, one.
    pub fn look(self) -> Kind {
        match self {
            Kind::Changed(FrameChange::Waits) => Kind::Waiting,
            Kind::Changed(FrameChange::Note) => Kind::Note,
            kind => kind,
        }
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
