//! Jaeger v1 traces as OTLP, by the rules that Jaeger's own translation follows.
//!
//! | Jaeger | OTLP |
//! |---|---|
//! | process | resource; its service name is `service.name` |
//! | tag `span.kind` | kind |
//! | tags `otel.status_code`, `otel.status_description`; `error` = true | status |
//! | tags `otel.scope.*`, `otel.library.*` | scope |
//! | tag `w3c.tracestate` | trace state |
//! | first `CHILD_OF` of the same trace, else first `FOLLOWS_FROM` of it | parent |
//! | other references | links with `opentracing.ref_type` |
//! | logs; their field `event` | events; the name |
//! | warnings | attribute `@jaeger@warnings` |

use super::v1::{KeyValue as Tag, Process, RefType, Reference, Span, TagValue, Trace};
use crate::otlp::make::{Origin, SpanGroups, attribute, padded_id, text, texts};
use crate::otlp::messages::common::v1::KeyValue;
use crate::otlp::messages::common::v1::any_value::Value;
use crate::otlp::messages::trace::v1::span::{Event, Link, SpanKind};
use crate::otlp::messages::trace::v1::status::StatusCode;
use crate::otlp::messages::trace::v1::{ResourceSpans, Span as OtlpSpan, Status};

/// What a trace became.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Converted {
    pub resource_spans: Vec<ResourceSpans>,
    pub spans: usize,
    /// Why spans were left out, one line a span.
    pub rejected: Vec<String>,
}

/// Converts the spans of a trace; one whose ids are not hex is left out and said in `rejected`.
pub fn trace(trace: &Trace) -> Converted {
    let mut groups = SpanGroups::default();
    let mut converted = Converted::default();
    for sent in &trace.spans {
        match span(sent) {
            Ok((scope, span)) => {
                let process = sent.process.as_ref().or_else(|| trace.processes.get(&sent.process_id));
                let resource = process.map(resource).unwrap_or_default();
                groups.push(Origin { resource, ..scope }, span);
                converted.spans += 1;
            }
            Err(reason) => converted.rejected.push(reason),
        }
    }
    converted.resource_spans = groups.finish();
    converted
}

fn resource(process: &Process) -> Vec<KeyValue> {
    let name = Some(text("service.name", &*process.service_name)).filter(|_| !process.service_name.is_empty());
    name.into_iter().chain(process.tags.iter().map(tag)).collect()
}

fn span(sent: &Span) -> Result<(Origin, OtlpSpan), String> {
    let wrong = |what: &str, id: &str| format!("span {:?}: {what} {id:?} is not hex", sent.span_id);
    let parent = parent(sent);
    let parent_id = parent.as_ref().map(|parent| parent.span_id.as_str()).or(sent.parent_span_id.as_deref());
    let parent_id = parent_id.filter(|id| !id.is_empty());
    let start = sent.start_time.saturating_mul(1_000);
    let mut out = OtlpSpan {
        trace_id: padded_id::<16>(&sent.trace_id).ok_or_else(|| wrong("trace id", &sent.trace_id))?,
        span_id: padded_id::<8>(&sent.span_id).ok_or_else(|| wrong("id", &sent.span_id))?,
        parent_span_id: match parent_id {
            Some(id) => padded_id::<8>(id).ok_or_else(|| wrong("parent id", id))?,
            None => Vec::new(),
        },
        name: sent.operation_name.clone(),
        // The lowest byte is W3C's; Jaeger's other flags mean nothing in OTLP.
        flags: sent.flags & 1,
        start_time_unix_nano: start,
        end_time_unix_nano: start.saturating_add(sent.duration.saturating_mul(1_000)),
        events: sent.logs.iter().map(|log| event(log.timestamp, &log.fields)).collect(),
        ..Default::default()
    };
    for reference in sent.references.iter().filter(|reference| parent != Some(*reference)) {
        out.links.push(link(reference).ok_or_else(|| wrong("the reference to", &reference.span_id))?);
    }
    let mut scope = Origin::default();
    sent.tags.iter().for_each(|tag| apply(tag, &mut out, &mut scope));
    let warnings = sent.warnings.as_deref().unwrap_or_default();
    if !warnings.is_empty() {
        out.attributes.push(texts("@jaeger@warnings", warnings));
    }
    Ok((scope, out))
}

fn parent(sent: &Span) -> Option<&Reference> {
    let of = |kind| move |r: &&Reference| r.ref_type == kind && r.trace_id == sent.trace_id;
    let named = |r: &&Reference| sent.parent_span_id.as_ref().is_none_or(|parent| *parent == r.span_id);
    let mut references = sent.references.iter();
    let child_of = references.clone().filter(of(RefType::ChildOf)).find(named);
    if sent.parent_span_id.is_some() {
        return child_of;
    }
    child_of.or_else(|| references.find(of(RefType::FollowsFrom)))
}

fn link(reference: &Reference) -> Option<Link> {
    let kind = match reference.ref_type {
        RefType::ChildOf => "child_of",
        RefType::FollowsFrom => "follows_from",
    };
    Some(Link {
        trace_id: padded_id::<16>(&reference.trace_id)?,
        span_id: padded_id::<8>(&reference.span_id)?,
        attributes: vec![text("opentracing.ref_type", kind)],
        ..Default::default()
    })
}

/// Puts a tag where OTLP has a field for it, else among the attributes.
fn apply(sent: &Tag, out: &mut OtlpSpan, scope: &mut Origin) {
    match (sent.key.as_str(), &sent.value) {
        ("span.kind", TagValue::String(kind)) if span_kind(kind).is_some() => {
            out.kind = span_kind(kind).map_or(0, i32::from);
        }
        ("otel.status_code", TagValue::String(code)) if status_code(code).is_some() => {
            out.status.get_or_insert_default().code = status_code(code).map_or(0, i32::from);
        }
        ("otel.status_description", TagValue::String(message)) => {
            out.status.get_or_insert_default().message.clone_from(message);
        }
        ("error", value) if is_true(value) => {
            let status: &mut Status = out.status.get_or_insert_default();
            if status.code == 0 {
                status.code = StatusCode::Error.into();
            }
        }
        ("otel.scope.name" | "otel.library.name", TagValue::String(name)) => scope.scope_name.clone_from(name),
        ("otel.scope.version" | "otel.library.version", TagValue::String(version)) => {
            scope.scope_version.clone_from(version);
        }
        ("w3c.tracestate", TagValue::String(state)) => out.trace_state.clone_from(state),
        _ => out.attributes.push(tag(sent)),
    }
}

/// Also as text, as OpenTracing bridges send it.
fn is_true(value: &TagValue) -> bool {
    match value {
        TagValue::Bool(value) => *value,
        TagValue::String(text) => text == "true",
        _ => false,
    }
}

fn span_kind(name: &str) -> Option<SpanKind> {
    Some(match name {
        "client" => SpanKind::Client,
        "server" => SpanKind::Server,
        "producer" => SpanKind::Producer,
        "consumer" => SpanKind::Consumer,
        "internal" => SpanKind::Internal,
        _ => return None,
    })
}

fn status_code(name: &str) -> Option<StatusCode> {
    match name {
        "OK" => Some(StatusCode::Ok),
        "ERROR" => Some(StatusCode::Error),
        _ => None,
    }
}

fn event(time_us: u64, fields: &[Tag]) -> Event {
    let mut out = Event { time_unix_nano: time_us.saturating_mul(1_000), ..Default::default() };
    for field in fields {
        match &field.value {
            TagValue::String(name) if field.key == "event" && out.name.is_empty() => out.name.clone_from(name),
            _ => out.attributes.push(tag(field)),
        }
    }
    out
}

fn tag(sent: &Tag) -> KeyValue {
    let value = match &sent.value {
        TagValue::String(text) => Value::StringValue(text.clone()),
        TagValue::Bool(value) => Value::BoolValue(*value),
        TagValue::Int64(value) => Value::IntValue(*value),
        TagValue::Float64(value) => Value::DoubleValue(*value),
        TagValue::Binary(bytes) => Value::BytesValue(bytes.clone()),
    };
    attribute(&sent.key, value)
}

#[cfg(test)]
mod tests;
