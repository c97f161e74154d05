//! Runs that never were, one for each verdict, as the report gets them. Every figure is made up by the
//! formulas below; they only have to agree with each other.

use std::collections::BTreeMap;

use profile_run::analysis::flame::{Cost, Flame, Slice};
use profile_run::analysis::laid::Step;
use profile_run::analysis::result::*;
use profile_run::analysis::view::*;
use profile_run::model::load_stats::LoadStats;
use profile_run::model::{Breaks, NativeFunction, ThresholdUnit, Unmeasured, WarningKind};
use profile_run::phrase::grouped;
use serde_json::json;

const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * 1024.0;

/// All of them, by name.
pub fn all() -> Vec<(&'static str, RunView)> {
    vec![
        ("leak", leak()),
        ("leak-unknown", leak_unknown()),
        ("leak-fd", leak_fd()),
        ("clean", clean()),
        ("plateau", plateau()),
        ("inconclusive", inconclusive()),
        ("failed", failed()),
        ("interrupted", interrupted()),
        ("no-profile", no_profile()),
        ("broken", broken()),
        ("empty", empty()),
        ("hostile", hostile()),
    ]
}

struct Scenario {
    name: &'static str,
    asked: &'static str,
    waves: u32,
    messages: u64,
    sessions: u64,
    parallel: u32,
    seconds: f64,
    rest: f64,
    latency: [f64; 4],
}

const SCENARIOS: [Scenario; 5] = [
    Scenario {
        name: "smoke",
        asked: "10",
        waves: 10,
        messages: 1,
        sessions: 1,
        parallel: 1,
        seconds: 0.02,
        rest: 0.2,
        latency: [0.9, 1.2, 1.4, 1.4],
    },
    Scenario {
        name: "sequential",
        asked: "10,000",
        waves: 12,
        messages: 1000,
        sessions: 1000,
        parallel: 1,
        seconds: 0.69,
        rest: 1.2,
        latency: [0.62, 0.84, 1.93, 7.91],
    },
    Scenario {
        name: "churn",
        asked: "5,000 at once",
        waves: 10,
        messages: 500,
        sessions: 500,
        parallel: 480,
        seconds: 0.38,
        rest: 1.3,
        latency: [311.0, 352.0, 381.0, 402.0],
    },
    Scenario {
        name: "large",
        asked: "200 at once",
        waves: 10,
        messages: 20,
        sessions: 20,
        parallel: 188,
        seconds: 0.55,
        rest: 1.4,
        latency: [880.0, 911.0, 940.0, 951.0],
    },
    Scenario {
        name: "handshake",
        asked: "1,000",
        waves: 10,
        messages: 0,
        sessions: 100,
        parallel: 380,
        seconds: 0.04,
        rest: 1.1,
        latency: [0.31, 0.42, 0.63, 2.1],
    },
];

/// How a metric moves: from work done so far (messages and sessions of all scenarios) to its floor.
struct Model {
    heap: fn(&Work) -> f64,
    rss: fn(&Work) -> f64,
    fd: fn(&Work) -> f64,
    sockets: fn(&Work) -> f64,
}

#[derive(Default, Clone)]
struct Work {
    messages: f64,
    sessions: f64,
    large: f64,
    handshakes: f64,
    step: u32,
}

fn noise(step: u32) -> f64 {
    f64::from(step.wrapping_mul(2_654_435_761) >> 20) / 4096.0 - 0.5
}

fn sound() -> Model {
    Model {
        heap: |_| 2.31 * MIB,
        rss: |w| 23.4 * MIB + (noise(w.step) * 3.0).round() * 4.0 * KIB,
        fd: |_| 9.0,
        sockets: |_| 1.0,
    }
}

/// Waves, floors, load and series of a run of all five scenarios.
fn run(model: &Model) -> RunView {
    let mut view = empty();
    let mut work = Work::default();
    let mut now = 0.9;
    let mut tracks: Vec<Track> = [
        ("rss", "bytes"),
        ("heap", "bytes"),
        ("fd", "count"),
        ("ESTABLISHED", "count"),
        ("CLOSE_WAIT", "count"),
        ("messages/s", "per second"),
    ]
    .map(|(name, unit)| Track { name: name.into(), unit: unit.into(), points: Vec::new() })
    .into();
    for scenario in &SCENARIOS {
        let (mut messages, mut sessions) = (0, 0);
        for wave in 0..=scenario.waves {
            if wave > 0 {
                let begin = now;
                let end = begin + scenario.seconds;
                view.result.waves.push(WaveRow {
                    pass: Pass::Measure,
                    scenario: scenario.name.into(),
                    wave,
                    begin,
                    end,
                    settle: scenario.rest,
                    settle_deadline: false,
                    messages: scenario.messages,
                    sessions: scenario.sessions,
                    parallel: scenario.parallel,
                });
                messages += scenario.messages;
                sessions += scenario.sessions;
                work.messages += scenario.messages as f64;
                work.sessions += scenario.sessions as f64;
                work.large += if scenario.name == "large" { scenario.messages as f64 } else { 0.0 };
                work.handshakes += if scenario.name == "handshake" { scenario.sessions as f64 } else { 0.0 };
                sample(&mut tracks, model, &work, scenario, begin, end, true);
                now = end;
            }
            work.step += 1;
            sample(&mut tracks, model, &work, scenario, now, now + scenario.rest, false);
            now += scenario.rest;
            for (metric, value) in [
                ("heap", (model.heap)(&work)),
                ("rss", (model.rss)(&work)),
                ("fd", (model.fd)(&work)),
                ("sockets", (model.sockets)(&work)),
                ("fd_socket", (model.sockets)(&work) + 1.0),
                ("fd_file", 3.0),
                ("rss_file", 14.2 * MIB),
            ] {
                let (scenario, metric) = (scenario.name.to_owned(), metric.to_owned());
                view.result.floors.push(FloorRow { scenario, wave, messages, sessions, metric, value });
            }
        }
        let [p50, p90, p99, max] = scenario.latency;
        let nothing = LoadStats::new(profile_run::model::plan::scenario::Unit::Messages, 0);
        view.result.load.push(LoadRow {
            messages_sent: messages,
            messages_accepted: messages,
            sessions,
            seconds: scenario.seconds * f64::from(scenario.waves),
            latency_ms: Quantiles { count: messages, p50, p90, p99, max },
            peak_open: u64::from(scenario.parallel),
            client_cpu_seconds: 0.4,
            ..LoadRow::new(scenario.name, None, Pass::Measure, &nothing, Some(1.9))
        });
        view.asked.push(Asked {
            scenario: scenario.name.into(),
            asked: scenario.asked.into(),
            run: format!("{} × {}", scenario.waves, grouped(scenario.sessions)),
        });
    }
    view.timeline.tracks = tracks;
    setup(&mut view);
    profile(&mut view);
    view.result.seconds = now + 46.0;
    let peak = view.timeline.tracks[0].points.iter().map(|point| point.1).fold(0.0, f64::max);
    view.result.samples_summary = BTreeMap::from([("rss_peak".into(), peak), ("samples".into(), 2561.0)]);
    view
}

fn sample(tracks: &mut [Track], model: &Model, work: &Work, scenario: &Scenario, begin: f64, end: f64, loaded: bool) {
    let mut t = begin;
    while t < end {
        let jitter = noise((t * 971.0) as u32);
        let open = if loaded { f64::from(scenario.parallel) * (0.92 + 0.12 * jitter) } else { 0.0 };
        let extra = if loaded && scenario.name == "large" { 17.0 * MIB } else { 0.0 };
        let speed = if loaded { scenario.messages.max(scenario.sessions) as f64 / scenario.seconds } else { 0.0 };
        let left = (model.sockets)(work) - 1.0;
        for (at, value) in [
            (model.rss)(work) + extra,
            (model.heap)(work) + extra * 0.5 * (1.0 + 0.2 * jitter),
            (model.fd)(work) + open,
            open,
            left,
            speed * (1.0 + 0.08 * jitter),
        ]
        .into_iter()
        .enumerate()
        {
            tracks[at].points.push((t, value.max(0.0)));
        }
        t += if scenario.seconds < 0.1 && loaded { 0.01 } else { 0.05 };
    }
}

fn setup(view: &mut RunView) {
    let result = &mut view.result;
    let command = |words: &str| -> Vec<String> { words.split(' ').map(str::to_owned).collect() };
    result.started = "2026-11-25T14:02:33+01:00".into();
    result.target.command = command("php bin/console smtp:serve -vvv");
    result.target.settings = BTreeMap::from([
        (
            "measure".into(),
            PassSettings {
                command: command("php -d xdebug.mode=off bin/console smtp:serve -vvv"),
                environment: BTreeMap::from([("XDEBUG_MODE".into(), "off".into())]),
                address: Some("127.0.0.1:2525".into()),
            },
        ),
        (
            "profile".into(),
            PassSettings {
                command: command(
                    "php -d xdebug.mode=profile -d xdebug.start_with_request=yes -d xdebug.output_dir=/srv/out/profile -d xdebug.profiler_output_name=cachegrind.out.%p -d xdebug.use_compression=0 -d opcache.enable_cli=0 -d opcache.jit=off bin/console smtp:serve -vvv",
                ),
                environment: BTreeMap::from([("XDEBUG_MODE".into(), "profile".into())]),
                address: Some("127.0.0.1:2525".into()),
            },
        ),
    ]);
    result.target.versions = BTreeMap::from([("php".into(), "8.2.36".into()), ("xdebug".into(), "3.2.0".into())]);
    result.target.exit = BTreeMap::from([
        ("measure".into(), "stopped by SIGTERM after 0.02 s".into()),
        ("profile".into(), "exit code 0 after SIGTERM".into()),
    ]);
    result.host = BTreeMap::from([
        ("kernel".into(), json!("Linux 6.18.0")),
        ("cpus".into(), json!(2)),
        ("memory".into(), json!("7.76 GiB")),
        ("load".into(), json!([0.41, 0.32, 0.2])),
    ]);
    result.source = Source { commit: Some("7f860efc2a".into()), dirty: Some(true), branch: Some("main".into()) };
    view.reproduce = "profile-run --budget 3m --seed 7 -- php bin/console smtp:serve -vvv".into();
    view.last_words = vec![
        (
            "measure".into(),
            vec!["accepted id=17999 bytes=1024".into(), "accepted id=18000 bytes=1024".into(), "bye".into()],
        ),
        ("profile".into(), vec!["accepted id=812 bytes=1024".into()]),
    ];
    view.not_exercised = vec!["STARTTLS: no scenario asks for it.".into(), "AUTH: add `--auth USER:PASS`.".into()];
}

fn profile(view: &mut RunView) {
    const STACKS: [(&str, u64, u64); 22] = [
        ("{main}", 40, 20),
        ("{main};Symfony\\Component\\Console\\Application->run", 90, 60),
        ("{main};Symfony\\Component\\Console\\Application->run;App\\Command\\SmtpServeCommand->execute", 60, 40),
        ("RUN", 110, 70),
        ("RUN;php::stream_select", 3100, 0),
        ("RUN;App\\Smtp\\Server->accept", 120, 300),
        ("RUN;App\\Smtp\\Server->accept;php::stream_socket_accept", 390, 90),
        ("RUN;App\\Smtp\\Server->accept;App\\Smtp\\Session->__construct", 240, 800),
        ("RUN;App\\Smtp\\Server->read", 210, 10),
        ("RUN;App\\Smtp\\Server->read;php::fread", 420, 1200),
        ("RUN;App\\Smtp\\Server->read;App\\Smtp\\Session->feed", 320, 90),
        ("RUN;App\\Smtp\\Server->read;App\\Smtp\\Session->feed;App\\Smtp\\Parser->line", 1030, 120),
        ("RUN;App\\Smtp\\Server->read;App\\Smtp\\Session->feed;App\\Smtp\\Parser->line;php::strpos", 780, 0),
        ("RUN;App\\Smtp\\Server->read;App\\Smtp\\Session->feed;App\\Smtp\\Parser->line;php::substr", 1030, 900),
        ("RUN;App\\Smtp\\Server->read;App\\Smtp\\Session->feed;App\\Smtp\\Session->command", 210, 30),
        (
            "RUN;App\\Smtp\\Server->read;App\\Smtp\\Session->feed;App\\Smtp\\Session->command;App\\Smtp\\Access->allows",
            300,
            0,
        ),
        (
            "RUN;App\\Smtp\\Server->read;App\\Smtp\\Session->feed;App\\Smtp\\Session->command;App\\Smtp\\Access->allows;php::in_array",
            750,
            0,
        ),
        ("RUN;App\\Smtp\\Server->read;App\\Smtp\\Session->feed;App\\Smtp\\Session->command;php::preg_match", 590, 380),
        ("RUN;App\\Smtp\\Server->read;App\\Smtp\\Session->feed;App\\Smtp\\Session->reply;php::fwrite", 410, 10),
        ("RUN;App\\Smtp\\Server->read;App\\Smtp\\Session->feed;App\\Mail\\Store->put", 230, 1400),
        ("RUN;App\\Smtp\\Server->read;App\\Smtp\\Session->feed;App\\Mail\\Store->put;php::file_put_contents", 310, 200),
        ("RUN;App\\Smtp\\Server->read;App\\Smtp\\Session->feed;App\\Mail\\Store->put;Psr\\Log\\NullLogger->info", 4, 2),
    ];
    const RUN: &str = "{main};Symfony\\Component\\Console\\Application->run;App\\Command\\SmtpServeCommand->execute;App\\Smtp\\Server->run";
    let stack = |text: &str| text.replacen("RUN", RUN, 1);
    let folded = |cost: &Cost, busy: bool, slice: &Slice| -> Vec<String> {
        STACKS
            .iter()
            .filter(|(text, _, _)| !(busy && text.ends_with("stream_select")))
            .map(|(text, time, bytes)| {
                let grown = if *slice == Slice::Last && text.ends_with("in_array") { 138 } else { 100 };
                let part = if *slice == Slice::All { 10 } else { 1 };
                let value = if *cost == Cost::Time { time * 100_000 } else { bytes * 1024 };
                format!("{} {}", stack(text), value * part * grown / 1000)
            })
            .filter(|line| !line.ends_with(" 0"))
            .collect()
    };
    for cost in [Cost::Time, Cost::Allocation] {
        for busy in [false, true] {
            let load = |name: &str| Slice::Load(name.to_owned());
            for slice in [Slice::All, Slice::First, Slice::Last, load("sequential"), load("churn")] {
                if cost == Cost::Allocation && busy {
                    continue;
                }
                let folded = folded(&cost, busy, &slice);
                view.flames.push(Flame { cost: cost.clone(), busy, ..flame(slice, &folded) });
            }
        }
    }
    view.waiting = vec!["php::stream_select".into()];
    let mut functions: Vec<FunctionRow> = Vec::new();
    for (text, time, bytes) in STACKS {
        let whole = stack(text);
        let name = whole.rsplit(';').next().unwrap_or_default().to_owned();
        let inclusive: u64 = STACKS
            .iter()
            .filter(|(other, ..)| stack(other).split(';').any(|frame| frame == name))
            .map(|(_, t, _)| t)
            .sum();
        let calls = time * 6 + 1;
        let exact = |scenario: &str, calls: Option<u64>| {
            let known = name == "php::in_array";
            known.then(|| (scenario.to_owned(), calls)).into_iter().collect()
        };
        functions.push(FunctionRow {
            file: if name.starts_with("php::") { "php:internal".into() } else { "/srv/app/src/Smtp/Server.php".into() },
            own: (time * 100_000) as i64,
            inclusive: (inclusive * 100_000) as i64,
            calls,
            allocation: (bytes * 1024) as i64,
            calls_per_message: Some(calls as f64 / 1000.0),
            each_message: exact("sequential", Some(1)),
            each_session: exact("handshake", None),
            waiting: name == "php::stream_select",
            drift: Some(if name == "php::in_array" { 0.38 } else { 0.01 }),
            object: String::new(),
            costs: Vec::new(),
            parts: Vec::new(),
            name,
        });
    }
    functions.sort_by_key(|function| std::cmp::Reverse(function.own));
    let top = functions.iter().filter(|f| !f.waiting).take(5).map(|f| f.name.clone()).collect();
    view.result.profile = Some(ProfileSummary {
        files: vec!["profile/cachegrind.out.4711".into()],
        top,
        overhead: Some(2.41),
        total_ns: functions.iter().map(|f| f.own.unsigned_abs()).sum(),
        waiting_ns: 310_000_000,
        waves: vec![PartRow {
            scenario: Some("sequential".into()),
            wave: Some(1),
            messages: Some(980),
            sessions: Some(1000),
            records: 2_600_000,
            time: 2_000_000_000,
            waiting: 300_000_000,
        }],
        served: Some(true),
        processes: vec![
            process(ProcessRole::Master, None, 4711, 1),
            process(ProcessRole::Worker, Some("App\\Smtp\\Worker->run"), 4712, 12),
            process(ProcessRole::Helper, None, 4790, 3),
        ],
        figures: ProfileFigures {
            records: 2_650_938,
            complete: true,
            recovered_share: 1.0,
            messages: 1000,
            total_allocation: functions.iter().map(|f| f.allocation).sum(),
            tenths: Vec::new(),
            drift: vec![DriftRow {
                name: "php::in_array".into(),
                file: "php:internal".into(),
                caller: Some("App\\Smtp\\Session->command".into()),
                grows: Grows::CostPerCall,
                scenario: Some("sequential".into()),
                first: 2100.0,
                last: 19_800.0,
                tenths: (0..10).map(|tenth| 2100.0 + 1966.7 * f64::from(tenth)).collect(),
                calls: [204, 198],
                share: 0.11,
            }],
            drift_looked_for: true,
            functions,
        },
    });
}

/// Processes that ran the same.
fn process(role: ProcessRole, entry: Option<&str>, pid: i32, count: u64) -> ProcessRow {
    let function = |name: &str, own: i64| FunctionRow {
        name: name.into(),
        file: "src/Smtp/Worker.php".into(),
        own,
        inclusive: own,
        calls: count * 40,
        allocation: 4096,
        waiting: name == "php::stream_select",
        ..FunctionRow::default()
    };
    let process = |at: u64| ProcessId {
        pid: pid + at as i32,
        started: Some(1000 + at).filter(|_| at > 0),
        profile: format!("cachegrind.out.{}", pid + at as i32),
    };
    ProcessRow {
        role,
        count,
        script: "/srv/app/bin/console".into(),
        entry: entry.map(Into::into),
        served: role == ProcessRole::Master,
        processes: (0..count).map(process).collect(),
        records: count * 80,
        complete: true,
        total_ns: 90_000_000,
        waiting_ns: 60_000_000,
        total_allocation: 8192,
        functions: vec![function("php::stream_select", 60_000_000), function("App\\Smtp\\Session->line", 30_000_000)],
    }
}

/// A finding with nothing but its state.
pub fn finding(metric: &str, scenario: &str, state: State) -> Finding {
    Finding {
        metric: Metric::ALL.into_iter().find(|known| known.name() == metric).expect("a metric of result.json"),
        scenario: scenario.into(),
        state,
        reason: None,
        growth: None,
        ci95: None,
        steady: false,
        lives: false,
        source: None,
        could_have_missed: None,
        evidence: String::new(),
        would_decide: None,
        holders: Vec::new(),
        locations: Vec::new(),
        accepted: None,
    }
}

fn growing(metric: &str, scenario: &str, unit: Unit, per: Per, value: f64, spread: f64) -> Finding {
    Finding {
        growth: Some(Growth { value, unit, per }),
        ci95: Some([value - spread, value + spread]),
        evidence: format!("Grew in 11 of 11 steps, {} the same in each third of the work.", scenario),
        ..finding(metric, scenario, State::Leak)
    }
}

fn clean_cell(metric: &str, scenario: &str) -> Finding {
    let (unit, limit) = match metric {
        "heap" => (Unit::Bytes, 2900.0),
        "rss" => (Unit::Bytes, 41_000.0),
        "fd" => (Unit::Descriptors, 3.0),
        _ => (Unit::Sockets, 3.0),
    };
    let per =
        if metric == "fd" || metric == "sockets" || scenario == "handshake" { Per::Sessions } else { Per::Messages };
    Finding {
        growth: Some(Growth { value: 0.0, unit, per }),
        ci95: Some([-limit / 4.0, limit / 3.0]),
        steady: false,
        lives: false,
        could_have_missed: Some(limit),
        evidence: "Stands where it stood after wave 1.".into(),
        ..finding(metric, scenario, State::Clean)
    }
}

fn too_short(metric: &str, scenario: &str) -> Finding {
    Finding {
        reason: Some(Reason::TooShort),
        steady: false,
        lives: false,
        could_have_missed: Some(if metric == "heap" || metric == "rss" { 1_240_000.0 } else { 300.0 }),
        evidence: "10 messages; 5,000 are the least.".into(),
        would_decide: Some("4,990 more messages (4 s) would decide.".into()),
        ..finding(metric, scenario, State::NotJudged)
    }
}

/// Clean wherever enough was tested.
fn cells() -> Vec<Finding> {
    let mut out = Vec::new();
    for metric in ["heap", "rss", "fd", "sockets"] {
        for scenario in &SCENARIOS {
            out.push(if scenario.name == "smoke" {
                too_short(metric, scenario.name)
            } else {
                clean_cell(metric, scenario.name)
            });
        }
    }
    out
}

fn replace(findings: &mut Vec<Finding>, finding: Finding) {
    let same = |f: &&mut Finding| f.metric == finding.metric && f.scenario == finding.scenario;
    match findings.iter_mut().find(same) {
        Some(old) => *old = finding,
        None => findings.push(finding),
    }
}

/// Censuses before the load, after each wave of sequential and after one of churn, in which a worker began anew.
fn censuses() -> Censuses {
    let taken = |scenario: &str, wave: u32, pid: i32| Taken {
        scenario: scenario.into(),
        wave,
        work: u64::from(wave) * 1000,
        noun: "message",
        pid,
    };
    let mut all: Vec<Taken> = (0..=12).map(|wave| taken("sequential", wave, 4711)).collect();
    all.push(taken("churn", 1, 4712));
    let over = |each: u64, base: u64| -> Vec<Option<u64>> {
        all.iter().map(|taken| Some(base + if taken.pid == 4711 { each * taken.work } else { 0 })).collect()
    };
    let row = |kind: Counted, name: &str, of: &str, counts, bytes| CountedRow {
        kind,
        name: name.into(),
        of: of.into(),
        counts,
        bytes,
    };
    let mut rows = vec![
        row(Counted::Part, "PHP heap", "", vec![None; 14], over(412, 2_200_000)),
        row(Counted::Part, "Objects in reach, and what they hold", "", over(1, 200), over(400, 1_500_000)),
        row(Counted::Class, "App\\Smtp\\Session", "", over(1, 0), over(120, 0)),
        row(Counted::Container, "App\\Smtp\\Server->sessions[]", "App\\Smtp\\Session", over(1, 0), over(400, 0)),
        row(Counted::Resource, "stream:tcp_socket", "", over(0, 1), vec![None; 14]),
    ];
    for n in 0..10 {
        rows.push(row(Counted::Class, &format!("App\\Part{n}"), "", over(0, n), vec![Some(0); 14]));
        rows.last_mut().unwrap().counts[5] = Some(n + 1);
    }
    rows.sort_by_key(|row| row.kind as u8);
    let growth = HeapGrowth {
        scenario: "sequential".into(),
        heap: 4_944_000,
        named: 4_800_000,
        other: 0,
        garbage: 0,
        held: 0,
        engine: 144_000,
    };
    Censuses { taken: all, rows, left_out: 3, growth: vec![growth] }
}

/// A leak whose holder is known, and a plateau, and a full cache.
pub fn leak() -> RunView {
    let mut view = run(&Model {
        heap: |w| 2.1 * MIB + 412.0 * w.messages,
        rss: |w| {
            23.5 * MIB
                + if w.large > 0.0 { 9.5 * MIB } else { 0.0 }
                + (noise(w.step) * 3.0).round() * 4.0 * KIB
                + 430.0 * w.messages
        },
        fd: |w| 9.0 + (w.handshakes / 58.0).floor(),
        sockets: |w| 1.0 + (w.handshakes / 58.0).floor(),
    });
    let result = &mut view.result;
    result.verdict = Some(Verdict::Leak);
    result.exit_code = ExitCode::Failed;
    result.sentence =
        "It leaks 412 B per message: `Server->sessions[]` keeps one `Session` for every connection.".into();
    result.evidence = vec![
        "12 equal waves of 1,000 messages: after each, the server came to rest with 0.39 MiB more heap than before (95% interval 410 to 414 bytes a message, not slowing). The container holds 12,000 entries that nothing removes; they explain 97% of the growth. Beside it, 17 connections stay in CLOSE_WAIT after the handshake scenario.".into(),
        "Look at `App\\Smtp\\Server->sessions`: filled in `accept()`, never unset when the client closes first.".into(),
    ];
    view.censuses = censuses();
    let mut findings = cells();
    for scenario in ["sequential", "churn", "large"] {
        let mut finding = growing("heap", scenario, Unit::Bytes, Per::Messages, 412_000.0, 2_000.0);
        if scenario == "sequential" {
            finding.holders = vec![
                Holder {
                    path: "App\\Smtp\\Server->sessions[]".into(),
                    kind: "App\\Smtp\\Session".into(),
                    what: HolderKind::Container,
                    counts: (1..=12).map(|i| i * 1000).collect(),
                    work: (1..=12).map(|i| i * 1000).collect(),
                    per_1000: 1000.0,
                    explains: Some(0.97),
                    kept: vec!["one App\\Smtp\\Session, 3 strings each".into()],
                    locations: Vec::new(),
                    by_reference: false,
                },
                Holder {
                    path: "App\\Smtp\\Access::$cache[]".into(),
                    kind: "array of bool, full at 12".into(),
                    what: HolderKind::Container,
                    counts: vec![4, 9, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12],
                    work: (1..=12).map(|i| i * 1000).collect(),
                    per_1000: 0.0,
                    explains: Some(0.0),
                    kept: Vec::new(),
                    locations: Vec::new(),
                    by_reference: false,
                },
            ];
        }
        replace(&mut findings, finding);
        replace(&mut findings, growing("rss", scenario, Unit::Bytes, Per::Messages, 430_000.0, 9_000.0));
    }
    let mut plateau = clean_cell("rss", "large");
    plateau.state = State::Plateau;
    plateau.evidence = "Rose by 9.5 MiB in wave 1, then stood still for 9 waves.".into();
    replace(&mut findings, plateau);
    let mut sockets = growing("sockets", "handshake", Unit::Sockets, Per::Sessions, 17.2, 1.1);
    sockets.holders = vec![Holder {
        path: "sockets in CLOSE_WAIT".into(),
        kind: "peer closed, server did not".into(),
        what: HolderKind::Container,
        counts: vec![1, 3, 5, 6, 8, 10, 12, 13, 15, 17],
        work: (1..=10).map(|i| i * 100).collect(),
        per_1000: 17.2,
        explains: Some(1.0),
        kept: Vec::new(),
        locations: Vec::new(),
        by_reference: false,
    }];
    replace(&mut findings, sockets);
    replace(&mut findings, growing("fd", "handshake", Unit::Descriptors, Per::Sessions, 17.2, 1.1));
    result.findings = findings;
    view.load_notes = vec![
        "churn was held to 480 sessions at once: at 1,015 the server stopped answering and spun at 98% CPU in `stream_select` (more than 1,024 descriptors). The 5,000 sessions were all run.".into(),
    ];
    view
}

/// A leak outside PHP's heap.
pub fn leak_unknown() -> RunView {
    let mut view = run(&Model { rss: |w| 23.5 * MIB + 412.0 * w.messages + noise(w.step) * 60.0 * KIB, ..sound() });
    view.result.verdict = Some(Verdict::Leak);
    view.result.exit_code = ExitCode::Failed;
    view.result.sentence = "It leaks 412 B per message outside PHP's heap (an extension or the C library).".into();
    view.result.evidence = vec!["RSS grew in 11 of 11 steps while PHP's heap stood still to the byte.".into()];
    view.result.findings = cells();
    for scenario in ["sequential", "churn"] {
        replace(&mut view.result.findings, growing("rss", scenario, Unit::Bytes, Per::Messages, 412_000.0, 60_000.0));
    }
    view.not_exercised.clear();
    view
}

/// A leak of descriptors.
pub fn leak_fd() -> RunView {
    let mut view = run(&Model {
        fd: |w| 9.0 + (w.handshakes / 29.0).floor(),
        sockets: |w| 1.0 + (w.handshakes / 29.0).floor(),
        ..sound()
    });
    view.result.verdict = Some(Verdict::Leak);
    view.result.exit_code = ExitCode::Failed;
    view.result.sentence = "It leaves one connection in CLOSE_WAIT for every 29 handshakes.".into();
    view.result.evidence = vec!["10 waves of 100 sessions: after each, 3 or 4 more sockets stay.".into()];
    view.result.findings = cells();
    for (metric, unit) in [("fd", Unit::Descriptors), ("sockets", Unit::Sockets)] {
        let mut finding = growing(metric, "handshake", unit, Per::Sessions, 34.5, 2.5);
        finding.accepted = (metric == "fd").then(|| "known since 2.1, see the tracker".to_owned());
        replace(&mut view.result.findings, finding);
    }
    view
}

/// Nothing found.
pub fn clean() -> RunView {
    let mut view = run(&sound());
    view.result.verdict = Some(Verdict::Clean);
    view.result.sentence =
        "No leak found: after 12,000 messages the heap stands where it stood (at most 3 bytes a message could have been missed).".into();
    view.result.evidence =
        vec!["12 equal waves of 1,000 messages: the heap is the same to the byte from wave 2 on.".into()];
    view.result.findings = cells();
    view
}

/// Memory rose once.
pub fn plateau() -> RunView {
    let mut view = run(&Model {
        rss: |w| 23.5 * MIB + (w.large / 40.0).min(1.0) * 9.5 * MIB + (noise(w.step) * 3.0).round() * 4.0 * KIB,
        ..sound()
    });
    view.result.verdict = Some(Verdict::Clean);
    view.result.sentence = "No leak: memory rose by 9.5 MiB with the large mails, then stood still for 8 waves.".into();
    view.result.findings = cells();
    let mut plateau = clean_cell("rss", "large");
    plateau.state = State::Plateau;
    plateau.evidence = "Rose by 9.5 MiB by wave 2, then stood still for 8 waves.".into();
    replace(&mut view.result.findings, plateau);
    view.result.warnings = vec![
        Warning {
            kind: WarningKind::AppDebug,
            text: "APP_ENV is dev.".into(),
            advice: "A debug container keeps what production does not; run it with APP_ENV=prod.".into(),
        },
        Warning {
            kind: WarningKind::MemoryLimit,
            text: "memory_limit is 128M.".into(),
            advice: "A leak of 412 B a message would reach it after 269,000 messages.".into(),
        },
    ];
    view
}

/// Growth that slows.
pub fn inconclusive() -> RunView {
    let mut view = run(&Model { heap: |w| 2.1 * MIB + 300.0 * KIB * (1.0 + w.messages / 500.0).ln(), ..sound() });
    view.result.verdict = Some(Verdict::Inconclusive);
    view.result.exit_code = ExitCode::Inconclusive;
    view.result.sentence =
        "Not decided: the heap still grows, but slower each wave. About 20,000 more messages (4 minutes) would decide."
            .into();
    view.result.evidence = vec!["It grew by 512 KiB in the first third of the work and by 98 KiB in the last.".into()];
    view.result.findings = cells();
    let mut finding = growing("heap", "sequential", Unit::Bytes, Per::Messages, 41_200.0, 18_000.0);
    finding.state = State::Inconclusive;
    finding.evidence = "Grew in 11 of 11 steps, each smaller than the one before.".into();
    finding.would_decide = Some("About 20,000 more messages (4 minutes) would decide.".into());
    replace(&mut view.result.findings, finding);
    view
}

/// A target that stopped answering.
pub fn failed() -> RunView {
    let mut view = clean();
    view.result.verdict = Some(Verdict::Failed);
    view.result.exit_code = ExitCode::TargetFailed;
    view.result.sentence =
        "It stopped answering at 1,015 connections: `stream_select` cannot watch more than 1,024 descriptors.".into();
    view.result.evidence = vec!["The process went on at 98% CPU and answered none of 4,015 sessions for 30 s.".into()];
    view.result.failures = vec![Failure {
        kind: FailureKind::SelectSet,
        scenario: "churn".into(),
        pass: Pass::Measure,
        sentence: view.result.sentence.clone(),
    }];
    for finding in view.result.findings.iter_mut().filter(|f| f.scenario == "churn") {
        finding.state = State::NotJudged;
        finding.reason = Some(Reason::Refused);
        finding.growth = None;
        finding.ci95 = None;
        finding.could_have_missed = None;
        finding.evidence = "985 of 5,000 sessions went as the scenario means them to.".into();
    }
    if let Some(churn) = view.result.load.iter_mut().find(|row| row.scenario == "churn") {
        churn.messages_sent = 985;
        churn.messages_accepted = 985;
        churn.sessions = 985;
        churn.errors = BTreeMap::from([("timeout_banner".into(), 4012), ("rcpt_451".into(), 3)]);
    }
    view.load_notes = vec!["churn ended after 30 s without a reply; 4,015 sessions were given up.".into()];
    view.result.not_measured = vec!["CPU by thread: `/proc/PID/task` could not be read (permission denied).".into()];
    view
}

/// Ctrl-C after two scenarios.
pub fn interrupted() -> RunView {
    let mut view = clean();
    let kept = |scenario: &str| scenario == "smoke" || scenario == "sequential";
    view.result.verdict = Some(Verdict::Inconclusive);
    view.result.exit_code = ExitCode::Interrupted;
    view.result.cut_off = true;
    view.result.sentence = "Not decided: the run was interrupted after 21 s, in sequential wave 9 of 12.".into();
    view.result.evidence.clear();
    view.result.waves.retain(|wave| kept(&wave.scenario) && (wave.scenario == "smoke" || wave.wave < 9));
    view.result.floors.retain(|row| kept(&row.scenario) && (row.scenario == "smoke" || row.wave < 9));
    view.result.load.retain(|row| kept(&row.scenario));
    let end = view.result.waves.iter().map(|wave| wave.end).fold(0.0, f64::max);
    for track in &mut view.timeline.tracks {
        track.points.retain(|point| point.0 <= end);
    }
    for finding in &mut view.result.findings {
        finding.state = State::NotJudged;
        finding.growth = None;
        finding.ci95 = None;
        finding.would_decide = None;
        finding.reason = Some(if kept(&finding.scenario) { Reason::TooShort } else { Reason::NotRunning });
        if !kept(&finding.scenario) {
            finding.could_have_missed = None;
        }
        finding.evidence = "The run was interrupted.".into();
    }
    for asked in view.asked.iter_mut().filter(|asked| !kept(&asked.scenario)) {
        asked.run = "not run".into();
    }
    view.flames.clear();
    view.result.profile = None;
    view.result.not_measured = vec!["The profile: the run was interrupted before its pass.".into()];
    view
}

/// A PHP without Xdebug.
pub fn no_profile() -> RunView {
    let mut view = clean();
    view.flames.clear();
    view.result.profile = None;
    view.result.not_measured = vec![
        "Where the time goes: this PHP has no Xdebug. `apt-get install php-xdebug`, or `pecl install xdebug`.".into(),
    ];
    view
}

/// A sound server that is slower than it may be.
pub fn broken() -> RunView {
    let mut view = clean();
    let result = &mut view.result;
    result.thresholds =
        vec![threshold("errors > 0.1%", "churn", 0.0, true), threshold("p99 > 300ms in churn", "churn", 381.0, false)];
    result.exit_code = ExitCode::Failed;
    result.sentence = "A threshold is broken: `p99 > 300ms in churn`: it is 381 ms, and 389 ms when run again.".into();
    view
}

fn threshold(text: &str, scenario: &str, measured: f64, held: bool) -> ThresholdRow {
    let unit = if text.starts_with("p99") { ThresholdUnit::Ms } else { ThresholdUnit::Share };
    ThresholdRow {
        text: text.into(),
        scenario: Some(scenario.into()),
        held,
        measured: Some(measured),
        unit,
        limit: 300.0,
        breaks: Breaks::Above,
        unmeasured: None,
        again: (!held && text.starts_with("p99")).then_some(measured + 8.0),
    }
}

/// Nothing at all.
pub fn empty() -> RunView {
    RunView {
        result: RunResult {
            schema: SCHEMA,
            verdict: Some(Verdict::Failed),
            sentence: "It exited at once, with code 255.".into(),
            drivers: None,
            ledger: None,
            instructions: None,
            evidence: Vec::new(),
            exit_code: ExitCode::TargetFailed,
            started: String::new(),
            seconds: 0.0,
            cut_off: false,
            scale: 1.0,
            bounds: profile_run::verdict::Bounds::default(),
            findings: Vec::new(),
            floors: Vec::new(),
            waves: Vec::new(),
            load: Vec::new(),
            profile: None,
            target: TargetInfo::default(),
            samples_summary: BTreeMap::new(),
            host: BTreeMap::new(),
            source: Source::default(),
            warnings: Vec::new(),
            not_measured: Vec::new(),
            failures: Vec::new(),
            thresholds: Vec::new(),
            baseline: None,
        },
        timeline: Timeline::default(),
        flames: Vec::new(),
        busy: None,
        messages: None,
        paths: None,
        difference: None,
        waiting: Vec::new(),
        censuses: Censuses::default(),
        asked: Vec::new(),
        load_notes: Vec::new(),
        root: Some("/srv/app".into()),
        reproduce: String::new(),
        last_words: Vec::new(),
        library: profile_run::model::Library::default(),
        editor: None,
        not_exercised: Vec::new(),
    }
}

/// Every key that a result can have is there.
pub fn full() -> RunView {
    let mut view = leak();
    let result = &mut view.result;
    result.findings[0].accepted = Some("known".into());
    let lines = ["// <b>", "$this->sessions[] = $session;", "}"];
    let line = json!([{ "role": "puts_in", "file": "/srv/app/src/Server.php", "line": 91, "function": "Server->accept",
        "class": "App\\Session", "per_1000": 1000.0, "excerpt": { "first": 90, "lines": lines } }]);
    let locations: Vec<profile_run::analysis::result::Location> = serde_json::from_value(line).expect("a line");
    result.findings[0].locations.clone_from(&locations);
    let held = result.findings.iter_mut().find_map(|finding| finding.holders.first_mut());
    let held = held.expect("a leak has a holder");
    held.by_reference = true;
    held.locations.clone_from(&locations);
    result.drivers = serde_json::from_value(json!({ "metric": "heap", "waves": 24,
        "by": [{ "driver": "message", "value": 1024.0, "ci95": [1000.0, 1048.0] }],
        "not_parted": [{ "driver": "recipient", "from": "message" }] }))
    .expect("drivers");
    result.ledger = serde_json::from_value(ledger()).expect("a ledger");
    result.instructions = Some(instructions());
    let row = &mut result.load[0];
    row.lateness_ms = Some(row.latency_ms);
    result.warnings = plateau().result.warnings;
    result.failures = failed().result.failures;
    result.not_measured = vec!["nothing".into()];
    result.baseline = Some(json!({}));
    let unmeasured = Some(Unmeasured::NoBaseline);
    result.thresholds = vec![ThresholdRow { unmeasured, ..threshold("p99 > +5%", "churn", 2.0, false) }];
    view
}

/// Instructions with all that may stand in them.
fn instructions() -> Instructions {
    let function = |name: &str, object: &str, instructions: f64| {
        json!({ "name": name, "object": object,
        "instructions": instructions })
    };
    serde_json::from_value(json!({
        "status": "counted", "seconds": 41.5,
        "scenarios": [{
            "scenario": "sequential", "per": "message", "value": 162_414.0, "tries": [162_414.0, 162_419.0, 162_414.0],
            "spread": 3.1e-5, "limit": 0.005, "loads": [50, 150], "bytes": 100, "processes": 1,
            "functions": [function("execute_ex", "php8.2", 63_442.0), function("<b>|`", "libc.so.6", 4_819.0)],
            "files": ["count/callgrind.out.sequential.150.4711"]
        }, {
            "scenario": "handshake", "per": "session", "value": null, "tries": [], "spread": null, "limit": null,
            "unjudged": { "file_missing": 4711 }, "loads": [50, 150], "bytes": 0, "processes": 0, "functions": [],
            "files": []
        }],
        "conditions": { "valgrind": "3.19.0", "php": "8.2.36", "features": ["amd64", "avx2"], "tunables": "x=y",
            "mail": ["auth"], "builds": [{ "file": "libc.so.6", "build": "93ac61ec5a8eb139" }] }
    }))
    .expect("instructions")
}

/// A ledger with all that may stand in it.
fn ledger() -> serde_json::Value {
    let acts = json!(["ehlo", "mail", "rcpt", "data", { "message": 100 }]);
    json!({
        "status": "keeps_less", "why": 1_400, "seconds": 6.2, "script": "reproduce.smtp",
        "steps": [{
            "acts": acts, "pipelined": true, "readings": 4, "kept": 1_024, "least": 1_024, "most": 1_280, "garbage": 0,
            "regularity": "each_time", "refusals": ["rcpt_550"]
        }],
        "kept": [{
            "at": { "step": { "message": 100 } }, "nth": 1, "bytes": 1_024, "each": true, "per_byte": 1.0,
            "shortest": { "acts": acts, "pipelined": true }, "played": 2_017
        }],
        "left_out": [{ "step": "rset", "unanswered": true }],
        "garbage": { "bytes": 512, "conversations": 100 }
    })
}

/// A flamegraph of lines, each a stack, outermost first, and its self cost.
fn flame(slice: Slice, lines: &[String]) -> Flame {
    Flame::of_stacks(
        slice,
        lines.iter().map(|line| {
            let (stack, value) = line.rsplit_once(' ').expect("a cost");
            (stack.split(';').collect(), value.parse().expect("a number"))
        }),
    )
}

/// The stacks of a flamegraph that shows all it has, and their costs.
fn lines(flame: &Flame) -> Vec<String> {
    let mut lines = Vec::new();
    flame.stacks.stacks(|stack, cost| {
        let name = |step: &Step| match step {
            Step::Function(name) | Step::Again(name) => flame.names[*name as usize].clone(),
            Step::LeftOut | Step::Deeper(_) => panic!("nothing is left out"),
        };
        lines.push(format!("{} {cost}", stack.iter().map(name).collect::<Vec<_>>().join(";")));
    });
    lines
}

/// A flamegraph of the same kind with other stacks.
fn redrawn(kind: &mut Flame, lines: &[String]) {
    *kind = Flame { cost: kind.cost.clone(), busy: kind.busy, ..flame(kind.slice.clone(), lines) };
}

/// A long run of a large program: 60 waves a scenario, tens of thousands of different stacks.
pub fn large() -> RunView {
    let mut view = leak();
    let waves = view.result.waves.clone();
    let floors = view.result.floors.clone();
    for round in 1..5 {
        view.result.waves.extend(waves.iter().cloned().map(|mut wave| {
            wave.wave += round * 12;
            wave.begin += f64::from(round) * 80.0;
            wave.end += f64::from(round) * 80.0;
            wave
        }));
        view.result.floors.extend(floors.iter().cloned().map(|mut row| {
            row.wave += round * 12;
            row.messages += u64::from(round) * 12_000;
            row
        }));
    }
    for track in &mut view.timeline.tracks {
        let points = track.points.clone();
        track
            .points
            .extend((1..5).flat_map(|round| points.iter().map(move |(t, v)| (t + f64::from(round) * 80.0, *v))));
    }
    for flame in &mut view.flames {
        let stacks = (0..3_000u64).map(|n| {
            let depth = 4 + n % 24;
            let frames: Vec<String> = (0..depth)
                .map(|d| {
                    format!("App\\Module{}\\Service{}->method{}", n % (d + 2), n * 7 % (d * 5 + 3), n % (d * d * 9 + 1))
                })
                .collect();
            format!("{{main}};{} {}", frames.join(";"), 100 + n * n % 9973)
        });
        redrawn(flame, &stacks.collect::<Vec<_>>());
    }
    view
}

/// What may stand in names: markup, quotes, controls, very long words, writing from the right.
pub const HOSTILE: [&str; 8] = [
    "</script><script>document.title='owned'</script>",
    "\"><img src=x onerror=\"document.title='owned'\">",
    "it's & \"quoted\" <b>",
    "class@anonymous\0/srv/app/a.php:3$0",
    "\u{202e}gnp.exe\u{202c} שלום مرحبا",
    "|`*_[x](y)<!--",
    "{{ 7 * 7 }} ${7 * 7} %s \u{1b}[31m",
    "App\\Very\\Long\\NameOfAClassThatNobodyWouldEverWriteButSomeGeneratorDidAndHereItIsInFullLengthSoThatItRunsOutOfEveryBox->andAMethodOfTheSameKind",
];

/// Hostile strings wherever a string may stand.
pub fn hostile() -> RunView {
    let mut view = leak();
    let at = |n: usize| HOSTILE[n % HOSTILE.len()].to_owned();
    let result = &mut view.result;
    result.sentence = format!("It leaks 412 B per message: `{}` keeps `{}`; {}.", at(7), at(3), at(0));
    result.evidence = (0..4).map(at).collect();
    let rename = |name: &str| match name {
        "large" => at(0),
        "churn" => at(4),
        "handshake" => at(7),
        other => other.to_owned(),
    };
    for finding in &mut result.findings {
        finding.scenario = rename(&finding.scenario);
        finding.evidence = at(1);
        for (n, holder) in finding.holders.iter_mut().enumerate() {
            holder.path = format!("{}->x", at(n + 3));
            holder.kind = at(n);
            holder.kept = (0..8).map(at).collect();
        }
    }
    result.thresholds = (0..HOSTILE.len()).map(|n| threshold(&at(n), &at(n + 1), 0.0, n % 2 == 0)).collect();
    result.findings.push(finding("threads", &at(1), State::Clean));
    for wave in &mut result.waves {
        wave.scenario = rename(&wave.scenario);
    }
    for row in &mut result.floors {
        row.scenario = rename(&row.scenario);
    }
    for row in &mut result.load {
        row.scenario = rename(&row.scenario);
        row.errors = (0..8).map(|n| (at(n), n as u64)).collect();
    }
    for asked in &mut view.asked {
        asked.scenario = rename(&asked.scenario);
    }
    for (n, track) in view.timeline.tracks.iter_mut().enumerate().skip(4) {
        track.name = at(n + 4);
    }
    let mut counted = instructions();
    for row in &mut counted.scenarios {
        row.scenario = at(4);
        row.files = (0..8).map(at).collect();
    }
    let function =
        |n: usize| NativeFunction { name: at(n), object: at(n + 1), instructions: 10_000.0 * (n + 1) as f64 };
    counted.scenarios[0].functions = (0..8).map(function).collect();
    if let Some(conditions) = &mut counted.conditions {
        (conditions.valgrind, conditions.features) = (at(1), (0..8).map(at).collect());
    }
    result.instructions = Some(counted);
    view.timeline.tracks[0].points[10].1 = f64::NAN;
    result.warnings = (0..8).map(|n| Warning { kind: WarningKind::Other, text: at(n), advice: at(n + 1) }).collect();
    result.not_measured = (0..8).map(at).collect();
    result.target.command = (0..8).map(at).collect();
    for n in 0..8 {
        result.host.insert(at(n), json!(at(n + 1)));
        result.target.versions.insert(at(n), at(n + 2));
    }
    for flame in &mut view.flames {
        let mut stacks = lines(flame);
        stacks.extend((0..8).map(|n| {
            let value = 9_000_000 + n as u64;
            format!("{{main}};{};{} {value}", at(n).replace(';', ":"), at(n + 1).replace(';', ":"))
        }));
        redrawn(flame, &stacks);
    }
    let functions = &mut result.profile.as_mut().expect("the leak has a profile").figures.functions;
    for n in 0..8 {
        let mut row = functions[n].clone();
        row.name = at(n);
        row.file = at(n + 1);
        functions.push(row);
    }
    view.load_notes = (0..8).map(at).collect();
    view.reproduce = at(0);
    view.last_words = vec![(at(0), (0..8).map(at).collect())];
    view.not_exercised = (0..8).map(at).collect();
    view
}
