//! Zipkin's routes: what is sent comes back, is found and linked.

use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use storage::store::{Clock, Store};
use storage::tenant::Tenants;

use super::world::{Answer, NOW, TRACE, World, request};
use crate::{Intake, Refused, router};

const BASE: &str = "/zipkin/api/v2";

struct Inlet(collector::Inlet<Store>);

impl Intake for Inlet {
    fn traces(&self, otlp: Bytes, sent: Bytes) -> BoxFuture<'_, Result<String, Refused>> {
        async move { self.0.traces(otlp, &sent).await.map_err(|refused| panic!("{refused:?}")) }.boxed()
    }
}

struct Full;

impl Intake for Full {
    fn traces(&self, _: Bytes, _: Bytes) -> BoxFuture<'_, Result<String, Refused>> {
        let refused = Refused { status: 503, retry_after_s: Some(7), message: "full".to_owned() };
        async move { Err(refused) }.boxed()
    }
}

async fn world() -> World {
    let mut world = World::new().await;
    let settings = collector::Settings { now: || NOW, ..Default::default() };
    let stores = Tenants::only(world.store.clone());
    let inlets = collector::Inlet::for_tenants(&settings, &stores, Arc::default());
    let state = world.state.clone().with_clock(Clock::new(|| NOW));
    world.app = router(&inlets.map(|_, inlet| state.clone().with_intake(Arc::new(Inlet(inlet.clone())))));
    world
}

async fn post(world: &World, kind: &str, body: Vec<u8>) -> Answer {
    let request = request("POST", &format!("{BASE}/spans")).header("content-type", kind);
    world.ask(request.body(Body::from(body)).expect("a request")).await
}

fn spans() -> Value {
    let time = NOW / 1_000;
    json!([
        {"traceId": "000000000000000a", "id": "0000000000000001", "kind": "CLIENT", "name": "get", "timestamp": time, "duration": 9,
         "localEndpoint": {"serviceName": "web", "ipv4": "127.0.0.1"},
         "remoteEndpoint": {"serviceName": "app", "ipv6": "2001:db8::c001", "port": 80},
         "annotations": [{"timestamp": time, "value": "ws"}], "tags": {"error": "", "k": "v"}, "debug": true},
        {"traceId": "000000000000000a", "id": "0000000000000001", "kind": "SERVER", "timestamp": time + 1,
         "localEndpoint": {"serviceName": "app"}, "tags": {"error": "true"}, "shared": true},
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_comes_back_as_it_was() {
    let world = world().await;
    let sent = post(&world, "application/json", spans().to_string().into_bytes()).await;
    assert_eq!((sent.status, sent.text().as_str()), (StatusCode::ACCEPTED, ""));
    assert_eq!(world.json(&format!("{BASE}/trace/a")).await, spans());
    assert_eq!(world.json(&format!("{BASE}/traces?annotationQuery=k%3Dv")).await, json!([spans()]));
    assert_eq!(world.json(&format!("{BASE}/services")).await, json!(["app", "cart", "gateway", "web"]));
    assert_eq!(world.json(&format!("{BASE}/spans?serviceName=WEB")).await, json!(["get"]));
    assert_eq!(world.json(&format!("{BASE}/remoteServices?serviceName=web")).await, json!(["app"]));
    let links = world.json(&format!("{BASE}/dependencies?endTs={}", NOW / 1_000_000)).await;
    let link = |parent: &str, child: &str| json!({"parent": parent, "child": child, "callCount": 1, "errorCount": 1});
    assert_eq!(links, json!([link("gateway", "cart"), link("web", "app")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_of_otlp_are_zipkins_too() {
    let world = world().await;
    let trace = world.json(&format!("{BASE}/trace/{TRACE}")).await;
    assert_eq!(trace[0]["kind"], "CLIENT");
    assert_eq!(trace[0]["name"], "get /checkout");
    assert_eq!(trace[0]["tags"], json!({"http.method": "GET", "n": "7", "otel.scope.name": "lib"}));
    let failed = json!({"error": "no stock", "otel.scope.name": "lib", "otel.status_code": "ERROR"});
    assert_eq!(trace[1]["tags"], failed);
    assert_eq!(trace[1]["localEndpoint"], json!({"serviceName": "cart"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_zipkins() {
    let world = world().await;
    for (path, status) in [
        ("trace/1", StatusCode::NOT_FOUND),
        ("trace/xyz", StatusCode::BAD_REQUEST),
        ("traceMany", StatusCode::BAD_REQUEST),
        ("traceMany?traceIds=a,a", StatusCode::BAD_REQUEST),
        ("dependencies", StatusCode::BAD_REQUEST),
        ("dependencies?endTs=0", StatusCode::BAD_REQUEST),
        ("dependencies?endTs=1&lookback=0", StatusCode::BAD_REQUEST),
        ("spans", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(world.get(&format!("{BASE}/{path}")).await.status, status, "{path}");
    }
    for (kind, body, status) in [
        ("text/plain", "[]", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/json", "{", StatusCode::BAD_REQUEST),
        ("application/json", r#"[{"traceId": "x", "id": "1"}]"#, StatusCode::BAD_REQUEST),
        ("application/json", "[]", StatusCode::ACCEPTED),
        ("application/x-protobuf", "\n\u{7f}", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(post(&world, kind, body.into()).await.status, status, "{kind} {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_is_refused_and_overload_says_when_to_come_again() {
    let mut world = world().await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::copy(&mut std::io::Read::take(std::io::repeat(b' '), 17 << 20), &mut gzip).expect("written");
    let request = request("POST", &format!("{BASE}/spans")).header("content-type", "application/json");
    let request = request.header("content-encoding", "gzip").body(Body::from(gzip.finish().expect("whole")));
    assert_eq!(world.ask(request.expect("a request")).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    world.app = router(&Tenants::only(world.state.clone().with_intake(Arc::new(Full))));
    let refused = post(&world, "application/json", spans().to_string().into_bytes()).await;
    assert_eq!((refused.status, refused.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "7"));
}
