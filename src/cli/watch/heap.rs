//! `watch --heap`: PHP's heap beside the process's figures.

use serde::Serialize;

use crate::heap::{Census, ClassCount, CopyMode, Error, Figures, Frame, Inspector, ResourceCount};
use crate::phrase;

/// Rows of classes and of containers that the table shows; JSON has all.
const ROWS: usize = 8;

/// Frames of the stack that the table shows.
const FRAMES: usize = 6;

/// One look at a PHP's heap, as `--json` prints it.
#[derive(Debug, Serialize)]
pub struct HeapLook {
    heap: Heap,
    classes: Vec<ClassCount>,
    resources: Vec<ResourceCount>,
    holders: Vec<Container>,
    stack: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Heap {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    size: Option<u64>,
    peak: Option<u64>,
    real_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    php: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Container {
    path: String,
    count: u64,
    #[serde(rename = "type")]
    kind: String,
    bytes: u64,
}

/// Looks again and again at one process.
#[derive(Debug)]
pub struct HeapWatch {
    pid: i32,
    inspector: Option<Inspector>,
}

impl HeapWatch {
    /// Watches `pid`; nothing is read yet.
    pub fn new(pid: i32) -> Self {
        Self { pid, inspector: None }
    }

    /// Reads figures, census and stack; what cannot be read is a status.
    pub fn look(&mut self) -> HeapLook {
        self.read().unwrap_or_else(|(error, figures)| HeapLook::without(Some(&error), figures))
    }

    fn read(&mut self) -> Result<HeapLook, (Error, Option<Figures>)> {
        if self.inspector.is_none() {
            self.inspector = Some(Inspector::attach(self.pid).map_err(|error| (error, None))?);
        }
        let inspector = self.inspector.as_ref().ok_or((Error::NotPhp, None))?;
        let census = inspector.census(CopyMode::MayStop).map_err(|error| (error, inspector.figures().ok()))?;
        let unread = census.figures.is_none().then(|| inspector.figures().err()).flatten();
        Ok(HeapLook::of(census, inspector.php_version().to_owned(), unread.as_ref()))
    }
}

impl HeapLook {
    /// What PHP holds, in a word; where it could not be read, that.
    pub fn size(&self) -> String {
        self.heap.size.map_or_else(|| self.heap.status.to_owned(), |size| phrase::bytes(size as f64))
    }

    fn of(census: Census, php: String, unread: Option<&Error>) -> Self {
        let mut classes = census.classes;
        classes.sort_by_key(|class| std::cmp::Reverse(class.bytes));
        let mut holders: Vec<Container> = census
            .holders
            .into_iter()
            .map(|h| Container { path: h.path, count: h.count, kind: h.element_type, bytes: h.bytes })
            .collect();
        holders.sort_by_key(|container| std::cmp::Reverse(container.count));
        let mut look = Self::without(unread, census.figures);
        look.heap.php = Some(php);
        look.heap.warnings = census.warnings;
        look.classes = classes;
        look.resources = census.resources;
        look.holders = holders;
        look.stack = census.stack.iter().map(frame).collect();
        look
    }

    fn without(error: Option<&Error>, figures: Option<Figures>) -> Self {
        Self {
            heap: Heap {
                status: error.map_or("ok", Error::word),
                why: error.and_then(Error::why).map(str::to_owned),
                size: figures.map(|f| f.size),
                peak: figures.map(|f| f.peak),
                real_size: figures.map(|f| f.real_size),
                php: None,
                warnings: Vec::new(),
            },
            classes: Vec::new(),
            resources: Vec::new(),
            holders: Vec::new(),
            stack: Vec::new(),
        }
    }

    /// The rows of the table: name and value; an empty name goes on with the row before.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = Vec::new();
        match (self.heap.size, self.heap.peak, self.heap.real_size) {
            (Some(size), Some(peak), Some(real)) => {
                let [size, peak, real] = [size, peak, real].map(|bytes| phrase::bytes(bytes as f64));
                rows.push(("php heap", format!("{size}, highest {peak}, from the system {real}")));
            }
            _ if self.heap.status == Error::NotPhp.word() => {
                rows.push(("php heap", "none: the process is no PHP".to_owned()));
                return rows;
            }
            _ => rows.push(("php heap", "not read".to_owned())),
        }
        if self.heap.status != "ok" {
            let why = self.heap.why.as_deref().map_or(String::new(), |why| format!(": {why}"));
            rows.push(("", format!("{}{why}", self.heap.status)));
        }
        let named = |name: &'static str, lines: Vec<String>| {
            lines.into_iter().enumerate().map(move |(i, line)| (if i == 0 { name } else { "" }, line))
        };
        let counted = |count: u64, what: String| format!("{:>9} {what}", phrase::grouped(count));
        let classes = self.classes.iter().take(ROWS);
        rows.extend(named(
            "classes",
            classes.map(|c| counted(c.count, format!("{}, {}", c.name, phrase::bytes(c.bytes as f64)))).collect(),
        ));
        let holders = self.holders.iter().take(ROWS);
        rows.extend(named(
            "containers",
            holders.map(|h| counted(h.count, format!("{} in {}", h.kind, h.path))).collect(),
        ));
        rows.extend(named("stack", self.stack.iter().take(FRAMES).cloned().collect()));
        rows
    }
}

/// `Server->tick (Server.php:120)`.
fn frame(frame: &Frame) -> String {
    match (&frame.file, frame.line) {
        (Some(file), Some(line)) => format!("{} ({file}:{line})", frame.function),
        (Some(file), None) => format!("{} ({file})", frame.function),
        _ => frame.function.clone(),
    }
}
