//! Who holds what no name leads to: pointers to it, searched backwards through all memory that was copied, until one lies in
//! the variables of the program or of a library, or inside an object that a name leads to.

use std::collections::HashMap;

use super::classes::Storage;
use super::engine::kind;
use super::objects::NOT_MET;
use super::walker::Walk;
use crate::heap::memory::{AddressMap, Memory};
use crate::heap::read::image::Php;
use crate::heap::read::modules::Module;
use crate::heap::read::snapshot::Copy;

/// Objects whose holders are looked for; the others of their class are held alike.
const MOST: usize = 1_000;
/// Blocks between a variable and the object.
const DEEPEST: usize = 6;

/// An object, and what it is held by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Its address.
    pub at: u64,
    /// `ps_globals`, `libcurl.so.4`, `$handle{CurlHandle}`.
    pub held_by: String,
}

/// What holds `orphans`, as far as it is found. `reached`: so many of the walk's nodes are reached by names.
pub fn holders(walk: &Walk, php: &Php, copy: &Copy, orphans: &[u64], reached: usize) -> Vec<Orphan> {
    let Some(blocks) = walk.blocks else { return Vec::new() };
    let search = Search { walk, php, copy, named: named_blocks(walk, reached), passed_over: own_blocks(walk, php) };
    let sample = &orphans[..orphans.len().min(MOST)];
    let mut held_by: Vec<Option<String>> = vec![None; sample.len()];
    let mut targets: AddressMap<Vec<usize>> = AddressMap::default();
    for (index, at) in sample.iter().enumerate() {
        if let Some(block) = blocks.block(*at) {
            targets.entry(block.start).or_default().push(index);
        }
    }
    let mut visited: AddressMap<()> = AddressMap::default();
    for _ in 0..DEEPEST {
        visited.extend(targets.keys().map(|start| (*start, ())));
        let mut next: AddressMap<Vec<usize>> = AddressMap::default();
        search.pointers(&targets, |from, of| match search.place(from) {
            Place::Named(name) => {
                for index in of {
                    held_by[*index].get_or_insert_with(|| name.clone());
                }
            }
            Place::Block(start) if !visited.contains_key(&start) => next.entry(start).or_default().extend(of),
            Place::Block(_) | Place::Nowhere => {}
        });
        targets = next;
        for of in targets.values_mut() {
            of.sort_unstable();
            of.dedup();
            of.retain(|index| held_by[*index].is_none());
        }
        targets.retain(|_, of| !of.is_empty());
        if targets.is_empty() {
            break;
        }
    }
    let usual = search.usual(sample, &held_by);
    let of = |at: &u64| Some(Orphan { at: *at, held_by: usual.get(&search.class(*at))?.clone() });
    orphans.iter().filter_map(of).collect()
}

/// Where a pointer lies.
enum Place {
    /// In what has a name.
    Named(String),
    /// In a block of PHP's heap, which somebody else points at.
    Block(u64),
    /// Where nothing can be said of it.
    Nowhere,
}

struct Search<'a> {
    walk: &'a Walk<'a>,
    php: &'a Php,
    copy: &'a Copy,
    /// Blocks of objects that names lead to, and the names of those that may hold something unseen.
    named: AddressMap<Option<String>>,
    /// Blocks that point at everything and hold nothing.
    passed_over: Vec<u64>,
}

impl Search<'_> {
    /// Calls `found` with each place that points into one of the blocks of `targets`.
    fn pointers(&self, targets: &AddressMap<Vec<usize>>, mut found: impl FnMut(u64, &[usize])) {
        let Some(blocks) = self.walk.blocks else { return };
        let (Some(low), Some(high)) = (targets.keys().min(), targets.keys().max()) else { return };
        for (start, bytes) in self.copy.arena.regions() {
            for (index, word) in bytes.chunks_exact(8).enumerate() {
                let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
                // A block is no larger than what is looked at behind its begin; most words are no pointers at all.
                if word < *low || word & 7 != 0 || word >= high.saturating_add(1 << 32) {
                    continue;
                }
                let Some(block) = blocks.block(word) else { continue };
                if let Some(of) = targets.get(&block.start) {
                    let from = start + index as u64 * 8;
                    if blocks.block(from).is_none_or(|own| own.start != block.start) {
                        found(from, of);
                    }
                }
            }
        }
    }

    fn place(&self, at: u64) -> Place {
        if let Some(block) = self.walk.blocks.and_then(|blocks| blocks.block(at)) {
            return match self.named.get(&block.start) {
                Some(name) => name.clone().map_or(Place::Nowhere, Place::Named),
                None if self.passed_over.contains(&block.start) => Place::Nowhere,
                None => Place::Block(block.start),
            };
        }
        let module = self.copy.modules.iter().find(|module| (module.start..module.end).contains(&at));
        module.and_then(|module| self.variable(module, at)).map_or(Place::Nowhere, Place::Named)
    }

    /// The variable of a module; what the engine's own structures hold is met by its name or is no holder.
    fn variable(&self, module: &Module, at: u64) -> Option<String> {
        let (start, length) = self.php.data();
        if !(start..start + length as u64).contains(&at) {
            return Some(module.name.clone());
        }
        match self.php.image.symbol_at(at.wrapping_sub(self.php.bias)) {
            Some(name) if name == "executor_globals" || name == "compiler_globals" => None,
            Some(name) => Some(name),
            None => Some(module.name.clone()),
        }
    }

    /// What holds most objects of a class. A pointer that was left behind somewhere holds one of many.
    fn usual(&self, sample: &[u64], held_by: &[Option<String>]) -> HashMap<Option<u32>, String> {
        let mut counts: HashMap<Option<u32>, (usize, HashMap<&String, usize>)> = HashMap::new();
        for (at, name) in sample.iter().zip(held_by) {
            let (all, names) = counts.entry(self.class(*at)).or_default();
            *all += 1;
            if let Some(name) = name {
                *names.entry(name).or_default() += 1;
            }
        }
        let most = |(class, (all, names)): (Option<u32>, (usize, HashMap<&String, usize>))| {
            let (name, count) = names.into_iter().max_by_key(|(name, count)| (*count, *name))?;
            (2 * count >= all).then(|| (class, name.clone()))
        };
        counts.into_iter().filter_map(most).collect()
    }

    fn class(&self, at: u64) -> Option<u32> {
        self.walk.live.find(&self.walk.engine, at).map(|index| self.walk.live.all[index].class)
    }
}

/// The blocks of objects that names lead to. What those hold whose insides are known is met by its name already, so that
/// only those are named in which an extension keeps something of its own.
fn named_blocks(walk: &Walk, reached: usize) -> AddressMap<Option<String>> {
    let mut named = AddressMap::default();
    for object in walk.live.all.iter().filter(|object| object.node != NOT_MET && (object.node as usize) < reached) {
        let class = &walk.classes.all()[object.class as usize];
        let of_extension = class.storage == Storage::Plain && object.start != object.at;
        let is_holder = of_extension && class.name != "WeakReference";
        let path = || walk.paths.text(walk.nodes[object.node as usize].path);
        named.insert(object.start, is_holder.then(|| format!("{}{{{}}}", path(), class.name)));
    }
    named
}

/// The store of all objects, and the stack on which scripts run.
fn own_blocks(walk: &Walk, php: &Php) -> Vec<u64> {
    let (engine, l) = (walk.engine, walk.engine.layout);
    let of = |address: Option<u64>| walk.blocks?.block(address?).map(|block| block.start);
    let store = engine.word(php.eg + u64::from(l.eg_objects_store), l.store_buckets);
    let mut all: Vec<u64> = of(store).into_iter().collect();
    let mut page = engine.word(php.eg, l.eg_vm_stack);
    // {top, end, the page before}
    while let Some(at) = page.filter(|at| *at != 0 && all.len() < 1_000) {
        all.extend(of(Some(at)));
        page = engine.arena.u64(at.wrapping_add(16));
    }
    all
}

/// Objects that somebody counts who was not met; to be asked for when all was walked. `reached`: as above.
pub fn unheld(walk: &Walk, reached: usize) -> Vec<u64> {
    let nodes = walk.nodes[reached..].iter();
    nodes.filter(|node| node.kind == kind::OBJECT && node.edges < node.refcount).map(|node| node.at).collect()
}
