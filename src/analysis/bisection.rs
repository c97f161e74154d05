//! Which commit to try next, and what its run says of the leak that is looked for. Knows neither git nor processes.

use super::result::RunResult;
use crate::model::{Finding, GrowthSource, Metric, Sought, SoughtStep, State};

/// What is known of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Nothing yet.
    Unknown,
    /// What is looked for is not there.
    Good,
    /// It is there.
    Bad,
    /// Its run told neither.
    Skipped,
}

/// Commits in a row, the oldest first: the first is good, the last is bad.
#[derive(Debug, Clone)]
pub struct Search {
    marks: Vec<Mark>,
}

impl Search {
    /// So many commits behind the good one, the last of them bad.
    pub fn new(commits: usize) -> Self {
        let mut marks = vec![Mark::Unknown; commits + 1];
        marks[0] = Mark::Good;
        marks[commits] = Mark::Bad;
        Self { marks }
    }

    /// The last that is good, and the first behind it that is bad.
    fn bounds(&self) -> (usize, usize) {
        let bad = self.marks.iter().position(|mark| *mark == Mark::Bad).unwrap_or(self.marks.len() - 1);
        let good = self.marks[..bad].iter().rposition(|mark| *mark == Mark::Good).unwrap_or(0);
        (good, bad)
    }

    fn untried(&self) -> Vec<usize> {
        let (good, bad) = self.bounds();
        (good + 1..bad).filter(|at| self.marks[*at] == Mark::Unknown).collect()
    }

    /// The commit to try: as many that can be tried stand before it as behind it. Those that were skipped cannot, and
    /// so cost no further run.
    pub fn next(&self) -> Option<usize> {
        let untried = self.untried();
        untried.get(untried.len() / 2).copied()
    }

    /// Notes what a commit's run told.
    pub fn mark(&mut self, commit: usize, mark: Mark) {
        self.marks[commit] = mark;
    }

    /// Runs that are left at most, if none is skipped.
    pub fn runs_left(&self) -> u32 {
        self.untried().len().checked_ilog2().map_or(0, |log| log + 1)
    }

    /// The commits of which one brought it.
    pub fn suspects(&self) -> std::ops::RangeInclusive<usize> {
        let (good, bad) = self.bounds();
        good + 1..=bad
    }
}

/// The leak of a run that others are asked for: of PHP's heap where it is one of that, as that is read to the byte.
pub fn sought(result: &RunResult) -> Option<Sought> {
    let mut leaks: Vec<&Finding> = result
        .findings
        .iter()
        .filter(|finding| finding.state == State::Leak && finding.accepted.is_none() && finding.growth.is_some())
        .collect();
    leaks.sort_by_key(|finding| finding.metric != Metric::Heap);
    let leak = *leaks.first()?;
    let growth = leak.growth?;
    let by_heap = leak.metric == Metric::Heap || leak.source == Some(GrowthSource::Heap);
    let step = result.ledger.as_ref().filter(|_| by_heap).and_then(|ledger| SoughtStep::of(ledger, growth));
    Some(Sought {
        metric: leak.metric,
        scenario: leak.scenario.clone(),
        growth,
        holder: leak.holders.first().map(|holder| holder.path.clone()),
        step,
    })
}

/// What a run says of the leak that is looked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It is there.
    Bad(Shown),
    /// It is not there.
    Good(Shown),
    /// Neither can be said.
    Neither(Unsaid),
}

/// By what it was decided.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// The step that was looked for keeps so many bytes.
    Step(i64),
    /// Growth over the waves.
    Waves(Box<Finding>),
    /// It leaks, but by another holder.
    Otherwise(Box<Finding>),
}

/// Why nothing could be said.
#[derive(Debug, Clone, PartialEq)]
pub enum Unsaid {
    /// The server was never loaded; in the run's own words.
    NotLoaded(String),
    /// It was loaded, and the growth that is looked for was not decided; likewise.
    Undecided(String),
}

/// Whether the server was ready and answered.
pub fn started(result: &RunResult) -> bool {
    result.load.iter().any(|row| row.sessions > 0)
}

/// Reads the answer of a run.
pub fn answer(sought: &Sought, result: &RunResult) -> Answer {
    if !started(result) {
        return Answer::Neither(Unsaid::NotLoaded(result.sentence.clone()));
    }
    if let Some(there) = result.ledger.as_ref().and_then(|ledger| sought.is_in(ledger)) {
        let kept = result.ledger.iter().flat_map(|ledger| &ledger.kept);
        let mut same = kept.filter(|kept| sought.step.is_some_and(|step| (step.at, step.nth) == (kept.at, kept.nth)));
        let shown = Shown::Step(same.next().map_or(0, |kept| kept.bytes));
        return if there { Answer::Bad(shown) } else { Answer::Good(shown) };
    }
    let finding = result.finding(sought.metric, &sought.scenario);
    let Some(finding) = finding.filter(|finding| finding.state.is_decided()) else {
        let why = finding.map(|finding| finding.would_decide.clone().unwrap_or_else(|| finding.evidence.clone()));
        return Answer::Neither(Unsaid::Undecided(
            why.filter(|why| !why.is_empty()).unwrap_or(result.sentence.clone()),
        ));
    };
    let found = Box::new(finding.clone());
    if finding.state != State::Leak {
        return Answer::Good(Shown::Waves(found));
    }
    let other = sought
        .holder
        .as_ref()
        .is_some_and(|holder| !finding.holders.is_empty() && finding.holders.iter().all(|found| found.path != *holder));
    if other { Answer::Good(Shown::Otherwise(found)) } else { Answer::Bad(Shown::Waves(found)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks for the commit `culprit` of `commits`, of which some do not start; gives the suspects and the runs that started.
    fn look(commits: usize, culprit: usize, broken: &[usize]) -> (Vec<usize>, usize) {
        let mut search = Search::new(commits);
        let mut runs = 2;
        while let Some(at) = search.next() {
            let mark = match () {
                () if broken.contains(&at) => Mark::Skipped,
                () if at >= culprit => Mark::Bad,
                () => Mark::Good,
            };
            runs += usize::from(mark != Mark::Skipped);
            search.mark(at, mark);
        }
        assert_eq!(search.runs_left(), 0);
        (search.suspects().collect(), runs)
    }

    #[test]
    fn every_commit_of_64_is_found_in_8_runs_that_start() {
        for culprit in 1..=63 {
            assert_eq!(look(63, culprit, &[]).0, [culprit]);
            for stride in 1..40 {
                let broken: Vec<usize> = (0..6).map(|n| 1 + (n * stride + stride / 2) % 62).collect();
                let (suspects, runs) = look(63, culprit, &broken);
                assert!(runs <= 8, "{culprit} {stride}: {runs} runs");
                // The smallest set: the first commit that is known to be bad, and those before it that do not start.
                let bad = (culprit..=63).find(|at| *at == 63 || !broken.contains(at)).unwrap();
                let good = (0..culprit).rev().find(|at| *at == 0 || !broken.contains(at)).unwrap();
                assert_eq!(suspects, (good + 1..=bad).collect::<Vec<_>>(), "{culprit} {broken:?}");
            }
        }
    }

    #[test]
    fn two_commits_need_no_further_run() {
        let search = Search::new(1);
        assert_eq!((search.next(), search.runs_left()), (None, 0));
        assert_eq!(search.suspects(), 1..=1);
    }
}
