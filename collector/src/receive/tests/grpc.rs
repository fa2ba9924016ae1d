//! OTLP/gRPC as tonic's generated clients see it.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric};
use prost::Message;
use proto::rpc::Status;
use storage::store::Signal;
use tonic::Code;
use tonic::codec::CompressionEncoding;
use tonic::transport::Channel;

use super::*;

async fn client(server: &Server) -> TraceServiceClient<Channel> {
    soon(TraceServiceClient::connect(format!("http://{}", server.grpc))).await.expect("listening")
}

#[tokio::test]
async fn the_three_services_store_and_acknowledge() {
    let server = Server::start().await;
    let answer = soon(client(&server).await.export(spans(3, 0))).await.expect("stored");
    assert_eq!(answer.into_inner().partial_success, None);

    let scope_logs = vec![ScopeLogs { log_records: vec![LogRecord::default(); 2], ..ScopeLogs::default() }];
    let logs = ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] };
    let mut client = LogsServiceClient::connect(format!("http://{}", server.grpc)).await.expect("listening");
    assert_eq!(soon(client.export(logs)).await.expect("stored").into_inner().partial_success, None);

    let gauge = Gauge { data_points: vec![NumberDataPoint::default()] };
    let metrics = vec![Metric { name: "m".into(), data: Some(metric::Data::Gauge(gauge)), ..Metric::default() }];
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    let metrics = ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }],
    };
    let mut client = MetricsServiceClient::connect(format!("http://{}", server.grpc)).await.expect("listening");
    assert_eq!(soon(client.export(metrics)).await.expect("stored").into_inner().partial_success, None);

    let taken = server.sink.taken.lock().await;
    let signals: Vec<_> = taken.iter().map(|(request, rows)| (request.signal, *rows)).collect();
    assert_eq!(signals, [(Signal::Traces, 3), (Signal::Logs, 2), (Signal::Metrics, 1)]);
}

#[tokio::test]
async fn compressed_messages_are_stored_decompressed() {
    let server = Server::start().await;
    let request = spans(3000, 0);
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        let mut client = client(&server).await.send_compressed(encoding);
        soon(client.export(request.clone())).await.expect("stored");
    }
    assert!(server.bodies().await.iter().all(|body| *body == request.encode_to_vec()));
    assert_eq!(server.rows().await, 6000);
}

#[tokio::test]
async fn many_calls_share_a_connection() {
    let server = Server::start().await;
    let client = client(&server).await;
    let calls = (0..200).map(|_| {
        let mut client = client.clone();
        tokio::spawn(async move { client.export(spans(5, 0)).await })
    });
    for call in calls.collect::<Vec<_>>() {
        soon(call).await.expect("no panic").expect("stored");
    }
    assert_eq!(server.rows().await, 1000);
}

#[tokio::test]
async fn a_partial_success_counts_and_explains() {
    let server = Server::start().await;
    let answer = soon(client(&server).await.export(spans(3, 2))).await.expect("stored");
    let partial = answer.into_inner().partial_success.expect("two rejected");
    assert_eq!(partial.rejected_spans, 2);
    assert!(partial.error_message.starts_with("2 spans rejected: "), "{}", partial.error_message);
    assert_eq!(server.rows().await, 1);
}

#[tokio::test]
async fn overload_is_unavailable_with_a_delay() {
    let server = Server::start().await;
    server.answer(Err(AppendError::Busy { retry_after_s: 3 })).await;
    let refused = soon(client(&server).await.export(spans(1, 0))).await.expect_err("busy");
    assert_eq!(refused.code(), Code::Unavailable);
    let status = Status::decode(refused.details()).expect("grpc-status-details-bin");
    assert_eq!(status.retry_delay(), Some(Duration::from_secs(3)));
}

#[tokio::test]
async fn what_is_too_large_is_refused_for_good() {
    let server = Server::with(Settings { max_message_bytes: 64 << 10, ..Settings::default() }).await;
    let client = client(&server).await;
    for mut client in [client.clone(), client.send_compressed(CompressionEncoding::Gzip)] {
        let refused = soon(client.export(spans(5000, 0))).await.expect_err("too large");
        assert_eq!((refused.code(), refused.details()), (Code::ResourceExhausted, &b""[..]));
    }
    assert_eq!(server.rows().await, 0);
}

#[tokio::test]
async fn what_is_broken_or_not_served_is_told_apart() {
    let server = Server::start().await;
    let traces = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    for (path, body, code) in [
        ("/opentelemetry.proto.collector.profiles.v1.ProfilesService/Export", &b"\0\0\0\0\0"[..], "12"),
        (traces, b"", "3"),
        (traces, b"\0\0\0", "3"),
        (traces, b"\0\0\0\0\x07garbage", "3"),
        (traces, b"\0\0\0\0\x09short", "3"),
        (traces, b"\0\0\0\0\0more", "3"),
        (traces, b"\x01\0\0\0\x01x", "3"),
        (traces, b"\0\xff\xff\xff\xff", "8"),
        (traces, b"\0\0\0\0\0", "0"),
    ] {
        // HTTP/1 is not gRPC, but the framing is the same and any bytes can be sent.
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(server.grpc).await.expect("listening");
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/grpc\r\n\
             TE: trailers\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let request = [head.as_bytes(), body].concat();
        stream.write_all(&request).await.expect("writes");
        let mut reply = String::new();
        soon(stream.read_to_string(&mut reply)).await.expect("an answer");
        if code == "0" {
            assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
        } else {
            assert!(reply.contains(&format!("grpc-status: {code}\r\n")), "{body:?}: {reply}");
        }
    }
}
