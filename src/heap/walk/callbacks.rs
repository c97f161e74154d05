//! Callbacks that the engine itself keeps: handlers below the present ones, what runs at shutdown, at ticks, and to
//! load classes. Those without a symbol are found by what must hold of them; where nothing fits, nothing is claimed,
//! and what they hold stays "held by an extension".

use super::buffers::walk_buffers;
use super::engine::{Engine, Entry, Value, kind};
use super::paths::PathId;
use super::slot::Slot;
use super::walker::{OrTorn, Walk, Walked};
use crate::heap::read::image::Php;
use crate::heap::read::modules::Module;

/// Sizes that a call's description (`zend_fcall_info`, which begins with its own) has had.
const CALL_SIZES: [u64; 2] = [56, 64];
const MOST: u32 = 1 << 20;
/// Signals that there are.
const MOST_SIGNALS: u32 = 64;
/// A table, and a list.
const HEAD: u64 = 56;

/// What a table or a list of the engine keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Shutdown,
    Ticks,
    Autoload,
}

/// Meets them all. Their references are not counted: who else counts them is not known.
pub fn walk_callbacks(walk: &mut Walk, php: &Php, modules: &[Module]) -> Walked<()> {
    let l = walk.engine.layout;
    let behind = php.eg + u64::from(l.eg_user_exception_handler) + 16;
    // A stack of levels stands before the two of handlers.
    handlers_below(walk, behind + 24, "set_error_handler()")?;
    handlers_below(walk, behind + 48, "set_exception_handler()")?;
    let (start, length) = php.data();
    for at in (start..start + length as u64 / 8 * 8).step_by(8) {
        let Some(head) = walk.engine.word(at, 0).filter(|head| begins_block(walk, *head)) else { continue };
        if let Some((kept, entries)) = entries_at(walk, head) {
            for entry in entries {
                meet_entry(walk, kept, entry)?;
            }
        }
    }
    for at in (start..start + length as u64 / 8 * 8).step_by(8) {
        walk_buffers(walk, at)?;
    }
    // Signals belong to an extension that may be a file of its own.
    for at in modules.iter().flat_map(|module| (module.start..module.end).step_by(8)) {
        signals(walk, at)?;
    }
    Ok(())
}

/// The handlers that a script set for signals, where the table at `at` is theirs: by number, whatever is called or how
/// it is dealt with.
fn signals(walk: &mut Walk, at: u64) -> Walked<()> {
    let is_array = walk.engine.counted(at).is_some_and(|head| head.kind == kind::ARRAY && head.refcount == 1);
    let Some(table) = walk.engine.table(at).filter(|table| is_array && (1..=MOST_SIGNALS).contains(&table.count))
    else {
        return Ok(());
    };
    let entries: Vec<Entry> = walk.engine.entries(table).collect();
    let fits = |entry: &Entry| {
        let handler = entry.value;
        let is_handler = match handler.kind {
            kind::LONG => handler.word <= 1,
            kind::OBJECT => is_live(walk, handler.word),
            kind::STRING | kind::ARRAY => {
                walk.engine.counted(handler.word).is_some_and(|head| head.kind == handler.kind)
            }
            _ => false,
        };
        is_handler && entry.key == 0 && (1..=u64::from(MOST_SIGNALS)).contains(&entry.hash)
    };
    let holds = |entry: &Entry| matches!(entry.value.kind, kind::OBJECT | kind::ARRAY);
    if entries.iter().all(fits) && entries.iter().any(holds) {
        let path = list(walk, "pcntl_signal()");
        for entry in entries {
            meet(walk, path, entry.value)?;
        }
    }
    Ok(())
}

fn begins_block(walk: &Walk, at: u64) -> bool {
    at.is_multiple_of(8)
        && walk.blocks.and_then(|blocks| blocks.block(at)).is_some_and(|b| b.start == at && b.size == HEAD)
}

/// A `zend_stack` of values.
fn handlers_below(walk: &mut Walk, at: u64, label: &str) -> Walked<()> {
    let half = |offset| walk.engine.half(at, offset).unwrap_or_default();
    let (size, top, most) = (half(0), half(4), half(8));
    let elements = walk.engine.word(at, 16).unwrap_or_default();
    if size != 16 || top == 0 || top > most || top > MOST {
        return Ok(());
    }
    let path = list(walk, label);
    for index in 0..u64::from(top) {
        let value = walk.engine.value(elements.wrapping_add(index * 16)).or_torn("a handler", elements)?;
        meet(walk, path, value)?;
    }
    Ok(())
}

/// The elements of a list of the engine's, `ob_start()`.
pub(super) fn list(walk: &mut Walk, label: &str) -> PathId {
    let label = walk.paths.named(0, label, || Slot::Engine(label.trim_end_matches("()").to_owned()));
    let path = walk.paths.child(0, label);
    walk.paths.elements(path)
}

fn meet(walk: &mut Walk, path: PathId, value: Value) -> Walked<()> {
    match value.kind {
        kind::STRING..=kind::REFERENCE => walk.meet(value, path, false),
        _ => Ok(()),
    }
}

/// What the table or list at `head` keeps, where all of its entries are of one kind.
fn entries_at(walk: &Walk, head: u64) -> Option<(Kept, Vec<u64>)> {
    if let Some(entries) = list_entries(&walk.engine, head) {
        let all = entries.iter().all(|entry| is_call(walk, *entry));
        return (all && !entries.is_empty()).then_some((Kept::Ticks, entries));
    }
    let table = walk.engine.table(head).filter(|table| table.count > 0)?;
    let is_array = walk.engine.counted(head).is_some_and(|counted| counted.kind == kind::ARRAY);
    if !is_array || walk.has_met(head) {
        return None;
    }
    let mut entries = Vec::new();
    for entry in walk.engine.entries(table) {
        if u32::from(entry.value.kind) != walk.engine.layout.type_ptr {
            return None;
        }
        entries.push(entry.value.word);
    }
    if entries.iter().all(|entry| is_call(walk, *entry)) {
        return Some((Kept::Shutdown, entries));
    }
    entries.iter().all(|entry| is_loader(walk, *entry)).then_some((Kept::Autoload, entries))
}

/// The data of a `zend_llist`'s elements.
fn list_entries(engine: &Engine, head: u64) -> Option<Vec<u64>> {
    let (mut at, last, count) = (engine.word(head, 0)?, engine.word(head, 8)?, engine.word(head, 16)?);
    if count == 0 || count > u64::from(MOST) || at == 0 {
        return None;
    }
    let mut entries = Vec::new();
    let mut before = 0;
    for _ in 0..count {
        if engine.word(at, 8)? != before {
            return None;
        }
        entries.push(at.wrapping_add(16));
        (before, at) = (at, engine.word(at, 0)?);
    }
    (at == 0 && before == last).then_some(entries)
}

fn is_live(walk: &Walk, at: u64) -> bool {
    walk.live.find(&walk.engine, at).is_some()
}

/// A description of a call, whose callable follows its size.
fn is_call(walk: &Walk, at: u64) -> bool {
    let size = walk.engine.word(at, 0).unwrap_or_default();
    let Some(callable) = walk.engine.value(at.wrapping_add(8)).filter(|_| CALL_SIZES.contains(&size)) else {
        return false;
    };
    let head = || walk.engine.counted(callable.word).map(|head| head.kind);
    match callable.kind {
        kind::OBJECT => is_live(walk, callable.word),
        kind::STRING | kind::ARRAY => head() == Some(callable.kind),
        _ => false,
    }
}

/// What loads classes: a function, an object, a closure, a class; the last three may be none.
fn is_loader(walk: &Walk, at: u64) -> bool {
    let word = |offset| walk.engine.word(at, offset);
    let (Some(function), Some(object), Some(closure)) = (word(0), word(8), word(16)) else { return false };
    function != 0
        && walk.engine.function(function).is_some()
        && [object, closure].iter().all(|at| *at == 0 || is_live(walk, *at))
        && object | closure != 0
}

fn meet_entry(walk: &mut Walk, kept: Kept, at: u64) -> Walked<()> {
    let label = match kept {
        Kept::Shutdown => "register_shutdown_function()",
        Kept::Ticks => "register_tick_function()",
        Kept::Autoload => "spl_autoload_register()",
    };
    let path = list(walk, label);
    if kept == Kept::Autoload {
        // The closure is what is kept of a closure; the object that it is bound to hangs on it.
        let words = [16, 8].map(|offset| walk.engine.word(at, offset).unwrap_or_default());
        let object = words.into_iter().find(|word| *word != 0).unwrap_or_default();
        return meet(walk, path, Value { word: object, kind: kind::OBJECT });
    }
    let callable = walk.engine.value(at.wrapping_add(8)).or_torn("a callback", at)?;
    meet(walk, path, callable)?;
    // The arguments that it will be given.
    let (arguments, count) = (walk.engine.word(at, 32), walk.engine.half(at, 48));
    if let (Some(arguments), Some(count @ 1..=1024)) = (arguments, count) {
        let label = walk.paths.label(2, " argument ");
        let path = walk.paths.child(path, label);
        for index in 0..u64::from(count) {
            let value =
                walk.engine.value(arguments.wrapping_add(index * 16)).or_torn("a callback's argument", arguments)?;
            meet(walk, path, value)?;
        }
    }
    Ok(())
}
