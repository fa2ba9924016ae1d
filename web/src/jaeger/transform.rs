//! OTLP JSON as spans of our model, without storing it: what Jaeger's UI uploads to look at.

use std::sync::Arc;

use proto::otlp::json::traces_to_protobuf;
use proto::otlp::view::{self, AnyValue, Malformed, Repeated, View};
use query::model::{Resource, Scope, Span};
use storage::attrs::{Attributes, Event, Link, Value};
use storage::ids::{SpanId, TraceId};

/// The spans in the order sent; the error says what is wrong with the document.
pub(super) fn spans(json: &[u8]) -> Result<Vec<Span>, String> {
    let bytes = traces_to_protobuf(json).map_err(|error| error.to_string())?;
    let request = view::TraceRequest::from_bytes(&bytes).map_err(|error| error.to_string())?;
    let mut spans = Vec::new();
    for group in &request.resource_spans {
        let group = group.map_err(|error| error.to_string())?;
        let resource = Arc::new(resource(&group).map_err(|error| error.to_string())?);
        let service = service(&resource);
        for scoped in &group.scope_spans {
            let scoped = scoped.map_err(|error| error.to_string())?;
            let scope = Arc::new(scope(&scoped).map_err(|error| error.to_string())?);
            for sent in &scoped.spans {
                let sent = sent.map_err(|error| error.to_string())?;
                spans.push(span(&sent, &service, &resource, &scope)?);
            }
        }
    }
    Ok(spans)
}

fn service(resource: &Resource) -> String {
    let named = resource.attributes.iter().find(|(key, _)| key == "service.name");
    match named {
        Some((_, Value::String(name))) => name.clone(),
        _ => String::new(),
    }
}

fn resource(group: &view::ResourceSpans<'_>) -> Result<Resource, Malformed> {
    Ok(Resource {
        attributes: attributes(&group.resource.attributes)?,
        dropped_attributes: group.resource.dropped_attributes_count,
        schema_url: group.schema_url.to_lossy().into_owned(),
    })
}

fn scope(scoped: &view::ScopeSpans<'_>) -> Result<Scope, Malformed> {
    Ok(Scope {
        name: scoped.scope.name.to_lossy().into_owned(),
        version: scoped.scope.version.to_lossy().into_owned(),
        attributes: attributes(&scoped.scope.attributes)?,
        dropped_attributes: scoped.scope.dropped_attributes_count,
        schema_url: scoped.schema_url.to_lossy().into_owned(),
    })
}

fn span(sent: &view::Span<'_>, service: &str, resource: &Arc<Resource>, scope: &Arc<Scope>) -> Result<Span, String> {
    let name = sent.name.to_lossy().into_owned();
    let bad_id = |what: &str| format!("span {name:?}: the {what} has the wrong length");
    let parent = match sent.parent_span_id {
        [] => None,
        id => Some(SpanId::try_from(id).map_err(|_| bad_id("parentSpanId"))?),
    };
    let held = |error: Malformed| format!("span {name:?}: {error}");
    Ok(Span {
        trace_id: TraceId::try_from(sent.trace_id).map_err(|_| bad_id("traceId"))?,
        span_id: SpanId::try_from(sent.span_id).map_err(|_| bad_id("spanId"))?,
        parent_span_id: parent.filter(|id| id.0 != [0; 8]),
        trace_state: sent.trace_state.to_lossy().into_owned(),
        flags: sent.flags,
        kind: sent.kind,
        start: sent.start_time_unix_nano,
        end: sent.end_time_unix_nano,
        attributes: attributes(&sent.attributes).map_err(held)?,
        dropped_attributes: sent.dropped_attributes_count,
        events: sent.events.iter().map(|event| self::event(&event?)).collect::<Result<_, _>>().map_err(held)?,
        dropped_events: sent.dropped_events_count,
        links: sent.links.iter().map(|link| self::link(&link?)).collect::<Result<_, _>>().map_err(held)?,
        dropped_links: sent.dropped_links_count,
        status_code: sent.status.code,
        status_message: sent.status.message.to_lossy().into_owned(),
        service: service.to_owned(),
        resource: resource.clone(),
        scope: scope.clone(),
        // Only stored spans are normalised; Jaeger's form shows none of these.
        role: String::new(),
        peer: None,
        protocol: None,
        operation: name.clone(),
        outcome: String::new(),
        received: 0,
        name,
    })
}

fn event(event: &view::Event<'_>) -> Result<Event, Malformed> {
    Ok(Event {
        time: event.time_unix_nano,
        name: event.name.to_lossy().into_owned(),
        attributes: attributes(&event.attributes)?,
        dropped_attributes: event.dropped_attributes_count,
    })
}

fn link(link: &view::Link<'_>) -> Result<Link, Malformed> {
    Ok(Link {
        trace_id: link.trace_id.to_vec(),
        span_id: link.span_id.to_vec(),
        trace_state: link.trace_state.to_lossy().into_owned(),
        attributes: attributes(&link.attributes)?,
        dropped_attributes: link.dropped_attributes_count,
        flags: link.flags,
    })
}

fn attributes(pairs: &Repeated<'_, view::KeyValue<'_>>) -> Result<Attributes, Malformed> {
    let pair = |pair: Result<view::KeyValue<'_>, Malformed>| {
        let pair = pair?;
        Ok((pair.key.to_lossy().into_owned(), value(&pair.value)?))
    };
    pairs.iter().map(pair).collect()
}

/// Recursion ends where JSON nesting does: the reader of JSON bounds it.
fn value(held: &AnyValue<'_>) -> Result<Value, Malformed> {
    Ok(match held {
        AnyValue::Empty | AnyValue::StringIndex(_) => Value::Null,
        AnyValue::String(text) => Value::String(text.to_lossy().into_owned()),
        AnyValue::Bool(held) => Value::Bool(*held),
        AnyValue::Int(held) => Value::Int(*held),
        AnyValue::Double(held) => Value::Double(*held),
        AnyValue::Bytes(held) => Value::Bytes(held.to_vec()),
        AnyValue::Array(values) => Value::Array(values.iter().map(|one| value(&one?)).collect::<Result<_, _>>()?),
        AnyValue::KvList(pairs) => Value::Map(attributes(pairs)?),
    })
}
