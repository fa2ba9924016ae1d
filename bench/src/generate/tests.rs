//! Shapes are what they are said to be, and the same seed gives the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use proto::Message;
use proto::otlp::messages::collector::logs::v1::ExportLogsServiceRequest;
use proto::otlp::messages::collector::trace::v1::ExportTraceServiceRequest;
use proto::otlp::messages::common::v1::any_value::Value;
use proto::otlp::messages::trace::v1::Span;

use super::*;
use crate::files::{self, Reader};
use crate::manifest::Question;

fn load(shape: Shape, spans: u64) -> Load {
    Load { shape, spans, batch: 512, compression: Compression::None, seed: 7, end: Some(1_700_000_000), over: 3600 }
}

/// The manifest, and the spans in the order in which they are sent.
fn spans(shape: Shape, count: u64) -> (Manifest, Vec<Span>) {
    let dir = tempfile::tempdir().expect("a directory");
    let manifest = write(&load(shape, count), dir.path()).expect("generated");
    assert_eq!(Manifest::read(dir.path()).expect("a manifest"), manifest);
    let mut all = Vec::new();
    for request in Reader::open(dir.path()).expect("a file") {
        let request = request.expect("whole");
        let message = ExportTraceServiceRequest::decode(request.body).expect("OTLP");
        let scopes = message.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        let before = all.len();
        all.extend(scopes.flat_map(|scope| scope.spans));
        assert_eq!(all.len() - before, request.rows as usize);
    }
    assert_eq!(all.len() as u64, count);
    (manifest, all)
}

fn by_trace(spans: &[Span]) -> BTreeMap<String, Vec<&Span>> {
    let mut traces: BTreeMap<String, Vec<&Span>> = BTreeMap::new();
    for span in spans {
        traces.entry(hex::encode(&span.trace_id)).or_default().push(span);
    }
    traces
}

/// Bytes of a row as OTLP, and attributes of a span on the average.
fn averages(manifest: &Manifest, spans: &[Span]) -> (u64, f64) {
    let attributes: usize = spans.iter().map(|span| span.attributes.len()).sum();
    (manifest.encoded_bytes / manifest.content.rows, attributes as f64 / spans.len() as f64)
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_others() {
    for shape in [Shape::T1, Shape::T2, Shape::T3, Shape::T4, Shape::Logs] {
        let bytes = |seed| {
            let dir = tempfile::tempdir().expect("a directory");
            write(&Load { seed, ..load(shape, 2_000) }, dir.path()).expect("generated");
            let file = |name| std::fs::read(dir.path().join(name)).expect("a file");
            (file(files::FILE), file(crate::manifest::FILE))
        };
        assert!(bytes(7) == bytes(7), "{shape:?}");
        assert!(bytes(7) != bytes(8), "{shape:?}");
    }
}

#[test]
fn t1_is_the_worst_case_for_an_index() {
    let (manifest, spans) = spans(Shape::T1, 20_000);
    let (bytes, attributes) = averages(&manifest, &spans);
    assert!((300..340).contains(&bytes), "{bytes}");
    assert_eq!(attributes, 11.0);
    assert!(by_trace(&spans).values().all(|trace| trace.len() == 10));
    let errors = manifest.content.errors as f64 / 20_000.0;
    assert!((0.005..0.02).contains(&errors), "{errors}");
    assert_eq!((manifest.content.traces, manifest.content.services.len()), (2_000, 10));
    let pairs: BTreeSet<String> =
        spans.iter().flat_map(|span| &span.attributes).map(|pair| format!("{pair:?}")).collect();
    assert!(pairs.len() > 80_000, "{} of 97,000 pairs", pairs.len());
}

#[test]
fn t2_is_like_the_demo() {
    let (manifest, spans) = spans(Shape::T2, 20_000);
    let (bytes, attributes) = averages(&manifest, &spans);
    assert!((250..=300).contains(&bytes), "{bytes}");
    assert!((5.0..6.5).contains(&attributes), "{attributes}");
}

#[test]
fn t3_is_like_production() {
    let (manifest, spans) = spans(Shape::T3, 20_000);
    let (bytes, attributes) = averages(&manifest, &spans);
    assert!((1_100..=1_300).contains(&bytes), "{bytes}");
    assert!((20.0..30.0).contains(&attributes), "{attributes}");
    let share = |has: fn(&Span) -> bool| spans.iter().filter(|span| has(span)).count() as f64 / 20_000.0;
    assert!((0.3..0.7).contains(&share(|span| !span.events.is_empty())));
    assert!((0.05..0.2).contains(&share(|span| !span.links.is_empty())));
}

#[test]
fn t4_has_a_heavy_tail() {
    let (manifest, spans) = spans(Shape::T4, 200_000);
    let traces = by_trace(&spans);
    let mut sizes: Vec<usize> = traces.values().map(Vec::len).collect();
    sizes.sort_unstable();
    let at = |share: f64| sizes[(sizes.len() as f64 * share) as usize];
    assert!((7..=9).contains(&at(0.5)), "median {}", at(0.5));
    assert!((200..=420).contains(&at(0.99)), "p99 {}", at(0.99));
    assert_eq!(sizes.last(), Some(&10_000));
    let mut rows: Vec<u64> = manifest.content.services.values().map(|service| service.rows).collect();
    rows.sort_unstable();
    assert!(rows.len() > 150 && rows[rows.len() - 1] > 20 * rows[rows.len() / 2], "services as Zipf has it");
    let asked = |name: &str| manifest.groups.iter().find(|group| group.name == name).expect("a group").questions.len();
    assert!(asked("trace by id, 1 span") > 10 && asked("trace by id, 10k spans") == 1);
}

#[test]
fn modelled_traces_are_trees_whose_children_lie_within_their_parents() {
    let (_, spans) = spans(Shape::T4, 20_000);
    let last = spans.iter().map(|span| span.start_time_unix_nano).max().expect("spans");
    for trace in by_trace(&spans).values().filter(|trace| trace[0].start_time_unix_nano < last) {
        let by_id: BTreeMap<&[u8], &Span> = trace.iter().map(|span| (&span.span_id[..], *span)).collect();
        assert_eq!(by_id.len(), trace.len(), "span ids repeat");
        for span in trace.iter().filter(|span| !span.parent_span_id.is_empty()) {
            let parent = by_id[&span.parent_span_id[..]];
            assert!(parent.start_time_unix_nano <= span.start_time_unix_nano);
            assert!(parent.end_time_unix_nano >= span.end_time_unix_nano);
        }
    }
}

#[test]
fn values_are_many_where_production_has_many() {
    let (_, spans) = spans(Shape::T2, 20_000);
    for (key, least) in [("enduser.id", 15_000), ("shop.order.id", 14_000)] {
        let values: BTreeSet<String> = spans
            .iter()
            .filter_map(|span| span.attributes.iter().find(|pair| pair.key == key))
            .map(|pair| format!("{:?}", pair.value))
            .collect();
        assert!(values.len() > least, "{key}: {}", values.len());
    }
}

#[test]
fn one_span_in_twenty_comes_late() {
    let (_, spans) = spans(Shape::T1, 20_000);
    let mut newest = 0;
    let mut late = 0;
    for span in &spans {
        // Spans of one trace are a few µs apart.
        late += usize::from(span.start_time_unix_nano + 1_000_000 < newest);
        newest = newest.max(span.start_time_unix_nano);
    }
    // Inside of a batch the order is that of services: only what is late by a batch and more is surely late.
    let share = late as f64 / spans.len() as f64;
    assert!(share > 0.03, "{share}");
    let by_batch: Vec<u64> =
        spans.chunks(512).map(|batch| batch.iter().map(|span| span.start_time_unix_nano).max().unwrap_or(0)).collect();
    let truly = spans.chunks(512).enumerate().skip(1).flat_map(|(at, batch)| {
        let before = by_batch[at - 1];
        batch.iter().filter(move |span| span.start_time_unix_nano + 10_000_000_000 < before)
    });
    let share = truly.count() as f64 / spans.len() as f64;
    assert!((0.03..0.06).contains(&share), "{share}");
}

#[test]
fn samples_tell_the_truth() {
    for shape in [Shape::T1, Shape::T4] {
        let (manifest, spans) = spans(shape, 5_000);
        let traces = by_trace(&spans);
        assert_eq!(manifest.content.traces, traces.len() as u64);
        let questions = manifest.groups.iter().flat_map(|group| &group.questions).chain(&manifest.sample);
        let mut asked = 0;
        for question in questions {
            if let Question::Trace(id) | Question::Skeleton(id) = &question.question {
                assert_eq!(traces.get(id).map_or(0, Vec::len) as u64, question.at_least, "{id}");
                asked += 1;
            }
        }
        assert!(asked > 400, "{asked}");
        let errors = spans.iter().filter(|span| span.status.as_ref().is_some_and(|status| status.code == 2)).count();
        assert_eq!(manifest.content.errors, errors as u64);
        assert_eq!(manifest.content.services.values().map(|service| service.rows).sum::<u64>(), 5_000);
    }
}

#[test]
fn searches_look_for_spans_that_are_there() {
    let (manifest, spans) = spans(Shape::T2, 5_000);
    let mut asked = 0;
    for question in manifest.groups.iter().flat_map(|group| &group.questions) {
        let Question::Traces(search) = &question.question else { continue };
        let has = |span: &Span| {
            search.attributes.iter().all(|wanted| {
                span.attributes.iter().any(|pair| {
                    let value = pair.value.as_ref().and_then(|value| value.value.clone());
                    let expected = match wanted.number {
                        true => Value::IntValue(wanted.value.parse().expect("a number")),
                        false => Value::StringValue(wanted.value.clone()),
                    };
                    pair.key == wanted.key && value == Some(expected)
                })
            }) && search.operation.as_ref().is_none_or(|name| *name == span.name)
                && (!search.errors || span.status.as_ref().is_some_and(|status| status.code == 2))
                && search
                    .longer_than_ms
                    .is_none_or(|ms| span.end_time_unix_nano - span.start_time_unix_nano > ms * 1_000_000)
        };
        let matching: BTreeSet<&[u8]> = spans.iter().filter(|span| has(span)).map(|span| &span.trace_id[..]).collect();
        assert!(matching.len() as u64 >= question.at_least, "{search:?}: {}", matching.len());
        assert!(question.at_least > 0);
        asked += 1;
    }
    assert!(asked > 60, "{asked}");
}

#[test]
fn log_lines_hold_what_is_asked() {
    let dir = tempfile::tempdir().expect("a directory");
    let manifest = write(&load(Shape::Logs, 20_000), dir.path()).expect("generated");
    let bytes = manifest.encoded_bytes / 20_000;
    assert!((270..=330).contains(&bytes), "{bytes}");
    let mut lines = Vec::new();
    for request in Reader::open(dir.path()).expect("a file") {
        let message = ExportLogsServiceRequest::decode(request.expect("whole").body).expect("OTLP");
        let scopes = message.resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
        for record in scopes.flat_map(|scope| scope.log_records) {
            let Some(Value::StringValue(line)) = record.body.and_then(|body| body.value) else { panic!("no text") };
            lines.push(line);
        }
    }
    assert_eq!(lines.len(), 20_000);
    assert!(lines.iter().all(|line| !line.contains(['{', '}'])), "a slot was not filled in");
    let chinese = lines.iter().filter(|line| !line.is_ascii()).count();
    assert!((1_000..4_000).contains(&chinese), "{chinese}");
    for asked in manifest.groups.iter().flat_map(|group| &group.questions).chain(&manifest.sample) {
        let matching = match &asked.question {
            Question::Words(words) => lines.iter().filter(|line| words.iter().all(|word| line.contains(word))).count(),
            Question::Phrase(phrase) => lines.iter().filter(|line| line.contains(phrase)).count(),
            _ => continue,
        };
        assert!(matching as u64 >= asked.at_least && asked.at_least > 0, "{asked:?}: {matching}");
    }
}
