//! The engine's own list of objects: which live, and what each weighs.

use super::engine::{Engine, kind};
use super::image::Php;
use super::memory::AddressMap;
use super::walk::{OrTorn, Torn, Walk, Walked};

const MOST_OBJECTS: u32 = 1 << 28;

/// Addresses of the live objects, with their handles.
pub fn live(engine: &Engine, php: &Php) -> Walked<AddressMap<u32>> {
    let l = engine.layout;
    let store = php.eg + u64::from(l.eg_objects_store);
    let buckets = engine.word(store, l.store_buckets).or_torn("the store", store)?;
    let top = engine.half(store, l.store_top).or_torn("the store", store)?;
    if top > MOST_OBJECTS {
        return Err(Torn("the store's size".into()));
    }
    let slots = engine.arena.slice(buckets, top as usize * 8).or_torn("the store", buckets)?;
    let mut live = AddressMap::default();
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
        live.insert(object, handle as u32);
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
    match live.len() as u64 + u64::from(count) + 1 == u64::from(top) {
        true => Ok(live),
        false => Err(Torn("objects and free places are not all places".into())),
    }
}

/// Counts every live object by its class.
pub fn count(walk: &mut Walk) -> Walked<()> {
    let objects: Vec<u64> = walk.live.keys().copied().collect();
    let least = u64::from(walk.engine.layout.obj_slots);
    for object in objects {
        let class = walk.class_of(object)?;
        let start = walk.object_start(object)?;
        let slots = walk.classes.at(class).labels.len() as u64;
        let bytes = walk.block(start, (object - start) + least + slots * 16)?;
        let class = walk.classes.at(class);
        class.count += 1;
        class.bytes += bytes;
    }
    Ok(())
}
