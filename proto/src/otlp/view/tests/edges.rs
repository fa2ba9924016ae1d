//! Single cases: broken, cut, merged, nested, unknown.

use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::super::{AnyValue, Encoding, Fault, HistogramPoint, KeyValue, Malformed, Resource, ScopeSpans, Span, View};
use super::super::{Fixed64, NotWithin, ResourceSpans, TraceRequest};
use crate::otlp::messages::common::v1 as common;
use crate::otlp::messages::trace::v1 as trace;

pub(super) fn delimited(number: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_key(number, WireType::LengthDelimited, &mut bytes);
    encode_varint(content.len() as u64, &mut bytes);
    bytes.extend_from_slice(content);
    bytes
}

fn varint(number: u32, value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_key(number, WireType::Varint, &mut bytes);
    encode_varint(value, &mut bytes);
    bytes
}

fn named(name: &[u8]) -> Vec<u8> {
    delimited(5, name)
}

fn fault(bytes: &[u8]) -> Malformed {
    Span::from_bytes(bytes).expect_err("malformed")
}

#[test]
fn an_empty_request_has_nothing_in_it() {
    let request = TraceRequest::from_bytes(b"").expect("valid");
    assert!(request.resource_spans.is_empty());
    assert!(request.resource_spans.iter().next().is_none());
}

#[test]
fn a_broken_span_costs_only_itself() {
    let broken = [named(b"broken"), vec![0x0a, 0x7f]].concat();
    let scope = [delimited(2, &named(b"one")), delimited(2, &broken), delimited(2, &named(b"three"))].concat();
    let request = delimited(1, &delimited(2, &scope));
    let request = TraceRequest::from_bytes(&request).expect("framing holds");
    let resource = request.resource_spans.iter().next().expect("one").expect("valid");
    let scope = resource.scope_spans.iter().next().expect("one").expect("valid");
    assert_eq!(scope.spans.len(), 3);
    let spans: Vec<_> = scope.spans.iter().map(|span| span.map(|span| span.name.to_lossy())).collect();
    assert_eq!(spans[0].as_deref(), Ok("one"));
    // 4 bytes of keys and lengths around the scope, 7 of the first span, 2 of the second, 8 of its name, its key.
    assert_eq!(spans[1], Err(Malformed { offset: 4 + 7 + 2 + 8 + 1, fault: Fault::Truncated }));
    assert_eq!(spans[2].as_deref(), Ok("three"));
}

#[test]
fn a_broken_attribute_is_reported_where_it_is() {
    let span = [delimited(9, &[0x0a]), named(b"x")].concat();
    let span = Span::from_bytes(&span).expect("framing holds");
    assert_eq!(span.name.as_str(), Ok("x"));
    let attribute = span.attributes.iter().next().expect("one");
    assert_eq!(attribute.expect_err("broken"), Malformed { offset: 3, fault: Fault::Truncated });
}

#[test]
fn text_that_is_not_utf8_is_reported_and_kept_as_bytes() {
    let bytes = named(b"a\xffb");
    let span = Span::from_bytes(&bytes).expect("valid");
    assert!(span.name.as_str().is_err());
    assert_eq!(span.name.bytes(), b"a\xffb");
    assert_eq!(span.name.to_lossy(), "a\u{fffd}b");
}

#[test]
fn the_last_value_wins_and_unknown_fields_are_skipped() {
    let bytes = [named(b"a"), varint(6, 1), varint(99, 7), delimited(98, b"zz"), named(b"b"), varint(6, 3)].concat();
    let span = Span::from_bytes(&bytes).expect("valid");
    assert_eq!((span.name.as_str(), span.kind), (Ok("b"), 3));
}

#[test]
fn groups_are_skipped() {
    let mut bytes = Vec::new();
    encode_key(77, WireType::StartGroup, &mut bytes);
    bytes.extend(
        [varint(1, 300), delimited(2, b"xy"), vec![0x1d, 1, 2, 3, 4], vec![0x21, 1, 2, 3, 4, 5, 6, 7, 8]].concat(),
    );
    encode_key(78, WireType::StartGroup, &mut bytes);
    encode_key(78, WireType::EndGroup, &mut bytes);
    encode_key(77, WireType::EndGroup, &mut bytes);
    bytes.extend(named(b"after"));
    assert_eq!(Span::from_bytes(&bytes).expect("valid").name.as_str(), Ok("after"));
}

#[test]
fn unbalanced_and_deep_groups_are_malformed() {
    let mut open = Vec::new();
    encode_key(77, WireType::StartGroup, &mut open);
    assert_eq!(fault(&open).fault, Fault::Truncated);
    let mut crossed = open.clone();
    encode_key(78, WireType::EndGroup, &mut crossed);
    assert_eq!(fault(&crossed).fault, Fault::UnbalancedGroup);
    let mut end = Vec::new();
    encode_key(77, WireType::EndGroup, &mut end);
    assert_eq!(fault(&end), Malformed { offset: 0, fault: Fault::UnbalancedGroup });
    assert_eq!(fault(&open.repeat(100_000)).fault, Fault::DeepGroup);
}

#[test]
fn a_wrong_wire_type_is_malformed() {
    let error = fault(&[named(b"ab"), varint(7, 1)].concat());
    let expected = Fault::Mismatch { field: 7, expected: Encoding::Fixed64, found: Encoding::Varint };
    assert_eq!(error, Malformed { offset: 4, fault: expected });
    assert_eq!(error.to_string(), "malformed protobuf at byte 4: field 7 has wire type varint, expected 64-bit");
    assert!(matches!(fault(&varint(9, 1)).fault, Fault::Mismatch { field: 9, .. }));
}

#[test]
fn bad_keys_and_varints_are_malformed() {
    assert_eq!(fault(&[0x00]).fault, Fault::FieldNumber);
    assert_eq!(fault(&[0xff, 0xff, 0xff, 0xff, 0x7f]).fault, Fault::FieldNumber);
    assert_eq!(fault(&[0x0e]).fault, Fault::WireType(6));
    assert_eq!(fault(&[0x30, 0xff]).fault, Fault::Truncated);
    assert_eq!(fault(&[[0x30].as_slice(), &[0xff; 10]].concat()).fault, Fault::LongVarint);
    assert_eq!(fault(&[0x39, 1, 2, 3]).fault, Fault::Truncated);
    assert_eq!(fault(&[0x2a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]).fault, Fault::Truncated);
}

#[test]
fn every_truncation_is_an_error_or_a_shorter_message() {
    let span = trace::Span {
        name: "checkout".into(),
        trace_id: vec![1; 16],
        attributes: vec![common::KeyValue { key: "k".into(), value: None, key_strindex: 0 }; 3],
        status: Some(trace::Status { message: "bad".into(), code: 2 }),
        ..Default::default()
    };
    let bytes = span.encode_to_vec();
    for end in 0..bytes.len() {
        assert_eq!(Span::from_bytes(&bytes[..end]).is_ok(), trace::Span::decode(&bytes[..end]).is_ok(), "{end}");
    }
}

#[test]
fn a_resource_sent_in_pieces_is_merged() {
    let pair = |key: &[u8]| delimited(1, &delimited(1, key));
    let pieces = [
        delimited(1, &[pair(b"a"), pair(b"b")].concat()),
        delimited(3, b"url"),
        delimited(1, &varint(2, 9)),
        delimited(1, &pair(b"c")),
    ];
    let bytes = pieces.concat();
    let view = ResourceSpans::from_bytes(&bytes).expect("valid");
    let keys: Vec<_> = view.resource.attributes.iter().map(|pair| pair.expect("valid").key.to_lossy()).collect();
    assert_eq!(keys, ["a", "b", "c"]);
    assert_eq!((view.resource.dropped_attributes_count, view.schema_url.as_str()), (9, Ok("url")));
}

#[test]
fn a_list_sent_in_pieces_is_merged_and_another_kind_replaces_it() {
    let element = |value: u64| delimited(1, &varint(3, value));
    let ints = |value: &AnyValue<'_>| match value {
        AnyValue::Array(values) => {
            values.iter().map(|value| if let Ok(AnyValue::Int(int)) = value { int } else { -1 }).collect()
        }
        _ => vec![],
    };
    let pieces =
        [delimited(5, &element(1)), delimited(5, b""), delimited(5, &[element(2), element(3)].concat())].concat();
    assert_eq!(ints(&AnyValue::from_bytes(&pieces).expect("valid")), [1, 2, 3]);
    let replaced = [delimited(5, &element(1)), delimited(1, b"text"), delimited(5, &element(2))].concat();
    assert_eq!(ints(&AnyValue::from_bytes(&replaced).expect("valid")), [2]);
    // The same through a `value` that itself comes in two pieces.
    let pair = [delimited(2, &delimited(5, &element(1))), delimited(2, &delimited(5, &element(2)))].concat();
    assert_eq!(ints(&KeyValue::from_bytes(&pair).expect("valid").value), [1, 2]);
}

#[test]
fn the_pieces_of_a_message_are_bounded() {
    let piece = delimited(1, &delimited(1, b""));
    let read =
        |count: usize| ResourceSpans::from_bytes(&piece.repeat(count)).map(|view| view.resource.attributes.len());
    assert_eq!(read(1024), Ok(1024));
    assert_eq!(read(1025).expect_err("too many").fault, Fault::ManyPieces);
}

#[test]
fn depth_is_measured_up_to_a_limit() {
    let nested = |depth: usize| (0..depth).fold(varint(3, 1), |inner, _| delimited(5, &delimited(1, &inner)));
    let check = |depth, limit| AnyValue::from_bytes(&nested(depth)).expect("valid").check_depth(limit);
    assert_eq!(check(0, 0), Ok(()));
    assert_eq!(check(64, 64), Ok(()));
    assert_eq!(check(65, 64), Err(NotWithin::TooDeep(64)));
    assert_eq!(check(10_000, 64), Err(NotWithin::TooDeep(64)));
    let broken = delimited(6, &delimited(1, &[0x0a]));
    let error = AnyValue::from_bytes(&broken).expect("framing holds").check_depth(64);
    assert_eq!(error, Err(NotWithin::Malformed(Malformed { offset: 5, fault: Fault::Truncated })));
}

#[test]
fn packed_and_single_numbers_mix() {
    let fixed = |value: u64| [&[0x31], value.to_le_bytes().as_slice()].concat();
    let packed = delimited(6, &[1_u64.to_le_bytes(), 2_u64.to_le_bytes()].concat());
    let bytes = [packed.clone(), fixed(3), varint(10, 5), delimited(6, b""), packed, fixed(4)].concat();
    let point = HistogramPoint::from_bytes(&bytes).expect("valid");
    let counts: Vec<u64> = point.bucket_counts.iter().map(|Fixed64(count)| count).collect();
    assert_eq!(counts, [1, 2, 3, 1, 2, 4]);
    assert_eq!((point.bucket_counts.len(), point.flags), (6, 5));
    let odd = HistogramPoint::from_bytes(&delimited(7, b"12345")).expect_err("odd");
    assert_eq!(odd.fault, Fault::PackedLength { field: 7 });
}

#[test]
fn kinds_of_values_of_other_signals_are_marked() {
    let bytes = [varint(3, 4), delimited(2, &varint(8, 12))].concat();
    let pair = KeyValue::from_bytes(&bytes).expect("valid");
    assert_eq!(pair.key_strindex, 4);
    assert!(matches!(pair.value, AnyValue::StringIndex(12)));
}

#[test]
fn views_of_empty_bytes_are_defaults() {
    assert!(Resource::from_bytes(b"").expect("valid").attributes.is_empty());
    assert_eq!(ScopeSpans::from_bytes(b"").expect("valid").spans.len(), 0);
    assert!(matches!(AnyValue::from_bytes(b""), Ok(AnyValue::Empty)));
}
