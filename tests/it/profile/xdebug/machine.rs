//! A machine with fibers that writes its profile as Xdebug does, and knows what is true of it.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use proptest::prelude::*;

/// What the machine does next; what cannot be done just then is left out.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    Call(u8),
    Return,
    /// Makes a fiber and runs it.
    Start(u8),
    Suspend,
    /// Runs one of the suspended fibers on.
    Resume(u8),
    /// Ends the fiber, all its calls with it.
    End,
    /// Drops a suspended fiber: its calls end, and no switch tells of it.
    Destroy(u8),
}

pub fn steps() -> impl Strategy<Value = Vec<(Step, i64)>> {
    let step = prop_oneof![
        6 => (0u8..5).prop_map(Step::Call),
        6 => Just(Step::Return),
        2 => (0u8..3).prop_map(Step::Start),
        4 => Just(Step::Suspend),
        4 => any::<u8>().prop_map(Step::Resume),
        1 => Just(Step::End),
        1 => any::<u8>().prop_map(Step::Destroy),
    ];
    // Times that shrink would become equal, and then nobody could tell one call from another.
    prop::collection::vec((step, (1i64..100_000_000).no_shrink()), 1..150)
}

struct Frame {
    name: String,
    /// Nanoseconds of its own, and in all.
    own: i64,
    all: i64,
    calls: Vec<(String, i64)>,
    begun: i64,
}

/// A profile with its truth.
#[derive(Default)]
pub struct Machine {
    pub text: String,
    /// Self time of each path, in ticks of 10 ns; without the switches.
    pub folded: BTreeMap<String, i64>,
    /// How often each path to a switch was called.
    pub switches: BTreeMap<String, i64>,
    pub records: u64,
    clock: i64,
    running: usize,
    stacks: Vec<Vec<Frame>>,
    callers: Vec<usize>,
    suspended: Vec<usize>,
    ids: HashSet<String>,
}

/// Nanoseconds that a switch takes by itself.
pub const SWITCH: i64 = 5_000;

const SWITCHES: [&str; 3] = ["php::Fiber->start", "php::Fiber->resume", "php::Fiber::suspend"];

fn ticks(nanoseconds: i64) -> i64 {
    (nanoseconds + 5) / 10
}

impl Machine {
    /// Runs a script to its end.
    pub fn run(steps: &[(Step, i64)]) -> Machine {
        let mut machine = Machine {
            text: "version: 1\ncreator: xdebug 3.2.0 (PHP 8.2.36)\ncmd: /srv/a.php\npart: 1\npositions: line\n\n\
                   events: Time_(10ns) Memory_(bytes)\n\n"
                .to_owned(),
            ..Machine::default()
        };
        machine.stacks.push(Vec::new());
        machine.call("{main}");
        for (step, time) in steps {
            machine.work(*time);
            machine.step(*step);
        }
        while machine.running > 0 {
            machine.step(Step::End);
        }
        while !machine.stacks[0].is_empty() {
            machine.end_call();
        }
        let total = ticks(machine.clock);
        while !machine.suspended.is_empty() {
            machine.step(Step::Destroy(0));
        }
        let _ = write!(machine.text, "summary: {total} 4096\n\n");
        machine
    }

    fn work(&mut self, time: i64) {
        self.clock += time;
        if let Some(frame) = self.stacks[self.running].last_mut() {
            frame.own += time;
        }
    }

    fn call(&mut self, name: &str) {
        let frame = Frame { name: name.to_owned(), own: 0, all: 0, calls: Vec::new(), begun: self.clock };
        self.stacks[self.running].push(frame);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Call(function) => self.call(&format!("f{function}")),
            Step::Return if self.stacks[self.running].len() > 1 => self.end_call(),
            Step::Start(body) => {
                self.switch(SWITCHES[0]);
                self.callers.push(self.running);
                self.stacks.push(Vec::new());
                self.running = self.stacks.len() - 1;
                self.call(&format!("{{closure {body}}}"));
            }
            Step::Suspend if self.running > 0 => {
                self.switch(SWITCHES[2]);
                self.suspended.push(self.running);
                self.back();
            }
            Step::Resume(which) if !self.suspended.is_empty() => {
                self.switch(SWITCHES[1]);
                self.callers.push(self.running);
                self.running = self.suspended.remove(usize::from(which) % self.suspended.len());
                self.end_call();
            }
            Step::End if self.running > 0 => {
                while !self.stacks[self.running].is_empty() {
                    self.end_call();
                }
                self.back();
            }
            Step::Destroy(which) if !self.suspended.is_empty() => {
                let destroyer = self.running;
                self.running = self.suspended.remove(usize::from(which) % self.suspended.len());
                while !self.stacks[self.running].is_empty() {
                    self.end_call();
                }
                self.running = destroyer;
            }
            _ => {}
        }
    }

    fn switch(&mut self, name: &str) {
        self.call(name);
        self.work(SWITCH);
    }

    /// Whoever ran the fiber goes on.
    fn back(&mut self) {
        self.running = self.callers.pop().unwrap();
        self.end_call();
    }

    fn name(&mut self, kind: &str, name: &str) {
        let names = ["{main}", "f0", "f1", "f2", "f3", "f4", "{closure 0}", "{closure 1}", "{closure 2}"];
        let id = names.iter().chain(&SWITCHES).position(|known| *known == name).unwrap() + 1;
        let (file, path) = if name.starts_with("php::") { (1, "php:internal") } else { (2, "/srv/a.php") };
        for (prefix, id, name) in [("fl", file, path), ("fn", id, name)] {
            let text = if self.ids.insert(format!("{prefix}{id}")) { format!(" {name}") } else { String::new() };
            let _ = writeln!(self.text, "{kind}{prefix}=({id}){text}");
        }
    }

    fn end_call(&mut self) {
        let stack = &mut self.stacks[self.running];
        let path: Vec<&str> = stack.iter().map(|frame| frame.name.as_str()).collect();
        let path = path.join(";");
        let mut frame = stack.pop().unwrap();
        frame.all = self.clock - frame.begun;
        if let Some(caller) = stack.last_mut() {
            caller.calls.push((frame.name.clone(), frame.all));
        }
        // A switch has the time of what ran meanwhile for its own, as has nobody else.
        let own = if SWITCHES.contains(&frame.name.as_str()) { frame.all } else { frame.own };
        self.name("", &frame.name);
        let _ = writeln!(self.text, "7 {} 0", ticks(own));
        for (callee, all) in &frame.calls {
            self.name("c", callee);
            let _ = writeln!(self.text, "calls=1 0 0\n9 {} 0", ticks(*all));
        }
        self.text.push('\n');
        self.records += 1;
        match SWITCHES.contains(&frame.name.as_str()) {
            true => *self.switches.entry(path).or_default() += 1,
            false => *self.folded.entry(path).or_default() += ticks(own),
        }
    }
}
