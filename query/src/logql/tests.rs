//! Log queries: text, fields, errors.

use proptest::prelude::*;
use storage::attrs::Value;
use storage::terms::Prune;

use super::*;
use crate::model::LogRecord;
use crate::rows::testing::otlp::{conformance, list, text};
use crate::rows::testing::{log, log_batch};

fn matching(query: &str, logs: &[LogRecord]) -> Vec<usize> {
    let filter = LogFilter::new(&LogQuery::parse(query).expect(query));
    let batch = log_batch(logs);
    let bound = filter.bind(&batch).expect("columns");
    (0..logs.len()).filter(|&row| bound.check(row)).collect()
}

fn bodies(query: &str, bodies: &[&str]) -> Vec<usize> {
    matching(query, &bodies.iter().map(|body| log(1, 1, body)).collect::<Vec<_>>())
}

/// `text` in quotes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[test]
fn conformance_counts_of_real_logs() {
    let Some(cases) = conformance("logs/loghub_search_cases.json") else { return };
    for (name, dataset) in cases["datasets"].as_object().expect("datasets") {
        let path = format!("{}/../../shared/conformance/logs/loghub/{name}_2k.log", env!("CARGO_MANIFEST_DIR"));
        let file = std::fs::read(path).expect("the lines of a dataset");
        let file = String::from_utf8_lossy(&file);
        let lines: Vec<&str> = file.lines().collect();
        for search in list(&dataset["searches"]) {
            let term = text(&search["term"]);
            let phrase = bodies(&quoted(term), &lines).len();
            assert_eq!(phrase as u64, search["substring_ci"], "{name}: the phrase {term}");
            let words = TextTest::words(term, false);
            let words = lines.iter().filter(|line| words.holds(&Body::new(line))).count();
            assert_eq!(words as u64, search["all_tokens_ci"], "{name}: the words {term}");
        }
    }
}

#[test]
fn conformance_counts_of_chinese_logs() {
    let Some(cases) = conformance("logs/chinese/datax_messages.json") else { return };
    let summaries = list(&cases["job_summaries"]).iter().flat_map(|one| list(&one["lines"]));
    let lines: Vec<&str> =
        list(&cases["messages"]).iter().map(|one| &one["message"]).chain(summaries).map(text).collect();
    for case in list(&cases["search_cases"]) {
        let joined = |terms: &serde_json::Value, by: &str| list(terms).iter().map(text).collect::<Vec<_>>().join(by);
        let queries = match (case["substring"].as_str(), &case["all_of"], &case["any_of"]) {
            (Some(text), _, _) => vec![text.to_owned(), quoted(text)],
            (_, all, serde_json::Value::Null) => vec![joined(all, " ")],
            (_, _, any) => vec![joined(any, " OR ")],
        };
        for query in queries {
            assert_eq!(bodies(&query, &lines).len() as u64, case["expect_count"], "{query}");
        }
    }
}

#[test]
fn words_and_phrases() {
    let lines = ["Connection reset by peer", "connection_reset", "reconnection reset", "Größe ÜBER alles", ""];
    assert_eq!(bodies("connection", &lines), [0, 1]);
    assert_eq!(bodies("reset CONNECTION", &lines), [0, 1]);
    assert_eq!(bodies("\"connection reset\"", &lines), [0, 2]);
    assert_eq!(bodies("conn*", &lines), [0, 1]);
    assert_eq!(bodies("reset -peer", &lines), [1, 2]);
    assert_eq!(bodies("NOT reset", &lines), [3, 4]);
    assert_eq!(bodies("größe über", &lines), [3]);
    assert_eq!(bodies("grö*", &lines), [3]);
    assert_eq!(bodies("grö", &lines), [0; 0]);
    assert_eq!(bodies("peer OR alles", &lines), [0, 3]);
    assert_eq!(bodies("(peer OR alles) AND reset", &lines), [0]);
    assert_eq!(bodies("body~\"reset$\"", &lines), [1, 2]);
    assert_eq!(bodies("", &lines), [0, 1, 2, 3, 4]);
    assert_eq!(bodies("jk2_init()", &["jk2_init() done", "jk2 init", "jk2"]), [0, 1]);
}

#[test]
fn fields() {
    let mut logs = vec![log(1, 1, "a"), log(2, 2, "b"), log(3, 3, "c")];
    logs[0].severity_number = 13;
    logs[1].severity_number = 21;
    logs[2].severity_number = 0;
    logs[0].attributes =
        vec![("http.status".to_owned(), Value::Int(500)), ("log.file".to_owned(), Value::String("f".into()))];
    logs[1].attributes = vec![("http.status".to_owned(), Value::String("404".to_owned()))];
    logs[1].trace_id = Some(storage::ids::TraceId([1; 16]));
    logs[1].span_id = Some(storage::ids::SpanId([2; 8]));
    logs[1].event_name = "started".to_owned();
    logs[2].service = "other".to_owned();
    for (query, wanted) in [
        ("severity>=warn", vec![0, 1]),
        ("severity>warn", vec![1]),
        ("severity:warn", vec![0]),
        ("severity<error", vec![0]),
        ("severity!=fatal", vec![0, 2]),
        ("level:unset", vec![2]),
        ("severity>=13", vec![0, 1]),
        ("service:svc", vec![0, 1]),
        ("service!=svc", vec![2]),
        ("service~\"^oth\"", vec![2]),
        ("http.status=500", vec![0]),
        ("http.status>=404", vec![0, 1]),
        ("http.status!=500", vec![1]),
        ("!http.status=500", vec![1, 2]),
        ("http.status:*", vec![0, 1]),
        ("http.status~\"^4\"", vec![1]),
        ("log.file:f", vec![0]),
        ("log.http.status:500", vec![0]),
        ("resource.service.name:svc", vec![0, 1, 2]),
        ("trace_id:01010101010101010101010101010101", vec![1]),
        ("trace_id:*", vec![1]),
        ("span_id:*", vec![1]),
        ("event:*", vec![1]),
        ("severity:*", vec![0, 1]),
        ("service:*", vec![0, 1, 2]),
        ("-service:*", vec![]),
    ] {
        assert_eq!(matching(query, &logs), wanted, "{query}");
    }
}

#[test]
fn a_record_without_a_service_has_none() {
    let logs = [log(1, 1, "a"), LogRecord { service: String::new(), ..log(2, 2, "b") }];
    assert_eq!(matching("service:*", &logs), [0]);
    assert_eq!(matching("-service:*", &logs), [1]);
    assert_eq!(matching("service:\"*\"", &logs), [0; 0], "in quotes it is a name");
}

#[test]
fn escapes_stand_for_one_character() {
    let lines = ["at line\nnext", "a\tb", r"a\tb", "say \"hi\"", "end\r\n"];
    assert_eq!(bodies(r#""line\nnext""#, &lines), [0]);
    assert_eq!(bodies(r#""a\tb""#, &lines), [1]);
    assert_eq!(bodies(r#""a\\tb""#, &lines), [2]);
    assert_eq!(bodies(r#""\"hi\"""#, &lines), [3]);
    assert_eq!(bodies(r#""d\r\n""#, &lines), [4]);
    assert_eq!(bodies(r#"body~"line\nnext""#, &lines), [0]);
    assert_eq!(bodies(r#""\d""#, &[r"\d"]), [0], "what is no escape stands as it is");
}

#[test]
fn many_terms_are_refused() {
    let terms = |count: usize, by: &str| vec!["a1"; count].join(by);
    for by in [" ", " OR ", "."] {
        assert_eq!(bodies(&terms(300, by), &["b a1"]).len(), 1, "{by}");
        let error = LogQuery::parse(&terms(301, by)).expect_err(by);
        assert!(error.to_string().contains("300"), "{error}");
    }
    assert!(matches!(LogQuery::parse(&terms(301, " ")), Err(QueryError::Bad { position: Some(900), .. })));
}

#[test]
fn many_terms_of_one_body() {
    let body = "Größe ".to_owned() + &(0..250).map(|n| format!("w{n} ")).collect::<String>();
    let all = (0..250).map(|n| format!("W{n}")).collect::<Vec<_>>().join(" ");
    assert_eq!(bodies(&all, &[&body, &body.replace("w249 ", "w2490 ")]), [0]);
    assert_eq!(bodies("w24*", &[&body, "ü w", "ü w24"]), [0, 2]);
    assert_eq!(bodies("w24", &[&body, "ü w", "ü w245"]), [0]);
}

#[test]
fn errors_name_the_place() {
    for (query, place) in [
        ("a AND", 5),
        ("(a", 0),
        ("a)", 1),
        ("a OR", 4),
        ("\"a", 0),
        ("service:", 8),
        ("severity>high", 9),
        ("k~\"[\"", 2),
        (":a", 0),
    ] {
        let error = LogQuery::parse(query).expect_err(query);
        assert!(matches!(error, QueryError::Bad { position: Some(at), .. } if at == place), "{query}: {error:?}");
    }
    for deep in ["(", "-", "NOT "].map(|part| part.repeat(15_000)) {
        assert!(LogQuery::parse(&format!("{deep}a")).is_err());
    }
}

/// Whether words of the index that a body gives satisfy a prune.
fn may_hold(prune: &Prune, words: &[String]) -> bool {
    match prune {
        Prune::All => true,
        Prune::Term(_, word) => words.iter().any(|known| known.as_bytes() == word.as_slice()),
        Prune::WordContaining(part) => words.iter().any(|known| known.contains(part.as_str())),
        Prune::Every(all) => all.iter().all(|one| may_hold(one, words)),
        Prune::Any(any) => any.iter().any(|one| may_hold(one, words)),
    }
}

fn body() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[a-cA-C0-2]{1,3}",
        "[数据库表]{1,4}",
        "[éÉßİ\u{307}ΣςK]{1,2}",
        r"[ ._()\-]{1,2}",
        Just("a".repeat(100)),
        Just("b".repeat(95)),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_index_never_hides_a_match(body in body(), asked in body(), from in 0usize..20, length in 1usize..20) {
        let words = storage::text::words(&body);
        let part: String = body.chars().skip(from).take(length).collect();
        for text in [asked, part] {
            if text.is_empty() {
                continue;
            }
            for test in [TextTest::phrase(&text), TextTest::words(&text, false), TextTest::words(&text, true)] {
                prop_assert!(!test.holds(&Body::new(&body)) || may_hold(&test.prune(), &words), "{:?} in {:?}", test, body);
            }
        }
    }

    #[test]
    fn a_part_is_found_as_a_phrase(body in body(), from in 0usize..20, length in 1usize..20) {
        let part: String = body.chars().skip(from).take(length).collect();
        prop_assert!(TextTest::phrase(&part).holds(&Body::new(&body)));
        prop_assert!(TextTest::words(&body, false).holds(&Body::new(&body)));
    }

    #[test]
    fn no_text_panics(text in any::<String>(), terms in prop::collection::vec(prop::sample::select(vec![
        "(", ")", "-", "!", "NOT", "AND", "OR", "a", "b*", "*", "k=", "k:*", "k~\"x\"", "\"a b\"", "severity>=warn", "数据", ":", "\"",
    ]), 0..12)) {
        let _ = LogQuery::parse(&text);
        let _ = LogQuery::parse(&terms.join(" "));
        let _ = LogQuery::parse(&terms.concat());
    }
}
