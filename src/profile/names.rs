//! Names: the text behind ids, and functions as pairs of file and name.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Distinct byte strings, numbered in order of appearance.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(from = "Vec<Box<[u8]>>", into = "Vec<Box<[u8]>>")]
pub(crate) struct Interner {
    strings: Vec<Box<[u8]>>,
    index: HashMap<Box<[u8]>, u32>,
}

impl From<Vec<Box<[u8]>>> for Interner {
    fn from(strings: Vec<Box<[u8]>>) -> Self {
        let index = strings.iter().cloned().zip(0..).collect();
        Interner { strings, index }
    }
}

impl From<Interner> for Vec<Box<[u8]>> {
    fn from(interner: Interner) -> Self {
        interner.strings
    }
}

impl Interner {
    pub(crate) fn intern(&mut self, name: &[u8]) -> u32 {
        if let Some(&known) = self.index.get(name) {
            return known;
        }
        let id = self.strings.len() as u32;
        self.strings.push(name.into());
        self.index.insert(name.into(), id);
        id
    }

    pub(crate) fn get(&self, id: u32) -> &[u8] {
        &self.strings[id as usize]
    }
}

/// A `(id) name` field, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameField<'a> {
    /// `(12) name`: defines and uses.
    Defined(u64, &'a [u8]),
    /// `(12)`: uses.
    Used(u64),
    /// `name`, not compressed.
    Bare(&'a [u8]),
}

impl<'a> NameField<'a> {
    /// Takes a field apart. A bracket that holds no number belongs to the name.
    pub(crate) fn parse(field: &'a [u8]) -> Self {
        let Some(inner) = field.strip_prefix(b"(") else { return NameField::Bare(field) };
        let digits = inner.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 || digits > 18 || inner.get(digits) != Some(&b')') {
            return NameField::Bare(field);
        }
        let id = inner[..digits].iter().fold(0u64, |id, b| id * 10 + u64::from(b - b'0'));
        let name = &inner[digits + 1..];
        let name = name.strip_prefix(b" ").unwrap_or(name);
        if name.is_empty() { NameField::Used(id) } else { NameField::Defined(id, name) }
    }
}

/// What one space of ids (files or functions) means at this point of a file.
#[derive(Debug, Default, Clone)]
pub(crate) struct IdTable {
    names: HashMap<u64, u32>,
}

impl IdTable {
    /// Defines an id. `Err` holds the name that it had before, when that was another one.
    pub(crate) fn define(&mut self, id: u64, name: u32) -> Result<(), u32> {
        match self.names.insert(id, name) {
            Some(before) if before != name => Err(before),
            _ => Ok(()),
        }
    }

    pub(crate) fn get(&self, id: u64) -> Option<u32> {
        self.names.get(&id).copied()
    }

    pub(crate) fn clear(&mut self) {
        self.names.clear();
    }
}

/// One function: the object that holds it, the file that defines it, and its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Function {
    /// The program or library that holds it; empty where the profile names none, as all of PHP's.
    pub object: String,
    /// The file, `php:internal` for built-in functions, empty where the profile names none.
    pub file: String,
    /// The name as the profile has it (invalid UTF-8 replaced).
    pub name: String,
}

/// All functions of a profile; an index is a function's id.
#[derive(Debug, Default, Clone)]
pub struct Functions {
    all: Vec<Function>,
    index: HashMap<Function, u32>,
}

impl Functions {
    /// The id of a function, given a new one if it is new.
    pub fn intern(&mut self, file: &str, name: &str) -> u32 {
        self.intern_in("", file, name)
    }

    /// The id of a function of an object, given a new one if it is new.
    pub fn intern_in(&mut self, object: &str, file: &str, name: &str) -> u32 {
        let function = Function { object: object.to_owned(), file: file.to_owned(), name: name.to_owned() };
        if let Some(&known) = self.index.get(&function) {
            return known;
        }
        let id = self.all.len() as u32;
        self.all.push(function.clone());
        self.index.insert(function, id);
        id
    }

    /// The function with this id.
    pub fn get(&self, id: u32) -> &Function {
        &self.all[id as usize]
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Forgets those that came behind the first so many.
    pub(crate) fn truncate(&mut self, length: usize) {
        for function in self.all.drain(length.min(self.all.len())..) {
            self.index.remove(&function);
        }
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All of them, in order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Function> {
        self.all.iter()
    }
}

/// Pairs of file and function name as small dense numbers, for the compact form.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(from = "Vec<(u32, u32)>", into = "Vec<(u32, u32)>")]
pub(crate) struct Pairs {
    all: Vec<(u32, u32)>,
    index: HashMap<(u32, u32), u32>,
}

impl From<Vec<(u32, u32)>> for Pairs {
    fn from(all: Vec<(u32, u32)>) -> Self {
        let index = all.iter().copied().zip(0..).collect();
        Pairs { all, index }
    }
}

impl From<Pairs> for Vec<(u32, u32)> {
    fn from(pairs: Pairs) -> Self {
        pairs.all
    }
}

impl Pairs {
    /// Every pair has its two strings.
    pub(crate) fn fit(&self, strings: &Interner) -> bool {
        self.all.iter().all(|(file, name)| (*file.max(name) as usize) < strings.strings.len())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn intern(&mut self, file: u32, name: u32) -> u32 {
        let next = self.all.len() as u32;
        let id = *self.index.entry((file, name)).or_insert(next);
        if id == next {
            self.all.push((file, name));
        }
        id
    }

    pub(crate) fn get(&self, pair: u32) -> (u32, u32) {
        self.all[pair as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_taken_apart() {
        assert_eq!(NameField::parse(b"(12) a b"), NameField::Defined(12, b"a b"));
        assert_eq!(NameField::parse(b"(12)"), NameField::Used(12));
        assert_eq!(NameField::parse(b"(12)a"), NameField::Defined(12, b"a"));
        assert_eq!(NameField::parse(b"main"), NameField::Bare(b"main"));
        assert_eq!(NameField::parse(b"(anonymous)"), NameField::Bare(b"(anonymous)"));
        assert_eq!(NameField::parse(b"(12"), NameField::Bare(b"(12"));
    }
}
