//! Pages of traces against a brute-force search of the same spans, over a real store.

use std::collections::BTreeMap;

use proptest::prelude::*;
use storage::attrs::Value;
use storage::schema::Table;

use super::*;
use crate::engine::Limits;
use crate::model::Span;
use crate::rows::testing::otlp::{self, list, text};
use crate::rows::testing::{resource, span, span_batch};
use crate::traces::testing::Stored;

type Select = fn(&[Span]) -> Vec<usize>;

fn numbers(spans: &[Span], wanted: impl Fn(&Span) -> bool) -> Vec<usize> {
    (0..spans.len()).filter(|&at| wanted(&spans[at])).collect()
}

fn has_k(span: &Span, wanted: i64) -> bool {
    span.attributes.iter().any(|(key, value)| key == "k" && *value == Value::Int(wanted))
}

fn root_service(spans: &[Span]) -> Option<&str> {
    spans.iter().find(|span| span.parent_span_id.is_none()).map(|span| span.service.as_str())
}

/// Queries, and what they select of a trace whose spans are in order of start.
const QUERIES: &[(&str, Select)] = &[
    ("", |spans| numbers(spans, |_| true)),
    ("service:s1", |spans| numbers(spans, |span| span.service == "s1")),
    ("{ span.k = 1 }", |spans| numbers(spans, |span| has_k(span, 1))),
    ("{ span.k != 1 && span.k >= 0 }", |spans| numbers(spans, |span| has_k(span, 0) || has_k(span, 2))),
    ("!k=1", |spans| numbers(spans, |span| !has_k(span, 1))),
    ("{ status = error && name = `n2` }", |spans| numbers(spans, |span| span.status_code == 2 && span.name == "n2")),
    ("{ name = `n1` } && { span.k = 2 }", |spans| {
        let (names, keys) = (numbers(spans, |span| span.name == "n1"), numbers(spans, |span| has_k(span, 2)));
        if names.is_empty() || keys.is_empty() { Vec::new() } else { numbers(spans, |s| s.name == "n1" || has_k(s, 2)) }
    }),
    ("{ name = `n1` } || { span.k = 2 }", |spans| numbers(spans, |span| span.name == "n1" || has_k(span, 2))),
    ("{ rootServiceName = `s0` && name = `n1` }", |spans| match root_service(spans) {
        Some("s0") => numbers(spans, |span| span.name == "n1"),
        _ => Vec::new(),
    }),
    ("{ name = `n1` } > { }", |spans| {
        numbers(spans, |span| {
            let parent = spans.iter().find(|parent| Some(parent.span_id) == span.parent_span_id);
            parent.is_some_and(|parent| parent.name == "n1")
        })
    }),
    ("{ name = `n1` } | count() > 1", |spans| {
        let found = numbers(spans, |span| span.name == "n1");
        if found.len() > 1 { found } else { Vec::new() }
    }),
];

const T0: i64 = 1_700_000_000_000_000_000;

/// Spans of a few traces; a trace's first span is its root.
fn spans() -> impl Strategy<Value = Vec<Span>> {
    let one = (0u128..12, 0usize..4, 0i64..40, 1u64..5, 0i64..4, 0usize..3, 0i32..3);
    prop::collection::vec(one, 1..60).prop_map(|rows| {
        let mut last: BTreeMap<u128, Span> = BTreeMap::new();
        let mut spans = Vec::new();
        for (number, (trace, name, start, duration, k, service, status_code)) in rows.into_iter().enumerate() {
            let mut one = span(trace + 1, number as u64 + 1, &format!("n{name}"));
            one.start = (T0 + start) as u64;
            one.end = one.start + duration;
            one.attributes = if k == 3 { Vec::new() } else { vec![("k".to_owned(), Value::Int(k))] };
            one.service = format!("s{service}");
            one.resource = resource(&one.service);
            one.status_code = status_code;
            one.parent_span_id = last.get(&trace).map(|parent| parent.span_id);
            last.insert(trace, one.clone());
            spans.push(one);
        }
        spans
    })
}

/// Key, trace, and how many spans are selected, in the order of the answer.
fn brute_force(spans: &[Span], select: Select, range: Range) -> Vec<(i64, TraceId, u64)> {
    let mut traces: BTreeMap<TraceId, Vec<Span>> = BTreeMap::new();
    spans.iter().for_each(|span| traces.entry(span.trace_id).or_default().push(span.clone()));
    let mut found: Vec<_> = traces
        .into_iter()
        .filter_map(|(id, mut spans)| {
            spans.sort_by_key(|span| (span.start, span.span_id));
            let selected = select(&spans);
            let keys = selected.iter().map(|&at| spans[at].start as i64).filter(|start| range.contains(*start));
            Some((keys.max()?, id, selected.len() as u64))
        })
        .collect();
    found.sort_by_key(|(key, id, _)| (Reverse(*key), *id));
    found
}

async fn all_pages(engine: &Engine, query: &str, range: Range, limit: usize) -> Vec<(i64, TraceId, u64)> {
    let mut search = TraceSearch::new(TraceQuery::parse(query).expect(query), range, limit);
    let mut found = Vec::new();
    loop {
        let page = engine.search_traces(search.clone()).await.expect("a page");
        assert_eq!(page.notes.warnings, [""; 0]);
        assert!(page.items.len() == limit || page.next.is_none(), "only the last page is short");
        found.extend(page.items.iter().map(|trace| (trace.key as i64, trace.id, trace.matched)));
        match page.next {
            Some(next) => search.cursor = Some(next),
            None => return found,
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn pages_hold_every_trace_once_and_in_order(
        spans in spans(),
        batch in 1usize..12,
        flushes in any::<u8>(),
        window in (0i64..40, 1i64..40),
        limit in 1usize..7,
    ) {
        runtime().block_on(async {
            let stored = Stored::new(Limits::default()).await;
            for (number, part) in spans.chunks(batch).enumerate() {
                stored.append(Table::Spans, span_batch(part)).await;
                if flushes >> (number % 8) & 1 == 1 {
                    stored.engine.store().flush().await.expect("flushed");
                }
            }
            // A retry that the store did not recognise.
            stored.append(Table::Spans, span_batch(&spans[..1])).await;
            for range in [Range::ALL, Range { from: T0 + window.0, to: T0 + window.0 + window.1 }] {
                for (query, select) in QUERIES {
                    let found = all_pages(&stored.engine, query, range, limit).await;
                    prop_assert_eq!(&found, &brute_force(&spans, *select, range), "{}", query);
                }
            }
            Ok(())
        })?;
    }
}

/// Answers of several cases that store documents of their own: (name of the case, found, wanted).
async fn store_of<'a>(documents: impl Iterator<Item = &'a serde_json::Value>) -> Stored {
    let stored = Stored::new(Limits::default()).await;
    for (number, document) in documents.enumerate() {
        stored.append(Table::Spans, span_batch(&otlp::spans(document))).await;
        if number % 7 == 3 {
            stored.engine.store().flush().await.expect("flushed");
        }
    }
    stored
}

async fn search(engine: &Engine, query: &str, range: Range) -> Result<Vec<TraceSummary>, QueryError> {
    let search = TraceSearch { spans_per_trace: 100, ..TraceSearch::new(TraceQuery::traceql(query)?, range, 100) };
    engine.search_traces(search).await.map(|page| page.items)
}

#[test]
fn conformance_cases_of_evaluation() {
    let Some(cases) = otlp::conformance("tempo/traceql_eval_cases.json") else { return };
    let cases = list(&cases["cases"]);
    runtime().block_on(async {
        let stored = store_of(cases.iter().flat_map(|case| list(&case["traces"]))).await;
        for case in cases {
            let query = text(&case["query"]);
            let from = 1_700_006_400_000_000_000 + case["slot"].as_i64().expect("a slot") * 120_000_000_000;
            let found = search(&stored.engine, query, Range { from, to: from + 120_000_000_000 }).await;
            if !case["expect_error"].is_null() {
                assert!(found.is_err() || found.is_ok_and(|found| found.is_empty()), "{query}");
                continue;
            }
            let mut found: Vec<Vec<String>> =
                found.expect(query).iter().map(|t| t.matched_spans.iter().map(ToString::to_string).collect()).collect();
            found.iter_mut().for_each(|ids| ids.sort());
            found.sort();
            let ids =
                |one: &serde_json::Value| list(&one["matched_span_ids"]).iter().map(|id| text(id).to_owned()).collect();
            let mut wanted: Vec<Vec<String>> = list(&case["expected_spansets"]).iter().map(ids).collect();
            wanted.sort();
            assert_eq!(found, wanted, "{query}");
        }
    });
}

#[test]
fn conformance_cases_of_structure() {
    let Some(cases) = otlp::conformance("tempo/traceql_structural_cases.json") else { return };
    runtime().block_on(async {
        let stored = store_of(list(&cases["trees"]).iter().map(|tree| &tree["trace"])).await;
        for tree in list(&cases["trees"]) {
            let spans = otlp::spans(&tree["trace"]);
            for case in list(&tree["cases"]) {
                let query = text(&case["query"]);
                let found = search(&stored.engine, query, Range::ALL).await.expect(query);
                let found = found.iter().find(|trace| trace.id == spans[0].trace_id);
                let ids = found.map_or(&[][..], |trace| &trace.matched_spans);
                let name = |id| spans.iter().find(|span| span.span_id == id).map_or("?", |span| span.name.as_str());
                let mut names: Vec<&str> = ids.iter().map(|&id| name(id)).collect();
                names.sort_unstable();
                let mut wanted: Vec<&str> = list(&case["expected_span_names"]).iter().map(text).collect();
                wanted.sort_unstable();
                assert_eq!(names, wanted, "{}: {query}", tree["tree"]);
            }
        }
    });
}

#[test]
fn conformance_cases_of_search() {
    let Some(cases) = otlp::conformance("tempo/search_cases.json") else { return };
    let Some(want) = otlp::conformance("tempo/search_dataset_want.json") else { return };
    let Some(noise) = otlp::conformance("tempo/search_dataset_noise.json") else { return };
    let id = otlp::spans(&want)[0].trace_id;
    runtime().block_on(async {
        let stored = store_of(list(&noise).iter().chain([&want])).await;
        for (kind, there) in [("match", true), ("no_match", false)] {
            for case in list(&cases[kind]).iter().filter(|case| case["time_window_relative"].is_null()) {
                let query = text(&case["q"]);
                let found = search(&stored.engine, query, Range::ALL).await.expect(query);
                let found = found.iter().find(|trace| trace.id == id);
                assert_eq!(found.is_some(), there, "{query}");
                let Some(found) = found else { continue };
                let about =
                    (found.root_service.as_str(), found.root_name.as_str(), found.start, found.end - found.start);
                assert_eq!(about, ("RootService", "RootSpan", 1_700_100_000_000_000_000, 2_000_000_000), "{query}");
                assert_eq!((found.span_count, found.error_count, found.orphan_count), (4, 1, 1), "{query}");
            }
        }
        for case in list(&cases["spanset_cases"]).iter().filter(|case| case["optional"].is_null()) {
            let query = text(&case["q"]);
            let found = search(&stored.engine, query, Range::ALL).await.expect(query);
            let found = found.iter().find(|trace| trace.id == id).expect(query);
            let mut found: Vec<String> = found.matched_spans.iter().map(ToString::to_string).collect();
            found.sort();
            let ids =
                |one: &serde_json::Value| list(&one["spans"]).iter().map(|s| text(&s["spanID"]).to_owned()).collect();
            let wanted: Vec<Vec<String>> = list(&case["expected_spansets"]).iter().map(ids).collect();
            let mut wanted = wanted.concat();
            wanted.sort();
            assert_eq!(found, wanted, "{query}");
        }
    });
}

#[tokio::test]
async fn a_trace_beyond_the_limit_is_cut_and_said_so() {
    let spans: Vec<Span> = (1..=30).map(|id| span(1, id, "x")).collect();
    let stored = Stored::with(Limits { trace_spans: 20, ..Limits::default() }, &[&spans[..15], &spans[15..]]).await;
    let page = stored.engine.search_traces(TraceSearch::new(TraceQuery::everything(), Range::ALL, 10)).await;
    let page = page.expect("a page");
    assert_eq!(page.items[0].span_count, 20);
    assert!(page.notes.warnings[0].contains("10 were left out"), "{:?}", page.notes.warnings);
}

#[tokio::test]
async fn a_foreign_cursor_is_refused() {
    let stored = Stored::new(Limits::default()).await;
    let search = TraceSearch::new(TraceQuery::everything(), Range::ALL, 10);
    let search = TraceSearch { cursor: Some("00ff".to_owned()), ..search };
    assert!(matches!(stored.engine.search_traces(search).await, Err(QueryError::Bad { .. })));
}

#[tokio::test]
async fn groups_of_many_values_are_found() {
    let k = |id: u64, value: Value| Span { attributes: vec![("k".to_owned(), value)], ..span(1, id, "x") };
    let mut spans: Vec<Span> = (1..=20_000).map(|id| k(id, Value::Int(id as i64))).collect();
    spans.extend((20_001..=40_000).map(|id| k(id, Value::Double(f64::NAN))));
    spans.push(k(50_000, Value::Int(7)));
    let stored = Stored::with(Limits::default(), &[&spans]).await;
    let matched = |query: &'static str| {
        let search = TraceSearch::new(TraceQuery::traceql(query).expect(query), Range::ALL, 10);
        let engine = &stored.engine;
        async move { engine.search_traces(search).await.expect(query).items.first().map_or(0, |trace| trace.matched) }
    };
    assert_eq!(matched("{ span.k > 0 } | by(span.k) | count() > 1").await, 2);
    assert_eq!(matched("{} | by(span.k) | count() > 1").await, 20_002, "what is no number is one group");
}

#[tokio::test]
async fn bytes_beyond_the_budget_are_left_out_and_said_so() {
    let wide = |id| Span { attributes: vec![("k".to_owned(), Value::String("v".repeat(1000)))], ..span(1, id, "x") };
    let parts: Vec<Vec<Span>> = (0..4).map(|part| (0..10).map(|id| wide(part * 10 + id + 1)).collect()).collect();
    let parts: Vec<&[Span]> = parts.iter().map(Vec::as_slice).collect();
    let stored = Stored::with(Limits::default(), &parts).await;
    let looked = stored.engine.run(|snapshot, deadline| {
        let plan = Plan::new(&TraceQuery::traceql("{ span.k != `x` }").expect("a query"))?;
        let search = TraceSearch::new(TraceQuery::everything(), Range::ALL, 10);
        let (mut notes, mut counts) = (Notes::of(snapshot), Vec::new());
        let trace = span(1, 1, "x").trace_id;
        for bytes in [15_000, ANSWER_BYTES] {
            let bounds = gather::Bounds { spans: 1000, bytes };
            gather::each_trace(snapshot, deadline, &plan, &[trace], bounds, &mut notes, |trace| {
                counts.extend(trace.summary(&plan, &search, deadline)?.map(|(_, summary)| summary.span_count));
                Ok(())
            })?;
        }
        Ok((counts, notes.warnings))
    });
    let (counts, warnings) = looked.await.expect("an answer");
    assert_eq!(counts[1], 40);
    assert!(counts[0] < 40 && counts[0] > 0, "{counts:?}");
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains(&format!("{} were left out", 40 - counts[0])), "{warnings:?}");
}

#[test]
fn one_summary_always_fits() {
    assert_eq!(fitting([10, 10, 10].into_iter(), 25), 2);
    assert_eq!(fitting([30, 1].into_iter(), 25), 1);
    assert_eq!(fitting([1, 1].into_iter(), 25), 2);
}
