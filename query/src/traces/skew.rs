//! How far the clocks of instances are apart, told from calls of which both sides are stored.
//!
//! A callee works while its caller waits. So what must be added to the callee's times lies, for each call, in
//! `[client.start − server.start, client.end − server.end]`; the intersection over many calls between the
//! same two instances is what their clocks can be apart. Where it holds 0, nothing is wrong that can be seen.

use hashbrown::HashMap;
use storage::ids::{SpanId, TraceId};
use storage::terms::Prune;

use crate::engine::{Deadline, Engine, QueryError, Range};
use crate::graph::calls::{Call, Part, Role, calls};
use crate::graph::intern::{Name, Names};
use crate::graph::parts::{by_trace, collect};
use crate::model::{ClockOffset, Notes, TraceSkew};
use crate::rows::Columns;
use crate::rows::scan::Halt;
use crate::traces::read::{Wanted, each_chunk};
use crate::{graph, tree};

/// Calls that an estimate needs at least.
const LEAST_CALLS: u64 = 20;

/// Calls are looked at so long before and after the trace, ns.
const AROUND: i64 = 300_000_000_000;
/// And in so many spans at most; about 60 MB.
const MOST_SPANS: usize = 400_000;

/// A service's instance.
type Place = (Name, Name);

/// Bounds of what must be added to the times of a callee, ns; and how many calls say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    low: i64,
    high: i64,
    calls: u64,
}

impl Bounds {
    fn meet(self, other: Self) -> Self {
        Self { low: self.low.max(other.low), high: self.high.min(other.high), calls: self.calls + other.calls }
    }

    /// What to add, ns; None where too few calls speak, they contradict each other, or 0 is among what is possible.
    fn offset(self) -> Option<i64> {
        let told = self.calls >= LEAST_CALLS && self.low <= self.high && (self.low > 0 || self.high < 0);
        told.then(|| self.low.midpoint(self.high))
    }
}

impl Engine {
    /// The clocks of the instances in a trace, by calls around its time. None where no span of it is stored.
    pub async fn trace_skew(&self, id: TraceId) -> Result<Result<TraceSkew, Notes>, QueryError> {
        self.run(move |snapshot, deadline| {
            let (mut names, mut notes) = (Names::default(), Notes::of(snapshot));
            let mut own = Vec::new();
            let wanted = Wanted { columns: graph::parts::COLUMNS, prune: &Prune::trace(id), range: Range::ALL };
            each_chunk(snapshot, deadline, &wanted, &mut notes, |batch| {
                Ok(collect(Columns::new(batch), &mut own, &mut names, |trace| trace == id, Range::ALL)?)
            })?;
            let Some(own) = by_trace(&mut own, &names).next() else { return Ok(Err(notes)) };
            let starts = || own.iter().map(|part| part.node.start as i64);
            let range = Range {
                from: starts().min().unwrap_or_default().saturating_sub(AROUND),
                to: starts().max().unwrap_or_default().saturating_add(AROUND),
            };
            let pairs = pairs(own);
            let bounds = bounds(snapshot, deadline, range, &mut names, &mut notes, &pairs)?;
            Ok(Ok(TraceSkew { offsets: offsets(&bounds, &names), shifts: shifts(own, &bounds), notes }))
        })
        .await
    }
}

/// Which instances call which in a trace.
fn pairs(parts: &[Part]) -> hashbrown::HashSet<(Place, Place)> {
    waited(parts).map(|(caller, callee)| (place(caller), place(callee))).filter(|(a, b)| a != b).collect()
}

/// Caller and callee of calls whose caller waits.
fn waited(parts: &[Part]) -> impl Iterator<Item = (&Part, &Part)> {
    calls(parts).into_iter().filter_map(|call| match call {
        Call::Paired { caller, callee } => Some((&parts[caller], &parts[callee])).filter(|(caller, callee)| {
            caller.role == Role::Exit && caller.node.kind != PRODUCER && callee.node.kind != CONSUMER
        }),
        _ => None,
    })
}

fn place(part: &Part) -> Place {
    (part.service, part.instance)
}

fn bounds(
    snapshot: &storage::store::Snapshot,
    deadline: &Deadline,
    range: Range,
    names: &mut Names,
    notes: &mut Notes,
    pairs: &hashbrown::HashSet<(Place, Place)>,
) -> Result<HashMap<(Place, Place), Bounds>, QueryError> {
    let mut bounds: HashMap<(Place, Place), Bounds> = HashMap::new();
    if pairs.is_empty() {
        return Ok(bounds);
    }
    let (mut parts, mut more) = (Vec::new(), false);
    let wanted = Wanted { columns: graph::parts::COLUMNS, prune: &Prune::All, range };
    each_chunk(snapshot, deadline, &wanted, notes, |batch| {
        if parts.len() > MOST_SPANS {
            more = true;
            return Err(Halt::Enough);
        }
        Ok(collect(Columns::new(batch), &mut parts, names, |_| true, range)?)
    })?;
    if more {
        let told = format!("the clocks are judged by {MOST_SPANS} spans around the trace, not by all");
        notes.warnings.push(told);
    }
    for trace in by_trace(&mut parts, names) {
        for (client, server) in waited(trace) {
            let pair = (place(client), place(server));
            let (start, end) =
                (difference(client.node.start, server.node.start), difference(client.node.end, server.node.end));
            // A callee that worked longer than its caller waited was given up: it says nothing of the clocks.
            if start <= end && pairs.contains(&pair) {
                let one = Bounds { low: start, high: end, calls: 1 };
                bounds.entry(pair).and_modify(|known| *known = known.meet(one)).or_insert(one);
            }
        }
    }
    Ok(bounds)
}

fn difference(a: u64, b: u64) -> i64 {
    a.wrapping_sub(b).cast_signed()
}

fn offsets(bounds: &HashMap<(Place, Place), Bounds>, names: &Names) -> Vec<ClockOffset> {
    let text = |name| names.text(name).to_owned();
    let mut offsets: Vec<ClockOffset> = bounds
        .iter()
        .map(|((caller, callee), bounds)| ClockOffset {
            caller: (text(caller.0), text(caller.1)),
            callee: (text(callee.0), text(callee.1)),
            low: bounds.low,
            high: bounds.high,
            calls: bounds.calls,
            offset: bounds.offset(),
        })
        .collect();
    offsets.sort_by(|a, b| (&a.caller, &a.callee).cmp(&(&b.caller, &b.callee)));
    offsets
}

/// What to add to the times of each span, ns; only spans that would move. The clocks of the roots are right.
fn shifts(parts: &[Part], bounds: &HashMap<(Place, Place), Bounds>) -> Vec<(SpanId, i64)> {
    let nodes: Vec<_> = parts.iter().map(|part| part.node).collect();
    let links = tree::link(&nodes);
    let mut shift: Vec<Option<i64>> = vec![None; parts.len()];
    for span in 0..parts.len() {
        let mut way = Vec::new();
        let mut at = Some(span);
        // Up to what is known, then down again: each span is settled once.
        while let Some(here) = at.filter(|&here| shift[here].is_none()) {
            way.push(here);
            at = links.parent[here];
        }
        for here in way.into_iter().rev() {
            let moved = links.parent[here].map_or(0, |above| {
                let known = bounds.get(&(place(&parts[above]), place(&parts[here])));
                let own = known.and_then(|bounds| bounds.offset()).unwrap_or_default();
                shift[above].unwrap_or_default().saturating_add(own)
            });
            shift[here] = Some(moved);
        }
    }
    let moved = shift.into_iter().enumerate().filter_map(|(span, shift)| Some((parts[span].node.id, shift?)));
    moved.filter(|(_, shift)| *shift != 0).collect()
}

/// OTLP `SpanKind`.
const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;

#[cfg(test)]
mod tests {
    use super::super::testing::Stored;
    use super::*;
    use crate::engine::Limits;
    use crate::model::Span;
    use crate::rows::testing::{resource, span};

    const T0: u64 = 1_700_000_000_000_000_000;
    const MS: u64 = 1_000_000;

    /// A call of 10 ms, the callee's clock `ahead` ms.
    fn call(trace: u128, ahead: i64) -> [Span; 2] {
        let start = T0 + trace as u64 * 1_000 * MS;
        let client = Span {
            kind: 3,
            role: "exit".to_owned(),
            service: "front".to_owned(),
            resource: resource("front"),
            start,
            end: start + 10 * MS,
            ..span(trace, 1, "call")
        };
        // Not always in the middle of its caller.
        let begins = start + (1 + trace as u64 % 4) * MS;
        let begins = begins.wrapping_add_signed(ahead * MS as i64);
        let server = Span {
            kind: 2,
            role: "entry".to_owned(),
            parent_span_id: Some(client.span_id),
            service: "cart".to_owned(),
            resource: resource("cart"),
            start: begins,
            end: begins + 5 * MS,
            ..span(trace, 2, "serve")
        };
        [client, server]
    }

    async fn skew(calls: u128, ahead: i64) -> TraceSkew {
        let spans: Vec<Span> = (1..=calls).flat_map(|trace| call(trace, ahead)).collect();
        let stored = Stored::with(Limits::default(), &[&spans]).await;
        stored.engine.trace_skew(TraceId(1u128.to_be_bytes())).await.expect("an answer").expect("a trace")
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_clock_that_is_ahead_is_told_and_the_span_moved_back() {
        let found = skew(30, 80).await;
        let [offset] = &found.offsets[..] else { panic!("{:?}", found.offsets) };
        assert_eq!((offset.calls, offset.caller.0.as_str(), offset.callee.0.as_str()), (30, "front", "cart"));
        let told = offset.offset.expect("an estimate");
        assert!((told + 80 * MS as i64).unsigned_abs() < 3 * MS, "{told}");
        assert_eq!(found.shifts, [(SpanId(2u64.to_be_bytes()), told)]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn clocks_that_agree_and_few_calls_move_nothing() {
        let found = skew(30, 0).await;
        assert_eq!((found.offsets[0].offset, found.shifts.len()), (None, 0));
        let found = skew(5, 80).await;
        assert_eq!((found.offsets[0].offset, found.shifts.len()), (None, 0));
    }
}
