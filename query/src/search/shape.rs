//! How the spans of a trace stand to each other, for structural conditions.
//!
//! A span whose parent is missing, and all below it, stand to nothing, as in Tempo: where they belong
//! is not known.

use hashbrown::{HashMap, HashSet};
use storage::ids::SpanId;

use crate::traceql::ast::{Relation, RelationKind, RelationMode};

/// By number of span.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    pub(super) parent: Vec<Option<usize>>,
    pub(super) children: Vec<u32>,
    /// Left and right number of a depth-first walk from the roots, and the parent's left, −1 for
    /// roots; all 0 where no root leads to the span.
    pub(super) nested: Vec<(i64, i64, i64)>,
    /// Spans that name a parent which is not there.
    pub(super) orphans: u64,
}

impl Shape {
    /// Of spans given as (id, parent's id). Where an id was used twice, the first bears the children.
    pub(super) fn new(spans: &[(SpanId, Option<SpanId>)]) -> Self {
        let mut by_id = HashMap::with_capacity(spans.len());
        for (at, (id, _)) in spans.iter().enumerate() {
            by_id.entry(*id).or_insert(at);
        }
        let parent: Vec<Option<usize>> = spans
            .iter()
            .enumerate()
            .map(|(at, (_, parent))| parent.and_then(|id| by_id.get(&id)).copied().filter(|&parent| parent != at))
            .collect();
        let mut below = vec![Vec::new(); spans.len()];
        for (at, parent) in parent.iter().enumerate() {
            if let Some(parent) = parent {
                below[*parent].push(at);
            }
        }
        let roots = (0..spans.len()).filter(|&at| spans[at].1.is_none());
        let mut shape = Self { nested: vec![(0, 0, 0); spans.len()], ..Self::default() };
        shape.number(roots, &below);
        shape.orphans =
            spans.iter().zip(&parent).filter(|((_, id), parent)| id.is_some() && parent.is_none()).count() as u64;
        shape.children = below.iter().map(|children| children.len() as u32).collect();
        shape.parent = parent;
        shape
    }

    pub(super) fn len(&self) -> usize {
        self.parent.len()
    }

    /// Walks without recursion: traces can be as deep as they are long.
    fn number(&mut self, roots: impl Iterator<Item = usize>, below: &[Vec<usize>]) {
        let mut next = 1;
        for root in roots {
            let mut path = vec![(root, 0)];
            self.nested[root] = (next, 0, -1);
            next += 1;
            while let Some((at, child)) = path.last_mut() {
                let at = *at;
                match below[at].get(*child) {
                    Some(&down) => {
                        *child += 1;
                        self.nested[down] = (next, 0, self.nested[at].0);
                        next += 1;
                        path.push((down, 0));
                    }
                    None => {
                        self.nested[at].1 = next;
                        next += 1;
                        path.pop();
                    }
                }
            }
        }
    }

    fn is_placed(&self, span: usize) -> bool {
        self.nested[span].0 != 0
    }
}

/// The spans that `left relation right` selects.
pub(super) fn relate(shape: &Shape, relation: Relation, left: &[usize], right: &[usize]) -> Vec<usize> {
    let placed = |set: &[usize]| -> Vec<usize> { set.iter().copied().filter(|&span| shape.is_placed(span)).collect() };
    let (left, right) = (placed(left), placed(right));
    let stands = standing(shape, relation.kind, &left, &right);
    match relation.mode {
        RelationMode::Right => stands,
        RelationMode::Not => right.into_iter().filter(|span| stands.binary_search(span).is_err()).collect(),
        RelationMode::Both => {
            let mut both = standing(shape, inverse(relation.kind), &right, &left);
            both.extend(stands);
            both.sort_unstable();
            both.dedup();
            both
        }
    }
}

/// Spans of `right` that stand so to one of `left`; both, and the answer, in rising order.
fn standing(shape: &Shape, kind: RelationKind, left: &[usize], right: &[usize]) -> Vec<usize> {
    // Looked up rather than marked: sets can be many and small, of a trace that is large.
    let is_left = |span: usize| left.binary_search(&span).is_ok();
    let stands: Box<dyn Fn(usize) -> bool> = match kind {
        RelationKind::Child => Box::new(|span| shape.parent[span].is_some_and(is_left)),
        RelationKind::Parent => {
            let parents: HashSet<usize> = left.iter().filter_map(|&span| shape.parent[span]).collect();
            Box::new(move |span| parents.contains(&span))
        }
        RelationKind::Sibling => {
            let mut families: HashMap<usize, usize> = HashMap::new();
            left.iter()
                .filter_map(|&span| shape.parent[span])
                .for_each(|parent| *families.entry(parent).or_default() += 1);
            Box::new(move |span| {
                let of_family = shape.parent[span].and_then(|parent| families.get(&parent)).copied().unwrap_or(0);
                of_family > usize::from(is_left(span))
            })
        }
        RelationKind::Descendant => {
            let within = Intervals::new(shape, left);
            Box::new(move |span| within.enclose(shape.nested[span].0))
        }
        RelationKind::Ancestor => {
            let mut lefts: Vec<i64> = left.iter().map(|&span| shape.nested[span].0).collect();
            lefts.sort_unstable();
            Box::new(move |span| {
                let (from, to, _) = shape.nested[span];
                let next = lefts.partition_point(|&left| left <= from);
                lefts.get(next).is_some_and(|&left| left < to)
            })
        }
    };
    right.iter().copied().filter(|&span| stands(span)).collect()
}

fn inverse(kind: RelationKind) -> RelationKind {
    match kind {
        RelationKind::Child => RelationKind::Parent,
        RelationKind::Parent => RelationKind::Child,
        RelationKind::Descendant => RelationKind::Ancestor,
        RelationKind::Ancestor => RelationKind::Descendant,
        RelationKind::Sibling => RelationKind::Sibling,
    }
}

/// The outermost of nested intervals, in order.
struct Intervals(Vec<(i64, i64)>);

impl Intervals {
    fn new(shape: &Shape, spans: &[usize]) -> Self {
        let mut all: Vec<(i64, i64)> = spans.iter().map(|&span| (shape.nested[span].0, shape.nested[span].1)).collect();
        all.sort_unstable();
        let mut outermost: Vec<(i64, i64)> = Vec::new();
        for interval in all {
            if outermost.last().is_none_or(|last| interval.0 > last.1) {
                outermost.push(interval);
            }
        }
        Self(outermost)
    }

    /// Whether a number lies inside one of them, not at its edge.
    fn enclose(&self, number: i64) -> bool {
        let at = self.0.partition_point(|interval| interval.0 < number);
        at > 0 && number < self.0[at - 1].1
    }
}
