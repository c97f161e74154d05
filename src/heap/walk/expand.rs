//! What arrays and objects hold: elements, properties, dynamic properties.

use super::classes::{Storage, bare};
use super::engine::{Value, is_identifier, kind};
use super::objects::Object;
use super::paths::PathId;
use super::slot::Slot;
use super::walker::{Node, OrTorn, Torn, Walk, Walked};

impl Walk<'_> {
    pub(super) fn expand_array(&mut self, node: Node) -> Walked<()> {
        let path = self.paths.elements(node.path);
        // The container's own bytes belong to what is printed as the container: `x[]`.
        self.paths.at(node.path).bytes -= node.bytes;
        self.paths.at(path).bytes += node.bytes;
        self.expand_table(node.at, path, true)
    }

    /// Meets all elements of the table at `at`. `own`: the table's keys and elements are its own.
    pub(super) fn expand_table(&mut self, at: u64, path: PathId, own: bool) -> Walked<()> {
        let table = self.engine.table(at).or_torn("a table", at)?;
        if own && table.block != 0 && table.used > 0 {
            let bytes = self.block(table.block, 0)?;
            self.add_bytes(path, bytes);
        }
        let mut scalars = [0_u64; 6];
        let mut met = 0;
        for entry in self.engine.entries(table) {
            met += 1;
            if entry.key != 0 {
                self.take(Value { word: entry.key, kind: kind::STRING }, path, true)?;
            }
            match entry.value.kind {
                scalar @ kind::UNDEF..=kind::DOUBLE => scalars[scalar as usize] += 1,
                _ => self.meet(entry.value, path, true)?,
            }
        }
        if met != table.count {
            return Err(Torn(format!("a table of {} elements that says {} at {at:x}", met, table.count)));
        }
        for (scalar, &count) in scalars.iter().enumerate().filter(|s| *s.1 > 0) {
            self.paths.count(path, self.types.scalar[scalar], count);
        }
        Ok(())
    }

    pub(super) fn expand_object(&mut self, node: Node) -> Walked<()> {
        let Object { class, start, .. } = self.object(node.at)?;
        let l = self.engine.layout;
        let (slots, storage) = (self.classes.at(class).labels.len(), self.classes.at(class).storage);
        for slot in 0..slots {
            let at = node.at + u64::from(l.obj_slots) + slot as u64 * 16;
            let value = self.engine.value(at).or_torn("a property", at)?;
            if value.kind >= kind::STRING {
                let label = self.classes.at(class).labels[slot];
                self.meet_at(node.path, label, value, true)?;
            }
        }
        let dynamic = self.engine.word(node.at, l.obj_properties).or_torn("an object", node.at)?;
        if dynamic != 0 {
            self.expand_properties(node, dynamic)?;
        }
        match storage {
            Storage::Plain => Ok(()),
            Storage::Closure => self.expand_closure(node),
            Storage::Generator => self.expand_generator(node),
            Storage::Fiber => self.expand_fiber(node),
            Storage::ObjectTable => self.expand_object_storage(node, start),
            Storage::LinkedList => self.expand_linked_list(node, start),
            Storage::ArrayObject => self.expand_array_object(node, start),
            Storage::FixedArray => self.expand_fixed_array(node, start),
            Storage::Heap => self.expand_heap(node, start),
            Storage::WeakMap => {
                let path = self.paths.elements(node.path);
                self.expand_table(start, path, true)
            }
        }
    }

    /// The table of dynamic properties: an array of its own that no value holds. Declared ones are
    /// in it by their slot and have been met.
    fn expand_properties(&mut self, node: Node, at: u64) -> Walked<()> {
        let head = self.engine.counted(at).or_torn("properties", at)?;
        if head.kind != kind::ARRAY {
            return Err(Torn(format!("properties of type {} at {at:x}", head.kind)));
        }
        if head.immutable {
            return Ok(());
        }
        if self.has_met(at) {
            return self.take_uncounted(Value { word: at, kind: kind::ARRAY }, node.path);
        }
        let table = self.engine.table(at).or_torn("properties", at)?;
        let bytes = self.block(at, 56)? + if table.used > 0 { self.block(table.block, 0)? } else { 0 };
        self.add_bytes(node.path, bytes);
        for entry in self.engine.entries(table) {
            if entry.key != 0 {
                self.take(Value { word: entry.key, kind: kind::STRING }, node.path, true)?;
            }
            if u32::from(entry.value.kind) == self.engine.layout.type_indirect || entry.value.kind < kind::STRING {
                continue;
            }
            // Dynamic properties are keys like any other: many of them are a container.
            let path = match self.engine.name(entry.key).map(bare) {
                Some(name) if table.count <= 64 && is_identifier(name) => {
                    let slot = || Slot::Property(None, name.to_owned());
                    let label = self.paths.named(1, &format!("->{name}"), slot);
                    self.paths.child(node.path, label)
                }
                _ => self.paths.elements(node.path),
            };
            self.meet(entry.value, path, true)?;
        }
        Ok(())
    }
}
