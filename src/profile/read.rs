//! From paths to a profile: opens what is there, tells the dialects apart, merges the files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::callers::{Caller, Sought};
use super::callgrind::{self, Graph, Head};
use super::calls::{Calls, Target};
use super::contents::{Dialect, FileSummary, LEFT_OUT_NAME, Profile, Units};
use super::defect::DefectKind;
use super::error::Error;
use super::files::Files;
use super::groups::{Groups, Places as GroupPlaces};
use super::names::Functions;
use super::sizes::Sizes;
use super::slices::{Place, Slices, Time};
use super::source;
use super::tree::{CallTree, Cost};
use super::xdebug::{self, Vectors};

/// How to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Threads to use at most.
    pub threads: usize,
    /// Read whole files as what still grows is read: from front to end, by one thread, into the compact form.
    pub streamed: bool,
    /// Bytes that the call tree may take in memory; beyond it the cheapest paths are put together.
    pub max_tree: u64,
    /// Vector instructions that reading a whole file may use.
    pub vectors: Vectors,
}

/// Bytes that a call tree takes at most, where nothing else is asked for.
pub const MAX_TREE: u64 = 512 << 20;

impl Default for Options {
    /// As many threads as there are cores for us.
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Options { threads, streamed: false, max_tree: MAX_TREE, vectors: Vectors::default() }
    }
}

/// One file's tree or graph, keyed by the functions of the whole profile.
pub(crate) struct FileProfile {
    pub summary: FileSummary,
    pub dialect: Dialect,
    pub units: Units,
    pub tree: CallTree,
    /// How large all costs that were summed are.
    pub sizes: Sizes,
    pub slices: Slices,
    /// Who called what was looked for.
    pub callers: Vec<Caller>,
    /// The calls of the function that was looked for.
    pub calls: Calls,
    /// In the tree's place, of files that hold no calls in order.
    pub graph: Option<Graph>,
}

/// Reads files and folders (walked for profiles) into one profile. A file of a folder that holds no
/// profile is passed over; the result is an error only where nothing was readable.
pub fn read_paths(paths: &[PathBuf], options: &Options) -> Result<Profile, Error> {
    read(paths, options, None)
}

/// What is asked for beside the sums.
#[derive(Debug, Clone, Default)]
pub struct Wanted<'a> {
    /// Where the slices are cut.
    pub marks: Marks,
    /// How files are put together.
    pub places: GroupPlaces,
    /// Functions whose callers are looked for, in Xdebug's files.
    pub callers: Option<&'a dyn Sought>,
    /// A function whose calls are wanted each by itself, in Xdebug's files.
    pub calls: Option<&'a Target>,
}

/// How one file is looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Look<'a> {
    /// Where its slices are cut; none where it has none.
    pub marks: Option<&'a [u64]>,
    /// Functions whose callers are looked for.
    pub callers: Option<&'a dyn Sought>,
    /// A function whose calls are wanted each by itself.
    pub calls: Option<&'a Target>,
}

/// Bytes that files had at moments of interest, ascending: behind each mark a new segment of the slices begins.
pub type Marks = HashMap<PathBuf, Vec<u64>>;

/// Reads as [`read_paths`], and the profile has its groups and its slices, cut at the marks too. That takes up to 40 MB more, and
/// for trees of very many paths a third more time.
pub fn read_sliced(paths: &[PathBuf], options: &Options, wanted: &Wanted<'_>) -> Result<Profile, Error> {
    read(paths, options, Some(wanted))
}

/// Reads the bytes of one file, whole in memory, under a name for what is said of it.
pub fn read_bytes(name: &Path, bytes: &[u8], options: &Options) -> Result<Profile, Error> {
    let mut names = Functions::default();
    let mut file = read_source(name, &Files::of_bytes(name, bytes), options, Look::default(), &mut names)?;
    file.summary.warnings.extend(file.sizes.beyond(&Sizes::default()));
    Ok(profile(vec![file.summary.clone()], file, names))
}

fn read(paths: &[PathBuf], options: &Options, wanted: Option<&Wanted<'_>>) -> Result<Profile, Error> {
    let mut names = Functions::default();
    let mut merged: Option<FileProfile> = None;
    let mut files: Vec<FileSummary> = Vec::new();
    let (mut refused, mut strangers, mut groups) = (Vec::new(), Vec::new(), Groups::default());
    let found = source::files(paths)?;
    for (path, asked_for) in found.files {
        let look = Look {
            marks: wanted.map(|wanted| wanted.marks.get(&path).map_or(&[][..], Vec::as_slice)),
            callers: wanted.and_then(|wanted| wanted.callers),
            calls: wanted.and_then(|wanted| wanted.calls),
        };
        let mut file = match read_file(&path, options, look, &mut names) {
            Ok(file) => file,
            Err(error @ (Error::NoProfile { .. } | Error::Io { .. })) => {
                match asked_for {
                    true => refused.push(error.to_string()),
                    false => strangers.push(error.to_string()),
                }
                continue;
            }
            Err(error) => return Err(error),
        };
        if let Some(place) = wanted.and_then(|wanted| wanted.places.get(&path)) {
            groups.take(files.len(), &file, *place, &names);
        }
        file.summary.warnings.extend(file.sizes.beyond(&Sizes::default()));
        match &mut merged {
            None => {
                files.push(file.summary.clone());
                merged = Some(file);
            }
            Some(sum) => {
                let before = sum.sizes.clone();
                sum.absorb(&mut file)?;
                let with = sum.sizes.beyond(&before).into_iter();
                file.summary.warnings.extend(with.map(|said| format!("with the files before it, {said}")));
                sum.make_room(options.max_tree, &mut names);
                files.push(file.summary);
            }
        }
    }
    let xdebugs = merged.as_ref().filter(|merged| merged.dialect == Dialect::Xdebug);
    if let Some(finest) = xdebugs.and_then(|merged| merged.units.nanoseconds_per_tick) {
        for file in files.iter_mut().filter(|file| file.header.nanoseconds_per_tick() != finest) {
            file.warnings.push("its time was converted to the finest unit of all files".to_owned());
        }
    }
    for (first, again) in found.again {
        if let Some(file) = files.iter_mut().find(|file| file.path == first) {
            file.warnings.push(format!("{} is the same file: it is counted once", again.display()));
        }
    }
    let left_out = merged.as_ref().and_then(|merged| merged.left_out(options.max_tree, &names));
    if let (Some(first), Some(said)) = (files.first_mut(), left_out) {
        first.warnings.push(said);
    }
    // A folder may hold anything: what is no profile in it is counted, and the first one named.
    if let [first, others @ ..] = &strangers[..] {
        refused.push(match others.len() {
            0 => first.clone(),
            count => format!("{first}; and {count} more files that hold no profile"),
        });
    }
    let Some(merged) = merged else {
        let reason = match refused.is_empty() {
            true => "the folder holds no file".to_owned(),
            false => refused.join("; "),
        };
        return Err(Error::NothingReadable(reason));
    };
    if let Some(first) = files.first_mut() {
        first.warnings.extend(refused.into_iter().map(|reason| format!("passed over: {reason}")));
    }
    Ok(Profile { groups: groups.finish(), ..profile(files, merged, names) })
}

fn profile(files: Vec<FileSummary>, merged: FileProfile, names: Functions) -> Profile {
    let FileProfile { dialect, units, tree, slices, callers, calls, graph, .. } = merged;
    match graph {
        Some(graph) => Profile::from_graph(dialect, 0, files, names, graph),
        None => {
            let mut profile = Profile::from_tree(dialect, units, files, names, tree);
            (profile.slices, profile.callers, profile.calls) = (slices, callers, calls);
            profile
        }
    }
}

impl FileProfile {
    /// Prunes a tree that has outgrown its room.
    fn make_room(&mut self, most: u64, names: &mut Functions) {
        while self.tree.bytes() > most {
            let before = self.tree.len();
            let places = self.tree.prune(std::iter::empty(), u64::from(names.intern("", LEFT_OUT_NAME)));
            self.slices = self.slices.moved(|node| Some(Place::all(places[node as usize])));
            if self.tree.len() == before {
                return;
            }
        }
    }

    /// What to say of a tree that was pruned.
    fn left_out(&self, most: u64, names: &Functions) -> Option<String> {
        let key = names.iter().position(|function| function.name == LEFT_OUT_NAME)? as u64;
        let nodes = self.tree.nodes()[1..].iter().filter(|node| node.key == key);
        let (time, calls) = nodes
            .fold((0i64, 0u64), |sum, node| (sum.0.saturating_add(node.cost.time), sum.1.saturating_add(node.calls)));
        let share = 100.0 * time as f64 / self.tree.total().time.max(1) as f64;
        Some(format!(
            "the call tree outgrew --max-tree ({most} bytes): the cheapest paths, {share:.2}% of the time and {calls} calls, \
             stand as one frame each, `{LEFT_OUT_NAME}`, below their callers"
        ))
    }

    /// Adds another process's part of the same file.
    pub(crate) fn join(&mut self, part: &mut FileProfile) -> Result<(), Error> {
        self.absorb(part)?;
        let (sum, part) = (&mut self.summary, &mut part.summary);
        let records = (sum.records + part.records).max(1) as f64;
        sum.recovered_share =
            (sum.recovered_share * sum.records as f64 + part.recovered_share * part.records as f64) / records;
        sum.records += part.records;
        sum.complete &= part.complete;
        sum.own.add(part.own);
        sum.runs += part.runs;
        sum.held_by_fibers.add(part.held_by_fibers);
        sum.defects += part.defects;
        sum.first_defect = sum.first_defect.take().or(part.first_defect.take());
        sum.warnings.append(&mut part.warnings);
        Ok(())
    }

    /// Adds another file's costs; what is to be said of it is added to its summary.
    fn absorb(&mut self, file: &mut FileProfile) -> Result<(), Error> {
        let same = self.dialect == file.dialect;
        if let (Some(graph), Some(other)) = (&mut self.graph, &file.graph)
            && same
            && self.units.time_event == file.units.time_event
        {
            graph.absorb(other);
            self.sizes.absorb(&file.sizes, "", 1);
            return Ok(());
        }
        let scales = common_scale(same && self.graph.is_none(), &self.units, &file.units);
        let Some((scale_old, scale_new)) = scales else {
            let events = |file: &FileProfile| match same {
                true => file.units.time_event.clone(),
                false => format!("{} of {:?}", file.units.time_event, file.dialect),
            };
            return Err(Error::Mixed {
                path: file.summary.path.clone(),
                events: events(file),
                first: self.summary.path.clone(),
                first_events: events(self),
            });
        };
        if scale_old != 1 {
            self.tree = self.tree.map(|_, node| Some((node.key, scaled(node.cost, scale_old))));
            self.slices = self.slices.moved(|node| Some(Place { time: Time::Times(scale_old), ..Place::all(node) }));
            let sizes = std::mem::take(&mut self.sizes);
            self.sizes.absorb(&sizes, &self.units.time_event, scale_old);
            self.units = file.units.clone();
        }
        self.sizes.absorb(&file.sizes, &file.units.time_event, scale_new);
        let places = self.tree.absorb(&file.tree, &mut |_, node| Some((node.key, scaled(node.cost, scale_new))));
        let place = |node: u32| Place { time: Time::Times(scale_new), ..Place::all(places[node as usize]) };
        self.slices.absorb(&file.slices.moved(|node| Some(place(node))));
        self.callers.append(&mut file.callers);
        self.calls.absorb(&mut file.calls);
        Ok(())
    }
}

/// Factors that bring the old sum and a new file to one unit.
fn common_scale(same_dialect: bool, old: &Units, new: &Units) -> Option<(i64, i64)> {
    if !same_dialect {
        return None;
    }
    match (old.nanoseconds_per_tick, new.nanoseconds_per_tick) {
        (Some(old), Some(new)) if old >= new && old % new == 0 => Some(((old / new) as i64, 1)),
        (Some(old), Some(new)) if new % old == 0 => Some((1, (new / old) as i64)),
        (None, None) if old.time_event == new.time_event => Some((1, 1)),
        _ => None,
    }
}

fn scaled(cost: Cost, factor: i64) -> Cost {
    Cost { time: cost.time.saturating_mul(factor), memory: cost.memory }
}

/// Times that a file is read mapped, if it is cut short each time.
const MOST_LOOKS: usize = 3;

fn read_file(path: &Path, options: &Options, look: Look<'_>, names: &mut Functions) -> Result<FileProfile, Error> {
    let known = names.len();
    let mut first_cut = None;
    let mut looks = 0;
    let (files, mut read) = loop {
        // What is read from the descriptor is what is there, so the last look is never in vain.
        let files = Files::of(path, looks < MOST_LOOKS);
        let read = read_source(path, &files, options, look, names);
        let Some(cut) = files.cut() else { break (files, read) };
        first_cut.get_or_insert(cut);
        if looks == MOST_LOOKS {
            break (files, read);
        }
        // Pages were missing, or zeros, while they were read.
        names.truncate(known);
        looks += 1;
    };
    let size = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    if let Some((file, had)) = first_cut {
        let left = std::fs::metadata(&file).map_or(0, |metadata| metadata.len());
        let said = match file == path {
            true => format!("it was cut short while it was read, from {had} to {left} bytes"),
            false => format!("{} was cut short while it was read, from {had} to {left} bytes", file.display()),
        };
        read = noted(read, &said, "; what is left of it is shown");
        if let Ok(file) = &mut read {
            file.summary.damaged(DefectKind::Shrunk, size, || source::line_at(path, size));
        }
    }
    let mut file = read?;
    if let Some(offset) = files.grown() {
        file.summary.grew(offset, || source::line_at(path, offset));
    }
    Ok(file)
}

/// What to say of NUL bytes at a file's end.
fn nuls(count: u64, from: Option<u64>) -> String {
    const WHY: &str = "as where a disk lost power, or where a file was given its room before its content";
    match from {
        Some(0) => format!("it holds nothing but NUL bytes, {WHY}"),
        Some(from) => format!("from byte {from} to its end it holds nothing but NUL bytes, {count} of them, {WHY}"),
        None => format!("it ends in NUL bytes, {count} of them, {WHY}"),
    }
}

/// Says something of a file, whether a profile came of it or not.
fn noted(read: Result<FileProfile, Error>, said: &str, of_profile: &str) -> Result<FileProfile, Error> {
    match read {
        Ok(mut file) => {
            file.summary.warnings.push(format!("{said}{of_profile}"));
            Ok(file)
        }
        Err(Error::NoProfile { path, reason }) => Err(Error::NoProfile { path, reason: format!("{reason}; {said}") }),
        Err(error) => Err(error),
    }
}

fn read_source(
    path: &Path,
    files: &Files<'_>,
    options: &Options,
    look: Look<'_>,
    names: &mut Functions,
) -> Result<FileProfile, Error> {
    let (head, source) = callgrind::peek(files.open()?);
    let mut read = match head {
        Head::Callgrind => callgrind::read(path, source, names),
        Head::Xdebug => xdebug::read(path, source, files, options, look, names),
    };
    if let Some((place, ends)) = files.broken() {
        let said = match ends {
            true => format!("its compressed data ends too early, at byte {place} of the compressed file"),
            false => format!(
                "its compressed data is damaged at byte {place} of the compressed file, or in the block before it"
            ),
        };
        read = noted(read, &said, "; what could be unpacked is shown");
    }
    if let Some(place) = files.trailing() {
        let said =
            format!("what is behind its compressed data, from byte {place} of the compressed file on, is no gzip");
        read = noted(read, &said, "; it was passed over");
    }
    if files.nuls() == 0 {
        return read;
    }
    let end = files.end_of_bytes();
    if let (Err(Error::NoProfile { reason, .. }), Some(0)) = (&mut read, end) {
        *reason = "no profile".to_owned();
    }
    noted(read, &nuls(files.nuls(), end), "; they are passed over")
}
