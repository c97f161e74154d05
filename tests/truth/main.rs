//! The program against servers whose truth is known: what is planted in them, at which rate, on which path.
//!
//! `cargo test --test truth` runs the short form. `PROFILE_RUN_TRUTH=N` runs every case N times, the doubtful ones twice
//! as often; `PROFILE_RUN_CASES=TEXT` only those whose name holds the text; `PROFILE_RUN_LANES=N` so many at a time (each
//! is then on a machine that is not quiet); `PROFILE_RUN_KEEP=FOLDER` keeps the runs there, and with `PROFILE_RUN_AGAIN=1`
//! those that are there already are judged anew by today's rule, and none is run.

mod bisect;
mod callbacks;
mod cases;
mod count;
mod drivers;
mod fibers;
mod ledger;
mod library;
mod locust;
mod run;
mod score;

use std::collections::BTreeMap;
use std::sync::Mutex;

use cases::{Case, Truth};
use score::Mark;

/// Of the runs of leaks that are twice the bounds and of servers without a fault, those that may stay undecided.
const UNDECIDED: f64 = 0.25;

/// Counts for the closing tables.
#[derive(Default)]
struct Sum {
    /// Truth, then what was said, then how often.
    matrix: BTreeMap<&'static str, BTreeMap<String, u32>>,
    marks: BTreeMap<&'static str, u32>,
    runs: u32,
    /// Of those that can be decided, the ones that were not.
    undecided: u32,
    wrong: Vec<String>,
    smallest: Option<(f64, String)>,
    waves: Vec<usize>,
    seconds: f64,
}

impl Sum {
    fn add(&mut self, case: &Case, outcome: &run::Outcome, score: &score::Score) {
        let truth = match case.truth {
            Truth::Sound => "sound",
            Truth::Leak { .. } => "leak",
            Truth::Masked => "masked",
            Truth::Fails(_) => "fails",
        };
        let said = outcome.result["verdict"].as_str().unwrap_or("nothing").to_owned();
        *self.matrix.entry(truth).or_default().entry(said).or_default() += 1;
        let mark = match score.mark {
            Mark::Right => "right",
            Mark::Undecided => "undecided",
            Mark::Below => "below a limit that holds",
            Mark::Wrong => "wrong",
        };
        *self.marks.entry(mark).or_default() += 1;
        self.runs += 1;
        self.undecided += u32::from(score.mark != Mark::Right && !case.hard);
        self.seconds += outcome.seconds;
        self.waves.push(score.waves);
        if score.mark == Mark::Wrong {
            self.wrong.push(format!("{}: {}", case.name(), score.reason));
        }
        if let (Mark::Right, Truth::Leak { metrics, growth: Some([low, _]), .. }) = (score.mark, &case.truth)
            && ["heap", "rss"].contains(&metrics[0])
            && *low > 0.0
            && self.smallest.as_ref().is_none_or(|(smallest, _)| low < smallest)
        {
            self.smallest = Some((*low, case.name()));
        }
    }

    fn print(&mut self) {
        const SAID: [&str; 5] = ["leak", "failed", "inconclusive", "clean", "nothing"];
        println!("\n{:<8}{}", "truth", SAID.map(|said| format!("{said:>13}")).concat());
        for (truth, row) in &self.matrix {
            let counts = SAID.map(|said| format!("{:>13}", row.get(said).copied().unwrap_or(0))).concat();
            println!("{truth:<8}{counts}");
        }
        self.waves.sort_unstable();
        println!("N = {} runs, {} wrong: {:?}", self.runs, self.wrong.len(), self.marks);
        if self.wrong.is_empty() {
            println!(
                "no wrong verdict in N: at most {:.1}% of such runs are wrong (3/N, 95%)",
                (300.0 / f64::from(self.runs)).min(100.0)
            );
        }
        if let Some((bytes, name)) = &self.smallest {
            println!("smallest leak of memory found: {bytes:.0} bytes per 1,000 ({name})");
        }
        let median = self.waves.get(self.waves.len() / 2).copied().unwrap_or(0);
        println!("waves: median {median}, at most {}; {:.0} s in all", self.waves.last().unwrap_or(&0), self.seconds);
    }
}

#[test]
fn verdicts_are_true() {
    let runs: Option<u32> = std::env::var("PROFILE_RUN_TRUTH").ok().map(|runs| runs.parse().expect("a number of runs"));
    let named = std::env::var("PROFILE_RUN_CASES").ok();
    let mut cases = cases::all();
    cases.retain(|case| match &named {
        Some(text) => case.name().contains(text.as_str()),
        None => runs.is_some() || case.short,
    });
    assert!(!cases.is_empty(), "a case of that name");
    // Every case once, then every case again: a suite that is cut short has covered all of them.
    let times = |case: &Case| runs.unwrap_or(1) * if case.doubtful && runs.is_some() { 2 } else { 1 };
    let rounds = cases.iter().map(times).max().unwrap_or(1);
    let all: Vec<(&Case, u32)> = (1..=rounds)
        .flat_map(|seed| cases.iter().filter(move |case| seed <= times(case)).map(move |c| (c, seed)))
        .collect();
    let again = std::env::var_os("PROFILE_RUN_AGAIN").is_some();
    let is_kept =
        |(case, seed): &(&Case, u32)| run::kept(case, *seed).is_some_and(|run| run.join("journal.jsonl").exists());
    let all: Vec<(&Case, u32)> = all.into_iter().filter(|one| !again || is_kept(one)).collect();
    let (left, sum) = (Mutex::new(all.into_iter()), Mutex::new(Sum::default()));
    let next = || left.lock().expect("no lane has panicked").next();
    let lane = || {
        while let Some((case, seed)) = next() {
            let outcome = match run::kept(case, seed).filter(|_| again) {
                Some(kept) => run::judge_again(&kept),
                None => run::run(case, seed),
            };
            let score = score::score(case, &outcome);
            println!(
                "{:<9} {:<52} {:>3} waves {:>4.0} s  {}",
                format!("{:?}", score.mark),
                case.name(),
                score.waves,
                outcome.seconds,
                score.reason
            );
            sum.lock().expect("no lane has panicked").add(case, &outcome, &score);
        }
    };
    let lanes = std::env::var("PROFILE_RUN_LANES").map_or(1, |lanes| lanes.parse().expect("a number of lanes"));
    std::thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(lane);
        }
    });
    let mut sum = sum.into_inner().expect("no lane has panicked");
    sum.print();
    assert!(sum.wrong.is_empty(), "wrong:\n{}", sum.wrong.join("\n"));
    let undecided = sum.undecided;
    assert!(f64::from(undecided) <= UNDECIDED * f64::from(sum.runs), "{undecided} of {} runs did not decide", sum.runs);
}
