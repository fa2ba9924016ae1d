//! Conditions over spans, by the conformance cases and by hand.

use storage::attrs::Value;

use super::*;
use crate::model::Span;
use crate::rows::testing::otlp::{self, list, text};
use crate::rows::testing::{span, span_batch};
use crate::traceql::ast::Spanset;
use crate::traceql::{JaegerQuery, TraceQuery};

fn filter(query: &TraceQuery) -> SpanFilter {
    match &query.spans {
        Spanset::Filter(expr) => SpanFilter::new(expr),
        other => panic!("{other} is not one filter"),
    }
}

/// Numbers of the spans that satisfy a query of one filter.
fn matching(query: &TraceQuery, spans: &[Span]) -> Vec<usize> {
    let (filter, batch) = (filter(query), span_batch(spans));
    let bound = filter.bind(&batch).expect("columns");
    (0..spans.len()).filter(|&row| bound.check(row) == Truth::Yes).collect()
}

fn takes_the_trace(query: &TraceQuery, spans: &[Span]) -> bool {
    let (filter, batch) = (filter(query), span_batch(spans));
    let bound = filter.bind(&batch).expect("columns");
    (0..spans.len()).any(|row| bound.check(row) == Truth::Maybe)
}

fn traceql(query: &str, spans: &[Span]) -> Vec<usize> {
    matching(&TraceQuery::traceql(query).expect(query), spans)
}

#[test]
fn conformance_cases_of_one_filter() {
    let Some(cases) = otlp::conformance("tempo/traceql_eval_cases.json") else { return };
    let mut checked = 0;
    for case in list(&cases["cases"]) {
        let query = text(&case["query"]);
        let wanted = list(&case["expected_spansets"]);
        let Ok(TraceQuery { spans: Spanset::Filter(_) }) = TraceQuery::traceql(query) else {
            let one_filter = query.matches('{').count() == 1 && !query.contains('|');
            assert!(!one_filter || !case["expect_error"].is_null(), "{query} is refused");
            continue;
        };
        checked += 1;
        for (at, trace) in list(&case["traces"]).iter().enumerate() {
            let spans = otlp::spans(trace);
            let found: Vec<String> = traceql(query, &spans).iter().map(|&row| spans[row].span_id.to_string()).collect();
            let wanted: Vec<&str> = wanted
                .iter()
                .filter(|one| one["trace_index"] == at)
                .flat_map(|one| list(&one["matched_span_ids"]))
                .map(text)
                .collect();
            assert_eq!(found, wanted, "{query}");
        }
    }
    assert!(checked > 50, "only {checked} cases are of one filter");
}

#[test]
fn conformance_cases_of_every_column() {
    let Some(cases) = otlp::conformance("tempo/fullypopulated_cases.json") else { return };
    let Some(trace) = otlp::conformance("tempo/fullypopulated_trace.json") else { return };
    let spans = otlp::spans(&trace);
    for case in list(&cases["cases"]) {
        let query = TraceQuery::traceql(text(&case["q"])).unwrap_or_else(|error| panic!("{}: {error:?}", case["q"]));
        if takes_the_trace(&query, &spans) {
            continue;
        }
        assert_eq!(!matching(&query, &spans).is_empty(), case["match"] == true, "{query}");
    }
}

#[test]
fn conformance_cases_of_jaegers_search() {
    let Some(cases) = otlp::conformance("jaeger/find_traces_cases.json") else { return };
    let mut spans = Vec::new();
    for name in cases["fixtures"].as_object().expect("fixtures").keys() {
        let Some(trace) = otlp::conformance(&format!("jaeger/fixtures/traces/{name}.json")) else { continue };
        spans.extend(otlp::spans(&trace));
    }
    for case in list(&cases["cases"]) {
        let asked = &case["query_typed"];
        let tags = asked["tags"].as_object().into_iter().flatten();
        let text_of = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let ns = |key: &str| asked[key].as_i64().filter(|ns| *ns > 0);
        let query = TraceQuery::jaeger(&JaegerQuery {
            service: Some(text(&asked["service"]).to_owned()),
            operation: Some(text(&asked["operation"]).to_owned()),
            tags: tags.map(|(key, value)| (key.clone(), text_of(value))).collect(),
            min_duration: ns("duration_min_ns"),
            max_duration: ns("duration_max_ns"),
        });
        let mut found: Vec<String> =
            matching(&query, &spans).iter().map(|&row| spans[row].trace_id.to_string()).collect();
        found.sort();
        found.dedup();
        let mut wanted: Vec<&str> = list(&case["expected_trace_ids"]).iter().map(text).collect();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{}: {query}", case["caption"]);
    }
}

#[test]
fn the_error_tag_is_the_status() {
    let with = |status_code, attributes: &[(&str, Value)]| Span {
        status_code,
        attributes: attributes.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
        ..span(1, 1, "x")
    };
    let spans = [with(1, &[]), with(2, &[]), with(0, &[]), with(0, &[("error", Value::Bool(true))])];
    let tag = |value: &str| {
        let tags = vec![("error".to_owned(), value.to_owned())];
        matching(&TraceQuery::jaeger(&JaegerQuery { tags, ..JaegerQuery::default() }), &spans)
    };
    assert_eq!(tag("true"), [1, 3]);
    assert_eq!(tag("false"), [0, 2]);
    assert_eq!(tag("wrong"), [0; 0]);
}

#[test]
fn missing_attributes_and_other_types() {
    let spans = [
        Span { attributes: vec![("a".to_owned(), Value::Int(1))], ..span(1, 1, "x") },
        Span { attributes: vec![("a".to_owned(), Value::String("1".to_owned()))], ..span(1, 2, "x") },
        Span { attributes: vec![("a".to_owned(), Value::Null)], ..span(1, 3, "x") },
        span(1, 4, "x"),
    ];
    assert_eq!(traceql("{ .a = nil }", &spans), [2, 3]);
    assert_eq!(traceql("{ .a != nil }", &spans), [0, 1]);
    assert_eq!(traceql("{ .a != 2 }", &spans), [0]);
    assert_eq!(traceql("{ .a = 1.0 }", &spans), [0]);
    assert_eq!(traceql("{ !(.a = 1) }", &spans), [1, 2, 3]);
    assert_eq!(traceql("{ !.a }", &spans), [0; 0]);
    assert_eq!(traceql("{ .a = .b }", &spans), [0; 0]);
    assert_eq!(traceql("{ nil = nil }", &spans), [0, 1, 2, 3]);
    let short = |text| matching(&TraceQuery::parse(text).expect(text), &spans);
    assert_eq!(short("a=1"), [0, 1]);
    assert_eq!(short("a:*"), [0, 1]);
    assert_eq!(short("!a=1"), [2, 3]);
    assert_eq!(short("a!=2"), [0, 1]);
    assert_eq!(short("a>0"), [0]);
    assert_eq!(short("X service:svc"), [0, 1, 2, 3]);
}

#[test]
fn what_takes_the_trace_is_maybe() {
    let spans = [span(1, 1, "x")];
    let batch = span_batch(&spans);
    let check = |query: &str| {
        let query = TraceQuery::traceql(query).expect(query);
        filter(&query).bind(&batch).expect("columns").check(0)
    };
    assert_eq!(check("{ rootName = `x` }"), Truth::Maybe);
    assert_eq!(check("{ !(parent.a = 1) }"), Truth::Maybe);
    assert_eq!(check("{ rootName = `x` && name = `y` }"), Truth::No);
    assert_eq!(check("{ rootName = `x` || name = `x` }"), Truth::Yes);
}

#[test]
fn terms_name_every_spelling() {
    use storage::terms::Prune;
    let of = |text: &str| filter(&TraceQuery::parse(text).expect(text)).prune().clone();
    let tag = Prune::tag;
    assert_eq!(of("{ .a = 1 }"), Prune::Any(vec![tag("a", "1.0"), tag("a", "1")]));
    assert_eq!(of("{ .a = 0.0 }"), Prune::Any(vec![tag("a", "0"), tag("a", "0.0"), tag("a", "-0.0")]));
    assert_eq!(of("{ .a = 1e300 }"), Prune::All);
    assert_eq!(of("{ .a = `x` && status = error }"), Prune::Every(vec![tag("a", "x"), tag(":status", "2")]));
    assert_eq!(of("{ .a != `x` }"), Prune::Any(vec![Prune::key("span", "a"), Prune::key("resource", "a")]));
    for open in ["{ !(.a = `x`) }", "{ .a = nil }", "{ .a = `x` || duration > 1s }", "{ parent.a = 1 }", "!a=1"] {
        assert_eq!(of(open), Prune::All, "{open}");
    }
}

#[test]
fn equal_values_are_one_key() {
    use super::value::{Key, Val};
    let number = |value| Key(Val::Float(value));
    let list = |values: &[f64]| Key(Val::List(values.iter().map(|&value| Val::Float(value)).collect()));
    let keys = [
        number(f64::NAN),
        number(-f64::NAN),
        number(0.0),
        number(-0.0),
        list(&[0.0, f64::NAN]),
        list(&[-0.0, f64::NAN]),
    ];
    let distinct: hashbrown::HashSet<Key<'_>> = keys.into_iter().collect();
    assert_eq!(distinct.len(), 3);
    let others = [Key(Val::Int(1)), Key(Val::Duration(1)), Key(Val::Float(1.0)), Key(Val::text("1")), Key(Val::Nil)];
    assert_eq!(others.into_iter().collect::<hashbrown::HashSet<_>>().len(), 5);
}
