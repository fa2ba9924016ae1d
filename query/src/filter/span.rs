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
    of_trace: bool,
}

impl SpanFilter {
    pub fn new(expr: &Expr) -> Self {
        let mut columns = BTreeSet::new();
        let mut of_trace = false;
        expr.any(&mut |part| {
            match part {
                Expr::Field(field) => {
                    columns.extend(columns_of(field));
                    of_trace |= field.parent || matches!(field.name, Name::Intrinsic(name) if name.of_trace());
                }
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
        Self { expr: expr.clone(), columns: columns.into_iter().collect(), prune: prune::of_span(expr), of_trace }
    }

    /// Columns it reads.
    pub fn columns(&self) -> &[&'static str] {
        &self.columns
    }

    /// Blocks of rows in which it can hold.
    pub fn prune(&self) -> &Prune {
        &self.prune
    }

    /// Whether rows alone do not decide it: it asks for the parent, the root or the whole trace.
    pub fn needs_trace(&self) -> bool {
        self.of_trace
    }

    /// Over a batch; `trace`: the batch is one whole trace, and these are its facts.
    pub fn bind<'a>(
        &'a self,
        batch: &'a RecordBatch,
        trace: Option<&'a TraceFacts>,
    ) -> Result<BoundFilter<'a>, ReadError> {
        Ok(BoundFilter { node: Node::new(&self.expr, Columns::new(batch), trace)? })
    }
}

/// What conditions ask of a whole trace, by row of its batch.
#[derive(Clone, Debug, Default)]
pub struct TraceFacts {
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

/// A filter that is ready to be asked about the rows of one batch.
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

/// The expression with its columns resolved.
enum Node<'a> {
    Literal(Val<'a>),
    Field(Reader<'a>),
    Parent(Reader<'a>, &'a [Option<usize>]),
    Exists(Box<Node<'a>>),
    Not(Box<Node<'a>>),
    Negate(Box<Node<'a>>),
    Arithmetic(ArithmeticOp, Box<Node<'a>>, Box<Node<'a>>),
    Compare(CompareOp, Box<Node<'a>>, Box<Node<'a>>),
    Matches(Box<Node<'a>>, &'a Pattern, bool),
    All(Vec<Node<'a>>),
    Any(Vec<Node<'a>>),
    Tag(AnyScope<'a>, Loose),
    TagCompare(AnyScope<'a>, CompareOp, Val<'a>),
    TagMatches(AnyScope<'a>, &'a Pattern),
    TagExists(AnyScope<'a>),
    /// With what is known of each distinct name.
    NameContains(Strings<'a>, &'a str, RefCell<Vec<Option<bool>>>),
}

impl<'a> Node<'a> {
    fn new(expr: &'a Expr, columns: Columns<'a>, trace: Option<&'a TraceFacts>) -> Result<Self, ReadError> {
        let node = |expr: &'a Expr| Node::new(expr, columns, trace);
        let boxed = |expr: &'a Expr| node(expr).map(Box::new);
        let tag = |key: &'a String| AnyScope::new(columns, key);
        Ok(match expr {
            Expr::Literal(literal) => Node::Literal(Val::of(literal)),
            Expr::Field(field) => {
                let reader = Reader::new(&field.name, columns, trace)?;
                match (field.parent, trace) {
                    (false, _) => Node::Field(reader),
                    (true, Some(trace)) => Node::Parent(reader, &trace.parent),
                    (true, None) => Node::Literal(Val::Unknown),
                }
            }
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
            Expr::NameContains(text) => {
                let names = columns.strings(col::NAME)?;
                let distinct = names.dictionary().map_or(0, Array::len);
                Node::NameContains(names, text, RefCell::new(vec![None; distinct]))
            }
        })
    }

    fn value(&self, row: usize) -> Val<'a> {
        match self {
            Node::Literal(value) => value.clone(),
            Node::Field(reader) => reader.value(row),
            Node::Parent(reader, parent) => {
                parent.get(row).copied().flatten().map_or(Val::Nil, |parent| reader.value(parent))
            }
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
            Node::Tag(scope, value) => scope.any(row, |raw| value.is(raw)).into(),
            Node::TagCompare(scope, op, value) => {
                scope.any(row, |raw| compare(*op, &Val::from_raw(raw), value) == Truth::Yes).into()
            }
            Node::TagMatches(scope, pattern) => scope.any(row, |raw| pattern.is_match(&attrs::text_of(raw))).into(),
            Node::TagExists(scope) => scope.any(row, |raw| raw != "null").into(),
            Node::NameContains(names, text, known) => name_contains(names, text, known, row).into(),
            value => value.value(row).truth(),
        }
    }

    fn is_condition(&self) -> bool {
        !matches!(
            self,
            Node::Literal(_) | Node::Field(_) | Node::Parent(..) | Node::Negate(_) | Node::Arithmetic(..)
        )
    }
}

fn name_contains(names: &Strings<'_>, text: &str, known: &RefCell<Vec<Option<bool>>>, row: usize) -> bool {
    let Some(name) = names.get(row) else { return false };
    let contains = || name.to_lowercase().contains(text);
    let mut known = known.borrow_mut();
    match names.key(row).and_then(|key| known.get_mut(key)) {
        Some(known) => *known.get_or_insert_with(contains),
        None => contains(),
    }
}
