//! Opcodes: their numbers, their operands, and what must hold of them. The numbers of those that are read here are
//! the same from 8.1 to 8.5 (each version only added behind them); a version's last one stands in the layout.

use crate::heap::layout::Layout;
use crate::heap::walk::engine::{Engine, Value};
use crate::heap::walk::walker::{OrTorn, Torn, Walked};

/// Opcode numbers (`zend_vm_opcodes.h`).
pub mod op {
    #![allow(missing_docs)]
    pub const ADD: u8 = 1;
    pub const CONCAT: u32 = 8;
    pub const BOOL_NOT: u8 = 14;
    pub const IS_IDENTICAL: u8 = 16;
    pub const IS_EQUAL: u8 = 18;
    pub const IS_NOT_EQUAL: u8 = 19;
    pub const ASSIGN: u8 = 22;
    pub const ASSIGN_DIM: u8 = 23;
    pub const ASSIGN_OBJ: u8 = 24;
    pub const ASSIGN_STATIC_PROP: u8 = 25;
    pub const ASSIGN_OP: u8 = 26;
    pub const ASSIGN_DIM_OP: u8 = 27;
    pub const ASSIGN_OBJ_OP: u8 = 28;
    pub const ASSIGN_STATIC_PROP_OP: u8 = 29;
    pub const ASSIGN_REF: u8 = 30;
    pub const QM_ASSIGN: u8 = 31;
    pub const ASSIGN_OBJ_REF: u8 = 32;
    pub const ASSIGN_STATIC_PROP_REF: u8 = 33;
    pub const JMP: u8 = 42;
    pub const JMPZ: u8 = 43;
    pub const JMPNZ: u8 = 44;
    pub const JMPZ_EX: u8 = 46;
    pub const JMPNZ_EX: u8 = 47;
    pub const SEND_VAR_NO_REF_EX: u8 = 50;
    pub const BOOL: u8 = 52;
    pub const INIT_FCALL_BY_NAME: u8 = 59;
    pub const DO_FCALL: u8 = 60;
    pub const INIT_FCALL: u8 = 61;
    pub const RETURN: u8 = 62;
    pub const RECV: u8 = 63;
    pub const RECV_INIT: u8 = 64;
    pub const SEND_VAL: u8 = 65;
    pub const SEND_VAR_EX: u8 = 66;
    pub const SEND_REF: u8 = 67;
    pub const NEW: u8 = 68;
    pub const INIT_NS_FCALL_BY_NAME: u8 = 69;
    pub const INIT_ARRAY: u8 = 71;
    pub const ADD_ARRAY_ELEMENT: u8 = 72;
    pub const INCLUDE_OR_EVAL: u8 = 73;
    pub const UNSET_DIM: u8 = 75;
    pub const UNSET_OBJ: u8 = 76;
    pub const FETCH_FIRST: u8 = 80;
    pub const FETCH_LAST: u8 = 97;
    pub const SEND_VAR_NO_REF: u8 = 106;
    pub const THROW: u8 = 108;
    pub const CLONE: u8 = 110;
    pub const RETURN_BY_REF: u8 = 111;
    pub const INIT_METHOD_CALL: u8 = 112;
    pub const INIT_STATIC_METHOD_CALL: u8 = 113;
    pub const ISSET_ISEMPTY_DIM_OBJ: u8 = 115;
    pub const SEND_VAL_EX: u8 = 116;
    pub const SEND_VAR: u8 = 117;
    pub const INIT_USER_CALL: u8 = 118;
    pub const TYPE_CHECK: u8 = 123;
    pub const FE_RESET_RW: u8 = 125;
    pub const FE_FETCH_RW: u8 = 126;
    pub const INIT_DYNAMIC_CALL: u8 = 128;
    pub const DO_ICALL: u8 = 129;
    pub const DO_UCALL: u8 = 130;
    pub const DO_FCALL_BY_NAME: u8 = 131;
    pub const OP_DATA: u8 = 137;
    pub const INSTANCEOF: u8 = 138;
    pub const MAKE_REF: u8 = 140;
    pub const DECLARE_LAMBDA_FUNCTION: u8 = 142;
    pub const ADD_ARRAY_UNPACK: u8 = 147;
    pub const ISSET_ISEMPTY_PROP_OBJ: u8 = 148;
    pub const UNSET_CV: u8 = 153;
    pub const ISSET_ISEMPTY_CV: u8 = 154;
    pub const YIELD: u8 = 160;
    pub const COPY_TMP: u8 = 167;
    pub const BIND_GLOBAL: u8 = 168;
    pub const COALESCE: u8 = 169;
    pub const FETCH_STATIC_PROP_FIRST: u8 = 173;
    pub const FETCH_STATIC_PROP_LAST: u8 = 178;
    pub const ISSET_ISEMPTY_STATIC_PROP: u8 = 180;
    pub const BIND_LEXICAL: u8 = 182;
    pub const BIND_STATIC: u8 = 183;
    pub const FETCH_THIS: u8 = 184;
    pub const SEND_FUNC_ARG: u8 = 185;
    pub const ARRAY_KEY_EXISTS: u8 = 194;
    pub const CALLABLE_CONVERT: u8 = 202;
    pub const BIND_INIT_STATIC: u8 = 203;
    pub const FRAMELESS_CALL_OF_1: u8 = 205;
    pub const FRAMELESS_CALL_OF_3: u8 = 207;
    pub const INIT_PARENT_HOOK: u8 = 209;
    pub const DECLARE_ATTRIBUTED_CONST: u8 = 210;
}

/// What an operand is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// Nothing, or `$this`, or the number itself.
    Unused(u32),
    /// A constant of the function.
    Constant(u64),
    /// A temporary, by its number.
    Temporary(u32),
    /// A variable of the script, by its number.
    Variable(u32),
}

/// One opcode.
#[derive(Debug, Clone, Copy)]
pub struct Opcode {
    /// Its number.
    pub number: u8,
    /// The first operand.
    pub op1: Operand,
    /// The second.
    pub op2: Operand,
    /// Where its result goes.
    pub result: Operand,
    /// `extended_value`
    pub extended: u32,
    /// The line.
    pub line: u32,
}

/// A function's code, in the copy.
#[derive(Debug, Clone, Copy)]
pub struct OpArray {
    /// Its address.
    pub at: u64,
    /// First opcode.
    pub opcodes: u64,
    /// How many.
    pub count: u32,
    variables: u32,
    literals: (u64, u64),
    lines: (u32, u32),
}

/// Opcodes of one function that are believed.
const MOST_OPCODES: u32 = 1 << 20;
const MOST_LITERALS: u32 = 1 << 20;
/// Numbers of local variables and temporaries that are believed.
pub const MOST_SLOTS: u32 = 1 << 20;

impl OpArray {
    /// The code of the user function at `at`.
    pub fn of(engine: &Engine, at: u64) -> Walked<OpArray> {
        let l = engine.layout;
        let half = |offset| engine.half(at, offset).or_torn("a function", at);
        let word = |offset| engine.word(at, offset).or_torn("a function", at);
        let count = half(l.op_last)?;
        let literals = half(l.op_last_literal)?;
        let lines = (half(l.op_line_start)?, half(l.op_line_end)?);
        if count == 0 || count > MOST_OPCODES || literals > MOST_LITERALS || lines.1 < lines.0 {
            return Err(Torn(format!("a function of {count} opcodes and {literals} constants at {at:x}")));
        }
        let first = word(l.op_literals)?;
        Ok(OpArray {
            at,
            opcodes: word(l.op_opcodes)?,
            count,
            variables: half(l.op_last_var)?,
            literals: (first, first.wrapping_add(u64::from(literals) * 16)),
            lines,
        })
    }

    /// Its opcodes in their order, each held against what must be true of it.
    pub fn read(&self, engine: &Engine) -> Walked<Vec<Opcode>> {
        let size = engine.layout.opcode_size as usize;
        let bytes = self.count as usize * size;
        let bytes = engine.arena.slice(self.opcodes, bytes).or_torn("opcodes", self.opcodes)?;
        let mut opcodes = Vec::with_capacity(self.count as usize);
        for (index, bytes) in bytes.chunks_exact(size).enumerate() {
            let at = self.opcodes.wrapping_add((index * size) as u64);
            opcodes.push(self.decode(engine.layout, at, bytes)?);
        }
        for (index, opcode) in opcodes.iter().enumerate() {
            let followed = opcodes.get(index + 1).is_some_and(|next| next.number == op::OP_DATA);
            if takes_data(opcode.number) != followed {
                return Err(Torn(format!("opcode {} without its value at {:x}", opcode.number, self.opcodes)));
            }
        }
        Ok(opcodes)
    }

    fn decode(&self, layout: &Layout, at: u64, bytes: &[u8]) -> Walked<Opcode> {
        let half = |offset: usize| u32::from_le_bytes(bytes[offset..offset + 4].try_into().expect("four bytes"));
        let number = bytes[28];
        if u32::from(number) > layout.last_opcode {
            return Err(Torn(format!("opcode {number} at {at:x}")));
        }
        let line = half(layout.opcode_line as usize);
        // A script's own code may end on the line behind its last.
        if line > self.lines.1 + 1 {
            return Err(Torn(format!("line {line} of a function that ends at {} at {at:x}", self.lines.1)));
        }
        Ok(Opcode {
            number,
            op1: self.operand(layout, at, bytes[29], half(8))?,
            op2: self.operand(layout, at, bytes[30], half(12))?,
            // The second nibble of a result's kind says what a jump after it does.
            result: self.operand(layout, at, bytes[31] & 0xf, half(16))?,
            extended: half(20),
            line,
        })
    }

    fn operand(&self, layout: &Layout, at: u64, kind: u8, raw: u32) -> Walked<Operand> {
        let slot = |of: u32| (raw / 16).checked_sub(layout.ex_slots).filter(|n| *n < of && raw.is_multiple_of(16));
        match kind {
            0 => Ok(Operand::Unused(raw)),
            1 => {
                let constant = at.wrapping_add_signed(i64::from(raw as i32));
                let known = (self.literals.0..self.literals.1).contains(&constant);
                known.then_some(Operand::Constant(constant)).or_torn("a constant", at)
            }
            2 | 4 => slot(MOST_SLOTS).map(Operand::Temporary).or_torn("a temporary", at),
            8 => slot(self.variables).map(Operand::Variable).or_torn("a variable", at),
            other => Err(Torn(format!("an operand of kind {other} at {at:x}"))),
        }
    }

    /// The name of a variable.
    pub fn variable<'a>(&self, engine: &Engine<'a>, number: u32) -> Option<&'a str> {
        let names = engine.word(self.at, engine.layout.op_vars)?;
        engine.name(engine.word(names.wrapping_add(u64::from(number) * 8), 0)?)
    }
}

/// Whether an opcode's value stands in the one behind it.
fn takes_data(number: u8) -> bool {
    matches!(
        number,
        op::ASSIGN_DIM
            | op::ASSIGN_OBJ
            | op::ASSIGN_STATIC_PROP
            | op::ASSIGN_DIM_OP
            | op::ASSIGN_OBJ_OP
            | op::ASSIGN_STATIC_PROP_OP
            | op::ASSIGN_OBJ_REF
            | op::ASSIGN_STATIC_PROP_REF
            | op::FRAMELESS_CALL_OF_3
            | op::DECLARE_ATTRIBUTED_CONST
    )
}

/// The loops of a function: from which opcode to which.
pub fn loops(opcodes: &[Opcode], size: u32) -> Vec<(usize, usize)> {
    let back = |at: usize, opcode: &Opcode| {
        let to = match (opcode.number, opcode.op1, opcode.op2) {
            (op::JMP, Operand::Unused(to), _) | (op::JMP..=op::JMPNZ_EX, _, Operand::Unused(to)) => to as i32,
            _ => return None,
        };
        let first = at.checked_add_signed(to as isize / size as isize)?;
        (to < 0).then_some((first, at))
    };
    opcodes.iter().enumerate().filter_map(|(at, opcode)| back(at, opcode)).collect()
}

/// The value of a constant operand.
pub fn constant(engine: &Engine, operand: Operand) -> Option<Value> {
    match operand {
        Operand::Constant(at) => engine.value(at),
        _ => None,
    }
}

/// A constant operand's name; of those that a name compiles to, the one that stands `further` behind it.
pub fn constant_name<'a>(engine: &Engine<'a>, operand: Operand, further: u64) -> Option<&'a str> {
    match operand {
        Operand::Constant(at) => {
            let value = engine.value(at.wrapping_add(further * 16))?;
            if value.kind != crate::heap::walk::engine::kind::STRING {
                return None;
            }
            engine.name(value.word)
        }
        _ => None,
    }
}
