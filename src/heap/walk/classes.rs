//! What the walk needs to know of a class, read once for each.

use std::collections::HashMap;

use super::declared::first_declaring;
use super::engine::Engine;
use super::paths::{LabelId, Paths, TypeId};
use super::slot::Slot;
use crate::heap::memory::AddressMap;

/// `ZEND_ACC_STATIC`
const STATIC: u32 = 1 << 4;
const MOST_SLOTS: u32 = 10_000;
const MOST_PARENTS: usize = 64;

/// Classes of the engine that hold values elsewhere than in properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// Properties only.
    Plain,
    /// The bound `$this` and the used variables.
    Closure,
    /// A frame of its own.
    Generator,
    /// Frames of its own.
    Fiber,
    /// A table of elements (object, data).
    ObjectTable,
    /// A doubly linked list.
    LinkedList,
    /// A value that is an array or an object.
    ArrayObject,
    /// An array of values.
    FixedArray,
    /// A heap of values.
    Heap,
    /// A table from object to value.
    WeakMap,
}

const STORAGES: [(&str, Storage); 12] = [
    ("Closure", Storage::Closure),
    ("Generator", Storage::Generator),
    ("Fiber", Storage::Fiber),
    ("SplObjectStorage", Storage::ObjectTable),
    ("MultipleIterator", Storage::ObjectTable),
    ("SplDoublyLinkedList", Storage::LinkedList),
    ("ArrayObject", Storage::ArrayObject),
    ("ArrayIterator", Storage::ArrayObject),
    ("SplFixedArray", Storage::FixedArray),
    ("SplHeap", Storage::Heap),
    ("SplPriorityQueue", Storage::Heap),
    ("WeakMap", Storage::WeakMap),
];

/// A class.
#[derive(Debug, Clone)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// Its name as a type.
    pub type_id: TypeId,
    /// Declared properties, by slot.
    pub labels: Vec<LabelId>,
    /// Where else its objects hold values.
    pub storage: Storage,
    /// Live objects.
    pub count: u64,
    /// Bytes of their own blocks.
    pub bytes: u64,
}

/// All classes met, by the address of their entry.
#[derive(Debug, Default)]
pub struct Classes {
    by_address: AddressMap<u32>,
    all: Vec<Class>,
}

impl Classes {
    /// The class whose entry lies at `address`; `None` where there is no class entry.
    pub fn get(&mut self, engine: &Engine, paths: &mut Paths, address: u64) -> Option<u32> {
        if let Some(&id) = self.by_address.get(&address) {
            return Some(id);
        }
        let class = read(engine, paths, address)?;
        let id = self.all.len() as u32;
        self.all.push(class);
        self.by_address.insert(address, id);
        Some(id)
    }

    /// A class that was got.
    pub fn at(&mut self, id: u32) -> &mut Class {
        &mut self.all[id as usize]
    }

    /// All of them.
    pub fn all(&self) -> &[Class] {
        &self.all
    }
}

/// A property's bare name: private and protected ones carry their class in front.
pub fn bare(name: &str) -> &str {
    name.rsplit('\0').next().unwrap_or(name)
}

fn is_class(engine: &Engine, address: u64) -> bool {
    matches!(engine.arena.slice(address + u64::from(engine.layout.ce_type), 1), Some([1 | 2]))
}

fn read(engine: &Engine, paths: &mut Paths, address: u64) -> Option<Class> {
    let l = engine.layout;
    if !is_class(engine, address) {
        return None;
    }
    let name = engine.class_name(address)?;
    let slots = engine.half(address, l.ce_properties)?;
    if slots > MOST_SLOTS {
        return None;
    }
    let mut storage = Storage::Plain;
    let unnamed = paths.label(address, "->?");
    let mut labels = vec![unnamed; slots as usize];
    let mut seen = HashMap::new();
    let mut at = address;
    for _ in 0..MOST_PARENTS {
        let name = engine.class_name(at)?;
        if let Some(known) = STORAGES.iter().find(|s| s.0 == name) {
            storage = known.1;
        }
        // A parent's private property that the child declares anew is found at the parent.
        for entry in engine.entries(engine.table(at.checked_add(u64::from(l.ce_properties_info))?)?) {
            if u32::from(entry.value.kind) != l.type_ptr {
                return None;
            }
            let info = entry.value.word;
            let (offset, flags) = (engine.half(info, l.prop_offset)?, engine.half(info, l.prop_flags)?);
            let Some(slot) = offset.checked_sub(l.obj_slots).filter(|o| flags & STATIC == 0 && o % 16 == 0) else {
                continue;
            };
            if let Some(label) = labels.get_mut(slot as usize / 16).filter(|label| **label == unnamed) {
                let name = bare(engine.name(engine.word(info, l.prop_name)?)?);
                let declaring = engine.word(info, l.prop_ce)?;
                // A parent's private property of the same name is another one, and is told so.
                let text = match seen.insert(name, slot) {
                    Some(other) if other != slot => format!("->{}::{name}", engine.class_name(declaring)?),
                    _ => format!("->{name}"),
                };
                *label = paths.named(declaring, &text, || {
                    Slot::Property(first_declaring(engine, declaring, name), name.to_owned())
                });
            }
        }
        at = engine.word(at, l.ce_parent)?;
        // An unlinked class holds its parent's name here; only linked ones have objects.
        if at == 0 || !is_class(engine, at) {
            break;
        }
    }
    let type_id = paths.type_id(&name);
    Some(Class { name, type_id, labels, storage, count: 0, bytes: 0 })
}

/// Names of the static properties of a class, by slot.
pub fn static_names(engine: &Engine, class: u64) -> Option<Vec<(usize, String)>> {
    let l = engine.layout;
    let mut names = Vec::new();
    for entry in engine.entries(engine.table(class.checked_add(u64::from(l.ce_properties_info))?)?) {
        let info = entry.value.word;
        if u32::from(entry.value.kind) != l.type_ptr || engine.half(info, l.prop_flags)? & STATIC == 0 {
            continue;
        }
        let name = bare(engine.name(engine.word(info, l.prop_name)?)?);
        names.push((engine.half(info, l.prop_offset)? as usize, name.to_owned()));
    }
    Some(names)
}
