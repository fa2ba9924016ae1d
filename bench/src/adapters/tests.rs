//! Requests and answers in the form that each product documents.

use super::*;
use crate::manifest::{Attribute, Rows, Search};

const WINDOW: Window = Window { from_ns: 1_700_000_000_000_000_000, to_ns: 1_700_086_400_000_000_000 };

/// A search with everything in it.
fn search() -> Question {
    let attribute = |resource, key: &str, value: &str, number| {
        let (key, value) = (key.to_owned(), value.to_owned());
        Attribute { resource, key, value, number }
    };
    Question::Traces(Search {
        service: Some("cart".to_owned()),
        operation: Some("GET \"/\"".to_owned()),
        attributes: vec![attribute(false, "order", "7", true), attribute(true, "host.name", "h", false)],
        longer_than_ms: Some(1000),
        errors: true,
        within: "other".to_owned(),
        within_at_least: 1,
    })
}

/// Path, and decoded parameters.
fn asked(kind: Kind, question: &Question) -> (String, BTreeMap<String, String>) {
    let asks = kind.adapter().ask(question, WINDOW);
    split(&asks[0])
}

fn split(ask: &Ask) -> (String, BTreeMap<String, String>) {
    let (path, query) = ask.path.split_once('?').unwrap_or((&ask.path, ""));
    (path.to_owned(), form_urlencoded::parse(query.as_bytes()).into_owned().collect())
}

fn found(kind: Kind, question: &Question, answer: &str) -> Result<u64, Unreadable> {
    kind.adapter().found(question, &[Bytes::copy_from_slice(answer.as_bytes())])
}

fn trace() -> Question {
    Question::Trace("0af7651916cd43dd8448eb211c80319c".to_owned())
}

fn words(list: &[&str]) -> Question {
    Question::Words(list.iter().map(|&word| word.to_owned()).collect())
}

const ALL: [Kind; 7] =
    [Kind::Clew, Kind::Jaeger, Kind::Tempo, Kind::VictoriaTraces, Kind::VictoriaLogs, Kind::Quickwit, Kind::Loki];

#[test]
fn what_is_not_found_holds_nothing_and_what_is_no_answer_is_an_error() {
    let questions = [trace(), search(), words(&["a"]), Question::Graph, Question::CountByService];
    for kind in ALL {
        for question in questions.iter().filter(|question| !kind.adapter().ask(question, WINDOW).is_empty()) {
            assert_eq!(kind.adapter().found(question, &[]), Ok(0), "{kind:?} {question:?}");
            assert!(found(kind, question, "<html>").is_err(), "{kind:?} {question:?}");
        }
        assert!(kind.adapter().read_totals(b"<html>").is_err(), "{kind:?}");
    }
}

#[test]
fn clew_and_tempo_are_asked_in_traceql() {
    let traceql = "{ resource.service.name = \"cart\" && name = \"GET \\\"/\\\"\" && span.order = 7 && \
                   resource.host.name = \"h\" && duration > 1000ms && status = error }";
    let (path, parameters) = asked(Kind::Clew, &search());
    assert_eq!((path.as_str(), parameters["q"].as_str()), ("/api/v1/traces", traceql));
    assert_eq!((parameters["from"].as_str(), parameters["limit"].as_str()), ("1700000000000000000", "20"));
    let (path, parameters) = asked(Kind::Tempo, &search());
    assert_eq!(path, "/api/search");
    assert_eq!(parameters["q"], format!("{traceql} with (most_recent=true)"));
    assert_eq!((parameters["start"].as_str(), parameters["end"].as_str()), ("1700000000", "1700086400"));
    let (_, parameters) = asked(Kind::Clew, &Question::Traces(Search::default()));
    assert_eq!(parameters["q"], "{}");
}

#[test]
fn answers_of_clew_are_counted() {
    let of = |question: &Question, answer: &str| found(Kind::Clew, question, answer);
    assert_eq!(of(&trace(), r#"{"trace_id":"0a","spans":[{},{}],"notes":{}}"#), Ok(2));
    assert_eq!(of(&search(), r#"{"traces":[{}],"next":null}"#), Ok(1));
    assert_eq!(of(&Question::Red("a".to_owned()), r#"{"service":{"id":"a","calls":12}}"#), Ok(12));
    assert_eq!(of(&words(&["a"]), r#"{"logs":[{},{},{}]}"#), Ok(3));
    let answer = br#"{"columns":[],"rows":[["a",3,1],["b","9007199254740993","0"]],"row_count":2}"#;
    let totals = Kind::Clew.adapter().read_totals(answer).expect("totals");
    assert_eq!(totals.rows, 9_007_199_254_740_996);
    assert_eq!(totals.services.expect("services")["a"], Rows { rows: 3, errors: 1 });
    let usage =
        br#"{"total_bytes":99,"tables":[{"parquet_bytes":5,"index_bytes":2}],"wal_bytes":64,"catalog_bytes":3}"#;
    assert_eq!(Kind::Clew.adapter().read_stored(usage), Ok(10));
}

#[test]
fn jaeger_is_asked_within_a_service() {
    let (path, parameters) = asked(Kind::Jaeger, &search());
    assert_eq!(path, "/api/v3/traces");
    assert_eq!(parameters["query.service_name"], "cart");
    assert_eq!(parameters["query.operation_name"], "GET \"/\"");
    assert_eq!(parameters["query.start_time_min"], "2023-11-14T22:13:20+00:00");
    assert_eq!(parameters["query.duration_min"], "1000ms");
    assert_eq!(parameters["query.attributes"], r#"{"order":"7","host.name":"h","error":"true"}"#);
    let any = Question::Traces(Search { within: "other".to_owned(), ..Search::default() });
    assert_eq!(asked(Kind::Jaeger, &any).1["query.service_name"], "other");
    let (path, parameters) = asked(Kind::Jaeger, &Question::Graph);
    assert_eq!(path, "/api/dependencies");
    assert_eq!((parameters["endTs"].as_str(), parameters["lookback"].as_str()), ("1700086400000", "86400000"));
}

#[test]
fn answers_of_jaeger_are_counted() {
    let spans = |trace: &str, count: usize| {
        let span = format!(r#"{{"traceId":"{trace}","links":[{{"traceId":"ff"}}]}}"#);
        format!(r#"{{"scopeSpans":[{{"spans":[{}]}}]}}"#, vec![span; count].join(","))
    };
    let one = format!(r#"{{"result":{{"resourceSpans":[{},{}]}}}}"#, spans("aa", 2), spans("aa", 1));
    let two = format!(r#"{{"result":{{"resourceSpans":[{}]}}}}"#, spans("bb", 1));
    assert_eq!(found(Kind::Jaeger, &trace(), &one), Ok(3));
    // In one object, and in objects one after another.
    assert_eq!(found(Kind::Jaeger, &search(), &format!("{one}\n{two}")), Ok(2));
    assert_eq!(found(Kind::Jaeger, &search(), r#"{"result":{"resourceSpans":[]}}"#), Ok(0));
    let graph = r#"{"data":[{"parent":"a","child":"b","callCount":3}],"total":0,"errors":null}"#;
    assert_eq!(found(Kind::Jaeger, &Question::Graph, graph), Ok(1));
}

#[test]
fn answers_of_tempo_are_counted() {
    let answer = r#"{"trace":{"resourceSpans":[{"scopeSpans":[{"spans":[{},{}]},{"spans":[{}]}]}]},"metrics":{}}"#;
    assert_eq!(found(Kind::Tempo, &trace(), answer), Ok(3));
    assert_eq!(found(Kind::Tempo, &search(), r#"{"traces":[{"traceID":"1"},{}],"metrics":{}}"#), Ok(2));
    assert_eq!(found(Kind::Tempo, &search(), r#"{"metrics":{}}"#), Ok(0));
    let tags = Question::TagValues("key".to_owned());
    assert_eq!(asked(Kind::Tempo, &tags).0, "/api/v2/search/tag/span%2Ekey/values");
    assert_eq!(found(Kind::Tempo, &tags, r#"{"tagValues":[{"type":"string","value":"a"}]}"#), Ok(1));
    let totals = |answer: &str| Kind::Tempo.adapter().read_totals(answer.as_bytes()).expect("totals").rows;
    assert_eq!(totals(r#"{"series":[{"labels":[],"value":42}]}"#), 42);
    assert_eq!(totals(r#"{"series":[{"samples":[{"timestampMs":"1","value":40},{"value":2}]}]}"#), 42);
}

#[test]
fn victoriatraces_is_asked_in_jaegers_old_form_and_in_logsql() {
    let (path, parameters) = asked(Kind::VictoriaTraces, &search());
    assert_eq!(path, "/select/jaeger/api/traces");
    assert_eq!((parameters["service"].as_str(), parameters["minDuration"].as_str()), ("cart", "1000ms"));
    assert_eq!((parameters["start"].as_str(), parameters["end"].as_str()), ("1700000000000000", "1700086400000000"));
    assert_eq!(parameters["tags"], r#"{"order":"7","resource_attr:host.name":"h","error":"true"}"#);
    assert_eq!(found(Kind::VictoriaTraces, &trace(), r#"{"data":[{"spans":[{},{}]}],"total":1}"#), Ok(2));
    assert_eq!(found(Kind::VictoriaTraces, &search(), r#"{"data":[{},{}],"errors":null}"#), Ok(2));
    let tags = Question::TagValues("key".to_owned());
    assert_eq!(asked(Kind::VictoriaTraces, &tags).1["field"], "span_attr:key");
    assert_eq!(found(Kind::VictoriaTraces, &tags, r#"{"values":[{"value":"a","hits":3}]}"#), Ok(1));
    let answer = "{\"resource_attr:service.name\":\"a\",\"rows\":\"5\",\"errors\":\"1\"}\n\
                  {\"resource_attr:service.name\":\"b\",\"rows\":\"2\",\"errors\":\"0\"}\n";
    let totals = Kind::VictoriaTraces.adapter().read_totals(answer.as_bytes()).expect("totals");
    assert_eq!((totals.rows, totals.services.expect("services")["a"]), (7, Rows { rows: 5, errors: 1 }));
}

#[test]
fn victorialogs_answers_a_line_an_object() {
    let (path, parameters) = asked(Kind::VictoriaLogs, &words(&["card", "库存"]));
    assert_eq!((path.as_str(), parameters["query"].as_str()), ("/select/logsql/query", "\"card\" \"库存\""));
    assert_eq!((parameters["limit"].as_str(), parameters["end"].as_str()), ("100", "1700086400000000000"));
    assert_eq!(asked(Kind::VictoriaLogs, &Question::Phrase("a b".to_owned())).1["query"], "\"a b\"");
    assert_eq!(found(Kind::VictoriaLogs, &words(&["a"]), "{\"_msg\":\"a\"}\n{\"_msg\":\"a b\"}\n"), Ok(2));
    assert_eq!(found(Kind::VictoriaLogs, &words(&["a"]), ""), Ok(0));
}

#[test]
fn quickwit_is_asked_for_documents() {
    let asks = Kind::Quickwit.adapter().ask(&words(&["card", "declined"]), WINDOW);
    let body: Value = serde_json::from_str(asks[0].body.as_deref().expect("a body")).expect("JSON");
    assert_eq!(asks[0].path, "/api/v1/otel-logs-v0_*/search");
    assert_eq!(body["query"], "body.message:\"card\" AND body.message:\"declined\"");
    assert_eq!((&body["start_timestamp"], &body["max_hits"]), (&1_700_000_000.into(), &100.into()));
    let answer = r#"{"num_hits":7,"hits":[{},{}],"aggregations":{"services":{"buckets":[{"key":"a","doc_count":7}]}}}"#;
    assert_eq!(found(Kind::Quickwit, &words(&["a"]), answer), Ok(2));
    assert_eq!(found(Kind::Quickwit, &Question::CountByService, answer), Ok(1));
    assert_eq!(Kind::Quickwit.adapter().read_totals(answer.as_bytes()).expect("totals").rows, 7);
}

#[test]
fn loki_is_asked_in_logql() {
    let (path, parameters) = asked(Kind::Loki, &words(&["card", "declined"]));
    assert_eq!(path, "/loki/api/v1/query_range");
    assert_eq!(parameters["query"], "{service_name=~\".+\"} |= \"card\" |= \"declined\"");
    assert_eq!((parameters["direction"].as_str(), parameters["start"].as_str()), ("backward", "1700000000000000000"));
    let streams = r#"{"status":"success","data":{"resultType":"streams","result":[
        {"stream":{"service_name":"a"},"values":[["1","x"],["2","y"]]},{"stream":{},"values":[["3","z"]]}]}}"#;
    assert_eq!(found(Kind::Loki, &words(&["a"]), streams), Ok(3));
    let vector = r#"{"status":"success","data":{"resultType":"vector","result":[
        {"metric":{"service_name":"a"},"value":[1700086400,"5"]},{"metric":{},"value":[1700086400,"2"]}]}}"#;
    assert_eq!(found(Kind::Loki, &Question::CountByService, vector), Ok(2));
    assert_eq!(Kind::Loki.adapter().read_totals(vector.as_bytes()).expect("totals").rows, 7);
    let totals = Kind::Loki.adapter().totals(Signal::Logs, WINDOW).expect("it counts");
    let query = "sum by (service_name) (count_over_time({service_name=~\".+\"}[86400s]))";
    assert_eq!(split(&totals).1["query"], query);
}
