//! What PHP's own functions and containers do with an array that they are given.

use super::accesses::{CallSite, Deed, Known, Made, Reader};
use super::opcodes::{Opcode, Operand, constant_name, op};
use super::slots::{Place, Slot};

/// What a call does to the container that it is given, or called on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Adds elements.
    Adds,
    /// Removes some.
    Removes,
    /// Neither.
    Neither,
}

/// Of a function that takes its first argument by reference; `None`: not known.
pub fn by_reference(function: &str) -> Option<Effect> {
    Some(match function {
        "array_push" | "array_unshift" => Effect::Adds,
        "array_pop" | "array_shift" | "array_splice" => Effect::Removes,
        "reset"
        | "end"
        | "next"
        | "prev"
        | "current"
        | "key"
        | "each"
        | "sort"
        | "rsort"
        | "usort"
        | "uasort"
        | "uksort"
        | "asort"
        | "arsort"
        | "ksort"
        | "krsort"
        | "natsort"
        | "natcasesort"
        | "shuffle"
        | "array_multisort"
        | "array_walk"
        | "array_walk_recursive" => Effect::Neither,
        _ => return None,
    })
}

/// Of a method of one of PHP's own containers, by its lower-case name.
pub fn on_container(method: &str) -> Option<Effect> {
    Some(match method {
        "attach" | "enqueue" | "push" | "unshift" | "offsetset" | "insert" | "append" | "addall" | "add" => {
            Effect::Adds
        }
        "detach" | "dequeue" | "pop" | "shift" | "offsetunset" | "extract" | "removeall" | "removeallexcept"
        | "exchangearray" => Effect::Removes,
        "count" | "contains" | "offsetexists" | "offsetget" | "isempty" | "rewind" | "valid" | "current" | "key"
        | "next" | "top" | "bottom" | "toarray" | "getarraycopy" | "getiterator" | "getinfo" | "setinfo"
        | "getsize" | "setiteratormode" | "setextractflags" | "gethash" => Effect::Neither,
        _ => return None,
    })
}

/// Whether a function's result is its first argument with something more in it.
pub fn adds_to_its_argument(function: &str) -> bool {
    matches!(
        function,
        "array_merge" | "array_merge_recursive" | "array_replace" | "array_replace_recursive" | "array_pad"
    )
}

/// Whether a function's result is its first argument without some of its elements, or of its text.
fn takes_from_its_argument(function: &str) -> bool {
    matches!(
        function,
        "array_slice"
            | "array_filter"
            | "array_diff"
            | "array_diff_key"
            | "array_diff_assoc"
            | "array_udiff"
            | "array_diff_ukey"
            | "array_diff_uassoc"
            | "array_udiff_assoc"
            | "array_intersect"
            | "array_intersect_key"
            | "array_intersect_assoc"
            | "array_unique"
            | "substr"
            | "mb_substr"
            | "mb_strcut"
            | "strstr"
            | "strrchr"
            | "trim"
            | "ltrim"
            | "rtrim"
    )
}

/// Whether a function's result is its first argument in another order, or under other keys.
fn keeps_its_argument(function: &str) -> bool {
    matches!(function, "array_values" | "array_reverse")
}

/// Of a function that puts a callback on one of the engine's lists, or takes it off: the list, by the name of the
/// function that adds to it.
fn on_engines_list(function: &str) -> Option<(&str, Effect)> {
    Some(match function {
        "register_shutdown_function"
        | "register_tick_function"
        | "set_error_handler"
        | "set_exception_handler"
        | "spl_autoload_register"
        | "ob_start"
        | "pcntl_signal" => (function, Effect::Adds),
        "unregister_tick_function" => ("register_tick_function", Effect::Removes),
        "restore_error_handler" => ("set_error_handler", Effect::Removes),
        "restore_exception_handler" => ("set_exception_handler", Effect::Removes),
        "spl_autoload_unregister" => ("spl_autoload_register", Effect::Removes),
        "ob_end_clean" | "ob_end_flush" | "ob_get_clean" | "ob_get_flush" => ("ob_start", Effect::Removes),
        _ => return None,
    })
}

/// A call that is being prepared: its arguments come before it is made.
#[derive(Debug, Default)]
pub struct Call {
    /// The lower-case name of a function that is none of the script's, as far as known.
    function: Option<String>,
    /// The script's own function or method, by its number.
    user: Option<u32>,
    /// Its first argument.
    first: Known,
    /// Its result is of this class.
    makes: Option<u64>,
}

impl Call {
    /// What is known of its result.
    fn result(&self) -> Known {
        let Some(function) = self.function.as_deref() else { return Known::default() };
        let Known { place, adds_to, takes_from, .. } = self.first;
        if adds_to_its_argument(function) {
            Known { adds_to: place.or(adds_to), ..Known::default() }
        } else if takes_from_its_argument(function) {
            Known { takes_from: place.or(takes_from), ..Known::default() }
        } else if keeps_its_argument(function) {
            Known { adds_to, takes_from, ..Known::default() }
        } else {
            Known::default()
        }
    }
}

impl Reader<'_, '_> {
    /// Takes an opcode that has to do with a call; `false` where it has not.
    pub(super) fn call_step(&mut self, opcode: &Opcode) -> bool {
        match opcode.number {
            op::INIT_FCALL | op::INIT_FCALL_BY_NAME | op::INIT_NS_FCALL_BY_NAME => self.call_function(opcode),
            op::INIT_METHOD_CALL => self.call_method(opcode),
            op::INIT_STATIC_METHOD_CALL => self.call_static(opcode),
            op::NEW => self.make(opcode),
            op::INIT_USER_CALL | op::INIT_DYNAMIC_CALL | op::INIT_PARENT_HOOK => self.calls.push(Call::default()),
            op::SEND_VAL
            | op::SEND_VAL_EX
            | op::SEND_VAR
            | op::SEND_VAR_EX
            | op::SEND_REF
            | op::SEND_FUNC_ARG
            | op::SEND_VAR_NO_REF
            | op::SEND_VAR_NO_REF_EX => self.send(opcode),
            op::DO_FCALL | op::DO_ICALL | op::DO_UCALL | op::DO_FCALL_BY_NAME | op::CALLABLE_CONVERT => {
                let call = self.calls.pop().unwrap_or_default();
                // An object's constructor gives nothing back; the object itself was there before.
                if call.makes.is_none() {
                    self.set(opcode.result, call.result());
                }
            }
            _ => return false,
        }
        true
    }

    fn called(&mut self, callee: Option<u32>, method: &str, line: u32) {
        if !self.learning && (callee.is_some() || !method.is_empty()) {
            let function = self.number;
            self.out.calls.push(CallSite { callee, method: method.to_owned(), line, function });
        }
    }

    fn call_function(&mut self, opcode: &Opcode) {
        // Of the names that a call compiles to the last is the one without a namespace, in lower case.
        let further = match opcode.number {
            op::INIT_FCALL => 0,
            op::INIT_FCALL_BY_NAME => 1,
            _ => 2,
        };
        let names = (0..=further).rev().filter_map(|at| constant_name(&self.names.engine, opcode.op2, at));
        let names: Vec<String> = names.map(str::to_ascii_lowercase).collect();
        // A function of the namespace comes before PHP's own of the same name.
        let user = names.iter().rev().find_map(|name| self.names.functions.get(name)).copied();
        self.called(user, "", opcode.line);
        let function = names.into_iter().next().filter(|_| user.is_none());
        if let Some((list, effect)) = function.as_deref().and_then(on_engines_list) {
            let place = Place { slot: self.out.slots.id(Slot::Engine(list.to_owned())), depth: 1 };
            let deed = if effect == Effect::Adds { Deed::PUTS } else { Deed::Takes };
            self.deed(Some(place), deed, opcode.line);
        }
        self.calls.push(Call { function, user, ..Call::default() });
    }

    fn call_method(&mut self, opcode: &Opcode) {
        let object = self.known(opcode.op1);
        let name = constant_name(&self.names.engine, opcode.op2, 1).map(str::to_owned);
        let user = object.class.zip(name.as_deref()).and_then(|(class, name)| self.names.method(class, name));
        if let Some(name) = name.as_deref().filter(|_| !matches!(opcode.op1, Operand::Unused(_))) {
            let element = object.place.map(Place::element);
            match on_container(name).filter(|_| user.is_none()) {
                Some(Effect::Adds) => self.deed(element, Deed::PUTS, opcode.line),
                Some(Effect::Removes) => self.deed(element, Deed::Takes, opcode.line),
                Some(Effect::Neither) => {}
                // A method of the script's own, or one that is not known.
                None => self.handed(opcode.op1, opcode.line),
            }
        }
        self.called(user, name.as_deref().unwrap_or_default(), opcode.line);
        self.calls.push(Call { user, ..Call::default() });
    }

    fn call_static(&mut self, opcode: &Opcode) {
        let name = constant_name(&self.names.engine, opcode.op2, 1).map(str::to_owned);
        let class = match opcode.op1 {
            Operand::Constant(_) => {
                self.names.class(constant_name(&self.names.engine, opcode.op1, 0).unwrap_or_default())
            }
            other => self.static_class(other),
        };
        let user = class.zip(name.as_deref()).and_then(|(class, name)| self.names.method(class, name));
        self.called(user, name.as_deref().unwrap_or_default(), opcode.line);
        self.calls.push(Call { user, ..Call::default() });
    }

    fn make(&mut self, opcode: &Opcode) {
        let class = match opcode.op1 {
            Operand::Constant(_) => {
                self.names.class(constant_name(&self.names.engine, opcode.op1, 0).unwrap_or_default())
            }
            other => self.static_class(other),
        };
        if let (Some(class), false) = (class.and_then(|class| self.names.engine.class_name(class)), self.learning) {
            self.out.made.push(Made { class, line: opcode.line, function: self.number });
        }
        let user = class.and_then(|class| self.names.method(class, "__construct"));
        self.called(user, "", opcode.line);
        // What is made without being given anything holds nothing.
        let nothing = opcode.extended == 0 && user.is_none();
        self.set(opcode.result, Known { class, nothing, ..Known::default() });
        self.calls.push(Call { user, makes: Some(class.unwrap_or_default()), ..Call::default() });
    }

    fn send(&mut self, opcode: &Opcode) {
        let value = self.known(opcode.op1);
        let Operand::Unused(argument) = opcode.op2 else {
            // By its name: which one it is is not followed.
            return self.deed(value.place, Deed::Referenced { object: false }, opcode.line);
        };
        let Some(call) = self.calls.last_mut() else { return };
        if argument == 1 {
            call.first = value;
        }
        let (function, user) = (call.function.clone(), call.user);
        let may_refer = matches!(opcode.number, op::SEND_REF | op::SEND_VAR_EX | op::SEND_FUNC_ARG);
        let element = value.place.map(Place::element);
        match (function.as_deref().and_then(by_reference), user) {
            (Some(effect), _) if may_refer && argument == 1 => match effect {
                Effect::Adds => self.deed(element, Deed::PUTS, opcode.line),
                Effect::Removes => self.deed(element, Deed::Takes, opcode.line),
                Effect::Neither => {}
            },
            (_, Some(user)) => {
                let refers = self.takes_by_reference(user, argument);
                let parameter = self.parameter(user, argument);
                self.alias(value.place, parameter, refers != Some(true));
                if refers.is_none() && may_refer {
                    self.deed(value.place, Deed::Referenced { object: false }, opcode.line);
                }
            }
            // PHP's own functions keep no object that they are given, but for some that run it.
            (_, None) if function.as_ref().is_some_and(|name| self.own_takes_by_value(name, argument)) => {}
            _ => self.deed(value.place, Deed::Referenced { object: !may_refer }, opcode.line),
        }
    }

    fn parameter(&mut self, user: u32, argument: u32) -> Option<Place> {
        let callee = self.functions.get(user as usize)?;
        let name = callee.code.variable(&self.names.engine, argument.checked_sub(1)?)?.to_owned();
        let slot = self.out.slots.id(Slot::Local(callee.key.clone(), name));
        Some(Place { slot, depth: 0 })
    }

    /// Whether a function takes an argument by reference; `None` where that is not known.
    fn takes_by_reference(&self, user: u32, argument: u32) -> Option<bool> {
        self.refers(self.functions.get(user as usize)?.code.at, argument)
    }

    fn own_takes_by_value(&self, name: &str, argument: u32) -> bool {
        self.names.own.get(name).is_some_and(|at| self.refers(*at, argument) == Some(false))
    }

    fn refers(&self, function: u64, argument: u32) -> Option<bool> {
        let engine = &self.names.engine;
        let l = engine.layout;
        let count = engine.half(function, l.op_num_args)?;
        if argument == 0 || argument > count {
            return None;
        }
        let info = engine.word(function, l.op_arg_info)?.wrapping_add(u64::from(argument - 1) * 32);
        // The bits behind those that make up the type; from 8.2 on there is one more of those.
        let behind = if l.last_opcode == 202 && l.packed_element == 32 { 24 } else { 25 };
        Some(engine.half(info, 16)? >> behind & 3 != 0)
    }
}
