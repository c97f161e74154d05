//! Of which class a value is for certain: an object that was made where it stands, or a variable that is given nothing
//! else. A type that is declared does not tell it, as an object of a child class would do.

use std::collections::HashMap;

use super::opcodes::{Opcode, Operand, constant, constant_name, op};
use crate::heap::walk::engine::Engine;

/// `new self`, `new parent` in the operand of a class.
const FETCH_SELF: u32 = 1;
/// A variable that is used, or an element, is bound by reference.
const BY_REFERENCE: u32 = 1;
/// `ZEND_FETCH_GLOBAL`
const FETCH_GLOBAL: u32 = 1 << 1;

/// An object's class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Made {
    /// By its class entry.
    Of(u64),
    /// By the string of its name: the class is not loaded, so that there is no object of it yet.
    Named(u64),
}

impl Made {
    /// The class's name.
    pub fn name(self, engine: &Engine) -> Option<String> {
        match self {
            Self::Of(class) => engine.class_name(class),
            Self::Named(name) => engine.name(name).map(str::to_owned),
        }
    }
}

/// What the values of a function are.
#[derive(Debug, Default)]
pub struct Sole {
    variables: HashMap<u32, Option<Made>>,
    /// By the number of the opcode whose operand it is and the temporary's.
    temporaries: HashMap<(usize, u32), Made>,
    /// Any variable may be given anything, under a name that is computed.
    by_computed_names: bool,
}

impl Sole {
    /// Of a function; `class_of`: what a constant operand names. `scope`: its own class.
    pub fn of(engine: &Engine, opcodes: &[Opcode], scope: u64, class_of: impl Fn(&str) -> Option<u64>) -> Sole {
        let mut sole = Sole::default();
        if !opcodes.iter().any(|opcode| opcode.number == op::NEW) {
            return sole;
        }
        let mut made: HashMap<u32, Made> = HashMap::new();
        for (at, opcode) in opcodes.iter().enumerate() {
            for operand in [opcode.op1, opcode.op2] {
                if let Operand::Temporary(number) = operand
                    && let Some(of) = made.get(&number)
                {
                    sole.temporaries.insert((at, number), *of);
                }
            }
            sole.step(opcode, &made);
            sole.by_computed_names |= is_by_computed_names(engine, opcode);
            if let Operand::Temporary(number) = opcode.result {
                let class = match (opcode.number, opcode.op1) {
                    (op::NEW, Operand::Constant(_)) => constant_name(engine, opcode.op1, 0).and_then(|name| {
                        let named = || constant(engine, opcode.op1).map(|name| Made::Named(name.word));
                        class_of(name).map(Made::Of).or_else(named)
                    }),
                    (op::NEW, Operand::Unused(of)) if of & 0xf == FETCH_SELF && scope != 0 => Some(Made::Of(scope)),
                    _ => None,
                };
                match class {
                    Some(of) => made.insert(number, of),
                    None => made.remove(&number),
                };
            }
        }
        sole
    }

    /// What the value is that is an operand of the opcode `at`.
    pub fn made(&self, at: usize, operand: Operand) -> Option<Made> {
        match operand {
            Operand::Temporary(number) => self.temporaries.get(&(at, number)).copied(),
            Operand::Variable(number) if !self.by_computed_names => self.variables.get(&number).copied().flatten(),
            _ => None,
        }
    }

    fn step(&mut self, opcode: &Opcode, made: &HashMap<u32, Made>) {
        if let (op::ASSIGN, Operand::Variable(number)) = (opcode.number, opcode.op1) {
            let class = match opcode.op2 {
                Operand::Temporary(of) => made.get(&of).copied(),
                _ => None,
            };
            let known = self.variables.entry(number).or_insert(class);
            if *known != class {
                *known = None;
            }
        } else if let (Operand::Variable(number), false) = (opcode.op1, leaves_first(opcode)) {
            self.variables.insert(number, None);
        }
        if let (Operand::Variable(number), false) = (opcode.op2, leaves_second(opcode)) {
            self.variables.insert(number, None);
        }
        if let Operand::Variable(number) = opcode.result {
            self.variables.insert(number, None);
        }
    }
}

/// Whether a variable that is an opcode's first operand, and holds an object, holds the same one behind it.
fn leaves_first(opcode: &Opcode) -> bool {
    match opcode.number {
        op::FETCH_FIRST..=op::FETCH_LAST => (opcode.number - op::FETCH_FIRST) % 3 == 2,
        op::INIT_ARRAY | op::ADD_ARRAY_ELEMENT => opcode.extended & BY_REFERENCE == 0,
        op::ASSIGN_DIM
        | op::ASSIGN_OBJ
        | op::ASSIGN_OBJ_OP
        | op::OP_DATA
        | op::QM_ASSIGN
        | op::COPY_TMP
        | op::INIT_METHOD_CALL
        | op::SEND_VAL
        | op::SEND_VAR
        | op::RETURN
        | op::JMPZ
        | op::JMPNZ
        | op::INSTANCEOF
        | op::CLONE => true,
        _ => false,
    }
}

/// The same of the second operand.
fn leaves_second(opcode: &Opcode) -> bool {
    match opcode.number {
        op::ASSIGN => true,
        op::BIND_LEXICAL => opcode.extended & BY_REFERENCE == 0,
        _ => false,
    }
}

/// `$$name`, `extract`, an include.
fn is_by_computed_names(engine: &Engine, opcode: &Opcode) -> bool {
    match opcode.number {
        op::FETCH_FIRST..=op::FETCH_LAST => {
            (opcode.number - op::FETCH_FIRST).is_multiple_of(3) && opcode.extended & FETCH_GLOBAL == 0
        }
        op::INCLUDE_OR_EVAL => true,
        op::INIT_FCALL => constant_name(engine, opcode.op2, 0) == Some("extract"),
        op::INIT_NS_FCALL_BY_NAME | op::INIT_FCALL_BY_NAME => {
            (0..3).any(|further| constant_name(engine, opcode.op2, further).is_some_and(|name| name == "extract"))
        }
        _ => false,
    }
}
