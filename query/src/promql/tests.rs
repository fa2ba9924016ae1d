//! The queries that Grafana sends, what is refused, and that no text breaks the parser.

use proptest::prelude::*;

use super::*;

fn refusal(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

fn number(text: &str) -> f64 {
    let query = parse(text).expect(text);
    match eval::answer(&query, Steps::instant(0), &[], &|| Ok(())).expect(text) {
        Answer::Scalar(samples) => samples[0].1,
        Answer::Vector(vector) => panic!("{text}: {vector:?}"),
    }
}

#[test]
fn operators_bind_as_in_prometheus() {
    for (text, value) in [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("-2 ^ 2", -4.0),
        ("2 ^ 3 ^ 2", 512.0),
        ("7 - 2 - 1", 4.0),
        ("1.5e1 % 4", 3.0),
        ("1e-1 * 10", 1.0),
        ("2 > bool 1", 1.0),
    ] {
        assert_eq!(number(text), value, "{text}");
    }
}

#[test]
fn what_grafana_asks_is_read() {
    for text in [
        "sum by (client, server) (rate(traces_service_graph_request_total[3600s]))",
        r#"histogram_quantile(.9, sum(rate(traces_service_graph_request_server_seconds_bucket{client=~"a|b"}[1h])) by (le, client, server))"#,
        r#"topk(5, sum(rate(traces_spanmetrics_calls_total{span_name=~"a.*"}[5m])) by (span_name))"#,
        "sum(rate(a_total[5m])) by (x) / on (x) sum(rate(b_total[5m])) by (x) > 0.5",
        "a_total offset 1h and on () b_total unless c_total or d_total",
        r#"{__name__="a", le!="+Inf",}"#,
    ] {
        parse(text).expect(text);
    }
}

#[test]
fn what_is_not_here_is_refused_by_name() {
    for (text, named) in [
        ("rate(a[5m:1m])", "subquery"),
        ("label_replace(a, 'b', 'c', 'd', 'e')", "label_replace"),
        ("a * on (x) group_left () b", "group_left"),
        ("rate(a)", "range"),
        ("sum(1)", "scalar"),
        ("a[5m] + 1", "range"),
        ("1 > 2", "BOOL"),
        ("{a=''}", "non-empty"),
        ("a @ 5", "@"),
        ("sum(a", "end of the query"),
        ("\"text\"", "string"),
        (r#"a{b=~"("}"#, "unclosed group"),
    ] {
        let message = refusal(text);
        assert!(message.contains(named), "{text}: {message}");
    }
    assert!(refusal(&"(".repeat(1000)).contains("deep"));
    assert!(refusal(&vec!["1"; 1000].join("+")).contains("operators"));
}

#[test]
fn steps_are_bounded() {
    let steps = |from, to, step| Steps { from, to, step }.check().is_ok();
    assert!(steps(0, 10, 1) && steps(0, 0, 1) && !steps(0, 10, 0) && !steps(10, 0, 1) && !steps(0, MOST_STEPS, 1));
    assert_eq!(Steps { from: 1, to: 7, step: 3 }.times().collect::<Vec<_>>(), [1, 4, 7]);
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in r#"[a-c0-9(){}\[\]=!~"'`+*/^<>, .:@#\\é-]{0,60}"#) {
        let _ = parse(&text);
    }

    #[test]
    fn words_of_the_language_do_not_break_it(words in prop::collection::vec(prop::sample::select(vec![
        "sum", "by", "(", ")", "rate", "a", "[5m]", "{", "}", "x", "=", "\"y\"", ",", "topk", "1", "+", "-", "^", "and",
        "on", "offset", "bool", ">", "histogram_quantile", "without", "ignoring",
    ]), 0..20)) {
        let _ = parse(&words.join(" "));
    }
}
