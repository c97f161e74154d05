//! What code holds on to: the variables of frames, of closures, generators and suspended fibers, static ones.

use super::engine::{Function, Value, function_key, is_identifier, kind};
use super::paths::PathId;
use super::slot::Slot;
use super::walker::{Node, OrTorn, Torn, Walk, Walked};

const MOST_VARIABLES: u32 = 10_000;
const MOST_FRAMES: usize = 10_000;
/// The frame's reference to `$this` counts, and to the closure that it runs.
const CALL_HAS_SYMBOL_TABLE: u32 = 1 << 20;
const CALL_RELEASES_THIS: u32 = 1 << 21;
const CALL_OF_CLOSURE: u32 = 1 << 22;

impl Walk<'_> {
    pub(super) fn expand_closure(&mut self, node: Node) -> Walked<()> {
        let l = self.engine.layout;
        let function = node.at + u64::from(l.closure_func);
        let this_at = node.at + u64::from(l.closure_this);
        let this = self.engine.value(this_at).or_torn("a closure", node.at)?;
        if this.kind == kind::OBJECT {
            let label = self.paths.label(2, " bound $this");
            self.meet_at(node.path, label, this, true)?;
        } else if this.kind != kind::UNDEF {
            return Err(Torn(format!("a closure bound to a {} at {this_at:x}", this.kind)));
        }
        if self.engine.function(function) == Some(Function::User) {
            let pointer = self.engine.word(function, l.op_statics_ptr).or_torn("a closure", node.at)?;
            self.expand_statics(pointer, node.path, " use ", "")?;
        }
        Ok(())
    }

    /// The static variables (of a closure: the used ones too) behind a map pointer. `function`: as code names it,
    /// empty for a closure.
    pub fn expand_statics(&mut self, pointer: u64, path: PathId, word: &str, function: &str) -> Walked<()> {
        let at = self.engine.map_pointer(pointer).or_torn("static variables", pointer)?;
        if at == 0 {
            return Ok(());
        }
        let head = self.engine.counted(at).or_torn("static variables", at)?;
        if head.kind != kind::ARRAY {
            return Err(Torn(format!("static variables of type {} at {at:x}", head.kind)));
        }
        if head.immutable || self.has_met(at) {
            return Ok(());
        }
        let table = self.engine.table(at).or_torn("static variables", at)?;
        let bytes = self.block(at, 56)? + if table.used > 0 { self.block(table.block, 0)? } else { 0 };
        match path {
            // Of a function or a class: nothing that is being gone on from.
            0 => self.paths.at(path).bytes += bytes,
            _ => self.add_bytes(path, bytes),
        }
        for entry in self.engine.entries(table) {
            let name =
                self.engine.name(entry.key).filter(|n| is_identifier(n)).or_torn("a variable's name", entry.key)?;
            if entry.value.kind >= kind::STRING {
                let slot = || Slot::StaticVariable(function.to_owned(), name.to_owned());
                let label = self.paths.named(0, &format!("{word}${name}"), slot);
                self.meet_at(path, label, entry.value, true)?;
            }
        }
        Ok(())
    }

    pub(super) fn expand_generator(&mut self, node: Node) -> Walked<()> {
        let l = self.engine.layout;
        let frame = self.engine.word(node.at, l.generator_execute_data).or_torn("a generator", node.at)?;
        for offset in [l.generator_value, l.generator_retval] {
            let at = node.at + u64::from(offset);
            let value = self.engine.value(at).or_torn("a generator", node.at)?;
            if value.kind >= kind::STRING {
                let label = self.paths.label(2, " yields ");
                self.meet_at(node.path, label, value, true)?;
            }
        }
        if frame == 0 {
            return Ok(());
        }
        let bytes = self.block(frame, 80)?;
        self.add_bytes(node.path, bytes);
        self.frame(frame, node.path)
    }

    pub(super) fn expand_fiber(&mut self, node: Node) -> Walked<()> {
        let l = self.engine.layout;
        if l.fiber_execute_data == 0 {
            return Ok(());
        }
        // fci begins with its size; the function's name, a value, follows.
        let at = node.at + u64::from(l.fiber_fci) + 8;
        let callable = self.engine.value(at).or_torn("a fiber", node.at)?;
        if callable.kind >= kind::STRING && callable.kind <= kind::REFERENCE {
            let label = self.paths.label(2, " runs ");
            self.meet_at(node.path, label, callable, true)?;
        }
        // Its frames lie on a page of their own, which begins with the bottom one; a fiber that has
        // not started, or has ended, has none.
        let bottom = self.engine.word(node.at, l.fiber_stack_bottom).or_torn("a fiber", node.at)?;
        let page = self.blocks.and_then(|b| b.block(bottom)).filter(|p| bottom - p.start < 64);
        if let Some(page) = page {
            self.add_bytes(node.path, page.size);
        }
        // Of one that runs, or that waits for another which it resumed, the frames are those of the stack; where it
        // stood when it last waited says nothing more.
        if self.running.contains(&bottom) {
            return Ok(());
        }
        let mut frame = self.engine.word(node.at, l.fiber_execute_data).or_torn("a fiber", node.at)?;
        for _ in 0..MOST_FRAMES {
            if frame == 0 {
                return Ok(());
            }
            self.frame(frame, node.path)?;
            frame = self.engine.word(frame, l.ex_prev).or_torn("a frame", frame)?;
        }
        Err(Torn(format!("a fiber without end at {:x}", node.at)))
    }

    /// The variables of a frame, its `$this` and its closure.
    pub fn frame(&mut self, frame: u64, path: PathId) -> Walked<()> {
        let l = self.engine.layout;
        let function = self.engine.word(frame, l.ex_func).or_torn("a frame", frame)?;
        if function == 0 || self.engine.is_fibers_own(function) {
            return Ok(());
        }
        let this = self.engine.value(frame + u64::from(l.ex_this)).or_torn("a frame", frame)?;
        let call_info = self.engine.half(frame, l.ex_call_info).or_torn("a frame", frame)?;
        let name = self.engine.function_name(function).or_torn("a function", function)?;
        if this.kind == kind::OBJECT {
            let class = self.object(this.word)?.class;
            let label = match path {
                0 => self.classes.at(class).name.clone(),
                _ => format!(" in {name}() $this"),
            };
            let label = self.paths.label(0, &label);
            self.meet_at(path, label, this, call_info & CALL_RELEASES_THIS != 0)?;
        }
        if call_info & CALL_OF_CLOSURE != 0 {
            let closure = function.checked_sub(u64::from(l.closure_func)).or_torn("a closure's frame", frame)?;
            let label = self.paths.label(0, &format!("{}{name}", if path == 0 { "" } else { " in " }));
            self.meet_at(path, label, Value { word: closure, kind: kind::OBJECT }, true)?;
        }
        let slots = frame + u64::from(l.ex_slots) * 16;
        match self.engine.function(function).or_torn("a function", function)? {
            Function::Internal => {
                let count = self.engine.half(frame, l.ex_num_args).or_torn("a frame", frame)?;
                for index in 0..count.min(MOST_VARIABLES) {
                    let value = self.engine.value(slots + u64::from(index) * 16).or_torn("an argument", frame)?;
                    if value.kind >= kind::STRING && value.kind <= kind::REFERENCE {
                        let label = self.paths.label(0, &format!("{name}() argument {}", index + 1));
                        self.meet_at(path, label, value, false)?;
                    }
                }
            }
            Function::User => {
                let count = self.engine.half(function, l.op_last_var).or_torn("a function", function)?;
                let key = function_key(&self.engine, function).or_torn("a function", function)?;
                let names = self.engine.word(function, l.op_vars).or_torn("a function", function)?;
                if count > MOST_VARIABLES {
                    return Err(Torn(format!("a function of {count} variables at {function:x}")));
                }
                for index in 0..u64::from(count) {
                    let variable = self.engine.word(names + index * 8, 0).or_torn("a variable", names)?;
                    let variable = self.engine.name(variable).filter(|n| is_identifier(n));
                    let variable = variable.or_torn("a variable's name", names + index * 8)?;
                    let value = self.engine.value(slots + index * 16).or_torn("a variable", frame)?;
                    // A script's main code shares its variables with the globals, or with the function
                    // that included it; they count once, and there.
                    let is_shared = call_info & CALL_HAS_SYMBOL_TABLE != 0 || name.is_empty();
                    if value.kind < kind::STRING || (is_shared && self.has_met(value.word)) {
                        continue;
                    }
                    let label = match (name.is_empty(), path) {
                        (true, 0) => format!("${variable}"),
                        (false, 0) => format!("{name}() ${variable}"),
                        _ => format!(" in {name}() ${variable}"),
                    };
                    let label = self.paths.named(0, &label, || match name.is_empty() {
                        true => Slot::Global(variable.to_owned()),
                        false => Slot::Local(key.clone(), variable.to_owned()),
                    });
                    self.meet_at(path, label, value, !is_shared)?;
                }
            }
        }
        Ok(())
    }
}
