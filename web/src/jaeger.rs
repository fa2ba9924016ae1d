//! Jaeger's APIs over our engine: [`v1`] for Grafana and scripts, [`v3`] for Jaeger's own UI.
//!
//! Parameters, status codes and words of errors are those of Jaeger 2. Traces are given as they were
//! sent: no adjuster changes their times, whatever `raw` says.

mod feed;
mod golang;
mod search;
mod to_otlp;
mod to_v1;
mod transform;
pub(crate) mod v1;
pub(crate) mod v3;

use query::model::Span;
use storage::attrs::Value;
use storage::ids::TraceId;

/// What Jaeger's collector writes in place of a service name that it cannot use.
const MISSING_SERVICE: &str = "missing-service-name";
const EMPTY_SERVICE: &str = "empty-service-name";
const WRONG_SERVICE: &str = "service-name-wrong-type";
/// Likewise for a span without a name.
const EMPTY_SPAN: &str = "empty-span-name";

/// The service of a span in Jaeger's words.
fn service_name(span: &Span) -> &str {
    if !span.service.is_empty() {
        return &span.service;
    }
    let sent = span.resource.attributes.iter().find(|(key, _)| key == "service.name");
    match sent {
        None => MISSING_SERVICE,
        Some((_, Value::String(_))) => EMPTY_SERVICE,
        Some(_) => WRONG_SERVICE,
    }
}

/// Back from Jaeger's words.
fn stored_service(name: &str) -> &str {
    if [MISSING_SERVICE, EMPTY_SERVICE, WRONG_SERVICE].contains(&name) { "" } else { name }
}

/// A service of the list of services in Jaeger's words.
fn shown_service(name: String) -> String {
    if name.is_empty() { MISSING_SERVICE.to_owned() } else { name }
}

fn span_name(name: &str) -> &str {
    if name.is_empty() { EMPTY_SPAN } else { name }
}

fn stored_span_name(name: &str) -> &str {
    if name == EMPTY_SPAN { "" } else { name }
}

/// Names of OTLP's SpanKind as Jaeger stores them; unspecified is empty.
fn kind_name(kind: i32) -> &'static str {
    match kind {
        1 => "internal",
        2 => "server",
        3 => "client",
        4 => "producer",
        5 => "consumer",
        _ => "",
    }
}

/// Hex, or the base64 that protobuf's JSON mapping gives ids.
fn trace_id(text: &str) -> Option<TraceId> {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    text.parse().ok().or_else(|| {
        let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()?;
        TraceId::try_from(bytes.as_slice()).ok()
    })
}

/// A trace id as Jaeger prints it: 16 digits where the upper half is zero.
fn short_hex(id: TraceId) -> String {
    let text = id.to_string();
    match text.strip_prefix("0000000000000000") {
        Some(low) => low.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests;
