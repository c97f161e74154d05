//! Floors that were recorded elsewhere: a CSV with the header `wave,messages,METRIC...` (`sessions` beside or instead
//! of `messages`; `pid` and `seconds` where they are known), `#` comments, one row a wave. Text in, findings out; it opens
//! no file. Columns are separated by commas, semicolons or tabs.
//!
//! One comment is read, where it fits the rows: `# wave: N messages in M sessions, B bytes each` tells the sessions of
//! a wave and the size of a mail. All else is taken from the columns alone.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::csv_columns::{ByteUnit as Unit, Figure, Measured};
use crate::model::{Decides, Growth, Judgement, Metric, Missed, Reason, State, Why};
use crate::phrase;
use crate::verdict::{Bounds, Case, Floor, Per, is_sparse, judge_lives, judge_sparse};

pub use super::csv_columns::ByteUnit;

/// Bytes of a page: resident memory comes in whole ones.
const PAGE: f64 = 4096.0;

/// No process has less memory than this at its most, in bytes: figures below are kilobytes or megabytes.
const LEAST_MEMORY: f64 = 65_536.0;

/// No machine has more memory than this, in bytes (x86-64 addresses 4 PiB at most).
const MOST_MEMORY: f64 = 4_503_599_627_370_496.0;

/// Bytes of a record up to which a buffer of them, emptied in step with equal waves, is worth a word.
const RECORD: f64 = 4096.0;

/// What makes a CSV of floors unreadable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    /// There is no header.
    #[error("{path}: no header; the first line that is no comment must be `wave,messages,METRIC...`")]
    NoHeader {
        /// The file.
        path: PathBuf,
    },
    /// The header or a row is wrong.
    #[error("{path}:{line}: {what}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong, and what belongs there.
        what: String,
    },
    /// There is a header, and no row.
    #[error("{path}: no rows after the header; each wave needs one")]
    NoRows {
        /// The file.
        path: PathBuf,
    },
}

/// One column of figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name in the header.
    pub name: String,
    /// A value for each row; none where the field was empty.
    pub values: Vec<Option<f64>>,
}

/// A CSV of floors.
#[derive(Debug, Clone, PartialEq)]
pub struct FloorTable {
    /// The wave of each row.
    pub waves: Vec<u32>,
    /// Messages since the start, where they were counted.
    pub messages: Option<Vec<u64>>,
    /// Sessions since the start, where they were counted or a comment tells them.
    pub sessions: Option<Vec<u64>>,
    /// Bytes of a mail, where a comment tells them.
    pub mail: Option<f64>,
    /// Sessions of a wave, where a comment tells them.
    pub sessions_a_wave: Option<u64>,
    /// The process of each row, where a column tells it.
    pub pids: Option<Vec<u64>>,
    /// The second of each row, where a column tells it.
    pub seconds: Option<Vec<f64>>,
    /// The other columns, in their order.
    pub columns: Vec<Column>,
}

/// What is said of one column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnFinding {
    /// The column's name.
    pub metric: String,
    /// What it was taken for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Metric>,
    /// What its floors show.
    pub state: State,
    /// Why it was not judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Its growth.
    pub growth: Option<Growth>,
    /// The growth's 95% interval.
    pub ci95: Option<[f64; 2]>,
    /// Even growth below this could have been missed, in the growth's unit.
    pub could_have_missed: Option<f64>,
    /// What else could have been missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<Missed>,
    /// What was seen, in words.
    pub evidence: String,
    /// What it rests on, or what kept it from being decided.
    pub why: Vec<Why>,
    /// What would decide it, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_decide: Option<String>,
    /// What holds the memory: totals do not tell.
    pub holders: Vec<String>,
}

impl FloorTable {
    /// Reads the text of a CSV. `path` is for the errors' text alone.
    pub fn parse(path: &Path, text: &str) -> Result<Self, CsvError> {
        let mut header: Option<Header> = None;
        let mut hint = None;
        let mut table = FloorTable {
            waves: Vec::new(),
            messages: None,
            sessions: None,
            mail: None,
            sessions_a_wave: None,
            pids: None,
            seconds: None,
            columns: Vec::new(),
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for comment in text.lines().filter_map(|line| line.trim().strip_prefix('#')) {
            hint = hint.or_else(|| WaveHint::parse(comment));
        }
        let mut rows = csv::ReaderBuilder::new()
            .delimiter(separator(text))
            .comment(Some(b'#'))
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        for row in rows.records() {
            let wrong = |line: u64, what: String| CsvError::Line { path: path.to_owned(), line: line as usize, what };
            let row = row.map_err(|error| {
                wrong(error.position().map_or(0, csv::Position::line), "it is no row of a CSV".to_owned())
            })?;
            let line = row.position().map_or(0, csv::Position::line);
            let fields: Vec<&str> = row.iter().collect();
            if fields.iter().all(|field| field.is_empty()) || fields[0].starts_with('#') {
                continue;
            }
            match &header {
                None => {
                    let found = Header::parse(&fields).map_err(|what| wrong(line, what))?;
                    table.messages = found.messages.map(|_| Vec::new());
                    table.sessions = found.sessions.map(|_| Vec::new());
                    table.pids = found.pid.map(|_| Vec::new());
                    table.seconds = found.seconds.map(|_| Vec::new());
                    let column = |of: &Measured| Column { name: of.name.clone(), values: Vec::new() };
                    table.columns = found.metrics.iter().map(column).collect();
                    header = Some(found);
                }
                Some(header) => table.push(header, &fields).map_err(|what| wrong(line, what))?,
            }
        }
        if header.is_none() {
            return Err(CsvError::NoHeader { path: path.to_owned() });
        }
        if table.waves.is_empty() {
            return Err(CsvError::NoRows { path: path.to_owned() });
        }
        if let Some(hint) = hint {
            table.take_hint(&hint);
        }
        Ok(table)
    }

    fn push(&mut self, header: &Header, fields: &[&str]) -> Result<(), String> {
        if fields.len() != header.width {
            return Err(format!("{} fields, the header has {}", fields.len(), header.width));
        }
        let wave: u32 = whole(fields[header.wave], "wave")?;
        if let Some(&last) = self.waves.last().filter(|&&last| wave <= last) {
            return Err(format!("wave {wave} after wave {last}; waves must rise"));
        }
        for (name, at, into) in
            [("messages", header.messages, &mut self.messages), ("sessions", header.sessions, &mut self.sessions)]
        {
            let (Some(at), Some(into)) = (at, into) else { continue };
            let count: u64 = whole(fields[at], name)?;
            if let Some(&last) = into.last().filter(|&&last| count < last) {
                return Err(format!(
                    "{name} fell from {last} to {count}; they are counted from the start, not by wave"
                ));
            }
            into.push(count);
        }
        for (measured, column) in header.metrics.iter().zip(&mut self.columns) {
            column.values.push(measured.value(fields)?);
        }
        if let (Some(at), Some(into)) = (header.pid, &mut self.pids) {
            into.push(whole(fields[at], "pid")?);
        }
        if let (Some(at), Some(into)) = (header.seconds, &mut self.seconds) {
            into.push(second(fields[at], into.last().copied())?);
        }
        self.waves.push(wave);
        Ok(())
    }

    /// Believes the comment on a wave's make-up only where the counted messages agree with it.
    fn take_hint(&mut self, hint: &WaveHint) {
        let fits = self.messages.as_ref().is_some_and(|messages| {
            messages.iter().zip(&self.waves).all(|(&messages, &wave)| messages == u64::from(wave) * hint.messages)
        });
        if !fits {
            return;
        }
        self.mail = Some(hint.bytes);
        self.sessions_a_wave = Some(hint.sessions);
        if self.sessions.is_none() {
            self.sessions = Some(self.waves.iter().map(|&wave| u64::from(wave) * hint.sessions).collect());
        }
    }

    /// Judges each column by the rule: the whole of the file. `unit` is that of memory whose column does not name one.
    pub fn judge(&self, unit: Option<ByteUnit>, bounds: &Bounds) -> Vec<ColumnFinding> {
        self.columns.iter().map(|column| self.judge_column(column, unit, bounds)).collect()
    }

    fn judge_column(&self, column: &Column, unit: Option<ByteUnit>, bounds: &Bounds) -> ColumnFinding {
        let Some(figure) = Figure::named(&column.name) else {
            let why = Why::UnknownFigure { name: column.name.clone() };
            return finding(column, None, Judgement::not_judged(Reason::NotReadable, why));
        };
        let metric = figure.metric;
        let unit = figure.unit.or(unit.filter(|_| metric.is_memory()));
        let known = || column.values.iter().flatten().copied();
        if is_never_zero(metric) && known().all(|value| value == 0.0) {
            return finding(column, Some(metric), Judgement::not_judged(Reason::NotReadable, Why::NoFloor));
        }
        // No count of bytes: a part of one, of resident memory a part of a page, or less in all than any process has.
        let grain = if metric.is_resident() { PAGE } else { 1.0 };
        let too_small = known().fold(0.0, f64::max) < LEAST_MEMORY;
        let odd = known().filter(|&value| too_small || value % grain != 0.0).count();
        if metric.is_memory() && unit.is_none() && odd > 0 {
            let mut asked = Judgement::not_judged(Reason::NotReadable, Why::WrongUnit { odd });
            asked.would_decide = Some(Decides::Unit);
            return finding(column, Some(metric), asked);
        }
        let floors = self.floors(column, unit.map_or(1.0, Unit::bytes));
        if metric.is_memory() && floors.iter().any(|floor| floor.value.abs() > MOST_MEMORY) {
            let odd = floors.iter().filter(|floor| floor.value.abs() > MOST_MEMORY).count();
            return finding(column, Some(metric), Judgement::not_judged(Reason::NotReadable, Why::WrongUnit { odd }));
        }
        if floors.is_empty() {
            return finding(column, Some(metric), Judgement::not_judged(Reason::NotReadable, Why::NoFloor));
        }
        let worked = self.messages.as_ref().is_some_and(|messages| messages.iter().any(|&count| count > 0));
        let by_session = self.sessions.is_some() && (metric.is_count() || !worked);
        let case = Case {
            per: if by_session { Per::Sessions } else { Per::Messages },
            large_mail: self.mail,
            parallel: self.sessions_a_wave.and_then(|sessions| u32::try_from(sessions).ok()),
            ..Case::new(metric, &floors)
        };
        let mut judgement = if is_sparse(&case) { judge_sparse(&case, bounds) } else { judge_lives(&case, bounds) };
        if judgement.state == State::Leak && metric == Metric::Heap && self.could_be_in_step(&judgement) {
            judgement.why.push(Why::EqualWaves);
        }
        finding(column, Some(metric), judgement)
    }

    /// Whether growth in equal waves is as small as a buffer of records can bring that walks in step with them.
    fn could_be_in_step(&self, judgement: &Judgement) -> bool {
        let work = self.messages.as_ref().or(self.sessions.as_ref());
        let steps: Vec<u64> =
            work.map_or_else(Vec::new, |work| work.windows(2).map(|pair| pair[1] - pair[0]).collect());
        let equal = steps.windows(2).all(|pair| pair[0] == pair[1]);
        let rate = judgement.growth.map_or(0.0, |growth| growth.value / 1000.0);
        equal && rate * (judgement.waves as f64) < RECORD
    }

    fn floors(&self, column: &Column, unit: f64) -> Vec<Floor> {
        let count = |counts: &Option<Vec<u64>>, row: usize| counts.as_ref().map_or(0, |counts| counts[row]);
        let row = |(row, value): (usize, &Option<f64>)| {
            let (messages, sessions) = (count(&self.messages, row), count(&self.sessions, row));
            value.map(|value| Floor {
                pid: self.pids.as_ref().and_then(|pids| u32::try_from(pids[row]).ok()),
                seconds: self.seconds.as_ref().map(|seconds| seconds[row]),
                ..Floor::new(self.waves[row], messages, sessions, value * unit)
            })
        };
        column.values.iter().enumerate().filter_map(row).collect()
    }
}

fn finding(column: &Column, kind: Option<Metric>, judgement: Judgement) -> ColumnFinding {
    ColumnFinding {
        metric: column.name.clone(),
        kind,
        evidence: phrase::evidence(kind.unwrap_or(Metric::Heap), &judgement),
        would_decide: phrase::would_decide(&judgement),
        state: judgement.state,
        reason: judgement.reason,
        growth: judgement.growth,
        ci95: judgement.ci95,
        could_have_missed: judgement.could_have_missed,
        missed: judgement.missed,
        why: judgement.why,
        holders: Vec::new(),
    }
}

/// The separator of a text: what stands most often in its header.
fn separator(text: &str) -> u8 {
    let header = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or("");
    let count = |separator: &u8| header.bytes().filter(|byte| byte == separator).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(count).unwrap_or(b',')
}

fn whole<T: std::str::FromStr>(field: &str, name: &str) -> Result<T, String> {
    field.parse().map_err(|_| format!("`{field}` in column {name} is no whole number"))
}

/// A running process has some of it: where all is 0, nothing was measured.
fn is_never_zero(metric: Metric) -> bool {
    metric.is_memory() || matches!(metric, Metric::Fd | Metric::Threads)
}

/// The second of a row; those of one clock never fall.
fn second(field: &str, last: Option<f64>) -> Result<f64, String> {
    let second = field.parse().ok().filter(|second: &f64| second.is_finite());
    let second = second.ok_or_else(|| format!("`{field}` in column seconds is no figure"))?;
    match last {
        Some(last) if second < last => {
            Err(format!("seconds fell from {last} to {second}; they are those of one clock and never fall"))
        }
        _ => Ok(second),
    }
}

/// Where the columns stand.
#[derive(Debug, Clone)]
struct Header {
    width: usize,
    wave: usize,
    messages: Option<usize>,
    sessions: Option<usize>,
    pid: Option<usize>,
    seconds: Option<usize>,
    metrics: Vec<Measured>,
}

impl Header {
    fn parse(fields: &[&str]) -> Result<Self, String> {
        let place = |name: &str| fields.iter().position(|field| field.eq_ignore_ascii_case(name));
        if let Some((at, name)) = fields.iter().enumerate().find(|(at, name)| fields[..*at].contains(name)) {
            return Err(format!("column {} is called `{name}` like one before it", at + 1));
        }
        let wave = place("wave").ok_or("no column `wave`; the header is `wave,messages,METRIC...`")?;
        let (messages, sessions) = (place("messages"), place("sessions"));
        if messages.is_none() && sessions.is_none() {
            return Err(
                "neither a column `messages` nor one `sessions`: growth needs work to be measured by".to_owned()
            );
        }
        let (pid, seconds) = (place("pid"), place("seconds"));
        let counted = [Some(wave), messages, sessions, pid, seconds];
        let taken = |at: usize| counted.contains(&Some(at));
        let others = fields.iter().enumerate().filter(|(at, _)| !taken(*at));
        let metrics: Vec<Measured> = others.map(|(at, name)| Measured::new(at, name)).collect();
        if metrics.is_empty() {
            return Err("no column to judge after the work".to_owned());
        }
        Ok(Header { width: fields.len(), wave, messages, sessions, pid, seconds, metrics })
    }
}

/// `wave: N messages in M sessions, B bytes each`.
#[derive(Debug, Clone, PartialEq)]
struct WaveHint {
    messages: u64,
    sessions: u64,
    bytes: f64,
}

impl WaveHint {
    fn parse(comment: &str) -> Option<Self> {
        let words: Vec<&str> = comment.trim().strip_prefix("wave:")?.split_whitespace().collect();
        let [messages, "messages", "in", sessions, "sessions,", bytes, "bytes", "each"] = words[..] else {
            return None;
        };
        Some(WaveHint {
            messages: messages.parse().ok()?,
            sessions: sessions.parse().ok()?,
            bytes: bytes.parse::<u64>().ok()? as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<FloorTable, CsvError> {
        FloorTable::parse(Path::new("floors.csv"), text)
    }

    #[test]
    fn columns_comments_and_the_make_up_of_a_wave() {
        let text = "# case: none\n# wave: 500 messages in 20 sessions, 200 bytes each\nwave,messages,heap,rss\n0,0,5,\n1,500,6,7\n";
        let table = parse(text).unwrap();
        assert_eq!(table.sessions, Some(vec![0, 20]));
        assert_eq!(table.mail, Some(200.0));
        assert_eq!(table.columns[1], Column { name: "rss".into(), values: vec![None, Some(7.0)] });
    }

    #[test]
    fn a_comment_that_does_not_fit_the_rows_is_not_believed() {
        let table = parse("# wave: 500 messages in 20 sessions, 200 bytes each\nwave,messages,heap\n0,0,5\n1,300,6\n");
        assert_eq!(table.unwrap().sessions, None);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, said) in [
            ("", "floors.csv: no header"),
            ("# only\n", "floors.csv: no header"),
            ("wave,messages,heap\n", "no rows"),
            ("messages,heap\n1,2\n", "floors.csv:1: no column `wave`"),
            ("wave,heap\n1,2\n", "neither a column `messages`"),
            ("wave,messages\n1,2\n", "no column to judge"),
            ("wave,messages,heap,heap\n1,2,3,4\n", "called `heap` like one before it"),
            ("wave,messages,heap\n1,2\n", "floors.csv:2: 2 fields, the header has 3"),
            ("wave,messages,heap\n1,2,3\n1,4,3\n", "floors.csv:3: wave 1 after wave 1"),
            ("wave,messages,heap\n1,2,3\n2,1,3\n", "messages fell from 2 to 1"),
            ("wave,messages,heap\n1,2,much\n", "`much` in column heap is no figure"),
            ("wave,messages,heap\n1,2,-1\n", "is no figure"),
            ("wave,messages,heap\n1,x,3\n", "`x` in column messages is no whole number"),
            ("wave,messages,fds\n1,2,10\n2,3,10.5\n", "floors.csv:3: `10.5` in column fds is no whole number"),
            ("wave,messages,threads\n1,2,0.5\n", "floors.csv:2: `0.5` in column threads is no whole number"),
            ("wave,messages,seconds,heap\n1,2,9,3\n2,3,8.5,3\n", "floors.csv:3: seconds fell from 9 to 8.5"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }
}
