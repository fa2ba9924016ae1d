//! Model values survive the way into columns and back.

use std::sync::Arc;

use arrow::array::StringArray;
use arrow::record_batch::RecordBatch;
use storage::attrs::{Event, Link, Value};

use super::testing::{log, log_batch, resource, span, span_batch};
use super::*;
use crate::model::{Scope, Span};

fn full_span() -> Span {
    Span {
        parent_span_id: Some(storage::ids::SpanId([7; 8])),
        trace_state: "a=b".to_owned(),
        flags: 257,
        kind: 3,
        start: u64::MAX - 5,
        end: 10,
        attributes: vec![("n".to_owned(), Value::Int(1)), ("n".to_owned(), Value::Double(1.0))],
        dropped_attributes: 1,
        events: vec![Event { time: u64::MAX, name: "e".to_owned(), attributes: Vec::new(), dropped_attributes: 2 }],
        dropped_events: 3,
        links: vec![Link {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            trace_state: "x=y".to_owned(),
            attributes: vec![("k".to_owned(), Value::Null)],
            dropped_attributes: 4,
            flags: 5,
        }],
        dropped_links: 6,
        status_code: 2,
        status_message: "broken".to_owned(),
        service: "cart".to_owned(),
        resource: resource("cart"),
        scope: Arc::new(Scope { name: "lib".to_owned(), version: "1".to_owned(), ..Scope::default() }),
        peer: Some("db".to_owned()),
        protocol: Some("redis".to_owned()),
        ..span(9, 8, "GET /")
    }
}

#[test]
fn spans_survive_columns() {
    let spans = vec![full_span(), span(1, 2, "plain"), full_span()];
    let batch = span_batch(&spans);
    let mut origins = Origins::default();
    let mut reader = SpanReader::new(&batch, &mut origins).expect("columns");
    let read: Vec<Span> = (0..3).map(|row| reader.get(row).expect("a span")).collect();
    assert_eq!(read, spans);
    assert!(Arc::ptr_eq(&read[0].resource, &read[2].resource), "equal resources are shared");
    assert!(Arc::ptr_eq(&read[0].scope, &read[2].scope), "equal scopes are shared");
}

#[test]
fn logs_survive_columns() {
    let mut json = log(2, u64::MAX, "");
    json.body = Value::Map(vec![("a".to_owned(), Value::Array(vec![Value::Int(1), Value::Bytes(vec![0])]))]);
    json.trace_id = Some(storage::ids::TraceId([3; 16]));
    let mut empty = log(3, 5, "");
    empty.body = Value::Null;
    let logs = vec![log(1, 5, "text"), json, empty, log(4, 5, "")];
    let batch = log_batch(&logs);
    let mut origins = Origins::default();
    let mut reader = LogReader::new(&batch, &mut origins).expect("columns");
    let read: Vec<_> = (0..4).map(|row| reader.get(row).expect("a record")).collect();
    assert_eq!(read, logs);
}

#[test]
fn damage_is_an_error() {
    let batch = span_batch(&[span(1, 2, "x")]);
    let broken: Vec<_> = batch
        .schema()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| match field.name().as_str() {
            col::ATTRIBUTES => (field.name().clone(), Arc::new(StringArray::from(vec!["{\"a\":"])) as _),
            _ => (field.name().clone(), column.clone()),
        })
        .collect();
    let broken = RecordBatch::try_from_iter(broken).expect("a batch");
    let mut origins = Origins::default();
    let error = SpanReader::new(&broken, &mut origins).expect("columns").get(0).expect_err("damage");
    assert!(error.to_string().contains("malformed attribute text"), "{error}");
    let missing = batch.project(&[0]).expect("one column");
    assert!(SpanReader::new(&missing, &mut origins).is_err());
    assert!(Columns::new(&batch).times(col::NAME).is_err());
}
