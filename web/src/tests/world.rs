//! A store with a known content, and requests to the router over it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use query::{Engine, Limits};
use serde_json::{Value, json};
use storage::store::{Appended, Clock, Settings, Signal, Store};
use storage::tenant::Tenants;
use tower::ServiceExt;

use crate::{About, AppState, router};

/// The clock of the world, ns.
pub(super) const NOW: i64 = 1_700_000_000_000_000_000;
pub(super) const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
pub(super) const SECOND: i64 = 1_000_000_000;

pub(super) struct World {
    pub(super) app: Router,
    pub(super) state: AppState,
    pub(super) store: Arc<Store>,
    _dir: tempfile::TempDir,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl World {
    /// Two services, one trace of two spans a minute ago, and two log records of it.
    pub(super) async fn new() -> Self {
        Self::within(tempfile::tempdir().expect("a temporary directory")).await.filled().await
    }

    /// Nothing yet.
    pub(super) async fn empty() -> Self {
        Self::within(tempfile::tempdir().expect("a temporary directory")).await
    }

    /// The same, in which earlier starts have lost data; and the lines that say so.
    pub(super) async fn with_losses(losses: &[&str]) -> (Self, Vec<String>) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(dir.path().join("losses.txt"), losses.join("\n")).expect("written");
        (Self::within(dir).await.filled().await, losses.iter().map(|loss| (*loss).to_owned()).collect())
    }

    async fn within(dir: tempfile::TempDir) -> Self {
        let summarise: Option<Arc<dyn storage::rollup::Summarise>> = Some(Arc::new(query::rollup::Summariser));
        let settings = Settings { clock: Clock::new(|| NOW), summarise, ..Settings::new(dir.path()) };
        let store = Store::open(settings, Arc::new(collector::OtlpDecoder::default())).await.expect("the store opens");
        let about = About {
            version: "0.0.0-test".to_owned(),
            data_dir: dir.path().display().to_string(),
            http: "127.0.0.1:4319".parse().expect("an address"),
            otlp_grpc: "127.0.0.1:4317".to_owned(),
            otlp_http: "127.0.0.1:4318".to_owned(),
            allowed_hosts: Vec::new(),
        };
        let engine = Engine::new(store.clone(), Limits::default());
        let state = AppState::new(engine, about, Arc::new(())).with_clock(Clock::new(|| NOW));
        Self { app: router(&Tenants::only(state.clone())), state, store, _dir: dir }
    }

    async fn filled(self) -> Self {
        self.send(Signal::Traces, &trace()).await;
        self.send(Signal::Logs, &logs()).await;
        self
    }

    pub(super) async fn send(&self, signal: Signal, document: &Value) {
        let json = document.to_string();
        let body = match signal {
            Signal::Traces => proto::otlp::json::traces_to_protobuf(json.as_bytes()),
            Signal::Logs => proto::otlp::json::logs_to_protobuf(json.as_bytes()),
            Signal::Metrics => proto::otlp::json::metrics_to_protobuf(json.as_bytes()),
        };
        let body = body.expect("an OTLP document");
        let rows = collector::rows::convert(signal, &body, NOW, &Default::default()).expect("rows").into_rows();
        let hash = u128::from(body.len() as u64) << 64 | u128::from(body.iter().map(|&b| u64::from(b)).sum::<u64>());
        let request = storage::store::Request { signal, received: NOW, body: body.into(), hash };
        let appended = self.store.append(request, rows).await.expect("the store takes it");
        assert_eq!(appended, Appended::Stored);
    }

    pub(super) async fn ask(&self, request: Request<Body>) -> Answer {
        let answer = self.app.clone().oneshot(request).await.expect("the router never fails");
        let (head, body) = answer.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes().to_vec();
        Answer { status: head.status, headers: head.headers, body }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask(request("GET", path).body(Body::empty()).expect("a request")).await
    }

    /// The JSON of an answer of 200.
    pub(super) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        answer.json()
    }
}

pub(super) fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header("host", "localhost:4319")
}

fn trace() -> Value {
    let start = NOW - 60 * SECOND;
    let of = |service: &str, span: Value| {
        json!({"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            "scopeSpans": [{"scope": {"name": "lib"}, "spans": [span]}]})
    };
    json!({"resourceSpans": [
        of("gateway", json!({"traceId": TRACE, "spanId": "00000000000000a1", "name": "GET /checkout", "kind": 3,
            "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + SECOND).to_string(),
            "attributes": [{"key": "http.method", "value": {"stringValue": "GET"}}, {"key": "n", "value": {"intValue": "7"}}]})),
        of("cart", json!({"traceId": TRACE, "spanId": "00000000000000b2", "parentSpanId": "00000000000000a1",
            "name": "load", "kind": 2, "status": {"code": 2, "message": "no stock"},
            "startTimeUnixNano": (start + SECOND / 4).to_string(), "endTimeUnixNano": (start + SECOND / 2).to_string()})),
    ]})
}

fn logs() -> Value {
    let time = NOW - 59 * SECOND;
    let record = |after: i64, text: &str, severity: i32| {
        json!({"timeUnixNano": (time + after).to_string(), "severityNumber": severity, "severityText": "X",
            "traceId": TRACE, "spanId": "00000000000000b2", "body": {"stringValue": text}})
    };
    json!({"resourceLogs": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "cart"}}]},
        "scopeLogs": [{"logRecords": [record(0, "loading the cart", 9), record(1_000, "库存不足 out of stock", 17)]}]}]})
}
