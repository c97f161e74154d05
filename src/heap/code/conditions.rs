//! Where code runs only if nothing lies at a place: behind `if (!isset($a[$k]))`, `empty`, `=== null`, `??`. What is
//! put there is a first value, which takes nothing out.

use super::accesses::{Known, Reader};
use super::opcodes::{Opcode, Operand, constant, op};
use super::slots::Place;

/// `ZEND_ISEMPTY`
const IS_EMPTY: u32 = 1;
/// The type null in the mask of a type check, and all types but null.
const NULL: u32 = 1 << 1;
const ALL_BUT_NULL: u32 = 0x3fc;

/// An element's key, as far as two of them can be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A constant: its value, or where the string lies.
    Constant(u64),
    /// A variable, by its number.
    Variable(u32),
}

/// A place where nothing lies if a value is true (or false).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unset {
    place: Place,
    key: Option<Key>,
    when: bool,
}

/// A place where nothing lies while these opcodes run.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    place: Place,
    key: Option<Key>,
    from: usize,
    to: usize,
}

impl Reader<'_, '_> {
    /// Whether nothing can lie at a place at the opcode that is read; of an element, under its key.
    pub(super) fn is_unset(&self, place: Option<Place>, key: Option<Key>) -> bool {
        let here = |stretch: &Stretch| (stretch.from..=stretch.to).contains(&self.at);
        let same_key = |stretch: &Stretch| stretch.key.is_none() || key.is_none() || stretch.key == key;
        self.unset.iter().any(|stretch| Some(stretch.place) == place && same_key(stretch) && here(stretch))
    }

    /// The key that an operand is.
    pub(super) fn key(&self, operand: Operand) -> Option<Key> {
        match operand {
            Operand::Constant(_) => constant(&self.names.engine, operand).map(|value| Key::Constant(value.word)),
            Operand::Variable(number) => Some(Key::Variable(number)),
            _ => None,
        }
    }

    /// Takes an opcode that asks whether something is set, or that branches; `false` where it does neither.
    pub(super) fn condition_step(&mut self, opcode: &Opcode, opcodes: &[Opcode]) -> bool {
        match opcode.number {
            op::COALESCE => {
                let known = self.known(opcode.op1);
                if let (Some(place), Some(to)) = (known.place, self.jump(opcode.op2)) {
                    self.unset.push(Stretch { place, key: None, from: self.at, to });
                }
                self.set(opcode.result, known);
            }
            op::ISSET_ISEMPTY_CV
            | op::ISSET_ISEMPTY_DIM_OBJ
            | op::ISSET_ISEMPTY_PROP_OBJ
            | op::ISSET_ISEMPTY_STATIC_PROP => {
                let place = match opcode.number {
                    op::ISSET_ISEMPTY_CV => self.known(opcode.op1).place,
                    op::ISSET_ISEMPTY_DIM_OBJ => self.known(opcode.op1).place.map(Place::element),
                    op::ISSET_ISEMPTY_PROP_OBJ => self.property(opcode.op1, opcode.op2).place,
                    _ => self.static_property(opcode).place,
                };
                let key = self.key(opcode.op2).filter(|_| opcode.number == op::ISSET_ISEMPTY_DIM_OBJ);
                self.tells(opcode.result, place, key, opcode.extended & IS_EMPTY != 0);
            }
            op::ARRAY_KEY_EXISTS => {
                let place = self.known(opcode.op2).place.map(Place::element);
                self.tells(opcode.result, place, self.key(opcode.op1), false);
            }
            op::TYPE_CHECK if matches!(opcode.extended, NULL | ALL_BUT_NULL) => {
                let place = self.known(opcode.op1).place;
                self.tells(opcode.result, place, None, opcode.extended == NULL);
            }
            op::IS_IDENTICAL..=op::IS_NOT_EQUAL => {
                let (one, other) = (self.known(opcode.op1), self.known(opcode.op2));
                let place = if one.nothing { other.place } else { one.place.filter(|_| other.nothing) };
                let is = matches!(opcode.number, op::IS_IDENTICAL | op::IS_EQUAL);
                self.tells(opcode.result, place, None, is);
            }
            op::BOOL | op::BOOL_NOT => {
                let flips = opcode.number == op::BOOL_NOT;
                let unset = self.known(opcode.op1).unset.map(|unset| Unset { when: unset.when != flips, ..unset });
                // The second half of `a && b`: what `a` says holds of the whole.
                let behind = self.at + 1;
                let first = self.joined.iter().find(|(to, _)| *to == behind).map(|(_, unset)| *unset);
                self.set(opcode.result, Known { unset: unset.or(first), ..Known::default() });
            }
            op::JMPZ | op::JMPNZ | op::JMPZ_EX | op::JMPNZ_EX => self.branch(opcode, opcodes),
            _ => return false,
        }
        true
    }

    fn tells(&mut self, result: Operand, place: Option<Place>, key: Option<Key>, when: bool) {
        self.set(result, Known { unset: place.map(|place| Unset { place, key, when }), ..Known::default() });
    }

    /// A branch on a value that tells of a place: one of its two ways runs only where nothing lies there.
    fn branch(&mut self, opcode: &Opcode, opcodes: &[Opcode]) {
        let unset = self.known(opcode.op1).unset;
        let goes_on_if = matches!(opcode.number, op::JMPZ | op::JMPZ_EX);
        let joins = matches!(opcode.number, op::JMPZ_EX | op::JMPNZ_EX);
        if let (Some(unset), Some(to)) = (unset, self.jump(opcode.op2).filter(|to| *to > self.at)) {
            if unset.when == goes_on_if {
                self.unset.push(Stretch { place: unset.place, key: unset.key, from: self.at + 1, to: to - 1 });
                if joins {
                    self.joined.push((to, unset));
                }
            } else if let Some(end) = self.end_of_other_way(opcodes, to).filter(|_| !joins) {
                self.unset.push(Stretch { place: unset.place, key: unset.key, from: to, to: end });
            }
        }
        if joins {
            self.set(opcode.result, Known::default());
        }
    }

    /// Up to which opcode only the way runs that begins at `to`: the first way ends before it by a jump over the
    /// second, or leaves the function.
    fn end_of_other_way(&self, opcodes: &[Opcode], to: usize) -> Option<usize> {
        let last = opcodes.get(to.checked_sub(1)?)?;
        match last.number {
            op::RETURN | op::RETURN_BY_REF | op::THROW => Some(opcodes.len()),
            op::JMP => match self.jump_from(to - 1, last.op1)? {
                over if over > to => Some(over - 1),
                // `continue`: up to the loop's end.
                back => self.loops.iter().filter(|(from, _)| *from == back).map(|(_, end)| *end).max(),
            },
            _ => None,
        }
    }

    fn jump(&self, operand: Operand) -> Option<usize> {
        self.jump_from(self.at, operand)
    }

    fn jump_from(&self, at: usize, operand: Operand) -> Option<usize> {
        let Operand::Unused(jump) = operand else { return None };
        at.checked_add_signed(jump as i32 as isize / self.names.engine.layout.opcode_size as isize)
    }
}
