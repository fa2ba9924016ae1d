//! What the root of a trace waited for: shares of the critical path.

use std::collections::BTreeMap;

use storage::ids::{SpanId, TraceId};

use crate::tree;

use super::trace::Trace;
use super::{Window, key};

/// One trace of an operation that users call.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub trace: TraceId,
    pub root: SpanId,
    /// ns.
    pub duration: u64,
    /// Service and operation, their share of the duration, and the longest span of them; the largest first.
    pub shares: Vec<(String, f32, SpanId)>,
}

/// Samples of an operation that a window keeps, and operations.
const MOST_SAMPLES: usize = 100;
const MOST_OPERATIONS: usize = 200;
/// Shares that a sample keeps.
const MOST_SHARES: usize = 6;

pub(super) fn look(trace: &Trace<'_>, window: &mut Window) {
    let Some(root) = trace.roots().next().filter(|&root| trace.counts(root)) else { return };
    let duration = trace.parts[root].duration();
    let operation = key(&[trace.service(root), trace.operation(root)]);
    let known = window.paths.contains_key(&operation);
    if duration == 0 || (!known && window.paths.len() >= MOST_OPERATIONS) {
        return;
    }
    let samples = window.paths.entry(operation).or_default();
    if samples.len() >= MOST_SAMPLES {
        return;
    }
    let mut shares: BTreeMap<String, (u64, u64, SpanId)> = BTreeMap::new();
    for section in tree::critical_path(&trace.nodes, &trace.tree) {
        let name = key(&[trace.service(section.span), trace.operation(section.span)]);
        let took = section.end - section.start;
        let share = shares.entry(name).or_insert((0, 0, trace.id(section.span)));
        share.0 += took;
        if took > share.1 {
            (share.1, share.2) = (took, trace.id(section.span));
        }
    }
    let share = |(name, (took, _, span))| (name, (took as f64 / duration as f64) as f32, span);
    let mut shares: Vec<(String, f32, SpanId)> = shares.into_iter().map(share).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    shares.truncate(MOST_SHARES);
    samples.push(Sample { trace: trace.id, root: trace.id(root), duration, shares });
}
