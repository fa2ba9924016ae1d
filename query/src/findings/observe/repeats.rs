//! The same call again and again under one parent: N+1 and chatter where they go well, retries where not.

use std::collections::BTreeMap;

use crate::graph::calls::Role;

use super::trace::Trace;
use super::{Family, Window};

/// Ancestors that are looked at above one retry.
const MOST_ANCESTORS: usize = 1_000;
/// HTTP statuses after which a client sends again by design: redirects, and credentials that were asked for.
const ASKED_AGAIN: [u16; 2] = [401, 407];

/// From when on the same call again is chatter, of one trace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repeats {
    /// More calls of a database than this, that take longer than this together.
    pub(crate) db_calls: f64,
    pub(crate) db_ms: f64,
    /// So many calls of a service.
    pub(crate) rpc_calls: f64,
    /// Share that begins after the one before has ended.
    pub(crate) sequential: f64,
}

pub(super) fn look(trace: &Trace<'_>, limits: Repeats, window: &mut Window) {
    for entry in (0..trace.parts.len()).filter(|&span| trace.parts[span].role == Role::Entry && trace.counts(span)) {
        window.seen(Family::Entries, &[trace.service(entry), trace.operation(entry)]).of += 1;
    }
    let mut retries = Vec::new();
    let mut told = BTreeMap::new();
    for parent in 0..trace.parts.len() {
        for calls in groups(trace, parent) {
            let again = retried(trace, &calls);
            count(trace, &calls, &again, window);
            retries.extend(&again);
            chatty(trace, parent, &calls, limits, &mut told);
        }
    }
    for (entry, key, calls) in told.into_values() {
        let key: [&str; 5] = key;
        let spans = std::iter::once(entry).chain(calls.iter().copied()).map(|span| trace.id(span));
        window.seen(Family::Chatty, &key).hit(calls.len() as u64, trace.id, spans);
    }
    layers(trace, &retries, window);
}

/// Exits below a span, those of one target and operation together, by start.
fn groups(trace: &Trace<'_>, parent: usize) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    let exits = trace.tree.children[parent].iter().copied();
    for exit in exits.filter(|&exit| trace.is_exit(exit) && !trace.is_message(exit)) {
        groups.entry((trace.target(exit), trace.operation(exit))).or_default().push(exit);
    }
    groups.into_values().collect()
}

/// Calls that repeat one that failed, after it had ended.
fn retried(trace: &Trace<'_>, calls: &[usize]) -> Vec<usize> {
    let pairs = calls.windows(2).filter(|pair| {
        let (before, after) = (pair[0], pair[1]);
        let http = trace.extras[before].http;
        let by_design = (300..400).contains(&http) || ASKED_AGAIN.contains(&http);
        trace.failed(before) && !by_design && trace.nodes[after].start >= trace.nodes[before].end
    });
    pairs.map(|pair| pair[1]).collect()
}

fn count(trace: &Trace<'_>, calls: &[usize], again: &[usize], window: &mut Window) {
    for &call in calls.iter().filter(|&&call| trace.counts(call)) {
        let seen = window.seen(Family::Retries, &[trace.service(call), trace.target(call), trace.operation(call)]);
        seen.of += 1;
        if again.contains(&call) {
            let spans = calls.iter().map(|&span| trace.id(span));
            seen.hit(again.len() as u64, trace.id, spans);
        }
    }
}

type Told<'a> = BTreeMap<(usize, &'a str, &'a str), (usize, [&'a str; 5], Vec<usize>)>;

/// Keeps the group, once for each run of the entry operation, where it is long and one after the other.
fn chatty<'a>(trace: &Trace<'a>, parent: usize, calls: &[usize], limits: Repeats, told: &mut Told<'a>) {
    let fine: Vec<usize> = calls.iter().copied().filter(|&call| !trace.failed(call)).collect();
    let Some(&first) = fine.first() else { return };
    let entry = trace.entry(parent);
    if !trace.counts(entry) {
        return;
    }
    let database = trace.is_database(first);
    let took: u64 = fine.iter().map(|&call| trace.parts[call].duration()).sum();
    let in_turn = fine.windows(2).filter(|pair| trace.nodes[pair[1]].start >= trace.nodes[pair[0]].end).count();
    let long = match database {
        true => fine.len() as f64 > limits.db_calls && took as f64 > limits.db_ms * 1e6,
        false => fine.len() as f64 >= limits.rpc_calls,
    };
    if !long || (in_turn as f64) < limits.sequential * (fine.len() - 1) as f64 {
        return;
    }
    let kind = if database { "db" } else { "rpc" };
    let key = [kind, trace.service(entry), trace.operation(entry), trace.target(first), trace.operation(first)];
    told.entry((entry, trace.target(first), trace.operation(first))).or_insert((entry, key, fine));
}

/// Services that retry below a call that is itself one of several attempts.
fn layers(trace: &Trace<'_>, retries: &[usize], window: &mut Window) {
    for &retry in retries.iter().filter(|&&retry| trace.counts(retry)) {
        let mut services = vec![trace.service(retry)];
        let mut spans = vec![retry];
        let above = std::iter::successors(trace.tree.parent[retry], |&at| trace.tree.parent[at]);
        for above in above.take(MOST_ANCESTORS).filter(|above| retries.contains(above)) {
            if !services.contains(&trace.service(above)) {
                services.push(trace.service(above));
            }
            spans.push(above);
        }
        if services.len() > 1 {
            services.reverse();
            let seen = window.seen(Family::RetryLayers, &services);
            seen.of += 1;
            seen.hit(spans.len() as u64, trace.id, spans.iter().rev().map(|&span| trace.id(span)));
        }
    }
}
