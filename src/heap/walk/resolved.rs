//! A callback by the function that it led to (`zend_fcall_info_cache`): what 8.5 keeps in the place of what the script
//! gave, with its tables of callbacks and with a stream's context.

use super::walker::Walk;

/// Bytes of one, which is a block of its own where it stands alone.
pub const SIZE: u64 = 40;
/// Behind the function: the class that it is called from, the class that it is called as, the object, the closure.
const CLASSES: [u32; 2] = [8, 16];
const OBJECT: u32 = 24;
const CLOSURE: u32 = 32;

/// Whether one lies at `at`: a function, two classes, an object and a closure, of which there may be none.
pub fn is_call(walk: &Walk, at: u64) -> bool {
    let word = |offset| walk.engine.word(at, offset);
    let (Some(function), Some(object), Some(closure)) = (word(0), word(OBJECT), word(CLOSURE)) else { return false };
    let classes = CLASSES.map(|offset| word(offset).unwrap_or(u64::MAX));
    is_function(walk, function)
        && [object, closure].iter().all(|at| *at == 0 || is_live(walk, *at))
        && classes.iter().all(|class| *class == 0 || walk.engine.class_name(*class).is_some())
}

/// The object that the one at `at` keeps.
pub fn kept(walk: &Walk, at: u64) -> Option<u64> {
    closure_or_object(walk, at, (CLOSURE, OBJECT))
}

/// Of a closure the closure is what is kept: the object that it is bound to hangs on it.
pub fn closure_or_object(walk: &Walk, at: u64, (closure, object): (u32, u32)) -> Option<u64> {
    let word = |offset| walk.engine.word(at, offset).filter(|word| *word != 0);
    word(closure).or_else(|| word(object))
}

/// Whether a function lies at `at`.
pub fn is_function(walk: &Walk, at: u64) -> bool {
    at != 0 && walk.engine.function(at).is_some()
}

/// Whether a live object lies at `at`.
pub fn is_live(walk: &Walk, at: u64) -> bool {
    walk.live.find(&walk.engine, at).is_some()
}

/// Bytes of the block that begins at `at`; 0 where none does.
pub fn block_size(walk: &Walk, at: u64) -> u64 {
    walk.blocks.and_then(|blocks| blocks.block(at)).filter(|block| block.start == at).map_or(0, |block| block.size)
}
