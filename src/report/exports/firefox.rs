//! A run over time for the Firefox Profiler (profiler.firefox.com, "Load a profile from file"): memory and descriptors as
//! counters, waves and rests as markers. Its processed format, as the crate of its authors writes it.

use std::time::Duration;

use fxprof_processed_profile::{
    CategoryColor, CategoryHandle, GraphColor, MarkerFieldFlags, MarkerFieldFormat, MarkerGraphType, MarkerTiming,
    Profile, ReferenceTimestamp, SamplingInterval, StaticSchemaMarker, StaticSchemaMarkerField,
    StaticSchemaMarkerGraph, StringHandle, ThreadHandle, Timestamp,
};

use crate::analysis::result::{RunResult, WaveRow};
use crate::analysis::view::{RunView, Track};
use crate::model::shell;
use crate::report::Error;

/// The profile as JSON.
pub(super) fn firefox(view: &RunView) -> Result<String, Error> {
    let result = &view.result;
    let mut profile = Profile::new("profile-run", began(result), SamplingInterval::from_millis(100));
    let start = at(0.0);
    let server = profile.add_process(&shell::line(result.target.command.iter().map(String::as_str)), 0, start);
    profile.set_process_end_time(server, at(result.seconds));
    let load = profile.add_thread(server, 0, start, true);
    profile.set_thread_name(load, "load");
    profile.set_thread_end_time(load, at(result.seconds));
    profile.set_thread_show_markers_in_timeline(load, true);
    let category = profile.add_category("load", CategoryColor::Green);
    for wave in &result.waves {
        add_wave(&mut profile, load, category, wave);
    }
    for track in &view.timeline.tracks {
        let counted = match track.name.as_str() {
            "rss" => Some(("RSS", "Memory", "Memory of all processes, as the kernel counts it", GraphColor::Blue)),
            "heap" => Some(("PHP heap", "Memory", "PHP's heap at rest, after each wave", GraphColor::Orange)),
            "fd" => Some(("Descriptors", "Descriptors", "Open descriptors of all processes", GraphColor::Purple)),
            _ => None,
        };
        if let Some((name, category, description, colour)) = counted {
            let counter = profile.add_counter(server, name, category, description);
            profile.set_counter_color(counter, colour);
            let mut before = 0.0;
            for (seconds, value) in &track.points {
                profile.add_counter_sample(counter, at(*seconds), value - before, 0);
                before = *value;
            }
        }
        if track.unit != "bytes" {
            add_graph(&mut profile, load, category, track);
        }
    }
    Ok(serde_json::to_string(&profile)?)
}

/// When the run began; the clock's own beginning where that is not known.
fn began(result: &RunResult) -> ReferenceTimestamp {
    let zoned: Option<jiff::Timestamp> = result.started.parse().ok();
    let since = zoned.and_then(|time| Duration::try_from(time.duration_since(jiff::Timestamp::UNIX_EPOCH)).ok());
    ReferenceTimestamp::from_duration_since_unix_epoch(since.unwrap_or_default())
}

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_millis_since_reference(seconds.max(0.0) * 1000.0)
}

fn add_wave(profile: &mut Profile, thread: ThreadHandle, category: CategoryHandle, wave: &WaveRow) {
    let name = profile.intern_string(&wave.scenario);
    let what = match wave.wave {
        0 => format!("{} pass, warm-up", wave.pass.name()),
        number => format!("{} pass, wave {number}", wave.pass.name()),
    };
    let what = profile.intern_string(&what);
    let seconds = (wave.end - wave.begin).max(f64::MIN_POSITIVE);
    let figures = [
        wave.messages as f64,
        wave.sessions as f64,
        f64::from(wave.parallel),
        (if wave.messages > 0 { wave.messages } else { wave.sessions }) as f64 / seconds,
    ];
    let marker = Wave { name, what, category, figures };
    profile.add_marker(thread, MarkerTiming::Interval(at(wave.begin), at(wave.end)), marker);
    if wave.settle > 0.0 {
        let name = profile.intern_string("rest");
        let text = match wave.settle_deadline {
            true => "not at rest when its time was up",
            false => "until the server was at rest",
        };
        let text = profile.intern_string(text);
        let until = at(wave.end + wave.settle);
        profile.add_marker(thread, MarkerTiming::Interval(at(wave.end), until), Rest { name, text, category });
    }
}

/// A graph of its own: what is no memory the profiler draws from markers alone.
fn add_graph(profile: &mut Profile, thread: ThreadHandle, category: CategoryHandle, track: &Track) {
    let title = match track.name.as_str() {
        "fd" => "descriptors",
        "ESTABLISHED" => "connections (ESTABLISHED)",
        "CLOSE_WAIT" => "connections (CLOSE_WAIT)",
        other => other,
    };
    let name = profile.intern_string(title);
    for (seconds, value) in &track.points {
        profile.add_marker(thread, MarkerTiming::Instant(at(*seconds)), Point { name, category, value: *value });
    }
}

/// A wave of load.
struct Wave {
    name: StringHandle,
    what: StringHandle,
    category: CategoryHandle,
    figures: [f64; 4],
}

const fn field(key: &'static str, label: &'static str, format: MarkerFieldFormat) -> StaticSchemaMarkerField {
    StaticSchemaMarkerField { key, label, format, flags: MarkerFieldFlags::SEARCHABLE }
}

impl StaticSchemaMarker for Wave {
    const UNIQUE_MARKER_TYPE_NAME: &'static str = "Wave";
    const DESCRIPTION: Option<&'static str> = Some("A wave of load: all its sessions, from the first to the last.");
    const CHART_LABEL: Option<&'static str> = Some("{marker.data.what}");
    const TABLE_LABEL: Option<&'static str> = Some("{marker.name}, {marker.data.what}");
    const TOOLTIP_LABEL: Option<&'static str> = Some("{marker.name}, {marker.data.what}");
    const FIELDS: &'static [StaticSchemaMarkerField] = &[
        field("what", "Wave", MarkerFieldFormat::String),
        field("messages", "Messages accepted", MarkerFieldFormat::Integer),
        field("sessions", "Sessions", MarkerFieldFormat::Integer),
        field("parallel", "Sessions at once, at most", MarkerFieldFormat::Integer),
        field("rate", "Per second", MarkerFieldFormat::Decimal),
    ];

    fn name(&self, _: &mut Profile) -> StringHandle {
        self.name
    }

    fn category(&self, _: &mut Profile) -> CategoryHandle {
        self.category
    }

    fn string_field_value(&self, _: u32) -> StringHandle {
        self.what
    }

    fn number_field_value(&self, field: u32) -> f64 {
        self.figures.get((field as usize).wrapping_sub(1)).copied().unwrap_or_default()
    }
}

/// From the end of a wave until the server was at rest.
struct Rest {
    name: StringHandle,
    text: StringHandle,
    category: CategoryHandle,
}

impl StaticSchemaMarker for Rest {
    const UNIQUE_MARKER_TYPE_NAME: &'static str = "Rest";
    const DESCRIPTION: Option<&'static str> = Some("From the end of a wave until its floor was taken.");
    const TABLE_LABEL: Option<&'static str> = Some("{marker.name}: {marker.data.text}");
    const FIELDS: &'static [StaticSchemaMarkerField] = &[field("text", "How", MarkerFieldFormat::String)];

    fn name(&self, _: &mut Profile) -> StringHandle {
        self.name
    }

    fn category(&self, _: &mut Profile) -> CategoryHandle {
        self.category
    }

    fn string_field_value(&self, _: u32) -> StringHandle {
        self.text
    }

    fn number_field_value(&self, _: u32) -> f64 {
        0.0
    }
}

/// A point of a graph.
struct Point {
    name: StringHandle,
    category: CategoryHandle,
    value: f64,
}

impl StaticSchemaMarker for Point {
    const UNIQUE_MARKER_TYPE_NAME: &'static str = "Count";
    const DESCRIPTION: Option<&'static str> = Some("A figure of the server or the load.");
    const TABLE_LABEL: Option<&'static str> = Some("{marker.name}: {marker.data.value}");
    const FIELDS: &'static [StaticSchemaMarkerField] = &[field("value", "Value", MarkerFieldFormat::Decimal)];
    const GRAPHS: &'static [StaticSchemaMarkerGraph] =
        &[StaticSchemaMarkerGraph { key: "value", graph_type: MarkerGraphType::Line, color: None }];

    fn name(&self, _: &mut Profile) -> StringHandle {
        self.name
    }

    fn category(&self, _: &mut Profile) -> CategoryHandle {
        self.category
    }

    fn string_field_value(&self, _: u32) -> StringHandle {
        self.name
    }

    fn number_field_value(&self, _: u32) -> f64 {
        self.value
    }
}
