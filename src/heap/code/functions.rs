//! Every user function of a process: of the function table, of classes and their property hooks, of closures that
//! live or that another function declares, and the scripts on the stack.

use std::collections::HashSet;

use super::opcodes::OpArray;
use crate::heap::read::image::Php;
use crate::heap::walk::engine::{Engine, Function, function_key};
use crate::heap::walk::walker::{OrTorn, Torn, Walked};

const USER_CLASS: u8 = 2;
const MOST_DECLARED: u32 = 100_000;
const MOST_FRAMES: usize = 100_000;
const HOOKS: u64 = 2;

/// A user function.
#[derive(Debug, Clone)]
pub struct UserFunction {
    /// Its code.
    pub code: OpArray,
    /// The class that it belongs to, 0 for none.
    pub scope: u64,
    /// As the walk writes it; a closure is told by where it stands.
    pub key: String,
    /// The script.
    pub file: String,
}

/// The functions, each once.
#[derive(Debug, Default)]
pub struct Functions {
    /// All of them.
    pub all: Vec<UserFunction>,
    met: HashSet<(u64, u64)>,
}

/// Finds them all. `closures`: addresses of the functions of closures that live.
pub fn find(engine: &Engine, php: &Php, closures: &[u64]) -> Walked<Functions> {
    let l = engine.layout;
    let mut found = Functions::default();
    let table = engine.word(php.eg, l.eg_function_table).or_torn("EG", php.eg)?;
    for entry in engine.entries(engine.table(table).or_torn("the function table", table)?) {
        found.add(engine, entry.value.word)?;
    }
    let table = engine.word(php.eg, l.eg_class_table).or_torn("EG", php.eg)?;
    for entry in engine.entries(engine.table(table).or_torn("the class table", table)?) {
        let class = entry.value.word;
        if engine.arena.slice(class.wrapping_add(u64::from(l.ce_type)), 1) != Some(&[USER_CLASS]) {
            continue;
        }
        let methods =
            engine.table(class.wrapping_add(u64::from(l.ce_function_table))).or_torn("a class's methods", class)?;
        for method in engine.entries(methods) {
            found.add(engine, method.value.word)?;
        }
        found.hooks(engine, class)?;
    }
    for &function in closures {
        found.add(engine, function)?;
    }
    let mut frame = engine.word(php.eg, l.eg_current_execute_data).or_torn("EG", php.eg)?;
    for _ in 0..MOST_FRAMES {
        if frame == 0 {
            break;
        }
        let function = engine.word(frame, l.ex_func).or_torn("a frame", frame)?;
        if function != 0 {
            found.add(engine, function)?;
        }
        frame = engine.word(frame, l.ex_prev).or_torn("a frame", frame)?;
    }
    Ok(found)
}

impl Functions {
    /// Adds a function and those that it declares.
    fn add(&mut self, engine: &Engine, at: u64) -> Walked<()> {
        let l = engine.layout;
        if engine.function(at).or_torn("a function", at)? != Function::User {
            return Ok(());
        }
        let code = OpArray::of(engine, at)?;
        let scope = engine.word(at, l.op_scope).or_torn("a function", at)?;
        if !self.met.insert((code.opcodes, scope)) {
            return Ok(());
        }
        let file = engine.word(at, l.op_filename).and_then(|name| engine.name(name));
        let file = file.or_torn("a function's file", at)?.to_owned();
        let key = function_key(engine, at).or_torn("a function's name", at)?;
        self.all.push(UserFunction { code, scope, key, file });
        let count = engine.half(at, l.op_dynamic_count).or_torn("a function", at)?;
        if count > MOST_DECLARED {
            return Err(Torn(format!("a function that declares {count} others at {at:x}")));
        }
        if count > 0 {
            let declared = engine.word(at, l.op_dynamic).or_torn("a function", at)?;
            for index in 0..u64::from(count) {
                let inner =
                    engine.word(declared.wrapping_add(index * 8), 0).or_torn("a declared function", declared)?;
                self.add(engine, inner)?;
            }
        }
        Ok(())
    }

    /// What runs when a property of the class is read or written.
    fn hooks(&mut self, engine: &Engine, class: u64) -> Walked<()> {
        let l = engine.layout;
        if l.prop_hooks == 0 {
            return Ok(());
        }
        let table =
            engine.table(class.wrapping_add(u64::from(l.ce_properties_info))).or_torn("a class's properties", class)?;
        for entry in engine.entries(table) {
            let hooks = engine.word(entry.value.word, l.prop_hooks).or_torn("a property", class)?;
            for index in (0..HOOKS).filter(|_| hooks != 0) {
                let hook = engine.word(hooks.wrapping_add(index * 8), 0).or_torn("a property's hooks", hooks)?;
                if hook != 0 {
                    self.add(engine, hook)?;
                }
            }
        }
        Ok(())
    }
}
