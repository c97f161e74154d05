//! Instructions per message: what the count pass comes down to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Runtime, median};

/// Tries of each scenario: their spread says how exact the figure is.
pub const TRIES: usize = 3;

/// What instructions are counted for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CountedPer {
    /// Each message.
    #[default]
    Message,
    /// Each session, of scenarios that send no whole message.
    Session,
}

/// Whether instructions were counted, and why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CountStatus {
    /// The pass was run; what came of each scenario stands with it.
    Counted,
    /// valgrind is not installed.
    NoValgrind,
    /// valgrind is there and does not start: its last words.
    ValgrindFails(String),
    /// The load is not made by this program.
    OtherEngine,
    /// The server runs already.
    Attached,
    /// It runs in a container, where our valgrind is not.
    Container,
    /// It runs in something that compiles code while it runs and collects when it will.
    OtherRuntime(Runtime),
    /// The run ended before.
    NotReached,
    /// None of the scenarios can be played one session at a time without waits.
    NothingToCount,
}

/// Why a scenario has no figure that can be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Uncounted {
    /// The pass's time was over before there were enough tries.
    TimeUsed,
    /// So many sessions or messages went as they are meant to, of those asked.
    NotAsMeant {
        /// Went as meant.
        done: u64,
        /// Were asked for.
        asked: u64,
    },
    /// A process left no file, as it was killed: its pid.
    FileMissing(i32),
    /// A file is cut off or damaged: the pid of its process.
    FileCut(i32),
    /// No process of the server left a file.
    NoFile,
    /// Processes are forked under load, and valgrind counts what their parents did before with them.
    Forks,
    /// The server did not start, or stopped answering, under valgrind.
    Fell,
    /// The tries differ by too much for any change to be told.
    Unsteady,
    /// The load changed from launch to launch: another number of connections looked for its banner.
    Probed,
}

/// An executable file that was mapped, and which build of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Build {
    /// Its name, without its folder.
    pub file: String,
    /// Its build id (ELF note `.note.gnu.build-id`), or `content:` and a sum of its bytes where it has none.
    pub build: String,
}

/// What a figure holds for: other instructions are counted under others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CountConditions {
    /// valgrind's version.
    pub valgrind: String,
    /// PHP's version, where the server is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub php: Option<String>,
    /// Programs, extensions and libraries that were mapped.
    pub builds: Vec<Build>,
    /// The processor's features, as valgrind shows them to what runs in it.
    pub features: Vec<String>,
    /// `GLIBC_TUNABLES`, which can switch features off for the C library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunables: Option<String>,
    /// What the run's mail options add to each session: `auth`, `starttls`, `tls`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mail: Vec<String>,
}

/// A native function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NativeFunction {
    /// Its name; an address in its object where the object names none.
    pub name: String,
    /// The program or library that it is in, without its folder.
    pub object: String,
    /// Instructions of its own for each message or session.
    pub instructions: f64,
}

/// One scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InstructionRow {
    /// Scenario.
    pub scenario: String,
    /// What `value` is counted for.
    pub per: CountedPer,
    /// Instructions of all processes for each: the median of the tries.
    pub value: Option<f64>,
    /// Each try.
    pub tries: Vec<f64>,
    /// Of the tries, the greatest less the smallest, as a part of `value`.
    pub spread: Option<f64>,
    /// A change is one beyond this part of the figure; none where the figure is not judged.
    pub limit: Option<f64>,
    /// Why it is not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unjudged: Option<Uncounted>,
    /// Messages (or sessions) of the two loads of a try.
    pub loads: [u64; 2],
    /// Bytes of the longest message.
    pub bytes: u64,
    /// Processes that were counted in the larger load.
    pub processes: u32,
    /// Native functions by their own instructions, the dearest first.
    pub functions: Vec<NativeFunction>,
    /// Files in the run's folder that `functions` was read from: callgrind's, of the larger load.
    pub files: Vec<String>,
}

/// The count pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Instructions {
    /// Whether it was run.
    pub status: CountStatus,
    /// Scenario by scenario.
    pub scenarios: Vec<InstructionRow>,
    /// What the figures hold for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<CountConditions>,
    /// Seconds that it took.
    pub seconds: f64,
}

/// A condition that differs between two counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountDiffers {
    /// Which.
    pub what: CountCondition,
    /// As it was; none where it was not there.
    pub was: Option<String>,
    /// As it is.
    pub is: Option<String>,
}

/// A condition of a count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CountCondition {
    /// valgrind's version.
    Valgrind,
    /// PHP's version.
    Php,
    /// The build of a file.
    Build(String),
    /// The processor's features.
    Features,
    /// `GLIBC_TUNABLES`.
    Tunables,
    /// What the mail options add to a session.
    Mail,
}

/// Instructions for each message, from the instructions of a load and of one three times as large: what the start and the
/// stop cost is in both. None where the larger load did not cost more.
pub fn per_message(instructions: [u64; 2], loads: [u64; 2]) -> Option<f64> {
    let (cost, work) = (instructions[1].checked_sub(instructions[0])?, loads[1].checked_sub(loads[0])?);
    (cost > 0 && work > 0).then(|| cost as f64 / work as f64)
}

/// What tries come to: their median, and the greatest less the smallest as a part of it. None without tries.
pub fn spread(tries: &[f64]) -> Option<(f64, f64)> {
    let value = median(&mut tries.to_vec());
    let most = tries.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let least = tries.iter().copied().fold(f64::INFINITY, f64::min);
    (value > 0.0).then(|| (value, (most - least) / value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_in_both_loads() {
        assert_eq!(per_message([40_461_369, 56_702_788], [50, 150]), Some(162_414.19));
        assert_eq!(per_message([56_702_788, 40_461_369], [50, 150]), None, "the larger load cost less");
        assert_eq!(per_message([1, 2], [50, 50]), None);
    }

    #[test]
    fn tries_come_to_their_median_and_spread() {
        assert_eq!(spread(&[155_383.0, 155_359.0, 155_383.0]), Some((155_383.0, 24.0 / 155_383.0)));
        assert_eq!(spread(&[7.0]), Some((7.0, 0.0)));
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[0.0, 0.0, 0.0]), None, "nothing was done");
    }
}
