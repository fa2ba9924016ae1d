//! A query made ready: its conditions as filters, and the walk that selects spans of one trace.

use arrow::record_batch::RecordBatch;
use hashbrown::HashMap;
use storage::scan::ReadError;
use storage::terms::Prune;

use super::shape::{Shape, relate};
use crate::engine::{Deadline, QueryError};
use crate::filter::value::{Key, Val, arithmetic, compare};
use crate::filter::{BoundFilter, SpanFilter, Truth, prune};
use crate::traceql::TraceQuery;
use crate::traceql::ast::*;

/// Most conditions and values in one query: their answers fit one word a span.
const MOST_EXPRESSIONS: usize = 64;

pub(super) struct Plan {
    root: Step,
    /// All conditions and values, by number.
    expressions: Vec<SpanFilter>,
    /// Conditions whose rows make a trace a candidate: every selected span satisfies one of them.
    candidates: Vec<usize>,
    /// How much is asked of a row to know whether it makes a candidate.
    conditions: usize,
    prune: Prune,
}

/// A spanset or a stage, with expressions by number.
enum Step {
    Filter(usize),
    And(Vec<Step>),
    Or(Vec<Step>),
    Related(Relation, Box<Step>, Box<Step>),
    Pipeline(Vec<Step>),
    Keep(Number, CompareOp, Number),
    By(usize),
    Coalesce,
    Nothing,
}

enum Number {
    Literal(Static),
    Count,
    Aggregate(Aggregate, usize),
    Arithmetic(ArithmeticOp, Box<Number>, Box<Number>),
}

impl Plan {
    pub(super) fn new(query: &TraceQuery) -> Result<Self, QueryError> {
        let mut expressions = Vec::new();
        let root = step(&query.spans, &mut expressions)?;
        let mut candidates = Vec::new();
        let everything = !selected_by(&root, &mut candidates);
        if everything || candidates.is_empty() {
            candidates = vec![number(&Expr::TRUE, &mut expressions)?];
        }
        candidates.sort_unstable();
        candidates.dedup();
        let prune = prune::any(candidates.iter().map(|&at| expressions[at].prune().clone()));
        let conditions = candidates.iter().map(|&at| expressions[at].conditions()).sum();
        Ok(Self { root, expressions, candidates, conditions, prune })
    }

    /// Blocks in which candidates can be.
    pub(super) fn prune(&self) -> &Prune {
        &self.prune
    }

    /// How much the conditions of candidates ask of a row.
    pub(super) fn conditions(&self) -> usize {
        self.conditions
    }

    /// Whether a candidate is a match, as a rule: one condition selects spans by themselves.
    pub(super) fn decides_by_span(&self) -> bool {
        matches!(self.root, Step::Filter(_))
    }

    /// Columns that the conditions of candidates read.
    pub(super) fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.candidates.iter().flat_map(|&at| self.expressions[at].columns()).copied()
    }

    /// Conditions of candidates over a batch.
    pub(super) fn bind<'a>(&'a self, batch: &'a RecordBatch) -> Result<Vec<BoundFilter<'a>>, ReadError> {
        self.candidates.iter().map(|&at| self.expressions[at].bind(batch)).collect()
    }

    /// All conditions and values.
    pub(super) fn expressions(&self) -> &[SpanFilter] {
        &self.expressions
    }

    /// The selected spans, by number and in order; `shape` and `values` are of the whole trace.
    pub(super) fn select(
        &self,
        shape: &Shape,
        values: &[BoundFilter<'_>],
        deadline: &Deadline,
    ) -> Result<Vec<usize>, QueryError> {
        let all = (0..shape.len()).collect();
        let sets = Walk { shape, values, deadline }.sets(&self.root, vec![all])?;
        Ok(union(sets.into_iter()))
    }
}

fn step(spanset: &Spanset, expressions: &mut Vec<SpanFilter>) -> Result<Step, QueryError> {
    let steps = |parts: &[Spanset], expressions: &mut Vec<SpanFilter>| {
        parts.iter().map(|part| step(part, expressions)).collect::<Result<Vec<_>, _>>()
    };
    Ok(match spanset {
        Spanset::Filter(expr) => Step::Filter(number(expr, expressions)?),
        Spanset::And(parts) => Step::And(steps(parts, expressions)?),
        Spanset::Or(parts) => Step::Or(steps(parts, expressions)?),
        Spanset::Related(relation, left, right) => {
            Step::Related(*relation, Box::new(step(left, expressions)?), Box::new(step(right, expressions)?))
        }
        Spanset::Pipeline(stages) => {
            Step::Pipeline(stages.iter().map(|part| stage(part, expressions)).collect::<Result<_, _>>()?)
        }
    })
}

fn stage(stage: &Stage, expressions: &mut Vec<SpanFilter>) -> Result<Step, QueryError> {
    Ok(match stage {
        Stage::Spanset(spanset) => step(spanset, expressions)?,
        Stage::Scalar(left, op, right) => Step::Keep(scalar(left, expressions)?, *op, scalar(right, expressions)?),
        Stage::By(expr) => Step::By(number(expr, expressions)?),
        Stage::Coalesce => Step::Coalesce,
        // It adds fields to Tempo's answer and selects nothing.
        Stage::Select(_) => Step::Nothing,
    })
}

fn scalar(value: &Scalar, expressions: &mut Vec<SpanFilter>) -> Result<Number, QueryError> {
    Ok(match value {
        Scalar::Literal(value) => Number::Literal(value.clone()),
        Scalar::Count => Number::Count,
        Scalar::Aggregate(aggregate, expr) => Number::Aggregate(*aggregate, number(expr, expressions)?),
        Scalar::Arithmetic(op, left, right) => {
            Number::Arithmetic(*op, Box::new(scalar(left, expressions)?), Box::new(scalar(right, expressions)?))
        }
        Scalar::Pipeline(..) => {
            return Err(QueryError::bad("not supported yet: an aggregate of a pipeline of its own in a comparison"));
        }
    })
}

/// Number of an expression; equal ones share it.
fn number(expr: &Expr, expressions: &mut Vec<SpanFilter>) -> Result<usize, QueryError> {
    if let Some(at) = expressions.iter().position(|known| known.expr() == expr) {
        return Ok(at);
    }
    if expressions.len() == MOST_EXPRESSIONS {
        return Err(QueryError::bad(format!("a query may have at most {MOST_EXPRESSIONS} conditions in braces")));
    }
    expressions.push(SpanFilter::new(expr));
    Ok(expressions.len() - 1)
}

/// Collects conditions of which every selected span satisfies one; false where there are none.
fn selected_by(step: &Step, candidates: &mut Vec<usize>) -> bool {
    match step {
        Step::Filter(at) => {
            candidates.push(*at);
            true
        }
        Step::And(parts) | Step::Or(parts) => parts.iter().all(|part| selected_by(part, candidates)),
        Step::Related(Relation { mode: RelationMode::Both, .. }, left, right) => {
            selected_by(left, candidates) && selected_by(right, candidates)
        }
        Step::Related(_, _, right) => selected_by(right, candidates),
        // Each stage takes spans away: the first condition holds for what remains.
        Step::Pipeline(steps) => {
            let first = steps
                .iter()
                .find(|step| !matches!(step, Step::Keep(..) | Step::By(_) | Step::Coalesce | Step::Nothing));
            first.is_some_and(|first| selected_by(first, candidates))
        }
        Step::Keep(..) | Step::By(_) | Step::Coalesce | Step::Nothing => false,
    }
}

/// Selects spans of one trace. Sets are lists of span numbers in rising order.
struct Walk<'a, 'b> {
    shape: &'a Shape,
    values: &'a [BoundFilter<'b>],
    deadline: &'a Deadline,
}

/// Spans asked between two looks at the deadline.
const ASKED: usize = 256;

impl<'b> Walk<'_, 'b> {
    fn sets(&self, step: &Step, sets: Vec<Vec<usize>>) -> Result<Vec<Vec<usize>>, QueryError> {
        match step {
            Step::Pipeline(steps) => steps.iter().try_fold(sets, |sets, step| self.sets(step, sets)),
            Step::Keep(left, op, right) => self.each(sets, |set| {
                let holds = compare(*op, &self.number(left, &set), &self.number(right, &set)) == Truth::Yes;
                Ok(if holds { set } else { Vec::new() })
            }),
            Step::By(at) => {
                let mut groups = Vec::new();
                for set in sets {
                    groups.extend(self.groups(*at, &set)?);
                }
                Ok(groups)
            }
            Step::Coalesce => Ok(vec![union(sets.into_iter())]),
            Step::Nothing => Ok(sets),
            spanset => self.each(sets, |set| self.select(spanset, &set)),
        }
    }

    /// Changes each set, and drops those that become empty.
    fn each(
        &self,
        sets: Vec<Vec<usize>>,
        change: impl Fn(Vec<usize>) -> Result<Vec<usize>, QueryError>,
    ) -> Result<Vec<Vec<usize>>, QueryError> {
        let mut changed = Vec::new();
        for set in sets {
            self.deadline.check()?;
            changed.push(change(set)?);
        }
        changed.retain(|set| !set.is_empty());
        Ok(changed)
    }

    fn select(&self, step: &Step, input: &[usize]) -> Result<Vec<usize>, QueryError> {
        let parts = |parts: &[Step]| parts.iter().map(|part| self.select(part, input)).collect::<Result<Vec<_>, _>>();
        Ok(match step {
            Step::Filter(at) => {
                let mut chosen = Vec::new();
                for spans in input.chunks(ASKED) {
                    self.deadline.check()?;
                    chosen.extend(spans.iter().filter(|&&span| self.values[*at].check(span) == Truth::Yes));
                }
                chosen
            }
            Step::And(all) => {
                let sets = parts(all)?;
                if sets.iter().any(Vec::is_empty) { Vec::new() } else { union(sets.into_iter()) }
            }
            Step::Or(any) => union(parts(any)?.into_iter()),
            Step::Related(relation, left, right) => {
                relate(self.shape, *relation, &self.select(left, input)?, &self.select(right, input)?)
            }
            other => union(self.sets(other, vec![input.to_vec()])?.into_iter()),
        })
    }

    /// In order of their first spans.
    fn groups(&self, at: usize, set: &[usize]) -> Result<Vec<Vec<usize>>, QueryError> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut known: HashMap<Key<'b>, usize> = HashMap::new();
        for spans in set.chunks(ASKED) {
            self.deadline.check()?;
            for &span in spans {
                let group = *known.entry(Key(self.values[at].value(span))).or_insert(groups.len());
                if group == groups.len() {
                    groups.push(Vec::new());
                }
                groups[group].push(span);
            }
        }
        Ok(groups)
    }

    fn number(&self, number: &Number, set: &[usize]) -> Val<'b> {
        match number {
            Number::Literal(Static::Int(value)) => Val::Int(*value),
            Number::Literal(Static::Float(value)) => Val::Float(*value),
            Number::Literal(Static::Duration(value)) => Val::Duration(*value),
            Number::Literal(_) => Val::Nil,
            Number::Count => Val::Int(set.len() as i64),
            Number::Arithmetic(op, left, right) => arithmetic(*op, &self.number(left, set), &self.number(right, set)),
            Number::Aggregate(aggregate, at) => {
                let values: Vec<f64> = set.iter().filter_map(|&span| self.values[*at].value(span).number()).collect();
                aggregated(*aggregate, &values).map_or(Val::Nil, Val::Float)
            }
        }
    }
}

/// None of no values.
fn aggregated(aggregate: Aggregate, values: &[f64]) -> Option<f64> {
    let sum = || values.iter().sum::<f64>();
    match aggregate {
        Aggregate::Min => values.iter().copied().reduce(f64::min),
        Aggregate::Max => values.iter().copied().reduce(f64::max),
        Aggregate::Sum => (!values.is_empty()).then(sum),
        Aggregate::Avg => (!values.is_empty()).then(|| sum() / values.len() as f64),
    }
}

fn union(sets: impl Iterator<Item = Vec<usize>>) -> Vec<usize> {
    let mut all: Vec<usize> = sets.flatten().collect();
    all.sort_unstable();
    all.dedup();
    all
}
