//! The main job's arguments as typed, and their lowering to a plan.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;

use super::against::Other;
use super::config::Config;
use super::exit::Exit;
use super::export::{self, Wanted};
use super::fleet;
use super::lists::{self, ScenarioName};
use super::parse;
use super::run::Show;
use crate::load::external::locust;
use crate::load::{Address, Auth, SessionOptions, Tool};
use crate::model::plan::{Engine, FailOn, Mail, Pass, Plan};

/// Arguments of the main job.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Scenarios to run, in order: NAME[,NAME...]; `recipe` is smoke, sequential, churn, large, handshake
    #[arg(long, value_name = "LIST", default_value = "recipe", value_delimiter = ',', value_parser = ScenarioName, help_heading = "Load")]
    pub load: Vec<String>,
    /// Sessions and messages times F, at least 1 each; message lengths never change
    #[arg(long, value_name = "F", default_value_t = 1.0, value_parser = parse::scale, help_heading = "Load")]
    pub scale: f64,
    /// Wall time from launch to the last stop, measure and profile; a quarter of it for the profile pass
    #[arg(long, value_name = "TIME", default_value = "3m", value_parser = parse::duration, help_heading = "Load")]
    pub budget: Duration,
    /// The recipe's counts, with no budget
    #[arg(long, conflicts_with = "budget", help_heading = "Load")]
    pub full: bool,
    /// Waves for each scenario, at least [default: 10, more where the verdict asks for them]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = "Load")]
    pub waves: Option<u32>,
    /// Passes to run
    #[arg(
        long,
        value_name = "LIST",
        default_value = "measure,profile",
        value_delimiter = ',',
        value_parser = lists::pass(),
        help_heading = "Load"
    )]
    pub passes: Vec<Pass>,
    /// Count instructions per message under valgrind's callgrind, too: a third, short pass beside the budget
    #[arg(long, help_heading = "Load")]
    pub count: bool,
    /// Envelope sender; "" is the null sender
    #[arg(long, value_name = "ADDR", default_value = "test@localhost", help_heading = "Mail")]
    pub from: String,
    /// Envelope recipient, one that the server accepts
    #[arg(long, value_name = "ADDR", default_value = "test@localhost", help_heading = "Mail")]
    pub to: String,
    /// Log in with AUTH PLAIN, LOGIN or CRAM-MD5
    #[arg(long, value_name = "USER:PASS", help_heading = "Mail")]
    pub auth: Option<String>,
    /// STARTTLS before the first MAIL
    #[arg(long, help_heading = "Mail")]
    pub starttls: bool,
    /// TLS from the first byte
    #[arg(long, conflicts_with = "starttls", help_heading = "Mail")]
    pub tls: bool,
    /// Name given in EHLO
    #[arg(long, value_name = "NAME", help_heading = "Mail")]
    pub helo: Option<String>,
    /// Where the server listens [default: found from the sockets of its processes]
    #[arg(long, value_name = "HOST:PORT", value_parser = parse::target, help_heading = "Server")]
    pub target: Option<String>,
    /// A server that runs already, in the command's place: its pid, its name, or its container's name
    #[arg(long, value_name = "PID|NAME", conflicts_with_all = ["command", "env", "cwd"], help_heading = "Server")]
    pub attach: Option<String>,
    /// How long the server may take to greet
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse::duration, help_heading = "Server")]
    pub ready_timeout: Duration,
    /// Stop a scenario after this long without any reply
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse::duration, help_heading = "Server")]
    pub stall_timeout: Duration,
    /// Set a variable in the server's environment
    #[arg(long = "env", value_name = "K=V", value_parser = parse::variable, help_heading = "Server")]
    pub env: Vec<(String, String)>,
    /// The server's working directory
    #[arg(long, value_name = "DIR", help_heading = "Server")]
    pub cwd: Option<PathBuf>,
    /// Run this with sh before each launch (empty the spool, reset the database)
    #[arg(long, value_name = "CMD", help_heading = "Server")]
    pub before: Option<String>,
    /// Run this with sh after each stop
    #[arg(long, value_name = "CMD", help_heading = "Server")]
    pub after: Option<String>,
    /// Who makes the load
    #[arg(long, value_name = "NAME", default_value = "builtin", value_parser = lists::engine(), help_heading = "Load")]
    pub engine: Engine,
    /// Command of `--engine command`; {host} and {port} are replaced
    #[arg(long, value_name = "CMD", help_heading = "Load")]
    pub load_command: Option<String>,
    #[command(flatten)]
    pub fleet: fleet::Args,
    /// Let the load leave this machine
    #[arg(long, help_heading = "Load")]
    pub allow_remote: bool,
    /// Go on although the server delivers mail to other machines
    #[arg(long, help_heading = "Load")]
    pub allow_forward: bool,
    /// Idle time required before reporting a leak; set it longer than the server's timers
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = parse::wait, help_heading = "Verdict")]
    pub rest: Duration,
    /// Run before each measurement at rest, {pid} replaced: to force a collection (`jcmd {pid} GC.run`)
    #[arg(long, value_name = "CMD", help_heading = "Verdict")]
    pub settle: Option<String>,
    /// Look for the step of a conversation that keeps memory, before the first wave
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        value_parser = lists::ledger(),
        action = clap::ArgAction::Set,
        help_heading = "Verdict"
    )]
    pub ledger: bool,
    /// What all files of the run may take of the disk; profiles are read and released while they grow, and the profile pass
    /// ends before it is more
    #[arg(long, value_name = "SIZE", default_value = "2GB", value_parser = parse::size, help_heading = "Output")]
    pub max_disk: u64,
    /// Keep profiles as PHP writes them, at their full size
    #[arg(long, help_heading = "Output")]
    pub keep_raw: bool,
    /// What a profile's call tree may take of memory; beyond it the cheapest paths stand as one frame
    #[arg(long, value_name = "SIZE", default_value = "512MB", value_parser = parse::size, help_heading = "Output")]
    pub max_tree: u64,
    /// The run's folder [default: profile-run-out/TIME]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Configuration [default: profile-run.toml, if it is there]
    #[arg(long, value_name = "FILE", help_heading = "Load")]
    pub config: Option<PathBuf>,
    /// Also run the project at REV, a commit, both in turn: times can be judged then
    #[arg(long, value_name = "REV", conflicts_with_all = ["attach", "target"], help_heading = "Verdict")]
    pub against: Option<String>,
    /// Run this with sh in a fresh checkout (`composer install`): with --against, and in bisect
    #[arg(long, value_name = "CMD", help_heading = "Server")]
    pub prepare: Option<String>,
    /// An earlier run to judge against
    #[arg(long, value_name = "RUN", help_heading = "Verdict")]
    pub baseline: Option<PathBuf>,
    /// What makes the exit code non-zero
    #[arg(
        long,
        value_name = "LIST",
        default_value = "leak,failed,inconclusive,threshold,regression",
        value_delimiter = ',',
        value_parser = lists::fail_on_word(),
        help_heading = "Verdict"
    )]
    pub fail_on: Vec<Option<FailOn>>,
    /// Seed of every random choice
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Load")]
    pub seed: u64,
    /// Open the report when it is written
    #[arg(long, help_heading = "Output")]
    pub open: bool,
    /// Print the verdict and the report's path alone
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Output")]
    pub quiet: bool,
    /// Print every event
    #[arg(short, long, help_heading = "Output")]
    pub verbose: bool,
    /// Print JSON lines on stdout, the result last; the console goes to stderr
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// Exit as `git bisect run` reads it: 0 good, 1 bad, 125 skip (not decided, did not run)
    #[arg(long, conflicts_with = "fail_on", help_heading = "Verdict")]
    pub bisect: bool,
    /// Also write FORMAT[=FILE][,...]: junit, sarif, github (annotations), metrics, plot, firefox; `-` is stdout
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = export::wanted, help_heading = "Output")]
    pub export: Vec<Wanted>,
    /// Hide no passwords, tokens, hooks and names in reports and on the console
    #[arg(long, help_heading = "Output")]
    pub no_redact: bool,
    /// Read no lines of the server's scripts, and show none in the reports
    #[arg(long, help_heading = "Output")]
    pub no_source: bool,
    /// The server's command, after `--`
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Lowers what was typed to a plan.
///
/// # Errors
/// Something that was typed cannot be meant; the message says what to type instead.
pub fn plan(args: &Args, config: &Config) -> anyhow::Result<Plan> {
    let mut named = args.passes.clone();
    named.extend(args.count.then_some(Pass::Count));
    let mut passes = lists::passes(&named);
    if args.attach.is_some() {
        if !passes.contains(&Pass::Measure) {
            bail!("--attach: a server that runs already cannot be started under a profiler; leave --passes out");
        }
        // That nothing is counted then is said by the pass.
        passes.retain(|pass| *pass != Pass::Profile);
    }
    if args.attach.is_none() && (args.command.is_empty() || args.command[0].is_empty()) {
        bail!("no command: give the server's command after --, as in\n  profile-run -- php bin/console smtp:serve");
    }
    let scenarios: Vec<_> = config
        .catalog
        .choose(&args.load)?
        .into_iter()
        .map(|scenario| parse::with_file_length(scenario.scaled(args.scale)))
        .collect();
    let engine = args.engine;
    if engine == Engine::Command && args.load_command.is_none() {
        bail!(
            "--engine command needs --load-command, as in\n  --load-command 'swaks --server {{host}} --port {{port}} --to test@localhost'"
        );
    }
    if engine != Engine::Command && args.load_command.is_some() {
        bail!("--load-command goes with --engine command");
    }
    if let Some(auth) = &args.auth
        && Auth::parse(auth).is_none()
    {
        bail!("--auth takes USER:PASS");
    }
    let target = args.target.as_deref().map(Address::parse).transpose()?;
    let workers = args.fleet.lower(engine, target.as_ref(), args.allow_remote)?;
    let tool = Tool::of(engine, args.load_command.as_deref());
    let scenarios = match &tool {
        Some(tool) => scenarios.iter().map(|scenario| tool.scenario(scenario)).collect(),
        None => scenarios,
    };
    let mail = Mail {
        from: args.from.clone(),
        to: args.to.clone(),
        helo: args.helo.clone(),
        auth: args.auth.clone(),
        starttls: args.starttls,
        tls: args.tls,
    };
    if engine == Engine::Locust {
        for scenario in &scenarios {
            locust::check(scenario, &SessionOptions::of_mail(&mail, args.allow_remote))?;
        }
    }
    Ok(Plan {
        command: args.command.clone(),
        attach: args.attach.clone(),
        cwd: args.cwd.clone(),
        env: args.env.clone(),
        target: args.target.clone(),
        passes,
        scenarios,
        scale: args.scale,
        budget: (!args.full).then_some(args.budget),
        waves: args.waves,
        mail,
        ready_timeout: args.ready_timeout,
        stall_timeout: args.stall_timeout,
        rest: args.rest,
        ledger: args.ledger,
        source: !args.no_source,
        library: config.library.clone(),
        settle: args.settle.clone(),
        prepare: None,
        before: args.before.clone(),
        after: args.after.clone(),
        engine,
        load_command: args.load_command.clone(),
        locust_workers: workers.local,
        remote_workers: workers.remote,
        allow_remote: args.allow_remote,
        allow_forward: args.allow_forward,
        max_disk: args.max_disk,
        keep_raw: args.keep_raw,
        max_tree: args.max_tree,
        timed: None,
        sought: None,
        baseline: args.baseline.clone(),
        fail_on: lists::fail_on(&args.fail_on).map_err(anyhow::Error::msg)?,
        seed: args.seed,
        // Not all that was typed need be text: a folder's name is bytes.
        typed: std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect(),
    })
}

/// Runs the main job.
///
/// # Errors
/// It could not be run at all.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let config = Config::load(args.config.as_deref())?;
    let plan = plan(&args, &config)?;
    export::check(&args.export, args.json)?;
    let show = Show {
        out: args.out,
        quiet: args.quiet,
        verbose: args.verbose,
        json: args.json,
        open: args.open,
        no_redact: args.no_redact,
        export: args.export,
        progress_alone: false,
    };
    if args.prepare.is_some() && args.against.is_none() {
        bail!("--prepare is for a fresh checkout: it goes with --against");
    }
    let other = args.against.as_deref().map(|revision| Other::check_out(revision, &plan)).transpose()?;
    super::run::run(plan, &config, &show, other.map(|other| (other, args.prepare)))
}
