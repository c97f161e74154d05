//! What must hold of every PHP, looked up through the layout before anything is counted by it. A
//! layout of another version, or one with a wrong offset, fails here or in the walk.

use super::engine::{Engine, Function, is_identifier, kind};
use super::walker::{OrTorn, Torn, Walked};
use crate::heap::read::image::Php;

const MOST_OPCODES: u32 = 10_000;
/// `IS_CV`
const OPERAND_VARIABLE: u8 = 8;
const PUBLIC: u32 = 1;
const STATIC: u32 = 1 << 4;
const FINAL: u32 = 1 << 5;
const METHOD_FLAGS: u32 = 0b11_0111;
const MOST_FRAMES: usize = 100_000;

/// Makes sure that the layout fits the copy.
pub fn check(engine: &Engine, php: &Php, code: &[(u64, u64)]) -> Walked<()> {
    let is_code = |at: u64| code.iter().any(|(start, end)| (*start..*end).contains(&at));
    require(engine.layout.is_consistent(), "the layout contradicts itself")?;
    exception_class(engine, php)?;
    throwable_parent(engine, php)?;
    strlen(engine, php, &is_code)?;
    constants(engine, php)?;
    store(engine, php, &is_code)?;
    vm_stack(engine, php)?;
    frames(engine, php, &is_code)
}

fn require(holds: bool, what: &str) -> Walked<()> {
    if holds { Ok(()) } else { Err(Torn(what.to_owned())) }
}

fn class(engine: &Engine, php: &Php, lower: &str) -> Walked<u64> {
    let table = engine.word(php.eg, engine.layout.eg_class_table).or_torn("EG", php.eg)?;
    let table = engine.table(table).or_torn("the class table", table)?;
    require(table.count > 50, "too few classes")?;
    let found = engine.find(table, lower).or_torn("no class table with an Exception", php.eg)?;
    require(u32::from(found.value.kind) == engine.layout.type_ptr, "a class table that holds no pointers")?;
    Ok(found.value.word)
}

fn exception_class(engine: &Engine, php: &Php) -> Walked<()> {
    let l = engine.layout;
    let at = class(engine, php, "exception")?;
    require(engine.arena.slice(at + u64::from(l.ce_type), 1) == Some(&[1]), "Exception is no internal class")?;
    require(engine.class_name(at).as_deref() == Some("Exception"), "Exception has another name")?;
    require(engine.half(at, l.ce_properties) == Some(7), "Exception has not 7 properties")?;
    require(engine.half(at, l.ce_statics) == Some(0), "Exception has static members")?;
    let table = engine.table(at + u64::from(l.ce_properties_info)).or_torn("Exception's properties", at)?;
    let names = ["message", "string", "code", "file", "line", "trace", "previous"];
    require(table.count as usize == names.len(), "Exception's properties are not 7")?;
    for (index, (entry, name)) in engine.entries(table).zip(names).enumerate() {
        let info = entry.value.word;
        let found = engine.word(info, l.prop_name).and_then(|at| engine.name(at));
        require(engine.name(entry.key) == Some(name), "Exception's properties have other names")?;
        require(found.map(super::classes::bare) == Some(name), "a property's name")?;
        require(engine.half(info, l.prop_offset) == Some(l.obj_slots + index as u32 * 16), "a property's offset")?;
        require(engine.word(info, l.prop_ce) == Some(at), "a property's class")?;
        // Two are private, the others protected; none is static.
        let flags = engine.half(info, l.prop_flags).or_torn("a property's flags", info)?;
        let expected = if matches!(name, "string" | "trace" | "previous") { 4 } else { 2 };
        require(flags & 0x17 == expected, "a property's flags")?;
    }
    let methods = engine.table(at + u64::from(l.ce_function_table)).or_torn("Exception's methods", at)?;
    let method = engine.find(methods, "getmessage").or_torn("Exception has no getMessage", at)?.value.word;
    require(engine.word(method, l.op_scope) == Some(at), "Exception's method belongs to another class")?;
    let flags = engine.half(method, l.op_fn_flags).or_torn("a method's flags", method)?;
    require(flags & METHOD_FLAGS == PUBLIC | FINAL, "getMessage is not public, final")?;
    let closure = class(engine, php, "closure")?;
    let methods = engine.table(closure + u64::from(l.ce_function_table)).or_torn("Closure's methods", closure)?;
    let bind = engine.find(methods, "bind").or_torn("Closure has no bind", closure)?.value.word;
    let flags = engine.half(bind, l.op_fn_flags).or_torn("a method's flags", bind)?;
    require(flags & METHOD_FLAGS == PUBLIC | STATIC, "bind is not public, static")?;
    let constants = engine.table(at + u64::from(l.ce_constants_table)).or_torn("Exception's constants", at)?;
    require(constants.count == 0, "Exception has constants")
}

/// `ErrorException` extends `Exception`.
fn throwable_parent(engine: &Engine, php: &Php) -> Walked<()> {
    let (child, parent) = (class(engine, php, "errorexception")?, class(engine, php, "exception")?);
    require(engine.word(child, engine.layout.ce_parent) == Some(parent), "ErrorException extends something else")
}

fn strlen(engine: &Engine, php: &Php, is_code: &impl Fn(u64) -> bool) -> Walked<()> {
    let l = engine.layout;
    let table = engine.word(php.eg, l.eg_function_table).or_torn("EG", php.eg)?;
    let table = engine.table(table).or_torn("the function table", table)?;
    let found = engine.find(table, "strlen").or_torn("no function table with strlen", php.eg)?;
    let function = found.value.word;
    require(engine.function(function) == Some(Function::Internal), "strlen is no internal function")?;
    let name = engine.word(function, l.op_name).and_then(|at| engine.name(at));
    require(name == Some("strlen"), "strlen has another name")?;
    require(engine.word(function, l.op_scope) == Some(0), "strlen belongs to a class")?;
    require(engine.half(function, l.op_num_args) == Some(1), "strlen takes not one argument")?;
    let handler = engine.word(function, l.internal_handler).or_torn("strlen", function)?;
    require(is_code(handler), "strlen's handler is no code")
}

/// `PHP_VERSION_ID` says what the identity said.
fn constants(engine: &Engine, php: &Php) -> Walked<()> {
    let table = engine.word(php.eg, engine.layout.eg_constants).or_torn("EG", php.eg)?;
    let table = engine.table(table).or_torn("the constants", table)?;
    let found = engine.find(table, "PHP_VERSION_ID").or_torn("no constants with PHP_VERSION_ID", php.eg)?;
    let value = engine.value(found.value.word).or_torn("PHP_VERSION_ID", found.value.word)?;
    let mut parts = php.version.split(['.', '-', '+']).map_while(|p| {
        let digits: String = p.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().ok()
    });
    let mut part = || parts.next().unwrap_or_default();
    let id = part() * 10_000 + part() * 100 + part();
    require(value.kind == kind::LONG && value.word == id, "PHP_VERSION_ID says another version")?;
    let table = engine.word(php.eg, engine.layout.eg_symbol_table);
    require(table.is_some(), "EG")?;
    let globals = php.eg + u64::from(engine.layout.eg_symbol_table);
    let globals = engine.table(globals).or_torn("the globals", globals)?;
    // They are registered at the start of each request; `_SERVER` may wait for its first use.
    require(engine.find(globals, "_GET").is_some(), "the globals have no $_GET")
}

fn store(engine: &Engine, php: &Php, is_code: &impl Fn(u64) -> bool) -> Walked<()> {
    let l = engine.layout;
    let store = php.eg + u64::from(l.eg_objects_store);
    let buckets = engine.word(store, l.store_buckets).or_torn("the store", store)?;
    let (top, size) = (engine.half(store, l.store_top), engine.half(store, l.store_size));
    let (top, size) = (top.or_torn("the store", store)?, size.or_torn("the store", store)?);
    require(top >= 1 && top <= size && size >= 1024, "the store's size")?;
    // One object's handlers vouch for where they are kept.
    let first = (1..top).find_map(|i| engine.word(buckets + u64::from(i) * 8, 0).filter(|b| b & 1 == 0));
    if let Some(object) = first {
        let handlers = engine.word(object, l.obj_handlers).or_torn("an object", object)?;
        let free = engine.word(handlers, l.handlers_free_obj).or_torn("handlers", handlers)?;
        require(is_code(free), "an object's handlers are no code")?;
    }
    Ok(())
}

/// The VM's stack: where its page says that it ends, it ends; and its top lies between.
fn vm_stack(engine: &Engine, php: &Php) -> Walked<()> {
    let at = engine.layout.eg_vm_stack;
    let page = engine.word(php.eg, at).or_torn("EG", php.eg)?;
    let end = engine.word(php.eg, at - 8).or_torn("EG", php.eg)?;
    let top = engine.word(php.eg, at - 16).or_torn("EG", php.eg)?;
    require(page % 16 == 0 && engine.word(page, 8) == Some(end), "the VM's stack ends elsewhere")?;
    require(page < top && top <= end, "the VM's stack has its top elsewhere")
}

fn frames(engine: &Engine, php: &Php, is_code: &impl Fn(u64) -> bool) -> Walked<()> {
    let l = engine.layout;
    let mut frame = engine.word(php.eg, l.eg_current_execute_data).or_torn("EG", php.eg)?;
    // Before a script and after it there is no heap worth counting.
    require(frame != 0, "no script is running")?;
    let mut outermost = 0;
    for _ in 0..MOST_FRAMES {
        if frame == 0 {
            // Whatever runs, a script's main code is what it was called from.
            let is_main = outermost != 0 && engine.function(outermost) == Some(Function::User);
            return require(
                is_main && engine.word(outermost, l.op_name) == Some(0),
                "a stack that begins in no script",
            );
        }
        let function = engine.word(frame, l.ex_func).or_torn("a frame", frame)?;
        if function != 0 {
            outermost = function;
            match engine.function(function).or_torn("a frame's function", function)? {
                // What a fiber's frames begin with: a function of nothing.
                Function::Internal if engine.is_fibers_own(function) => {}
                Function::Internal => {
                    let handler = engine.word(function, l.internal_handler).or_torn("a function", function)?;
                    require(is_code(handler), "a function's handler is no code")?;
                }
                Function::User => user_frame(engine, frame, function)?,
            }
        }
        frame = engine.word(frame, l.ex_prev).or_torn("a frame", frame)?;
    }
    Err(Torn("a stack without end".into()))
}

fn user_frame(engine: &Engine, frame: u64, function: u64) -> Walked<()> {
    let l = engine.layout;
    let half = |offset| engine.half(function, offset).or_torn("a function", function);
    let (last, variables, temporaries) = (half(l.op_last)?, half(l.op_last_var)?, half(l.op_temporaries)?);
    require(last > 0 && last < 1 << 24, "a function without opcodes")?;
    require(variables < 10_000 && temporaries < 100_000, "a function of too many variables")?;
    let opcodes = engine.word(function, l.op_opcodes).or_torn("a function", function)?;
    let opline = engine.word(frame, l.ex_opline).or_torn("a frame", frame)?;
    let end = opcodes + u64::from(last) * u64::from(l.opcode_size);
    let first_line = half(l.op_line_start)?;
    if (opcodes..end).contains(&opline) {
        require((opline - opcodes) % u64::from(l.opcode_size) == 0, "an opline between two")?;
        let line = engine.half(opline, l.opcode_line).or_torn("an opcode", opline)?;
        // A script's main code begins at line 1 whatever its first statement.
        require(line >= first_line && line < first_line + 1_000_000, "a line before its function's first")?;
    }
    let file = engine.word(function, l.op_filename).and_then(|at| engine.name(at));
    require(file.is_some_and(|f| !f.is_empty()), "a function without a file")?;
    let names = engine.word(function, l.op_vars).or_torn("a function", function)?;
    for index in 0..u64::from(variables) {
        let name = engine.word(names + index * 8, 0).and_then(|at| engine.name(at));
        require(name.is_some_and(is_identifier), "a variable's name")?;
    }
    let slots = l.ex_slots + variables;
    for index in 0..u64::from(last.min(MOST_OPCODES)) {
        let opcode =
            engine.arena.slice(opcodes + index * u64::from(l.opcode_size), 32).or_torn("an opcode", opcodes)?;
        // op1, op2, result: where each lies, and of which kind it is.
        for (operand, of) in [(8, 29), (12, 30), (16, 31)] {
            let at = u32::from_le_bytes(opcode[operand..operand + 4].try_into().expect("four bytes"));
            require(opcode[of] != OPERAND_VARIABLE || at / 16 < slots, "an opcode with a variable too many")?;
        }
    }
    Ok(())
}
