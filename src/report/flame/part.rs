//! The flamegraphs of a profile as the page carries them: which are there, their frames as figures for
//! the script, and one picture for readers without it.

use std::borrow::Cow;
use std::collections::HashSet;

use super::data::{BY_FUNCTION, Data, Graph, Names, STACKS, cost_word};
use super::draw::{Unit, picture};
use super::kind::Kind;
use crate::analysis::flame::{Cost, Flame, Slice};
use crate::analysis::laid::Laid;
use crate::report::{Error, embed, words};

/// Most functions without a frame that a graph knows by name: of the whole recording, and of a part of it.
pub(super) const MOST_SMALL: (usize, usize) = (2400, 250);

/// The flamegraphs of a profile.
#[derive(Debug, Default)]
pub(in crate::report) struct Flames {
    /// Picture for wide screens without script.
    pub wide: String,
    /// Picture for narrow screens without script.
    pub narrow: String,
    /// The frames of all graphs as JSON.
    pub data: String,
    /// Any of them by allocation.
    pub allocation: bool,
    /// Any of them without waiting.
    pub busy: bool,
    /// Any of them of a part of the recording.
    pub slices: bool,
    /// Loads that have graphs of their own: how the graphs call them, and their names.
    pub loads: Vec<(String, String)>,
    /// Stacks are estimates.
    pub estimated: bool,
    /// Below which share of the whole frames are left out, in percent.
    pub left_out: String,
    /// Most levels of a graph, where there are more.
    pub levels: Option<usize>,
    /// By function, how many calls deep the graphs go at least where there were too many paths to go on.
    pub deepest: Option<usize>,
    /// It is of two profiles.
    pub difference: bool,
    /// It is of single messages.
    pub single: bool,
    /// What readers without script see first.
    pub title: String,
    /// The others of them for readers without script, who see the first.
    pub others: Vec<Picture>,
    /// Share of the wall time that was spent waiting.
    pub waiting_share: Option<f64>,
}

/// A graph for readers without script.
#[derive(Debug)]
pub(in crate::report) struct Picture {
    /// What it shows.
    pub title: String,
    /// For wide screens.
    pub wide: String,
    /// For narrow ones.
    pub narrow: String,
}

/// Makes the graphs; nothing where there is no cost to show. `waiting` names the functions that wait.
pub(in crate::report) fn flames(flames: &[Flame], waiting: &[&str], first: &Cost) -> Result<Option<Flames>, Error> {
    let waiting: HashSet<&str> = waiting.iter().copied().collect();
    let allocation = *first == Cost::Allocation && flames.iter().any(|flame| flame.cost == Cost::Allocation);
    let mut names = Names::new(&waiting);
    let mut graphs = Vec::new();
    let mut part = Flames::default();
    let mut least: f64 = 0.0;
    for flame in flames {
        for (order, laid) in [(STACKS, &flame.stacks), (BY_FUNCTION, &flame.by_function)] {
            if laid.total == 0 {
                continue;
            }
            least = laid.least.max(least);
            part.take_limits(laid);
            let most = if flame.slice == Slice::All { MOST_SMALL.0 } else { MOST_SMALL.1 };
            let graph = Graph::of(laid, &flame.names, (&flame.own, most), &mut names);
            let (cost, slice) = (cost_word(&flame.cost), key(&flame.slice));
            graphs.push(Graph { cost, busy: flame.busy, slice, order, ..graph });
        }
    }
    let drawn = flames.iter().filter(|flame| flame.stacks.total > 0);
    let Some(flame) = drawn.min_by_key(|flame| (allocation && flame.cost != Cost::Allocation, preferred(flame))) else {
        return Ok(None);
    };
    let unit = match &flame.cost {
        Cost::Time => "ns",
        Cost::Allocation => "bytes",
        Cost::Events(event) => event,
    };
    let kinds: Vec<Kind> = flame.names.iter().map(|name| Kind::of(name, &waiting)).collect();
    part.take_pictures(&flame.stacks, (&flame.names, &kinds), Unit { name: unit, factor: 1.0, in_time: false })?;
    let has = |test: &dyn Fn(&Graph<'_>) -> bool| graphs.iter().any(test);
    part.allocation = has(&|graph| graph.cost == "allocation");
    part.busy = has(&|graph| graph.busy);
    part.slices = has(&|graph| graph.slice != "all");
    for flame in flames {
        if let Slice::Load(name) = &flame.slice
            && !part.loads.iter().any(|(_, known)| known == name)
        {
            part.loads.push((key(&flame.slice).into_owned(), words::visible(name)));
        }
    }
    part.estimated = flames.iter().any(|flame| flame.estimated);
    part.left_out = words::percent(least);
    part.waiting_share = waiting_share(flames, &waiting);
    let first = if allocation { "allocation" } else { "time" };
    let (names, kinds) = names.taken();
    let events = counted(flames);
    let data = Data { names, kinds, events, first, slice: None, whole: None, graphs, difference: None };
    part.data = embed::script_json(&data)?;
    Ok(Some(part))
}

impl Flames {
    /// Takes note of what a graph leaves out.
    pub(super) fn take_limits(&mut self, laid: &Laid) {
        self.deepest = [self.deepest, laid.deepest].into_iter().flatten().min();
        self.levels = [self.levels, laid.levels].into_iter().flatten().max();
    }

    /// Draws for readers without script.
    pub(super) fn take_pictures(
        &mut self,
        laid: &Laid,
        names: (&[String], &[Kind]),
        unit: Unit<'_>,
    ) -> Result<(), Error> {
        self.wide = picture(laid, names, 1000, 0.001, unit)?;
        self.narrow = picture(laid, names, 340, 0.004, unit)?;
        Ok(())
    }
}

/// What the script calls a part. A scenario may be called as a part is.
fn key(slice: &Slice) -> Cow<'_, str> {
    match slice {
        Slice::All => "all".into(),
        Slice::First => "first".into(),
        Slice::Last => "last".into(),
        Slice::Load(name) => format!("load {}", words::visible(name)).into(),
    }
}

/// The graph that is shown first: time, all of it, with waiting.
fn preferred(flame: &Flame) -> u8 {
    u8::from(flame.cost == Cost::Allocation) * 4 + u8::from(flame.slice != Slice::All) * 2 + u8::from(flame.busy)
}

/// The event that is counted in the place of time, as it may be shown.
pub(in crate::report) fn counted(flames: &[Flame]) -> Option<String> {
    flames.iter().find_map(|flame| match &flame.cost {
        Cost::Events(event) => Some(words::visible(event)),
        Cost::Time | Cost::Allocation => None,
    })
}

fn waiting_share(flames: &[Flame], waiting: &HashSet<&str>) -> Option<f64> {
    // Events are no time, and edges do not tell what waited.
    let wall = flames.iter().find(|f| f.cost == Cost::Time && preferred(f) == 0 && !f.estimated)?;
    let waits = wall.own.iter().filter(|(name, _)| waiting.contains(wall.names[*name as usize].as_str()));
    let waits: u64 = waits.map(|(_, own)| own).sum();
    (wall.stacks.total > 0).then(|| waits as f64 / wall.stacks.total as f64)
}

#[cfg(test)]
mod tests {
    use crate::analysis::flame::{Cost, Flame, Slice};

    fn flame(stacks: &[(&[&'static str], u64)]) -> Flame {
        Flame::of_stacks(Slice::All, stacks.iter().map(|(stack, cost)| (stack.to_vec(), *cost)))
    }

    #[test]
    fn waiting_is_told_by_name() {
        let flames = [flame(&[(&["a", "php::usleep"], 30), (&["a", "php::substr"], 70)])];
        let part = super::flames(&flames, &["php::usleep"], &Cost::Time).unwrap().unwrap();
        assert_eq!(part.waiting_share, Some(0.3));
        assert!(!part.busy && !part.allocation);
        assert!(part.wide.contains("class=\"k kw\""), "{}", part.wide);
    }

    #[test]
    fn what_is_too_small_to_be_drawn_is_still_known() {
        let flames = [flame(&[(&["a", "b"], 99_990), (&["a", "tiny"], 4), (&["a"], 6)])];
        let part = super::flames(&flames, &[], &Cost::Time).unwrap().unwrap();
        assert!(
            part.data.contains("\"frames\":[0,0,100000,4,1,1,99990,0],\"deeper\":[],\"small\":[2,4]"),
            "{}",
            part.data
        );
    }

    #[test]
    fn of_a_deep_recursion_the_page_says_how_much_is_not_drawn() {
        let mut stack = vec!["f"; 3000];
        stack.push("g");
        let part = super::flames(&[flame(&[(&stack, 8), (&["a"], 2)])], &[], &Cost::Time).unwrap().unwrap();
        let levels = part.levels.unwrap();
        assert!(
            part.data.contains(&format!("\"deeper\":[{levels},{}],\"small\":[2,8]", 3001 - levels)),
            "{}",
            part.data
        );
        let drawn = part.wide.matches("<rect").count();
        assert!(
            part.wide.contains("levels\u{a0}deeper\u{a0}are\u{a0}not\u{a0}drawn") && drawn < levels,
            "{}",
            part.wide
        );
        assert!(part.wide.contains("(8 ns, 80.00%)"), "{}", part.wide);
    }

    #[test]
    fn what_a_search_does_not_know_is_counted() {
        let names: Vec<String> = (0..3000).map(|n| format!("f{n}")).collect();
        let stacks = names.iter().map(|name| (vec!["main", name], 1));
        let part = super::flames(&[Flame::of_stacks(Slice::All, stacks)], &[], &Cost::Time).unwrap().unwrap();
        assert_eq!(part.data.matches("\"unknown\":0").count(), 2, "all have a frame");
        let names: Vec<String> = (0..12_502).map(|n| format!("f{n}")).collect();
        let stacks = names.iter().map(|name| (vec!["main", name], 1));
        let part = super::flames(&[Flame::of_stacks(Slice::All, stacks)], &[], &Cost::Time).unwrap().unwrap();
        assert_eq!(part.data.matches("\"unknown\":10102").count(), 1, "main has one");
        assert_eq!(part.data.matches("\"unknown\":10103").count(), 1, "by function, main costs nothing of its own");
    }

    #[test]
    fn figures_in_names_are_no_costs() {
        let flames = [flame(&[(&["include::/srv/a 12 34", "f;g", "-"], 5)])];
        let part = super::flames(&flames, &[], &Cost::Time).unwrap().unwrap();
        assert!(part.wide.contains("/srv/a\u{a0}12\u{a0}34"), "{}", part.wide);
        assert!(part.data.contains("\"f;g\""), "{}", part.data);
        assert!(part.data.contains("[0,0,5,0,1,1,5,0,2,2,5,0]"), "{}", part.data);
    }
}
