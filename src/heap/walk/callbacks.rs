//! Callbacks that the engine itself keeps: handlers below the present ones, what runs at shutdown, at ticks, and to
//! load classes. Those without a symbol are found by what must hold of them; where nothing fits, nothing is claimed,
//! and what they hold stays "held by an extension".

use super::buffers::walk_buffers;
use super::engine::{Engine, Entry, Value, kind};
use super::paths::PathId;
use super::resolved::{self, block_size, is_live};
use super::slot::Slot;
use super::walker::{OrTorn, Walk, Walked};
use crate::heap::read::image::Php;
use crate::heap::read::modules::Module;

/// Sizes that a call's description (`zend_fcall_info`, which begins with its own) has had.
const CALL_SIZES: [u64; 2] = [56, 64];
/// The blocks of a resolved call with arguments behind it, in a table and in an element of a list.
const RESOLVED_WITH_ARGUMENTS: u64 = 56;
const RESOLVED_IN_LIST: u64 = 80;
/// What loads classes, up to 8.4: `{function, object, closure, class}`.
const LOADER: u64 = 32;
const MOST: u32 = 1 << 20;
/// Signals that there are.
const MOST_SIGNALS: u32 = 64;
/// A table, and a list.
const HEAD: u64 = 56;
/// What an element of a list begins with: the one behind it and the one before it.
const LIST_HEAD: u64 = 16;

/// What a table or a list of the engine keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Shutdown,
    Ticks,
    Autoload,
}

/// How a callback is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// By what the script gave, with the arguments.
    Described,
    /// By the function that it led to, with the arguments.
    Resolved,
    /// Of [`LOADER`].
    Loader,
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
        if let Some((kept, form, entries)) = entries_at(walk, head) {
            for entry in entries {
                meet_entry(walk, kept, form, entry)?;
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
    at.is_multiple_of(8) && block_size(walk, at) == HEAD
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

/// What the table or list at `head` keeps, where all of its entries are of one kind and one form.
fn entries_at(walk: &Walk, head: u64) -> Option<(Kept, Form, Vec<u64>)> {
    if let Some(entries) = list_entries(&walk.engine, head) {
        let form = form_of(walk, &entries, |walk, entry| {
            let block = block_size(walk, entry.wrapping_sub(LIST_HEAD));
            is_call(walk, entry)
                .then_some(Form::Described)
                .or_else(|| (block == RESOLVED_IN_LIST && resolved::is_call(walk, entry)).then_some(Form::Resolved))
        });
        return form.map(|form| (Kept::Ticks, form, entries));
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
    let with_arguments = |walk: &Walk, entry| match block_size(walk, entry) {
        RESOLVED_WITH_ARGUMENTS if resolved::is_call(walk, entry) => Some(Form::Resolved),
        _ => is_call(walk, entry).then_some(Form::Described),
    };
    if let Some(form) = form_of(walk, &entries, with_arguments) {
        return Some((Kept::Shutdown, form, entries));
    }
    let loader = |walk: &Walk, entry| match block_size(walk, entry) {
        resolved::SIZE => resolved::is_call(walk, entry).then_some(Form::Resolved),
        LOADER => is_loader(walk, entry).then_some(Form::Loader),
        _ => None,
    };
    form_of(walk, &entries, loader).map(|form| (Kept::Autoload, form, entries))
}

/// The form of all entries, where they have one.
fn form_of(walk: &Walk, entries: &[u64], of: impl Fn(&Walk, u64) -> Option<Form>) -> Option<Form> {
    let form = of(walk, *entries.first()?)?;
    entries.iter().all(|entry| of(walk, *entry) == Some(form)).then_some(form)
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
        entries.push(at.wrapping_add(LIST_HEAD));
        (before, at) = (at, engine.word(at, 0)?);
    }
    (at == 0 && before == last).then_some(entries)
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
    resolved::is_function(walk, function)
        && [object, closure].iter().all(|at| *at == 0 || is_live(walk, *at))
        && object | closure != 0
}

fn meet_entry(walk: &mut Walk, kept: Kept, form: Form, at: u64) -> Walked<()> {
    let label = match kept {
        Kept::Shutdown => "register_shutdown_function()",
        Kept::Ticks => "register_tick_function()",
        Kept::Autoload => "spl_autoload_register()",
    };
    let path = list(walk, label);
    let block = block_size(walk, at).max(block_size(walk, at.wrapping_sub(LIST_HEAD)));
    walk.paths.at(path).bytes += block;
    let object = match form {
        Form::Described => {
            let callable = walk.engine.value(at.wrapping_add(8)).or_torn("a callback", at)?;
            meet(walk, path, callable)?;
            return arguments(walk, path, at, (32, 48));
        }
        Form::Resolved => resolved::kept(walk, at),
        Form::Loader => resolved::closure_or_object(walk, at, (16, 8)),
    };
    match object {
        Some(word) => meet(walk, path, Value { word, kind: kind::OBJECT })?,
        // A function that has a name, and whose name is not kept.
        None => {
            let of = walk.paths.type_id("function");
            walk.paths.count(path, of, 1);
        }
    }
    match kept {
        Kept::Autoload => Ok(()),
        Kept::Shutdown | Kept::Ticks => arguments(walk, path, at, (40, 48)),
    }
}

/// The arguments that a callback will be given. `places`: where the entry at `at` has their address and their count.
fn arguments(walk: &mut Walk, path: PathId, at: u64, places: (u32, u32)) -> Walked<()> {
    let (arguments, count) = (walk.engine.word(at, places.0), walk.engine.half(at, places.1));
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
