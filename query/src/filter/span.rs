//! One TraceQL expression over rows of spans.

mod read;

use std::cell::RefCell;
use std::collections::BTreeSet;

use arrow::array::Array;
use arrow::record_batch::RecordBatch;
use storage::attrs;
use storage::scan::ReadError;
use storage::schema::col;
use storage::terms::Prune;

use super::attribute::AnyScope;
use super::value::{Loose, Val, arithmetic, compare, matches, negate};
use super::{Truth, prune};
use crate::rows::{Columns, Strings};
use crate::traceql::ast::*;
use read::{Reader, columns_of};

/// An expression, what it reads and what the index may skip for it.
#[derive(Clone, Debug)]
pub struct SpanFilter {
    expr: Expr,
    columns: Vec<&'static str>,
    prune: Prune,
    conditions: usize,
}

impl SpanFilter {
    pub fn new(expr: &Expr) -> Self {
        let mut columns = BTreeSet::new();
        let mut conditions = 0;
        expr.any(&mut |part| {
            conditions += 1;
            match part {
                Expr::Field(field) => columns.extend(columns_of(field)),
                Expr::Tag { .. } | Expr::TagCompare { .. } | Expr::TagMatches { .. } | Expr::TagExists(_) => {
                    columns.extend(AnyScope::COLUMNS);
                }
                Expr::NameContains(_) => {
                    columns.insert(col::NAME);
                }
                _ => {}
            }
            false
        });
        Self { expr: expr.clone(), columns: columns.into_iter().collect(), prune: prune::of_span(expr), conditions }
    }

    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Columns it reads.
    pub fn columns(&self) -> &[&'static str] {
        &self.columns
    }

    /// Blocks of rows in which it can hold.
    pub fn prune(&self) -> &Prune {
        &self.prune
    }

    /// How many parts it has, as a measure of the work on a row.
    pub(crate) fn conditions(&self) -> usize {
        self.conditions
    }

    /// Over the rows of a batch.
    pub fn bind<'a>(&'a self, batch: &'a RecordBatch) -> Result<BoundFilter<'a>, ReadError> {
        let input = Input { batches: std::slice::from_ref(batch), trace: None };
        Ok(BoundFilter { node: Node::new(&self.expr, input)? })
    }

    /// Over the spans of one whole trace, which lie in `batches` at [`TraceFacts::places`].
    pub fn bind_trace<'a>(
        &'a self,
        batches: &'a [RecordBatch],
        trace: &'a TraceFacts,
    ) -> Result<BoundFilter<'a>, ReadError> {
        Ok(BoundFilter { node: Node::new(&self.expr, Input { batches, trace: Some(trace) })? })
    }
}

/// What conditions ask of a whole trace; lists are by span.
#[derive(Clone, Debug, Default)]
pub struct TraceFacts {
    /// Batch and row of each span.
    pub places: Vec<(u32, u32)>,
    pub root_name: String,
    pub root_service: String,
    /// ns
    pub duration: i64,
    pub parent: Vec<Option<usize>>,
    pub children: Vec<u32>,
    /// Left and right number of a walk in depth-first order, and the parent's left: −1 for roots.
    /// All 0 where the span does not hang on a root.
    pub nested: Vec<(i64, i64, i64)>,
}

/// A filter that is ready to be asked about the rows of a batch, or the spans of a trace.
pub struct BoundFilter<'a> {
    node: Node<'a>,
}

impl<'a> BoundFilter<'a> {
    pub fn check(&self, row: usize) -> Truth {
        self.node.truth(row)
    }

    /// The value of the expression, where it is no condition.
    pub(crate) fn value(&self, row: usize) -> Val<'a> {
        self.node.value(row)
    }
}

/// Where the rows lie: one batch, or one trace in several.
#[derive(Clone, Copy)]
struct Input<'a> {
    batches: &'a [RecordBatch],
    trace: Option<&'a TraceFacts>,
}

/// One reader a batch, and which of them reads a row.
struct PerBatch<'a, T> {
    readers: Vec<T>,
    places: Option<&'a [(u32, u32)]>,
}

impl<'a, T> PerBatch<'a, T> {
    fn new(input: Input<'a>, reader: impl Fn(Columns<'a>) -> Result<T, ReadError>) -> Result<Self, ReadError> {
        let readers = input.batches.iter().map(|batch| reader(Columns::new(batch))).collect::<Result<_, _>>()?;
        Ok(Self { readers, places: input.trace.map(|trace| trace.places.as_slice()) })
    }

    fn at(&self, row: usize) -> (&T, usize) {
        match self.places {
            None => (&self.readers[0], row),
            Some(places) => {
                let (batch, row) = places[row];
                (&self.readers[batch as usize], row as usize)
            }
        }
    }
}

/// The expression with its columns resolved.
enum Node<'a> {
    Literal(Val<'a>),
    Field(PerBatch<'a, Reader<'a>>),
    OfTrace(Intrinsic, &'a TraceFacts),
    /// Of the parent span.
    Parent(Box<Node<'a>>, &'a [Option<usize>]),
    Exists(Box<Node<'a>>),
    Not(Box<Node<'a>>),
    Negate(Box<Node<'a>>),
    Arithmetic(ArithmeticOp, Box<Node<'a>>, Box<Node<'a>>),
    Compare(CompareOp, Box<Node<'a>>, Box<Node<'a>>),
    Matches(Box<Node<'a>>, &'a Pattern, bool),
    All(Vec<Node<'a>>),
    Any(Vec<Node<'a>>),
    Tag(PerBatch<'a, AnyScope<'a>>, Loose),
    TagCompare(PerBatch<'a, AnyScope<'a>>, CompareOp, Val<'a>),
    TagMatches(PerBatch<'a, AnyScope<'a>>, &'a Pattern),
    TagExists(PerBatch<'a, AnyScope<'a>>),
    NameContains(PerBatch<'a, Names<'a>>, &'a str),
}

impl<'a> Node<'a> {
    fn new(expr: &'a Expr, input: Input<'a>) -> Result<Self, ReadError> {
        let node = |expr: &'a Expr| Node::new(expr, input);
        let boxed = |expr: &'a Expr| node(expr).map(Box::new);
        let tag = |key: &'a String| PerBatch::new(input, |columns| AnyScope::new(columns, key));
        Ok(match expr {
            Expr::Literal(literal) => Node::Literal(Val::of(literal)),
            Expr::Field(field) => Node::field(field, input)?,
            Expr::Not(inner) => Node::Not(boxed(inner)?),
            Expr::Negate(inner) => Node::Negate(boxed(inner)?),
            Expr::Arithmetic(op, left, right) => Node::Arithmetic(*op, boxed(left)?, boxed(right)?),
            Expr::Compare(op, left, right) => match (&**left, &**right) {
                (Expr::Literal(Static::Nil), other) | (other, Expr::Literal(Static::Nil)) => {
                    let exists = Node::Exists(boxed(other)?);
                    if *op == CompareOp::Equal { Node::Not(Box::new(exists)) } else { exists }
                }
                (left, right) => Node::Compare(*op, boxed(left)?, boxed(right)?),
            },
            Expr::Matches { value, pattern, negated } => Node::Matches(boxed(value)?, pattern, *negated),
            Expr::All(parts) => Node::All(parts.iter().map(node).collect::<Result<_, _>>()?),
            Expr::Any(parts) => Node::Any(parts.iter().map(node).collect::<Result<_, _>>()?),
            Expr::Tag { key, value } => Node::Tag(tag(key)?, Loose::new(value)),
            Expr::TagCompare { key, op, value } => Node::TagCompare(tag(key)?, *op, Val::of(value)),
            Expr::TagMatches { key, pattern } => Node::TagMatches(tag(key)?, pattern),
            Expr::TagExists(key) => Node::TagExists(tag(key)?),
            Expr::NameContains(text) => Node::NameContains(PerBatch::new(input, Names::new)?, text),
        })
    }

    fn field(field: &'a Field, input: Input<'a>) -> Result<Self, ReadError> {
        let own = match (&field.name, input.trace) {
            (Name::Intrinsic(intrinsic), Some(trace)) if intrinsic.of_trace() => Node::OfTrace(*intrinsic, trace),
            (Name::Intrinsic(intrinsic), None) if intrinsic.of_trace() => Node::Literal(Val::Unknown),
            (name, _) => Node::Field(PerBatch::new(input, |columns| Reader::new(name, columns))?),
        };
        Ok(match input.trace {
            _ if !field.parent => own,
            Some(trace) => Node::Parent(Box::new(own), &trace.parent),
            None => Node::Literal(Val::Unknown),
        })
    }

    fn value(&self, row: usize) -> Val<'a> {
        match self {
            Node::Literal(value) => value.clone(),
            Node::Field(readers) => {
                let (reader, row) = readers.at(row);
                reader.value(row)
            }
            Node::OfTrace(intrinsic, trace) => read::of_trace(*intrinsic, trace, row),
            Node::Parent(field, parent) => parent[row].map_or(Val::Nil, |parent| field.value(parent)),
            Node::Negate(inner) => negate(inner.value(row)),
            Node::Arithmetic(op, left, right) => arithmetic(*op, &left.value(row), &right.value(row)),
            condition => condition.truth(row).into(),
        }
    }

    fn truth(&self, row: usize) -> Truth {
        match self {
            Node::Exists(inner) => match inner.value(row) {
                Val::Unknown => Truth::Maybe,
                value => (value != Val::Nil).into(),
            },
            Node::Not(inner) if inner.is_condition() => inner.truth(row).negated(),
            // Of a value that is no boolean, neither it nor its negation holds.
            Node::Not(inner) => match inner.value(row) {
                Val::Bool(value) => (!value).into(),
                Val::Unknown => Truth::Maybe,
                _ => Truth::No,
            },
            Node::Compare(op, left, right) => compare(*op, &left.value(row), &right.value(row)),
            Node::Matches(value, pattern, negated) => matches(&value.value(row), pattern, *negated),
            Node::All(parts) => Truth::all(parts.iter().map(|part| part.truth(row))),
            Node::Any(parts) => Truth::any(parts.iter().map(|part| part.truth(row))),
            Node::Tag(scopes, value) => any_scope(scopes, row, |raw| value.is(raw)),
            Node::TagCompare(scopes, op, value) => {
                any_scope(scopes, row, |raw| compare(*op, &Val::from_raw(raw), value) == Truth::Yes)
            }
            Node::TagMatches(scopes, pattern) => any_scope(scopes, row, |raw| pattern.is_match(&attrs::text_of(raw))),
            Node::TagExists(scopes) => any_scope(scopes, row, |raw| raw != "null"),
            Node::NameContains(names, text) => {
                let (names, row) = names.at(row);
                names.contain(row, text).into()
            }
            value => value.value(row).truth(),
        }
    }

    fn is_condition(&self) -> bool {
        !matches!(
            self,
            Node::Literal(_)
                | Node::Field(_)
                | Node::OfTrace(..)
                | Node::Parent(..)
                | Node::Negate(_)
                | Node::Arithmetic(..)
        )
    }
}

fn any_scope<'a>(scopes: &PerBatch<'a, AnyScope<'a>>, row: usize, wanted: impl FnMut(&'a str) -> bool) -> Truth {
    let (scopes, row) = scopes.at(row);
    scopes.any(row, wanted).into()
}

/// Span names, with what is known of each distinct one.
struct Names<'a> {
    names: Strings<'a>,
    known: RefCell<Vec<Option<bool>>>,
}

impl<'a> Names<'a> {
    fn new(columns: Columns<'a>) -> Result<Self, ReadError> {
        let names = columns.strings(col::NAME)?;
        let distinct = names.dictionary().map_or(0, Array::len);
        Ok(Self { names, known: RefCell::new(vec![None; distinct]) })
    }

    /// Whether the name contains `text`, which is lower-cased and always the same.
    fn contain(&self, row: usize, text: &str) -> bool {
        let Some(name) = self.names.get(row) else { return false };
        let contains = || name.to_lowercase().contains(text);
        match self
            .names
            .key(row)
            .and_then(|key| self.known.borrow_mut().get_mut(key).map(|known| *known.get_or_insert_with(contains)))
        {
            Some(known) => known,
            None => contains(),
        }
    }
}
