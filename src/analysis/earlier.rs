//! The run that another one is compared with.

use super::call_paths::CallPaths;
use super::difference::{Difference, NotDrawn, difference};
use super::result::RunResult;
use super::view::RunView;
use crate::model::Side;

/// An earlier run.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// Its result.
    pub result: RunResult,
    /// Its profile's calls, where its folder is there.
    pub paths: Result<CallPaths, NotDrawn>,
}

impl Earlier {
    /// A run of which only the result is there, as `side` of a comparison.
    pub fn alone(result: RunResult, side: Side) -> Self {
        let none = if result.profile.is_some() { NotDrawn::ResultAlone(side) } else { NotDrawn::NoProfile(side) };
        Self { result, paths: Err(none) }
    }

    /// A run that was read from its folder.
    pub fn of(view: RunView, side: Side) -> Self {
        Self { paths: view.paths.ok_or(NotDrawn::NoProfile(side)), result: view.result }
    }

    /// What differs between its profile and that of a later run.
    ///
    /// # Errors
    /// One of them has no calls, or nothing that their costs could be divided by.
    pub fn difference(&self, now: Result<&CallPaths, NotDrawn>) -> Result<Difference, NotDrawn> {
        difference(self.paths.as_ref().map_err(Clone::clone)?, now?)
    }
}
