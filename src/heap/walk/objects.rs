//! The engine's own list of objects: which live, and what each weighs.

use super::engine::{Engine, kind};
use super::walker::{OrTorn, Torn, Walk, Walked};
use crate::heap::read::image::Php;

const MOST_OBJECTS: u32 = 1 << 28;

/// A live object.
#[derive(Debug, Clone, Copy)]
pub struct Object {
    /// Its address.
    pub at: u64,
    /// Where its block begins.
    pub start: u64,
    /// Bytes of its block.
    pub bytes: u64,
    /// Its class.
    pub class: u32,
    /// Its number among what the walk has met; [`NOT_MET`] until then.
    pub node: u32,
}

/// No node's number.
pub const NOT_MET: u32 = u32::MAX;

/// The live objects, in the order of their handles.
#[derive(Debug, Default)]
pub struct Live {
    /// All of them.
    pub all: Vec<Object>,
    /// Where each handle's object stands in `all`; an object knows its handle, so that nothing
    /// has to be hashed.
    by_handle: Vec<u32>,
}

impl Live {
    /// Where the object at `at` stands in `all`; `None` where none lives there.
    #[inline]
    pub fn find(&self, engine: &Engine, at: u64) -> Option<usize> {
        let handle = engine.half(at, engine.layout.obj_handle)?;
        let index = *self.by_handle.get(handle as usize)? as usize;
        self.all.get(index).filter(|object| object.at == at).map(|_| index)
    }

    fn push(&mut self, handle: usize, at: u64) {
        self.by_handle.resize(handle, NOT_MET);
        self.by_handle.push(self.all.len() as u32);
        self.all.push(Object { at, start: at, bytes: 0, class: 0, node: NOT_MET });
    }
}

/// Finds the live objects; what they are is told by [`count`].
pub fn live(engine: &Engine, php: &Php) -> Walked<Live> {
    let l = engine.layout;
    let store = php.eg + u64::from(l.eg_objects_store);
    let buckets = engine.word(store, l.store_buckets).or_torn("the store", store)?;
    let top = engine.half(store, l.store_top).or_torn("the store", store)?;
    if top > MOST_OBJECTS {
        return Err(Torn("the store's size".into()));
    }
    let slots = engine.arena.slice(buckets, top as usize * 8).or_torn("the store", buckets)?;
    let mut live = Live::default();
    for (handle, slot) in slots.chunks_exact(8).enumerate().skip(1) {
        let object = u64::from_le_bytes(slot.try_into().expect("eight bytes"));
        // A free slot holds the number of the next one, with the lowest bit set.
        if object & 1 == 1 {
            continue;
        }
        let head = engine.counted(object).or_torn("an object", object)?;
        let own = engine.half(object, l.obj_handle).or_torn("an object", object)?;
        if head.kind != kind::OBJECT || own as usize != handle {
            return Err(Torn(format!("an object at {object:x}")));
        }
        live.push(handle, object);
    }
    // The free slots hang together in a list that ends, and are all there are.
    let mut free = engine.word(store, l.store_size + 4).or_torn("the store", store)? as u32 as i32;
    let mut count = 0;
    while free >= 0 && count <= top {
        let slot = engine.word(buckets + free as u64 * 8, 0).or_torn("the store's free list", buckets)?;
        if slot & 1 == 0 || free as u32 >= top {
            return Err(Torn("the store's free list".into()));
        }
        free = (slot as i64 >> 1) as i32;
        count += 1;
    }
    match live.all.len() as u64 + u64::from(count) + 1 == u64::from(top) {
        true => Ok(live),
        false => Err(Torn("objects and free places are not all places".into())),
    }
}

/// Tells of every live object what it is, and counts it by its class.
pub fn count(walk: &mut Walk) -> Walked<()> {
    let least = u64::from(walk.engine.layout.obj_slots);
    for index in 0..walk.live.all.len() {
        let at = walk.live.all[index].at;
        let class = walk.read_class_of(at)?;
        let start = walk.object_start(at)?;
        let slots = walk.classes.at(class).labels.len() as u64;
        let bytes = walk.block(start, (at - start) + least + slots * 16)?;
        walk.live.all[index] = Object { at, start, bytes, class, node: NOT_MET };
        let class = walk.classes.at(class);
        class.count += 1;
        class.bytes += bytes;
    }
    Ok(())
}
