//! The forms in which Xdebug has written the same calls over the years.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use proptest::prelude::*;

use super::{folded, read};
use crate::support::calls::{Call, calls};

/// What differs.
#[derive(Debug, Clone, Copy)]
struct Form {
    header: &'static str,
    /// `(1) name` once, then `(1)`; else the name each time.
    compressed: bool,
    /// `cfl=` stands before `cfn=`.
    callee_files: bool,
    /// Columns of a cost line behind the position: T is time, M is memory, 0 something else.
    columns: &'static str,
    /// `summary:` stands in the record of the script, before its cost line.
    early_summary: bool,
    /// Ids are given out from the highest down.
    downwards: bool,
}

const FORMS: [Form; 5] = [
    Form {
        header: "version: 0.9.6\ncmd: C:\\Program Files\\a b.php\npart: 1\n\nevents: Time\n\n",
        compressed: false,
        callee_files: false,
        columns: "T",
        early_summary: true,
        downwards: false,
    },
    Form {
        header: "version: 0.9.6\ncmd: /srv/a.php\npart: 1\n\nevents: Time Memory Cycles Peakmemory\n\n",
        compressed: false,
        callee_files: false,
        columns: "TM00",
        early_summary: true,
        downwards: false,
    },
    Form {
        header: "version: 1\ncreator: xdebug 2.3.2\ncmd: /srv/a.php\npart: 1\npositions: line\n\nevents: Time Memory\n\n",
        compressed: true,
        callee_files: true,
        columns: "TM",
        early_summary: false,
        downwards: true,
    },
    Form {
        header: "version: 1\ncreator: xdebug 3.0.0alpha1 (PHP 7.4.9)\ncmd: /srv/a.php\npart: 1\npositions: line\n\n\
                 events: Time Memory\n\n",
        compressed: true,
        callee_files: true,
        columns: "TM",
        early_summary: false,
        downwards: false,
    },
    Form {
        header: "version: 1\ncreator: xdebug 3.5.1 (PHP 8.5.0)\ncmd: /srv/a.php\npart: 1\npositions: line\n\n\
                 events: Time_(10ns) Memory_(bytes)\n\n",
        compressed: true,
        callee_files: true,
        columns: "TM",
        early_summary: false,
        downwards: true,
    },
];

struct Writer {
    form: Form,
    text: String,
    ids: HashMap<String, usize>,
    folded: BTreeMap<String, i64>,
}

impl Writer {
    fn name(&mut self, prefix: &str, name: &str) {
        let known = self.ids.len();
        let id = *self.ids.entry(format!("{}{name}", prefix.trim_start_matches('c'))).or_insert(known);
        let shown = if self.form.downwards { 900 - id } else { id + 1 };
        let _ = match (self.form.compressed, id == known) {
            (false, _) => writeln!(self.text, "{prefix}={name}"),
            (true, true) => writeln!(self.text, "{prefix}=({shown}) {name}"),
            (true, false) => writeln!(self.text, "{prefix}=({shown})"),
        };
    }

    fn costs(&mut self, line: u32, time: i64, memory: i64) {
        let _ = write!(self.text, "{line}");
        for column in self.form.columns.chars() {
            let value = match column {
                'T' => time,
                'M' => memory,
                _ => 77,
            };
            let _ = write!(self.text, " {value}");
        }
        self.text.push('\n');
    }

    /// Writes the calls of a call, then its own record; gives its inclusive time.
    fn call(&mut self, call: &Call, name: &str, above: &str) -> i64 {
        let path = if above.is_empty() { name.to_owned() } else { format!("{above};{name}") };
        let of = |call: &Call| format!("Name\\Space\\Class->method {}", call.function);
        let times: Vec<i64> = call.calls.iter().map(|callee| self.call(callee, &of(callee), &path)).collect();
        let total = call.time + times.iter().sum::<i64>();
        self.name("fl", "/srv/with a blank/a.php");
        self.name("fn", name);
        if name == "{main}" && self.form.early_summary {
            let _ = write!(self.text, "\nsummary: {total}\n\n");
        }
        self.costs(3, call.time, call.memory);
        for (callee, time) in call.calls.iter().zip(&times) {
            if self.form.callee_files {
                self.name("cfl", "/srv/with a blank/a.php");
            }
            self.name("cfn", &of(callee));
            self.text.push_str("calls=1 0 0\n");
            self.costs(9, *time, 0);
        }
        self.text.push('\n');
        *self.folded.entry(path).or_default() += call.time;
        total
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_same_calls_come_back_from_every_form(calls in prop::collection::vec(calls(), 1..4), own in 1i64..5000) {
        let main = Call { function: 0, time: own, memory: 0, calls };
        for form in FORMS {
            let text = form.header.to_owned();
            let mut writer = Writer { form, text, ids: HashMap::new(), folded: BTreeMap::new() };
            let total = writer.call(&main, "{main}", "");
            if !form.early_summary {
                let _ = write!(writer.text, "summary: {total} 4096\n\n");
            }
            for streamed in [false, true] {
                let profile = read(writer.text.as_bytes(), streamed).unwrap();
                prop_assert!(profile.complete(), "{:?}\n{}", profile.files[0], writer.text);
                prop_assert_eq!(&folded(&profile), &writer.folded, "{}", writer.text);
            }
        }
    }
}
