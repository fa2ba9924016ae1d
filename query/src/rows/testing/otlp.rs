//! Spans of OTLP/JSON documents, as the conformance cases have them, and those cases themselves.

use std::sync::Arc;

use serde_json::Value as Json;
use storage::attrs::{Attributes, Event, Link, Value};
use storage::ids::{SpanId, TraceId};

use crate::model::{Resource, Scope, Span};
use crate::traceql::ast::KINDS;

/// A file of the conformance set; None, said visibly, where the set is not beside the checkout.
pub(crate) fn conformance(path: &str) -> Option<Json> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/conformance");
    let Ok(text) = std::fs::read_to_string(format!("{folder}/{path}")) else {
        eprintln!("SKIPPED: {path} of the shared conformance set is not present");
        return None;
    };
    Some(serde_json::from_str(&text).expect("JSON"))
}

pub(crate) fn list(json: &Json) -> &[Json] {
    json.as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn text(json: &Json) -> &str {
    json.as_str().unwrap_or("")
}

/// All spans of an export request.
pub(crate) fn spans(document: &Json) -> Vec<Span> {
    let mut spans = Vec::new();
    for part in list(&document["resourceSpans"]) {
        let attributes = attributes(&part["resource"]["attributes"]);
        let service = attributes.iter().find(|(key, _)| key == "service.name");
        let service =
            service.and_then(|(_, value)| if let Value::String(name) = value { Some(name.clone()) } else { None });
        let resource = Arc::new(Resource { attributes, ..Resource::default() });
        for scoped in list(&part["scopeSpans"]) {
            let scope = &scoped["scope"];
            let scope = Arc::new(Scope {
                name: text(&scope["name"]).to_owned(),
                version: text(&scope["version"]).to_owned(),
                attributes: self::attributes(&scope["attributes"]),
                ..Scope::default()
            });
            for one in list(&scoped["spans"]) {
                let mut span = span(one);
                span.service = service.clone().unwrap_or_default();
                (span.resource, span.scope) = (resource.clone(), scope.clone());
                spans.push(span);
            }
        }
    }
    spans
}

fn span(json: &Json) -> Span {
    let parent = text(&json["parentSpanId"]);
    let trace: TraceId = text(&json["traceId"]).parse().expect("a trace id");
    let id: SpanId = text(&json["spanId"]).parse().expect("a span id");
    Span {
        trace_id: trace,
        span_id: id,
        parent_span_id: (!parent.is_empty()).then(|| parent.parse().expect("a span id")),
        kind: enumeration(&json["kind"], &KINDS),
        start: number(&json["startTimeUnixNano"]),
        end: number(&json["endTimeUnixNano"]),
        attributes: attributes(&json["attributes"]),
        events: list(&json["events"]).iter().map(event).collect(),
        links: list(&json["links"]).iter().map(link).collect(),
        status_code: enumeration(&json["status"]["code"], &["unset", "ok", "error"]),
        status_message: text(&json["status"]["message"]).to_owned(),
        ..super::span(0, 0, text(&json["name"]))
    }
}

fn event(json: &Json) -> Event {
    Event {
        time: number(&json["timeUnixNano"]),
        name: text(&json["name"]).to_owned(),
        attributes: attributes(&json["attributes"]),
        dropped_attributes: 0,
    }
}

fn link(json: &Json) -> Link {
    Link {
        trace_id: hex::decode(text(&json["traceId"])).expect("hex"),
        span_id: hex::decode(text(&json["spanId"])).expect("hex"),
        trace_state: String::new(),
        attributes: attributes(&json["attributes"]),
        dropped_attributes: 0,
        flags: 0,
    }
}

fn attributes(json: &Json) -> Attributes {
    list(json).iter().map(|pair| (text(&pair["key"]).to_owned(), value(&pair["value"]))).collect()
}

fn value(json: &Json) -> Value {
    let Some((kind, value)) = json.as_object().and_then(|object| object.iter().next()) else { return Value::Null };
    match kind.as_str() {
        "stringValue" => Value::String(text(value).to_owned()),
        "boolValue" => Value::Bool(value.as_bool().expect("a boolean")),
        "intValue" => Value::Int(value.as_i64().unwrap_or_else(|| text(value).parse().expect("an int"))),
        "doubleValue" => Value::Double(value.as_f64().expect("a double")),
        "arrayValue" => Value::Array(list(&value["values"]).iter().map(self::value).collect()),
        "kvlistValue" => Value::Map(attributes(&value["values"])),
        "bytesValue" => Value::Bytes(text(value).as_bytes().to_vec()),
        other => panic!("the test helper does not know {other}"),
    }
}

fn number(json: &Json) -> u64 {
    json.as_u64().unwrap_or_else(|| text(json).parse().unwrap_or(0))
}

/// By number or by a name such as `SPAN_KIND_SERVER`.
fn enumeration(json: &Json, words: &[&str]) -> i32 {
    let name = text(json).rsplit('_').next().unwrap_or("").to_lowercase();
    json.as_i64()
        .map_or_else(|| words.iter().position(|word| *word == name).unwrap_or(0) as i32, |number| number as i32)
}
