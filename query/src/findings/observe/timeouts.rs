//! How long callers wait, who worked on when nobody waited any more, and whose clocks differ.

use crate::graph::calls::Role;

use super::trace::Trace;
use super::{Family, Window};

pub(super) fn look(trace: &Trace<'_>, window: &mut Window) {
    for exit in (0..trace.parts.len()).filter(|&span| trace.is_exit(span) && trace.counts(span)) {
        if trace.is_message(exit) {
            continue;
        }
        let took = trace.parts[exit].duration();
        let seen = window.seen(Family::Limits, &[trace.service(exit), trace.target(exit), trace.operation(exit)]);
        seen.of += 1;
        let timed_out = trace.outcome(exit) == "timeout";
        if timed_out {
            seen.values.add(took);
            seen.hit(took, trace.id, [trace.id(exit)]);
        } else if took > seen.most {
            seen.prove(took, trace.id, [trace.id(exit)]);
        }
        seen.most = seen.most.max(took);
    }
    for (caller, callee) in trace.paired().filter(|&(caller, _)| trace.is_exit(caller) && trace.counts(caller)) {
        abandoned(trace, caller, callee, window);
        clocks(trace, caller, callee, window);
    }
}

/// The callee worked longer than the caller waited. Durations, not ends: clocks may differ.
fn abandoned(trace: &Trace<'_>, caller: usize, callee: usize, window: &mut Window) {
    let key = [trace.service(caller), trace.service(callee), trace.operation(callee)];
    let seen = window.seen(Family::Abandoned, &key);
    seen.of += 1;
    let (waited, worked) = (trace.parts[caller].duration(), trace.parts[callee].duration());
    if matches!(trace.outcome(caller), "timeout" | "cancelled") && worked > waited {
        seen.values.add(worked - waited);
        seen.hit(worked - waited, trace.id, [trace.id(caller), trace.id(callee)]);
    }
}

/// The callee's span lies within the caller's; where it does not, the difference is that of the clocks.
fn clocks(trace: &Trace<'_>, caller: usize, callee: usize, window: &mut Window) {
    let (client, server) = (trace.parts[caller], trace.parts[callee]);
    let (from, to) = (trace.name(client.instance), trace.name(server.instance));
    let usable = server.role == Role::Entry && client.duration() >= server.duration();
    if from.is_empty() || to.is_empty() || !usable || trace.failed(caller) || trace.failed(callee) {
        return;
    }
    let behind = |a: u64, b: u64| (i128::from(a) - i128::from(b)).clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    let key = [trace.service(caller), from, trace.service(callee), to];
    let seen = window.seen(Family::Skew, &key);
    seen.of += 1;
    seen.low = seen.low.max(behind(server.node.end, client.node.end));
    seen.high = seen.high.min(behind(server.node.start, client.node.start));
    let outside = server.node.start < client.node.start || server.node.end > client.node.end;
    if outside {
        let by = client.node.start.abs_diff(server.node.start);
        seen.hit(by, trace.id, [client.node.id, server.node.id]);
    }
}
