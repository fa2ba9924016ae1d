//! Chains of synchronous calls: how deep they go, and whether they come back to where they were.

use super::trace::Trace;
use super::{Family, Window};

/// Ancestors that are looked at above one call.
const MOST_ANCESTORS: usize = 1_000;

pub(super) fn look(trace: &Trace<'_>, window: &mut Window) {
    depth(trace, window);
    for (caller, callee) in trace.paired().filter(|&(_, callee)| trace.counts(callee)) {
        cycle(trace, caller, callee, window);
    }
}

/// Synchronous calls from service to service on the deepest way down from each root.
fn depth(trace: &Trace<'_>, window: &mut Window) {
    for root in trace.roots().filter(|&root| trace.counts(root)) {
        let (mut deepest, mut last, mut stack) = (0, root, vec![(root, 0u64)]);
        while let Some((span, hops)) = stack.pop() {
            if hops > deepest {
                (deepest, last) = (hops, span);
            }
            for &child in &trace.tree.children[span] {
                if trace.is_message(child) {
                    continue;
                }
                let crossed = trace.parts[child].service != trace.parts[span].service;
                stack.push((child, hops + u64::from(crossed)));
            }
        }
        let seen = window.seen(Family::Depth, &[trace.service(root), trace.operation(root)]);
        seen.of += 1;
        seen.values.add(deepest);
        if deepest > 0 {
            let way = ancestors(trace, last).filter(|&span| crosses(trace, span)).map(|span| trace.id(span));
            seen.hit(deepest, trace.id, way);
        }
    }
}

/// A call of a service that is above the caller too, with another between.
fn cycle(trace: &Trace<'_>, caller: usize, callee: usize, window: &mut Window) {
    let home = trace.service(callee);
    let (mut way, mut spans) = (vec![home], vec![callee]);
    for above in ancestors(trace, caller) {
        if trace.is_message(above) {
            return;
        }
        let service = trace.service(above);
        if way.last() != Some(&service) {
            if service == home {
                spans.push(above);
                break;
            }
            way.push(service);
            spans.push(above);
        }
        if trace.tree.parent[above].is_none() {
            return;
        }
    }
    if spans.len() < 3 || trace.service(*spans.last().unwrap_or(&callee)) != home {
        return;
    }
    // The way was walked upwards.
    way[1..].reverse();
    let least = (0..way.len()).min_by_key(|&at| way[at]).unwrap_or(0);
    way.rotate_left(least);
    let spans = spans.into_iter().rev().map(|span| trace.id(span));
    let seen = window.seen(Family::Cycle, &way);
    seen.of += 1;
    seen.hit(1, trace.id, spans);
}

/// The span and those above it.
fn ancestors<'a>(trace: &'a Trace<'_>, span: usize) -> impl Iterator<Item = usize> + 'a {
    std::iter::successors(Some(span), |&at| trace.tree.parent[at]).take(MOST_ANCESTORS)
}

fn crosses(trace: &Trace<'_>, span: usize) -> bool {
    trace.tree.parent[span].is_none_or(|above| trace.parts[above].service != trace.parts[span].service)
}
