//! Callgrind's format, aggregated: one block for each function, so that a file of gigabytes becomes one
//! that KCachegrind opens at once. It holds edges; the stacks are lost in it.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use super::printable;
use crate::profile::callgrind::Graph;
use crate::profile::contents::{Edge, Profile};
use crate::profile::names::Function;

/// Writes every function's self cost and its calls, all events, in the file's units. What was read as
/// edges is written as the same edges. Lines are 0 except for cachegrind's costs: a function's cost is
/// not split by line.
pub fn write(profile: &Profile, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "# callgrind format\nversion: 1\ncreator: profile-run {}", env!("CARGO_PKG_VERSION"))?;
    if let Some(first) = profile.files.first() {
        writeln!(out, "cmd: {}", printable(&first.header.cmd))?;
    }
    if profile.estimated && profile.graph.is_none() {
        writeln!(out, "desc: Note: the calls are an estimate")?;
    }
    writeln!(out, "positions: line\nevents: {}", profile.events().join(" "))?;
    match &profile.graph {
        Some(graph) => write_graph(profile, graph, out),
        None => write_edges(profile, out),
    }
}

fn write_edges(profile: &Profile, out: &mut impl Write) -> io::Result<()> {
    let memory = profile.units.memory_event.as_deref();
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
        names.function(profile.names.get(function.id), out)?;
        writeln!(out, "0 {}", costs(function.own.time, function.own.memory))?;
        for edge in calls.get(&function.id).into_iter().flatten() {
            names.callee(profile.names.get(edge.callee), out)?;
            let inclusive = costs(edge.inclusive.time, edge.inclusive.memory);
            writeln!(out, "calls={} 0\n0 {inclusive}", edge.calls)?;
        }
        writeln!(out)?;
    }
    writeln!(out, "totals: {}", costs(total.time, total.memory))
}

fn write_graph(profile: &Profile, graph: &Graph, out: &mut impl Write) -> io::Result<()> {
    let mut total = vec![0i64; graph.events.len()];
    for own in graph.functions.values().flat_map(|detail| detail.own.iter().enumerate()) {
        total[own.0] = total[own.0].saturating_add(*own.1);
    }
    writeln!(out, "summary: {}\n", listed(&total))?;
    let mut names = Names::default();
    for function in &profile.functions {
        let Some(detail) = graph.functions.get(&function.id) else { continue };
        let named = profile.names.get(function.id);
        names.function(named, out)?;
        // The function's own file first, then what was inlined into it.
        let mut parts: Vec<_> = detail.parts.iter().collect();
        parts.sort_by_key(|(file, _)| **file != named.file);
        let mut away = false;
        for (file, part) in parts {
            if *file != named.file {
                away = true;
                writeln!(out, "fi={}", names.file(file))?;
            }
            match part.lines.is_empty() {
                true => writeln!(out, "0 {}", listed(&part.costs))?,
                false => write_lines(&part.lines, out)?,
            }
        }
        if away {
            writeln!(out, "fe={}", names.file(&named.file))?;
        }
        for ((_, callee), call) in graph.calls.range((function.id, 0)..=(function.id, u32::MAX)) {
            names.callee(profile.names.get(*callee), out)?;
            writeln!(out, "calls={} 0\n0 {}", call.calls, listed(&call.costs))?;
        }
        writeln!(out)?;
    }
    writeln!(out, "totals: {}", listed(&total))
}

fn write_lines(lines: &BTreeMap<i64, Vec<i64>>, out: &mut impl Write) -> io::Result<()> {
    lines.iter().try_for_each(|(line, costs)| writeln!(out, "{} {}", line.max(&0), listed(costs)))
}

fn listed(costs: &[i64]) -> String {
    costs.iter().map(i64::to_string).collect::<Vec<_>>().join(" ")
}

/// Ids of objects, files and functions; a name is written out where its id comes first.
#[derive(Default)]
struct Names {
    objects: HashMap<String, usize>,
    files: HashMap<String, usize>,
    functions: HashMap<String, usize>,
    object: String,
}

impl Names {
    fn function(&mut self, function: &Function, out: &mut impl Write) -> io::Result<()> {
        if self.object != function.object {
            self.object.clone_from(&function.object);
            writeln!(out, "ob={}", field(&mut self.objects, &function.object))?;
        }
        writeln!(out, "fl={}", self.file(&function.file))?;
        writeln!(out, "fn={}", field(&mut self.functions, &function.name))
    }

    fn callee(&mut self, function: &Function, out: &mut impl Write) -> io::Result<()> {
        if self.object != function.object {
            writeln!(out, "cob={}", field(&mut self.objects, &function.object))?;
        }
        writeln!(out, "cfi={}", self.file(&function.file))?;
        writeln!(out, "cfn={}", field(&mut self.functions, &function.name))
    }

    fn file(&mut self, file: &str) -> String {
        field(&mut self.files, if file.is_empty() { "???" } else { file })
    }
}

fn field(ids: &mut HashMap<String, usize>, name: &str) -> String {
    let name = printable(name);
    let name = name.trim_ascii();
    let next = ids.len() + 1;
    match ids.get(name) {
        Some(id) => format!("({id})"),
        // Nothing behind an id would use it instead of defining it.
        None if name.is_empty() => String::new(),
        None => {
            ids.insert(name.to_owned(), next);
            format!("({next}) {name}")
        }
    }
}
