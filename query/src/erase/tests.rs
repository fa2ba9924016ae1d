//! Which rows a selection takes, over a real store: the buffer's and those of segments alike.

use storage::attrs::{Event, Value};
use storage::ids::TraceId;
use storage::schema::Table;

use super::*;
use crate::engine::Limits;
use crate::model::{LogRecord, Span};
use crate::rows::testing::{log, log_batch, resource, span, span_batch};
use crate::traces::testing::Stored;

const TIME: u64 = 1_700_000_000_000_000_000;

fn with(one: Span, key: &str, value: Value) -> Span {
    Span { attributes: vec![("first".to_owned(), Value::Bool(true)), (key.to_owned(), value)], ..one }
}

fn id(number: u128) -> TraceId {
    TraceId(number.to_be_bytes())
}

/// Traces 1 to 5: in a segment, but for 3 and 5; each with a log record of its own, and one without a trace.
async fn world() -> Stored {
    let stored = Stored::new(Limits::default()).await;
    let text = |text: &str| Value::String(text.to_owned());
    let event = Event {
        time: TIME,
        name: "e".to_owned(),
        attributes: vec![("user".to_owned(), text("eve"))],
        dropped_attributes: 0,
    };
    let spans = [
        with(span(1, 1, "a"), "user", text("eve")),
        with(span(2, 2, "b"), "n", Value::Int(42)),
        Span { service: "other".to_owned(), resource: resource("other"), ..with(span(3, 3, "c"), "user", text("eve")) },
        with(span(4, 4, "d"), "tags", Value::Array(vec![text("x"), text("eve")])),
        Span { events: vec![event], ..span(5, 5, "e") },
    ];
    let record =
        |number: u64| LogRecord { trace_id: Some(id(number.into())), ..log(number, TIME + number, "of a trace") };
    let lone = LogRecord { attributes: vec![("user".to_owned(), text("eve"))], ..log(9, TIME + 9, "alone") };
    let incoming = |logs: &[LogRecord]| {
        let rows = log_batch(logs);
        let columns: Vec<usize> = (0..Table::Logs.incoming().fields().len()).collect();
        rows.project(&columns).expect("the last column is the row id")
    };
    for number in [1, 2, 4] {
        stored.append(Table::Spans, span_batch(&spans[number - 1..number])).await;
        stored.append(Table::Logs, incoming(&[record(number as u64)])).await;
    }
    stored.append(Table::Logs, incoming(&[lone])).await;
    stored.engine.store().flush().await.expect("flushed");
    for number in [3, 5] {
        stored.append(Table::Spans, span_batch(&spans[number - 1..number])).await;
        stored.append(Table::Logs, incoming(&[record(number as u64)])).await;
    }
    stored
}

fn select(rows: Rows) -> Selection {
    Selection { rows, service: None, range: Range::ALL }
}

fn attribute(key: &str, value: &str) -> Selection {
    select(Rows::Attribute { key: key.to_owned(), value: value.to_owned() })
}

async fn left(stored: &Stored) -> Vec<u128> {
    let mut left = Vec::new();
    for number in 1..=5 {
        if stored.engine.trace(id(number)).await.expect("an answer").is_some() {
            left.push(number);
        }
    }
    left
}

/// Traces that are left after a selection, and the log records that went; a dry run said the same.
async fn erased(selection: Selection) -> (Vec<u128>, u64) {
    let stored = world().await;
    let foretold = stored.engine.erase(selection.clone(), true).await.expect("counted");
    assert_eq!(left(&stored).await, [1, 2, 3, 4, 5], "a dry run");
    let erased = stored.engine.erase(selection.clone(), false).await.expect("erased");
    assert!(erased.verified && erased.unreadable.is_empty(), "{erased:?}");
    assert_eq!((foretold.spans, foretold.logs), (erased.spans, erased.logs));
    let again = stored.engine.erase(selection, false).await.expect("nothing to erase");
    assert_eq!((again.spans, again.logs, again.segments_rewritten, again.verified), (0, 0, 0, true));
    let left = left(&stored).await;
    assert_eq!(left.len() as u64, 5 - erased.spans);
    assert_eq!(stored.engine.store().stats().logs, 6 - erased.logs);
    (left, erased.logs)
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_go_with_their_logs() {
    assert_eq!(erased(select(Rows::Traces(vec![id(1), id(3), id(77)]))).await, (vec![2, 4, 5], 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attribute_is_told_by_its_text_wherever_it_is() {
    assert_eq!(erased(attribute("user", "eve")).await, (vec![2, 4], 1));
    assert_eq!(erased(attribute("n", "42")).await, (vec![1, 3, 4, 5], 0));
    assert_eq!(erased(attribute("tags", "eve")).await, (vec![1, 2, 3, 5], 0));
    assert_eq!(erased(attribute("user", "ev")).await, (vec![1, 2, 3, 4, 5], 0), "the whole value");
    assert_eq!(erased(attribute("resource.user", "eve")).await, (vec![1, 2, 3, 4, 5], 0));
    assert_eq!(erased(attribute("resource.service.name", "other")).await, (vec![1, 2, 4, 5], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn service_and_time_narrow_it() {
    let of_other = Selection { service: Some("other".to_owned()), ..attribute("user", "eve") };
    assert_eq!(erased(of_other).await, (vec![1, 2, 4, 5], 0));
    let later = Range { from: TIME as i64 + 3, to: TIME as i64 + 4 };
    let logs_of_then = Selection { range: later, ..select(Rows::Traces((1..=5).map(id).collect())) };
    assert_eq!(erased(logs_of_then).await, (vec![1, 2, 3, 4, 5], 1));
}
