//! `samples.jsonl`: a header line that names fields and units, then one array a sample.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};

use serde::Deserialize;

use super::{Folder, JournalError, SCHEMA};
use crate::model::{Sample, SocketCounts};

/// A field of a row: its name, its unit, and how a sample gives and takes it.
struct Field {
    name: &'static str,
    unit: &'static str,
    get: fn(&Sample) -> Option<f64>,
    set: fn(&mut Sample, f64),
}

const fn field(
    name: &'static str,
    unit: &'static str,
    get: fn(&Sample) -> Option<f64>,
    set: fn(&mut Sample, f64),
) -> Field {
    Field { name, unit, get, set }
}

fn counts(sample: &mut Sample) -> &mut SocketCounts {
    sample.sockets.get_or_insert_default()
}

/// The fields, in order.
const FIELDS: [Field; 15] = [
    field("seconds", "s", |s| Some(s.seconds), |s, v| s.seconds = v),
    field("pid", "pid", |s| Some(s.pid.into()), |s, v| s.pid = v as i32),
    field("rss", "bytes", |s| Some(s.rss as f64), |s, v| s.rss = v as u64),
    field("rss_anon", "bytes", |s| Some(s.rss_anon as f64), |s, v| s.rss_anon = v as u64),
    field("rss_file", "bytes", |s| Some(s.rss_file as f64), |s, v| s.rss_file = v as u64),
    field("rss_shmem", "bytes", |s| Some(s.rss_shmem as f64), |s, v| s.rss_shmem = v as u64),
    field("vsz", "bytes", |s| Some(s.vsz as f64), |s, v| s.vsz = v as u64),
    field("threads", "count", |s| Some(s.threads.into()), |s, v| s.threads = v as u32),
    field("cpu", "s", |s| Some(s.cpu), |s, v| s.cpu = v),
    field("fds", "count", |s| Some(s.fds.into()), |s, v| s.fds = v as u32),
    field("established", "sockets", |s| Some(s.sockets?.established.into()), |s, v| counts(s).established = v as u32),
    field("close_wait", "sockets", |s| Some(s.sockets?.close_wait.into()), |s, v| counts(s).close_wait = v as u32),
    field("other_sockets", "sockets", |s| Some(s.sockets?.other.into()), |s, v| counts(s).other = v as u32),
    field("messages", "count", |s| Some(s.messages as f64), |s, v| s.messages = v as u64),
    field("open", "sessions", |s| Some(s.open as f64), |s, v| s.open = v as u64),
];

/// The first line.
#[derive(Deserialize)]
struct Header {
    schema: u32,
    fields: Vec<(String, String)>,
}

/// Writes samples, buffered; flushed at each [`SampleWriter::flush`] and at the end.
#[derive(Debug)]
pub struct SampleWriter {
    out: BufWriter<File>,
    line: String,
}

impl SampleWriter {
    /// Begins `file` with its header.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(file: File) -> io::Result<Self> {
        let mut out = BufWriter::new(file);
        let fields: Vec<_> = FIELDS.iter().map(|field| [field.name, field.unit]).collect();
        writeln!(out, "{}", serde_json::json!({ "schema": SCHEMA, "fields": fields }))?;
        Ok(Self { out, line: String::with_capacity(160) })
    }

    /// Appends one sample.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, sample: &Sample) -> io::Result<()> {
        use std::fmt::Write as _;
        self.line.clear();
        self.line.push('[');
        for (at, field) in FIELDS.iter().enumerate() {
            if at > 0 {
                self.line.push(',');
            }
            match (field.get)(sample) {
                Some(value) if value.fract() == 0.0 => _ = write!(self.line, "{}", value as i64),
                Some(value) => _ = write!(self.line, "{value:.3}"),
                None => self.line.push_str("null"),
            }
        }
        self.line.push_str("]\n");
        self.out.write_all(self.line.as_bytes())
    }

    /// Hands everything to the kernel.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Reads the samples of a run back, by the names in their header: fields that are not known and lines that are torn are
/// passed over. A run that was cut off before its first sample has none.
///
/// # Errors
/// A newer program wrote them.
pub fn read_samples(folder: &Folder) -> Result<Vec<Sample>, JournalError> {
    let Ok(file) = folder.read_samples() else { return Ok(Vec::new()) };
    read(BufReader::new(file)).map_err(|found| JournalError::Newer { path: folder.samples(), found })
}

/// The samples, or the schema that is too new.
fn read(file: impl BufRead) -> Result<Vec<Sample>, u32> {
    // What cannot be read any further, or is no text, ends what there is.
    let mut lines = file.lines().map_while(Result::ok);
    let header = lines.next().and_then(|line| serde_json::from_str::<Header>(&line).ok());
    let Some(header) = header else { return Ok(Vec::new()) };
    if header.schema > SCHEMA {
        return Err(header.schema);
    }
    let known = |(name, _): &(String, String)| FIELDS.iter().find(|field| field.name == name);
    let fields: Vec<Option<&Field>> = header.fields.iter().map(known).collect();
    let rows = lines.filter_map(|line| serde_json::from_str::<Vec<Option<f64>>>(&line).ok());
    Ok(rows
        .map(|values| {
            let mut sample = Sample::default();
            for (field, value) in fields.iter().zip(values) {
                if let Some((field, value)) = field.zip(value) {
                    (field.set)(&mut sample, value);
                }
            }
            sample
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("samples.jsonl");
        let mut writer = SampleWriter::begin(File::create(&path).unwrap()).unwrap();
        let bare = Sample { seconds: 1.25, pid: 4242, rss: 5 << 20, vsz: 1 << 40, cpu: 0.75, ..Sample::default() };
        let sockets = Some(SocketCounts { established: 3, close_wait: 0, other: 1 });
        let whole = Sample {
            rss_anon: 1,
            rss_file: 2,
            rss_shmem: 3,
            threads: 4,
            fds: 5,
            messages: 6,
            open: 7,
            sockets,
            ..bare
        };
        writer.write(&bare).unwrap();
        writer.write(&whole).unwrap();
        writer.flush().unwrap();
        assert_eq!(read(BufReader::new(File::open(&path).unwrap())), Ok(vec![bare, whole]));
    }

    #[test]
    fn fields_are_found_by_name_and_a_newer_file_is_refused() {
        let text = "{\"schema\":2,\"fields\":[[\"pid\",\"pid\"],[\"heap\",\"bytes\"],[\"rss\",\"bytes\"]]}\n[7,null,4096]\n[7,1,";
        assert_eq!(read(text.as_bytes()), Ok(vec![Sample { pid: 7, rss: 4096, ..Sample::default() }]));
        assert_eq!(read(text.replace(":2", ":3").as_bytes()), Err(3));
        assert_eq!(read(&b"no header\n[1]\n"[..]), Ok(Vec::new()));
    }
}
