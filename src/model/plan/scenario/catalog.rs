//! All scenarios that a run knows by name: the built-in ones and those of the configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::builtin::{BUILT_IN, RECIPE, built_in};
use super::config::ScenarioConfig;
use super::value::Scenario;

/// What is wrong with a scenario that was named or configured.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// No scenario has this name.
    #[error("unknown scenario `{name}`{}\nscenarios: {names}", nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest name, if one is near.
        nearest: Option<String>,
        /// All names on one line, the recipe's five first.
        names: String,
    },
    /// A table of the configuration means nothing.
    #[error("{}: [scenario.{name}]: {text}", path.display())]
    Invalid {
        /// The configuration file.
        path: PathBuf,
        /// The scenario.
        name: String,
        /// What is wrong and what it may be.
        text: String,
    },
    /// The configuration is not TOML, or a key is unknown.
    #[error("{}: {text}", path.display())]
    Syntax {
        /// The configuration file.
        path: PathBuf,
        /// The parser's text, with line and column.
        text: String,
    },
}

/// The part of `profile-run.toml` that is about scenarios; other tables are left to others.
#[derive(Debug, Default, Deserialize)]
struct File {
    #[serde(default)]
    scenario: BTreeMap<String, ScenarioConfig>,
}

/// All scenarios by name.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    configured: BTreeMap<String, Scenario>,
}

impl Catalog {
    /// The built-in scenarios alone.
    pub fn built_in() -> Self {
        Self::default()
    }

    /// The built-in scenarios and those of the text of a configuration file at `path`.
    ///
    /// # Errors
    /// Text that is no TOML, unknown keys, values that mean nothing.
    pub fn from_toml(text: &str, path: &Path) -> Result<Self, ScenarioError> {
        let syntax = |error: toml::de::Error| ScenarioError::Syntax { path: path.to_owned(), text: error.to_string() };
        let mut file: File = toml::from_str(text).map_err(syntax)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut catalog = Self::default();
        // A scenario may build on another of the same file: take those first whose base is known.
        while !file.scenario.is_empty() {
            let next = file.scenario.iter().find_map(|(name, config)| {
                let base = match config.like.as_deref() {
                    // One that bears a built-in's name changes that one.
                    None => Some(built_in(name).unwrap_or_else(|| Scenario::plain(name, 1, 1))),
                    Some(like) if like == name => built_in(name),
                    Some(like) if file.scenario.contains_key(like) => None,
                    Some(like) => catalog.get(like).ok(),
                };
                base.map(|base| (name.clone(), base))
            });
            let Some((name, base)) = next else {
                let (name, config) = file.scenario.iter().next().expect("the map is not empty");
                let like = config.like.as_deref().unwrap_or_default();
                let text = match catalog.get(like) {
                    Err(unknown) if !file.scenario.contains_key(like) => format!("like: {unknown}"),
                    _ => format!("like = \"{like}\" goes round in a circle"),
                };
                return Err(ScenarioError::Invalid { path: path.to_owned(), name: name.clone(), text });
            };
            let config = file.scenario.remove(&name).expect("it was found above");
            let scenario = config.lower(&name, base, folder).map_err(|text| ScenarioError::Invalid {
                path: path.to_owned(),
                name: name.clone(),
                text,
            })?;
            catalog.configured.insert(name, scenario);
        }
        Ok(catalog)
    }

    /// All names, the recipe's five first in their order, then the other built-ins, then the configured ones.
    pub fn names(&self) -> Vec<&str> {
        let own = self.configured.keys().map(String::as_str).filter(|name| !BUILT_IN.contains(name));
        BUILT_IN.into_iter().chain(own).collect()
    }

    /// The scenario called `name`.
    ///
    /// # Errors
    /// An unknown name: the nearest, and all names.
    pub fn get(&self, name: &str) -> Result<Scenario, ScenarioError> {
        self.configured.get(name).cloned().or_else(|| built_in(name)).ok_or_else(|| ScenarioError::Unknown {
            name: name.to_owned(),
            nearest: nearest(name, self.names().into_iter().chain(["recipe"])),
            names: self.names().join(" "),
        })
    }

    /// The scenarios of a list of names; `recipe` stands for the five.
    ///
    /// # Errors
    /// The first unknown name.
    pub fn choose<S: AsRef<str>>(&self, list: &[S]) -> Result<Vec<Scenario>, ScenarioError> {
        let mut chosen = Vec::new();
        for name in list.iter().map(|name| name.as_ref().trim()) {
            if name == "recipe" {
                for name in RECIPE {
                    chosen.push(self.get(name)?);
                }
            } else {
                chosen.push(self.get(name)?);
            }
        }
        Ok(chosen)
    }
}

/// The name nearest to what was typed, if it is near enough to have been meant.
pub fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&typed.to_lowercase(), name), name))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::value::*;
    use super::*;

    fn catalog(text: &str) -> Result<Catalog, ScenarioError> {
        Catalog::from_toml(text, Path::new("/etc/profile-run.toml"))
    }

    #[test]
    fn an_unknown_name_shows_the_nearest_and_all_on_one_line() {
        let text = Catalog::built_in().get("chrun").expect_err("no such name").to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "unknown scenario `chrun`; did you mean `churn`?");
        assert_eq!(
            lines[1],
            "scenarios: smoke sequential churn large handshake abrupt refused slow idle pipelined tls"
        );
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn the_recipe_is_five() {
        let names: Vec<String> =
            Catalog::built_in().choose(&["recipe"]).expect("recipe").into_iter().map(|s| s.name).collect();
        assert_eq!(names, RECIPE);
    }

    #[test]
    fn a_table_builds_on_another() {
        let text = r#"
            [scenario.b]
            like = "a"
            keep-open = 20
            [scenario.a]
            like = "churn"
            sessions = 50
            messages = 200
            length = { median = 2_000, max = 90_000 }
            message-delay = "250ms"
            starttls = true
        "#;
        let scenario = catalog(text).expect("sound").get("b").expect("b");
        assert_eq!((scenario.sessions, scenario.total), (50, 200));
        assert_eq!(scenario.per_connection, PerConnection::AtMost(20));
        assert_eq!(scenario.tls, Some(TlsMode::Starttls));
        assert_eq!(scenario.payload, Payload::Generated(Length::LogNormal { median: 2_000, sigma: 1.0, max: 90_000 }));
        assert_eq!(scenario.message_delay.time.as_millis(), 250);
    }

    #[test]
    fn breaking_off_means_to_be_gone() {
        let scenario = catalog("[scenario.x]\nend = \"half-data\"").expect("sound").get("x").expect("x");
        assert_eq!(scenario.expect, Expect::Gone);
        assert_eq!(scenario.unit(), Unit::Sessions);
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for (text, part) in [
            ("[scenario.x]\nsessions = 0", "sessions = 0"),
            ("[scenario.x]\nuntil = \"lunch\"", "connect, helo"),
            ("[scenario.x]\nspeed = 3", "speed"),
            ("[scenario.x]\nlike = \"chrun\"", "churn"),
            ("[scenario.x]\nlike = \"y\"\n[scenario.y]\nlike = \"x\"", "circle"),
            ("[scenario.x]\nlength = { min = 9, max = 1 }", "max"),
            ("[scenario.x]\nend = \"half-data\"\nuntil = \"rcpt\"", "half-data"),
            ("[scenario", "line 1"),
        ] {
            let error = catalog(text).expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
            assert!(error.contains("/etc/profile-run.toml"), "{error}");
        }
    }

    #[test]
    fn other_tables_are_left_alone() {
        assert!(catalog("[threshold]\nrss = 3\n").is_ok());
    }
}
