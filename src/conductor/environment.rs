//! What the run stands in: machine, project, and what of it falsifies the figures.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::journal::Warning;
use crate::model::WarningKind;
use crate::model::plan::{Pass, Plan};
use crate::proc::{Host, Load, Meminfo};
use crate::server::command::{Invocation, typed_setting};
use crate::server::php::PhpFacts;

/// Below this a `memory_limit` is likely to end a leaking run before the leak is proven.
const TIGHT_MEMORY_LIMIT: i64 = 64 << 20;

/// How long git may take: a huge work tree on a cold disk is not worth more.
const GIT: Duration = Duration::from_secs(5);

/// The machine, as far as figures depend on it.
pub fn host() -> BTreeMap<String, Value> {
    let mut facts = BTreeMap::new();
    if let Ok(host) = Host::read() {
        facts.insert("kernel".to_owned(), json!(host.kernel));
        facts.insert("cpu".to_owned(), json!(host.cpu));
        facts.insert("cpus".to_owned(), json!(host.cpus));
        facts.insert("memory".to_owned(), json!(host.memory));
    }
    if let Ok(memory) = Meminfo::read() {
        facts.insert("memory_available".to_owned(), json!(memory.available));
    }
    if let Ok(load) = Load::read() {
        facts.insert("load_average".to_owned(), json!(load.averages));
    }
    facts.insert("profile_run".to_owned(), json!(env!("CARGO_PKG_VERSION")));
    facts
}

/// Commit of the project under test, and whether it has changes that are not committed.
pub async fn source(cwd: &Path) -> (Option<String>, Option<bool>) {
    let commit = git(cwd, &["rev-parse", "HEAD"]).await.filter(|commit| !commit.is_empty());
    let dirty = match &commit {
        Some(_) => git(cwd, &["status", "--porcelain", "--untracked-files=no"]).await,
        None => None,
    };
    (commit, dirty.map(|changes| !changes.is_empty()))
}

/// The root of the work tree of the project under test.
pub async fn root(cwd: &Path) -> Option<String> {
    git(cwd, &["rev-parse", "--show-toplevel"]).await.filter(|root| root.starts_with('/'))
}

/// The folder of the project under test: the nearest one above its working directory that Composer knows, or this itself.
pub fn project(cwd: &Path) -> &Path {
    cwd.ancestors().find(|folder| folder.join("composer.json").is_file()).unwrap_or(cwd)
}

/// The branch of the project under test; none where a commit is checked out.
pub async fn branch(cwd: &Path) -> Option<String> {
    git(cwd, &["symbolic-ref", "--short", "-q", "HEAD"]).await.filter(|branch| !branch.is_empty())
}

/// What git answers; none where there is none, or no repository, or no answer in time.
async fn git(cwd: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(cwd)
        // Looking must not take git's locks.
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(GIT, output).await.ok()?.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn warning(kind: WarningKind, text: impl Into<String>, advice: impl Into<String>) -> Warning {
    Warning { kind, text: text.into(), advice: advice.into() }
}

/// What falsifies a run that starts like this.
pub fn warnings(plan: &Plan, invocation: &Invocation, php: Option<&PhpFacts>, cwd: &Path) -> Vec<Warning> {
    let mut all = debug_environment(plan, cwd);
    if invocation.without_configuration() {
        all.push(warning(
            WarningKind::PhpWithoutConfiguration,
            "php runs with -n, so that it reads no configuration and loads no Xdebug.",
            "Leave -n out to have a profile; the measure pass is not touched by it.",
        ));
    }
    let Some(php) = php else { return all };
    let given = std::env::var("XDEBUG_MODE").ok();
    let planned = plan.env.iter().rev().find(|(name, _)| name == "XDEBUG_MODE").map(|(_, value)| value.clone());
    let typed = typed_setting(&invocation.argv, "xdebug.mode");
    let mode = planned.or(given).or(typed).unwrap_or_else(|| php.xdebug_mode.clone());
    if php.xdebug.is_some() && mode.split(',').any(|mode| matches!(mode.trim(), "develop" | "coverage" | "trace")) {
        all.push(warning(
            WarningKind::XdebugMode,
            format!("Xdebug is set to `{mode}`, which slows the server down and keeps more memory."),
            "The measure pass runs with XDEBUG_MODE=off; in production leave Xdebug out.",
        ));
    }
    if plan.passes.contains(&Pass::Profile) && php.xdebug.is_some() && !php.pcntl {
        all.push(warning(
            WarningKind::NoPcntl,
            "PHP has no pcntl functions here, so that the server cannot be stopped in order under the profiler.",
            "Its profile ends in the middle of the calls that were still running; install or enable pcntl.",
        ));
    }
    if php.memory_limit > 0 && php.memory_limit < TIGHT_MEMORY_LIMIT {
        all.push(warning(
            WarningKind::MemoryLimit,
            format!(
                "memory_limit is {}; a leak may end the server before it is proven.",
                crate::phrase::bytes(php.memory_limit as f64)
            ),
            "Raise it for the run: php -d memory_limit=512M ...",
        ));
    }
    all
}

/// `APP_ENV=dev` and `APP_DEBUG` keep what production does not: from the environment, else from `.env`.
fn debug_environment(plan: &Plan, cwd: &Path) -> Vec<Warning> {
    let files = [".env.local", ".env"].map(|name| std::fs::read_to_string(cwd.join(name)).unwrap_or_default());
    let of = |key: &str| {
        let planned = plan.env.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.clone());
        let own = || std::env::var(key).ok();
        let file = || files.iter().find_map(|text| dotenv(text, key));
        planned
            .map(|v| (v, "--env"))
            .or_else(|| own().map(|v| (v, "the environment")))
            .or_else(|| file().map(|v| (v, ".env")))
    };
    let mut found = Vec::new();
    if let Some((value, place)) = of("APP_ENV")
        && matches!(value.as_str(), "dev" | "test" | "local" | "development")
    {
        found.push(warning(
            WarningKind::AppEnv,
            format!("APP_ENV is `{value}` (from {place}): such an environment collects data with each message, which looks like a leak."),
            "Run with --env APP_ENV=prod.",
        ));
    }
    if let Some((value, place)) = of("APP_DEBUG")
        && !matches!(value.to_ascii_lowercase().as_str(), "" | "0" | "false" | "off" | "no")
    {
        found.push(warning(
            WarningKind::AppDebug,
            format!("APP_DEBUG is `{value}` (from {place}): debug tooling keeps data with each message, which looks like a leak."),
            "Run with --env APP_DEBUG=0.",
        ));
    }
    found
}

/// The value of a key in the text of a `.env` file.
fn dotenv(text: &str, key: &str) -> Option<String> {
    text.lines().rev().find_map(|line| {
        let line = line.trim();
        let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        (name.trim() == key).then(|| value.trim().trim_matches(['"', '\'']).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_dotenv_file() {
        let text = "# APP_ENV=no\nAPP_ENV=dev\nexport APP_DEBUG=\"1\"\n";
        assert_eq!(dotenv(text, "APP_ENV").as_deref(), Some("dev"));
        assert_eq!(dotenv(text, "APP_DEBUG").as_deref(), Some("1"));
        assert_eq!(dotenv(text, "OTHER"), None);
    }
}
