//! Parameters, and what a trace must be to be found.

use super::search::Question;
use super::spans::{Annotation, Endpoint, Span};
use crate::params::Pairs;

const NOW: i64 = 1_700_000_000_000_000_000;

fn question(query: &str) -> Question {
    Question::parse(&Pairs::parse(query).expect("UTF-8"), NOW).expect(query)
}

fn span(service: &str, name: &str, duration: u64) -> Span {
    Span {
        name: name.to_owned(),
        timestamp: NOW as u64 / 1_000,
        duration,
        local_endpoint: Endpoint { service_name: service.to_owned(), ..Endpoint::default() },
        ..Span::default()
    }
}

#[test]
fn bad_parameters_are_refused() {
    for query in [
        "limit=0",
        "limit=x",
        "limit=10001",
        "endTs=0",
        "lookback=-1",
        "minDuration=0",
        "maxDuration=5",
        "minDuration=5&maxDuration=4",
    ] {
        assert!(Question::parse(&Pairs::parse(query).expect("UTF-8"), NOW).is_err(), "{query}");
    }
}

#[test]
fn a_service_limits_what_the_other_conditions_may_be_found_on() {
    let trace = [span("a", "get", 5), Span { parent_id: Some("1".to_owned()), ..span("b", "put", 50) }];
    for (query, found) in [
        ("", true),
        ("serviceName=A", true),
        ("serviceName=c", false),
        ("serviceName=a&spanName=GET", true),
        ("serviceName=a&spanName=put", false),
        ("spanName=put&minDuration=5&maxDuration=5", true),
        ("serviceName=a&minDuration=6", false),
        ("serviceName=b&minDuration=6&maxDuration=50", true),
    ] {
        assert_eq!(question(query).test(&trace), found, "{query}");
    }
}

#[test]
fn annotations_and_tags_may_be_on_several_spans() {
    let mut one = span("a", "", 1);
    one.annotations = vec![Annotation { value: "ws".to_owned(), ..Annotation::default() }];
    let mut other = Span { parent_id: Some("1".to_owned()), ..span("a", "", 1) };
    other.tags.insert("k".to_owned(), "v".to_owned());
    let trace = [one, other];
    for (query, found) in [
        ("annotationQuery=ws", true),
        ("annotationQuery=ws+and+k%3Dv", true),
        ("annotationQuery=k", true),
        ("annotationQuery=k%3Dw", false),
        ("annotationQuery=v", false),
        ("annotationQuery=k+and+x", false),
    ] {
        assert_eq!(question(query).test(&trace), found, "{query}");
    }
}

#[test]
fn a_trace_has_the_time_of_its_root() {
    let late = Span { timestamp: NOW as u64 / 1_000 + 10_000_000, ..span("a", "", 1) };
    let child = Span { parent_id: Some("1".to_owned()), ..span("a", "", 1) };
    assert!(!question("").test(&[child.clone(), late]));
    assert!(question("").test(&[child]));
    assert!(!question("").test(&[Span { timestamp: 0, ..span("a", "", 1) }]));
}
