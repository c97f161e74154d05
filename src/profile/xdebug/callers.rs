//! Walks the records of a file from the last to the first, so that each is met below its caller, and counts by which
//! lines outside of all libraries functions inside of them were reached.

use std::collections::{BTreeMap, HashMap};

use super::compact::Children;

/// No line: nothing outside a library was met above.
const NOWHERE: u32 = 0;

/// What a pair of file and name is to the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    /// It belongs to a library.
    pub library: bool,
    /// It is looked for.
    pub target: Option<u32>,
}

/// A call whose callees are still to come.
#[derive(Debug)]
struct Open {
    below: Below,
    lines: Vec<u32>,
    left: u64,
}

/// What a callee inherits.
#[derive(Debug, Clone, Copy)]
struct Below {
    /// The caller, where it is outside of all libraries; 0 where it is none.
    outside: u32,
    /// Else the line by which the caller itself was reached.
    way: u32,
}

const ROOT: Below = Below { outside: 0, way: NOWHERE };

/// Takes records from the last to the first.
#[derive(Debug, Default)]
pub(super) struct Ways {
    parents: Vec<Open>,
    claimed: HashMap<u64, (Below, u32)>,
    taken: u64,
    segment: u32,
    /// Ways by number, from 1: the pair that calls, and the line.
    ways: Vec<(u32, u32)>,
    numbers: HashMap<(u32, u32), u32>,
    counts: BTreeMap<(u32, u32, u32), u64>,
}

impl Ways {
    /// The end of a run: the records before it belong to it.
    pub(super) fn end_of_run(&mut self, roots: u64) {
        self.parents.clear();
        self.claimed.clear();
        self.parents.push(Open { below: ROOT, lines: Vec::new(), left: roots });
    }

    /// The records to come stand behind so many marks.
    pub(super) fn enter(&mut self, segment: u32) {
        self.segment = segment;
    }

    /// Records taken so far.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// A record of a pair (from 1), and the lines of its calls; where those are not as many as the calls, which line is
    /// whose is not known.
    pub(super) fn record(&mut self, pair: u32, kind: Kind, counts: bool, children: &Children, lines: Vec<u32>) {
        let (above, line) = self.claimed.remove(&self.taken).unwrap_or_else(|| self.next_parent());
        let way = match above.outside {
            0 => above.way,
            caller => self.number(caller, line),
        };
        if let Some(target) = kind.target.filter(|_| way != NOWHERE && counts) {
            *self.counts.entry((target, self.segment, way)).or_default() += 1;
        }
        let below = if kind.library { Below { outside: 0, way } } else { Below { outside: pair, way } };
        match children {
            Children::Last(0) => {}
            Children::Last(count) => {
                let lines = if lines.len() as u64 == *count { lines } else { Vec::new() };
                self.parents.push(Open { below, lines, left: *count });
            }
            Children::At(distances) => {
                let lines = if lines.len() == distances.len() { lines } else { Vec::new() };
                for (at, distance) in distances.iter().enumerate() {
                    let line = lines.get(at).copied().unwrap_or(0);
                    self.claimed.insert(self.taken.saturating_add(*distance), (below, line));
                }
            }
        }
        self.taken += 1;
    }

    /// Whoever reached a target: target, segment, pair, line and how often.
    pub(super) fn finish(self) -> impl Iterator<Item = (u32, u32, u32, u32, u64)> {
        let ways = self.ways;
        self.counts.into_iter().map(move |((target, segment, way), calls)| {
            let (pair, line) = ways[way as usize - 1];
            (target, segment, pair, line, calls)
        })
    }

    fn next_parent(&mut self) -> (Below, u32) {
        while let Some(open) = self.parents.last_mut() {
            if open.left > 0 {
                open.left -= 1;
                return (open.below, open.lines.get(open.left as usize).copied().unwrap_or(0));
            }
            self.parents.pop();
        }
        (ROOT, 0)
    }

    fn number(&mut self, pair: u32, line: u32) -> u32 {
        *self.numbers.entry((pair, line)).or_insert_with(|| {
            self.ways.push((pair, line));
            self.ways.len() as u32
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::profile::callers::{Caller, Sought};
    use crate::profile::read::{Options, Wanted, read_sliced};

    #[derive(Debug)]
    struct Timers;

    impl Sought for Timers {
        fn is_library(&self, file: &str) -> bool {
            file == "php:internal" || file.contains("/vendor/")
        }

        fn target(&self, _: &str, name: &str) -> Option<u32> {
            (name == "Timers->add").then_some(7)
        }
    }

    /// A record and its calls, as Xdebug writes them.
    fn record(file: &str, name: &str, calls: &[(&str, &str, u32)]) -> String {
        let mut text = format!("fl={file}\nfn={name}\n1 10 0\n");
        for (file, name, line) in calls {
            text += &format!("cfl={file}\ncfn={name}\ncalls=1 0 0\n{line} 10 0\n");
        }
        text + "\n"
    }

    fn callers(path: &Path, marks: &[u64]) -> Vec<(String, u32, u32, u64)> {
        let marks = [(path.to_owned(), marks.to_vec())].into();
        let wanted = Wanted { marks, callers: Some(&Timers), ..Wanted::default() };
        let profile = read_sliced(&[path.to_owned()], &Options::default(), &wanted).unwrap();
        let told = |caller: &Caller| {
            assert_eq!((caller.target, caller.file.as_str()), (7, "/srv/App.php"));
            (caller.function.clone(), caller.line, caller.segment, caller.calls)
        };
        let mut all: Vec<_> = profile.callers.iter().map(told).collect();
        all.sort();
        all
    }

    #[test]
    fn the_nearest_line_outside_of_libraries_is_told() {
        let (app, lib) = ("/srv/App.php", "/srv/vendor/Loop.php");
        let add = record(lib, "Timers->add", &[]);
        let timer = add.clone() + &record(lib, "Loop::addTimer", &[(lib, "Timers->add", 5)]);
        let begin =
            timer.clone() + &timer + &record(app, "begin", &[(lib, "Loop::addTimer", 20), (lib, "Loop::addTimer", 21)]);
        // By way of a function that is built in, and of a callback that a library calls.
        let mapped = timer.clone() + &record("php:internal", "php::array_map", &[(lib, "Loop::addTimer", 0)]);
        let end = mapped + &record(app, "end", &[("php:internal", "php::array_map", 30)]);
        let run = record(lib, "Loop->run", &[(app, "begin", 90), (app, "end", 91)]);
        let body = begin.clone() + &end + &run;
        let main = record(app, "{main}", &[(lib, "Loop->run", 2)]);
        let head = "version: 1\ncreator: xdebug 3.2.0 (PHP 8.2.0)\ncmd: /srv/App.php\npart: 1\npositions: line\n\n\
                    events: Time_(10ns) Memory_(bytes)\n\n";
        let text = format!("{head}{body}{main}summary: 10 0\n\n");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cachegrind.out.1");
        std::fs::write(&path, &text).unwrap();
        let all = |segments: [u32; 3]| {
            vec![
                ("begin".to_owned(), 20, segments[0], 1),
                ("begin".to_owned(), 21, segments[1], 1),
                ("end".to_owned(), 30, segments[2], 1),
            ]
        };
        assert_eq!(callers(&path, &[]), all([0, 0, 0]));
        let behind = |part: &str| (head.len() + part.len()) as u64;
        assert_eq!(callers(&path, &[behind(&timer), behind(&begin)]), all([0, 1, 2]));
    }
}
