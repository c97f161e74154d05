//! Output buffers: `ob_start` puts one on a stack of the engine's, and each takes 16 kB at least.

use super::callbacks::list;
use super::engine::{Value, kind};
use super::paths::PathId;
use super::walker::{OrTorn, Walk, Walked};

/// A stack of pointers, as the engine keeps it: an element's size, how many there are, how many there is room for.
const POINTER: u32 = 8;
const MOST: u32 = 1 << 20;
/// `php_output_handler`: its name, its flags, its buffer's data, what is called.
const NAME: u32 = 0;
const FLAGS: u32 = 8;
const DATA: u32 = 24;
const USER: u32 = 72;
/// The callback is the script's (`PHP_OUTPUT_HANDLER_USER`).
const IS_USER: u32 = 1;
/// The callback in a call's description (`zend_fcall_info`).
const CALLBACK: u32 = 8;

/// Meets the output buffers of the stack at `at`, if one lies there.
pub fn walk_buffers(walk: &mut Walk, at: u64) -> Walked<()> {
    let Some(handlers) = stack(walk, at) else { return Ok(()) };
    let path = list(walk, "ob_start()");
    let of = walk.paths.type_id("output buffer");
    for handler in handlers {
        walk.paths.count(path, of, 1);
        for block in [Some(handler), walk.engine.word(handler, DATA)].into_iter().flatten() {
            walk.paths.at(path).bytes += block_of(walk, block).unwrap_or(0);
        }
        callback(walk, handler, path)?;
    }
    Ok(())
}

/// The handlers of a stack whose active one is its top; `None` where no such stack lies at `at`.
fn stack(walk: &Walk, at: u64) -> Option<Vec<u64>> {
    let engine = &walk.engine;
    if engine.half(at, 0)? != POINTER {
        return None;
    }
    let (top, most) = (engine.half(at, 4)?, engine.half(at, 8)?);
    if top == 0 || top > most || top > MOST {
        return None;
    }
    let elements = engine.word(at, 16)?;
    let handlers = (0..u64::from(top)).map(|index| engine.word(elements.checked_add(index * 8)?, 0));
    let handlers: Vec<u64> = handlers.collect::<Option<_>>()?;
    let has_name = |handler: u64| engine.word(handler, NAME).and_then(|name| engine.name(name)).is_some();
    let all = handlers.iter().all(|handler| block_of(walk, *handler).is_some() && has_name(*handler));
    // The active one stands behind the stack.
    (all && engine.word(at, 24) == handlers.last().copied()).then_some(handlers)
}

/// Bytes of the block that begins at `at`.
fn block_of(walk: &Walk, at: u64) -> Option<u64> {
    walk.blocks?.block(at).filter(|block| block.start == at).map(|block| block.size)
}

fn callback(walk: &mut Walk, handler: u64, path: PathId) -> Walked<()> {
    if walk.engine.half(handler, FLAGS).or_torn("an output buffer", handler)? & IS_USER == 0 {
        return Ok(());
    }
    let user = walk.engine.word(handler, USER).or_torn("an output buffer", handler)?;
    let value = walk.engine.value(user.wrapping_add(u64::from(CALLBACK))).or_torn("a callback", user)?;
    let label = walk.paths.label(3, " callback");
    let path = walk.paths.child(path, label);
    meet_callback(walk, value, path)
}

/// A callback that lives; anything else is left alone.
fn meet_callback(walk: &mut Walk, value: Value, path: PathId) -> Walked<()> {
    let is_live = match value.kind {
        kind::OBJECT => walk.live.find(&walk.engine, value.word).is_some(),
        kind::ARRAY | kind::STRING => walk.engine.counted(value.word).is_some_and(|head| head.kind == value.kind),
        _ => false,
    };
    if is_live { walk.meet(value, path, false) } else { Ok(()) }
}
