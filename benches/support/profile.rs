//! Writes a realistic Xdebug profile of any size: an event loop that serves messages, 350 functions in 40 files,
//! records in post-order with the names compressed, as Xdebug 3.2 writes them. The same for the same size, always.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

const FILES: u64 = 40;
const FUNCTIONS: u64 = 300;
const BUILTINS: u64 = 50;
const DEEPEST: u64 = 8;

/// One finished call, as its caller claims it.
#[derive(Clone, Copy)]
struct Done {
    function: u64,
    line: u64,
    time: u64,
    memory: u64,
}

struct Generator<W> {
    out: W,
    written: u64,
    random: u64,
    defined_files: Vec<bool>,
    defined_functions: Vec<bool>,
    text: String,
    total_time: u64,
}

impl<W: Write> Generator<W> {
    fn below(&mut self, limit: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % limit
    }

    fn file_of(function: u64) -> u64 {
        if function < BUILTINS { 1 } else { 2 + function * 7 % FILES }
    }

    fn names(&mut self, prefix: &str, function: u64) {
        use std::fmt::Write;
        let file = Self::file_of(function);
        let text = &mut self.text;
        let _ = match std::mem::replace(&mut self.defined_files[file as usize], true) {
            true => writeln!(text, "{prefix}fl=({file})"),
            false if file == 1 => writeln!(text, "{prefix}fl=(1) php:internal"),
            false => {
                writeln!(text, "{prefix}fl=({file}) /srv/app/vendor/acme/smtp-server/src/Module{file}/Handler.php")
            }
        };
        let id = function + 1;
        let _ = match std::mem::replace(&mut self.defined_functions[function as usize], true) {
            true => writeln!(text, "{prefix}fn=({id})"),
            false if function < BUILTINS => writeln!(text, "{prefix}fn=({id}) php::builtin_{function}"),
            false if function == BUILTINS => writeln!(text, "{prefix}fn=({id}) {{main}}"),
            false => writeln!(text, "{prefix}fn=({id}) Acme\\Smtp\\Module{file}\\Handler->method{function}"),
        };
    }

    fn record(&mut self, function: u64, own: u64, memory: u64, calls: &[Done]) -> io::Result<Done> {
        use std::fmt::Write;
        self.text.clear();
        self.names("", function);
        let line = 10 + function * 13 % 900;
        let _ = writeln!(self.text, "{line} {own} {memory}");
        let mut time = own;
        let mut all_memory = memory;
        for call in calls {
            self.names("c", call.function);
            let _ = writeln!(self.text, "calls=1 0 0\n{} {} {}", call.line, call.time, call.memory);
            time += call.time;
            all_memory += call.memory;
        }
        self.text.push('\n');
        self.out.write_all(self.text.as_bytes())?;
        self.written += self.text.len() as u64;
        self.total_time += own;
        Ok(Done { function, line, time, memory: all_memory })
    }

    fn call(&mut self, function: u64, depth: u64) -> io::Result<Done> {
        let kind = self.below(8);
        let own = match kind {
            0 => 1000 + self.below(90_000),
            1 | 2 => 100 + self.below(900),
            _ => 5 + self.below(90),
        };
        let memory = if kind == 3 { self.below(64) * 56 } else { 0 };
        if function < BUILTINS {
            return self.record(function, own, memory, &[]);
        }
        // As in a program: a function has a few places that call, each always the same one, some of them in a loop.
        let mut calls = Vec::new();
        for place in 0..2 + function % 3 {
            let deeper = place < 1 + function % 2 && depth < DEEPEST;
            let callee = match deeper {
                true => BUILTINS + 1 + (function * 31 + place * 17 + depth) % (FUNCTIONS - 1),
                false => (function * 11 + place * 5) % BUILTINS,
            };
            for _ in 0..self.below(4) {
                calls.push(self.call(callee, depth + 1)?);
            }
        }
        self.record(function, own, memory, &calls)
    }
}

/// Writes a profile of at least so many bytes.
pub fn write(path: &Path, wanted: u64) -> io::Result<()> {
    write_as_php(path, wanted, || false)
}

/// The same in blocks of 4,096 bytes, as PHP's buffer has them. Between two messages it waits as long as it is `held`.
pub fn write_as_php(path: &Path, wanted: u64, held: impl Fn() -> bool) -> io::Result<()> {
    let mut generator = Generator {
        out: BufWriter::with_capacity(4096, File::create(path)?),
        written: 0,
        random: 0x9E37_79B9_7F4A_7C15,
        defined_files: vec![false; FILES as usize + 2],
        defined_functions: vec![false; (BUILTINS + FUNCTIONS) as usize + 1],
        text: String::new(),
        total_time: 0,
    };
    let header = "version: 1\ncreator: xdebug 3.2.0 (PHP 8.2.36)\ncmd: /srv/app/bin/server.php\npart: 1\n\
                  positions: line\n\nevents: Time_(10ns) Memory_(bytes)\n\n";
    generator.out.write_all(header.as_bytes())?;
    let mut loop_calls = Vec::new();
    let mut message = 0;
    while generator.written < wanted {
        while message % 64 == 0 && held() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let entry = BUILTINS + 1 + message % 5;
        loop_calls.push(generator.call(entry, 0)?);
        message += 1;
    }
    let main = generator.record(BUILTINS, 1234, 0, &loop_calls)?;
    write!(generator.out, "summary: {} {}\n\n", main.time, 4 << 20)?;
    generator.out.flush()
}

/// A size as `171MB` or `10GB`.
pub fn size(text: &str) -> Option<u64> {
    let (digits, unit) = match text {
        _ if text.ends_with("GB") => (&text[..text.len() - 2], 1_000_000_000),
        _ if text.ends_with("MB") => (&text[..text.len() - 2], 1_000_000),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok().map(|number| number * unit)
}
