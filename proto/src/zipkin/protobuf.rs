//! Zipkin's protobuf: `ListOfSpans` of zipkin.proto3, read into the same spans as its JSON.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use prost::Message;

use super::{Annotation, Endpoint, Kind, Span};

#[derive(Clone, PartialEq, Message)]
struct ListOfSpans {
    #[prost(message, repeated, tag = "1")]
    spans: Vec<WireSpan>,
}

#[derive(Clone, PartialEq, Message)]
struct WireSpan {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    parent_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    id: Vec<u8>,
    #[prost(int32, tag = "4")]
    kind: i32,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(fixed64, tag = "6")]
    timestamp: u64,
    #[prost(uint64, tag = "7")]
    duration: u64,
    #[prost(message, optional, tag = "8")]
    local_endpoint: Option<WireEndpoint>,
    #[prost(message, optional, tag = "9")]
    remote_endpoint: Option<WireEndpoint>,
    #[prost(message, repeated, tag = "10")]
    annotations: Vec<WireAnnotation>,
    #[prost(map = "string, string", tag = "11")]
    tags: HashMap<String, String>,
    #[prost(bool, tag = "12")]
    debug: bool,
    #[prost(bool, tag = "13")]
    shared: bool,
}

#[derive(Clone, PartialEq, Message)]
struct WireEndpoint {
    #[prost(string, tag = "1")]
    service_name: String,
    #[prost(bytes = "vec", tag = "2")]
    ipv4: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    ipv6: Vec<u8>,
    #[prost(int32, tag = "4")]
    port: i32,
}

#[derive(Clone, PartialEq, Message)]
struct WireAnnotation {
    #[prost(fixed64, tag = "1")]
    timestamp: u64,
    #[prost(string, tag = "2")]
    value: String,
}

/// The spans of a `ListOfSpans`.
///
/// # Errors
/// Why the bytes are none.
pub fn list_of_spans(bytes: &[u8]) -> Result<Vec<Span>, String> {
    let list = ListOfSpans::decode(bytes).map_err(|error| error.to_string())?;
    Ok(list.spans.into_iter().map(span).collect())
}

fn span(wire: WireSpan) -> Span {
    Span {
        trace_id: hex::encode(wire.trace_id),
        id: hex::encode(wire.id),
        parent_id: (!wire.parent_id.is_empty()).then(|| hex::encode(wire.parent_id)),
        kind: match wire.kind {
            1 => Some(Kind::Client),
            2 => Some(Kind::Server),
            3 => Some(Kind::Producer),
            4 => Some(Kind::Consumer),
            _ => None,
        },
        name: Some(wire.name).filter(|name| !name.is_empty()),
        timestamp: Some(wire.timestamp).filter(|time| *time > 0),
        duration: Some(wire.duration).filter(|time| *time > 0),
        local_endpoint: wire.local_endpoint.map(endpoint),
        remote_endpoint: wire.remote_endpoint.map(endpoint),
        annotations: Some(
            wire.annotations
                .into_iter()
                .map(|sent| Annotation { timestamp: sent.timestamp, value: sent.value })
                .collect(),
        ),
        tags: Some(wire.tags.into_iter().collect()),
        debug: Some(wire.debug),
        shared: Some(wire.shared),
        binary_annotations: None,
    }
}

fn endpoint(wire: WireEndpoint) -> Endpoint {
    let v4 = <[u8; 4]>::try_from(wire.ipv4).ok().map(|ip| Ipv4Addr::from(ip).to_string());
    let v6 = <[u8; 16]>::try_from(wire.ipv6).ok().map(|ip| Ipv6Addr::from(ip).to_string());
    Endpoint { service_name: Some(wire.service_name), ipv4: v4, ipv6: v6, port: u16::try_from(wire.port).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_as_its_json_does() {
        let tags = [("k".to_owned(), "v".to_owned())];
        let wire = WireSpan {
            trace_id: vec![0x0a; 16],
            id: vec![0x0b; 8],
            kind: 2,
            name: "get".to_owned(),
            timestamp: 7,
            duration: 3,
            local_endpoint: Some(WireEndpoint {
                service_name: "s".to_owned(),
                ipv4: vec![127, 0, 0, 1],
                ipv6: vec![],
                port: 80,
            }),
            tags: HashMap::from(tags),
            shared: true,
            ..WireSpan::default()
        };
        let bytes = ListOfSpans { spans: vec![wire] }.encode_to_vec();
        let json = serde_json::json!({"traceId": "0a".repeat(16), "id": "0b".repeat(8), "kind": "SERVER", "name": "get",
            "timestamp": 7, "duration": 3, "localEndpoint": {"serviceName": "s", "ipv4": "127.0.0.1", "port": 80},
            "tags": {"k": "v"}, "shared": true, "debug": false, "annotations": []});
        let expected: Span = serde_json::from_value(json).expect("a span");
        assert_eq!(list_of_spans(&bytes).expect("a list"), [expected]);
        assert!(list_of_spans(b"\x0a\xff").is_err());
    }
}
