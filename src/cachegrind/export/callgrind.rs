//! Callgrind's format, aggregated: one block for each function, so that a file of gigabytes becomes one
//! that KCachegrind opens at once. It holds edges; the stacks are lost in it.

use std::collections::HashMap;
use std::io::{self, Write};

use crate::cachegrind::profile::{Edge, Profile};

/// Writes every function's self cost and its calls, both events, in the file's units. Lines are 0: a
/// function's cost is not split by line.
pub fn write(profile: &Profile, out: &mut impl Write) -> io::Result<()> {
    let memory = profile.units.memory_event.as_deref();
    writeln!(out, "# callgrind format\nversion: 1\ncreator: profile-run {}", env!("CARGO_PKG_VERSION"))?;
    if let Some(first) = profile.files.first() {
        writeln!(out, "cmd: {}", first.header.cmd)?;
    }
    let events = [Some(profile.units.time_event.as_str()), memory].into_iter().flatten().collect::<Vec<_>>();
    writeln!(out, "positions: line\nevents: {}", events.join(" "))?;
    let costs = |time: i64, allocation: i64| match memory {
        Some(_) => format!("{time} {allocation}"),
        None => time.to_string(),
    };
    let total = profile.tree.total();
    writeln!(out, "summary: {}\n", costs(total.time, total.memory))?;

    let mut calls: HashMap<u32, Vec<&Edge>> = HashMap::new();
    for edge in &profile.edges {
        if let Some(caller) = edge.caller {
            calls.entry(caller).or_default().push(edge);
        }
    }
    let mut names = Names::default();
    for function in &profile.functions {
        let (file, name) = names.of(profile, function.id);
        writeln!(out, "fl={file}\nfn={name}\n0 {}", costs(function.own.time, function.own.memory))?;
        for edge in calls.get(&function.id).into_iter().flatten() {
            let (file, name) = names.of(profile, edge.callee);
            let inclusive = costs(edge.inclusive.time, edge.inclusive.memory);
            writeln!(out, "cfi={file}\ncfn={name}\ncalls={} 0\n0 {inclusive}", edge.calls)?;
        }
        writeln!(out)?;
    }
    writeln!(out, "totals: {}", costs(total.time, total.memory))
}

/// Ids of files and functions; a name is written out where its id comes first.
#[derive(Default)]
struct Names<'a> {
    files: HashMap<&'a str, usize>,
    functions: HashMap<&'a str, usize>,
}

impl<'a> Names<'a> {
    fn of(&mut self, profile: &'a Profile, id: u32) -> (String, String) {
        let function = profile.names.get(id);
        let file = if function.file.is_empty() { "???" } else { &function.file };
        (field(&mut self.files, file), field(&mut self.functions, &function.name))
    }
}

fn field<'a>(ids: &mut HashMap<&'a str, usize>, name: &'a str) -> String {
    let next = ids.len() + 1;
    match ids.get(name) {
        Some(id) => format!("({id})"),
        None => {
            ids.insert(name, next);
            format!("({next}) {name}")
        }
    }
}
