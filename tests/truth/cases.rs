//! Every case with its truth, written down before it was run: what is kept in the allocator's bytes, not in those that
//! were asked for.

/// One server, one planted fault, one load, and what is true of them.
pub struct Case {
    /// Server.
    pub server: Server,
    /// Value of SMTP_FAULT; of a small server its kind.
    pub fault: &'static str,
    /// Value of `--load`.
    pub load: &'static str,
    /// Value of `--budget`, in seconds.
    pub budget: u32,
    /// What is so.
    pub truth: Truth,
    /// Twice as many runs: it stands near a bound, or looks like the opposite.
    pub doubtful: bool,
    /// In the short form, too.
    pub short: bool,
    /// Two threads of the suite keep the CPUs busy meanwhile.
    pub loaded: bool,
    /// What is true of it can hardly be told within its budget: it may stay undecided, and must not be wrong.
    pub hard: bool,
    /// Value of `--settle`.
    pub settle: Option<&'static str>,
}

/// Which server is run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// The embedded PHP server: its heap can be read.
    Php,
    /// aiosmtpd: RSS only.
    Python,
    /// One of `fixtures/servers`, in this language; it keeps what its kind says.
    Small(Language),
}

/// What a small server is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// `kinds.php`
    Php,
    /// `kinds.py`
    Python,
    /// `kinds.c`
    C,
    /// `kinds.js`
    Node,
    /// `Kinds.java`, in 64 MB by the serial collector
    Java,
}

/// What is true of a case.
pub enum Truth {
    /// Nothing grows without bound.
    Sound,
    /// It leaks, in one of these metrics.
    Leak {
        /// Metrics that show it.
        metrics: &'static [&'static str],
        /// The only scenario that leaks; `None`: whichever.
        only: Option<&'static str>,
        /// Growth for 1,000 messages or sessions, or an hour, lowest and highest that can be true; in the unit of the
        /// first metric.
        growth: Option<[f64; 2]>,
    },
    /// It leaks, and each worker is replaced before that shows: no leak for good, and clean by restarts only.
    Masked,
    /// The target stops; the kind of the failure, as result.json has it.
    Fails(&'static str),
}

impl Case {
    /// Its name in the table.
    pub fn name(&self) -> String {
        let server = match self.server {
            Server::Php => "php".to_owned(),
            Server::Python => "python".to_owned(),
            Server::Small(language) => format!("small {language:?}").to_lowercase(),
        };
        let loaded = if self.loaded { " on a loaded machine" } else { "" };
        let settled = if self.settle.is_some() { " with --settle" } else { "" };
        format!("{server} {} under {}{loaded}{settled}", self.fault, self.load)
    }

    fn doubtful(mut self) -> Self {
        self.doubtful = true;
        self
    }

    fn short(mut self) -> Self {
        self.short = true;
        self
    }

    fn loaded(mut self) -> Self {
        self.loaded = true;
        self
    }

    fn hard(mut self) -> Self {
        self.hard = true;
        self
    }

    fn settled(mut self, command: &'static str) -> Self {
        self.settle = Some(command);
        self
    }

    fn budget(mut self, seconds: u32) -> Self {
        self.budget = seconds;
        self
    }
}

fn case(server: Server, fault: &'static str, load: &'static str, truth: Truth) -> Case {
    // RSS alone takes twice the messages that the heap takes.
    let budget = if matches!(server, Server::Php | Server::Small(Language::Php)) { 60 } else { 120 };
    let [doubtful, short, loaded, hard] = [false; 4];
    Case { server, fault, load, budget, truth, doubtful, short, loaded, hard, settle: None }
}

fn small(language: Language, kind: &'static str, truth: Truth) -> Case {
    case(Server::Small(language), kind, "sequential", truth)
}

fn php(fault: &'static str, load: &'static str, truth: Truth) -> Case {
    case(Server::Php, fault, load, truth)
}

fn python(fault: &'static str, load: &'static str, truth: Truth) -> Case {
    case(Server::Python, fault, load, truth)
}

fn leak(metrics: &'static [&'static str], growth: [f64; 2]) -> Truth {
    Truth::Leak { metrics, only: None, growth: Some(growth) }
}

fn only(scenario: &'static str, metrics: &'static [&'static str], growth: [f64; 2]) -> Truth {
    Truth::Leak { metrics, only: Some(scenario), growth: Some(growth) }
}

/// Kept at each message in PHP's heap: a block of 1,024 bytes for a payload of 992, and the slot of 16 in an array that
/// doubles, which is anything from nothing to 32 over a window.
const KILOBYTE: [f64; 2] = [1_024_000.0, 1_075_000.0];

/// The same of an object, a closure or a session beside it.
const OBJECT: [f64; 2] = [800_000.0, 2_200_000.0];

/// One descriptor a session.
const EACH: [f64; 2] = [999.0, 1_001.0];

/// CPython's block for `bytes` of 1,000: malloc's 1,056, and what malloc loses between others, up to a quarter.
const PYTHON: [f64; 2] = [1_056_000.0, 1_350_000.0];

/// All cases; the doubtful ones of each kind last.
pub fn all() -> Vec<Case> {
    [faults(), kinds()].into_iter().flatten().collect()
}

/// A page of shared memory, or of a memfd, for each message; malloc's own for 4 kB.
const PAGE: [f64; 2] = [4_090_000.0, 4_450_000.0];

/// Small servers, each of a kind that a verdict was once wrong about.
fn kinds() -> Vec<Case> {
    use Language::{C, Java, Node, Php, Python};
    use Truth::{Fails, Sound};
    const HEAP: &[&str] = &["heap", "rss"];
    const DESCRIPTORS: &[&str] = &["fd", "sockets"];
    const RSS: &[&str] = &["rss"];
    const COLLECT: &str = "jcmd {pid} GC.run";
    let of = |load, case: Case| Case { load, ..case };
    let recipe = |case: Case| of("recipe", case);
    vec![
        // Garbage, with no collector or with one that comes too late; and with one that comes.
        small(Php, "cycle10", leak(HEAP, [11_100.0, 15_000.0])).budget(90),
        small(Php, "cycle", leak(HEAP, [111_000.0, 150_000.0])),
        of("large", small(Php, "mail_cycle:512M", Fails("memory_limit"))).budget(120),
        of("large", small(Php, "mail_cycle:8G", leak(HEAP, [4_990_000_000.0, 5_100_000_000.0]))).budget(120).hard(),
        small(Php, "mixed", leak(HEAP, KILOBYTE)).budget(90),
        // A list that doubles, with few elements.
        small(Php, "doubling", leak(HEAP, [2_500.0, 3_300.0])).budget(90),
        // Memory of the tree that is neither anonymous nor the listening process's.
        small(Php, "helper", leak(HEAP, KILOBYTE)).budget(90),
        small(Python, "helper", leak(RSS, PAGE)),
        small(Python, "shared", leak(RSS, PAGE)),
        small(Python, "memfd", leak(RSS, PAGE)),
        small(C, "shared", leak(RSS, PAGE)),
        // Processes and threads.
        small(Python, "zombie", leak(&["processes"], [49.0, 51.0])),
        small(Python, "forking", leak(&["processes"], EACH)),
        small(C, "thread", leak(&["threads"], [49.0, 51.0])),
        // Descriptors.
        small(Python, "rare_socket", leak(DESCRIPTORS, [9.0, 11.0])),
        small(Python, "close_wait", leak(DESCRIPTORS, EACH)),
        // Plain leaks, late ones, on one path only, by the client's address.
        small(C, "leak", leak(RSS, [1_007_000.0, 1_010_000.0])),
        small(Python, "late", leak(RSS, PYTHON)).hard(),
        of("refused,sequential", small(Python, "refused", only("refused", RSS, PYTHON))).budget(180),
        small(Python, "peer", leak(RSS, [1_056_000.0, 1_700_000.0])),
        small(Python, "timer", Truth::Leak { metrics: RSS, only: None, growth: None }).budget(240).hard(),
        // What comes in steps that hide it.
        small(C, "huge", leak(RSS, [170_000.0, 170_000.0])).hard(),
        small(C, "table", leak(RSS, [63_000.0, 143_000.0])).hard(),
        // No leak.
        small(C, "sound", Sound),
        small(C, "cache", Sound),
        small(Python, "batch", Sound),
        small(Python, "sqrt", Sound).hard(),
        recipe(small(Python, "sound", Sound)),
        recipe(small(Python, "slow", Sound)).budget(60).hard(),
        // Workers that come and go, and the process behind them that stays.
        recipe(small(Python, "prefork", Sound)),
        small(Python, "prefork_leak", leak(RSS, PAGE)),
        // Runtimes that collect when they will, and when they are told to.
        small(Node, "sound", Sound).hard(),
        small(Node, "leak", leak(RSS, [1_000_000.0, 1_400_000.0])).hard(),
        small(Node, "cache", Sound).hard(),
        small(Java, "cache", Sound).hard(),
        small(Java, "cache", Sound).settled(COLLECT).hard(),
        small(Java, "leak", leak(RSS, [1_040_000.0, 1_150_000.0])).settled(COLLECT),
    ]
}

/// The embedded server and aiosmtpd, each with a fault that is planted in it.
fn faults() -> Vec<Case> {
    use Truth::{Fails, Masked, Sound};
    const HEAP: &[&str] = &["heap", "rss"];
    const DESCRIPTORS: &[&str] = &["fd", "sockets"];
    const RSS: &[&str] = &["rss"];
    vec![
        // Nothing planted.
        php("none", "sequential", Sound).short(),
        php("none", "smoke,sequential,churn,large,handshake", Sound).budget(120),
        php("none", "large,sequential", Sound),
        php("none", "sequential", Sound).loaded().doubtful(),
        // Leaks of PHP's heap at each message, in each kind of container.
        php("message", "sequential", leak(HEAP, KILOBYTE)).short(),
        php("string", "sequential", leak(HEAP, [991_000.0, 1_100_000.0])),
        php("static", "sequential", leak(HEAP, KILOBYTE)),
        php("fnstatic", "sequential", leak(HEAP, KILOBYTE)),
        php("closure", "sequential", leak(HEAP, OBJECT)),
        php("linked", "sequential", leak(HEAP, OBJECT)),
        php("storage", "sequential", leak(HEAP, OBJECT)),
        php("queue", "sequential", leak(HEAP, OBJECT)),
        php("session", "sequential", leak(HEAP, OBJECT)),
        php("message", "sequential", leak(HEAP, KILOBYTE)).loaded(),
        // At other rates and sizes: 48 bytes and a slot; 1 MB in whole pages.
        php("message:10", "sequential", leak(HEAP, [102_400.0, 107_500.0])),
        php("message:1000:1000000", "sequential", leak(HEAP, [900_000.0, 1_110_000.0])).budget(90),
        php("message:1:16", "sequential", leak(HEAP, [48_000.0, 99_000.0])).doubtful(),
        php("message:1000", "sequential", leak(HEAP, [900.0, 1_150.0])).budget(90).doubtful(),
        // Outside PHP's heap: malloc's block for 992.
        php("ffi", "sequential", leak(RSS, [990_000.0, 1_030_000.0])).doubtful(),
        // Descriptors.
        php("file", "sequential", leak(&["fd"], EACH)).budget(45).short(),
        php("file:20", "sequential", leak(&["fd"], [49.0, 51.0])),
        php("socket", "sequential", leak(DESCRIPTORS, EACH)),
        php("open", "sequential", leak(DESCRIPTORS, EACH)),
        php("established", "sequential", leak(DESCRIPTORS, EACH)),
        // On one path only.
        php("abrupt", "abrupt,sequential", only("abrupt", HEAP, [0.0, 1_100_000.0])).budget(90),
        php("large", "large,sequential", only("large", HEAP, KILOBYTE)).budget(120),
        php("refused", "refused,sequential", only("refused", HEAP, KILOBYTE)).budget(90),
        // By the clock: 36,000 ticks an hour.
        php("timer", "sequential", Truth::Leak { metrics: HEAP, only: None, growth: None }).budget(120).doubtful(),
        // What only looks like a leak.
        php("cycle:1", "sequential", Sound).budget(90).doubtful(),
        php("cycle:50", "sequential", Sound),
        php("cache:500", "sequential", Sound),
        php("cache:3000", "sequential", Sound).budget(90).doubtful(),
        php("warm:1500", "sequential", Sound),
        php("log:150", "sequential", Sound).budget(90).doubtful(),
        php("late", "sequential", Sound).budget(120).doubtful(),
        php("highwater", "sequential,churn", Sound).budget(90),
        php("noise", "sequential", Sound).doubtful(),
        php("neighbour", "sequential", Sound),
        php("restart:1000", "sequential", Sound).budget(90).doubtful(),
        php("message,restart:1000", "sequential", Masked).budget(120).doubtful(),
        php("message,restart:5000", "sequential", Masked).budget(90).doubtful(),
        php("slow:1", "sequential", Sound).budget(120),
        // What ends the server, or stops it.
        php("crash:3000", "sequential", Fails("crash")),
        php("oom:3000", "sequential", Fails("memory_limit")),
        php("spin:3000", "sequential", Fails("spinning")),
        php("hang:3000", "sequential", Fails("asleep")),
        // Not PHP.
        python("none", "sequential", Sound),
        python("message", "sequential", leak(RSS, PYTHON)),
        python("message:10:10000", "sequential", leak(RSS, [1_003_000.0, 1_350_000.0])),
        python("message:1:256", "sequential", leak(RSS, [304_000.0, 400_000.0])).doubtful(),
        python("file", "sequential", leak(&["fd"], EACH)),
        python("close_wait", "sequential", leak(DESCRIPTORS, EACH)),
        python("established", "sequential", leak(DESCRIPTORS, EACH)),
        python("abrupt", "abrupt,sequential", only("abrupt", RSS, [0.0, 1_350_000.0])).budget(180),
        python("large:1:500000", "large,sequential", only("large", RSS, [400_000_000.0, 600_000_000.0])).budget(180),
        python("refused", "refused,sequential", only("refused", RSS, PYTHON)).budget(180),
        python("timer:1:4000", "sequential", Truth::Leak { metrics: RSS, only: None, growth: None }).doubtful(),
        python("cache:500", "sequential", Sound),
        python("log:100", "sequential", Sound).doubtful(),
        python("highwater", "sequential,churn", Sound).budget(180).doubtful(),
        python("restart:1000", "sequential", Sound).doubtful(),
    ]
}
