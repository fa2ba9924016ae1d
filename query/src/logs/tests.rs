//! Log pages, counts, context and tail over a real store.

use std::sync::Arc;

use futures::StreamExt;
use proptest::prelude::*;
use storage::attrs::Value;
use storage::schema::Table;

use super::*;
use crate::engine::Limits;
use crate::model::Resource;
use crate::rows::testing::{log, log_batch};
use crate::traces::testing::Stored;

const T0: u64 = 1_700_000_000_000_000_000;

/// Appends rows; the store numbers them.
async fn append(stored: &Stored, logs: &[LogRecord]) {
    let batch = log_batch(logs);
    let names: Vec<usize> =
        (0..batch.num_columns()).filter(|&at| batch.schema().field(at).name() != col::ROW_ID).collect();
    stored.append(Table::Logs, batch.project(&names).expect("the incoming form")).await;
}

fn named(service: &str, instance: &str, time: u64, body: &str) -> LogRecord {
    let attributes = [("service.name", service), ("service.instance.id", instance)];
    let attributes = attributes.map(|(key, value)| (key.to_owned(), Value::String(value.to_owned()))).to_vec();
    let resource = Arc::new(Resource { attributes, ..Resource::default() });
    LogRecord { service: service.to_owned(), resource, ..log(0, time, body) }
}

fn query(text: &str) -> LogQuery {
    LogQuery::parse(text).expect(text)
}

fn text_of(record: &LogRecord) -> &str {
    match &record.body {
        Value::String(body) => body,
        other => panic!("{other:?}"),
    }
}

async fn all_pages(engine: &Engine, asked: &str, range: Range, order: LogOrder, limit: usize) -> Vec<(i64, RowId)> {
    let mut search = LogSearch { order, ..LogSearch::new(query(asked), range, limit) };
    let mut found = Vec::new();
    loop {
        let page = engine.search_logs(search.clone()).await.expect("a page");
        assert_eq!(page.notes.warnings, [""; 0]);
        found.extend(page.items.iter().map(|record| (record.time as i64, record.id)));
        match page.next {
            Some(next) => search.cursor = Some(next),
            None => return found,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn pages_hold_every_record_once_and_in_order(
        rows in prop::collection::vec((0u64..30, 0usize..5, 0i32..25), 1..80),
        batch in 1usize..12,
        flushes in any::<u8>(),
        window in (0i64..30, 1i64..30),
        limit in 1usize..9,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let stored = Stored::new(Limits::default()).await;
            let words = ["alpha beta", "beta", "gamma 数据库", "Alpha-gamma", ""];
            let logs: Vec<LogRecord> = rows
                .iter()
                .map(|(time, word, severity)| LogRecord { severity_number: *severity, ..log(0, T0 + time, words[*word]) })
                .collect();
            for (number, part) in logs.chunks(batch).enumerate() {
                append(&stored, part).await;
                if flushes >> (number % 8) & 1 == 1 {
                    stored.engine.store().flush().await.expect("flushed");
                }
            }
            let everything = all_pages(&stored.engine, "", Range::ALL, LogOrder::OldestFirst, 1000).await;
            prop_assert_eq!(everything.len(), logs.len());
            let window = Range { from: T0 as i64 + window.0, to: T0 as i64 + window.0 + window.1 };
            type Wanted = fn(&LogRecord) -> bool;
            let queries: [(&str, Wanted); 6] = [
                ("", |_| true),
                ("alpha", |log| text_of(log).to_lowercase().contains("alpha")),
                ("\"a b\"", |log| text_of(log) == "alpha beta"),
                ("数据 OR beta", |log| text_of(log).contains("beta") || text_of(log).contains("数据")),
                ("-beta severity>=warn", |log| !text_of(log).contains("beta") && log.severity_number >= 13),
                ("severity:unset", |log| log.severity_number == 0),
            ];
            for range in [Range::ALL, window] {
                for (asked, wanted) in queries {
                    let mut found = all_pages(&stored.engine, asked, range, LogOrder::OldestFirst, limit).await;
                    prop_assert!(found.is_sorted(), "{}", asked);
                    let in_range = |log: &&LogRecord| range.contains(log.time as i64) && wanted(log);
                    let mut times: Vec<i64> = logs.iter().filter(in_range).map(|log| log.time as i64).collect();
                    times.sort_unstable();
                    prop_assert_eq!(found.iter().map(|(time, _)| *time).collect::<Vec<_>>(), times, "{}", asked);
                    let newest = all_pages(&stored.engine, asked, range, LogOrder::NewestFirst, limit).await;
                    found.reverse();
                    prop_assert_eq!(&found, &newest, "{}", asked);
                    found.dedup();
                    prop_assert_eq!(found.len(), newest.len(), "a record came twice");
                    let histogram = stored.engine.log_histogram(query(asked), range, 7).await.expect("counts");
                    let total: u64 = histogram.series.iter().flat_map(|(_, counts)| counts).sum();
                    prop_assert_eq!(total as usize, newest.len(), "{}", asked);
                }
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_histogram_counts_by_severity_and_step() {
    let stored = Stored::new(Limits::default()).await;
    let logs: Vec<LogRecord> = (0..10)
        .map(|at| LogRecord { severity_number: if at == 7 { 17 } else { 9 }, ..log(0, T0 + at * 10, "x") })
        .collect();
    append(&stored, &logs).await;
    let range = Range { from: T0 as i64, to: T0 as i64 + 100 };
    let found = stored.engine.log_histogram(query(""), range, 2).await.expect("counts");
    assert_eq!((found.from, found.step), (T0, 50));
    assert_eq!(found.series, [("info".to_owned(), vec![5, 4]), ("error".to_owned(), vec![0, 1])]);
    let open = stored.engine.log_histogram(query(""), Range::ALL, 3).await.expect("counts");
    assert_eq!((open.from, open.step), (T0, 31));
    assert!(stored.engine.log_histogram(query(""), range, 0).await.is_err());
}

#[tokio::test]
async fn context_is_of_the_same_instance() {
    let stored = Stored::new(Limits::default()).await;
    let logs: Vec<LogRecord> = (0..20)
        .map(|at| named("cart", if at % 2 == 0 { "a" } else { "b" }, T0 + at / 4, &format!("line {at}")))
        .collect();
    append(&stored, &logs[..9]).await;
    stored.engine.store().flush().await.expect("flushed");
    append(&stored, &logs[9..]).await;
    let found = stored.engine.search_logs(LogSearch::new(query("\"line 8\""), Range::ALL, 10)).await.expect("a page");
    let context = stored.engine.log_context(found.items[0].id, 2, 3).await.expect("context").expect("the record");
    let lines = |logs: &[LogRecord]| logs.iter().map(|log| text_of(log).to_owned()).collect::<Vec<_>>();
    assert_eq!(lines(&context.before), ["line 4", "line 6"]);
    assert_eq!(text_of(&context.log), "line 8");
    assert_eq!(lines(&context.after), ["line 10", "line 12", "line 14"]);
    assert!(stored.engine.log_context(RowId(1), 2, 2).await.expect("an answer").is_none());
}

#[tokio::test]
async fn logs_of_a_trace_are_oldest_first() {
    let stored = Stored::new(Limits::default()).await;
    let id = TraceId([5; 16]);
    let of = |time, trace| LogRecord { trace_id: trace, ..log(0, T0 + time, &format!("{time}")) };
    append(&stored, &[of(3, Some(id)), of(1, Some(id)), of(2, None), of(0, Some(TraceId([6; 16])))]).await;
    let page = stored.engine.logs_of_trace(id, 10).await.expect("a page");
    assert_eq!(page.items.iter().map(text_of).collect::<Vec<_>>(), ["1", "3"]);
}

#[tokio::test]
async fn the_tail_tells_each_new_record_once() {
    let stored = Stored::new(Limits::default()).await;
    append(&stored, &[log(0, T0, "old match")]).await;
    stored.engine.store().flush().await.expect("flushed");
    append(&stored, &[log(0, T0, "older match")]).await;
    let mut tail = Box::pin(stored.engine.log_tail(query("match")));
    for number in 0..30 {
        append(&stored, &[log(0, T0 - number, &format!("match {number}")), log(0, T0, "other")]).await;
        if number % 10 == 4 {
            stored.engine.store().flush().await.expect("flushed");
        }
        if number == 15 {
            assert!(matches!(tail.next().await, Some(Ok(TailEvent::Log(log))) if text_of(&log) == "match 0"));
        }
    }
    for number in 1..30 {
        match tail.next().await.expect("an event").expect("no error") {
            TailEvent::Log(log) => assert_eq!(text_of(&log), format!("match {number}")),
            other => panic!("{other:?}"),
        }
    }
    let silence = tokio::time::timeout(std::time::Duration::from_millis(400), tail.next()).await;
    assert!(silence.is_err(), "{silence:?}");
}

#[tokio::test]
async fn the_tail_counts_what_it_drops() {
    let stored = Stored::new(Limits::default()).await;
    let mut tail = Box::pin(stored.engine.log_tail(query("")));
    let logs: Vec<LogRecord> = (0..1500).map(|at| log(0, T0 + at, "x")).collect();
    append(&stored, &logs).await;
    let (mut told, mut dropped) = (0, 0);
    while told + dropped < 1500 {
        match tail.next().await.expect("an event").expect("no error") {
            TailEvent::Log(_) => told += 1,
            TailEvent::Dropped(count) => dropped += count,
            TailEvent::Warning(warning) => panic!("{warning}"),
        }
    }
    assert_eq!((told, dropped), (1000, 500));
}

#[tokio::test]
async fn a_page_ends_where_its_text_does_not_fit() {
    let stored = Stored::new(Limits::default()).await;
    let logs: Vec<LogRecord> = (0..60).map(|at| log(0, T0 + at, &"x".repeat(1000))).collect();
    append(&stored, &logs[..30]).await;
    stored.engine.store().flush().await.expect("flushed");
    append(&stored, &logs[30..]).await;
    let page = |cursor: Option<String>| {
        let search = LogSearch { cursor, ..LogSearch::new(query(""), Range::ALL, 50) };
        stored.engine.run(move |snapshot, deadline| {
            let after = search.cursor.as_deref().map(Position::parse).transpose()?;
            page::page(snapshot, deadline, &LogFilter::new(&search.query), &search, after, 25_000)
        })
    };
    let (mut found, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = page(cursor).await.expect("a page");
        assert!((1..=24).contains(&page.items.len()), "{}", page.items.len());
        let cut = page.notes.warnings.iter().any(|warning| warning.contains("does not fit"));
        assert_eq!(cut, page.next.is_some(), "{:?}", page.notes);
        found.extend(page.items.iter().map(|record| record.time - T0));
        (cursor, pages) = (page.next, pages + 1);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, (0..60).rev().collect::<Vec<_>>());
    assert!(pages >= 3);
}

#[tokio::test]
async fn many_terms_on_many_rows_end_at_the_deadline() {
    let stored = Stored::new(Limits { deadline: std::time::Duration::from_millis(20), ..Limits::default() }).await;
    let body = (0..400).map(|n| format!("größe{n} ")).collect::<String>();
    let logs: Vec<LogRecord> = (0..20_000).map(|at| log(0, T0 + at, &body)).collect();
    append(&stored, &logs).await;
    let terms: Vec<String> = (0..300).map(|n| format!("-größen{n}")).collect();
    let begin = std::time::Instant::now();
    let found = stored.engine.log_histogram(query(&terms.join(" ")), Range::ALL, 10).await;
    assert!(matches!(found, Err(QueryError::Timeout(_))), "{found:?}");
    assert!(begin.elapsed() < std::time::Duration::from_secs(2), "it took {:?}", begin.elapsed());
}
