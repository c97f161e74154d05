//! Consoles that start themselves anew without Xdebug (composer/xdebug-handler): found in what the process that serves was
//! started with. The application chooses the beginning of the variable's name, so that it cannot be known before.

use std::os::unix::ffi::OsStrExt;

use crate::proc::Process;

/// Ends the name of the variable that says whether Xdebug may stay.
const NAME: &[u8] = b"_ALLOW_XDEBUG";

/// What it holds where a process was started anew without it.
const RESTARTED: &[u8] = b"internal|";

/// The variable that makes the application stay with Xdebug, where the process was started anew without it.
pub(super) fn variable(server: i32) -> Option<String> {
    let environment = Process::open(server).and_then(|process| process.environ()).ok()?;
    environment.iter().find_map(|variable| of(variable.as_bytes()))
}

fn of(variable: &[u8]) -> Option<String> {
    let equals = memchr::memchr(b'=', variable)?;
    let (name, value) = (&variable[..equals], &variable[equals + 1..]);
    (name.ends_with(NAME) && value.starts_with(RESTARTED)).then(|| String::from_utf8(name.to_vec()).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn told_by_its_value() {
        assert_eq!(of(b"COMPOSER_ALLOW_XDEBUG=internal|3.2.0|1|*|*").as_deref(), Some("COMPOSER_ALLOW_XDEBUG"));
        assert_eq!(of(b"APP_ALLOW_XDEBUG=1"), None);
        assert_eq!(of(b"internal|"), None);
    }
}
