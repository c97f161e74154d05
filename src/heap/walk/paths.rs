//! The tree of paths that lead to values. Keys fold to `[]`, recursion folds into itself, so the
//! tree stays as small as the program that made the heap.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::slot::{Container, Slot};
use crate::heap::memory::AddressHasher;

/// A path's number; 0 is the root of all.
pub type PathId = u32;
/// A label's number.
pub type LabelId = u32;
/// A type's number.
pub type TypeId = u32;

/// Paths beyond this fold into their parent.
const MOST_PATHS: usize = 100_000;
/// Nested arrays beyond this depth fold.
const DEEPEST_NESTING: usize = 4;
const DEEPEST: u32 = 64;
/// Types told apart at one path; more are "other".
const MOST_TYPES: usize = 64;

/// Types that are no class. No class can have such a name.
pub const PLAIN: [&str; 8] = ["undefined", "null", "bool", "int", "float", "string", "array", "(other)"];

/// `[]`, which every tree has.
pub const ELEMENT: LabelId = 0;

/// One path.
#[derive(Debug, Clone)]
pub struct Path {
    /// The path that it goes on from.
    pub parent: PathId,
    /// What comes after it.
    pub label: LabelId,
    depth: u32,
    /// Values that were met here.
    pub count: u64,
    /// Those of them that had been met by another path before.
    pub shared: u64,
    /// Values by type.
    pub types: Vec<(TypeId, u64)>,
    /// Bytes of the blocks first met here.
    pub bytes: u64,
    /// The values are elements of a container.
    pub elements: bool,
    /// The path leads back to itself: a linked list, a tree.
    pub recursive: bool,
}

/// The tree.
#[derive(Debug)]
pub struct Paths {
    paths: Vec<Path>,
    labels: Vec<String>,
    label_ids: HashMap<(u64, String), LabelId>,
    /// What code calls the place that a label names.
    slots: HashMap<LabelId, Slot>,
    types: Vec<String>,
    type_ids: HashMap<String, TypeId>,
    children: HashMap<(PathId, LabelId), PathId, BuildHasherDefault<AddressHasher>>,
}

impl Default for Paths {
    fn default() -> Self {
        let mut paths = Paths {
            paths: Vec::new(),
            labels: Vec::new(),
            label_ids: HashMap::new(),
            slots: HashMap::new(),
            types: Vec::new(),
            type_ids: HashMap::new(),
            children: HashMap::default(),
        };
        paths.label(0, "[]");
        paths.push(0, ELEMENT, 0);
        paths
    }
}

impl Paths {
    /// The number of a label. Labels of equal text that different owners (a class's address, or 0)
    /// have are different: only the same property of the same class is recursion.
    pub fn label(&mut self, owner: u64, text: &str) -> LabelId {
        if let Some(&id) = self.label_ids.get(&(owner, text.to_owned())) {
            return id;
        }
        let id = self.labels.len() as LabelId;
        self.labels.push(text.to_owned());
        self.label_ids.insert((owner, text.to_owned()), id);
        id
    }

    /// As [`Paths::label`], of a place that code has a name for.
    pub fn named(&mut self, owner: u64, text: &str, slot: impl FnOnce() -> Slot) -> LabelId {
        let label = self.label(owner, text);
        self.slots.entry(label).or_insert_with(slot);
        label
    }

    /// The container at `path` as code names it; `None` where it has no name there.
    pub fn container(&self, path: PathId) -> Option<Container> {
        let element = self.main_type(path).map(|of| self.type_name(of).to_owned()).unwrap_or_default();
        let (mut at, mut depth, mut in_object) = (path, 0, false);
        while self.paths[at as usize].label == ELEMENT {
            if at == 0 {
                return None;
            }
            depth += 1;
            at = self.paths[at as usize].parent;
            in_object |= self.main_type(at).is_some_and(|of| self.is_class(of));
        }
        let slot = match self.slots.get(&self.paths[at as usize].label)? {
            // What a closure uses is named by where the closure was written.
            Slot::StaticVariable(function, name) if function.is_empty() => {
                let closure = self.main_type(self.paths[at as usize].parent)?;
                Slot::StaticVariable(self.type_name(closure).to_owned(), name.clone())
            }
            slot => slot.clone(),
        };
        let (this, parent) = (&self.paths[at as usize], self.paths[at as usize].parent);
        let head = this.recursive.then(|| self.slots.get(&self.paths[parent as usize].label).cloned()).flatten();
        Some(Container { path: self.text(path), slot, head, depth, in_object, element })
    }

    /// The number of a type's name.
    pub fn type_id(&mut self, name: &str) -> TypeId {
        if let Some(&id) = self.type_ids.get(name) {
            return id;
        }
        let id = self.types.len() as TypeId;
        self.types.push(name.to_owned());
        self.type_ids.insert(name.to_owned(), id);
        id
    }

    /// A type's name.
    pub fn type_name(&self, id: TypeId) -> &str {
        &self.types[id as usize]
    }

    /// Whether a type is a class: neither a plain type nor a resource's.
    pub fn is_class(&self, id: TypeId) -> bool {
        let name = self.type_name(id);
        !PLAIN.contains(&name) && !name.starts_with("resource(")
    }

    /// A label's text.
    pub fn label_text(&self, id: LabelId) -> &str {
        &self.labels[id as usize]
    }

    /// All paths, parents before children.
    pub fn all(&self) -> &[Path] {
        &self.paths
    }

    /// One path, to add to.
    pub fn at(&mut self, path: PathId) -> &mut Path {
        &mut self.paths[path as usize]
    }

    /// The path that goes on from `parent` by `label`.
    pub fn child(&mut self, parent: PathId, label: LabelId) -> PathId {
        if let Some(&child) = self.children.get(&(parent, label)) {
            return child;
        }
        let child = self.fold(parent, label).unwrap_or_else(|| {
            let depth = self.paths[parent as usize].depth + 1;
            self.push(parent, label, depth)
        });
        self.children.insert((parent, label), child);
        child
    }

    /// The elements of what lies at `parent`.
    pub fn elements(&mut self, parent: PathId) -> PathId {
        let child = self.child(parent, ELEMENT);
        self.paths[child as usize].elements = true;
        child
    }

    fn push(&mut self, parent: PathId, label: LabelId, depth: u32) -> PathId {
        let id = self.paths.len() as PathId;
        self.paths.push(Path {
            parent,
            label,
            depth,
            count: 0,
            shared: 0,
            types: Vec::new(),
            bytes: 0,
            elements: false,
            recursive: false,
        });
        id
    }

    fn fold(&mut self, parent: PathId, label: LabelId) -> Option<PathId> {
        if parent == 0 {
            return None;
        }
        let ancestors: Vec<PathId> = self.ancestors(parent).collect();
        let found = match label {
            ELEMENT => {
                let nested = ancestors.iter().take_while(|&&a| self.paths[a as usize].label == ELEMENT).count();
                (nested >= DEEPEST_NESTING).then_some(parent)
            }
            label => ancestors.iter().copied().find(|&a| self.paths[a as usize].label == label),
        };
        if let Some(found) = found {
            self.paths[found as usize].recursive = true;
        }
        let full = self.paths.len() >= MOST_PATHS || self.paths[parent as usize].depth >= DEEPEST;
        found.or(full.then_some(parent))
    }

    /// `path`, its parent, and so on; without the root.
    pub fn ancestors(&self, path: PathId) -> impl Iterator<Item = PathId> + '_ {
        std::iter::successors(Some(path), |&p| Some(self.paths[p as usize].parent)).take_while(|&p| p != 0)
    }

    /// Counts `count` values of one type at `path`.
    pub fn count(&mut self, path: PathId, of: TypeId, count: u64) {
        let path = &mut self.paths[path as usize];
        path.count += count;
        match path.types.iter().position(|(t, _)| *t == of) {
            Some(at) => path.types[at].1 += count,
            None if path.types.len() < MOST_TYPES => path.types.push((of, count)),
            None => path.types[MOST_TYPES - 1].1 += count,
        }
    }

    /// The type that most of the values have.
    pub fn main_type(&self, path: PathId) -> Option<TypeId> {
        let types = &self.paths[path as usize].types;
        types.iter().max_by_key(|t| (t.1, std::cmp::Reverse(t.0))).map(|t| t.0)
    }

    /// `$server{Server}->leak[]`
    pub fn text(&self, path: PathId) -> String {
        let chain: Vec<PathId> = self.ancestors(path).collect();
        let mut text = String::new();
        for (depth, &step) in chain.iter().rev().enumerate() {
            let label = self.label_text(self.paths[step as usize].label);
            if depth > 0 {
                let holder = self.paths[step as usize].parent;
                let class = self.main_type(holder).map(|t| self.type_name(t)).unwrap_or_default();
                // A frame's `$this` is written as its class; saying it twice helps nobody.
                let says_it = class.is_empty() || text.ends_with(class) || (label == "[]" && class == "array");
                if !says_it {
                    text.push('{');
                    text.push_str(class);
                    text.push('}');
                }
            }
            text.push_str(label);
            if self.paths[step as usize].recursive {
                text.push('…');
            }
        }
        text
    }

    /// Bytes of each path with all that goes on from it.
    pub fn subtree_bytes(&self) -> Vec<u64> {
        let mut sums: Vec<u64> = self.paths.iter().map(|p| p.bytes).collect();
        for id in (1..self.paths.len()).rev() {
            sums[self.paths[id].parent as usize] += sums[id];
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_folds_into_one_path() {
        let mut paths = Paths::default();
        let head = paths.label(0, "$head");
        let next = paths.label(77, "->next");
        let node = paths.type_id("Node");
        let mut at = paths.child(0, head);
        paths.count(at, node, 1);
        for _ in 0..1000 {
            at = paths.child(at, next);
            paths.count(at, node, 1);
        }
        assert_eq!(paths.text(at), "$head{Node}->next…");
        assert_eq!(paths.all()[at as usize].count, 1000);
        assert_eq!(paths.all().len(), 3);
    }

    #[test]
    fn the_same_property_name_of_another_class_is_no_recursion() {
        let mut paths = Paths::default();
        let root = paths.label(0, "Server");
        let (a, b) = (paths.label(1, "->items"), paths.label(2, "->items"));
        let at = paths.child(0, root);
        let at = paths.child(at, a);
        let at = paths.elements(at);
        let at = paths.child(at, b);
        assert_eq!(paths.text(at), "Server->items[]->items");
    }

    #[test]
    fn deep_arrays_fold() {
        let mut paths = Paths::default();
        let root = paths.label(0, "$tree");
        let mut at = paths.child(0, root);
        for _ in 0..100 {
            at = paths.elements(at);
        }
        assert!(paths.all().len() < 10);
        assert_eq!(paths.text(at), "$tree[][][][]…");
    }
}
