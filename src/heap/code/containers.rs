//! From all that code does to what it does to the containers of a census.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use super::accesses::{Access, Accesses, Deed, Names, Reader};
use super::functions::{self, Functions};
use super::slots::{Place, Slot, SlotId};
use super::sole::{Made, Sole};
use crate::heap::census::code::{Code, ContainerCode, Location, Role};
use crate::heap::read::image::Php;
use crate::heap::walk::engine::{Engine, Function};
use crate::heap::walk::slot::Container;
use crate::heap::walk::walker::{OrTorn, Torn, Walked};

/// Other names of one container that are followed.
const MOST_NAMES: usize = 256;
/// Lines of one role that are kept of a container.
const MOST_LINES: usize = 16;
/// Callers of a library's function are looked for through so many of its own.
const MOST_CALLS: usize = 6;

/// Reads the compiled code, and tells of each container what it does to it. `closures`: the functions of closures
/// that live. `is_library`: of a script's path.
pub fn read(
    engine: &Engine,
    php: &Php,
    closures: &[u64],
    containers: &[Container],
    is_library: &dyn Fn(&str) -> bool,
) -> Code {
    let begun = Instant::now();
    let mut code = Code::default();
    let result = read_all(engine, php, closures, &mut code).map(|(functions, names, accesses)| {
        let matcher = Matcher::new(&functions, &names, &accesses, is_library);
        containers.iter().filter_map(|container| matcher.of(container)).collect()
    });
    match result {
        Ok(containers) => code.containers = containers,
        Err(Torn(why)) => code.refused = Some(why),
    }
    code.milliseconds = begun.elapsed().as_secs_f64() * 1000.0;
    code
}

fn read_all<'a>(
    engine: &Engine<'a>,
    php: &Php,
    closures: &[u64],
    code: &mut Code,
) -> Walked<(Functions, Names<'a>, Accesses)> {
    let l = engine.layout;
    if l.last_opcode == 0 {
        return Err(Torn(format!("the code of PHP {} is not known", l.version)));
    }
    let functions = functions::find(engine, php, closures)?;
    let mut names = Names::new(*engine);
    let table = engine.word(php.eg, l.eg_class_table).or_torn("EG", php.eg)?;
    for entry in engine.entries(engine.table(table).or_torn("the class table", table)?) {
        if let Some(name) = engine.name(entry.key) {
            names.classes.insert(name.to_owned(), entry.value.word);
        }
    }
    for (number, function) in functions.all.iter().enumerate() {
        names.by_code.insert((function.code.opcodes, function.scope), number as u32);
        if function.scope == 0 && !function.key.contains('@') && !function.key.is_empty() {
            names.functions.insert(function.key.to_ascii_lowercase(), number as u32);
        }
    }
    let table = engine.word(php.eg, l.eg_function_table).or_torn("EG", php.eg)?;
    for entry in engine.entries(engine.table(table).or_torn("the function table", table)?) {
        if let (Some(name), Some(Function::Internal)) = (engine.name(entry.key), engine.function(entry.value.word)) {
            names.own.insert(name.to_owned(), entry.value.word);
        }
    }
    let mut accesses = Accesses::default();
    code.functions = functions.all.len() as u64;
    for (number, function) in functions.all.iter().enumerate() {
        let opcodes = function.code.read(engine)?;
        code.opcodes += opcodes.len() as u64;
        code.bytes += opcodes.len() as u64 * u64::from(l.opcode_size) + u64::from(l.op_literals);
        let sole = Sole::of(engine, &opcodes, function.scope, |name| names.class(name));
        let mut reader = Reader {
            names: &mut names,
            out: &mut accesses,
            functions: &functions.all,
            function,
            number: number as u32,
            temporaries: Vec::new(),
            variables: Vec::new(),
            own: Vec::new(),
            assigned: HashMap::new(),
            calls: Vec::new(),
            begun: HashMap::new(),
            loops: super::opcodes::loops(&opcodes, l.opcode_size),
            at: 0,
            sole,
            unset: Vec::new(),
            joined: Vec::new(),
            copies: HashMap::new(),
            learning: true,
        };
        reader.read(&opcodes);
    }
    accesses.all.sort_unstable_by_key(|access| access.place.slot);
    Ok((functions, names, accesses))
}

/// Finds what belongs to one container.
struct Matcher<'a> {
    functions: &'a Functions,
    accesses: &'a Accesses,
    /// From a slot to its other names, and back.
    names: HashMap<SlotId, Vec<(Place, Place, bool)>>,
    /// Classes that declare a property of a name.
    declaring: HashMap<String, HashSet<String>>,
    /// Of what is put in.
    made: HashMap<Made, String>,
    is_library: &'a dyn Fn(&str) -> bool,
}

impl<'a> Matcher<'a> {
    fn new(
        functions: &'a Functions,
        names: &Names,
        accesses: &'a Accesses,
        is_library: &'a dyn Fn(&str) -> bool,
    ) -> Matcher<'a> {
        let mut aliases: HashMap<SlotId, Vec<(Place, Place, bool)>> = HashMap::new();
        for alias in &accesses.aliases {
            let name = Place { slot: alias.name, depth: 0 };
            aliases.entry(alias.of.slot).or_default().push((alias.of, name, alias.object));
            // An object has each of its names to the same right.
            aliases.entry(alias.name).or_default().push((name, alias.of, true));
        }
        let made: HashSet<Made> = accesses.all.iter().filter_map(|access| access.made).collect();
        let name = |made: Made| made.name(&names.engine).map(|name| (made, name));
        let made = made.into_iter().filter_map(name).collect();
        Matcher { functions, accesses, names: aliases, declaring: declaring(names), made, is_library }
    }

    /// What code does to a container; `None` where no code names it.
    fn of(&self, container: &Container) -> Option<ContainerCode> {
        let mut by_reference = self.has_computed_names(&container.slot);
        // A property that no class declares, unless another class has one of that name.
        if let Slot::Property(None, name) = &container.slot
            && self.declaring.contains_key(name)
        {
            return None;
        }
        let slots = [Some(&container.slot), container.head.as_ref()];
        let mut start: Vec<SlotId> =
            slots.into_iter().flatten().filter_map(|slot| self.accesses.slots.find(slot)).collect();
        if let Slot::Property(Some(class), name) = &container.slot {
            // Of an object whose class the code does not tell: this one's where no other class has such a property.
            if let Some(id) = self.accesses.slots.find(&Slot::Property(None, name.clone())) {
                match self.declaring.get(name).is_some_and(|classes| classes.iter().all(|c| c == class)) {
                    true => start.push(id),
                    false => by_reference |= !self.accesses.of_slot(id).is_empty(),
                }
            }
        }
        let deeds = self.deeds(&start, container, &mut by_reference);
        let mut locations = self.locations(container, &deeds);
        if deeds.is_empty() && !by_reference {
            return None;
        }
        // A link that is replaced by another one takes out what was between them, or puts something there.
        let links = self.links(container);
        by_reference |= deeds.iter().any(|access| match access.deed {
            Deed::Replaces { by: Some(by), .. } => links.contains(&by) && links.contains(&access.place.slot),
            _ => false,
        });
        // What fills it is not followed, so it may be emptied there too.
        by_reference |= !locations.iter().any(|at| at.role == Role::PutsIn);
        for made in self.accesses.made.iter().filter(|made| made.class == container.element) {
            locations.push(self.location(Role::Creates, made.function, made.line));
        }
        if let Some((file, line)) = container.element.strip_prefix("Closure@").and_then(|at| at.rsplit_once(':')) {
            let written = |f: &&functions::UserFunction| f.key == container.element && f.file.ends_with(file);
            if let (Some(function), Ok(line)) = (self.functions.all.iter().find(written), line.parse()) {
                let function = function.key.clone();
                let file = self.functions.all.iter().find(written).map(|f| f.file.clone()).unwrap_or_default();
                locations.push(Location {
                    role: Role::Creates,
                    file,
                    line,
                    function,
                    class: None,
                    per_1000: None,
                    excerpt: None,
                });
            }
        }
        locations.sort_by(|a, b| (a.role, &a.file, a.line, &a.function).cmp(&(b.role, &b.file, b.line, &b.function)));
        locations.dedup_by(|a, b| {
            let same = (a.role, &a.file, a.line) == (b.role, &b.file, b.line);
            if same && a.class != b.class {
                // The line puts in more than one thing.
                b.class = None;
            }
            same
        });
        for role in [Role::PutsIn, Role::TakesOut, Role::Creates, Role::Calls] {
            let mut kept = 0;
            locations.retain(|location| {
                kept += usize::from(location.role == role);
                location.role != role || kept <= MOST_LINES
            });
        }
        Some(ContainerCode { path: container.path.clone(), locations, by_reference })
    }

    fn has_computed_names(&self, slot: &Slot) -> bool {
        let (Slot::Property(Some(of), _) | Slot::Static(of, _)) = slot else { return false };
        self.accesses.computed.iter().any(|class| class.as_ref() == Some(of))
    }

    /// All that is done to the container, under whichever of its names; depths are the container's own.
    fn deeds(&self, start: &[SlotId], container: &Container, by_reference: &mut bool) -> Vec<Access> {
        let mut found = Vec::new();
        // A name, the depth at which the container's own place lies under it, negative where it lies above.
        let mut queue: Vec<(SlotId, i64)> = start.iter().map(|slot| (*slot, 0)).collect();
        let mut met: HashSet<(SlotId, i64)> = queue.iter().copied().collect();
        while let Some((slot, shift)) = queue.pop() {
            for access in self.accesses.of_slot(slot) {
                if let Ok(depth) = u32::try_from(i64::from(access.place.depth) + shift) {
                    found.push(Access { place: Place { slot, depth }, ..*access });
                }
            }
            for (here, there, object) in self.names.get(&slot).into_iter().flatten() {
                let depth = i64::from(here.depth) + shift;
                // What lies deeper than the container's elements is none of it; an array by value is a copy.
                if depth >= i64::from(container.depth.max(1)) || depth < 0 || (*object && !container.in_object) {
                    continue;
                }
                let next = (there.slot, depth - i64::from(there.depth));
                if met.len() >= MOST_NAMES {
                    *by_reference = true;
                } else if met.insert(next) {
                    queue.push(next);
                }
            }
        }
        let outside = container.depth.max(1);
        *by_reference |= found.iter().any(|access| match access.deed {
            Deed::Referenced { object } => access.place.depth < outside && (!object || container.in_object),
            _ => false,
        });
        found
    }

    fn locations(&self, container: &Container, deeds: &[Access]) -> Vec<Location> {
        let depth = container.depth;
        let those = |wanted: &dyn Fn(&Access) -> bool| -> Vec<&Access> {
            deeds.iter().filter(|access| wanted(access)).collect()
        };
        let links = self.links(container);
        let mut puts = match depth {
            // A string that grows, or objects that hang on one another.
            0 => those(&|access| match access.deed {
                Deed::Grows => access.place.depth == 0,
                Deed::Replaces { by_nothing, by, .. } => {
                    access.place.depth == 0 && !by_nothing && by.is_none_or(|by| !links.contains(&by))
                }
                _ => false,
            }),
            _ => those(&|a| fills(a, container) && a.place.depth == depth),
        };
        // A key that is new comes by itself where something is put beneath it; a whole array brings its own.
        if puts.is_empty() && depth > 0 {
            puts = those(&|a| matches!(a.deed, Deed::Puts { .. }) && a.place.depth > depth);
        }
        if puts.is_empty() && depth > 0 {
            puts = those(&|a| match a.deed {
                Deed::Puts { nothing, .. } => a.place.depth < depth && !nothing,
                Deed::Replaces { by_nothing, .. } => a.place.depth < depth && !by_nothing,
                _ => false,
            });
        }
        let takes = those(&|access| match access.deed {
            Deed::Takes => access.place.depth <= depth,
            Deed::Puts { .. } => depth > 0 && access.place.depth == depth && !fills(access, container),
            Deed::Replaces { first: true, .. } => false,
            Deed::Replaces { by_nothing, by, .. } => match depth {
                // The first of a chain is replaced by the one behind it.
                0 => {
                    let by_next = by.is_some_and(|by| links.contains(&by)) && !links.contains(&access.place.slot);
                    access.place.depth == 0 && (by_nothing || by_next)
                }
                _ => access.place.depth < depth,
            },
            _ => false,
        });
        let put = |access: &&Access| {
            let class = access.made.and_then(|made| self.made.get(&made).cloned());
            Location { class, ..self.location(Role::PutsIn, access.function, access.line) }
        };
        let mut locations: Vec<Location> = puts.iter().map(put).collect();
        let put_at: HashSet<(u32, u32)> = puts.iter().map(|access| (access.function, access.line)).collect();
        locations.extend(
            takes
                .iter()
                .filter(|access| !put_at.contains(&(access.function, access.line)))
                .map(|access| self.location(Role::TakesOut, access.function, access.line)),
        );
        locations.extend(self.callers(&puts));
        locations
    }

    /// The slots by which each object of a chain holds the next.
    fn links(&self, container: &Container) -> Vec<SlotId> {
        let Slot::Property(_, name) = &container.slot else { return Vec::new() };
        let slots = [container.slot.clone(), Slot::Property(None, name.clone())];
        let slots = slots.iter().filter(|_| container.head.is_some());
        slots.filter_map(|slot| self.accesses.slots.find(slot)).collect()
    }

    /// Where code outside any library calls into the one that puts it in.
    fn callers(&self, puts: &[&Access]) -> Vec<Location> {
        let is_library = |function: u32| (self.is_library)(&self.functions.all[function as usize].file);
        let mut found = Vec::new();
        let mut reached: HashSet<u32> = puts.iter().map(|access| access.function).filter(|f| is_library(*f)).collect();
        let mut next: Vec<u32> = reached.iter().copied().collect();
        for _ in 0..MOST_CALLS {
            let wanted: HashSet<u32> = next.drain(..).collect();
            let methods: HashSet<String> = wanted.iter().map(|f| self.method_name(*f)).collect();
            for call in &self.accesses.calls {
                let hits = match call.callee {
                    Some(callee) => wanted.contains(&callee),
                    None => !call.method.is_empty() && methods.contains(&call.method),
                };
                if !hits {
                    continue;
                }
                if !is_library(call.function) {
                    found.push(self.location(Role::Calls, call.function, call.line));
                } else if reached.insert(call.function) {
                    next.push(call.function);
                }
            }
        }
        found
    }

    /// The name by which a method is called.
    fn method_name(&self, function: u32) -> String {
        let key = &self.functions.all[function as usize].key;
        let name = key.rsplit_once("->").or_else(|| key.rsplit_once("::")).map_or("", |(_, name)| name);
        name.to_ascii_lowercase()
    }

    fn location(&self, role: Role, function: u32, line: u32) -> Location {
        let function = &self.functions.all[function as usize];
        let name = if function.key.is_empty() { "{main}".to_owned() } else { function.key.clone() };
        let file = function.file.clone();
        Location { role, file, line, function: name, class: None, per_1000: None, excerpt: None }
    }
}

/// Whether something is put into the container that counts: where objects or text are held, null takes their place.
fn fills(access: &Access, container: &Container) -> bool {
    let holds_more = !matches!(container.element.as_str(), "array" | "null" | "undefined" | "int" | "float" | "bool");
    matches!(access.deed, Deed::Puts { null, .. } if !(null && holds_more))
}

/// Which of the script's classes declare a property of a name.
fn declaring(names: &Names) -> HashMap<String, HashSet<String>> {
    let (engine, l) = (&names.engine, names.engine.layout);
    let mut found: HashMap<String, HashSet<String>> = HashMap::new();
    for &class in names.classes.values() {
        let Some(table) = engine.table(class.wrapping_add(u64::from(l.ce_properties_info))) else { continue };
        for entry in engine.entries(table) {
            let name = engine.name(entry.key);
            let declared = engine.word(entry.value.word, l.prop_ce);
            let first = name.zip(declared).and_then(|(name, class)| {
                crate::heap::walk::declared::first_declaring(engine, class, name).map(|class| (name, class))
            });
            if let Some((name, class)) = first {
                found.entry(name.to_owned()).or_default().insert(class);
            }
        }
    }
    found
}
