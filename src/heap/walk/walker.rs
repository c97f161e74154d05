//! The walk over everything that can be reached: breadth first, so that each value is met by its
//! shortest path. What does not fit ends the walk: a copy is either whole or not used.

use std::collections::HashSet;

use super::classes::{Classes, Storage};
use super::engine::{Engine, Function, Value, kind};
use super::objects::{Live, NOT_MET, Object};
use super::paths::{LabelId, PathId, Paths, TypeId};
use crate::heap::memory::AddressMap;
use crate::heap::zmm::BlockMap;

/// What did not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn(pub String);

/// A step of the walk.
pub type Walked<T> = Result<T, Torn>;

/// Makes `None` into what did not fit.
pub trait OrTorn<T> {
    /// The value, or what it was that could not be read, and where.
    fn or_torn(self, what: &str, at: u64) -> Walked<T>;
}

impl<T> OrTorn<T> for Option<T> {
    fn or_torn(self, what: &str, at: u64) -> Walked<T> {
        self.ok_or_else(|| Torn(format!("{what} at {at:x}")))
    }
}

/// Something counted that was met.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// Its address.
    pub at: u64,
    /// One of [`kind`].
    pub kind: u8,
    /// Where it was first met.
    pub path: PathId,
    /// Bytes of its blocks.
    pub bytes: u64,
    /// References to it, as it says itself.
    pub refcount: u32,
    /// References to it that were met and that count.
    pub edges: u32,
}

/// Types that are no class.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlainTypes {
    pub(super) scalar: [TypeId; 6],
    pub(super) string: TypeId,
    array: TypeId,
    other: TypeId,
}

/// A walk in progress.
#[derive(Debug)]
pub struct Walk<'a> {
    /// What is walked over.
    pub engine: Engine<'a>,
    /// Sizes of blocks, where PHP uses Zend's manager.
    pub blocks: Option<&'a BlockMap>,
    /// Classes met.
    pub classes: Classes,
    /// Paths met.
    pub paths: Paths,
    /// All that was met, in the order in which it was.
    pub nodes: Vec<Node>,
    /// The live objects.
    pub live: Live,
    /// Names of the types of resources, by address of the resource.
    pub resources: AddressMap<TypeId>,
    /// References met (from, to), once they are asked for.
    pub edges: Option<Vec<(u32, u32)>>,
    /// Frames of what runs now, fibers among them.
    pub running: HashSet<u64>,
    index: AddressMap<u32>,
    next: usize,
    pub(super) types: PlainTypes,
}

impl<'a> Walk<'a> {
    /// A walk that has not yet met anything.
    pub fn new(engine: Engine<'a>, blocks: Option<&'a BlockMap>, live: Live) -> Walk<'a> {
        let mut paths = Paths::default();
        let types = PlainTypes {
            scalar: ["undefined", "null", "bool", "bool", "int", "float"].map(|name| paths.type_id(name)),
            string: paths.type_id("string"),
            array: paths.type_id("array"),
            other: paths.type_id("(other)"),
        };
        let room = live.all.len() * 2;
        Walk {
            engine,
            blocks,
            classes: Classes::default(),
            paths,
            nodes: Vec::with_capacity(room),
            live,
            resources: AddressMap::default(),
            edges: None,
            running: HashSet::new(),
            index: AddressMap::with_capacity_and_hasher(room, Default::default()),
            next: 0,
            types,
        }
    }

    /// Whether what lies at `address` was met.
    pub fn has_met(&self, address: u64) -> bool {
        self.index.contains_key(&address) || self.node_at(address, kind::OBJECT).is_some()
    }

    /// Where what lies at `address`, and is no object, was first met.
    pub fn met_at(&self, address: u64) -> Option<PathId> {
        self.index.get(&address).map(|node| self.nodes[*node as usize].path)
    }

    /// The functions of the closures that live, by address.
    pub fn closures(&self) -> Vec<u64> {
        let classes = self.classes.all();
        let is_closure = |o: &&Object| classes[o.class as usize].storage == Storage::Closure;
        let at = u64::from(self.engine.layout.closure_func);
        self.live.all.iter().filter(is_closure).map(|object| object.at + at).collect()
    }

    /// The live object at `at`.
    pub(super) fn object(&self, at: u64) -> Walked<Object> {
        let index = self.live.find(&self.engine, at).or_torn("an object that is not in the store", at)?;
        Ok(self.live.all[index])
    }

    /// The number of what lies at `at`, if it was met.
    fn node_at(&self, at: u64, of: u8) -> Option<u32> {
        match of {
            kind::OBJECT => {
                let object = self.live.find(&self.engine, at).map(|index| self.live.all[index]);
                object.map(|o| o.node).filter(|n| *n != NOT_MET)
            }
            _ => self.index.get(&at).copied(),
        }
    }

    /// The class that the object at `at` names.
    pub fn read_class_of(&mut self, at: u64) -> Walked<u32> {
        let entry = self.engine.word(at, self.engine.layout.obj_ce).or_torn("an object", at)?;
        self.classes.get(&self.engine, &mut self.paths, entry).or_torn("a class", entry)
    }

    /// Where the object's own block begins: what an extension keeps lies before the object.
    pub fn object_start(&self, at: u64) -> Walked<u64> {
        let handlers = self.engine.word(at, self.engine.layout.obj_handlers).or_torn("an object", at)?;
        let offset = self.engine.half(handlers, self.engine.layout.handlers_offset).or_torn("handlers", handlers)?;
        if offset > 1 << 16 || offset % 8 != 0 {
            return Err(Torn(format!("handlers at {handlers:x}")));
        }
        at.checked_sub(u64::from(offset)).or_torn("an object", at)
    }

    /// Bytes of the block that begins at `start`; a block must begin there. `least` bytes must fit.
    pub fn block(&self, start: u64, least: u64) -> Walked<u64> {
        let Some(blocks) = self.blocks else { return Ok(least) };
        match blocks.block(start) {
            Some(block) if block.start == start && block.size >= least => Ok(block.size),
            // Outside Zend's manager: allocated for good at start-up, or in shared memory.
            None if !blocks.is_managed(start) => Ok(0),
            _ => Err(Torn(format!("no block of {least} bytes at {start:x}"))),
        }
    }

    /// A value of a name: a root of the walk.
    pub fn root(&mut self, label: &str, value: Value) -> Walked<()> {
        let label = self.paths.label(0, label);
        let path = self.paths.child(0, label);
        self.meet(value, path, true)
    }

    /// Adds a block that a resource holds to whoever holds the resource. What begins no block (an
    /// extension keeps it elsewhere, or as a part of another) adds nothing.
    pub fn add_resource_bytes(&mut self, resource: u64, block: u64) {
        let found = self.blocks.and_then(|b| b.block(block)).filter(|b| b.start == block);
        if let (Some(found), Some(&id)) = (found, self.index.get(&resource)) {
            let node = &mut self.nodes[id as usize];
            node.bytes += found.size;
            self.paths.at(node.path).bytes += found.size;
        }
    }

    /// Goes on from everything met and not yet gone on from.
    pub fn run(&mut self) -> Walked<()> {
        while let Some(&node) = self.nodes.get(self.next) {
            match node.kind {
                kind::ARRAY => self.expand_array(node)?,
                kind::OBJECT => self.expand_object(node)?,
                _ => {}
            }
            self.next += 1;
        }
        Ok(())
    }

    /// A value at `path`. `counted`: the holder counts as a reference.
    pub fn meet(&mut self, value: Value, path: PathId, counted: bool) -> Walked<()> {
        let of = self.take(value, path, counted)?;
        self.paths.count(path, of, 1);
        Ok(())
    }

    /// Takes in what belongs to the value at `path`, and is none of those that are counted there.
    pub(super) fn take_uncounted(&mut self, value: Value, path: PathId) -> Walked<()> {
        let shared = self.paths.at(path).shared;
        self.take(value, path, true)?;
        self.paths.at(path).shared = shared;
        Ok(())
    }

    /// Takes a value in and tells its type.
    pub(super) fn take(&mut self, value: Value, path: PathId, counted: bool) -> Walked<TypeId> {
        let at = value.word;
        match value.kind {
            scalar @ kind::UNDEF..=kind::DOUBLE => Ok(self.types.scalar[scalar as usize]),
            kind::STRING | kind::ARRAY | kind::OBJECT | kind::RESOURCE | kind::CONSTANT_AST => {
                let (_, of) = self.arrive(at, value.kind, path, counted)?;
                Ok(of)
            }
            kind::REFERENCE => {
                let (new, _) = self.arrive(at, kind::REFERENCE, path, counted)?;
                let inner_at = at + u64::from(self.engine.layout.ref_val);
                let inner = self.engine.value(inner_at).or_torn("a reference", at)?;
                if inner.kind == kind::UNDEF || inner.kind >= kind::REFERENCE {
                    return Err(Torn(format!("a reference to no value at {at:x}")));
                }
                match new {
                    true => {
                        let from = self.index[&at];
                        self.take_from(from, inner, path)
                    }
                    false => self.type_of(inner),
                }
            }
            indirect if u32::from(indirect) == self.engine.layout.type_indirect => {
                let inner = self.engine.value(at).or_torn("an indirect value", at)?;
                if u32::from(inner.kind) == self.engine.layout.type_indirect {
                    return Err(Torn(format!("an indirect value at {at:x}")));
                }
                self.take(inner, path, counted)
            }
            other => Err(Torn(format!("a value of type {other}"))),
        }
    }

    fn take_from(&mut self, from: u32, inner: Value, path: PathId) -> Walked<TypeId> {
        // The reference itself is what points at the inner value.
        let at = self.nodes.len();
        let before = self.next;
        self.next = from as usize;
        let of = self.take(inner, path, true);
        self.next = before;
        debug_assert!(self.nodes.len() >= at);
        of
    }

    fn type_of(&mut self, value: Value) -> Walked<TypeId> {
        Ok(match value.kind {
            scalar @ kind::UNDEF..=kind::DOUBLE => self.types.scalar[scalar as usize],
            kind::STRING => self.types.string,
            kind::ARRAY => self.types.array,
            kind::OBJECT => self.object_type(value.word)?,
            kind::RESOURCE => self.resources.get(&value.word).copied().unwrap_or(self.types.other),
            _ => self.types.other,
        })
    }

    fn object_type(&mut self, at: u64) -> Walked<TypeId> {
        let class = self.object(at)?.class;
        let class = self.classes.at(class);
        if class.storage != Storage::Closure {
            return Ok(class.type_id);
        }
        // A closure is told by where it was written.
        let function = at + u64::from(self.engine.layout.closure_func);
        match self.engine.function(function) {
            Some(Function::User) => {
                let place = self.engine.place(function).or_torn("a closure", at)?;
                Ok(self.paths.type_id(&format!("Closure@{place}")))
            }
            Some(Function::Internal) => Ok(class.type_id),
            None => Err(Torn(format!("a closure at {at:x}"))),
        }
    }

    /// Something counted is referred to. Whether it is new, and its type.
    pub(super) fn arrive(&mut self, at: u64, of: u8, path: PathId, counted: bool) -> Walked<(bool, TypeId)> {
        if let Some(id) = self.node_at(at, of) {
            self.paths.at(path).shared += 1;
            let node = &mut self.nodes[id as usize];
            if node.kind != of {
                return Err(Torn(format!("{at:x} is of type {} and of type {of}", node.kind)));
            }
            if counted {
                node.edges += 1;
                if node.edges > node.refcount {
                    let path = self.paths.text(path);
                    return Err(Torn(format!("more references than counted at {at:x} of type {of}, at {path}")));
                }
            }
            self.edge_to(id);
            let of = self.type_of(Value { word: at, kind: of })?;
            return Ok((false, of));
        }
        let head = self.engine.counted(at).or_torn("a value", at)?;
        if head.kind != of || head.refcount == 0 || head.refcount > 1 << 30 {
            return Err(Torn(format!("a value of type {of} at {at:x} says that it is of type {}", head.kind)));
        }
        if head.immutable {
            return Ok((false, self.type_of(Value { word: at, kind: of })?));
        }
        let bytes = self.own_bytes(at, of)?;
        let type_id = self.type_of(Value { word: at, kind: of })?;
        let id = self.nodes.len() as u32;
        let edges = u32::from(counted);
        self.nodes.push(Node { at, kind: of, path, bytes, refcount: head.refcount, edges });
        match of {
            kind::OBJECT => {
                let index = self.live.find(&self.engine, at).or_torn("an object that is not in the store", at)?;
                self.live.all[index].node = id;
            }
            _ => drop(self.index.insert(at, id)),
        }
        self.paths.at(path).bytes += bytes;
        self.edge_to(id);
        Ok((true, type_id))
    }

    fn edge_to(&mut self, to: u32) {
        let from = self.next as u32;
        if let Some(edges) = &mut self.edges {
            edges.push((from, to));
        }
    }

    fn own_bytes(&self, at: u64, of: u8) -> Walked<u64> {
        let l = self.engine.layout;
        match of {
            kind::STRING => {
                let length = self.engine.string_length(at).or_torn("a string", at)?;
                let least = length.checked_add(u64::from(l.str_val) + 1).or_torn("a string", at)?;
                self.block(at, least)
            }
            kind::ARRAY => self.block(at, 56),
            kind::REFERENCE => self.block(at, 24),
            kind::OBJECT => Ok(self.object(at)?.bytes),
            kind::RESOURCE => self.block(at, u64::from(l.res_ptr) + 8),
            _ => self.block(at, 8),
        }
    }

    /// Adds the bytes of a further block of the value that is being gone on from.
    pub(super) fn add_bytes(&mut self, path: PathId, bytes: u64) {
        self.paths.at(path).bytes += bytes;
        if let Some(node) = self.nodes.get_mut(self.next) {
            node.bytes += bytes;
        }
    }

    pub(super) fn meet_at(&mut self, path: PathId, label: LabelId, value: Value, counted: bool) -> Walked<()> {
        let path = self.paths.child(path, label);
        self.meet(value, path, counted)
    }
}
