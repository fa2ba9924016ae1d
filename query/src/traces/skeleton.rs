//! A trace as columns, for drawing: ids, names, times and the tree, without attributes.

use arrow::record_batch::RecordBatch;
use storage::attrs;
use storage::ids::{SpanId, TraceId};
use storage::scan::ReadError;
use storage::schema::col;
use storage::store::Snapshot;

use crate::engine::{Deadline, Engine, QueryError, Range};
use crate::graph::intern::{Name, NameColumn, Names};
use crate::model::{CallTree, ErrorOrigin, MissingSpan, Notes, Section};
use crate::rows::scan::ANSWER_BYTES;
use crate::rows::{Columns, SPAN_COLUMNS};
use crate::tree::{self, Built, Node};

use super::distinct::Distinct;
use super::read::{Wanted, each_chunk};
use super::{is_fresh, prune, tell_of_cycles};

/// One entry per span in every column, in display order: depth first, children by start.
#[derive(Clone, Debug, PartialEq)]
pub struct Skeleton {
    pub id: TraceId,
    /// Earliest start, ns since the epoch.
    pub t0: u64,
    /// From `t0` to the latest end, ns.
    pub duration: u64,
    pub services: Vec<String>,
    pub names: Vec<String>,
    pub outcomes: Vec<String>,
    pub span_id: Vec<SpanId>,
    /// Row of the parent; None for roots.
    pub parent: Vec<Option<usize>>,
    pub depth: Vec<u32>,
    /// ns after `t0`.
    pub start: Vec<u64>,
    /// ns; 0 where the end lies before the start.
    pub span_duration: Vec<u64>,
    pub self_time: Vec<u64>,
    /// Indexes of `services`, `names`, `outcomes`.
    pub service: Vec<usize>,
    pub name: Vec<usize>,
    pub outcome: Vec<usize>,
    /// OTLP SpanKind and StatusCode.
    pub kind: Vec<i32>,
    pub status: Vec<i32>,
    /// Rows.
    pub orphans: Vec<usize>,
    pub roots: Vec<usize>,
    /// By time; `span` is a row, times are ns after `t0`.
    pub critical_path: Vec<Section>,
    /// What orphans name as their parents; `children` are rows.
    pub missing: Vec<MissingSpan>,
    /// Where errors begin; `span` is a row.
    pub error_origins: Vec<ErrorOrigin>,
    /// When the last of its spans was received, ns since the epoch.
    pub last_arrival: u64,
    pub notes: Notes,
}

const COLUMNS: &[&str] = &[
    col::TRACE_ID,
    col::SPAN_ID,
    col::PARENT_SPAN_ID,
    col::NAME,
    col::KIND,
    col::START_TIME,
    col::DURATION,
    col::STATUS_CODE,
    col::ROLE,
    col::LINKS,
    col::OUTCOME,
    col::RECEIVED_TIME,
    col::SERVICE_NAME,
];

impl Engine {
    /// The trace without its attributes, in much less time; None where no span of it is stored.
    pub async fn skeleton(&self, id: TraceId) -> Result<Option<Skeleton>, QueryError> {
        Ok(self.skeleton_or_notes(id).await?.ok())
    }

    /// The skeleton, or as in [`Self::trace_or_notes`] what to say where no span was found.
    pub async fn skeleton_or_notes(&self, id: TraceId) -> Result<Result<Skeleton, Notes>, QueryError> {
        let (most, now) = (self.limits().trace_spans, self.now());
        self.run(move |snapshot, deadline| {
            let mut bones = Bones::read(snapshot, deadline, id, most, COLUMNS)?;
            if bones.distinct.repeated > 0 {
                // Rows that look alike here may differ in what was not read.
                bones = Bones::read(snapshot, deadline, id, most, SPAN_COLUMNS)?;
            }
            deadline.check()?;
            Ok(if bones.spans.is_empty() { Err(bones.notes) } else { Ok(bones.assemble(id, now)) })
        })
        .await
    }
}

#[derive(Clone, Copy)]
struct Bone {
    node: Node,
    service: Name,
    name: Name,
    outcome: Name,
    status: i32,
    is_exit: bool,
    received: u64,
}

pub(super) struct Bones {
    spans: Vec<Bone>,
    names: Names,
    distinct: Distinct,
    notes: Notes,
}

impl Bones {
    pub(super) fn new(most: usize, notes: Notes) -> Self {
        let (names, distinct) = (Names::default(), Distinct::new(most, usize::MAX));
        Self { spans: Vec::new(), names, distinct, notes }
    }

    fn read(
        snapshot: &Snapshot,
        deadline: &Deadline,
        id: TraceId,
        most: usize,
        columns: &[&str],
    ) -> Result<Self, QueryError> {
        let (mut bones, mut notes) = (Self::new(most, Notes::default()), Notes::of(snapshot));
        let wanted = Wanted { columns, prune: &prune(&[id]), range: Range::ALL };
        each_chunk(snapshot, deadline, &wanted, &mut notes, |batch| Ok(bones.take(batch, id)?))?;
        bones.notes = notes;
        Ok(bones)
    }

    pub(super) fn take(&mut self, batch: &RecordBatch, id: TraceId) -> Result<(), ReadError> {
        let chosen = self.distinct.choose(batch, |trace, _| trace == id)?;
        let columns = Columns::new(&chosen);
        let (ids, parents) = (columns.ids::<8>(col::SPAN_ID)?, columns.ids::<8>(col::PARENT_SPAN_ID)?);
        let (starts, durations) = (columns.times(col::START_TIME)?, columns.i64s(col::DURATION)?);
        let (kinds, statuses) = (columns.i32s(col::KIND)?, columns.i32s(col::STATUS_CODE)?);
        let roles = columns.strings(col::ROLE)?;
        let (links, received) = (columns.strings(col::LINKS)?, columns.times(col::RECEIVED_TIME)?);
        let mut services = NameColumn::new(columns.strings(col::SERVICE_NAME)?);
        let mut names = NameColumn::new(columns.strings(col::NAME)?);
        let mut outcomes = NameColumn::new(columns.strings(col::OUTCOME)?);
        for row in 0..columns.rows() {
            let Some(span) = ids.get(row).map(SpanId) else { continue };
            if self.names.bytes() > ANSWER_BYTES {
                self.distinct.leave_out(id);
                continue;
            }
            let parent = parents.get(row).map(SpanId);
            let start = starts[row] as u64;
            let links = links.get(row).map(attrs::parse_links).transpose();
            let links = links.map_err(|error| crate::rows::damaged(error.to_string()))?.unwrap_or_default();
            self.spans.push(Bone {
                node: Node {
                    start,
                    id: span,
                    end: start.wrapping_add(durations[row] as u64),
                    kind: kinds[row],
                    parent,
                    detached: tree::follows_from(id, parent, &links),
                },
                service: services.get(row, &mut self.names),
                name: names.get(row, &mut self.names),
                outcome: outcomes.get(row, &mut self.names),
                status: statuses[row],
                is_exit: roles.text(row) == "exit",
                received: received[row] as u64,
            });
        }
        Ok(())
    }

    pub(super) fn assemble(mut self, id: TraceId, now: u64) -> Skeleton {
        let names = self.names;
        self.spans.sort_by(|a, b| {
            let texts = |bone: &Bone| [bone.service, bone.name].map(|name| names.text(name));
            (a.node, a.received).cmp(&(b.node, b.received)).then_with(|| texts(a).cmp(&texts(b)))
        });
        let nodes: Vec<Node> = self.spans.iter().map(|bone| bone.node).collect();
        let Built { tree, cut } = tree::build(&nodes);
        let mut notes = self.notes;
        tell_of_cycles(&nodes, &cut, &mut notes);
        self.distinct.tell_of_cut(id, nodes.len(), &mut notes);
        notes.maybe_incomplete = self.spans.iter().any(|bone| is_fresh(bone.received, now));

        let failed: Vec<bool> = self.spans.iter().map(|bone| bone.status == 2).collect();
        let exits: Vec<bool> = self.spans.iter().map(|bone| bone.is_exit).collect();
        let origins = tree::error_origins(&nodes, &tree, &failed, &exits);
        let order = display_order(&tree);
        let mut row_of = vec![0; nodes.len()];
        order.iter().enumerate().for_each(|(row, &span)| row_of[span] = row);
        let t0 = nodes.iter().map(|node| node.start).min().unwrap_or(0);
        let rows = |spans: &[usize]| spans.iter().map(|&span| row_of[span]).collect();
        let column = |get: &dyn Fn(usize) -> u64| order.iter().map(|&span| get(span)).collect::<Vec<u64>>();
        let (services, service) = dictionary(order.iter().map(|&span| self.spans[span].service), &names);
        let (names_used, name) = dictionary(order.iter().map(|&span| self.spans[span].name), &names);
        let (outcomes, outcome) = dictionary(order.iter().map(|&span| self.spans[span].outcome), &names);
        Skeleton {
            id,
            t0,
            duration: nodes.iter().map(|node| node.end.max(node.start) - t0).max().unwrap_or(0),
            services,
            names: names_used,
            outcomes,
            span_id: order.iter().map(|&span| nodes[span].id).collect(),
            parent: order.iter().map(|&span| tree.parent[span].map(|parent| row_of[parent])).collect(),
            depth: order.iter().map(|&span| tree.depth[span]).collect(),
            start: column(&|span| nodes[span].start - t0),
            span_duration: column(&|span| nodes[span].end.saturating_sub(nodes[span].start)),
            self_time: column(&|span| tree.self_time[span]),
            service,
            name,
            outcome,
            kind: order.iter().map(|&span| nodes[span].kind).collect(),
            status: order.iter().map(|&span| self.spans[span].status).collect(),
            orphans: rows(&tree.orphans),
            roots: rows(&tree.roots),
            critical_path: tree::critical_path(&nodes, &tree)
                .into_iter()
                .map(|section| Section { span: row_of[section.span], start: section.start - t0, end: section.end - t0 })
                .collect(),
            missing: tree
                .missing
                .iter()
                .map(|missing| MissingSpan { id: missing.id, children: rows(&missing.children) })
                .collect(),
            error_origins: origins.iter().map(|origin| ErrorOrigin { span: row_of[origin.span], ..*origin }).collect(),
            last_arrival: self.spans.iter().map(|bone| bone.received).max().unwrap_or_default(),
            notes,
        }
    }
}

fn display_order(tree: &CallTree) -> Vec<usize> {
    let mut order = Vec::with_capacity(tree.parent.len());
    let mut stack: Vec<usize> = tree.roots.iter().rev().copied().collect();
    while let Some(span) = stack.pop() {
        order.push(span);
        stack.extend(tree.children[span].iter().rev());
    }
    order
}

/// Texts in order of their first use, and each row's index among them.
fn dictionary(rows: impl Iterator<Item = Name>, names: &Names) -> (Vec<String>, Vec<usize>) {
    let mut texts = Vec::new();
    let mut known = hashbrown::HashMap::new();
    let indexes = rows
        .map(|name| {
            *known.entry(name).or_insert_with(|| {
                texts.push(names.text(name).to_owned());
                texts.len() - 1
            })
        })
        .collect();
    (texts, indexes)
}
