//! The configuration file: scenarios, and how a run is judged.

use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

use super::config_checks;
use crate::analysis::{Condition, Settings, ThresholdTable};
use crate::model::Library;
use crate::model::plan::scenario::Catalog;
use crate::verdict::Bounds;
use crate::verdict::accepted::Accepted;

/// The name that is looked for where none is given.
const NAME: &str = "profile-run.toml";

/// A configuration, read.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// All scenarios by name.
    pub catalog: Catalog,
    /// How a run is judged.
    pub settings: Settings,
    /// Which scripts belong to libraries.
    pub library: Library,
}

/// The tables of the file, `[scenario.NAME]` apart.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    /// Read by the catalogue.
    scenario: toml::Table,
    verdict: Bounds,
    accept: Vec<Accepted>,
    thresholds: Vec<Condition>,
    threshold: Vec<ThresholdTable>,
    profile: Profile,
    editor: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Profile {
    waiting: Vec<String>,
    library: Option<Vec<String>>,
}

impl Config {
    /// Reads `path`, or `profile-run.toml` where that is there.
    ///
    /// # Errors
    /// The file that was named is not there, or a file cannot be read or understood.
    pub fn load(path: Option<&Path>) -> anyhow::Result<Self> {
        let named = path.unwrap_or(Path::new(NAME));
        match std::fs::read_to_string(named) {
            Ok(text) => Self::parse(&text, named),
            Err(error) if path.is_none() && error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("--config {}", named.display())),
        }
    }

    fn parse(text: &str, path: &Path) -> anyhow::Result<Self> {
        let catalog = Catalog::from_toml(text, path)?;
        let file: File = toml::from_str(text)
            .map_err(|error| anyhow::anyhow!("{}: {}", path.display(), config_checks::with_nearest(&error)))?;
        // The catalogue has read these.
        drop(file.scenario);
        config_checks::bounds(&file.verdict, path)?;
        config_checks::accepted(&file.accept, path)?;
        config_checks::editor(file.editor.as_deref(), path)?;
        config_checks::library(file.profile.library.as_deref().unwrap_or_default(), path)?;
        let tables = config_checks::tables(&file.threshold, path)?;
        let thresholds: Vec<Condition> = file.thresholds.into_iter().chain(tables).collect();
        config_checks::thresholds(&thresholds, &catalog, path)?;
        let settings = Settings {
            bounds: file.verdict,
            accepted: file.accept,
            thresholds,
            waiting: file.profile.waiting,
            editor: file.editor,
        };
        let library = file.profile.library.map(Library::of).unwrap_or_default();
        Ok(Self { catalog, settings, library })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> anyhow::Result<Config> {
        Config::parse(text, Path::new("/etc/profile-run.toml"))
    }

    #[test]
    fn every_table_is_read() {
        let config = parse(
            r#"
            editor = "phpstorm://open?file=%f&line=%l"
            thresholds = ["errors > 0.1%", 'calls "php::file_put_contents" > 2 per message', "p99 > 20ms in mine"]
            [scenario.mine]
            like = "churn"
            [verdict.heap]
            leak = 1000.0
            [[accept]]
            metric = "heap"
            holder = "App\\Cache->items"
            limit = 2000
            reason = "fills until midnight"
            expires = "2027-01-01"
            [[threshold]]
            figure = "p99_ms"
            scenario = "mine"
            most = 50
            [profile]
            waiting = ["App\\Loop->idle"]
            library = ["lib/", "/usr/share/php"]
            "#,
        )
        .unwrap();
        assert!(config.catalog.get("mine").is_ok());
        assert_eq!(config.settings.bounds.heap.leak, 1000.0);
        assert_eq!(config.settings.editor.as_deref(), Some("phpstorm://open?file=%f&line=%l"));
        assert_eq!(config.settings.accepted.len(), 1);
        let texts: Vec<&str> = config.settings.thresholds.iter().map(|condition| condition.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "errors > 0.1%",
                "calls \"php::file_put_contents\" > 2 per message",
                "p99 > 20ms in mine",
                "p99 > 50ms in mine"
            ]
        );
        assert_eq!(config.settings.waiting, ["App\\Loop->idle"]);
        assert!(config.library.holds("/srv/lib/a.php") && !config.library.holds("/srv/vendor/a.php"));
        assert!(parse("").unwrap().library.holds("/srv/vendor/a.php"));
    }

    #[test]
    fn a_slip_is_named_with_its_place() {
        for (text, part) in [
            ("[thresholds]\n", "thresholds"),
            ("thresholds = [\"p99 > 50\"]", "a time, as 50ms"),
            ("thresholds = [\"p98 > 50ms\"]", "did you mean"),
            ("thresholds = [\"p99 > 50ms in chrun\"]", "churn"),
            ("[[threshold]]\nfigure = \"p99_ms\"", "figure = \"p99_ms\": "),
            ("[[threshold]]\nfigure = \"rss_peak\"\nscenario = \"x\"\nmost = 1", "whole run"),
            ("[verdict.heap]\nleek = 1", "did you mean `leak`"),
            ("[verdict.heap]\nleak = inf", "[verdict.heap] leak is no finite number"),
            ("[verdict.rss]\nclean = nan", "no finite number"),
            ("[verdict.count]\nleak = -1", "0 or more"),
            ("[verdict.waves]\nleast = 0", "at least 1"),
            (
                "[[accept]]\nmetric = \"heep\"\nlimit = 1\nreason = \"\"\nexpires = \"2027-01-01\"",
                "did you mean `heap`",
            ),
            ("[[accept]]\nmetric = \"heap\"\nlimit = inf\nreason = \"\"\nexpires = \"2027-01-01\"", "from 0 on"),
            ("[[accept]]\nmetric = \"heap\"\nlimit = 1\nreason = \"\"\nexpires = \"tomorrow\"", "2026-12-31"),
            ("[[threshold]]\nfigure = \"p99_ms\"\nscenario = \"chrun\"\nmost = 1", "churn"),
            ("[[threshold]]\nfigure = \"p99_ms\"\nmost = -1", "no bound"),
            ("[profile]\nlibrary = [\"lib\", \"./\"]", "[profile] library"),
            ("editor = \"phpstorm\"", "editor = \"phpstorm\": it begins with no scheme"),
            ("editor = \"javascript:open('%f')\"", "opens no editor"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(part) && error.contains("/etc/profile-run.toml"), "{text}: {error}");
        }
    }
}
