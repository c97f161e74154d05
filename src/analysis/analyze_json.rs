//! The `profile` object of `analyze --format json`: what the files hold, in their units, and what follows from it.

use serde::Serialize;

use super::profile_figures::{FunctionRow, ProfileFigures};
use super::waiting::Waiting;
use crate::profile::{Dialect, FileSummary, Profile};

/// Functions in `top`.
const TOP: usize = 20;

/// One file of the profile.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FileJson {
    /// Its path.
    pub path: String,
    /// Calls whose record was found.
    pub records: u64,
    /// It has its end and nothing was lost.
    pub complete: bool,
    /// Share of its cost that was recovered, 0 to 1.
    pub recovered_share: f64,
    /// Processes that wrote into it.
    pub writers: u64,
    /// Script or command.
    pub cmd: String,
    /// Program that wrote it.
    pub creator: String,
    /// The first place of damage.
    pub first_defect: Option<DefectJson>,
    /// Places of damage.
    pub defects: u64,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

/// A place of damage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DefectJson {
    /// Line, from 1.
    pub line: u64,
    /// Byte offset of the line.
    pub offset: u64,
    /// What is wrong.
    pub kind: String,
}

/// A profile as JSON. Times in the file's unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Analyzed {
    /// `xdebug`, `callgrind` or `cachegrind`.
    pub dialect: &'static str,
    /// Events as the file names them: time, then allocation; of files that hold edges, all of them.
    pub events: Vec<String>,
    /// The event that `self`, `inclusive` and `total` count.
    pub metric: String,
    /// Nanoseconds of one tick of time.
    pub nanoseconds_per_tick: Option<u64>,
    /// The tree behind it is an estimate.
    pub estimated: bool,
    /// The files.
    pub files: Vec<FileJson>,
    /// Sum of the self times: what shares are of.
    pub total: i64,
    /// Self time of the functions that wait: `total` without it is busy time.
    pub waiting: i64,
    /// The figures, in ticks.
    #[serde(flatten)]
    pub figures: ProfileFigures,
    /// The first of its functions.
    pub top: Vec<FunctionRow>,
}

impl Analyzed {
    /// The same with allocation where time was.
    pub fn by_allocation(profile: &Profile, messages: u64, waiting: &Waiting) -> Self {
        Self { events: profile.events(), ..Self::of(&profile.clone().by_allocation(), messages, waiting) }
    }

    /// What follows from a profile; `messages` were served meanwhile, 0 where that is not known.
    pub fn of(profile: &Profile, messages: u64, waiting: &Waiting) -> Self {
        let figures = ProfileFigures::of(profile, &waiting.of(profile), messages, &[], 1);
        Self {
            dialect: match profile.dialect {
                Dialect::Xdebug => "xdebug",
                Dialect::Callgrind => "callgrind",
                Dialect::Cachegrind => "cachegrind",
            },
            events: profile.events(),
            metric: profile.units.time_event.clone(),
            nanoseconds_per_tick: profile.units.nanoseconds_per_tick,
            estimated: profile.estimated,
            files: profile.files.iter().map(file).collect(),
            total: profile.tree.total().time,
            waiting: figures.waiting(),
            top: figures.functions.iter().take(TOP).cloned().collect(),
            figures,
        }
    }
}

fn file(file: &FileSummary) -> FileJson {
    FileJson {
        path: file.path.display().to_string(),
        records: file.records,
        complete: file.complete,
        recovered_share: file.recovered_share,
        writers: file.writers,
        cmd: file.header.cmd.clone(),
        creator: file.header.creator.clone(),
        first_defect: file.first_defect.as_ref().map(|defect| DefectJson {
            line: defect.line,
            offset: defect.offset,
            kind: defect.kind.to_string(),
        }),
        defects: file.defects,
        warnings: file.warnings.clone(),
    }
}
