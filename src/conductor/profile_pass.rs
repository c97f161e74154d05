//! The profile pass: a fresh start under Xdebug, a smaller load of every scenario, and the files that it leaves.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::measure_pass::asked;
use super::run::Run;
use super::session::Session;
use super::stop_reason::Halt;
use super::wave::Asked;
use super::wave_size::LARGE;
use crate::journal::{Event, Profiled, Scene};
use crate::matrix::mail_length;
use crate::model::plan::Pass;
use crate::model::plan::scenario::Scenario;

/// How long the target may take to write its profile's end.
const STOP: Duration = Duration::from_secs(10);

/// Seconds that a scenario gets without a budget.
const WITHOUT_BUDGET: f64 = 20.0;

/// Seconds kept for the stop: Xdebug writes the rest of its file then.
const FOR_STOP: f64 = 3.0;

/// Small mails of the warm-up, by which the profiler's speed is measured.
const WARM_UP: u64 = 20;

/// Small mails that tell all that more would: a profile is exact, not sampled.
const ENOUGH: u64 = 2_000;

/// Sessions at once; the profiler makes the server slow, not patient.
const PARALLEL: u64 = 100;

impl Run<'_> {
    /// The profile pass, or why there is none.
    pub(super) fn profile_pass(&mut self) -> Result<(), Halt> {
        if let Some(why) = self.no_profile() {
            return self.book.not_measured(why);
        }
        let mut session = self.launch(Pass::Profile)?;
        let outcome = self.profile_scenarios(&mut session);
        let place = session.profiles.take();
        let stopped = self.stop(session, STOP);
        let messages = *outcome.as_ref().unwrap_or(&0);
        if let Some((folder, before)) = place {
            self.collect(&folder, &before, messages)?;
        }
        stopped?;
        outcome.map(drop)
    }

    fn no_profile(&self) -> Option<String> {
        if self.invocation.without_configuration() {
            return Some("The profile: php runs with -n, so that Xdebug is not loaded. Leave -n out.".to_owned());
        }
        match &self.php {
            None => Some(
                "The profile: the server is not PHP (or its php could not be asked), so that Xdebug cannot profile it."
                    .to_owned(),
            ),
            Some(php) if php.xdebug.is_none() => Some(format!(
                "The profile: PHP {} has no Xdebug. Install it (Debian: apt install php-xdebug; elsewhere: pecl install xdebug) and run again.",
                php.version
            )),
            Some(_) => None,
        }
    }

    /// Runs every scenario once, as large as its time allows; gives back the messages that were accepted.
    fn profile_scenarios(&mut self, session: &mut Session) -> Result<u64, Halt> {
        let mut messages = self.preflight(session)?;
        let scenarios = &self.plan.scenarios;
        for (at, scenario) in scenarios.iter().enumerate() {
            let rest = (scenarios.len() - at) as f64;
            let share = match self.deadline(Pass::Profile) {
                Some(deadline) => (deadline - FOR_STOP - self.elapsed()) / rest,
                None => WITHOUT_BUDGET,
            };
            self.book.write(Event::Scenario {
                pass: Pass::Profile,
                scenario: scenario.name.clone(),
                asked: asked(scenario),
                share: share.max(0.0),
            })?;
            let why = if share < 0.2 {
                "the budget was used before it began".to_owned()
            } else if session.spoilt {
                "the server had fallen under the profiler".to_owned()
            } else {
                self.profile_scenario(session, scenario, share, &mut messages)?
            };
            self.book.write(Event::ScenarioEnd { pass: Pass::Profile, scenario: scenario.name.clone(), why })?;
        }
        Ok(messages)
    }

    fn profile_scenario(
        &mut self,
        session: &mut Session,
        scenario: &Scenario,
        share: f64,
        messages: &mut u64,
    ) -> Result<String, Halt> {
        let large = mail_length(scenario) >= LARGE;
        let warm_up = if large { 1 } else { WARM_UP }.min(scenario.total);
        let began = self.elapsed();
        let mut left = scenario.total;
        for (wave, label) in [(0, "warm-up"), (1, "wave 1")] {
            let count = match wave {
                0 => warm_up,
                _ => {
                    // The warm-up told the speed; half of the time is kept as a margin for a server that slows down.
                    let spent = (self.elapsed() - began).max(1e-3);
                    let affordable = ((share - spent) * 0.5 / (spent / warm_up as f64)) as u64;
                    affordable.min(left).min(if large { ENOUGH / 20 } else { ENOUGH })
                }
            };
            if count == 0 {
                break;
            }
            let name = format!("profile   {:<11} {label}", scenario.name);
            let scene = Scene { pass: Pass::Profile, scenario: scenario.name.clone(), wave };
            let asked = Asked {
                scenario,
                count,
                parallel: scenario.sessions.min(PARALLEL).min(count),
                sessions_before: if wave == 0 { 0 } else { warm_up },
                done: f64::from(wave) * 0.1,
                label: &name,
                deadline: self.deadline(Pass::Profile),
                at_most: Some(Duration::from_secs_f64((share - (self.elapsed() - began)).max(1.0))),
            };
            let begin = lengths(session);
            let attended = self.load(session, &scene, asked)?;
            self.book.write(Event::Marked { scene: scene.clone(), begin, end: lengths(session) })?;
            left = left.saturating_sub(count);
            *messages += attended.tally.messages_accepted;
            if let Some(seen) = attended.trouble {
                self.fell(session, &scene, &seen)?;
                return Ok("the server did not go on".to_owned());
            }
        }
        Ok(if left == 0 { "all that was asked was run" } else { "as much as its time allowed" }.to_owned())
    }

    /// Takes the files that the pass left into the run's folder.
    fn collect(&mut self, folder: &Path, before: &[PathBuf], messages: u64) -> Result<(), Halt> {
        let ours = self.folder.profile();
        let mut profiled = Profiled::default();
        for path in list(folder) {
            if before.contains(&path) && folder != ours || !is_profile(&path) {
                continue;
            }
            let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
            let inside = ours.join(&name);
            // Theirs stays where it is; a hard link costs nothing where it is possible.
            if path != inside && fs::hard_link(&path, &inside).is_err() {
                fs::copy(&path, &inside)?;
            }
            profiled.bytes += fs::metadata(&inside).map_or(0, |meta| meta.len());
            profiled.files.push(name);
        }
        if profiled.files.is_empty() {
            return self.book.not_measured(format!(
                "The profile: no file appeared in {}. A console that restarts itself without Xdebug (composer/xdebug-handler) is \
                 told to stay with it by a variable such as APP_ALLOW_XDEBUG=1, given with --env.",
                folder.display()
            ));
        }
        self.book.write(Event::Profiled { profiled, messages })
    }
}

/// Bytes of each profile so far, by name. Its length grows also where what was read of it has been released.
fn lengths(session: &Session) -> BTreeMap<String, u64> {
    let Some((folder, _)) = &session.profiles else { return BTreeMap::new() };
    let length = |path: PathBuf| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        Some((name, fs::metadata(&path).ok()?.len()))
    };
    list(folder).into_iter().filter_map(length).collect()
}

/// The files of a folder, sorted; none where it does not exist yet.
pub fn list(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// A profile begins with its version, or is packed.
fn is_profile(path: &Path) -> bool {
    let mut head = [0; 8];
    let read = fs::File::open(path).and_then(|mut file| file.read(&mut head)).unwrap_or(0);
    let head = &head[..read];
    head.starts_with(b"version:") || head.starts_with(b"creator:") || head.starts_with(&[0x1f, 0x8b])
}
