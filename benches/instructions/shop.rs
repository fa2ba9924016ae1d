//! Spans and log lines of a shop: attributes by the semantic conventions, a few hundred bytes each.

use bytes::Bytes;
use proto::Message;
use proto::otlp::messages::collector::logs::v1::ExportLogsServiceRequest;
use proto::otlp::messages::collector::trace::v1::ExportTraceServiceRequest;
use proto::otlp::messages::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use proto::otlp::messages::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use proto::otlp::messages::resource::v1::Resource;
use proto::otlp::messages::trace::v1::span::Event;
use proto::otlp::messages::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::hot::BATCH;
use crate::stored::START;

const SERVICES: [&str; 6] = ["frontend", "cart", "checkout", "payment", "product-catalog", "shipping"];
const SCOPE: &str = "io.opentelemetry.grpc-1.6";

/// Requests of spans: HTTP and gRPC servers and clients, databases, a queue; 1 in 100 failed.
pub(crate) fn spans(requests: usize) -> Vec<Bytes> {
    let mut random = SmallRng::seed_from_u64(11);
    let one = |random: &mut SmallRng| {
        let mut by_service: [Vec<Span>; SERVICES.len()] = Default::default();
        for number in 0..BATCH {
            by_service[number % SERVICES.len()].push(span(random, number));
        }
        let resource_spans = by_service
            .into_iter()
            .zip(SERVICES)
            .map(|(spans, service)| ResourceSpans {
                resource: Some(resource(service)),
                scope_spans: vec![ScopeSpans { scope: Some(scope()), spans, ..ScopeSpans::default() }],
                ..ResourceSpans::default()
            })
            .collect();
        ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
    };
    (0..requests).map(|_| one(&mut random)).collect()
}

/// Requests of log lines of six forms, one of them Chinese, some of them part of a trace.
pub(crate) fn logs(requests: usize) -> Vec<Bytes> {
    let mut random = SmallRng::seed_from_u64(12);
    let one = |random: &mut SmallRng| {
        let each = |service| ResourceLogs {
            resource: Some(resource(service)),
            scope_logs: vec![ScopeLogs {
                scope: Some(scope()),
                log_records: (0..BATCH / SERVICES.len()).map(|number| line(random, number)).collect(),
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        };
        ExportLogsServiceRequest { resource_logs: SERVICES.map(each).into() }.encode_to_vec().into()
    };
    (0..requests).map(|_| one(&mut random)).collect()
}

fn span(random: &mut SmallRng, number: usize) -> Span {
    let start = START + number as u64 * 1_000_000;
    let failed = random.random_ratio(1, 100);
    let (name, kind, attributes) = call(random, number / SERVICES.len() % 5);
    let exception = Event {
        time_unix_nano: start + 1000,
        name: "exception".to_owned(),
        attributes: vec![
            text("exception.type", "java.net.SocketTimeoutException"),
            text("exception.message", "Read timed out\n\tat \"client\""),
        ],
        ..Event::default()
    };
    Span {
        trace_id: random.random::<[u8; 16]>().to_vec(),
        span_id: random.random::<[u8; 8]>().to_vec(),
        parent_span_id: random.random::<[u8; 8]>().to_vec(),
        flags: 0x101,
        name,
        kind,
        start_time_unix_nano: start,
        end_time_unix_nano: start + random.random_range(100_000..50_000_000),
        attributes,
        events: failed.then_some(exception).into_iter().collect(),
        status: failed.then(|| Status { code: 2, message: "Read timed out".to_owned() }),
        ..Span::default()
    }
}

/// Name, kind and attributes of a span.
fn call(random: &mut SmallRng, form: usize) -> (String, i32, Vec<KeyValue>) {
    let id = random.random_range(0..100_000);
    let product = format!("product-{}", random.random_range(0..1000));
    match form {
        0 => {
            let attributes = vec![
                text("http.request.method", "GET"),
                text("http.route", "/api/products/{id}"),
                text("url.path", &format!("/api/products/{product}")),
                text("url.scheme", "http"),
                int("http.response.status_code", 200),
                text("server.address", "frontend"),
                int("server.port", 8080),
                text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)"),
                text("client.address", &format!("10.0.{}.{}", id % 256, id / 256 % 256)),
            ];
            ("GET /api/products/{id}".to_owned(), 2, attributes)
        }
        1 | 2 => {
            let attributes = vec![
                text("rpc.system", "grpc"),
                text("rpc.service", "oteldemo.ProductCatalogService"),
                text("rpc.method", "GetProduct"),
                int("rpc.grpc.status_code", 0),
                text("server.address", "product-catalog"),
                int("server.port", 3550),
                text("app.product.id", &product),
            ];
            ("oteldemo.ProductCatalogService/GetProduct".to_owned(), 1 + form as i32, attributes)
        }
        3 => {
            let attributes = vec![
                text("db.system.name", "postgresql"),
                text("db.namespace", "catalog"),
                text("db.operation.name", "SELECT"),
                text("db.collection.name", "products"),
                text("db.query.text", "SELECT id, name, price FROM products WHERE id = $1"),
                text("server.address", "postgres"),
                int("server.port", 5432),
            ];
            ("SELECT products".to_owned(), 3, attributes)
        }
        _ => {
            let attributes = vec![
                text("messaging.system", "kafka"),
                text("messaging.destination.name", "orders"),
                text("messaging.operation.type", "publish"),
                int("messaging.kafka.message.offset", id),
                int("app.order.items.count", id % 7),
                text("app.order.id", &format!("{:032x}", random.random::<u128>())),
            ];
            ("orders publish".to_owned(), 4, attributes)
        }
    }
}

fn line(random: &mut SmallRng, number: usize) -> LogRecord {
    let (id, code) = (random.random_range(0..100_000), random.random_range(200..600));
    let traced = random.random_ratio(1, 2);
    let body = match number % 6 {
        0 => format!("Received block blk_{id} of size {} from /10.251.{}.{}", id * 7, id % 256, id % 199),
        1 => format!("GET /api/products/{id} HTTP/1.1 {code} {}ms \"Mozilla/5.0\"", id % 900),
        2 => format!("session opened for user root by (uid={id}), tty=/dev/pts/{}", id % 8),
        3 => format!("库存不足: 商品 {id} 剩余 {} 件, 订单已取消", id % 20),
        4 => format!("order {id} placed by customer {} in {} ms, total {}.99 EUR", id % 5000, id % 300, id % 400),
        _ => format!("connection to db-{}.internal:5432 reset by peer after {id} ms, retrying", id % 4),
    };
    let attributes =
        vec![text("thread.name", &format!("worker-{}", id % 16)), int("line", id % 700), text("logger", "shop.Orders")];
    LogRecord {
        time_unix_nano: START + number as u64 * 1_000_000,
        observed_time_unix_nano: START + number as u64 * 1_000_000 + 500,
        severity_number: if code >= 500 { 17 } else { 9 },
        severity_text: if code >= 500 { "ERROR" } else { "INFO" }.to_owned(),
        body: Some(AnyValue { value: Some(Value::StringValue(body)) }),
        attributes,
        trace_id: if traced { random.random::<[u8; 16]>().to_vec() } else { Vec::new() },
        span_id: if traced { random.random::<[u8; 8]>().to_vec() } else { Vec::new() },
        ..LogRecord::default()
    }
}

fn resource(service: &str) -> Resource {
    let attributes = vec![
        text("service.name", service),
        text("service.namespace", "shop"),
        text("service.version", "1.12.0"),
        text("service.instance.id", &format!("{service}-5d8f7c9b4-x2x7k")),
        text("deployment.environment.name", "production"),
        text("telemetry.sdk.language", "java"),
        text("k8s.pod.name", &format!("{service}-5d8f7c9b4-x2x7k")),
    ];
    Resource { attributes, ..Resource::default() }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope { name: SCOPE.to_owned(), version: "2.9.0".to_owned(), ..InstrumentationScope::default() }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
