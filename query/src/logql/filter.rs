//! A log query over rows.

use std::collections::BTreeSet;

use arrow::record_batch::RecordBatch;
use storage::attrs;
use storage::scan::ReadError;
use storage::schema::col;
use storage::terms::{Field, Prune, intrinsic, severity_name};

use super::{AttributeTest, Body, LogExpr, LogQuery, LogScope, Origin, SeverityTest, TextOp, TextTest};
use crate::filter::Truth;
use crate::filter::attribute::AttributeColumn;
use crate::filter::prune::{any, every, exists, loosely};
use crate::filter::value::{Val, compare};
use crate::rows::{Columns, Ids, Strings};
use crate::traceql::ast::{Pattern, Static};

/// A query, what it reads and what the index may skip for it.
#[derive(Clone, Debug)]
pub struct LogFilter {
    expr: LogExpr,
    columns: Vec<&'static str>,
    prune: Prune,
}

impl LogFilter {
    pub fn new(query: &LogQuery) -> Self {
        let mut columns = BTreeSet::new();
        columns_of(&query.expr, &mut columns);
        Self { expr: query.expr.clone(), columns: columns.into_iter().collect(), prune: prune(&query.expr) }
    }

    /// Columns it reads.
    pub fn columns(&self) -> &[&'static str] {
        &self.columns
    }

    /// Blocks of rows in which it can hold.
    pub fn prune(&self) -> &Prune {
        &self.prune
    }

    /// Over the rows of a batch.
    pub fn bind<'a>(&'a self, batch: &'a RecordBatch) -> Result<BoundLogFilter<'a>, ReadError> {
        let columns = Columns::new(batch);
        let bodies = self.columns.contains(&col::BODY).then(|| columns.strings(col::BODY)).transpose()?;
        Ok(BoundLogFilter { node: Node::new(&self.expr, columns)?, bodies })
    }

    /// How many questions it asks of a row.
    pub(crate) fn conditions(&self) -> usize {
        self.expr.conditions()
    }
}

/// A filter that is ready to be asked about the rows of one batch.
pub struct BoundLogFilter<'a> {
    node: Node<'a>,
    bodies: Option<Strings<'a>>,
}

impl BoundLogFilter<'_> {
    pub fn check(&self, row: usize) -> bool {
        let body = self.bodies.and_then(|bodies| bodies.get(row)).map(Body::new);
        self.node.holds(row, body.as_ref())
    }
}

enum Node<'a> {
    All(Vec<Node<'a>>),
    Any(Vec<Node<'a>>),
    Not(Box<Node<'a>>),
    Body(&'a TextTest),
    BodyMatches(&'a Pattern),
    Text(Strings<'a>, &'a TextOp),
    Severity(&'a [i32], SeverityTest),
    Trace(Ids<'a, 16>, [u8; 16]),
    HasTrace(Ids<'a, 16>),
    HasSpan(Ids<'a, 8>),
    Span(Ids<'a, 8>, [u8; 8]),
    Attribute(Vec<AttributeColumn<'a>>, &'a AttributeTest),
    Origin([Strings<'a>; 3], &'a Origin),
}

impl<'a> Node<'a> {
    fn new(expr: &'a LogExpr, columns: Columns<'a>) -> Result<Self, ReadError> {
        let all = |parts: &'a [LogExpr]| parts.iter().map(|part| Node::new(part, columns)).collect::<Result<_, _>>();
        Ok(match expr {
            LogExpr::All(parts) => Node::All(all(parts)?),
            LogExpr::Any(parts) => Node::Any(all(parts)?),
            LogExpr::Not(inner) => Node::Not(Box::new(Node::new(inner, columns)?)),
            LogExpr::Text(test) => Node::Body(test),
            LogExpr::BodyMatches(pattern) => Node::BodyMatches(pattern),
            LogExpr::Service(op) => Node::Text(columns.strings(col::SERVICE_NAME)?, op),
            LogExpr::EventName(op) => Node::Text(columns.strings(col::EVENT_NAME)?, op),
            LogExpr::Severity(test) => Node::Severity(columns.i32s(col::SEVERITY_NUMBER)?, *test),
            LogExpr::Trace(id) => Node::Trace(columns.ids(col::TRACE_ID)?, id.0),
            LogExpr::HasTrace => Node::HasTrace(columns.ids(col::TRACE_ID)?),
            LogExpr::HasSpan => Node::HasSpan(columns.ids(col::SPAN_ID)?),
            LogExpr::Span(id) => Node::Span(columns.ids(col::SPAN_ID)?, id.0),
            LogExpr::Attribute { scope, key, test } => {
                let column = |column: &&'static str| AttributeColumn::new(columns, column, key);
                Node::Attribute(scopes(*scope).iter().map(column).collect::<Result<_, _>>()?, test)
            }
            LogExpr::Origin(origin) => {
                let [service, namespace, instance] = ORIGIN.map(|column| columns.strings(column));
                Node::Origin([service?, namespace?, instance?], origin)
            }
        })
    }

    /// `body` is the row's.
    fn holds(&self, row: usize, body: Option<&Body<'_>>) -> bool {
        match self {
            Node::All(parts) => parts.iter().all(|part| part.holds(row, body)),
            Node::Any(parts) => parts.iter().any(|part| part.holds(row, body)),
            Node::Not(inner) => !inner.holds(row, body),
            Node::Body(test) => body.is_some_and(|body| test.holds(body)),
            Node::BodyMatches(pattern) => body.is_some_and(|body| pattern.is_match(body.sent())),
            Node::Text(column, TextOp::Is(text)) => column.text(row) == text,
            Node::Text(column, TextOp::Matches(pattern)) => pattern.is_match(column.text(row)),
            Node::Severity(numbers, test) => (test.from..=test.to).contains(&numbers[row]),
            Node::Trace(ids, wanted) => ids.get(row).as_ref() == Some(wanted),
            Node::HasTrace(ids) => ids.get(row).is_some(),
            Node::HasSpan(ids) => ids.get(row).is_some(),
            Node::Span(ids, wanted) => ids.get(row).as_ref() == Some(wanted),
            Node::Attribute(columns, test) => {
                columns.iter().any(|column| column.raw(row).is_some_and(|raw| attribute_holds(test, raw)))
            }
            Node::Origin([service, namespace, instance], origin) => {
                service.text(row) == origin.service
                    && namespace.get(row) == origin.namespace.as_deref()
                    && instance.get(row) == origin.instance.as_deref()
            }
        }
    }
}

fn attribute_holds(test: &AttributeTest, raw: &str) -> bool {
    match test {
        AttributeTest::Exists => raw != "null",
        AttributeTest::Is(loose, _) => loose.is(raw),
        AttributeTest::Matches(pattern) => pattern.is_match(&attrs::text_of(raw)),
        AttributeTest::Compare(op, literal) => {
            let value = Val::from_raw(raw);
            let as_text = || match literal {
                Static::String(_) => false,
                // A number that was sent as text.
                _ => matches!(&value, Val::Text(text) if text.parse::<f64>().is_ok_and(|number| {
                    compare(*op, &Val::Float(number), &Val::of(literal)) == Truth::Yes
                })),
            };
            compare(*op, &value, &Val::of(literal)) == Truth::Yes || as_text()
        }
    }
}

const ORIGIN: [&str; 3] = [col::SERVICE_NAME, col::SERVICE_NAMESPACE, col::SERVICE_INSTANCE];

fn scopes(scope: Option<LogScope>) -> &'static [&'static str] {
    match scope {
        None => &[col::ATTRIBUTES, col::RESOURCE_ATTRIBUTES, col::SCOPE_ATTRIBUTES],
        Some(LogScope::Log) => &[col::ATTRIBUTES],
        Some(LogScope::Resource) => &[col::RESOURCE_ATTRIBUTES],
        Some(LogScope::Scope) => &[col::SCOPE_ATTRIBUTES],
    }
}

fn columns_of(expr: &LogExpr, columns: &mut BTreeSet<&'static str>) {
    match expr {
        LogExpr::All(parts) | LogExpr::Any(parts) => parts.iter().for_each(|part| columns_of(part, columns)),
        LogExpr::Not(inner) => columns_of(inner, columns),
        LogExpr::Text(_) | LogExpr::BodyMatches(_) => columns.extend([col::BODY]),
        LogExpr::Service(_) => columns.extend([col::SERVICE_NAME]),
        LogExpr::EventName(_) => columns.extend([col::EVENT_NAME]),
        LogExpr::Severity(_) => columns.extend([col::SEVERITY_NUMBER]),
        LogExpr::Trace(_) | LogExpr::HasTrace => columns.extend([col::TRACE_ID]),
        LogExpr::Span(_) | LogExpr::HasSpan => columns.extend([col::SPAN_ID]),
        LogExpr::Attribute { scope, .. } => columns.extend(scopes(*scope)),
        LogExpr::Origin(_) => columns.extend(ORIGIN),
    }
}

fn prune(expr: &LogExpr) -> Prune {
    match expr {
        LogExpr::All(parts) => every(parts.iter().map(prune)),
        LogExpr::Any(parts) => any(parts.iter().map(prune)),
        LogExpr::Text(test) => test.prune(),
        LogExpr::Service(op) => column_prune(intrinsic::SERVICE, op),
        LogExpr::EventName(op) => column_prune(intrinsic::EVENT_NAME, op),
        LogExpr::Severity(test) => severity_prune(*test),
        LogExpr::Trace(id) => Prune::trace(*id),
        LogExpr::Span(id) => Prune::Term(Field::Tag, storage::terms::tag_term(intrinsic::SPAN_ID, &id.to_string())),
        LogExpr::Attribute { scope, key, test } => match test {
            AttributeTest::Is(_, value) => loosely(key, value),
            _ => {
                let scopes: &[&str] = match scope {
                    None => &["log", "resource", "scope"],
                    Some(LogScope::Log) => &["log"],
                    Some(LogScope::Resource) => &["resource"],
                    Some(LogScope::Scope) => &["scope"],
                };
                exists(scopes, key)
            }
        },
        LogExpr::Origin(origin) => column_prune(intrinsic::SERVICE, &TextOp::Is(origin.service.clone())),
        LogExpr::Not(_) | LogExpr::BodyMatches(_) | LogExpr::HasTrace | LogExpr::HasSpan => Prune::All,
    }
}

/// A missing text reads as the empty one, and has no term.
fn column_prune(key: &str, op: &TextOp) -> Prune {
    match op {
        TextOp::Is(text) if !text.is_empty() => Prune::tag(key, text),
        _ => Prune::All,
    }
}

fn severity_prune(test: SeverityTest) -> Prune {
    let named = (1..=24).filter(|number| (test.from..=test.to).contains(number));
    let unnamed = test.from < 1 || test.to > 24;
    any(named.chain(unnamed.then_some(0)).map(|number| Prune::tag(intrinsic::SEVERITY, severity_name(number))))
}
