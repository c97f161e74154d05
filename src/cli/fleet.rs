//! Locust's workers as typed: how many, where, and what is said while they are waited for.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, bail};

use super::stdout::errln;
use crate::load::external::locust;
use crate::load::{Address, Endpoint, Locust, Muster, Workers};
use crate::model::plan::Engine;

/// The most workers that are started where nobody says how many: the server wants processors too.
const MOST: usize = 4;
/// Between two looks at who is there.
const LOOK: Duration = Duration::from_millis(100);

/// How many workers, and where.
#[derive(Debug, Clone, Copy, clap::Args)]
#[group(id = "fleet")]
pub struct Args {
    /// Locust's workers on this machine [default: one a processor, at most 4; none with --remote-workers]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=64), help_heading = "Load")]
    pub locust_workers: Option<u32>,
    /// Locust's workers on other machines, each started by a command that is printed; with --allow-remote
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1000), hide_default_value = true, help_heading = "Load")]
    pub remote_workers: u32,
}

impl Args {
    /// The workers of `engine`; none of another one.
    ///
    /// # Errors
    /// Options that do not go together, Locust not installed.
    pub fn lower(&self, engine: Engine, target: Option<&Address>, allow_remote: bool) -> anyhow::Result<Workers> {
        if engine != Engine::Locust {
            if self.locust_workers.is_some() || self.remote_workers > 0 {
                bail!("--locust-workers and --remote-workers go with --engine locust");
            }
            return Ok(Workers { local: 0, remote: 0, address: None });
        }
        let remote = self.remote_workers;
        let address = match target {
            Some(target) => match target.resolve(None, allow_remote)?.endpoint {
                Endpoint::Tcp(address) => Some(address),
                Endpoint::Unix(_) => bail!("--engine locust speaks TCP alone"),
            },
            None => None,
        };
        if remote > 0 {
            if !allow_remote {
                bail!("--remote-workers loads the server from other machines: that needs --allow-remote");
            }
            match address {
                None => bail!("--remote-workers needs --target HOST:PORT, where other machines reach the server"),
                Some(address) if address.ip().is_loopback() => bail!(
                    "{address} is this machine's loopback, which no other machine reaches: with --remote-workers give the \
                     server an address of the network"
                ),
                Some(_) => {}
            }
        }
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let own = if remote > 0 { 0 } else { processors.min(MOST) as u32 };
        let local = self.locust_workers.unwrap_or(own);
        if local + remote == 0 {
            bail!("--locust-workers 0: at least one worker, here or with --remote-workers");
        }
        locust::find()?;
        Ok(Workers { local, remote, address })
    }
}

/// A fleet for `profile-run load`: its file lies in a folder that goes with it.
pub struct Called {
    /// Its handle. Dropped first: the folder is the workers' own.
    pub locust: Locust,
    _folder: tempfile::TempDir,
}

/// Starts the workers and waits for them.
///
/// # Errors
/// They cannot be started, or do not come.
pub fn call(workers: Workers, quiet: bool) -> anyhow::Result<Called> {
    let folder = tempfile::tempdir().context("no folder can be made for Locust's file")?;
    let file = folder.path().join("locustfile.py");
    std::fs::write(&file, locust::FILE).with_context(|| format!("{}", file.display()))?;
    let locust = Locust::start(workers, file)?;
    let mut said: Option<Muster> = None;
    loop {
        let muster = locust.muster()?;
        let is_new = said.as_ref() != Some(&muster);
        if let Some(command) = muster.invitation.as_ref().filter(|_| said.is_none()) {
            errln!("profile-run: run this on the other machines, once for each of their workers:\n  {command}");
        }
        if is_new && !quiet && muster.invitation.is_some() {
            errln!("profile-run: {} of {} workers are there", muster.here.len(), muster.wanted);
        }
        if muster.is_whole() {
            return Ok(Called { locust, _folder: folder });
        }
        // Nothing is said before the master can be reached.
        said = muster.invitation.is_some().then_some(muster);
        sleep(LOOK);
    }
}
