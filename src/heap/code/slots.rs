//! Named places by number, and what lies in them under keys.

use std::collections::HashMap;

pub use crate::heap::walk::slot::Slot;

/// A slot's number.
pub type SlotId = u32;

/// A slot, or what lies in it under so many keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The named place.
    pub slot: SlotId,
    /// `[]` behind it.
    pub depth: u32,
}

impl Place {
    /// An element of what lies there.
    pub fn element(self) -> Place {
        Place { slot: self.slot, depth: self.depth + 1 }
    }
}

/// Slots by their numbers.
#[derive(Debug, Default)]
pub struct Slots {
    ids: HashMap<Slot, SlotId>,
}

impl Slots {
    /// The number of a slot.
    pub fn id(&mut self, slot: Slot) -> SlotId {
        let next = self.ids.len() as SlotId;
        *self.ids.entry(slot).or_insert(next)
    }

    /// The number of a slot that any code names.
    pub fn find(&self, slot: &Slot) -> Option<SlotId> {
        self.ids.get(slot).copied()
    }
}
