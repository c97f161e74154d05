//! The engine's structures as they lie in a copy: values, strings, tables, maps of pointers. Each
//! reader says `None` where what it finds cannot be what it looks for.

use crate::heap::layout::Layout;
use crate::heap::memory::{Arena, Memory};

/// Value types (`Z_TYPE`); the two that moved between versions stand in the layout.
pub mod kind {
    #![allow(missing_docs)]
    pub const UNDEF: u8 = 0;
    pub const NULL: u8 = 1;
    pub const LONG: u8 = 4;
    pub const DOUBLE: u8 = 5;
    pub const STRING: u8 = 6;
    pub const ARRAY: u8 = 7;
    pub const OBJECT: u8 = 8;
    pub const RESOURCE: u8 = 9;
    pub const REFERENCE: u8 = 10;
    pub const CONSTANT_AST: u8 = 11;
}

/// Function types.
const INTERNAL: u8 = 1;
const USER: u8 = 2;
const EVAL: u8 = 4;

/// `GC_IMMUTABLE`: interned strings, constant arrays. Their references are not counted.
const IMMUTABLE: u32 = 1 << 6;
const PACKED: u32 = 1 << 2;
const UNINITIALIZED: u32 = 1 << 3;
/// A bare value; no table has smaller elements.
const SMALLEST_ELEMENT: u32 = 16;
/// Lines of one function that are believed.
const MOST_LINES: u32 = 1 << 20;
/// The longest name that is believed.
const LONGEST_NAME: u64 = 4096;

/// A value's payload and type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value {
    /// A pointer, or the scalar itself.
    pub word: u64,
    /// One of [`kind`], or the layout's.
    pub kind: u8,
}

/// The head of anything that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// References to it.
    pub refcount: u32,
    /// One of [`kind`].
    pub kind: u8,
    /// Never counted, never freed.
    pub immutable: bool,
}

/// A HashTable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// First element.
    pub data: u64,
    /// Where the block of elements begins (the hash stands before them), 0 where there is none.
    pub block: u64,
    /// Slots in use, deleted ones among them.
    pub used: u32,
    /// Elements.
    pub count: u32,
    element: u32,
    packed: bool,
}

/// One slot of a table that is not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Where the value lies.
    pub at: u64,
    /// The key's string, 0 for a number.
    pub key: u64,
    /// Numeric key, or the string's hash.
    pub hash: u64,
    /// The value.
    pub value: Value,
}

/// What a function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// Compiled from a script.
    User,
    /// Of an extension or the engine.
    Internal,
}

/// A copy and the layout to read it by.
#[derive(Debug, Clone, Copy)]
pub struct Engine<'a> {
    /// The copy.
    pub arena: &'a Arena,
    /// Where things lie.
    pub layout: &'a Layout,
    /// `CG(map_ptr_base)`, biased as the engine keeps it.
    pub map_ptr_base: u64,
}

impl<'a> Engine<'a> {
    /// A word at `address` + `offset`.
    #[inline]
    pub fn word(&self, address: u64, offset: u32) -> Option<u64> {
        self.arena.u64(address.checked_add(u64::from(offset))?)
    }

    /// Four bytes at `address` + `offset`.
    #[inline]
    pub fn half(&self, address: u64, offset: u32) -> Option<u32> {
        self.arena.u32(address.checked_add(u64::from(offset))?)
    }

    /// The value at `address`.
    #[inline]
    pub fn value(&self, address: u64) -> Option<Value> {
        let bytes = self.arena.slice(address, 16)?;
        Some(value_of(bytes))
    }

    /// The head of what is counted at `address`.
    #[inline]
    pub fn counted(&self, address: u64) -> Option<Counted> {
        let bytes = self.arena.slice(address, 8)?;
        let refcount = u32::from_le_bytes(bytes[..4].try_into().expect("four bytes"));
        let info = u32::from_le_bytes(bytes[4..].try_into().expect("four bytes"));
        Some(Counted { refcount, kind: (info & 0xf) as u8, immutable: info & IMMUTABLE != 0 })
    }

    /// Bytes of the string at `address`.
    pub fn string_length(&self, address: u64) -> Option<u64> {
        self.word(address, self.layout.str_len)
    }

    /// A name (of a class, a property, a function, a file): never the contents of a value.
    pub fn name(&self, address: u64) -> Option<&'a str> {
        let length = self.string_length(address)?;
        if address == 0 || length > LONGEST_NAME || self.counted(address)?.kind != kind::STRING {
            return None;
        }
        let bytes = self.arena.slice(address + u64::from(self.layout.str_val), length as usize + 1)?;
        let (&last, bytes) = bytes.split_last()?;
        if last != 0 {
            return None;
        }
        std::str::from_utf8(bytes).ok()
    }

    /// The table at `address`, where it holds together.
    pub fn table(&self, address: u64) -> Option<Table> {
        let l = self.layout;
        let flags = self.half(address, l.arr_flags)?;
        let mask = self.half(address, l.arr_mask)?;
        let data = self.word(address, l.arr_data)?;
        let (used, count, size) =
            (self.half(address, l.arr_used)?, self.half(address, l.arr_count)?, self.half(address, l.arr_size)?);
        if !size.is_power_of_two() || used > size || count > used {
            return None;
        }
        let packed = flags & PACKED != 0;
        let hash = if packed || flags & UNINITIALIZED != 0 { 2_u32 } else { size.checked_mul(2)? };
        if mask != hash.wrapping_neg() {
            return None;
        }
        if flags & UNINITIALIZED != 0 {
            return (used == 0).then_some(Table { data: 0, block: 0, used, count, element: l.bucket_size, packed });
        }
        let element = if packed { l.packed_element } else { l.bucket_size };
        if element < SMALLEST_ELEMENT {
            return None;
        }
        let block = data.checked_sub(u64::from(hash) * 4)?;
        self.arena.slice(data, used as usize * element as usize)?;
        Some(Table { data, block, used, count, element, packed })
    }

    /// The table's elements in their order. The empty slots are left out; `count` of a table that
    /// is whole is how many come.
    pub fn entries(&self, table: Table) -> impl Iterator<Item = Entry> + use<'a> {
        let element = table.element as usize;
        let bytes = self.arena.slice(table.data, table.used as usize * element).unwrap_or_default();
        let key_at = self.layout.bucket_key as usize;
        bytes.chunks_exact(element.max(1)).enumerate().filter_map(move |(index, bytes)| {
            let value = value_of(bytes);
            if value.kind == kind::UNDEF {
                return None;
            }
            let (key, hash) = match table.packed {
                true => (0, index as u64),
                false => (word_of(bytes.get(key_at..)?)?, word_of(bytes.get(16..)?)?),
            };
            Some(Entry { at: table.data + (index * element) as u64, key, hash, value })
        })
    }

    /// Finds a name in a table of names.
    pub fn find(&self, table: Table, name: &str) -> Option<Entry> {
        self.entries(table).find(|entry| entry.key != 0 && self.name(entry.key) == Some(name))
    }

    /// What a map pointer points at, 0 where it is not set.
    pub fn map_pointer(&self, pointer: u64) -> Option<u64> {
        match pointer {
            0 => Some(0),
            offset if offset & 1 == 1 => self.arena.u64(self.map_ptr_base.wrapping_add(offset)),
            pointer if self.layout.map_ptr_extra == 1 => self.arena.u64(pointer),
            pointer => Some(pointer),
        }
    }

    /// What the function at `address` is.
    pub fn function(&self, address: u64) -> Option<Function> {
        match self.arena.u8(address.checked_add(u64::from(self.layout.op_type))?)? {
            USER | EVAL => Some(Function::User),
            INTERNAL => Some(Function::Internal),
            _ => None,
        }
    }

    /// The function that a fiber's bottom frame runs: it has no name, no class and no code.
    pub fn is_fibers_own(&self, function: u64) -> bool {
        let l = self.layout;
        [l.op_name, l.op_scope, l.internal_handler].iter().all(|offset| self.word(function, *offset) == Some(0))
            && self.function(function) == Some(Function::Internal)
    }

    /// `file.php:12`, where a user function begins.
    pub fn place(&self, function: u64) -> Option<String> {
        let file = self.name(self.word(function, self.layout.op_filename)?)?;
        let line = self.half(function, self.layout.op_line_start)?;
        let end = self.half(function, self.layout.op_line_start + 4)?;
        if line == 0 || end < line || end - line > MOST_LINES {
            return None;
        }
        Some(format!("{}:{line}", base_name(file)))
    }

    /// `Server->tick`, `Log::write`, `stream_select`; empty for a script's main code.
    pub fn function_name(&self, function: u64) -> Option<String> {
        let l = self.layout;
        let name = self.word(function, l.op_name)?;
        if name == 0 {
            return Some(String::new());
        }
        // `{closure:/path/file.php:12}` from 8.4 on.
        let name = match self.name(name)? {
            closure if closure.starts_with("{closure") => match closure.contains('/') {
                true => format!("{{closure:{}", base_name(closure)),
                false => closure.to_owned(),
            },
            name => name.to_owned(),
        };
        let scope = self.word(function, l.op_scope)?;
        if scope == 0 {
            return Some(name);
        }
        let is_static = self.half(function, l.op_fn_flags)? & (1 << 4) != 0;
        Some(format!("{}{}{name}", self.class_name(scope)?, if is_static { "::" } else { "->" }))
    }

    /// A class's name; an anonymous class is told by where it stands.
    pub fn class_name(&self, class: u64) -> Option<String> {
        let name = self.name(self.word(class, self.layout.ce_name)?)?;
        if name.is_empty() {
            return None;
        }
        match name.split_once('\0') {
            // `class@anonymous\0/path/file.php:3$0`
            Some((front, place)) => {
                let place = place.rsplit_once('$').map_or(place, |p| p.0);
                Some(format!("{front}@{}", base_name(place)))
            }
            None => name.chars().all(|c| !c.is_control()).then(|| name.to_owned()),
        }
    }
}

/// A function's name as paths write it; a closure's is where it stands, since many share one name.
pub fn function_key(engine: &Engine, at: u64) -> Option<String> {
    let name = engine.function_name(at)?;
    match name.contains("{closure") {
        true => Some(format!("Closure@{}", engine.place(at)?)),
        false => Some(name),
    }
}

/// A path's last part.
pub fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A name that could be a variable's.
pub fn is_identifier(name: &str) -> bool {
    !name.is_empty()
        && !name.as_bytes()[0].is_ascii_digit()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80)
}

fn word_of(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?))
}

#[inline]
fn value_of(bytes: &[u8]) -> Value {
    let word = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
    Value { word, kind: bytes[8] }
}
