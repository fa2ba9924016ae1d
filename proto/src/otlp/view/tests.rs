//! The views against the generated messages, and the edges of the wire format.

mod edges;
mod fill;
mod generate;
mod owned;

use proptest::prelude::*;
use prost::Message as _;

use self::fill::Fill;
use self::owned::Owned;
use super::{KeyValue, LogsRequest, Message, MetricsRequest, TraceRequest, View};
use crate::otlp::messages::collector::logs::v1::ExportLogsServiceRequest;
use crate::otlp::messages::collector::metrics::v1::ExportMetricsServiceRequest;
use crate::otlp::messages::collector::trace::v1::ExportTraceServiceRequest;
use crate::otlp::messages::common::v1::{self as common, AnyValue, any_value::Value};

/// Where prost reads `bytes`, the view reads the same; where it does not, the view ends without panic.
///
/// prost is stricter: it also checks what a later field replaces. Compared as bytes, since NaN differs from itself.
fn agree<'a, V, M>(bytes: &'a [u8]) -> Result<(), TestCaseError>
where
    V: View<'a> + Owned<M>,
    M: prost::Message + Default + Fill + std::fmt::Debug,
{
    let read = V::from_bytes(bytes).map_err(Into::into).and_then(|view| view.owned());
    if let Ok(mut expected) = M::decode(bytes) {
        expected.fill();
        let read = read.map_err(|error| TestCaseError::fail(format!("prost reads it, the view does not: {error}")))?;
        prop_assert_eq!(read.encode_to_vec(), expected.encode_to_vec(), "{:?}\n{:?}", read, expected);
    }
    Ok(())
}

fn agree_all(bytes: &[u8]) -> Result<(), TestCaseError> {
    agree::<TraceRequest<'_>, ExportTraceServiceRequest>(bytes)?;
    agree::<LogsRequest<'_>, ExportLogsServiceRequest>(bytes)?;
    agree::<MetricsRequest<'_>, ExportMetricsServiceRequest>(bytes)
}

/// A change of the bytes at a place between 0 and 1 of their length.
#[derive(Clone, Debug)]
enum Mutation {
    Set(u8),
    Insert(Vec<u8>),
    Remove(usize),
    Truncate,
    /// Copies a stretch to another place: what is sent once comes twice.
    Copy(usize, f64),
}

fn mutations() -> impl Strategy<Value = Vec<(f64, Mutation)>> {
    let mutation = prop_oneof![
        any::<u8>().prop_map(Mutation::Set),
        proptest::collection::vec(any::<u8>(), 1..6).prop_map(Mutation::Insert),
        (1_usize..9).prop_map(Mutation::Remove),
        Just(Mutation::Truncate),
        (1_usize..60, 0.0..1.0).prop_map(|(length, to)| Mutation::Copy(length, to)),
    ];
    proptest::collection::vec((0.0..1.0, mutation), 1..4)
}

fn mutate(mut bytes: Vec<u8>, mutations: Vec<(f64, Mutation)>) -> Vec<u8> {
    for (place, mutation) in mutations {
        let at = |place: f64| (bytes.len() as f64 * place) as usize;
        let (start, rest) = (at(place), bytes.len() - at(place));
        match mutation {
            Mutation::Set(value) => bytes.iter_mut().skip(start).take(1).for_each(|byte| *byte = value),
            Mutation::Insert(new) => drop(bytes.splice(start..start, new)),
            Mutation::Remove(count) => drop(bytes.drain(start..start + count.min(rest))),
            Mutation::Truncate => bytes.truncate(start),
            Mutation::Copy(length, to) => {
                let (to, copy) = (at(to), bytes[start..start + length.min(rest)].to_vec());
                drop(bytes.splice(to..to, copy));
            }
        }
    }
    bytes
}

fn encoded(value: Value) -> Vec<u8> {
    AnyValue { value: Some(value) }.encode_to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn traces_agree_with_prost(request in generate::traces()) {
        let bytes = request.encode_to_vec();
        TraceRequest::from_bytes(&bytes).map_err(|error| TestCaseError::fail(error.to_string()))?;
        agree::<TraceRequest<'_>, ExportTraceServiceRequest>(&bytes)?;
    }

    /// Most attributes are read in one look, by the shape of their bytes; it must see what reading field by field
    /// sees, and refuse no less.
    #[test]
    fn attributes_read_in_one_look_agree_with_those_read_by_field(
        key in "[a-z]{0,8}|[a-z]{120,130}",
        value in prop_oneof![
            "[a-z]{0,8}|[a-z]{120,130}".prop_map(Value::StringValue).prop_map(encoded),
            prop_oneof![-2..200i64, any::<i64>()].prop_map(Value::IntValue).prop_map(encoded),
            any::<bool>().prop_map(Value::BoolValue).prop_map(encoded),
            any::<f64>().prop_map(Value::DoubleValue).prop_map(encoded),
            proptest::collection::vec(prop::sample::select(b"\x0a\x10\x18\x01\x02\x05\x80\x81".to_vec()), 0..5),
        ],
        mutations in prop_oneof![Just(Vec::new()), mutations()],
    ) {
        let key = common::KeyValue { key, ..Default::default() }.encode_to_vec();
        let bytes = mutate([key, edges::delimited(2, &value)].concat(), mutations);
        let mut by_field = KeyValue::default();
        let expected = by_field.merge(Message::root(&bytes)).map(|()| by_field);
        prop_assert_eq!(format!("{:?}", KeyValue::from_bytes(&bytes)), format!("{expected:?}"));
    }

    #[test]
    fn logs_agree_with_prost(request in generate::logs()) {
        agree::<LogsRequest<'_>, ExportLogsServiceRequest>(&request.encode_to_vec())?;
    }

    #[test]
    fn metrics_agree_with_prost(request in generate::metrics()) {
        agree::<MetricsRequest<'_>, ExportMetricsServiceRequest>(&request.encode_to_vec())?;
    }

    /// Protobuf merges messages by concatenation: two requests behind each other are one.
    #[test]
    fn concatenated_requests_agree_with_prost(one in generate::traces(), two in generate::traces()) {
        let bytes = [one.encode_to_vec(), two.encode_to_vec()].concat();
        agree::<TraceRequest<'_>, ExportTraceServiceRequest>(&bytes)?;
    }

    #[test]
    fn mutated_traces_agree_with_prost(request in generate::traces(), mutations in mutations()) {
        agree_all(&mutate(request.encode_to_vec(), mutations))?;
    }

    #[test]
    fn mutated_metrics_agree_with_prost(request in generate::metrics(), mutations in mutations()) {
        agree_all(&mutate(request.encode_to_vec(), mutations))?;
    }

    #[test]
    fn mutated_logs_agree_with_prost(request in generate::logs(), mutations in mutations()) {
        agree_all(&mutate(request.encode_to_vec(), mutations))?;
    }

    #[test]
    fn arbitrary_bytes_agree_with_prost(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        agree_all(&bytes)?;
    }

    /// Small numbers make many valid keys and lengths, so that this one gets deep.
    #[test]
    fn arbitrary_small_bytes_agree_with_prost(bytes in proptest::collection::vec(0_u8..24, 0..60)) {
        agree_all(&bytes)?;
    }
}
