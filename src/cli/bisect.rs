//! `profile-run bisect`: which commit brought the leak.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use jiff::Zoned;
use serde_json::{Value, json};

use super::config::Config;
use super::exit::Exit;
use super::main_job;
use super::run::{self, RUNS, Show};
use super::stdout::{errln, outln};
use super::worktree::{Project, Worktree, git};
use crate::analysis::bisection::{self, Answer, Mark, Search, Shown, Unsaid};
use crate::analysis::result::RunResult;
use crate::conductor::Interrupt;
use crate::console::Style;
use crate::journal::{Folder, Readers};
use crate::model::plan::{Pass, Plan};
use crate::model::{Role, Sought, Verdict};
use crate::phrase;

/// Arguments of `profile-run bisect`.
#[derive(Debug, clap::Args)]
#[group(id = "bisection")]
pub struct Args {
    /// A commit without the leak
    good: String,
    /// A later commit that leaks; its run fixes which scenario, metric and holder are looked at
    bad: String,
    #[command(flatten)]
    job: main_job::Args,
}

/// The budget's factor where a run was not decided, and is tried again.
const TWICE: u32 = 2;

/// Lines of a diff that are shown.
const LONGEST_DIFF: usize = 60;

/// Runs `profile-run bisect`.
///
/// # Errors
/// There is no such commit, an end of the search is not what it is said to be, or nothing can be run.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    if args.job.against.is_some() {
        bail!("--against compares two builds; bisect looks for the commit that brought a leak: leave one of them out");
    }
    if args.job.attach.is_some() || args.job.target.is_some() {
        bail!("bisect starts the server of each commit itself: leave --attach and --target out");
    }
    let config = Config::load(args.job.config.as_deref())?;
    let plan = main_job::plan(&args.job, &config)?;
    let project = Project::of(plan.cwd.as_deref().unwrap_or(Path::new(".")))?;
    project.is_relative(&plan.command)?;
    let (good, bad) = (project.commit(&args.good)?, project.commit(&args.bad)?);
    if good == bad {
        bail!("{} and {} are the same commit", args.good, args.bad);
    }
    if git(&project.root, &["merge-base", "--is-ancestor", &good, &bad]).is_err() {
        bail!("{} is no ancestor of {}: give an older commit of the same history", args.good, args.bad);
    }
    let folder = match &args.job.out {
        Some(root) => Folder::create(root)?,
        None => {
            let stamp = Zoned::now().strftime("bisect-%Y-%m-%d-%H%M%S").to_string();
            Folder::create_named(Path::new(RUNS), &stamp)?
        }
    };
    let interrupt = Interrupt::listen().context("signals cannot be listened to")?;
    let tree = Worktree::add(&project, &bad)?;
    let plan = Plan {
        prepare: args.job.prepare.clone(),
        passes: vec![Pass::Measure],
        cwd: Some(tree.place().join(&project.below)),
        ..plan
    };
    let mut bisection = Bisection {
        json: args.job.json,
        quiet: args.job.quiet,
        no_redact: args.job.no_redact,
        style: Style::of(args.job.json),
        config: &config,
        project: &project,
        tree: &tree,
        plan,
        folder: &folder,
        interrupt,
        runs: 0,
        started: 0,
        commits: Vec::new(),
    };
    bisection.search(&good, &bad)
}

/// A search while it goes on.
struct Bisection<'a> {
    json: bool,
    quiet: bool,
    no_redact: bool,
    style: Style,
    config: &'a Config,
    project: &'a Project,
    tree: &'a Worktree,
    plan: Plan,
    folder: &'a Folder,
    interrupt: Interrupt,
    /// Runs that were begun.
    runs: usize,
    /// Those of them whose server answered.
    started: usize,
    /// What was told of each commit.
    commits: Vec<Value>,
}

/// A run of one commit.
struct Tried {
    exit: Exit,
    result: Option<RunResult>,
    /// Its folder's name within the search's own.
    name: String,
}

impl Bisection<'_> {
    fn search(&mut self, good: &str, bad: &str) -> anyhow::Result<Exit> {
        self.say(&format!("{}, bisected from {} to {}", self.plan.command.join(" "), short(good), short(bad)));
        let mut first = self.try_commit(bad, 1)?;
        let undecided = |result: &RunResult| result.verdict == Some(Verdict::Inconclusive);
        if self.interrupt.came().is_none() && first.result.as_ref().is_some_and(undecided) {
            first = self.try_commit(bad, TWICE)?;
        }
        if self.interrupt.came().is_some() {
            return Ok(Exit::Interrupted);
        }
        let Some(sought) = first.result.as_ref().and_then(bisection::sought) else {
            let why = first.result.as_ref().map_or(String::new(), |result| format!(": {}", result.sentence));
            bail!(
                "{} shows no leak{why} Its report is {}",
                self.project.title(bad),
                self.report(&first.name).display()
            );
        };
        self.tell(bad, &first, "bad", &phrase::sought(&sought));
        self.plan.scenarios.retain(|scenario| scenario.name == sought.scenario);
        self.plan.sought = Some(sought.clone());
        let (answer, tried) = self.ask(good, &sought)?;
        match answer {
            _ if self.interrupt.came().is_some() => return Ok(Exit::Interrupted),
            Answer::Good(_) => {}
            Answer::Bad(_) => bail!("{} leaks as well: give an older commit", self.project.title(good)),
            Answer::Neither(_) => bail!(
                "{} tells nothing, and a search needs a commit that is known to be good: {}",
                self.project.title(good),
                self.report(&tried.name).display()
            ),
        }
        let mut suspects = self.among(good, bad, &sought)?;
        // Inside a merge, what was merged is looked through.
        while let Some(Ok(merge)) = suspects.as_ref().map(|found| <[String; 1]>::try_from(found.clone())) {
            let [merge] = merge;
            let Ok(side) = git(&self.project.root, &["rev-parse", "--verify", "--quiet", &format!("{merge}^2")]) else {
                break;
            };
            let main = git(&self.project.root, &["rev-parse", &format!("{merge}^1")])?;
            let (answer, _) = self.ask(&side, &sought)?;
            if self.interrupt.came().is_some() || !matches!(answer, Answer::Bad(_)) {
                break;
            }
            suspects = self.among(&main, &side, &sought)?;
        }
        match suspects {
            None => Ok(Exit::Interrupted),
            Some(suspects) => self.conclude(&suspects, &sought, first.result.as_ref()),
        }
    }

    /// The commits from a good one to a bad one of which one brought it; none where the user has had enough.
    fn among(&mut self, good: &str, bad: &str, sought: &Sought) -> anyhow::Result<Option<Vec<String>>> {
        let range = format!("{good}..{bad}");
        let listed = git(&self.project.root, &["rev-list", "--reverse", "--first-parent", &range])?;
        let commits: Vec<&str> = listed.lines().collect();
        let mut search = Search::new(commits.len());
        self.say(&phrase::runs_to_come(commits.len(), search.runs_left()));
        while let Some(at) = search.next() {
            let (answer, _) = self.ask(commits[at - 1], sought)?;
            if self.interrupt.came().is_some() {
                return Ok(None);
            }
            search.mark(
                at,
                match answer {
                    Answer::Bad(_) => Mark::Bad,
                    Answer::Good(_) => Mark::Good,
                    Answer::Neither(_) => Mark::Skipped,
                },
            );
        }
        Ok(Some(search.suspects().map(|at| commits[at - 1].to_owned()).collect()))
    }

    /// Runs a commit and reads what it tells.
    fn ask(&mut self, commit: &str, sought: &Sought) -> anyhow::Result<(Answer, Tried)> {
        let mut tried = self.try_commit(commit, 1)?;
        let read = |tried: &Tried| match &tried.result {
            Some(result) => bisection::answer(sought, result),
            None => Answer::Neither(Unsaid::NotLoaded("its run left no result".to_owned())),
        };
        let mut answer = read(&tried);
        if self.interrupt.came().is_none() && matches!(answer, Answer::Neither(Unsaid::Undecided(_))) {
            // A machine that is busy for a while is no reason to leave a commit out.
            tried = self.try_commit(commit, TWICE)?;
            answer = read(&tried);
        }
        let per = sought.growth.per;
        let shown = |shown: &Shown| match shown {
            Shown::Step(bytes) => phrase::step_keeps(*bytes, per),
            Shown::Waves(finding) => phrase::waves_show(finding),
            Shown::Otherwise(finding) => phrase::grows_otherwise(finding),
        };
        let (state, why) = match &answer {
            Answer::Bad(by) => ("bad", shown(by)),
            Answer::Good(by) => ("good", shown(by)),
            Answer::Neither(Unsaid::NotLoaded(why) | Unsaid::Undecided(why)) => ("skipped", why.clone()),
        };
        if self.interrupt.came().is_none() {
            self.tell(commit, &tried, state, &why);
        }
        Ok((answer, tried))
    }

    /// Runs a commit with so many times the budget.
    fn try_commit(&mut self, commit: &str, times: u32) -> anyhow::Result<Tried> {
        self.tree.check_out(commit)?;
        let place = self.tree.place().join(&self.project.below);
        self.runs += 1;
        let name = format!("{:02}-{}", self.runs, short(commit));
        if !place.is_dir() {
            // The folder that the server runs in is not there yet.
            return Ok(Tried { exit: Exit::CouldNotRun, result: None, name });
        }
        self.interrupt.in_order();
        let plan = Plan { budget: self.plan.budget.map(|budget| budget * times), ..self.plan.clone() };
        let show = Show {
            out: Some(self.folder.root().join(&name)),
            json: self.json,
            no_redact: self.no_redact,
            progress_alone: true,
            ..Show::default()
        };
        let (exit, result) = match run::judged(plan, self.config, &show, &self.interrupt) {
            Ok((exit, view)) => (exit, view.map(|view| view.result)),
            // A command that this commit does not have is no reason to give up.
            Err(error) if self.runs > 2 => {
                errln!("profile-run: {}: {error:#}", short(commit));
                (Exit::CouldNotRun, None)
            }
            Err(error) => return Err(error.context(self.project.title(commit))),
        };
        self.started += usize::from(result.as_ref().is_some_and(bisection::started));
        Ok(Tried { exit, result, name })
    }

    fn report(&self, name: &str) -> PathBuf {
        self.folder.root().join(name).join("report.html")
    }

    /// A line of the console, between runs.
    fn say(&self, text: &str) {
        match (self.json, self.quiet) {
            (_, true) => {}
            (true, _) => errln!("{text}"),
            (false, _) => outln!("{text}"),
        }
    }

    fn tell(&mut self, commit: &str, tried: &Tried, state: &str, why: &str) {
        let look = match state {
            "good" => self.style.good(state),
            "bad" => self.style.failed(state),
            _ => self.style.warning(state),
        };
        let pad = " ".repeat(8usize.saturating_sub(state.len()));
        self.say(&format!("  {look}{pad}{}: {why}", self.project.title(commit)));
        let report = tried.result.as_ref().map(|_| self.report(&tried.name).display().to_string());
        let event = json!({"event": "commit", "commit": commit, "state": state, "why": why, "report": report,
            "exit_code": tried.exit, "started": tried.result.as_ref().is_some_and(bisection::started)});
        if self.json {
            outln!("{event}");
        }
        self.commits.push(event);
    }

    /// Says which commit it was, or among which.
    fn conclude(&self, suspects: &[String], sought: &Sought, bad: Option<&RunResult>) -> anyhow::Result<Exit> {
        let sentence = match suspects {
            [one] => format!("Since {}: {}.", self.project.title(one), phrase::sought(sought)),
            several => format!(
                "Since one of {}, which no run can tell apart: {}.",
                phrase::plural(several.len() as u64, "commit"),
                phrase::sought(sought)
            ),
        };
        self.say(&format!("\n{}", self.style.bold(&sentence)));
        let places = bad.map(|result| put_in(result, sought, &self.tree.place())).unwrap_or_default();
        let mut diffs = Vec::new();
        for commit in suspects {
            let diff = self.diff(commit, &places);
            if suspects.len() > 1 {
                self.say(&format!("\n{}", self.project.title(commit)));
            }
            self.say(&diff);
            diffs.push(diff);
        }
        self.say(&format!("  {}, {} of them started", phrase::plural(self.runs as u64, "run"), self.started));
        self.say(&format!("  runs      {}", self.folder.root().display()));
        let result = json!({"sought": sought, "sentence": sentence, "commits": self.commits,
            "culprit": match suspects { [one] => Some(one), _ => None }, "suspects": suspects, "diffs": diffs,
            "runs": self.runs, "started": self.started});
        self.folder.write_whole("bisect.json", &serde_json::to_vec_pretty(&result)?, Readers::Umask)?;
        if self.json {
            outln!("{}", json!({"event": "result", "result": result}));
        }
        if self.quiet && !self.json {
            outln!("{sentence}");
        }
        Ok(Exit::Held)
    }

    /// What a commit changed in the files whose lines fill the holder; where it touched none of them, which it touched.
    fn diff(&self, commit: &str, places: &[(String, u32)]) -> String {
        let mut files: Vec<&str> = places.iter().map(|(file, _)| file.as_str()).collect();
        files.sort_unstable();
        files.dedup();
        let show = |arguments: &[&str]| {
            let words = ["show", "--format=", "--no-color", "--no-ext-diff", "-m", "--first-parent"];
            git(&self.project.root, &[&words[..], arguments].concat()).unwrap_or_default()
        };
        let touched = match files.is_empty() {
            true => String::new(),
            false => show(&[&[commit, "--"][..], &files].concat()),
        };
        if touched.is_empty() {
            return show(&["--stat", commit]);
        }
        let lines: Vec<&str> = touched.lines().collect();
        match lines.len().saturating_sub(LONGEST_DIFF) {
            0 => touched,
            more => format!(
                "{}\n... and {}: git show {}",
                lines[..LONGEST_DIFF].join("\n"),
                phrase::plural(more as u64, "line"),
                short(commit)
            ),
        }
    }
}

/// The lines that fill what holds the leak, by files below the root of the work tree.
fn put_in(result: &RunResult, sought: &Sought, root: &Path) -> Vec<(String, u32)> {
    let locations = result.finding(sought.metric, &sought.scenario).map(|finding| &finding.locations[..]);
    let lines = locations.unwrap_or_default().iter().filter(|at| matches!(at.role, Role::PutsIn | Role::Calls));
    let below = |at: &crate::model::Location| {
        let path = Path::new(&at.file);
        let path = if path.is_absolute() { path.strip_prefix(root).ok()? } else { path };
        Some((path.to_str()?.to_owned(), at.line))
    };
    lines.filter_map(below).collect()
}

fn short(commit: &str) -> &str {
    &commit[..commit.len().min(9)]
}
