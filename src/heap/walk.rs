//! The walk over everything that can be reached: breadth first, so that each value is met by its
//! shortest path. What does not fit ends the walk: a copy is either whole or not used.

use super::classes::{Classes, Storage, bare};
use super::engine::{Engine, Function, Value, base_name, is_identifier, kind};
use super::memory::AddressMap;
use super::objects::{Live, NOT_MET, Object};
use super::paths::{LabelId, PathId, Paths, TypeId};
use super::zmm::BlockMap;

/// Elements of a list that are believed in.
const MOST_ELEMENTS: u64 = 1 << 28;
const MOST_VARIABLES: u32 = 10_000;
const MOST_FRAMES: usize = 10_000;
/// The frame's reference to `$this` counts, and to the closure that it runs.
const CALL_HAS_SYMBOL_TABLE: u32 = 1 << 20;
const CALL_RELEASES_THIS: u32 = 1 << 21;
const CALL_OF_CLOSURE: u32 = 1 << 22;

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
struct PlainTypes {
    scalar: [TypeId; 6],
    string: TypeId,
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
    index: AddressMap<u32>,
    next: usize,
    types: PlainTypes,
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
            index: AddressMap::with_capacity_and_hasher(room, Default::default()),
            next: 0,
            types,
        }
    }

    /// Whether what lies at `address` was met.
    pub fn has_met(&self, address: u64) -> bool {
        self.index.contains_key(&address) || self.node_at(address, kind::OBJECT).is_some()
    }

    /// The live object at `at`.
    fn object(&self, at: u64) -> Walked<Object> {
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

    /// Takes a value in and tells its type.
    fn take(&mut self, value: Value, path: PathId, counted: bool) -> Walked<TypeId> {
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
    fn arrive(&mut self, at: u64, of: u8, path: PathId, counted: bool) -> Walked<(bool, TypeId)> {
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
    fn add_bytes(&mut self, path: PathId, bytes: u64) {
        self.paths.at(path).bytes += bytes;
        if let Some(node) = self.nodes.get_mut(self.next) {
            node.bytes += bytes;
        }
    }

    fn expand_array(&mut self, node: Node) -> Walked<()> {
        let path = self.paths.elements(node.path);
        // The container's own bytes belong to what is printed as the container: `x[]`.
        self.paths.at(node.path).bytes -= node.bytes;
        self.paths.at(path).bytes += node.bytes;
        self.expand_table(node.at, path, true)
    }

    /// Meets all elements of the table at `at`. `own`: the table's keys and elements are its own.
    fn expand_table(&mut self, at: u64, path: PathId, own: bool) -> Walked<()> {
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

    fn expand_object(&mut self, node: Node) -> Walked<()> {
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

    fn meet_at(&mut self, path: PathId, label: LabelId, value: Value, counted: bool) -> Walked<()> {
        let path = self.paths.child(path, label);
        self.meet(value, path, counted)
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
            return self.arrive(at, kind::ARRAY, node.path, true).map(drop);
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
                    let label = self.paths.label(1, &format!("->{name}"));
                    self.paths.child(node.path, label)
                }
                _ => self.paths.elements(node.path),
            };
            self.meet(entry.value, path, true)?;
        }
        Ok(())
    }

    fn expand_closure(&mut self, node: Node) -> Walked<()> {
        let l = self.engine.layout;
        let function = node.at + u64::from(l.closure_func);
        let this_at = node.at + u64::from(l.closure_this);
        let this = self.engine.value(this_at).or_torn("a closure", node.at)?;
        if this.kind == kind::OBJECT {
            let label = self.paths.label(2, " bound $this");
            self.meet_at(node.path, label, this, true)?;
        } else if this.kind != kind::UNDEF {
            return Err(Torn(format!("a closure bound to a {} at {this_at:x}", this.kind)));
        }
        if self.engine.function(function) == Some(Function::User) {
            let pointer = self.engine.word(function, l.op_statics_ptr).or_torn("a closure", node.at)?;
            self.expand_statics(pointer, node.path, " use ")?;
        }
        Ok(())
    }

    /// The static variables (of a closure: the used ones too) behind a map pointer.
    pub fn expand_statics(&mut self, pointer: u64, path: PathId, word: &str) -> Walked<()> {
        let at = self.engine.map_pointer(pointer).or_torn("static variables", pointer)?;
        if at == 0 {
            return Ok(());
        }
        let head = self.engine.counted(at).or_torn("static variables", at)?;
        if head.kind != kind::ARRAY {
            return Err(Torn(format!("static variables of type {} at {at:x}", head.kind)));
        }
        if head.immutable || self.has_met(at) {
            return Ok(());
        }
        let table = self.engine.table(at).or_torn("static variables", at)?;
        let bytes = self.block(at, 56)? + if table.used > 0 { self.block(table.block, 0)? } else { 0 };
        self.paths.at(path).bytes += bytes;
        if let Some(node) = self.nodes.get_mut(self.next).filter(|_| path != 0) {
            node.bytes += bytes;
        }
        for entry in self.engine.entries(table) {
            let name =
                self.engine.name(entry.key).filter(|n| is_identifier(n)).or_torn("a variable's name", entry.key)?;
            if entry.value.kind >= kind::STRING {
                let label = self.paths.label(0, &format!("{word}${name}"));
                self.meet_at(path, label, entry.value, true)?;
            }
        }
        Ok(())
    }

    fn expand_generator(&mut self, node: Node) -> Walked<()> {
        let l = self.engine.layout;
        let frame = self.engine.word(node.at, l.generator_execute_data).or_torn("a generator", node.at)?;
        for offset in [l.generator_value, l.generator_retval] {
            let at = node.at + u64::from(offset);
            let value = self.engine.value(at).or_torn("a generator", node.at)?;
            if value.kind >= kind::STRING {
                let label = self.paths.label(2, " yields ");
                self.meet_at(node.path, label, value, true)?;
            }
        }
        if frame == 0 {
            return Ok(());
        }
        let bytes = self.block(frame, 80)?;
        self.add_bytes(node.path, bytes);
        self.frame(frame, node.path)
    }

    fn expand_fiber(&mut self, node: Node) -> Walked<()> {
        let l = self.engine.layout;
        if l.fiber_execute_data == 0 {
            return Ok(());
        }
        // fci begins with its size; the function's name, a value, follows.
        let at = node.at + u64::from(l.fiber_fci) + 8;
        let callable = self.engine.value(at).or_torn("a fiber", node.at)?;
        if callable.kind >= kind::STRING && callable.kind <= kind::REFERENCE {
            let label = self.paths.label(2, " runs ");
            self.meet_at(node.path, label, callable, true)?;
        }
        // Its frames lie on a page of their own, which begins with the bottom one; a fiber that has
        // not started, or has ended, has none.
        let bottom = self.engine.word(node.at, l.fiber_stack_bottom).or_torn("a fiber", node.at)?;
        let page = self.blocks.and_then(|b| b.block(bottom)).filter(|p| bottom - p.start < 64);
        if let Some(page) = page {
            self.add_bytes(node.path, page.size);
        }
        let mut frame = self.engine.word(node.at, l.fiber_execute_data).or_torn("a fiber", node.at)?;
        for _ in 0..MOST_FRAMES {
            if frame == 0 {
                return Ok(());
            }
            self.frame(frame, node.path)?;
            frame = self.engine.word(frame, l.ex_prev).or_torn("a frame", frame)?;
        }
        Err(Torn(format!("a fiber without end at {:x}", node.at)))
    }

    /// The variables of a frame, its `$this` and its closure.
    pub fn frame(&mut self, frame: u64, path: PathId) -> Walked<()> {
        let l = self.engine.layout;
        let function = self.engine.word(frame, l.ex_func).or_torn("a frame", frame)?;
        if function == 0 {
            return Ok(());
        }
        let this = self.engine.value(frame + u64::from(l.ex_this)).or_torn("a frame", frame)?;
        let call_info = self.engine.half(frame, l.ex_call_info).or_torn("a frame", frame)?;
        let name = function_name(&self.engine, function).or_torn("a function", function)?;
        if this.kind == kind::OBJECT {
            let class = self.object(this.word)?.class;
            let label = match path {
                0 => self.classes.at(class).name.clone(),
                _ => format!(" in {name}() $this"),
            };
            let label = self.paths.label(0, &label);
            self.meet_at(path, label, this, call_info & CALL_RELEASES_THIS != 0)?;
        }
        if call_info & CALL_OF_CLOSURE != 0 {
            let closure = function.checked_sub(u64::from(l.closure_func)).or_torn("a closure's frame", frame)?;
            let label = self.paths.label(0, &format!("{}{name}", if path == 0 { "" } else { " in " }));
            self.meet_at(path, label, Value { word: closure, kind: kind::OBJECT }, true)?;
        }
        let slots = frame + u64::from(l.ex_slots) * 16;
        match self.engine.function(function).or_torn("a function", function)? {
            Function::Internal => {
                let count = self.engine.half(frame, l.ex_num_args).or_torn("a frame", frame)?;
                for index in 0..count.min(MOST_VARIABLES) {
                    let value = self.engine.value(slots + u64::from(index) * 16).or_torn("an argument", frame)?;
                    if value.kind >= kind::STRING && value.kind <= kind::REFERENCE {
                        let label = self.paths.label(0, &format!("{name}() argument {}", index + 1));
                        self.meet_at(path, label, value, false)?;
                    }
                }
            }
            Function::User => {
                let count = self.engine.half(function, l.op_last_var).or_torn("a function", function)?;
                let names = self.engine.word(function, l.op_vars).or_torn("a function", function)?;
                if count > MOST_VARIABLES {
                    return Err(Torn(format!("a function of {count} variables at {function:x}")));
                }
                for index in 0..u64::from(count) {
                    let variable = self.engine.word(names + index * 8, 0).or_torn("a variable", names)?;
                    let variable = self.engine.name(variable).filter(|n| is_identifier(n));
                    let variable = variable.or_torn("a variable's name", names + index * 8)?;
                    let value = self.engine.value(slots + index * 16).or_torn("a variable", frame)?;
                    // A script's main code shares its variables with the globals, or with the function
                    // that included it; they count once, and there.
                    let is_shared = call_info & CALL_HAS_SYMBOL_TABLE != 0 || name.is_empty();
                    if value.kind < kind::STRING || (is_shared && self.has_met(value.word)) {
                        continue;
                    }
                    let label = match (name.is_empty(), path) {
                        (true, 0) => format!("${variable}"),
                        (false, 0) => format!("{name}() ${variable}"),
                        _ => format!(" in {name}() ${variable}"),
                    };
                    let label = self.paths.label(0, &label);
                    self.meet_at(path, label, value, !is_shared)?;
                }
            }
        }
        Ok(())
    }

    fn expand_object_storage(&mut self, node: Node, start: u64) -> Walked<()> {
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

    fn expand_linked_list(&mut self, node: Node, start: u64) -> Walked<()> {
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

    fn expand_array_object(&mut self, node: Node, start: u64) -> Walked<()> {
        let value = self.engine.value(start).or_torn("an array object", node.at)?;
        match value.kind {
            kind::ARRAY | kind::OBJECT | kind::REFERENCE => self.meet(value, node.path, true),
            kind::UNDEF => Ok(()),
            other => Err(Torn(format!("an array object of {other} at {start:x}"))),
        }
    }

    fn expand_fixed_array(&mut self, node: Node, start: u64) -> Walked<()> {
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

    fn expand_heap(&mut self, node: Node, start: u64) -> Walked<()> {
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

/// `Server->tick`, `Log::write`, `stream_select`; empty for a script's main code.
pub fn function_name(engine: &Engine, function: u64) -> Option<String> {
    let l = engine.layout;
    let name = engine.word(function, l.op_name)?;
    if name == 0 {
        return Some(String::new());
    }
    // `{closure:/path/file.php:12}` from 8.4 on.
    let name = match engine.name(name)? {
        closure if closure.starts_with("{closure") => match closure.contains('/') {
            true => format!("{{closure:{}", base_name(closure)),
            false => closure.to_owned(),
        },
        name => name.to_owned(),
    };
    let scope = engine.word(function, l.op_scope)?;
    if scope == 0 {
        return Some(name);
    }
    let is_static = engine.half(function, l.op_fn_flags)? & (1 << 4) != 0;
    Some(format!("{}{}{name}", engine.class_name(scope)?, if is_static { "::" } else { "->" }))
}
