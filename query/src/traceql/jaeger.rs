//! Jaeger's search form as a tree: every condition on one and the same span.

use super::ast::{CompareOp, Expr, Field, Intrinsic, KINDS, Name, STATUS, Static};

/// What Jaeger's `/api/traces` and `/api/v3/traces` ask for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JaegerQuery {
    pub service: Option<String>,
    /// Span name.
    pub operation: Option<String>,
    /// Values as text; they match ints, doubles and booleans that read so.
    pub tags: Vec<(String, String)>,
    /// ns, inclusive.
    pub min_duration: Option<i64>,
    pub max_duration: Option<i64>,
}

impl JaegerQuery {
    pub(super) fn expr(&self) -> Expr {
        let text = |intrinsic, value: &Option<String>| {
            let value = value.as_ref().filter(|value| !value.is_empty())?;
            Some(Expr::compare(intrinsic, CompareOp::Equal, Static::String(value.clone())))
        };
        let duration = |op, ns: Option<i64>| Some(Expr::compare(Intrinsic::Duration, op, Static::Duration(ns?)));
        let mut all: Vec<Expr> = [
            text(Intrinsic::Service, &self.service),
            text(Intrinsic::Name, &self.operation),
            duration(CompareOp::GreaterEqual, self.min_duration),
            duration(CompareOp::LessEqual, self.max_duration),
        ]
        .into_iter()
        .flatten()
        .collect();
        all.extend(self.tags.iter().map(|(key, value)| tag(key, value)));
        all_of(all)
    }
}

/// One tag. Jaeger shows some columns as tags and lets people search them so.
pub(super) fn tag(key: &str, value: &str) -> Expr {
    let tag = Expr::Tag { key: key.to_owned(), value: value.to_owned() };
    let text = |intrinsic| Some(Expr::compare(intrinsic, CompareOp::Equal, Static::String(value.to_owned())));
    let also = match key {
        "error" => return error(value),
        "span.kind" => kind(value).map(|kind| Expr::compare(Intrinsic::Kind, CompareOp::Equal, Static::Kind(kind))),
        "otel.status_code" | "span.status" => {
            status(value).map(|code| Expr::compare(Intrinsic::Status, CompareOp::Equal, Static::Status(code)))
        }
        "otel.status_description" => text(Intrinsic::StatusMessage),
        "otel.scope.name" | "otel.library.name" | "scope.name" => text(Intrinsic::ScopeName),
        "otel.scope.version" | "otel.library.version" | "scope.version" => text(Intrinsic::ScopeVersion),
        "w3c.tracestate" => text(Intrinsic::TraceState),
        // The name of an OTLP event is the field `event` of Jaeger's log.
        "event" => text(Intrinsic::EventName),
        _ => None,
    };
    match also {
        Some(also) => Expr::Any(vec![also, tag]),
        None => tag,
    }
}

/// `error=true` is the OTLP status; a span of an older tracer says it as an attribute.
fn error(value: &str) -> Expr {
    let says_so = Expr::Any(vec![
        Expr::compare(Intrinsic::Status, CompareOp::Equal, Static::Status(2)),
        Expr::Tag { key: "error".to_owned(), value: "true".to_owned() },
    ]);
    match value.to_ascii_lowercase().as_str() {
        "true" => says_so,
        "false" => Expr::Not(Box::new(says_so)),
        _ => Expr::Tag { key: "error".to_owned(), value: value.to_owned() },
    }
}

/// OTLP SpanKind by its name, in any case.
pub(super) fn kind(word: &str) -> Option<i32> {
    KINDS.iter().position(|kind| kind.eq_ignore_ascii_case(word)).map(|at| at as i32)
}

/// OTLP StatusCode by its name, in any case.
pub(super) fn status(word: &str) -> Option<i32> {
    STATUS.iter().position(|status| status.eq_ignore_ascii_case(word)).map(|at| at as i32)
}

/// All of these, without a list of one.
pub(super) fn all_of(mut all: Vec<Expr>) -> Expr {
    match all.len() {
        0 => Expr::TRUE,
        1 => all.swap_remove(0),
        _ => Expr::All(all),
    }
}

pub(super) fn field(intrinsic: Intrinsic) -> Expr {
    Expr::Field(Field { parent: false, name: Name::Intrinsic(intrinsic) })
}
