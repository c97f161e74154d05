//! Inclusive cost of each function from edges. Where functions call one another in a circle, the costs of
//! their edges hold one another, and their sum would count the same work several times.

use std::collections::HashMap;

/// A graph of one event: functions are numbered densely.
#[derive(Debug, Default)]
pub(super) struct Flat {
    /// Self costs.
    pub own: Vec<i64>,
    /// Callees of each function with the calls and their inclusive cost; calls of itself left out.
    pub callees: Vec<Vec<(u32, u64, i64)>>,
}

/// What edges amount to.
#[derive(Debug, Default)]
pub(super) struct Inclusive {
    /// Inclusive cost of each function; recursion is counted once.
    pub costs: Vec<i64>,
    /// The circle that a function belongs to; functions outside of circles are alone in theirs.
    pub circles: Vec<u32>,
}

/// A function's inclusive cost is its self cost and that of its calls, or what its callers were charged
/// where that is more (its own lines may be lost). In a circle it is at most the cost of the whole circle.
pub(super) fn inclusive(graph: &Flat) -> Inclusive {
    let circles = circles(&graph.callees);
    let mut sizes: HashMap<u32, u32> = HashMap::new();
    circles.iter().for_each(|circle| *sizes.entry(*circle).or_default() += 1);
    let mut charged: Vec<Option<i64>> = vec![None; graph.own.len()];
    let mut whole: HashMap<u32, i64> = HashMap::new();
    let mut costs = graph.own.clone();
    for (caller, callees) in graph.callees.iter().enumerate() {
        let sum = whole.entry(circles[caller]).or_default();
        *sum = sum.saturating_add(graph.own[caller]);
        for &(callee, _, cost) in callees {
            costs[caller] = costs[caller].saturating_add(cost);
            if circles[callee as usize] != circles[caller] {
                *sum = sum.saturating_add(cost);
                let sum = charged[callee as usize].get_or_insert(0);
                *sum = sum.saturating_add(cost);
            }
        }
    }
    for (function, cost) in costs.iter_mut().enumerate() {
        let charged = charged[function].unwrap_or(i64::MIN);
        *cost = (*cost).max(charged);
        let circle = circles[function];
        if sizes[&circle] > 1 {
            *cost = (*cost).min(whole[&circle].max(charged));
        }
    }
    Inclusive { costs, circles }
}

/// Strongly connected components, by Tarjan's algorithm without recursion.
pub(super) fn circles(callees: &[Vec<(u32, u64, i64)>]) -> Vec<u32> {
    const NEW: u32 = u32::MAX;
    let mut order = vec![NEW; callees.len()];
    let mut low = vec![0u32; callees.len()];
    let mut circle = vec![NEW; callees.len()];
    let (mut next, mut stack, mut open) = (0u32, Vec::new(), Vec::new());
    for start in 0..callees.len() as u32 {
        if order[start as usize] == NEW {
            open.push((start, 0usize));
        }
        while let Some((function, at)) = open.last_mut() {
            let f = *function as usize;
            if *at == 0 {
                (order[f], low[f]) = (next, next);
                next += 1;
                stack.push(*function);
            }
            if let Some(&(callee, ..)) = callees[f].get(*at) {
                *at += 1;
                let c = callee as usize;
                if order[c] == NEW {
                    // The marker of a first visit is `at == 0`.
                    open.push((callee, 0));
                } else if circle[c] == NEW {
                    low[f] = low[f].min(order[c]);
                }
                continue;
            }
            if low[f] == order[f] {
                while let Some(member) = stack.pop() {
                    circle[member as usize] = f as u32;
                    if member as usize == f {
                        break;
                    }
                }
            }
            open.pop();
            if let Some((above, _)) = open.last() {
                let above = *above as usize;
                low[above] = low[above].min(low[f]);
            }
        }
    }
    circle
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(own: &[i64], calls: &[(u32, u32, i64)]) -> Inclusive {
        let mut flat = Flat { own: own.to_vec(), callees: vec![Vec::new(); own.len()] };
        for &(caller, callee, cost) in calls {
            flat.callees[caller as usize].push((callee, 1, cost));
        }
        inclusive(&flat)
    }

    #[test]
    fn without_circles_it_is_self_and_calls() {
        let found = graph(&[1, 2, 3], &[(0, 1, 5), (0, 2, 2), (1, 2, 3)]);
        assert_eq!(found.costs, [8, 5, 5], "the callers of the last were charged more than it has");
    }

    #[test]
    fn a_circle_costs_what_it_holds() {
        // main calls even, even and odd call each other: each call holds the calls below it.
        let found = graph(&[10, 30, 20], &[(0, 1, 50), (1, 2, 120), (2, 1, 90)]);
        assert_eq!(found.costs, [60, 50, 50]);
        assert_eq!(found.circles[1], found.circles[2]);
        assert_ne!(found.circles[0], found.circles[1]);
    }

    #[test]
    fn long_chains_need_no_stack() {
        let own = vec![1; 200_000];
        let calls: Vec<_> = (1..200_000u32).map(|n| (n - 1, n, 200_000 - i64::from(n))).collect();
        let found = graph(&own, &calls);
        assert_eq!((found.costs[0], found.costs[199_999]), (200_000, 1));
    }
}
