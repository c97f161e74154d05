//! Where the walk starts: what a running script can reach by name.

use super::callbacks::walk_callbacks;
use super::classes::static_names;
use super::engine::{Function, Value, function_key, is_identifier, kind};
use super::orphans::Orphan;
use super::paths::PathId;
use super::resolved;
use super::slot::Slot;
use super::walker::{OrTorn, Torn, Walk, Walked};
use crate::heap::read::image::Php;
use crate::heap::read::modules::Module;

const MOST_FRAMES: usize = 100_000;
const ROOT: PathId = 0;

/// Meets statics, function statics, globals, frames, handlers and constants, and goes on from
/// them; then the resources, so that whoever holds one is named before the list of all.
pub fn walk_roots(walk: &mut Walk, php: &Php, modules: &[Module]) -> Walked<()> {
    classes(walk, php)?;
    functions(walk, php)?;
    globals(walk, php)?;
    frames(walk, php)?;
    handlers(walk, php)?;
    constants(walk, php)?;
    walk.run()?;
    walk_callbacks(walk, php, modules)?;
    walk.run()?;
    resources(walk, php)?;
    walk.run()
}

/// Meets objects of which it was found out what holds them. Whoever holds them counts a reference that is not met.
pub fn walk_orphans(walk: &mut Walk, orphans: &[Orphan]) -> Walked<()> {
    for orphan in orphans.iter().filter(|orphan| !walk.has_met(orphan.at)).collect::<Vec<_>>() {
        let label = walk.paths.label(0, &format!("(held by {})", orphan.held_by));
        let path = walk.paths.child(ROOT, label);
        let path = walk.paths.elements(path);
        walk.meet(Value { word: orphan.at, kind: kind::OBJECT }, path, false)?;
        walk.run()?;
    }
    Ok(())
}

fn classes(walk: &mut Walk, php: &Php) -> Walked<()> {
    let (engine, l) = (walk.engine, walk.engine.layout);
    let table = engine.word(php.eg, l.eg_class_table).or_torn("EG", php.eg)?;
    for entry in engine.entries(engine.table(table).or_torn("the class table", table)?) {
        let class = entry.value.word;
        // An alias is a class by another name; a class may be met twice.
        if u32::from(entry.value.kind) != l.type_ptr && u32::from(entry.value.kind) != l.type_ptr + 1 {
            return Err(Torn(format!("a class table's entry of {}", entry.value.kind)));
        }
        let statics = engine.half(class, l.ce_statics).or_torn("a class", class)?;
        let name = engine.class_name(class).or_torn("a class's name", class)?;
        if statics > 0 {
            let members = engine.word(class, l.ce_statics_ptr).or_torn("a class", class)?;
            let members = engine.map_pointer(members).or_torn("static members", class)?;
            if members != 0 {
                for (slot, property) in static_names(&engine, class).or_torn("a class's properties", class)? {
                    let mut value = engine.value(members + slot as u64 * 16).or_torn("a static member", members)?;
                    // An inherited one points at its parent's, where it is met.
                    if u32::from(value.kind) == l.type_indirect {
                        value = Value { word: 0, kind: kind::NULL };
                    }
                    if value.kind >= kind::STRING {
                        let slot = || Slot::Static(name.clone(), property.clone());
                        walk.paths.named(0, &format!("{name}::${property}"), slot);
                        walk.root(&format!("{name}::${property}"), value)?;
                    }
                }
            }
        }
        if matches!(engine.arena.slice(class, 1), Some([2])) {
            methods(walk, class)?;
            class_constants(walk, class, &name)?;
        }
    }
    Ok(())
}

fn methods(walk: &mut Walk, class: u64) -> Walked<()> {
    let (engine, l) = (walk.engine, walk.engine.layout);
    let table = engine.table(class + u64::from(l.ce_function_table)).or_torn("a class's methods", class)?;
    for entry in engine.entries(table) {
        function_statics(walk, entry.value.word)?;
    }
    Ok(())
}

fn class_constants(walk: &mut Walk, class: u64, name: &str) -> Walked<()> {
    let (engine, l) = (walk.engine, walk.engine.layout);
    let table = engine.table(class + u64::from(l.ce_constants_table)).or_torn("a class's constants", class)?;
    for entry in engine.entries(table) {
        // A class constant begins with its value. Only the case of an enum is more than a scalar
        // that the script was compiled with.
        let value = engine.value(entry.value.word).or_torn("a class's constant", entry.value.word)?;
        if value.kind == kind::OBJECT {
            let constant = engine.name(entry.key).or_torn("a constant's name", entry.key)?;
            walk.root(&format!("{name}::{constant}"), value)?;
        }
    }
    Ok(())
}

fn functions(walk: &mut Walk, php: &Php) -> Walked<()> {
    let (engine, l) = (walk.engine, walk.engine.layout);
    let table = engine.word(php.eg, l.eg_function_table).or_torn("EG", php.eg)?;
    for entry in engine.entries(engine.table(table).or_torn("the function table", table)?) {
        function_statics(walk, entry.value.word)?;
    }
    Ok(())
}

fn function_statics(walk: &mut Walk, function: u64) -> Walked<()> {
    let (engine, l) = (walk.engine, walk.engine.layout);
    if engine.function(function).or_torn("a function", function)? != Function::User {
        return Ok(());
    }
    let pointer = engine.word(function, l.op_statics_ptr).or_torn("a function", function)?;
    if pointer == 0 {
        return Ok(());
    }
    let name = engine.function_name(function).or_torn("a function's name", function)?;
    let key = function_key(&engine, function).or_torn("a function's name", function)?;
    walk.expand_statics(pointer, ROOT, &format!("{name}() static "), &key)
}

fn globals(walk: &mut Walk, php: &Php) -> Walked<()> {
    let (engine, l) = (walk.engine, walk.engine.layout);
    let at = php.eg + u64::from(l.eg_symbol_table);
    for entry in engine.entries(engine.table(at).or_torn("the globals", at)?) {
        let name = engine.name(entry.key).filter(|n| is_identifier(n));
        if let Some(name) = name.filter(|n| *n != "GLOBALS") {
            let label = format!("${name}");
            walk.paths.named(0, &label, || Slot::Global(name.to_owned()));
            walk.root(&label, entry.value)?;
        }
    }
    Ok(())
}

fn frames(walk: &mut Walk, php: &Php) -> Walked<()> {
    let (engine, l) = (walk.engine, walk.engine.layout);
    let mut frame = engine.word(php.eg, l.eg_current_execute_data).or_torn("EG", php.eg)?;
    let mut chain = Vec::new();
    while frame != 0 {
        if chain.len() == MOST_FRAMES {
            return Err(Torn("a stack without end".into()));
        }
        chain.push(frame);
        frame = engine.word(frame, l.ex_prev).or_torn("a frame", frame)?;
    }
    walk.running = chain.iter().copied().collect();
    // Outermost first: what the main loop holds is its own, and not its callee's argument.
    for &frame in chain.iter().rev() {
        walk.frame(frame, ROOT)?;
    }
    Ok(())
}

fn handlers(walk: &mut Walk, php: &Php) -> Walked<()> {
    let (engine, l) = (walk.engine, walk.engine.layout);
    for (offset, label) in
        [(l.eg_user_error_handler, "(error handler)"), (l.eg_user_exception_handler, "(exception handler)")]
    {
        let value = engine.value(php.eg + u64::from(offset)).or_torn("EG", php.eg)?;
        if value.kind >= kind::STRING {
            walk.root(label, value)?;
        }
    }
    let exception = engine.word(php.eg, l.eg_exception).or_torn("EG", php.eg)?;
    match exception {
        0 => Ok(()),
        word => walk.root("(exception in flight)", Value { word, kind: kind::OBJECT }),
    }
}

fn constants(walk: &mut Walk, php: &Php) -> Walked<()> {
    let (engine, l) = (walk.engine, walk.engine.layout);
    let table = engine.word(php.eg, l.eg_constants).or_torn("EG", php.eg)?;
    for entry in engine.entries(engine.table(table).or_torn("the constants", table)?) {
        let value = engine.value(entry.value.word).or_torn("a constant", entry.value.word)?;
        if value.kind > kind::STRING {
            let name = engine.name(entry.key).or_torn("a constant's name", entry.key)?;
            let label = format!("const {}", name.trim_end_matches('\0'));
            // STDIN and its like: the constant is their name.
            walk.root(&label, value)?;
        }
    }
    Ok(())
}

fn resources(walk: &mut Walk, php: &Php) -> Walked<()> {
    let (engine, l) = (walk.engine, walk.engine.layout);
    let at = php.eg + u64::from(l.eg_regular_list);
    for entry in engine.entries(engine.table(at).or_torn("the resources", at)?) {
        let resource = entry.value.word;
        let of = walk.resources.get(&resource).copied().or_torn("a resource", resource)?;
        let label = format!("({})", walk.paths.type_name(of));
        let label = walk.paths.label(0, &label);
        let path = walk.paths.child(ROOT, label);
        if !walk.has_met(resource) {
            // The list holds no reference of its own.
            walk.meet(Value { word: resource, kind: kind::RESOURCE }, path, false)?;
        }
        // What it holds hangs on whoever holds it.
        let path = walk.met_at(resource).unwrap_or(path);
        expand_resource(walk, resource, path)?;
    }
    Ok(())
}

/// What a stream or a context holds: its blocks, and a value.
fn expand_resource(walk: &mut Walk, resource: u64, path: PathId) -> Walked<()> {
    let (engine, l) = (walk.engine, walk.engine.layout);
    let of = walk.resources.get(&resource).copied().or_torn("a resource", resource)?;
    let name = walk.paths.type_name(of).to_owned();
    let pointer = engine.word(resource, l.res_ptr).or_torn("a resource", resource)?;
    if pointer == 0 {
        return Ok(());
    }
    let (offset, what) = match name.as_str() {
        // {notifier, options, resource}
        "resource(stream-context)" => (8, " options"),
        stream if stream.starts_with("resource(stream:") => (l.stream_wrapperdata, " wrapper data"),
        _ => return Ok(()),
    };
    walk.add_resource_bytes(resource, pointer);
    if what == " wrapper data" {
        for offset in [l.stream_abstract, l.stream_readbuf] {
            let block = engine.word(pointer, offset).or_torn("a stream", pointer)?;
            walk.add_resource_bytes(resource, block);
        }
    }
    if what == " options" {
        notification(walk, resource, pointer, path)?;
    }
    let value = engine.value(pointer + u64::from(offset)).or_torn("a resource's value", pointer)?;
    if value.kind >= kind::STRING && value.kind <= kind::REFERENCE {
        let label = walk.paths.label(3, what);
        let path = walk.paths.child(path, label);
        walk.meet(value, path, true)?;
    }
    Ok(())
}

/// The callback that a stream's context tells of its progress: a notifier is {function, destructor, value, ...}, or from
/// 8.5 on {function, destructor, pointer to a resolved call, ...}.
fn notification(walk: &mut Walk, resource: u64, context: u64, path: PathId) -> Walked<()> {
    let notifier = walk.engine.word(context, 0).or_torn("a context", context)?;
    let Some(mut callback) = walk.engine.value(notifier.wrapping_add(16)).filter(|_| notifier != 0) else {
        return Ok(());
    };
    walk.add_resource_bytes(resource, notifier);
    if resolved::is_call(walk, callback.word) {
        let Some(word) = resolved::kept(walk, callback.word) else { return Ok(()) };
        walk.add_resource_bytes(resource, callback.word);
        callback = Value { word, kind: kind::OBJECT };
    }
    if callback.kind == kind::OBJECT && resolved::is_live(walk, callback.word)
        || matches!(callback.kind, kind::ARRAY | kind::STRING)
    {
        let label = walk.paths.label(3, " notification");
        let path = walk.paths.child(path, label);
        walk.meet(callback, path, true)?;
    }
    Ok(())
}
