//! What is hidden in all that this user's runs hand on.

use std::path::Path;

use crate::model::Hidden;
use crate::phrase::is_secret_name;

/// Looks at who runs this, where, and with which secrets in the environment.
pub fn hidden(nothing: bool) -> Hidden {
    if nothing {
        return Hidden { nothing, ..Hidden::default() };
    }
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let me = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten();
    let home = me.as_ref().map(|user| user.dir.display().to_string());
    let named = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
        // A path to a secret is none.
        (is_secret_name(&name) && !Path::new(&value).is_absolute()).then_some(value)
    };
    Hidden {
        nothing,
        home: variable("HOME").or(home).filter(|home| home.len() > 1),
        user: me.map(|user| user.name),
        host: std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned()),
        values: std::env::vars_os().filter_map(named).collect(),
    }
}
