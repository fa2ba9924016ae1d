//! SQL over a real store, and queries that mean harm.

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use storage::attrs::Value;
use storage::ids::TraceId;
use storage::schema::Table;

use super::*;
use crate::engine::Limits;
use crate::model::Span;
use crate::rows::testing::{log, log_batch, resource, span};
use crate::traces::testing::Stored;

mod growth;
mod stop;

const T0: u64 = 1_700_000_000_000_000_000;

fn spans(range: std::ops::Range<u64>) -> Vec<Span> {
    range
        .map(|number| {
            let service = if number % 3 == 0 { "cart" } else { "front" };
            Span {
                trace_id: TraceId(u128::from(number).to_be_bytes()),
                service: service.to_owned(),
                resource: resource(service),
                start: T0 + number * 1_000_000_000,
                end: T0 + number * 1_000_000_000 + number,
                attributes: vec![("http.method".to_owned(), Value::String(["GET", "PUT"][number as usize % 2].into()))],
                ..span(1, number, "op")
            }
        })
        .collect()
}

async fn store(limits: Limits) -> Stored {
    let stored = Stored::with(limits, &[&spans(1..50), &spans(50..91), &spans(91..101)]).await;
    let mut logs = log_batch(&[log(1, T0, "started"), log(2, T0 + 5, "付款失败")]);
    logs.remove_column(logs.schema().index_of("row_id").expect("row ids"));
    stored.append(Table::Logs, logs).await;
    stored
}

async fn ask(stored: &Stored, text: &str) -> Result<SqlResult, QueryError> {
    stored.engine.sql(text, 1000).await
}

/// The one number of an answer.
async fn number(stored: &Stored, text: &str) -> i64 {
    let answer = ask(stored, text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
    assert!(answer.notes.warnings.is_empty());
    answer.batches[0].column(0).as_primitive::<Int64Type>().value(0)
}

/// Rows of text, columns joined by a bar.
async fn rows(stored: &Stored, text: &str) -> Vec<String> {
    let answer = ask(stored, text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
    let formatted = answer.batches.iter().flat_map(|batch| {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| arrow::util::display::ArrayFormatter::try_new(column, &Default::default()).expect("a column"))
            .collect();
        let rows: Vec<String> = (0..batch.num_rows())
            .map(|row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|"))
            .collect();
        rows
    });
    formatted.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_those_of_the_store() {
    let stored = store(Limits::default()).await;
    for (query, wanted) in [
        ("SELECT count(*) FROM spans", 100),
        ("SELECT count(*) FROM logs", 2),
        ("SELECT count(*) FROM metrics", 0),
        ("SELECT count(*) FROM spans WHERE service_name = 'cart'", 33),
        ("SELECT count(*) FROM spans WHERE service_name IN ('cart', 'nobody')", 33),
        ("SELECT count(*) FROM spans WHERE name = 'missing'", 0),
        (
            "SELECT count(*) FROM spans WHERE start_time >= '2023-11-14T22:14:00' AND start_time < '2023-11-14T22:15:00'",
            60,
        ),
        ("SELECT count(*) FROM spans WHERE attr(attributes, 'http.method') = 'PUT'", 50),
        ("SELECT count(*) FROM spans WHERE attr(resource_attributes, 'service.name') = 'cart'", 33),
        ("SELECT count(*) FROM spans WHERE attr(attributes, 'none') IS NULL", 100),
        ("SELECT count(*) FROM spans WHERE hex(trace_id) = '00000000000000000000000000000007'", 1),
        ("SELECT count(*) FROM spans WHERE trace_id = unhex('00000000000000000000000000000007')", 1),
        ("SELECT count(*) FROM spans WHERE trace_id = x'00000000000000000000000000000007'", 1),
        ("SELECT count(*) FROM logs WHERE body LIKE '%失败%'", 1),
        ("SELECT count(DISTINCT trace_id) FROM spans", 100),
        ("SELECT sum(duration) FROM spans", 5050),
        ("SELECT count(*) FROM spans a JOIN spans b ON a.trace_id = b.trace_id", 100),
    ] {
        assert_eq!(number(&stored, query).await, wanted, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_ids_read_well() {
    let stored = store(Limits::default()).await;
    let by_method = "SELECT attr(attributes, 'http.method') AS method, service_name, count(*) FROM spans GROUP BY 1, 2 ORDER BY 1, 2";
    assert_eq!(rows(&stored, by_method).await, ["GET|cart|16", "GET|front|34", "PUT|cart|17", "PUT|front|33"]);
    let newest = "SELECT hex(span_id), name FROM spans ORDER BY start_time DESC LIMIT 2";
    assert_eq!(rows(&stored, newest).await, ["0000000000000064|op", "0000000000000063|op"]);
    let answer = ask(&stored, "SELECT service_name, attributes FROM spans LIMIT 1").await.expect("rows");
    assert!(answer.schema.fields().iter().all(|field| field.data_type() == &DataType::Utf8));
    assert_eq!(answer.batches[0].schema(), answer.schema);
    let plan = rows(&stored, "EXPLAIN SELECT name FROM spans WHERE service_name = 'cart'").await.join("\n");
    assert!(plan.contains("StreamingTableExec"), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_reach_the_store() {
    let stored = store(Limits::default()).await;
    stored.engine.store().flush().await.expect("flushed");
    let read = |text: &'static str| {
        let stored = &stored;
        async move { ask(stored, text).await.expect("rows").notes.rows_read }
    };
    assert_eq!(read("SELECT count(*) FROM spans").await, 100);
    assert!(read("SELECT count(*) FROM spans WHERE start_time > '2023-11-14T22:14:55'").await < 100);
    assert_eq!(read("SELECT count(*) FROM spans WHERE service_name = 'nobody'").await, 0);
    assert_eq!(read("SELECT count(*) FROM spans WHERE start_time > now()").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cut_is_said() {
    let stored = store(Limits::default()).await;
    let count = |answer: &SqlResult| answer.batches.iter().map(RecordBatch::num_rows).sum::<usize>();
    let cut = stored.engine.sql("SELECT * FROM spans", 7).await.expect("rows");
    assert_eq!((count(&cut), cut.truncated), (7, true));
    let whole = stored.engine.sql("SELECT * FROM spans", 100).await.expect("rows");
    assert_eq!((count(&whole), whole.truncated), (100, false));
    let none = stored.engine.sql("SELECT * FROM spans", 0).await.expect("rows");
    assert_eq!((count(&none), none.truncated, none.schema.fields().len() > 30), (0, true, true));
    let all = stored.engine.sql("SELECT name FROM spans", usize::MAX).await.expect("rows");
    assert_eq!((count(&all), all.truncated), (100, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_the_tables_can_be_reached() {
    let stored = store(Limits::default()).await;
    for text in [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM \"/etc/passwd\"",
        "SELECT * FROM 'file:///etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_parquet('/etc/passwd')",
        "SELECT * INTO t FROM spans",
        "WITH x AS (INSERT INTO spans VALUES (1)) SELECT * FROM x",
        "SELECT * FROM information_schema.tables",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
        "SELECT repeat('x', 2000000000)",
        "SELECT lpad('x', 2000000000)",
        "SELECT range(1, 1000000000000)",
        "SELECT generate_series(1, 1000000000000)",
        "SELECT array_repeat(1, 1000000000000)",
        "SELECT nonsense FROM spans",
        "SELECT count(*) FROM spans WHERE name ~ '((((a{1000}){1000}){1000}){1000})'",
        "SELECT levenshtein(name, name) FROM spans",
        "SELECT arrow_cast(NULL, 'FixedSizeBinary(2000000000)')",
        "SELECT CAST(NULL AS INT[2000000000])",
        "SELECT unnest(make_array(1, 2))",
        "SELECT array_transform(make_array(1, 2), x -> x + 1)",
        "SELECT string_agg(name, ',') OVER (ORDER BY start_time) FROM spans",
        "SELECT median(duration) OVER (ORDER BY start_time) FROM spans",
        "SELECT first_value(duration) IGNORE NULLS OVER (ORDER BY start_time) FROM spans",
        "SELECT any_value(duration) OVER (ORDER BY start_time) FROM spans",
        "SELECT approx_percentile_cont(duration, 0.5, 1000000000000) FROM spans",
        "SELECT count(*) FROM spans GROUP BY CUBE(name, duration, kind, flags, status_code, service_name, span_id)",
        "SELECT trace_id || span_id FROM spans",
        "SELECT 1 / 0",
        "SELECT hex(name) FROM spans",
    ] {
        match ask(&stored, text).await {
            Err(QueryError::Bad { .. }) => {}
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_chains_are_an_error_and_long_enough_ones_run() {
    let stored = store(Limits::default()).await;
    let chain = |count: usize| {
        let terms: Vec<String> = (0..count).map(|number| format!("duration = {number}")).collect();
        format!("SELECT count(*) FROM spans WHERE {}", terms.join(" OR "))
    };
    assert!(matches!(ask(&stored, &chain(20_000)).await, Err(QueryError::Bad { .. })));
    assert!(matches!(ask(&stored, &chain(2_000)).await, Err(QueryError::Bad { .. })));
    assert_eq!(number(&stored, &chain(200)).await, 100);
    let sums = vec!["duration"; 200].join(" + ");
    assert_eq!(number(&stored, &format!("SELECT max({sums}) FROM spans")).await, 20_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded() {
    let stored = store(Limits { sql_memory: 4 << 20, ..Limits::default() }).await;
    for text in [
        "SELECT count(*) FROM (SELECT value % 10000000 FROM generate_series(1, 10000000) GROUP BY 1)",
        "SELECT value FROM generate_series(1, 100000000) ORDER BY value % 7",
        "SELECT array_agg(value) FROM generate_series(1, 10000000)",
    ] {
        let answer = stored.engine.sql(text, usize::MAX - 1).await;
        assert!(matches!(answer, Err(QueryError::TooLarge(_))), "{text}: {:?}", answer.map(|a| a.batches.len()));
    }
    let answer = stored.engine.sql("SELECT value FROM generate_series(1, 100000000)", usize::MAX).await;
    assert!(matches!(answer, Err(QueryError::TooLarge(_))), "a large answer is refused");
}
