//! Writing typed JSON text, value by value, without intermediate structs.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{Attributes, Event, Link, Value};

pub fn push_null(out: &mut String) {
    out.push_str("null");
}

pub fn push_bool(out: &mut String, value: bool) {
    out.push_str(if value { "true" } else { "false" });
}

pub fn push_int(out: &mut String, value: impl Into<i128>) {
    write!(out, "{}", value.into()).expect("a String takes every write");
}

pub fn push_double(out: &mut String, value: f64) {
    if value.is_finite() {
        // Debug always writes a point or an exponent, and reads back to the same bits.
        write!(out, "{value:?}").expect("a String takes every write");
    } else if value.is_nan() {
        out.push_str(r#"{"$double":"NaN"}"#);
    } else if value > 0.0 {
        out.push_str(r#"{"$double":"Infinity"}"#);
    } else {
        out.push_str(r#"{"$double":"-Infinity"}"#);
    }
}

pub fn push_bytes(out: &mut String, value: &[u8]) {
    out.push_str(r#"{"$bytes":""#);
    BASE64.encode_string(value, out);
    out.push_str("\"}");
}

/// A JSON string (RFC 8259 §7). Text without quotes, backslashes and controls is copied in one piece.
pub fn push_string(out: &mut String, value: &str) {
    out.push('"');
    let bytes = value.as_bytes();
    let mut copied = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&value[copied..at]);
        copied = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => write!(out, "\\u{control:04x}").expect("a String takes every write"),
        }
    }
    out.push_str(&value[copied..]);
    out.push('"');
}

/// Writes `{"k":v,…}`: after each `key`, push exactly one value to `out`.
pub struct MapWriter {
    empty: bool,
}

impl MapWriter {
    pub fn begin(out: &mut String) -> Self {
        out.push('{');
        Self { empty: true }
    }

    pub fn key(&mut self, out: &mut String, key: &str) {
        if !std::mem::replace(&mut self.empty, false) {
            out.push(',');
        }
        push_string(out, key);
        out.push(':');
    }

    pub fn end(self, out: &mut String) {
        out.push('}');
    }
}

/// Writes `[v,…]`: after each `item`, push exactly one value to `out`.
pub struct ListWriter {
    empty: bool,
}

impl ListWriter {
    pub fn begin(out: &mut String) -> Self {
        out.push('[');
        Self { empty: true }
    }

    pub fn item(&mut self, out: &mut String) {
        if !std::mem::replace(&mut self.empty, false) {
            out.push(',');
        }
    }

    pub fn end(self, out: &mut String) {
        out.push(']');
    }
}

/// The attributes of a row.
pub fn write_object(out: &mut String, attributes: &[(String, Value)]) {
    let mut map = MapWriter::begin(out);
    for (key, value) in attributes {
        map.key(out, key);
        push_value(out, value);
    }
    map.end(out);
}

pub fn push_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => push_null(out),
        Value::Bool(value) => push_bool(out, *value),
        Value::Int(value) => push_int(out, *value),
        Value::Double(value) => push_double(out, *value),
        Value::String(value) => push_string(out, value),
        Value::Bytes(value) => push_bytes(out, value),
        Value::Array(values) => {
            let mut list = ListWriter::begin(out);
            for value in values {
                list.item(out);
                push_value(out, value);
            }
            list.end(out);
        }
        Value::Map(pairs) => push_map(out, pairs),
    }
}

fn push_map(out: &mut String, pairs: &Attributes) {
    if !needs_pairs(pairs.iter().map(|(key, _)| key.as_str())) {
        return write_object(out, pairs);
    }
    out.push_str(r#"{"$kvlist":"#);
    let mut list = ListWriter::begin(out);
    for (key, value) in pairs {
        list.item(out);
        out.push('[');
        push_string(out, key);
        out.push(',');
        push_value(out, value);
        out.push(']');
    }
    list.end(out);
    out.push('}');
}

/// Whether a nested kvlist with these keys must be written as pairs, not as an object.
fn needs_pairs<'a>(keys: impl Iterator<Item = &'a str>) -> bool {
    let mut seen = hashbrown::HashSet::new();
    keys.enumerate().any(|(at, key)| (at == 0 && key.starts_with('$')) || !seen.insert(key))
}

/// The `events` column: `[{"time":ns,"name":…,"attributes":{…},"dropped":n},…]`, `dropped` only where not 0.
pub fn write_events(out: &mut String, events: &[Event]) {
    let mut list = ListWriter::begin(out);
    for event in events {
        list.item(out);
        let mut map = MapWriter::begin(out);
        map.key(out, "time");
        push_int(out, event.time);
        map.key(out, "name");
        push_string(out, &event.name);
        map.key(out, "attributes");
        write_object(out, &event.attributes);
        if event.dropped_attributes != 0 {
            map.key(out, "dropped");
            push_int(out, event.dropped_attributes);
        }
        map.end(out);
    }
    list.end(out);
}

/// The `links` column: `[{"trace_id":hex,"span_id":hex,"trace_state":…,"attributes":{…},"dropped":n,"flags":n},…]`;
/// `trace_state`, `dropped` and `flags` only where set.
pub fn write_links(out: &mut String, links: &[Link]) {
    let mut list = ListWriter::begin(out);
    for link in links {
        list.item(out);
        let mut map = MapWriter::begin(out);
        map.key(out, "trace_id");
        push_string(out, &hex::encode(&link.trace_id));
        map.key(out, "span_id");
        push_string(out, &hex::encode(&link.span_id));
        if !link.trace_state.is_empty() {
            map.key(out, "trace_state");
            push_string(out, &link.trace_state);
        }
        map.key(out, "attributes");
        write_object(out, &link.attributes);
        if link.dropped_attributes != 0 {
            map.key(out, "dropped");
            push_int(out, link.dropped_attributes);
        }
        if link.flags != 0 {
            map.key(out, "flags");
            push_int(out, link.flags);
        }
        map.end(out);
    }
    list.end(out);
}
