//! From a copy to what is printed: who lives, who holds whom, what is garbage.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::checks;
use super::collector;
use super::engine::Engine;
use super::garbage::{self, NOT_REACHED, Shares};
use super::objects;
use super::orphans::{self, Orphan};
use super::paths::Paths;
use super::resources;
use super::roots;
use super::stack;
use super::walker::{OrTorn, Torn, Walk, Walked};
use crate::heap::census::error::Error;
use crate::heap::census::values::{Census, ClassCount, Cost, Holder, MOST_HOLDERS};
use crate::heap::memory::Memory;
use crate::heap::read::image::Php;
use crate::heap::read::snapshot::Copy;
use crate::heap::zmm::BlockMap;

/// A string that is no element is worth a line from this size on.
const LONG_STRING: u64 = 1024;

/// The class whose objects keep no key alive.
const WEAK_MAP: &str = "WeakMap";

/// So many objects that nobody is seen to hold are worth a search; a few are temporaries.
const WORTH_A_SEARCH: u64 = 8;

/// Makes a census of a copy.
///
/// # Errors
/// What did not fit, where anything did not.
pub fn take(php: &Php, copy: &Copy) -> Walked<Census> {
    take_with(php, copy, |_, _| ()).map(|(census, ())| census)
}

/// As [`take`]; `further` is asked of the finished walk, with the numbers of the holders' paths.
pub fn take_with<T>(php: &Php, copy: &Copy, further: impl FnOnce(&Walk, &[u32]) -> T) -> Walked<(Census, T)> {
    let begun = Instant::now();
    let l = &php.layout;
    let map_ptr_base = copy.arena.u64(php.cg + u64::from(l.cg_map_ptr_base)).or_torn("CG", php.cg)?;
    let engine = Engine { arena: &copy.arena, layout: l, map_ptr_base };
    checks::check(&engine, php, &copy.code)?;
    let blocks = match &copy.zmm {
        Some(zmm) => Some(BlockMap::read(zmm, &copy.arena).ok_or_else(|| Torn("the heap's blocks".into()))?),
        None => None,
    };
    let figures = copy.zmm.as_ref().and_then(|zmm| zmm.figures(&copy.arena));
    let types = resources::find_types(&engine, php, &copy.code).ok_or_else(|| Torn("the types of resources".into()))?;
    let walked = |orphans: &[Orphan]| walk_all(php, copy, (engine, blocks.as_ref()), &types, orphans);
    let (mut walk, mut shares, reached) = walked(&[])?;
    if shares.held.objects >= WORTH_A_SEARCH {
        let orphans = orphans::holders(&walk, php, copy, &orphans::unheld(&walk, reached), reached);
        if !orphans.is_empty() {
            (walk, shares, _) = walked(&orphans)?;
        }
    }
    let explained = shares.reachable.bytes + shares.garbage.bytes + shares.held.bytes;
    let size = figures.map_or(explained, |f| f.size);
    let unexplained = size.checked_sub(explained).ok_or_else(|| Torn("more was met than the heap holds".into()))?;
    let mut warnings = copy.warnings.clone();
    if figures.is_none() {
        warnings.push("heap figures are not available: PHP does not use Zend's memory manager".into());
    }
    let resources = resources::counts(&walk.resources, &walk.paths);
    let (chosen, holders) = holders(&walk.paths);
    let census = Census {
        php_version: php.version.clone(),
        figures,
        classes: classes(&walk),
        resources,
        holders,
        reachable: shares.reachable,
        garbage: shares.garbage,
        held: shares.held,
        unexplained,
        collector: collector::find(&engine, php),
        stack: stack::read(&engine, php)?,
        cost: Cost {
            copy_ms: milliseconds(copy.took),
            stopped_ms: milliseconds(copy.stopped),
            walk_ms: milliseconds(begun.elapsed()),
            bytes: copy.bytes,
        },
        warnings,
    };
    let further = further(&walk, &chosen);
    Ok((census, further))
}

/// Walks over all that names lead to, then over what `orphans` are, then over the rest; how many were met by then.
fn walk_all<'a>(
    php: &Php,
    copy: &Copy,
    (engine, blocks): (Engine<'a>, Option<&'a BlockMap>),
    types: &resources::ResourceTypes,
    orphans: &[Orphan],
) -> Walked<(Walk<'a>, Shares, usize)> {
    let live = objects::live(&engine, php)?;
    let mut walk = Walk::new(engine, blocks, live);
    walk.resources = resources::read(&engine, php, types, &copy.files, &mut walk.paths)?;
    objects::count(&mut walk)?;
    roots::walk_roots(&mut walk, php, &copy.modules)?;
    roots::walk_orphans(&mut walk, orphans)?;
    let reached = walk.nodes.len();
    let shares = garbage::shares(&mut walk)?;
    Ok((walk, shares, reached))
}

/// What a torn copy means: of a process at rest that its layout does not fit, of one that was
/// stopped on its way that it was in the middle of something.
pub fn error_of(torn: Torn, was_at_rest: bool) -> Error {
    if was_at_rest { Error::Unsupported(format!("its heap does not fit the checks ({})", torn.0)) } else { Error::Busy }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn classes(walk: &Walk) -> Vec<ClassCount> {
    let mut counts: Vec<ClassCount> = Vec::new();
    for class in walk.classes.all().iter().filter(|c| c.count > 0) {
        // Two anonymous classes on one line have one name.
        match counts.iter_mut().find(|c| c.name == class.name) {
            Some(same) => {
                same.count += class.count;
                same.bytes += class.bytes;
            }
            None => counts.push(ClassCount { name: class.name.clone(), count: class.count, bytes: class.bytes }),
        }
    }
    counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    counts
}

/// For each of `chosen`, the classes that its path and the paths that go on from it lead to.
fn classes_below(paths: &Paths, chosen: &[u32]) -> HashMap<u32, Vec<String>> {
    let mut below: HashMap<u32, Vec<String>> = chosen.iter().map(|&id| (id, Vec::new())).collect();
    for (id, path) in paths.all().iter().enumerate().skip(1) {
        let classes = path.types.iter().filter(|t| paths.is_class(t.0)).map(|t| paths.type_name(t.0));
        for class in classes {
            // A closure's type says where it was written; its class is the same everywhere.
            let class = if class.starts_with("Closure@") { "Closure" } else { class };
            for ancestor in paths.ancestors(id as u32) {
                if let Some(names) = below.get_mut(&ancestor).filter(|n| !n.iter().any(|n| n == class)) {
                    names.push(class.to_owned());
                }
            }
        }
    }
    below.values_mut().for_each(|names| names.sort_unstable());
    below
}

/// The paths that can grow, the heaviest first, by number and written out.
fn holders(paths: &Paths) -> (Vec<u32>, Vec<Holder>) {
    let bytes = paths.subtree_bytes();
    let string = |id: u32| paths.main_type(id).is_some_and(|t| paths.type_name(t) == "string");
    let is_holder = |id: u32| {
        let path = &paths.all()[id as usize];
        let named = paths
            .ancestors(id)
            .last()
            .is_some_and(|root| paths.label_text(paths.all()[root as usize].label) != NOT_REACHED);
        named && path.count > 0 && (path.elements || path.recursive || (string(id) && path.bytes >= LONG_STRING))
    };
    let mut chosen: Vec<u32> = (1..paths.all().len() as u32).filter(|&id| is_holder(id)).collect();
    chosen.sort_by_key(|&id| (std::cmp::Reverse(bytes[id as usize]), id));
    chosen.truncate(MOST_HOLDERS);
    let mut classes = classes_below(paths, &chosen);
    let holders = chosen
        .iter()
        .map(|&id| {
            let path = &paths.all()[id as usize];
            let main = paths.main_type(id);
            // The first node of a list stands before its path begins.
            let first = match path.recursive && !path.elements {
                true => paths.all()[path.parent as usize].types.iter().filter(|t| Some(t.0) == main).map(|t| t.1).sum(),
                false => 0,
            };
            Holder {
                path: paths.text(id),
                count: path.count + first,
                bytes: bytes[id as usize],
                element_type: main.map(|t| paths.type_name(t).to_owned()).unwrap_or_default(),
                classes: classes.remove(&id).unwrap_or_default(),
                within: paths.ancestors(id).skip(1).find(|&a| is_holder(a)).map(|a| paths.text(a)),
                shared: path.shared,
                weak: path.elements && paths.main_type(path.parent).is_some_and(|t| paths.type_name(t) == WEAK_MAP),
            }
        })
        .collect();
    (chosen, holders)
}
