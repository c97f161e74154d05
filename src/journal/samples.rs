//! `samples.jsonl`: a header line that names fields and units, then one array a sample.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};

/// Fields of a row and their units, in order.
pub const FIELDS: [(&str, &str); 16] = [
    ("seconds", "s"),
    ("pid", "pid"),
    ("rss", "bytes"),
    ("rss_anon", "bytes"),
    ("rss_file", "bytes"),
    ("rss_shmem", "bytes"),
    ("vsz", "bytes"),
    ("threads", "count"),
    ("cpu", "s"),
    ("fds", "count"),
    ("established", "sockets"),
    ("close_wait", "sockets"),
    ("other_sockets", "sockets"),
    ("heap", "bytes"),
    ("messages", "count"),
    ("open", "sessions"),
];

/// One sample of one process; absent figures are null.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Row(pub [Option<f64>; FIELDS.len()]);

impl Row {
    /// The value of a field by its name.
    pub fn get(&self, field: &str) -> Option<f64> {
        FIELDS.iter().position(|(name, _)| *name == field).and_then(|at| self.0[at])
    }

    /// Sets a field by its name; unknown names are ignored.
    pub fn set(&mut self, field: &str, value: f64) {
        if let Some(at) = FIELDS.iter().position(|(name, _)| *name == field) {
            self.0[at] = Some(value);
        }
    }
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
        let fields: Vec<_> = FIELDS.iter().map(|(name, unit)| serde_json::json!([name, unit])).collect();
        writeln!(out, "{}", serde_json::json!({ "schema": super::SCHEMA, "fields": fields }))?;
        Ok(Self { out, line: String::with_capacity(160) })
    }

    /// Appends one row.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, row: &Row) -> io::Result<()> {
        use std::fmt::Write as _;
        self.line.clear();
        self.line.push('[');
        for (at, value) in row.0.iter().enumerate() {
            if at > 0 {
                self.line.push(',');
            }
            match value {
                Some(value) if value.fract() == 0.0 => _ = write!(self.line, "{}", *value as i64),
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

/// Reads samples back; a torn last line is left out. Fields are found by the header's names.
///
/// # Errors
/// The file cannot be read.
pub fn read_samples(file: File) -> io::Result<Vec<Row>> {
    let mut lines = BufReader::new(file).lines();
    let Some(header) = lines.next().transpose()? else { return Ok(Vec::new()) };
    let header: serde_json::Value = serde_json::from_str(&header).unwrap_or_default();
    let places: Vec<Option<usize>> = header["fields"]
        .as_array()
        .map(|fields| {
            fields.iter().map(|field| FIELDS.iter().position(|(name, _)| Some(*name) == field[0].as_str())).collect()
        })
        .unwrap_or_default();
    let mut rows = Vec::new();
    for line in lines {
        let Ok(values) = serde_json::from_str::<Vec<Option<f64>>>(&line?) else { continue };
        let mut row = Row::default();
        for (place, value) in places.iter().zip(values) {
            if let Some(place) = place {
                row.0[*place] = value;
            }
        }
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("samples.jsonl");
        let mut writer = SampleWriter::begin(File::create(&path).unwrap()).unwrap();
        let mut row = Row::default();
        row.set("seconds", 1.25);
        row.set("rss", 4096.0);
        writer.write(&row).unwrap();
        writer.flush().unwrap();
        assert_eq!(read_samples(File::open(&path).unwrap()).unwrap(), vec![row]);
        assert_eq!(row.get("rss"), Some(4096.0));
        assert_eq!(row.get("heap"), None);
    }
}
