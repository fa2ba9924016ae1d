//! Round trips of typed JSON text.

use proptest::prelude::*;

use super::*;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter("NaN is not equal to itself", |d| !d.is_nan()).prop_map(Value::Double),
        any::<String>().prop_map(Value::String),
        any::<Vec<u8>>().prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((key(), inner), 0..6).prop_map(Value::Map),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]", r"\$(bytes|double|kvlist)", any::<String>()]
}

proptest! {
    #[test]
    fn what_is_written_reads_back(attributes in prop::collection::vec((key(), value()), 0..8)) {
        let mut text = String::new();
        write_object(&mut text, &attributes);
        prop_assert_eq!(parse_object(&text), Ok(attributes.clone()));
        let keys: Vec<_> = entries(&text).map(|(key, _)| key.into_owned()).collect();
        prop_assert_eq!(keys, attributes.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>());
        if let Some((key, first)) = attributes.first() {
            prop_assert_eq!(parse_value(find(&text, key).expect("first key")), Ok(first.clone()));
        }
        prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "not JSON: {}", text);
    }

    #[test]
    fn damaged_text_never_panics(text in any::<String>()) {
        let _ = (parse_object(&text), parse_value(&text), parse_events(&text), parse_links(&text));
        let _ = entries(&text).count();
    }
}

#[test]
fn numbers_keep_their_type() {
    let attributes = vec![
        ("int".to_owned(), Value::Int(1)),
        ("double".to_owned(), Value::Double(1.0)),
        ("large".to_owned(), Value::Double(1e300)),
        ("infinite".to_owned(), Value::Double(f64::NEG_INFINITY)),
    ];
    let mut text = String::new();
    write_object(&mut text, &attributes);
    assert_eq!(text, r#"{"int":1,"double":1.0,"large":1e300,"infinite":{"$double":"-Infinity"}}"#);
    assert_eq!(parse_object(&text), Ok(attributes));
    let mut nan = String::new();
    push_double(&mut nan, f64::NAN);
    assert!(matches!(parse_value(&nan), Ok(Value::Double(d)) if d.is_nan()));
}

#[test]
fn events_and_links_read_back() {
    let events = vec![Event {
        time: u64::MAX,
        name: "exception".into(),
        attributes: vec![("exception.type".into(), Value::String("超时\n\"".into()))],
        dropped_attributes: 3,
    }];
    let links = vec![Link {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        trace_state: "a=b".into(),
        attributes: vec![],
        dropped_attributes: 0,
        flags: 0x301,
    }];
    let (mut text, mut other) = (String::new(), String::new());
    write_events(&mut text, &events);
    write_links(&mut other, &links);
    assert_eq!(parse_events(&text), Ok(events));
    assert_eq!(parse_links(&other), Ok(links));
}

#[test]
fn text_of_a_value_is_what_people_type() {
    assert_eq!(text_of(r#""a\"b""#), "a\"b");
    assert_eq!(text_of("200"), "200");
    assert_eq!(text_of("true"), "true");
}
