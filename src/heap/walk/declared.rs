//! Which class a property belongs to, and of which class its value says that it is.

use super::classes::bare;
use super::engine::Engine;

const PRIVATE: u32 = 1 << 2;
const STATIC: u32 = 1 << 4;
const MOST_PARENTS: usize = 64;
/// A type that is one class's name (`_ZEND_TYPE_NAME_BIT`), and one that is a list of types.
const TYPE_NAME: u32 = 1 << 24;
const TYPE_LIST: u32 = 1 << 22;

/// A property as a class knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The class that first declares it: a child that declares it anew means the same slot.
    pub class: String,
    /// The class that its type names.
    pub of: Option<String>,
    /// It is static.
    pub is_static: bool,
}

/// Looks `name` up in the class at `class`, as code inside `scope` does (0: as code outside any class).
pub fn declared(engine: &Engine, class: u64, name: &str, scope: u64) -> Option<Declared> {
    let info = info_of(engine, class, name)?;
    let l = engine.layout;
    let (flags, ce) = (engine.half(info, l.prop_flags)?, engine.word(info, l.prop_ce)?);
    if flags & PRIVATE != 0 && ce != scope {
        return None;
    }
    let of = class_type(engine, info.wrapping_add(u64::from(l.prop_type))).map(str::to_owned);
    Some(Declared { class: first_declaring(engine, ce, name)?, of, is_static: flags & STATIC != 0 })
}

/// The name of the class that declares property `name` first, from `class`, which declares it, upwards.
pub fn first_declaring(engine: &Engine, class: u64, name: &str) -> Option<String> {
    let l = engine.layout;
    let mut first = class;
    for _ in 0..MOST_PARENTS {
        let info = info_of(engine, first, name)?;
        let flags = engine.half(info, l.prop_flags)?;
        if flags & (PRIVATE | STATIC) != 0 {
            break;
        }
        let parent = engine.word(first, l.ce_parent)?;
        // A parent's own private property is another one.
        let inherited = info_of_class(engine, parent, name);
        match inherited.filter(|info| engine.half(*info, l.prop_flags).is_some_and(|f| f & PRIVATE == 0)) {
            Some(info) => first = engine.word(info, l.prop_ce)?,
            None => break,
        }
    }
    engine.class_name(first)
}

fn info_of_class(engine: &Engine, class: u64, name: &str) -> Option<u64> {
    let is_class = matches!(engine.arena.slice(class.checked_add(u64::from(engine.layout.ce_type))?, 1), Some([1 | 2]));
    if class == 0 || !is_class { None } else { info_of(engine, class, name) }
}

fn info_of(engine: &Engine, class: u64, name: &str) -> Option<u64> {
    let l = engine.layout;
    let table = engine.table(class.checked_add(u64::from(l.ce_properties_info))?)?;
    let entry = engine.find(table, name)?;
    let info = entry.value.word;
    let own = engine.name(engine.word(info, l.prop_name)?)?;
    (u32::from(entry.value.kind) == l.type_ptr && bare(own) == name).then_some(info)
}

/// The class that a type at `at` names; `None` where it is none, or more than one.
pub fn class_type<'a>(engine: &Engine<'a>, at: u64) -> Option<&'a str> {
    let mask = engine.half(at, 8)?;
    if mask & TYPE_NAME == 0 || mask & TYPE_LIST != 0 {
        return None;
    }
    engine.name(engine.word(at, 0)?)
}
