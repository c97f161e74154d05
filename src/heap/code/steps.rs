//! One opcode after the other: what each does to what is known.

use super::accesses::{Deed, Known, Reader};
use super::opcodes::{Opcode, Operand, constant_name, op};
use super::slots::{Place, Slot};
use crate::heap::walk::declared::class_type;
use crate::heap::walk::engine::function_key;

/// Sizes of what describes an argument, and where its type stands in it.
const ARGUMENT: u64 = 32;
const ARGUMENT_TYPE: u64 = 8;
/// A used or static variable is bound by reference.
const BIND_REFERENCE: u32 = 1;
/// `ZEND_FETCH_GLOBAL`
const FETCH_GLOBAL: u32 = 1 << 1;

impl Reader<'_, '_> {
    /// Reads the function: once to learn of which classes its variables are, then for what it does.
    pub(super) fn read(&mut self, opcodes: &[Opcode]) {
        // Where no class is ever known there is nothing to learn.
        let makes = |opcode: &Opcode| matches!(opcode.number, op::NEW | op::ASSIGN);
        let typed = opcodes.iter().any(|opcode| matches!(opcode.number, op::RECV | op::RECV_INIT));
        let passes = if typed || opcodes.iter().any(makes) { [true, false].as_slice() } else { &[false] };
        for &learning in passes {
            self.learning = learning;
            self.temporaries.clear();
            self.variables.clear();
            self.calls.clear();
            self.begun.clear();
            self.unset.clear();
            self.joined.clear();
            self.copies.clear();
            for (index, opcode) in opcodes.iter().enumerate() {
                self.at = index;
                self.step(opcode, opcodes);
            }
        }
    }

    fn step(&mut self, opcode: &Opcode, opcodes: &[Opcode]) {
        let next = opcodes.get(self.at + 1);
        match opcode.number {
            op::FETCH_FIRST..=op::FETCH_LAST => self.fetch(opcode),
            op::FETCH_STATIC_PROP_FIRST..=op::FETCH_STATIC_PROP_LAST => {
                let known = self.static_property(opcode);
                self.set(opcode.result, known);
            }
            op::FETCH_THIS => {
                let this = self.known(Operand::Unused(0));
                self.set(opcode.result, this);
            }
            op::ASSIGN..=op::ASSIGN_STATIC_PROP_OP => self.assign(opcode, next),
            op::ASSIGN_REF | op::ASSIGN_OBJ_REF | op::ASSIGN_STATIC_PROP_REF => self.assign_reference(opcode, next),
            op::QM_ASSIGN | op::COPY_TMP => {
                let known = self.known(opcode.op1);
                self.set(opcode.result, known);
            }
            op::UNSET_DIM => {
                let place = self.known(opcode.op1).place;
                self.deed(place.map(Place::element), Deed::Takes, opcode.line);
            }
            op::UNSET_OBJ => {
                let place = self.property(opcode.op1, opcode.op2).place;
                let taken = match opcode.op2 {
                    Operand::Constant(_) => Deed::Replaces { by_nothing: true, first: false, by: None },
                    _ => Deed::Takes,
                };
                self.deed(place, taken, opcode.line);
            }
            op::UNSET_CV => {
                // Of a reference only the name goes.
                if let Operand::Variable(number) = opcode.op1 {
                    let own = self.variable(number);
                    let known = self.known(opcode.op1);
                    self.deed(
                        own.filter(|own| known.place == Some(*own)),
                        Deed::Replaces { by_nothing: true, first: false, by: None },
                        opcode.line,
                    );
                    if let Some(known) = self.variables.get_mut(number as usize) {
                        *known = None;
                    }
                }
            }
            op::RECV | op::RECV_INIT => self.receive(opcode),
            op::BIND_GLOBAL => {
                if let Some(name) = constant_name(&self.names.engine, opcode.op2, 0) {
                    let slot = self.out.slots.id(Slot::Global(name.to_owned()));
                    self.set(opcode.op1, Known { place: Some(Place { slot, depth: 0 }), ..Known::default() });
                }
            }
            op::BIND_STATIC | op::BIND_INIT_STATIC => self.bind_static(opcode),
            op::BIND_LEXICAL => self.bind_lexical(opcode),
            op::DECLARE_LAMBDA_FUNCTION => self.declare_closure(opcode),
            op::FE_RESET_RW => {
                let known = self.known(opcode.op1);
                self.set(opcode.result, Known { class: None, ..known });
            }
            op::FE_FETCH_RW => {
                let place = self.known(opcode.op1).place.map(Place::element);
                self.set(opcode.op2, Known { place, ..Known::default() });
            }
            op::ADD => {
                let adds_to = [opcode.op1, opcode.op2].into_iter().find_map(|operand| self.known(operand).place);
                self.set(opcode.result, Known { adds_to, ..Known::default() });
            }
            op::INIT_ARRAY | op::ADD_ARRAY_ELEMENT => {
                let before = match opcode.number {
                    op::INIT_ARRAY => Known { nothing: matches!(opcode.op1, Operand::Unused(_)), ..Known::default() },
                    _ => Known { nothing: false, ..self.known(opcode.result) },
                };
                if !matches!(opcode.op1, Operand::Unused(_)) {
                    self.handed(opcode.op1, opcode.line);
                }
                self.set(opcode.result, before);
            }
            // From 8.4 on PHP calls some of its functions by their numbers.
            op::FRAMELESS_CALL_OF_1..=op::FRAMELESS_CALL_OF_3 => {
                let made_of = self.known(opcode.op1).place;
                self.set(opcode.result, Known { made_of, ..Known::default() });
            }
            op::ADD_ARRAY_UNPACK => {
                let adds_to = self.known(opcode.op1).place.or(self.known(opcode.result).adds_to);
                self.set(opcode.result, Known { adds_to, ..Known::default() });
            }
            op::MAKE_REF => {
                let known = self.known(opcode.op1);
                self.deed(known.place, Deed::Referenced { object: false }, opcode.line);
                self.set(opcode.result, known);
            }
            op::RETURN_BY_REF => {
                let place = self.known(opcode.op1).place;
                self.deed(place, Deed::Referenced { object: false }, opcode.line);
            }
            op::RETURN | op::YIELD => self.handed(opcode.op1, opcode.line),
            _ if self.condition_step(opcode, opcodes) || self.call_step(opcode) => {}
            _ => self.set_unknown(opcode),
        }
    }

    fn set_unknown(&mut self, opcode: &Opcode) {
        if let Operand::Temporary(_) = opcode.result {
            self.set(opcode.result, Known::default());
        }
    }

    /// A value goes where it is not followed.
    pub(super) fn handed(&mut self, operand: Operand, line: u32) {
        if !matches!(operand, Operand::Unused(_) | Operand::Constant(_)) {
            let place = self.known(operand).place;
            self.deed(place, Deed::Referenced { object: true }, line);
        }
    }

    fn fetch(&mut self, opcode: &Opcode) {
        let known = match (opcode.number - op::FETCH_FIRST) % 3 {
            0 => match constant_name(&self.names.engine, opcode.op1, 0) {
                Some(name) if opcode.extended & FETCH_GLOBAL != 0 => {
                    let slot = self.out.slots.id(Slot::Global(name.to_owned()));
                    Known { place: Some(Place { slot, depth: 0 }), ..Known::default() }
                }
                _ => Known::default(),
            },
            1 => Known { place: self.known(opcode.op1).place.map(Place::element), ..Known::default() },
            _ => self.property(opcode.op1, opcode.op2),
        };
        self.set(opcode.result, known);
    }

    fn assign(&mut self, opcode: &Opcode, next: Option<&Opcode>) {
        let line = opcode.line;
        let target = match opcode.number {
            op::ASSIGN | op::ASSIGN_OP | op::ASSIGN_DIM | op::ASSIGN_DIM_OP => self.known(opcode.op1),
            op::ASSIGN_OBJ | op::ASSIGN_OBJ_OP => self.property(opcode.op1, opcode.op2),
            _ => self.static_property(opcode),
        };
        let data = next.map_or(Operand::Unused(0), |next| next.op1);
        match opcode.number {
            op::ASSIGN_DIM => {
                let value = self.known(data);
                let made = self.sole.made(self.at + 1, data);
                let puts = Deed::Puts { nothing: value.nothing, null: value.null };
                self.deed_of(target.place.map(Place::element), puts, line, made);
                if !matches!(opcode.op2, Operand::Unused(_)) {
                    self.replace_element(opcode, target.place.map(Place::element), &value);
                }
                self.handed(data, line);
            }
            op::ASSIGN_DIM_OP => {
                self.deed(target.place.map(Place::element), Deed::PUTS, line);
                if opcode.extended == op::CONCAT {
                    self.deed(target.place.map(Place::element), Deed::Grows, line);
                }
            }
            op::ASSIGN_OBJ if !matches!(opcode.op2, Operand::Constant(_)) => {
                let value = self.known(data);
                let made = self.sole.made(self.at + 1, data);
                self.deed_of(target.place, Deed::Puts { nothing: value.nothing, null: value.null }, line, made);
                self.handed(data, line);
            }
            op::ASSIGN | op::ASSIGN_OBJ | op::ASSIGN_STATIC_PROP => {
                let value = self.known(if opcode.number == op::ASSIGN { opcode.op2 } else { data });
                self.replace(opcode, &target, &value);
            }
            _ if opcode.extended == op::CONCAT => self.deed(target.place, Deed::Grows, line),
            _ if opcode.extended == u32::from(op::ADD) => {
                self.deed(target.place.map(Place::element), Deed::PUTS, line);
            }
            _ => {}
        }
        self.set(opcode.result, Known::default());
    }

    fn replace(&mut self, opcode: &Opcode, target: &Known, value: &Known) {
        let line = opcode.line;
        self.alias(value.place, target.place, true);
        if let (op::ASSIGN, Operand::Variable(number)) = (opcode.number, opcode.op1) {
            self.learn(opcode.op1, value.class);
            if let (Some(own), Some(of)) = (self.variable(number).filter(|own| target.place == Some(*own)), value.place)
            {
                self.copies.insert(own, of);
            }
        }
        if value.adds_to.is_some() && value.adds_to == target.place {
            return self.deed(target.place.map(Place::element), Deed::PUTS, line);
        }
        if value.made_of.is_some() && value.made_of == target.place {
            // It may have got longer or shorter.
            return self.deed(target.place, Deed::Referenced { object: false }, line);
        }
        let same = value.place.is_some() && value.place == target.place;
        let written_back = opcode.number != op::ASSIGN && self.is_written_back(target.place, value.place);
        if !same && !written_back {
            let first = self.is_unset(target.place, None) || self.is_first_value(opcode);
            let less = value.takes_from.is_some() && value.takes_from == target.place;
            let by = value.place.map(|place| place.slot);
            self.deed(target.place, Deed::Replaces { by_nothing: value.nothing || less, first, by }, line);
        }
    }

    /// Whether a variable that was given a copy of what lies at a place is put there again: then what was done to the
    /// copy is done to the place.
    fn is_written_back(&mut self, target: Option<Place>, value: Option<Place>) -> bool {
        let (Some(target), Some(value)) = (target, value) else { return false };
        if self.copies.get(&value) == Some(&target) {
            self.alias(Some(target), Some(value), false);
            return true;
        }
        false
    }

    /// An element is given a value under a key where something may have been before: an array that was filled.
    fn replace_element(&mut self, opcode: &Opcode, element: Option<Place>, value: &Known) {
        let first = self.is_unset(element, self.key(opcode.op2));
        if self.is_written_back(element, value.place) {
            return;
        }
        if value.adds_to.is_some() && value.adds_to == element {
            self.deed(element.map(Place::element), Deed::PUTS, opcode.line);
        } else if value.nothing || (value.takes_from.is_some() && value.takes_from == element) {
            self.deed(element, Deed::Replaces { by_nothing: value.nothing, first, by: None }, opcode.line);
        } else if !first {
            // Whether the key is a new one, and what the value has of the one before it, is not known.
            self.deed(element, Deed::Referenced { object: false }, opcode.line);
        }
    }

    /// Whether nothing can have been there before: what a constructor sets, and a variable's first value where no loop
    /// comes back to it.
    fn is_first_value(&mut self, opcode: &Opcode) -> bool {
        let at = self.at;
        match (opcode.number, opcode.op1) {
            (op::ASSIGN_OBJ, Operand::Unused(_)) => self.function.key.ends_with("->__construct"),
            (op::ASSIGN, Operand::Variable(number)) => {
                let first = *self.begun.entry(number).or_insert(at);
                let is_own = self.known(opcode.op1).place == self.variable(number);
                first == at && is_own && !self.loops.iter().any(|(from, to)| (*from..=*to).contains(&at))
            }
            _ => false,
        }
    }

    fn assign_reference(&mut self, opcode: &Opcode, next: Option<&Opcode>) {
        let target = match opcode.number {
            op::ASSIGN_REF => self.known(opcode.op1),
            op::ASSIGN_OBJ_REF => self.property(opcode.op1, opcode.op2),
            _ => self.static_property(opcode),
        };
        let value = match opcode.number {
            op::ASSIGN_REF => opcode.op2,
            _ => next.map_or(Operand::Unused(0), |next| next.op1),
        };
        let value = self.known(value);
        if let (op::ASSIGN_REF, Operand::Variable(_), Some(place)) = (opcode.number, opcode.op1, value.place) {
            // From here on the variable is another name of what it refers to.
            self.set(opcode.op1, Known { place: Some(place), class: value.class, ..Known::default() });
        } else {
            self.alias(value.place, target.place, false);
            self.alias(target.place, value.place, false);
            self.deed(target.place, Deed::Referenced { object: false }, opcode.line);
            self.deed(value.place, Deed::Referenced { object: false }, opcode.line);
        }
        self.set(opcode.result, Known::default());
    }

    /// A parameter whose type is a class.
    fn receive(&mut self, opcode: &Opcode) {
        if let Operand::Variable(number) = opcode.result {
            // It comes with a value: what it is assigned is no first one.
            self.begun.entry(number).or_insert(self.at);
        }
        let Operand::Unused(argument) = opcode.op1 else { return };
        let engine = self.names.engine;
        let infos = engine.word(self.code().at, engine.layout.op_arg_info).unwrap_or_default();
        let info = infos.wrapping_add(u64::from(argument.wrapping_sub(1)).wrapping_mul(ARGUMENT));
        let class = class_type(&engine, info.wrapping_add(ARGUMENT_TYPE)).and_then(|name| match name {
            "self" | "static" => Some(self.function.scope),
            name => self.names.class(name),
        });
        self.learn(opcode.result, class);
    }

    fn bind_static(&mut self, opcode: &Opcode) {
        let Operand::Variable(number) = opcode.op1 else { return };
        // Of a variable that is used by value the function changes its own copy; an object is still the same.
        let Some(name) = self.code().variable(&self.names.engine, number).map(str::to_owned) else { return };
        let slot = self.out.slots.id(Slot::StaticVariable(self.function.key.clone(), name));
        let place = Some(Place { slot, depth: 0 });
        match opcode.extended & BIND_REFERENCE {
            0 => {
                let own = self.variable(number);
                self.alias(place, own, true);
            }
            _ => self.set(opcode.op1, Known { place, ..Known::default() }),
        }
    }

    fn bind_lexical(&mut self, opcode: &Opcode) {
        let closure = self.known(opcode.op1).closure.and_then(|at| function_key(&self.names.engine, at));
        let Some(closure) = closure else { return self.handed(opcode.op2, opcode.line) };
        let Operand::Variable(number) = opcode.op2 else { return };
        let of = self.known(opcode.op2).place;
        let Some(name) = self.code().variable(&self.names.engine, number).map(str::to_owned) else { return };
        let slot = self.out.slots.id(Slot::StaticVariable(closure, name));
        let inner = Some(Place { slot, depth: 0 });
        let by_reference = opcode.extended & BIND_REFERENCE != 0;
        self.alias(of, inner, !by_reference);
        if by_reference {
            // What else uses the variable has the same value.
            self.alias(inner, of, false);
        }
    }

    fn declare_closure(&mut self, opcode: &Opcode) {
        let engine = self.names.engine;
        let find = |index: u32| {
            let declared = engine.word(self.code().at, engine.layout.op_dynamic)?;
            let count = engine.half(self.code().at, engine.layout.op_dynamic_count)?;
            engine.word(declared.wrapping_add(u64::from(index) * 8), 0).filter(|_| index < count)
        };
        let closure = match opcode.op2 {
            Operand::Unused(index) => find(index),
            _ => None,
        };
        self.set(opcode.result, Known { closure, ..Known::default() });
    }
}
