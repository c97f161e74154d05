//! How it was run: commands to paste, the environment, the server's last words, what is missing.

use serde_json::Value;

use super::words;
use crate::analysis::view::RunView;
use crate::model::shell;

/// Everything about how the run was made.
#[derive(Debug, Default)]
pub(super) struct Setup {
    /// The command that makes the run again, then each pass's own.
    pub commands: Vec<(String, String)>,
    /// Names and values.
    pub environment: Vec<(String, String)>,
    /// By pass.
    pub last_words: Vec<(String, String)>,
    /// What could not be measured, and why.
    pub not_measured: Vec<Vec<words::Piece>>,
    /// Paths never exercised.
    pub not_exercised: Vec<Vec<words::Piece>>,
}

/// Gathers it.
pub(super) fn setup(view: &RunView) -> Setup {
    let target = &view.result.target;
    let mut commands = Vec::new();
    if !view.reproduce.is_empty() {
        commands.push((String::new(), words::visible(&view.reproduce)));
    }
    for (pass, settings) in &target.settings {
        // It means nothing to another server.
        let php = target.versions.contains_key("php");
        let set = settings.environment.iter().filter(|(name, _)| php || *name != "XDEBUG_MODE");
        let set = set.map(|(name, value)| format!("{name}={}", shell::quoted(value)));
        let line: Vec<String> = set.chain(settings.command.iter().map(|word| shell::quoted(word))).collect();
        commands.push((words::visible(pass), words::visible(&line.join(" "))));
    }
    let mut environment = Vec::new();
    let mut add = |name: &str, value: String| environment.push((words::visible(name), words::visible(&value)));
    for (name, version) in &target.versions {
        add(name, version.clone());
    }
    for (name, value) in &view.result.host {
        add(name, plain(value));
    }
    for (pass, settings) in &target.settings {
        if let Some(address) = &settings.address {
            add(&format!("address, {pass}"), address.clone());
        }
    }
    for (pass, exit) in &target.exit {
        add(&format!("end of {pass}"), exit.clone());
    }
    if let Some(commit) = &view.result.source.commit {
        let dirty = if view.result.source.dirty == Some(true) { ", with uncommitted changes" } else { "" };
        add("commit under test", format!("{commit}{dirty}"));
    }
    let last_words = view.last_words.iter().filter(|(_, lines)| !lines.is_empty());
    Setup {
        commands,
        environment,
        last_words: last_words
            .map(|(pass, lines)| {
                let lines: Vec<String> = lines.iter().map(|line| words::visible(line)).collect();
                (words::visible(pass), lines.join("\n"))
            })
            .collect(),
        not_measured: view.result.not_measured.iter().map(|text| words::pieces(text)).collect(),
        not_exercised: view.not_exercised.iter().map(|text| words::pieces(text)).collect(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
