//! Where failures begin, and which of them the caller hides.

use crate::graph::calls::Role;

use super::trace::Trace;
use super::{Family, Window};

/// An answer that says that there is no such thing is often no failure.
const NOT_FOUND: u16 = 404;

pub(super) fn look(trace: &Trace<'_>, window: &mut Window) {
    for span in (0..trace.parts.len()).filter(|&span| trace.counts(span)) {
        let exception = trace.name(trace.extras[span].exception);
        if !exception.is_empty() {
            let version = trace.name(trace.parts[span].version);
            let seen = window.seen(Family::Exceptions, &[trace.service(span), version, exception]);
            seen.hit(1, trace.id, [trace.id(span)]);
        }
        if trace.is_exit(span) && !trace.is_message(span) {
            swallowed(trace, span, window);
        }
    }
    zones(trace, window);
    for root in trace.roots().filter(|&root| trace.counts(root)) {
        let seen = window.seen(Family::Roots, &[trace.service(root), trace.operation(root)]);
        seen.of += 1;
        if trace.failed(root) {
            seen.hit(1, trace.id, [trace.id(root)]);
            origin(trace, root, window);
        }
    }
}

/// A call that failed for good while what its service answered went well.
fn swallowed(trace: &Trace<'_>, exit: usize, window: &mut Window) {
    let entry = trace.entry(exit);
    if trace.parts[entry].role != Role::Entry {
        return;
    }
    let (target, operation) = (trace.target(exit), trace.operation(exit));
    let seen = window.seen(Family::Swallowed, &[trace.service(exit), target, operation]);
    seen.of += 1;
    let harmless = trace.extras[exit].http == NOT_FOUND || trace.outcome(exit) == "cancelled";
    if !trace.failed(exit) || trace.failed(entry) || harmless {
        return;
    }
    let siblings = trace.tree.parent[exit].map_or(&[][..], |parent| &trace.tree.children[parent]);
    let again = siblings.iter().any(|&other| {
        trace.nodes[other].start >= trace.nodes[exit].end
            && trace.is_exit(other)
            && (trace.target(other), trace.operation(other)) == (target, operation)
    });
    if !again {
        seen.hit(1, trace.id, [trace.id(entry), trace.id(exit)]);
    }
}

/// Down from a root along failed spans, at each the last to end, until no synchronous child failed.
fn origin(trace: &Trace<'_>, root: usize, window: &mut Window) {
    let (mut at, mut way) = (root, vec![root]);
    loop {
        let failed = trace.tree.children[at].iter().copied();
        let failed = failed.filter(|&child| trace.failed(child) && !trace.is_message(child));
        let Some(next) = failed.max_by_key(|&child| trace.nodes[child].end) else { break };
        way.push(next);
        at = next;
    }
    let service = trace.service(at);
    let answered = trace.tree.children[at].iter().any(|&child| trace.parts[child].role == Role::Entry);
    let target = trace.target(at);
    let (kind, name) = match (trace.is_exit(at), answered) {
        (true, true) => ("edge", format!("{service} → {target}")),
        (true, false) if !target.is_empty() => ("peer", target.to_owned()),
        _ => ("service", service.to_owned()),
    };
    let key = [trace.service(root), trace.operation(root), kind, &name, trace.operation(at)];
    let seen = window.seen(Family::Origin, &key);
    seen.of += 1;
    let skip = way.len().saturating_sub(8);
    seen.hit(1, trace.id, way[skip..].iter().rev().map(|&span| trace.id(span)));
}

fn zones(trace: &Trace<'_>, window: &mut Window) {
    for (caller, callee) in trace.paired().filter(|&(caller, _)| trace.counts(caller)) {
        let zone = |span: usize| trace.name(trace.extras[span].zone);
        if zone(caller).is_empty() || zone(callee).is_empty() {
            continue;
        }
        let seen = window.seen(Family::Zones, &[zone(caller), zone(callee)]);
        seen.of += 1;
        // What the callee says itself was no matter of the network between them.
        if trace.failed(caller) && !trace.failed(callee) {
            seen.hit(1, trace.id, [trace.id(caller), trace.id(callee)]);
        }
    }
}
