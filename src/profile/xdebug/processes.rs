//! One file of Xdebug's into which several processes wrote, read process by process.

use std::path::Path;

use super::build::Room;
use super::file::{sink_error, xdebug_profile};
use super::forks;
use super::record::Recorder;
use super::spill::Spill;
use crate::profile::error::Error;
use crate::profile::names::Functions;
use crate::profile::read::{FileProfile, Look};

/// Reads the parts of a file into which several processes wrote, or gives none where their parts are not told from each
/// other. What none of them can have written is left out.
pub(super) fn by_process(
    path: &Path,
    text: &[u8],
    writers: u64,
    room: Room,
    look: Look<'_>,
    names: &mut Functions,
) -> Result<Option<FileProfile>, Error> {
    let parts = forks::parts(text);
    let writers = writers.max(parts.parts.len() as u64);
    if writers < 2 {
        return Ok(None);
    }
    let mut whole: Option<FileProfile> = None;
    let mut read = 0;
    // How long each process's script ran, from its first ancestor's start: one that ended with the fork tells when that
    // was.
    let mut lasted: Vec<Option<u64>> = Vec::new();
    for (number, part) in parts.parts.iter().enumerate() {
        let before = parts.before(number);
        let length: usize = before.iter().map(|range| range.len()).sum();
        let marks = look.marks.unwrap_or(&[]).iter().map(|mark| (length + part.written_until(*mark)) as u64).collect();
        let first = number == 0;
        // Where it is not known when the fork was, an open frame's own time is that of one process.
        let until_fork = part.ended.and_then(|beside| lasted[beside]).unwrap_or(i64::MAX as u64);
        let mut recorder = match first {
            true => Recorder::marked(Spill::new(), marks),
            false => {
                let before = before.iter().map(|range| &text[range.clone()]);
                Recorder::forked(Spill::new(), before, marks, Some(until_fork)).map_err(sink_error)?
            }
        };
        part.own.iter().try_for_each(|range| recorder.push(&text[range.clone()])).map_err(sink_error)?;
        let mut recorded = recorder.finish().map_err(sink_error)?;
        let found = &recorded.found;
        // Its summary counts from the first ancestor's start.
        let ticks = if first { Some(recorded.own) } else { found.summary };
        lasted.push(ticks.map(|cost| (cost.time.max(0) as u64).saturating_mul(found.header.nanoseconds_per_tick())));
        if found.torn || found.redefined > 0 || found.records == 0 {
            continue;
        }
        recorded.found.summary = found.summary.filter(|_| first);
        let mut file = xdebug_profile(path, recorded, false, look, room, names)?;
        if let Some(defect) = &mut file.summary.first_defect {
            // As the file has it, not as the process would have it in a file of its own.
            let offset = part.place((defect.offset as usize).saturating_sub(length));
            let lines = memchr::memchr_iter(b'\n', &text[..offset.min(text.len())]).count();
            (defect.offset, defect.line) = (offset as u64, lines as u64 + 1);
        }
        read += parts.bytes(number);
        match &mut whole {
            None => whole = Some(file),
            Some(sum) => sum.join(&mut file)?,
        }
    }
    let Some(mut file) = whole else { return Ok(None) };
    let summary = &mut file.summary;
    summary.writers = writers;
    if read < text.len() {
        summary.complete = false;
        summary.recovered_share = summary.recovered_share.min(read as f64 / text.len() as f64);
        summary.warnings.push(format!(
            "written by {writers} processes into one file: {read} of {} bytes are credited to functions; it is not known \
             which process wrote the others",
            text.len(),
        ));
    } else {
        summary.warnings.push(format!(
            "written by {writers} processes into one file: what was before a fork is counted once; calls that were open \
             at a fork took at least the time that they have by themselves"
        ));
    }
    if parts.doubtful > 0 {
        summary.warnings.push(format!(
            "blocks of the file that more than one process may have written: {}; which caller the calls there have is \
             not certain",
            parts.doubtful
        ));
    }
    Ok(Some(file))
}
