//! Open resources by type. The table of types is a static variable without a name, so it is found
//! by what must hold of it.

use super::engine::Engine;
use super::paths::{Paths, TypeId};
use super::walker::{OrTorn, Torn, Walked};
use crate::heap::census::values::ResourceCount;
use crate::heap::memory::AddressMap;
use crate::heap::read::image::{Php, c_string};

const TABLE_SIZE: usize = 56;
const MOST_TYPES: u32 = 4096;

/// Names of the types of resources, by their number.
pub type ResourceTypes = AddressMap<String>;

/// Finds the table of types in a copy of the image's data.
pub fn find_types(engine: &Engine, php: &Php, code: &[(u64, u64)]) -> Option<ResourceTypes> {
    let (start, length) = php.data();
    let is_code = |at: u64| code.iter().any(|(start, end)| (*start..*end).contains(&at));
    (0..length.checked_sub(TABLE_SIZE)?)
        .step_by(8)
        .find_map(|offset| types_at(engine, php, start + offset as u64, &is_code))
}

fn types_at(engine: &Engine, php: &Php, at: u64, is_code: &impl Fn(u64) -> bool) -> Option<ResourceTypes> {
    let l = engine.layout;
    // The cheap question first: it is asked at every word of the data.
    let used = engine.half(at, l.arr_used)?;
    let count = engine.half(at, l.arr_count)?;
    if used == 0 || used > MOST_TYPES || count == 0 || count > used || used - count > 1 {
        return None;
    }
    let table = engine.table(at)?;
    let mut types = ResourceTypes::default();
    for entry in engine.entries(table) {
        let (descriptor, id) = (entry.value.word, entry.hash);
        if u32::from(entry.value.kind) != l.type_ptr || entry.key != 0 {
            return None;
        }
        if u64::from(engine.half(descriptor, l.dtor_resource_id)?) != id {
            return None;
        }
        for destructor in [engine.word(descriptor, 0)?, engine.word(descriptor, 8)?] {
            if destructor != 0 && !is_code(destructor) {
                return None;
            }
        }
        let name = engine.word(descriptor, l.dtor_type_name)?;
        // Some are registered without a name.
        let name = match name {
            0 => String::from("unnamed"),
            at => php
                .constant_string(at)
                .or_else(|| c_string(engine.arena, at))
                .unwrap_or_else(|| String::from("unnamed")),
        };
        types.insert(id, name);
    }
    types.values().any(|name| name == "stream").then_some(types)
}

/// Reads the list of resources: the type of each, by its address.
pub fn read(
    engine: &Engine,
    php: &Php,
    types: &ResourceTypes,
    files: &[(u64, u64)],
    paths: &mut Paths,
) -> Walked<AddressMap<TypeId>> {
    let l = engine.layout;
    let at = php.eg + u64::from(l.eg_regular_list);
    let mut resources = AddressMap::default();
    let table = engine.table(at).or_torn("the resources", at)?;
    let mut met = 0;
    for entry in engine.entries(table) {
        met += 1;
        let resource = entry.value.word;
        let head = engine.counted(resource).or_torn("a resource", resource)?;
        let handle = engine.word(resource, l.res_handle).or_torn("a resource", resource)?;
        let handle = if l.res_type.wrapping_sub(l.res_handle) == 4 { handle & 0xffff_ffff } else { handle };
        if entry.value.kind != 9 || head.kind != 9 || handle != entry.hash {
            return Err(Torn(format!("a resource at {resource:x}")));
        }
        let of = engine.half(resource, l.res_type).or_torn("a resource", resource)? as i32;
        let name = match of {
            // Closed, and somebody still holds it.
            -1 => "closed".to_owned(),
            of => {
                let name = types.get(&(of as u64)).or_torn("a type of resource", resource)?;
                match name.as_str() {
                    "stream" | "persistent stream" => format!("{name}:{}", stream_kind(engine, php, files, resource)?),
                    other => other.to_owned(),
                }
            }
        };
        resources.insert(resource, paths.type_id(&format!("resource({name})")));
    }
    if met != table.count {
        return Err(Torn("the resources are not as many as they say".into()));
    }
    Ok(resources)
}

fn stream_kind(engine: &Engine, php: &Php, files: &[(u64, u64)], resource: u64) -> Walked<String> {
    let l = engine.layout;
    let stream = engine.word(resource, l.res_ptr).or_torn("a stream", resource)?;
    let ops = engine.word(stream, l.stream_ops).or_torn("a stream", stream)?;
    let label = engine.word(ops, l.ops_label).or_else(|| word_of_file(php, ops.wrapping_add(u64::from(l.ops_label))));
    let label = label.and_then(|at| php.constant_string(at).or_else(|| c_string(engine.arena, at)));
    match label
        .filter(|text| text.len() > 1 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-/.: ".contains(&b)))
    {
        Some(label) => Ok(label),
        // An extension in a file of its own keeps the label there; that a stream is one is still
        // known. Anything else is no table of operations.
        None => {
            let (start, length) = php.data();
            let own = (start..start + length as u64).contains(&ops);
            let in_file = files.iter().any(|(start, end)| (*start..*end).contains(&ops));
            if in_file && !own { Ok("other".into()) } else { Err(Torn(format!("a stream's operations at {ops:x}"))) }
        }
    }
}

fn word_of_file(php: &Php, at: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    php.image.read(at.wrapping_sub(php.bias), &mut bytes).then(|| u64::from_le_bytes(bytes))
}

/// Counts by type.
pub fn counts(resources: &AddressMap<TypeId>, paths: &Paths) -> Vec<ResourceCount> {
    let mut counts: Vec<ResourceCount> = Vec::new();
    for &of in resources.values() {
        let name = paths.type_name(of);
        let name = name.strip_prefix("resource(").and_then(|n| n.strip_suffix(')')).unwrap_or(name);
        match counts.iter_mut().find(|c| c.of == name) {
            Some(found) => found.count += 1,
            None => counts.push(ResourceCount { of: name.to_owned(), count: 1 }),
        }
    }
    counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.of.cmp(&b.of)));
    counts
}
