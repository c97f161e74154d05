//! The client's own limits: descriptors. Raised for as long as a load runs, and set back, so that a target
//! launched later does not inherit what it would not have had from the shell.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises `ulimit -n` while it lives.
#[derive(Debug)]
pub struct Descriptors {
    before: Option<(u64, u64)>,
    /// How many this process may have now.
    pub limit: u64,
}

impl Descriptors {
    /// Sees to it that `wanted` descriptors may be open, as far as the hard limit allows.
    pub fn raise(wanted: u64) -> Self {
        let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
            return Self { before: None, limit: 256 };
        };
        if soft >= wanted {
            return Self { before: None, limit: soft };
        }
        let raised = wanted.min(hard);
        match setrlimit(Resource::RLIMIT_NOFILE, raised, hard) {
            Ok(()) => Self { before: Some((soft, hard)), limit: raised },
            Err(_) => Self { before: None, limit: soft },
        }
    }
}

impl Drop for Descriptors {
    fn drop(&mut self) {
        if let Some((soft, hard)) = self.before {
            // Lowering one's own soft limit is always allowed.
            let _ = setrlimit(Resource::RLIMIT_NOFILE, soft, hard);
        }
    }
}
