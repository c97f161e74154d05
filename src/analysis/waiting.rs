//! Which functions wait rather than work. Time of their own is nobody's work; what they call is: a callback
//! under an event loop's `run` keeps its time.

use crate::profile::{Dialect, Function, Pattern, Profile};

/// Functions of PHP and of its extensions that do nothing but wait. A method is named by its class in the
/// profile, `Class->method` or `Class::method`.
const WAITING: [&str; 38] = [
    // Descriptors.
    "stream_select",
    "socket_select",
    "curl_multi_select",
    "event_base_loop",
    "uv_run",
    "pg_socket_poll",
    "mysqli_poll",
    "mysqli::poll",
    // Time.
    "usleep",
    "sleep",
    "time_nanosleep",
    "time_sleep_until",
    // Children and signals.
    "pcntl_wait",
    "pcntl_waitpid",
    "pcntl_waitid",
    "pcntl_sigwaitinfo",
    "pcntl_sigtimedwait",
    "proc_close",
    "pclose",
    // Other processes and threads.
    "msg_receive",
    "sem_acquire",
    // Fibers: the time of whoever ran meanwhile.
    "Fiber->start",
    "Fiber->resume",
    "Fiber->throw",
    "Fiber::suspend",
    // Loops of extensions.
    "Ev::run",
    "EvLoop->run",
    "EventBase->loop",
    "EventBase->dispatch",
    "parallel\\Events->poll",
    "parallel\\Future->value",
    "Swoole\\Event::wait",
    "Swoole\\Coroutine::sleep",
    "Swoole\\Coroutine\\System::sleep",
    "Swoole\\Coroutine\\System::wait",
    "Swoole\\Process::wait",
    // A terminal.
    "readline",
    "readline_callback_read_char",
];

/// Functions that wait or not, as their arguments are: a file that lies in memory, or a peer who is silent. The
/// profile has no arguments, so the time tells: they wait where a call takes [`BLOCKED_NS`] in the mean.
const MAY_WAIT: [&str; 15] = [
    "fgets",
    "fgetc",
    "fread",
    "fscanf",
    "stream_get_line",
    "stream_get_contents",
    "stream_socket_recvfrom",
    "socket_read",
    "socket_recv",
    "socket_recvfrom",
    "socket_recvmsg",
    "SplFileObject->fgets",
    "socket_accept",
    "stream_socket_accept",
    "flock",
];

/// Copying 1 MB from the page cache takes a tenth of this; a peer on another machine needs longer to answer.
const BLOCKED_NS: f64 = 1e6;

/// The functions that wait: PHP's, and those that the configuration names.
#[derive(Debug, Clone, Default)]
pub struct Waiting {
    more: Vec<Pattern>,
}

impl Waiting {
    /// PHP's own, and `more`: names as the profile has them, `php::` left out or not, `*` for any text.
    pub fn with(more: &[String]) -> Self {
        Self { more: more.iter().map(|name| Pattern::new(name)).collect() }
    }

    /// For each function of the profile, by id, whether it waits.
    pub fn of(&self, profile: &Profile) -> Vec<bool> {
        // Counts of instructions or misses are work, whatever the function.
        if profile.dialect != Dialect::Xdebug {
            return vec![false; profile.names.len()];
        }
        let mut waits: Vec<bool> = profile.names.iter().map(|function| self.by_name(function)).collect();
        let tick = profile.units.nanoseconds_per_tick.unwrap_or(0) as f64;
        for function in &profile.functions {
            let each = function.own.time as f64 * tick / function.calls.max(1) as f64;
            if each >= BLOCKED_NS && is_internal(&profile.names.get(function.id).file, &function.name) {
                waits[function.id as usize] |= MAY_WAIT.contains(&bare(&function.name));
            }
        }
        waits
    }

    fn by_name(&self, function: &Function) -> bool {
        let bare = bare(&function.name);
        is_internal(&function.file, &function.name) && WAITING.contains(&bare)
            || self.more.iter().any(|own| own.is_whole(&function.name) || own.is_whole(bare))
    }
}

/// Xdebug writes PHP's own functions as `php::name` of the file `php:internal`; a function of the user's may
/// have the same name in a namespace, or a class of it.
fn is_internal(file: &str, name: &str) -> bool {
    name.starts_with("php::") || file == "php:internal"
}

fn bare(name: &str) -> &str {
    name.strip_prefix("php::").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(file: &str, name: &str) -> Function {
        Function { object: String::new(), file: file.into(), name: name.into() }
    }

    #[test]
    fn phps_own_wait_and_a_namesake_does_not() {
        let waiting = Waiting::default();
        assert!(waiting.by_name(&function("php:internal", "php::stream_select")));
        assert!(waiting.by_name(&function("php:internal", "usleep")));
        assert!(waiting.by_name(&function("php:internal", "php::EvLoop->run")));
        assert!(!waiting.by_name(&function("/srv/a.php", "sleep")));
        assert!(!waiting.by_name(&function("php:internal", "php::strlen")));
    }

    #[test]
    fn the_configuration_names_more() {
        let names = ["App\\Loop->idle", "React\\*->run", "php::my_wait", "*::pause*"].map(str::to_owned);
        let waiting = Waiting::with(&names);
        for (name, waits) in [
            ("App\\Loop->idle", true),
            ("App\\Loop->idle2", false),
            ("React\\EventLoop\\StreamSelectLoop->run", true),
            ("React\\EventLoop\\StreamSelectLoop->tick", false),
            ("php::my_wait", true),
            ("App\\Timer::pauseFor", true),
        ] {
            assert_eq!(waiting.by_name(&function("/srv/a.php", name)), waits, "{name}");
        }
    }
}
