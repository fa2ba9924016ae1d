//! Spans back as the OTLP they were sent as.

use proto::otlp::traces::{
    AnyValue, Event, Hex, KeyValue, Link, Resource, ResourceSpans, Scope, ScopeSpans, Span, Status,
};
use query::model::{self, Trace};
use storage::attrs::{Attributes, Value};

use crate::intern::{Interner, resource_key, scope_key};

/// The spans of a trace under their resources and scopes, each by first appearance.
pub(super) fn resource_spans(trace: &Trace) -> Vec<ResourceSpans> {
    let (mut resources, mut scopes) = (Interner::new(resource_key), Interner::new(scope_key));
    let mut groups: Vec<(ResourceSpans, Vec<usize>)> = Vec::new();
    for span in &trace.spans {
        let (resource, scope) = (resources.number(&span.resource), scopes.number(&span.scope));
        if resource == groups.len() {
            groups.push((empty_group(&span.resource), Vec::new()));
        }
        let (group, known) = &mut groups[resource];
        let place = known.iter().position(|&number| number == scope).unwrap_or_else(|| {
            known.push(scope);
            group.scope_spans.push(empty_scope(&span.scope));
            known.len() - 1
        });
        group.scope_spans[place].spans.push(one(span));
    }
    groups.into_iter().map(|(group, _)| group).collect()
}

fn empty_group(resource: &model::Resource) -> ResourceSpans {
    ResourceSpans {
        resource: Resource {
            attributes: attributes(&resource.attributes),
            dropped_attributes_count: resource.dropped_attributes,
        },
        scope_spans: Vec::new(),
        schema_url: resource.schema_url.clone(),
    }
}

fn empty_scope(scope: &model::Scope) -> ScopeSpans {
    ScopeSpans {
        scope: Scope {
            name: scope.name.clone(),
            version: scope.version.clone(),
            attributes: attributes(&scope.attributes),
            dropped_attributes_count: scope.dropped_attributes,
        },
        spans: Vec::new(),
        schema_url: scope.schema_url.clone(),
    }
}

fn one(span: &model::Span) -> Span {
    Span {
        trace_id: span.trace_id.0.into(),
        span_id: span.span_id.0.into(),
        trace_state: span.trace_state.clone(),
        parent_span_id: span.parent_span_id.map(|id| Hex::from(id.0)).unwrap_or_default(),
        flags: span.flags,
        name: span.name.clone(),
        kind: span.kind,
        start_time_unix_nano: span.start,
        end_time_unix_nano: span.end,
        attributes: attributes(&span.attributes),
        dropped_attributes_count: span.dropped_attributes,
        events: span.events.iter().map(event).collect(),
        dropped_events_count: span.dropped_events,
        links: span.links.iter().map(link).collect(),
        dropped_links_count: span.dropped_links,
        status: Status { message: span.status_message.clone(), code: span.status_code },
    }
}

fn event(event: &storage::attrs::Event) -> Event {
    Event {
        time_unix_nano: event.time,
        name: event.name.clone(),
        attributes: attributes(&event.attributes),
        dropped_attributes_count: event.dropped_attributes,
    }
}

fn link(link: &storage::attrs::Link) -> Link {
    Link {
        trace_id: link.trace_id.as_slice().into(),
        span_id: link.span_id.as_slice().into(),
        trace_state: link.trace_state.clone(),
        attributes: attributes(&link.attributes),
        dropped_attributes_count: link.dropped_attributes,
        flags: link.flags,
    }
}

fn attributes(pairs: &Attributes) -> Vec<KeyValue> {
    pairs.iter().map(|(key, held)| KeyValue { key: key.clone(), value: value(held) }).collect()
}

fn value(held: &Value) -> AnyValue {
    match held {
        Value::Null => AnyValue::Empty,
        Value::Bool(held) => AnyValue::Bool(*held),
        Value::Int(held) => AnyValue::Int(*held),
        Value::Double(held) => AnyValue::Double(*held),
        Value::String(held) => AnyValue::String(held.clone()),
        Value::Bytes(held) => AnyValue::Bytes(held.clone()),
        Value::Array(held) => AnyValue::Array(held.iter().map(value).collect()),
        Value::Map(held) => AnyValue::KvList(attributes(held)),
    }
}
