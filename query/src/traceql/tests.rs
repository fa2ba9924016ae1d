//! Queries that parse, queries that do not, and trees that print as they were read.

use proptest::prelude::*;

use super::ast::{Name, Scope};
use super::*;

/// Cases of the shared conformance set, where it is present beside the checkout.
fn conformance() -> Option<serde_json::Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/conformance/tempo/traceql_parse_cases.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        eprintln!("SKIPPED: the shared conformance cases are not present");
        return None;
    };
    Some(serde_json::from_str(&text).expect("JSON"))
}

fn queries(cases: &serde_json::Value, kind: &str) -> Vec<String> {
    let list = cases[kind].as_array().expect("a list of queries");
    list.iter().map(|query| query.as_str().expect("a query").to_owned()).collect()
}

/// As spans or as metrics.
fn read(text: &str) -> Result<(), QueryError> {
    parse_metrics(text).map(drop).or_else(|_| TraceQuery::traceql(text).map(drop))
}

#[test]
fn conformance_cases_parse_or_fail() {
    let Some(cases) = conformance() else { return };
    let mut wrong = Vec::new();
    for query in queries(&cases, "valid") {
        if let Err(error) = read(&query) {
            wrong.push(format!("refused: {query}: {error}"));
        }
    }
    for kind in ["parse_fails", "validate_fails"] {
        wrong.extend(queries(&cases, kind).into_iter().filter(|q| read(q).is_ok()).map(|q| format!("taken: {q}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn conformance_cases_print_as_they_were_read() {
    let Some(cases) = conformance() else { return };
    for text in queries(&cases, "valid") {
        let Ok(query) = TraceQuery::traceql(&text) else { continue };
        let printed = query.to_string();
        assert_eq!(TraceQuery::traceql(&printed).expect(&printed), query, "{text} as {printed}");
    }
}

#[test]
fn and_and_or_group_from_the_left() {
    let parsed = |text| TraceQuery::traceql(text).expect(text);
    assert_eq!(parsed("{ .a || .b && .c }"), parsed("{ (.a || .b) && .c }"));
    assert_ne!(parsed("{ .a || .b && .c }"), parsed("{ .a || (.b && .c) }"));
    assert_eq!(parsed("{ .a + 2 * 3 ^ 2 ^ 1 = 1 }"), parsed("{ .a + (2 * (3 ^ (2 ^ 1))) = 1 }"));
    assert_eq!(parsed("{ !.a = .b }"), parsed("{ (!.a) = .b }"));
}

#[test]
fn names_of_attributes() {
    let names = |text: &str| match TraceQuery::traceql(text).expect(text).spans {
        Spanset::Filter(Expr::Field(field)) => (field.parent, field.name),
        other => panic!("{text}: {other:?}"),
    };
    let attribute = |parent, scope, key: &str| (parent, Name::Attribute(scope, key.to_owned()));
    assert_eq!(names(r#"{ span."a b".c-d/e }"#), attribute(false, Scope::Span, "a b.c-d/e"));
    assert_eq!(names(r#"{ ."q\"\\" }"#), attribute(false, Scope::Unscoped, "q\"\\"));
    assert_eq!(names("{parent.resource.a}"), attribute(true, Scope::Resource, "a"));
    assert_eq!(names("{parent.durations}"), attribute(true, Scope::Unscoped, "durations"));
}

#[test]
fn errors_name_the_place() {
    let place = |text: &str| match TraceQuery::parse(text) {
        Err(QueryError::Bad { position: Some(position), .. }) => position,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(place("{ .a = }"), 7);
    assert_eq!(place("{ status > ok }"), 9);
    assert_eq!(place("{ .a =~ \"[\" }"), 5);
    assert_eq!(place("service:"), 8);
    assert_eq!(place("a duration>5"), 11);
}

#[test]
fn depth_is_bounded() {
    let deep = 15_000;
    let texts = [
        format!("{{ {}.a{} }}", "(".repeat(deep), ")".repeat(deep)),
        format!("{}{{}}{}", "(".repeat(deep), ")".repeat(deep)),
        format!("({}1 / ({{}} | rate()))", "-".repeat(deep)),
        format!("{{ {}.a }}", "!".repeat(deep)),
        format!("{{ 1{} = 1 }}", "+1".repeat(deep)),
        format!("{{ 1{} = 1 }}", "^1".repeat(deep)),
        format!("{{}}{}", ">{}".repeat(deep)),
        format!("{{}}{}", "|{}".repeat(deep)),
        format!("{{ .a{} }}", " && .b || .c".repeat(deep / 4)),
        "{".repeat(200_000),
    ];
    for text in texts {
        assert!(matches!(TraceQuery::parse(&text), Err(QueryError::Bad { .. })), "{}", &text[..20]);
    }
    let wide = format!("{{ .a = 0{} }}", " || .a = 1".repeat(5_000));
    assert!(TraceQuery::parse(&wide).is_ok(), "a long list is not deep");
}

#[test]
fn the_short_form_is_the_same_tree() {
    let short = |text| TraceQuery::parse(text).expect(text);
    assert_eq!(short(""), TraceQuery::everything());
    assert_eq!(short("kind:server"), short("{ kind = server }"));
    assert_eq!(short("duration>=1.5s"), short("{ duration >= 1500ms }"));
    assert_eq!(
        short("service:cart outcome:timeout"),
        short(r#"{ span:service = "cart" && span:outcome = "timeout" }"#)
    );
    assert_eq!(short("span.n>5").to_string(), r#"{ ((span.n) > (5)) || ((span.n) > ("5")) }"#);
    assert_eq!(
        short(r#"error !http.status_code=200 "GET /x" k:*"#).to_string(),
        r#"{ (((status) = (error)) || (error="true")) && (!(http.status_code="200")) && ("get /x") && (k:*) }"#
    );
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = (TraceQuery::parse(&text), TraceQuery::traceql(&text), parse_metrics(&text));
    }

    #[test]
    fn no_likely_text_panics(tokens in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "(", ")", "&&", "||", "!", "=", "!=", ">", "<", "=~", "!~", "~", ">>", "&>", "|", ",", "+", "-", "*", "^",
        ".a", "span.b", "resource.\"c d\"", "parent.", "name", "status", "error", "duration", "1", "1.5", "2ms", "nil",
        "\"x\"", "`[`", "count()", "by(", "rate()", "topk(3)", "select(", "with(a=1)", "max(", "coalesce()", "key:", "é",
    ]), 0..24)) {
        let text = tokens.join(" ");
        if let Ok(query) = TraceQuery::traceql(&text) {
            let printed = query.to_string();
            let again = TraceQuery::traceql(&printed);
            prop_assert!(matches!(&again, Ok(again) if *again == query), "{} as {}: {:?}", text, printed, again);
        }
        let _ = (TraceQuery::parse(&text), parse_metrics(&text));
    }
}
