//! Callees whose object or file a file leaves out. The format then means those of the caller; several
//! writers leave them out all the same, and their callees would stand beside themselves as strangers.

use std::collections::HashMap;

use super::sums::Sums;

/// For each function, the one that it is. A function without lines of its own, whose object or file was
/// only supposed, is the one function with lines that has the same name and whatever was really said.
pub(super) fn rebind(sums: &Sums) -> Vec<u32> {
    let mut same: Vec<u32> = (0..sums.functions.len() as u32).collect();
    let mut by_name: HashMap<u32, Vec<u32>> = HashMap::new();
    for (id, (_, _, name)) in sums.functions.iter().enumerate() {
        if sums.explicit[id].body {
            by_name.entry(*name).or_default().push(id as u32);
        }
    }
    for (id, &(object, file, name)) in sums.functions.iter().enumerate() {
        let explicit = sums.explicit[id];
        if explicit.body || (explicit.object && explicit.file) {
            continue;
        }
        let Some(named) = by_name.get(&name) else { continue };
        let only = |keep_object: bool, keep_file: bool| {
            let mut fitting = named.iter().copied().filter(|&other| {
                let (other_object, other_file, _) = sums.functions[other as usize];
                (!keep_object || other_object == object) && (!keep_file || other_file == file)
            });
            let first = fitting.next();
            first.filter(|_| fitting.next().is_none())
        };
        let found = match (explicit.object, explicit.file) {
            (false, true) => only(false, true),
            (true, false) => only(true, false),
            _ => only(false, true).or_else(|| only(true, false)).or_else(|| only(false, false)),
        };
        same[id] = found.unwrap_or(id as u32);
    }
    same
}
