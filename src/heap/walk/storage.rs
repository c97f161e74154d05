//! What PHP's own containers hold outside any array: object storages, lists, fixed arrays, heaps.

use super::engine::{Value, kind};
use super::walker::{Node, OrTorn, Torn, Walk, Walked};

/// Elements of a list that are believed in.
const MOST_ELEMENTS: u64 = 1 << 28;

impl Walk<'_> {
    pub(super) fn expand_object_storage(&mut self, node: Node, start: u64) -> Walked<()> {
        let table = self.engine.table(start).or_torn("an object storage", node.at)?;
        let path = self.paths.elements(node.path);
        if table.used > 0 {
            let bytes = self.block(table.block, 0)?;
            self.add_bytes(path, bytes);
        }
        for entry in self.engine.entries(table) {
            if u32::from(entry.value.kind) != self.engine.layout.type_ptr {
                return Err(Torn(format!("an object storage of {} at {start:x}", entry.value.kind)));
            }
            let element = entry.value.word;
            let (object, data) = (element, element + u64::from(self.engine.layout.storage_element_data));
            let bytes = self.block(element, 24)?;
            self.add_bytes(path, bytes);
            let object = self.engine.word(object, 0).or_torn("an element", element)?;
            self.meet(Value { word: object, kind: kind::OBJECT }, path, true)?;
            let data = self.engine.value(data).or_torn("an element", element)?;
            if data.kind >= kind::STRING {
                let label = self.paths.label(2, " data ");
                self.meet_at(path, label, data, true)?;
            }
        }
        Ok(())
    }

    pub(super) fn expand_linked_list(&mut self, node: Node, start: u64) -> Walked<()> {
        let l = self.engine.layout;
        let path = self.paths.elements(node.path);
        let list = self.engine.word(start, 0).or_torn("a list", node.at)?;
        if list == 0 {
            return Ok(());
        }
        let count = self.engine.half(list, l.list_count).or_torn("a list", list)?;
        let bytes = self.block(list, 24)?;
        self.add_bytes(path, bytes);
        let mut element = self.engine.word(list, 0).or_torn("a list", list)?;
        for _ in 0..count {
            let value =
                self.engine.value(element + u64::from(l.list_element_value)).or_torn("a list's element", element)?;
            let bytes = self.block(element, 32)?;
            self.add_bytes(path, bytes);
            self.meet(value, path, true)?;
            element = self.engine.word(element, 8).or_torn("a list's element", element)?;
        }
        match element {
            0 => Ok(()),
            _ => Err(Torn(format!("a list that is longer than it says at {list:x}"))),
        }
    }

    pub(super) fn expand_array_object(&mut self, node: Node, start: u64) -> Walked<()> {
        let value = self.engine.value(start).or_torn("an array object", node.at)?;
        match value.kind {
            // Its elements are the object's own, at the object's path: what they lie in is no value of the script.
            kind::ARRAY | kind::OBJECT | kind::REFERENCE => self.take_uncounted(value, node.path),
            kind::UNDEF => Ok(()),
            other => Err(Torn(format!("an array object of {other} at {start:x}"))),
        }
    }

    pub(super) fn expand_fixed_array(&mut self, node: Node, start: u64) -> Walked<()> {
        let count = self.engine.word(start, 0).or_torn("a fixed array", node.at)?;
        let elements = self.engine.word(start, 8).or_torn("a fixed array", node.at)?;
        if count == 0 || elements == 0 {
            return Ok(());
        }
        if count > MOST_ELEMENTS {
            return Err(Torn(format!("a fixed array of {count} at {:x}", node.at)));
        }
        let path = self.paths.elements(node.path);
        let bytes = self.block(elements, count * 16)?;
        self.add_bytes(path, bytes);
        for index in 0..count {
            let value = self.engine.value(elements + index * 16).or_torn("a fixed array", node.at)?;
            self.meet(value, path, true)?;
        }
        Ok(())
    }

    pub(super) fn expand_heap(&mut self, node: Node, start: u64) -> Walked<()> {
        let heap = self.engine.word(start, 0).or_torn("a heap", node.at)?;
        if heap == 0 {
            return Ok(());
        }
        let elements = self.engine.word(heap, 0).or_torn("a heap", heap)?;
        let count = self.engine.half(heap, 32).or_torn("a heap", heap)?;
        let size = self.engine.word(heap, 48).or_torn("a heap", heap)?;
        // A value, or a value and its priority. Of another shape nothing is claimed: its elements
        // are then "held by an extension".
        if !matches!(size, 16 | 32) {
            return Ok(());
        }
        let path = self.paths.elements(node.path);
        let bytes = self.block(heap, 56)? + self.block(elements, u64::from(count) * size)?;
        self.add_bytes(path, bytes);
        for index in 0..u64::from(count) {
            let value = self.engine.value(elements + index * size).or_torn("a heap's element", elements)?;
            self.meet(value, path, true)?;
            if size == 32 {
                let priority = self.engine.value(elements + index * size + 16).or_torn("a priority", elements)?;
                if priority.kind >= kind::STRING {
                    let label = self.paths.label(2, " priority ");
                    self.meet_at(path, label, priority, true)?;
                }
            }
        }
        Ok(())
    }
}
