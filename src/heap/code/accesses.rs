//! What code does to containers: one pass over a function's opcodes, which follows where each temporary came from.
//! What it cannot follow (a name that is computed, an array that is handed elsewhere) it says, and guesses nothing.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::conditions::{Stretch, Unset};
use super::functions::UserFunction;
use super::opcodes::{OpArray, Opcode, Operand};
use super::slots::{Place, Slot, SlotId, Slots};
use super::sole::{self, Sole};
use crate::heap::memory::AddressHasher;
use crate::heap::walk::declared::declared;
use crate::heap::walk::engine::Engine;

/// What is done to a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// An element is put there.
    Puts {
        /// It is nothing itself: an empty array, null.
        nothing: bool,
        /// It is null.
        null: bool,
    },
    /// The element there, or some element, is taken out.
    Takes,
    /// The string there grows.
    Grows,
    /// What lies there is replaced as a whole.
    Replaces {
        /// By nothing: an empty array, null.
        by_nothing: bool,
        /// Nothing can have been there before.
        first: bool,
        /// The slot that the value was read from, where it was.
        by: Option<SlotId>,
    },
    /// It is handed on so that other code may change it.
    Referenced {
        /// Only where it is an object: an array would be a copy.
        object: bool,
    },
}

/// One deed.
#[derive(Debug, Clone, Copy)]
pub struct Access {
    /// To what.
    pub place: Place,
    /// What.
    pub deed: Deed,
    /// The line.
    pub line: u32,
    /// The function's number.
    pub function: u32,
    /// What is put there, where it was made nearby.
    pub made: Option<sole::Made>,
}

/// Two names for one thing.
#[derive(Debug, Clone, Copy)]
pub struct Alias {
    /// What it is.
    pub of: Place,
    /// Its other name.
    pub name: SlotId,
    /// Of an object alone: an array would be copied.
    pub object: bool,
}

/// A line that makes an object of a class.
#[derive(Debug, Clone)]
pub struct Made {
    /// The class's name.
    pub class: String,
    /// The line.
    pub line: u32,
    /// The function's number.
    pub function: u32,
}

/// A line that calls a function.
#[derive(Debug, Clone)]
pub struct CallSite {
    /// The number of the function called, where the code tells it.
    pub callee: Option<u32>,
    /// The method's lower-case name, where it does not.
    pub method: String,
    /// The line.
    pub line: u32,
    /// The calling function's number.
    pub function: u32,
}

/// All that was read.
#[derive(Debug, Default)]
pub struct Accesses {
    /// The slots that code names.
    pub slots: Slots,
    /// Deeds.
    pub all: Vec<Access>,
    /// Other names.
    pub aliases: Vec<Alias>,
    /// Objects made.
    pub made: Vec<Made>,
    /// Calls of user functions.
    pub calls: Vec<CallSite>,
    /// Classes (as far as known) with properties whose names are computed.
    pub computed: Vec<Option<String>>,
}

impl Deed {
    /// Something is put there that is not nothing.
    pub const PUTS: Deed = Deed::Puts { nothing: false, null: false };
}

impl Accesses {
    /// The deeds to what a slot holds; all of them must stand in the order of their slots.
    pub fn of_slot(&self, slot: SlotId) -> &[Access] {
        let from = self.all.partition_point(|access| access.place.slot < slot);
        let to = self.all.partition_point(|access| access.place.slot <= slot);
        &self.all[from..to]
    }
}

/// What is known of a value.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known {
    /// Where it lies.
    pub place: Option<Place>,
    /// The class entry of its class.
    pub class: Option<u64>,
    /// It is an empty array, or null.
    pub nothing: bool,
    /// It is what lies there with something more in it.
    pub adds_to: Option<Place>,
    /// It is what lies there without some of it.
    pub takes_from: Option<Place>,
    /// It is made of what lies there, by one of PHP's own functions that the code does not name.
    pub made_of: Option<Place>,
    /// It is null, written out.
    pub null: bool,
    /// What it tells of a place, as a condition.
    pub unset: Option<Unset>,
    /// It is the closure whose function lies here.
    pub closure: Option<u64>,
}

/// A property's slot and the class of its value.
type Property = (Option<SlotId>, Option<u64>);

/// What is asked of while code is read.
#[derive(Debug)]
pub struct Names<'a> {
    /// The copy.
    pub engine: Engine<'a>,
    /// Classes by lower-case name.
    pub classes: HashMap<String, u64>,
    /// Functions (not methods) by lower-case name.
    pub functions: HashMap<String, u32>,
    /// PHP's own functions by lower-case name: where each lies.
    pub own: HashMap<String, u64>,
    /// Any function's number by where its opcodes lie and by its class.
    pub by_code: HashMap<(u64, u64), u32>,
    /// By class, name and asking class.
    properties: HashMap<(u64, u64, u64), Property, BuildHasherDefault<AddressHasher>>,
}

impl<'a> Names<'a> {
    /// Nothing known yet.
    pub fn new(engine: Engine<'a>) -> Names<'a> {
        Names {
            engine,
            classes: HashMap::new(),
            functions: HashMap::new(),
            own: HashMap::new(),
            by_code: HashMap::new(),
            properties: HashMap::default(),
        }
    }

    /// The class of a name, in any case.
    pub fn class(&self, name: &str) -> Option<u64> {
        self.classes.get(&name.trim_start_matches('\\').to_ascii_lowercase()).copied()
    }

    /// The number of the method that a call of `name` on an object of `class` runs.
    pub fn method(&self, class: u64, name: &str) -> Option<u32> {
        let l = self.engine.layout;
        let table = self.engine.table(class.wrapping_add(u64::from(l.ce_function_table)))?;
        let method = self.engine.find(table, name)?.value.word;
        let scope = self.engine.word(method, l.op_scope)?;
        self.by_code.get(&(self.engine.word(method, l.op_opcodes)?, scope)).copied()
    }
}

/// Reads one function.
#[derive(Debug)]
pub struct Reader<'r, 'a> {
    pub(super) names: &'r mut Names<'a>,
    pub(super) out: &'r mut Accesses,
    pub(super) functions: &'r [UserFunction],
    pub(super) function: &'r UserFunction,
    pub(super) number: u32,
    pub(super) temporaries: Vec<Known>,
    pub(super) variables: Vec<Option<Known>>,
    /// The slots of variables, once they are asked for.
    pub(super) own: Vec<Option<Place>>,
    /// Classes that variables are assigned; `None` where they are not all of one.
    pub(super) assigned: HashMap<u32, Option<u64>>,
    pub(super) calls: Vec<super::calls::Call>,
    /// Variables that were assigned before, and those whose first value comes outside any loop.
    pub(super) begun: HashMap<u32, usize>,
    pub(super) loops: Vec<(usize, usize)>,
    pub(super) at: usize,
    pub(super) sole: Sole,
    /// Where nothing lies at a place.
    pub(super) unset: Vec<Stretch>,
    /// Where the two halves of a condition come together, and what the first says of the whole.
    pub(super) joined: Vec<(usize, Unset)>,
    /// Variables that are given a copy of what lies at a place.
    pub(super) copies: HashMap<Place, Place>,
    /// On the first pass only classes of variables are learnt.
    pub(super) learning: bool,
}

impl Reader<'_, '_> {
    pub(super) fn code(&self) -> &OpArray {
        &self.function.code
    }

    pub(super) fn deed(&mut self, place: Option<Place>, deed: Deed, line: u32) {
        self.deed_of(place, deed, line, None);
    }

    /// As `deed`, with what is known of the thing that is put there.
    pub(super) fn deed_of(&mut self, place: Option<Place>, deed: Deed, line: u32, made: Option<sole::Made>) {
        if let (Some(place), false) = (place, self.learning) {
            self.out.all.push(Access { place, deed, line, function: self.number, made });
        }
    }

    pub(super) fn alias(&mut self, of: Option<Place>, name: Option<Place>, object: bool) {
        if let (Some(of), Some(Place { slot, depth: 0 }), false) = (of, name, self.learning)
            && of.slot != slot
        {
            self.out.aliases.push(Alias { of, name: slot, object });
        }
    }

    /// The slot of a variable by its name.
    pub(super) fn variable(&mut self, number: u32) -> Option<Place> {
        if let Some(Some(place)) = self.own.get(number as usize) {
            return Some(*place);
        }
        let name = self.code().variable(&self.names.engine, number)?.to_owned();
        let key = &self.function.key;
        let slot = match key.is_empty() {
            true => Slot::Global(name),
            false => Slot::Local(key.clone(), name),
        };
        let place = Place { slot: self.out.slots.id(slot), depth: 0 };
        *room(&mut self.own, number)? = Some(place);
        Some(place)
    }

    /// What is known of an operand. An operand that is nothing stands for `$this`.
    pub(super) fn known(&mut self, operand: Operand) -> Known {
        match operand {
            Operand::Unused(_) => {
                Known { class: Some(self.function.scope).filter(|scope| *scope != 0), ..Known::default() }
            }
            Operand::Constant(_) => {
                let value = super::opcodes::constant(&self.names.engine, operand);
                let null = value.is_some_and(|value| value.kind == crate::heap::walk::engine::kind::NULL);
                let nothing = value.is_some_and(|value| is_nothing(&self.names.engine, value));
                Known { nothing, null, ..Known::default() }
            }
            Operand::Temporary(number) => self.temporaries.get(number as usize).copied().unwrap_or_default(),
            Operand::Variable(number) => {
                if let Some(Some(known)) = self.variables.get(number as usize) {
                    return *known;
                }
                let place = self.variable(number);
                let class = self.assigned.get(&number).copied().flatten().filter(|_| !self.learning);
                let known = Known { place, class, ..Known::default() };
                self.set(operand, known);
                known
            }
        }
    }

    pub(super) fn set(&mut self, result: Operand, known: Known) {
        match result {
            Operand::Temporary(number) => {
                if let Some(place) = room(&mut self.temporaries, number) {
                    *place = known;
                }
            }
            Operand::Variable(number) => {
                if let Some(place) = room(&mut self.variables, number) {
                    *place = Some(known);
                }
            }
            _ => {}
        }
    }

    /// A variable is assigned a value of a class, or of none that is known.
    pub(super) fn learn(&mut self, variable: Operand, class: Option<u64>) {
        if let Operand::Variable(number) = variable {
            let known = self.assigned.entry(number).or_insert(class);
            if *known != class {
                *known = None;
            }
        }
    }

    /// The property that an opcode names, of the object that its first operand is.
    pub(super) fn property(&mut self, object: Operand, name: Operand) -> Known {
        let of = self.known(object);
        let class_name = of.class.and_then(|class| self.names.engine.class_name(class));
        let Operand::Constant(at) = name else {
            if !self.learning {
                self.out.computed.push(class_name);
            }
            // Of an object that is a container of its own kind: an element.
            return Known { place: of.place.map(Place::element), ..Known::default() };
        };
        let engine = self.names.engine;
        let address = engine.word(at, 0).unwrap_or_default();
        let key = (of.class.unwrap_or_default(), address, self.function.scope);
        if let Some(&(slot, class)) = self.names.properties.get(&key) {
            return Known { place: slot.map(|slot| Place { slot, depth: 0 }), class, ..Known::default() };
        }
        let Some(text) = super::opcodes::constant_name(&engine, name, 0) else { return Known::default() };
        let found = of.class.and_then(|class| declared(&engine, class, text, self.function.scope));
        let class = found.as_ref().and_then(|found| self.names.class(found.of.as_deref()?));
        let slot = self.out.slots.id(Slot::Property(found.map(|found| found.class), text.to_owned()));
        self.names.properties.insert(key, (Some(slot), class));
        Known { place: Some(Place { slot, depth: 0 }), class, ..Known::default() }
    }

    /// The class that an operand of a static access names.
    pub(super) fn static_class(&self, operand: Operand) -> Option<u64> {
        match operand {
            Operand::Constant(_) => self.names.class(super::opcodes::constant_name(&self.names.engine, operand, 0)?),
            // self and static; parent.
            Operand::Unused(of) if matches!(of & 0xf, 1 | 3) => Some(self.function.scope),
            Operand::Unused(of) if of & 0xf == 2 => {
                self.names.engine.word(self.function.scope, self.names.engine.layout.ce_parent)
            }
            _ => None,
        }
        .filter(|class| *class != 0)
    }

    /// The static property that an opcode names.
    pub(super) fn static_property(&mut self, opcode: &Opcode) -> Known {
        let engine = self.names.engine;
        let Some(class) = self.static_class(opcode.op2) else { return Known::default() };
        let Some(name) = super::opcodes::constant_name(&engine, opcode.op1, 0) else {
            if !self.learning {
                self.out.computed.push(engine.class_name(class));
            }
            return Known::default();
        };
        let Some(found) = declared(&engine, class, name, self.function.scope) else { return Known::default() };
        let of = found.of.as_deref().and_then(|of| self.names.class(of));
        let slot = self.out.slots.id(Slot::Static(found.class, name.to_owned()));
        Known { place: Some(Place { slot, depth: 0 }), class: of, ..Known::default() }
    }
}

/// The place of a number; `None` of one that is beyond belief.
fn room<T: Clone + Default>(places: &mut Vec<T>, number: u32) -> Option<&mut T> {
    let number = number as usize;
    if number >= places.len() {
        if number >= super::opcodes::MOST_SLOTS as usize {
            return None;
        }
        places.resize(number + 1, T::default());
    }
    places.get_mut(number)
}

fn is_nothing(engine: &Engine, value: crate::heap::walk::engine::Value) -> bool {
    use crate::heap::walk::engine::kind;
    match value.kind {
        kind::UNDEF | kind::NULL => true,
        kind::ARRAY => engine.table(value.word).is_some_and(|table| table.count == 0),
        kind::STRING => engine.string_length(value.word) == Some(0),
        _ => false,
    }
}
