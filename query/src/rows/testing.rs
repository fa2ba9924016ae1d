//! Batches in the form of the tables' schemas, made from model values, for tests of this crate.

pub(crate) mod otlp;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, DictionaryArray, FixedSizeBinaryBuilder, Int32Array, Int64Array, StringArray,
    TimestampNanosecondArray, UInt32Array, UInt64Array,
};
use arrow::datatypes::{DataType, Int32Type};
use arrow::record_batch::RecordBatch;
use storage::attrs::{self, Attributes, Value};
use storage::ids::{RowId, SpanId, TraceId};
use storage::schema::{Table, col};

use crate::model::{LogRecord, Resource, Scope, Span};

/// An internal span `name` of 1 ms, of service `svc`; ids are the numbers.
pub(crate) fn span(trace: u128, id: u64, name: &str) -> Span {
    Span {
        trace_id: TraceId(trace.to_be_bytes()),
        span_id: SpanId(id.to_be_bytes()),
        parent_span_id: None,
        trace_state: String::new(),
        flags: 0,
        name: name.to_owned(),
        kind: 1,
        start: 1_700_000_000_000_000_000,
        end: 1_700_000_000_001_000_000,
        attributes: Vec::new(),
        dropped_attributes: 0,
        events: Vec::new(),
        dropped_events: 0,
        links: Vec::new(),
        dropped_links: 0,
        status_code: 0,
        status_message: String::new(),
        service: "svc".to_owned(),
        resource: resource("svc"),
        scope: Arc::new(Scope::default()),
        role: "internal".to_owned(),
        peer: None,
        protocol: None,
        operation: name.to_owned(),
        outcome: "ok".to_owned(),
        received: 1_700_000_000_002_000_000,
    }
}

/// An info record of service `svc` without a trace.
pub(crate) fn log(id: u64, time: u64, body: &str) -> LogRecord {
    LogRecord {
        id: RowId(id),
        time,
        time_inferred: false,
        observed_time: time,
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        event_name: String::new(),
        body: Value::String(body.to_owned()),
        attributes: Vec::new(),
        dropped_attributes: 0,
        trace_id: None,
        span_id: None,
        flags: 0,
        service: "svc".to_owned(),
        resource: resource("svc"),
        scope: Arc::new(Scope::default()),
    }
}

pub(crate) fn resource(service: &str) -> Arc<Resource> {
    let attributes = vec![("service.name".to_owned(), Value::String(service.to_owned()))];
    Arc::new(Resource { attributes, ..Resource::default() })
}

/// Rows of `spans` in the form of [`Table::schema`].
pub(crate) fn span_batch(spans: &[Span]) -> RecordBatch {
    batch(Table::Spans, &|name| {
        let texts = |get: &dyn Fn(&Span) -> Option<String>| strings(Table::Spans, name, spans.iter().map(get));
        match name {
            col::TRACE_ID => ids(spans.iter().map(|s| Some(s.trace_id.0))),
            col::SPAN_ID => ids(spans.iter().map(|s| Some(s.span_id.0))),
            col::PARENT_SPAN_ID => ids(spans.iter().map(|s| s.parent_span_id.map(|id| id.0))),
            col::TRACE_STATE => texts(&|s| some(&s.trace_state)),
            col::FLAGS => counts(spans.iter().map(|s| s.flags)),
            col::NAME => texts(&|s| Some(s.name.clone())),
            col::KIND => Arc::new(Int32Array::from_iter_values(spans.iter().map(|s| s.kind))),
            col::START_TIME => times(spans.iter().map(|s| s.start)),
            col::DURATION => {
                let durations = spans.iter().map(|s| s.end.wrapping_sub(s.start) as i64);
                Arc::new(Int64Array::from_iter_values(durations))
            }
            col::STATUS_CODE => Arc::new(Int32Array::from_iter_values(spans.iter().map(|s| s.status_code))),
            col::STATUS_MESSAGE => texts(&|s| some(&s.status_message)),
            col::ATTRIBUTES => texts(&|s| Some(object(&s.attributes))),
            col::DROPPED_ATTRIBUTES => counts(spans.iter().map(|s| s.dropped_attributes)),
            col::EVENTS => texts(&|s| (!s.events.is_empty()).then(|| text(|out| attrs::write_events(out, &s.events)))),
            col::DROPPED_EVENTS => counts(spans.iter().map(|s| s.dropped_events)),
            col::LINKS => texts(&|s| (!s.links.is_empty()).then(|| text(|out| attrs::write_links(out, &s.links)))),
            col::DROPPED_LINKS => counts(spans.iter().map(|s| s.dropped_links)),
            col::ROLE => texts(&|s| Some(s.role.clone())),
            col::PEER => texts(&|s| s.peer.clone()),
            col::PROTOCOL => texts(&|s| s.protocol.clone()),
            col::OPERATION => texts(&|s| Some(s.operation.clone())),
            col::OUTCOME => texts(&|s| Some(s.outcome.clone())),
            col::RECEIVED_TIME => times(spans.iter().map(|s| s.received)),
            _ => origin(Table::Spans, name, spans.iter().map(|s| (s.service.as_str(), &*s.resource, &*s.scope))),
        }
    })
}

/// Rows of `logs` in the form of [`Table::schema`].
pub(crate) fn log_batch(logs: &[LogRecord]) -> RecordBatch {
    batch(Table::Logs, &|name| {
        let texts = |get: &dyn Fn(&LogRecord) -> Option<String>| strings(Table::Logs, name, logs.iter().map(get));
        match name {
            col::ROW_ID => Arc::new(UInt64Array::from_iter_values(logs.iter().map(|l| l.id.0))),
            col::TIME => times(logs.iter().map(|l| l.time)),
            col::TIME_INFERRED => {
                Arc::new(BooleanArray::from(logs.iter().map(|l| l.time_inferred).collect::<Vec<_>>()))
            }
            col::OBSERVED_TIME => times(logs.iter().map(|l| l.observed_time)),
            col::TRACE_ID => ids(logs.iter().map(|l| l.trace_id.map(|id| id.0))),
            col::SPAN_ID => ids(logs.iter().map(|l| l.span_id.map(|id| id.0))),
            col::FLAGS => counts(logs.iter().map(|l| l.flags)),
            col::SEVERITY_NUMBER => Arc::new(Int32Array::from_iter_values(logs.iter().map(|l| l.severity_number))),
            col::SEVERITY_TEXT => texts(&|l| some(&l.severity_text)),
            col::EVENT_NAME => texts(&|l| some(&l.event_name)),
            col::BODY => texts(&|l| match &l.body {
                Value::Null => None,
                Value::String(body) => Some(body.clone()),
                other => Some(text(|out| attrs::push_value(out, other))),
            }),
            col::BODY_TYPE => texts(&|l| match &l.body {
                Value::Null => None,
                Value::String(_) => some("text"),
                _ => some("json"),
            }),
            col::ATTRIBUTES => texts(&|l| Some(object(&l.attributes))),
            col::DROPPED_ATTRIBUTES => counts(logs.iter().map(|l| l.dropped_attributes)),
            col::RECEIVED_TIME => times(logs.iter().map(|l| l.observed_time)),
            _ => origin(Table::Logs, name, logs.iter().map(|l| (l.service.as_str(), &*l.resource, &*l.scope))),
        }
    })
}

fn origin<'a>(table: Table, name: &str, rows: impl Iterator<Item = (&'a str, &'a Resource, &'a Scope)>) -> ArrayRef {
    let named = |resource: &Resource, key: &str| {
        let found = resource.attributes.iter().find(|(k, _)| k == key);
        found.and_then(|(_, value)| if let Value::String(value) = value { Some(value.clone()) } else { None })
    };
    let get = |(service, resource, scope): (&str, &Resource, &Scope)| match name {
        col::SERVICE_NAME => Some(service.to_owned()),
        col::SERVICE_NAMESPACE => named(resource, "service.namespace"),
        col::SERVICE_VERSION => named(resource, "service.version"),
        col::SERVICE_INSTANCE => named(resource, "service.instance.id"),
        col::ENVIRONMENT => named(resource, "deployment.environment.name"),
        col::RESOURCE_ATTRIBUTES => Some(object(&resource.attributes)),
        col::RESOURCE_SCHEMA_URL => some(&resource.schema_url),
        col::SCOPE_NAME => some(&scope.name),
        col::SCOPE_VERSION => some(&scope.version),
        col::SCOPE_ATTRIBUTES => Some(object(&scope.attributes)),
        col::SCOPE_SCHEMA_URL => some(&scope.schema_url),
        _ => panic!("the test helper does not know column {name}"),
    };
    match name {
        col::RESOURCE_DROPPED_ATTRIBUTES => counts(rows.map(|(_, resource, _)| resource.dropped_attributes)),
        col::SCOPE_DROPPED_ATTRIBUTES => counts(rows.map(|(_, _, scope)| scope.dropped_attributes)),
        _ => strings(table, name, rows.map(get)),
    }
}

fn batch(table: Table, column: &dyn Fn(&str) -> ArrayRef) -> RecordBatch {
    let schema = table.schema();
    let columns = schema.fields().iter().map(|field| column(field.name())).collect();
    RecordBatch::try_new(schema, columns).expect("columns in the form of the schema")
}

fn strings(table: Table, name: &str, values: impl Iterator<Item = Option<String>>) -> ArrayRef {
    let values: StringArray = values.collect();
    let schema = table.schema();
    match schema.field_with_name(name).expect("a column").data_type() {
        DataType::Utf8 => Arc::new(values),
        _ => Arc::new(values.iter().collect::<DictionaryArray<Int32Type>>()),
    }
}

fn ids<const N: usize>(values: impl Iterator<Item = Option<[u8; N]>>) -> ArrayRef {
    let mut builder = FixedSizeBinaryBuilder::new(N as i32);
    for value in values {
        match value {
            Some(id) => builder.append_value(id).expect("an id of the column's size"),
            None => builder.append_null(),
        }
    }
    Arc::new(builder.finish())
}

fn times(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(TimestampNanosecondArray::from_iter_values(values.map(|time| time as i64)))
}

fn counts(values: impl Iterator<Item = u32>) -> ArrayRef {
    Arc::new(UInt32Array::from_iter_values(values))
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn object(attributes: &Attributes) -> String {
    text(|out| attrs::write_object(out, attributes))
}

fn text(write: impl FnOnce(&mut String)) -> String {
    let mut out = String::new();
    write(&mut out);
    out
}
