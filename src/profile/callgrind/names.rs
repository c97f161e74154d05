//! Names of objects, files and functions: compressed in all forms, or bare.

use super::super::names::{IdTable, Interner};

/// Names may be built of others: together they may be so many times as long as what was read.
const GROWTH: u64 = 16;
/// And so long in any case.
const FREE: u64 = 1 << 20;

/// What a name stands for. Each kind has its own ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    File,
    Function,
}

/// All names of a file.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) strings: Interner,
    tables: [IdTable; 3],
    /// Bytes read so far, and bytes made by putting names together.
    read: u64,
    made: u64,
}

/// `(12)` at the beginning of `text`, and what follows it.
fn id(text: &[u8]) -> Option<(u64, &[u8])> {
    let inner = text.strip_prefix(b"(")?;
    let digits = inner.iter().take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 || digits > 18 || inner.get(digits) != Some(&b')') {
        return None;
    }
    let id = inner[..digits].iter().fold(0u64, |id, b| id * 10 + u64::from(b - b'0'));
    Some((id, &inner[digits + 1..]))
}

impl Names {
    /// The name that a field means: `(12) name` and `(12)name` define, `(12)` uses, all else is the name
    /// itself. `Err` holds an id that was never defined.
    pub(super) fn read(&mut self, kind: Kind, field: &[u8]) -> Result<u32, u64> {
        self.read += field.len() as u64;
        match id(field) {
            // `(1)'2` is a name made of another, not a definition.
            Some((_, [b'\'', ..])) | None => Ok(self.put_together(kind, field)),
            Some((id, [])) => self.tables[kind as usize].get(id).ok_or(id),
            Some((id, name)) => {
                let name = self.put_together(kind, name.trim_ascii());
                // A later part of a file may give an id another meaning.
                let _ = self.tables[kind as usize].define(id, name);
                Ok(name)
            }
        }
    }

    /// A name for what has none.
    pub(super) fn plain(&mut self, name: &[u8]) -> u32 {
        self.strings.intern(name)
    }

    /// Contexts and recursion levels: `(2)'(1)'3` is made of the names behind the ids.
    fn put_together(&mut self, kind: Kind, name: &[u8]) -> u32 {
        if kind != Kind::Function || !(name.starts_with(b"(") || memchr::memmem::find(name, b"'(").is_some()) {
            return self.strings.intern(name);
        }
        let mut whole = Vec::new();
        let mut rest = name;
        let mut begins = true;
        while let Some(&byte) = rest.first() {
            if begins
                && let Some((id, behind)) = id(rest)
                && let Some(known) = self.tables[kind as usize].get(id)
            {
                let known = self.strings.get(known);
                if self.made + (whole.len() + known.len()) as u64 > FREE + GROWTH * self.read {
                    return self.strings.intern(name);
                }
                whole.extend_from_slice(known);
                (rest, begins) = (behind, false);
                continue;
            }
            whole.push(byte);
            begins = byte == b'\'';
            rest = &rest[1..];
        }
        self.made += whole.len() as u64;
        self.strings.intern(&whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_all_forms() {
        let mut names = Names::default();
        let mut text = |field: &str| {
            let id = names.read(Kind::Function, field.as_bytes());
            id.map(|id| String::from_utf8_lossy(names.strings.get(id)).into_owned())
        };
        assert_eq!(text("(1) main"), Ok("main".to_owned()));
        assert_eq!(text("(2)f(int, char)"), Ok("f(int, char)".to_owned()));
        assert_eq!(text("(1)"), Ok("main".to_owned()));
        assert_eq!(text("(3) (2)'2"), Ok("f(int, char)'2".to_owned()));
        assert_eq!(text("(4)\t(2)'3'(1)'(9)"), Ok("f(int, char)'3'main'(9)".to_owned()));
        assert_eq!(text("(1)'2"), Ok("main'2".to_owned()));
        assert_eq!(text("(1)"), Ok("main".to_owned()));
        assert_eq!(text("(below main)"), Ok("(below main)".to_owned()));
        assert_eq!(text("(anonymous namespace)::[]="), Ok("(anonymous namespace)::[]=".to_owned()));
        assert_eq!(text("(5) (below main)"), Ok("(below main)".to_owned()));
        assert_eq!(text("(12)"), Err(12));
        assert_eq!(text(""), Ok(String::new()));
        assert_eq!(names.read(Kind::File, b"(1)"), Err(1), "files have ids of their own");
    }

    #[test]
    fn names_of_names_stay_bounded() {
        let mut names = Names::default();
        names.read(Kind::Function, b"(1) abcdefgh").unwrap();
        for id in 2..200 {
            names.read(Kind::Function, format!("({id}) ({})'({})", id - 1, id - 1).as_bytes()).unwrap();
        }
        assert!(names.made < 2 * FREE, "{}", names.made);
    }
}
