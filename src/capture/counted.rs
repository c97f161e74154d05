//! What a process cost by callgrind's file of it: the sum of its own cost lines, from a file that is whole.

use std::io;
use std::path::Path;

use crate::profile::{Error, Options, read_paths};

/// The event that callgrind counts always.
const INSTRUCTIONS: &str = "Ir";

/// Why a file tells nothing.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// It is cut off, damaged, or no file of callgrind's.
    #[error("it is cut off or damaged")]
    Cut,
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The instructions that a file of callgrind's holds.
///
/// # Errors
/// It is not whole, or cannot be read.
pub fn instructions(path: &Path) -> Result<u64, CountError> {
    // Callgrind writes its sum last.
    if !ends_with_sum(path)? {
        return Err(CountError::Cut);
    }
    let profile = match read_paths(&[path.to_owned()], &Options { threads: 1, ..Options::default() }) {
        Err(Error::Io { source, .. }) => return Err(source.into()),
        read => read.map_err(|_| CountError::Cut)?,
    };
    let whole = profile.files.iter().all(|file| file.complete);
    let graph = profile.graph.as_ref().filter(|_| whole).ok_or(CountError::Cut)?;
    let at = graph.event(INSTRUCTIONS).ok_or(CountError::Cut)?;
    let own = graph.functions.values().map(|function| function.own.get(at).copied().unwrap_or(0)).sum::<i64>();
    u64::try_from(own).map_err(|_| CountError::Cut)
}

fn ends_with_sum(path: &Path) -> io::Result<bool> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(200)))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    let last = end.strip_suffix(b"\n").and_then(|end| end.rsplit(|byte| *byte == b'\n').next());
    Ok(last.is_some_and(|line| line.starts_with(b"totals: ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "# callgrind format\nversion: 1\ncreator: callgrind-3.19.0\npid: 7\ncmd:  php x\npart: 1\n\n\n\
                         desc: Trigger: Program termination\n\npositions: line\nevents: Ir\nsummary: 42\n\n\n\
                         ob=(1) /usr/bin/php\nfl=(1) ???\nfn=(1) zend_hash_find\n0 12\ncfn=(2) memcpy\ncalls=1 0 \n0 30\n\n\
                         fn=(2)\n0 30\n\ntotals: 42\n";

    #[test]
    fn a_file_is_summed_and_one_that_is_cut_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("callgrind.out.7");
        let of = |text: &str| {
            std::fs::write(&path, text).unwrap();
            instructions(&path)
        };
        assert_eq!(of(WHOLE).unwrap(), 42);
        for length in [0, 20, 150, WHOLE.len() - 40, WHOLE.len() - 3] {
            assert!(matches!(of(&WHOLE[..length]), Err(CountError::Cut)), "{length} bytes");
        }
        assert!(matches!(of("hello\n"), Err(CountError::Cut)));
        assert!(matches!(instructions(&folder.path().join("gone")), Err(CountError::Io(_))));
    }
}
