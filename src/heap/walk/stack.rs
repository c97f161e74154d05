//! The PHP call stack, of a copy or of the live process.

use super::engine::{Engine, Function, base_name};
use super::walker::{OrTorn, Torn, Walked};
use crate::heap::census::values::Frame;
use crate::heap::read::image::Php;

const MOST_FRAMES: usize = 1000;

/// Reads the stack, innermost call first.
pub fn read(engine: &Engine, php: &Php) -> Walked<Vec<Frame>> {
    let l = engine.layout;
    let mut frame = engine.word(php.eg, l.eg_current_execute_data).or_torn("EG", php.eg)?;
    let mut frames = Vec::new();
    let mut steps = 0;
    while frame != 0 && frames.len() < MOST_FRAMES {
        let function = engine.word(frame, l.ex_func).or_torn("a frame", frame)?;
        if function != 0 && !engine.is_fibers_own(function) {
            frames.push(read_frame(engine, frame, function)?);
        }
        frame = engine.word(frame, l.ex_prev).or_torn("a frame", frame)?;
        steps += 1;
        if steps > MOST_FRAMES * 4 {
            return Err(Torn("a stack without end".into()));
        }
    }
    Ok(frames)
}

fn read_frame(engine: &Engine, frame: u64, function: u64) -> Walked<Frame> {
    let l = engine.layout;
    let name = engine.function_name(function).or_torn("a function's name", function)?;
    match engine.function(function).or_torn("a function", function)? {
        Function::Internal => Ok(Frame { function: name, file: None, line: None }),
        Function::User => {
            let file = engine.word(function, l.op_filename).and_then(|at| engine.name(at));
            let file = file.or_torn("a function's file", function)?;
            let opline = engine.word(frame, l.ex_opline).or_torn("a frame", frame)?;
            let opcodes = engine.word(function, l.op_opcodes).or_torn("a function", function)?;
            let last = engine.half(function, l.op_last).or_torn("a function", function)?;
            let end = opcodes.saturating_add(u64::from(last) * u64::from(l.opcode_size));
            // The handlers for exceptions and interrupts are opcodes of the engine's own.
            let line = match (opcodes..end).contains(&opline) {
                true if (opline - opcodes) % u64::from(l.opcode_size) != 0 => {
                    return Err(Torn(format!("an opline between two at {opline:x}")));
                }
                true => Some(engine.half(opline, l.opcode_line).or_torn("an opcode", opline)?),
                false => None,
            };
            let function = if name.is_empty() { "{main}".to_owned() } else { name };
            Ok(Frame { function, file: Some(base_name(file).to_owned()), line })
        }
    }
}
