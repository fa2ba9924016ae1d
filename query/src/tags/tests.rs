//! Tags and their values, out of live batches and segments alike.

use storage::attrs::Value;

use super::*;
use crate::engine::Limits;
use crate::model::Span;
use crate::rows::testing::span;
use crate::traces::testing::Stored;

fn with(id: u64, kind: i32, attributes: &[(&str, &str)]) -> Span {
    let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), Value::String((*value).to_owned())));
    Span { kind, attributes: attributes.collect(), ..span(1, id, "x") }
}

#[tokio::test]
async fn keys_and_values() {
    let stored = [with(1, 2, &[("a.b", "one"), ("kind", "odd")]), with(2, 3, &[("a.b", "other"), ("a.bc", "no")])];
    let stored = Stored::with(Limits::default(), &[&stored[..1], &stored[1..]]).await;
    let (tags, notes) = stored.engine.tags(Table::Spans, Range::ALL).await.expect("tags");
    assert_eq!(notes, Notes::default());
    let span_keys: Vec<&str> = tags.iter().filter(|tag| tag.scope == "span").map(|tag| tag.key.as_str()).collect();
    assert_eq!(span_keys, ["a.b", "a.bc", "kind"]);
    assert!(tags.contains(&Tag { scope: "resource".to_owned(), key: "service.name".to_owned() }));
    assert!(tags.contains(&Tag { scope: "intrinsic".to_owned(), key: "service".to_owned() }));

    for (asked, wanted, more) in [
        (("a.b", "", 10), vec!["one", "other"], false),
        (("a.b", "ot", 10), vec!["other"], false),
        (("a.b", "", 1), vec!["one"], true),
        (("kind", "", 10), vec!["client", "odd", "server"], false),
        (("service", "", 10), vec!["svc"], false),
        (("unknown", "", 10), vec![], false),
    ] {
        let (key, prefix, limit) = asked;
        let found = stored.engine.tag_values(Table::Spans, key, Range::ALL, prefix, limit).await.expect(key);
        assert_eq!((found.values, found.more), (wanted.iter().map(ToString::to_string).collect(), more), "{key}");
    }
}

#[tokio::test]
async fn long_values_are_cut_and_told() {
    let long = "v".repeat(MAX_TAG_BYTES + 44);
    let stored = Stored::with(Limits::default(), &[&[with(1, 2, &[("k", &long), ("short", "v")])]]).await;
    let found = stored.engine.tag_values(Table::Spans, "k", Range::ALL, "", 10).await.expect("values");
    assert_eq!(found.values, [&long[..MAX_TAG_BYTES]]);
    assert_eq!(found.notes.warnings.len(), 1, "{:?}", found.notes);
    let short = stored.engine.tag_values(Table::Spans, "short", Range::ALL, "", 10).await.expect("values");
    assert!(short.notes.warnings.is_empty(), "{:?}", short.notes);
}

#[tokio::test]
async fn listing_ends_at_the_deadline() {
    let limits = Limits { deadline: std::time::Duration::ZERO, ..Limits::default() };
    let stored = Stored::with(limits, &[&[with(1, 2, &[("k", "v")])]]).await;
    let tags = stored.engine.tags(Table::Spans, Range::ALL).await;
    assert!(matches!(tags, Err(QueryError::Timeout(_))), "{tags:?}");
    let values = stored.engine.tag_values(Table::Spans, "k", Range::ALL, "", 10).await;
    assert!(matches!(values, Err(QueryError::Timeout(_))), "{values:?}");
}
