//! OTLP/HTTP as a client sees it.

use std::io::Write;
use std::time::Instant;

use prost::Message;
use proto::rpc::Status;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

pub(super) const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

pub(super) struct Reply {
    pub(super) status: u16,
    head: String,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub(super) async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let mut stream = TcpStream::connect(address).await.expect("listening");
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (key, value) in headers {
        head.push_str(&format!("{key}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.expect("writes the head");
    // A refused body may meet a closed socket; the answer is what counts.
    let _ = stream.write_all(body).await;
    soon(read_reply(stream)).await
}

async fn read_reply(mut stream: TcpStream) -> Reply {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("an answer");
    let split = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head");
    let head = String::from_utf8_lossy(&bytes[..split]).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
    Reply { status, head, body: bytes[split + 4..].to_vec() }
}

async fn post(server: &Server, content_type: &str, encoding: &str, body: &[u8]) -> Reply {
    let headers = [("Content-Type", content_type), ("Content-Encoding", encoding)];
    send(server.http, "POST", "/v1/traces", &headers[..if encoding.is_empty() { 1 } else { 2 }], body).await
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body).expect("a Vec takes every write");
    encoder.finish().expect("a Vec takes every write")
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body).expect("a Vec takes every write");
    encoder.finish().expect("a Vec takes every write")
}

fn zstd(body: &[u8]) -> Vec<u8> {
    zstd::encode_all(body, 1).expect("a slice can be read")
}

#[tokio::test]
async fn a_request_is_stored_then_acknowledged_in_its_own_content_type() {
    let server = Server::start().await;
    let body = spans(3, 0).encode_to_vec();
    let reply = post(&server, PROTOBUF, "", &body).await;
    assert_eq!((reply.status, reply.header("content-type"), &*reply.body), (200, Some(PROTOBUF), &b""[..]));
    let json = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","name":"x"}]}]}]}"#;
    let reply = post(&server, "application/json; charset=utf-8", "", json.as_bytes()).await;
    assert_eq!((reply.status, reply.header("content-type"), reply.text().as_str()), (200, Some(JSON), "{}"));
    assert_eq!((server.bodies().await[0] == body, server.rows().await), (true, 4));
    assert_eq!(server.sink.taken.lock().await[0].0.received, 42);
    assert_eq!(server.counters.traces.accepted.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn every_encoding_gives_the_same_body_and_a_retry_the_same_hash() {
    let server = Server::start().await;
    let body = spans(2000, 0).encode_to_vec();
    for (encoding, sent) in [
        ("identity", body.clone()),
        ("gzip", gzip(&body)),
        ("deflate", deflate(&body)),
        ("zstd", zstd(&body)),
        ("gzip", gzip(&body)),
    ] {
        assert_eq!(post(&server, PROTOBUF, encoding, &sent).await.status, 200, "{encoding}");
    }
    assert!(server.bodies().await.iter().all(|stored| *stored == body));
    let hashes = server.hashes().await;
    assert_eq!(hashes[1], hashes[4]);
    assert_ne!(hashes[0], hashes[1]);
}

#[tokio::test]
async fn methods_paths_and_content_types() {
    let server = Server::start().await;
    for (method, path, content_type, status) in [
        ("GET", "/v1/traces", JSON, 405),
        ("PUT", "/v1/logs", JSON, 405),
        ("GET", "/v1/metrics", "", 405),
        ("POST", "/v1/traces", "", 415),
        ("POST", "/v1/logs", "invalid", 415),
        ("POST", "/v1/metrics", "text/plain", 415),
        ("POST", "/v1/profiles", JSON, 404),
        ("POST", "/", PROTOBUF, 404),
        ("POST", "/v1/traces", JSON, 400),
    ] {
        let headers = [("Content-Type", content_type)];
        let reply = send(server.http, method, path, &headers[..usize::from(!content_type.is_empty())], b"1234").await;
        assert_eq!(reply.status, status, "{method} {path} {content_type}: {}", reply.text());
        if status == 405 {
            assert_eq!(reply.header("allow"), Some("POST"));
        }
    }
    assert_eq!(server.rows().await, 0);
}

#[tokio::test]
async fn errors_are_a_status_in_the_content_type_of_the_request() {
    let server = Server::start().await;
    let reply = post(&server, JSON, "gzip", b"{\"key\": \"value\"}").await;
    assert_eq!((reply.status, reply.header("content-type")), (400, Some(JSON)));
    assert!(reply.text().starts_with(r#"{"code":3,"message":"gzip: "#), "{}", reply.text());
    let reply = post(&server, PROTOBUF, "zstd", b"not zstd").await;
    assert_eq!((reply.status, reply.header("content-type")), (400, Some(PROTOBUF)));
    let status = Status::decode(&*reply.body).expect("a Status");
    assert!(status.code == 3 && status.message.starts_with("zstd: "), "{status:?}");
    for (content_type, body) in
        [(PROTOBUF, &b"garbage"[..]), (JSON, br#"{"resourceSpans":[{"resource":"#), (JSON, b"[1]")]
    {
        assert_eq!(post(&server, content_type, "", body).await.status, 400);
    }
    assert_eq!(server.counters.refused_bad.load(Ordering::Relaxed), 5);
}

#[tokio::test]
async fn nothing_to_store_is_a_success_without_the_store() {
    let server = Server::start().await;
    server.answer(Err(AppendError::Disk("must not be asked".into()))).await;
    assert_eq!(post(&server, PROTOBUF, "", b"").await.status, 200);
    assert_eq!(post(&server, JSON, "", b"{}").await.text(), "{}");
    let reply = post(&server, PROTOBUF, "", &spans(2, 2).encode_to_vec()).await;
    assert_eq!(reply.status, 200);
    assert!(reply.text().contains("2 spans rejected"));
}

#[tokio::test]
async fn a_partial_success_counts_and_explains() {
    let server = Server::start().await;
    let json = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"x"},{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174"}]}]}]}"#;
    let reply = post(&server, JSON, "", json.as_bytes()).await;
    assert_eq!(reply.status, 200);
    let expected = r#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"1 spans rejected: resource 0, scope 0, span 0 \"x\": trace_id has 0 bytes, must be 16"}}"#;
    assert_eq!(reply.text(), expected);
    assert_eq!(server.rows().await, 1);
    assert_eq!(server.counters.traces.rejected.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_is_too_large_is_refused_for_good() {
    let server = Server::with(Settings { max_message_bytes: 1 << 20, ..Settings::default() }).await;
    let bomb = vec![b' '; 200 << 20];
    for (encoding, body) in
        [("gzip", gzip(&bomb)), ("zstd", zstd(&bomb)), ("deflate", deflate(&bomb)), ("", vec![0; (1 << 20) + 1])]
    {
        let reply = post(&server, JSON, encoding, &body).await;
        assert_eq!((reply.status, reply.header("retry-after")), (413, None), "{encoding}");
        assert!(reply.text().starts_with(r#"{"code":8"#), "{}", reply.text());
    }
    assert_eq!(server.counters.refused_too_large.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn compressed_streams_must_be_whole_known_and_of_a_sane_window() {
    let server = Server::start().await;
    let body = spans(50, 0).encode_to_vec();
    for (encoding, sent) in [("gzip", gzip(&body)), ("deflate", deflate(&body)), ("zstd", zstd(&body))] {
        for cut in [0, 1, sent.len() / 2, sent.len() - 1] {
            assert_eq!(post(&server, PROTOBUF, encoding, &sent[..cut]).await.status, 400, "{encoding} cut at {cut}");
        }
    }
    // A frame header that asks for a window of 2 GiB (RFC 8878 §3.1.1.1.2).
    let huge = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00];
    assert_eq!(post(&server, PROTOBUF, "zstd", &huge).await.status, 400);
    for encoding in ["br", "gzip, gzip", "compress"] {
        let reply = post(&server, PROTOBUF, encoding, &gzip(&gzip(&body))).await;
        assert_eq!((reply.status, reply.header("accept-encoding").is_some()), (415, true), "{encoding}");
    }
    // gzip in gzip under one name is a body that is no protobuf.
    assert_eq!(post(&server, PROTOBUF, "gzip", &gzip(&gzip(&body))).await.status, 400);
    assert_eq!(server.rows().await, 0);
}

#[tokio::test]
async fn a_store_that_cannot_take_it_invites_a_retry() {
    let server = Server::start().await;
    let body = spans(1, 0).encode_to_vec();
    server.answer(Err(AppendError::Busy { retry_after_s: 7 })).await;
    let reply = post(&server, PROTOBUF, "", &body).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("7")));
    let status = Status::decode(&*reply.body).expect("a Status");
    assert_eq!((status.code, status.retry_delay()), (14, Some(Duration::from_secs(7))));
    server.answer(Err(AppendError::Disk("No space left on device".into()))).await;
    let reply = post(&server, PROTOBUF, "", &body).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("5")));
    server.answer(Ok(Appended::Duplicate)).await;
    assert_eq!(post(&server, PROTOBUF, "", &body).await.status, 200);
    assert_eq!(server.counters.traces.duplicates.load(Ordering::Relaxed), 1);
    assert_eq!(server.counters.refused_busy.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn memory_in_use_refuses_others_until_it_is_free() {
    let server = Server::with(Settings { budget_bytes: 256 << 10, ..Settings::default() }).await;
    server.sink.gate.forget_permits(1000);
    let large = spans(2000, 0).encode_to_vec();
    let address = server.http;
    let waiting = tokio::spawn({
        let large = large.clone();
        async move { send(address, "POST", "/v1/traces", &[("Content-Type", PROTOBUF)], &large).await.status }
    });
    server.asked().await;
    let small = spans(1, 0).encode_to_vec();
    let refused = post(&server, PROTOBUF, "", &small).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    server.sink.gate.add_permits(1000);
    assert_eq!(soon(waiting).await.expect("no panic"), 200);
    assert_eq!(post(&server, PROTOBUF, "", &small).await.status, 200);
}

#[tokio::test]
async fn slow_and_silent_clients_are_let_go() {
    let patience = Patience {
        first_request: Duration::from_millis(300),
        idle: Duration::from_secs(1),
        body: Duration::from_millis(300),
    };
    let server = Server::with(Settings { patience, ..Settings::default() }).await;
    for sent in ["", "POST /v1/tr", "PRI * HT"] {
        for address in [server.http, server.grpc] {
            let mut stream = TcpStream::connect(address).await.expect("listening");
            stream.write_all(sent.as_bytes()).await.expect("writes");
            let begun = Instant::now();
            let mut rest = Vec::new();
            // Closed or reset: both are the end.
            let _ = soon(stream.read_to_end(&mut rest)).await;
            assert!(begun.elapsed() < Duration::from_secs(5) && rest.is_empty(), "{sent:?}");
        }
    }
    let mut stream = TcpStream::connect(server.http).await.expect("listening");
    let head = format!("POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nContent-Length: 100\r\n\r\n{{");
    stream.write_all(head.as_bytes()).await.expect("writes");
    assert_eq!(soon(read_reply(stream)).await.status, 503);
    assert_eq!(server.counters.refused_slow.load(Ordering::Relaxed), 1);
    assert_eq!(post(&server, PROTOBUF, "", &spans(1, 0).encode_to_vec()).await.status, 200);
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_harms_nobody() {
    let server = Server::start().await;
    for _ in 0..50 {
        let mut stream = TcpStream::connect(server.http).await.expect("listening");
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTOBUF}\r\nContent-Length: 9000\r\n\r\nabc"
        );
        stream.write_all(head.as_bytes()).await.expect("writes");
    }
    assert_eq!(post(&server, PROTOBUF, "", &spans(1, 0).encode_to_vec()).await.status, 200);
    soon(async {
        while server.counters.connections.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(server.rows().await, 1);
}

#[tokio::test]
async fn a_shutdown_answers_what_has_begun() {
    let server = Server::start().await;
    server.sink.gate.forget_permits(1000);
    let body = spans(1, 0).encode_to_vec();
    let address = server.http;
    let waiting =
        tokio::spawn(async move { send(address, "POST", "/v1/traces", &[("Content-Type", PROTOBUF)], &body).await });
    server.asked().await;
    server.stop.send(()).expect("serving");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!server.served.is_finished());
    assert!(TcpStream::connect(server.http).await.is_err());
    server.sink.gate.add_permits(1);
    assert_eq!(soon(waiting).await.expect("no panic").status, 200);
    soon(server.served).await.expect("no panic");
}
