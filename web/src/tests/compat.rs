//! Jaeger's routes over the same store, under both base paths.

use axum::body::Body;
use axum::http::StatusCode;
use serde_json::json;

use super::world::{NOW, SECOND, TRACE, World, request};

const WINDOW: &str = "query.startTimeMin=2023-11-14T22:00:00Z&query.startTimeMax=2023-11-14T22:30:00.000000001Z";

#[tokio::test(flavor = "multi_thread")]
async fn v1_lists_services_operations_and_dependencies() {
    let world = World::new().await;
    for base in ["", "/jaeger"] {
        let services = world.json(&format!("{base}/api/services")).await;
        assert_eq!(services, json!({"data": ["cart", "gateway"], "total": 2, "limit": 0, "offset": 0, "errors": null}));
        let operations = world.json(&format!("{base}/api/operations?service=cart")).await;
        assert_eq!(operations["data"], json!([{"name": "load", "spanKind": "server"}]));
        let none = world.json(&format!("{base}/api/operations?service=cart&spanKind=client")).await;
        assert_eq!(none["data"], json!([]));
        let names = world.json(&format!("{base}/api/services/cart/operations")).await;
        assert_eq!(names["data"], json!(["load"]));
        let links = world.json(&format!("{base}/api/dependencies?endTs={}&lookback=3600000", NOW / 1_000_000)).await;
        assert_eq!(links["data"], json!([{"parent": "gateway", "child": "cart", "callCount": 1}]));
    }
    let missing = world.get("/api/operations").await;
    assert_eq!((missing.status, &missing.json()["errors"][0]["code"]), (StatusCode::BAD_REQUEST, &json!(400)));
}

#[tokio::test(flavor = "multi_thread")]
async fn v1_finds_and_shows_traces() {
    let world = World::new().await;
    let found = world.json("/jaeger/api/traces?service=cart&tags=%7B%22error%22%3A%22true%22%7D").await;
    assert_eq!(found["data"][0]["traceID"], json!(TRACE), "{found}");
    assert_eq!(found["data"][0]["spans"][0]["startTime"], json!((NOW - 60 * SECOND) / 1000));
    assert_eq!(found["data"][0]["spans"].as_array().map(Vec::len), Some(2));
    let nothing = world.json("/jaeger/api/traces?service=cart&operation=other").await;
    assert_eq!(nothing["data"], json!([]));
    let by_id = world.json(&format!("/api/traces?traceID={TRACE}&traceID=1")).await;
    assert_eq!(by_id["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(by_id["errors"], json!([{"msg": "trace not found", "traceID": "0000000000000001"}]));
    let unknown = world.get("/api/traces/123456").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(
        unknown.json(),
        json!({"data": null, "total": 0, "limit": 0, "offset": 0, "errors": [{"code": 404, "msg": "trace not found"}]})
    );
    let pretty = world.get(&format!("/api/traces/{TRACE}?prettyPrint=x")).await.text();
    assert!(pretty.starts_with("{\n    \"data\": ["), "{}", &pretty[..40]);
    assert_eq!(world.get(&format!("/api/traces/{TRACE}?raw=foobar")).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.get(&format!("/api/traces/{TRACE}?start=a")).await.status, StatusCode::BAD_REQUEST);
    let metrics = world.get("/api/metrics/latencies?service=cart&quantile=0.95").await;
    assert_eq!(metrics.status, StatusCode::NOT_IMPLEMENTED);
    assert!(metrics.text().contains("currently disabled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_shown_and_not_stored() {
    let world = World::new().await;
    let document = json!({"resourceSpans": [{"scopeSpans": [{"spans": [
        {"traceId": "00000000000000000000000000000005", "spanId": "0000000000000006", "name": "up"}]}]}]});
    let post = |body: String| world.ask(request("POST", "/api/transform").body(Body::from(body)).expect("a request"));
    let shown = post(document.to_string()).await;
    assert_eq!(shown.json()["data"][0]["spans"][0]["operationName"], "up");
    assert_eq!(world.get("/api/traces/5").await.status, StatusCode::NOT_FOUND);
    let broken = post("{".to_owned()).await;
    assert_eq!((broken.status, &broken.json()["errors"][0]["code"]), (StatusCode::BAD_REQUEST, &json!(400)));
}

#[tokio::test(flavor = "multi_thread")]
async fn v3_speaks_otlp() {
    let world = World::new().await;
    assert_eq!(world.json("/jaeger/api/v3/services").await, json!({"services": ["cart", "gateway"]}));
    let operations = world.json("/api/v3/operations?service=gateway").await;
    assert_eq!(operations, json!({"operations": [{"name": "GET /checkout", "spanKind": "client"}]}));
    let found = world.json(&format!("/api/v3/traces?{WINDOW}&query.attributes=%7B%22n%22%3A%227%22%7D")).await;
    let spans = found["result"]["resourceSpans"].as_array().expect("resources");
    assert_eq!(spans.len(), 2, "{found}");
    assert_eq!(spans[0]["scopeSpans"][0]["spans"][0]["spanId"], "00000000000000a1");
    let whole = world.json(&format!("/jaeger/api/v3/traces/{TRACE}")).await;
    assert_eq!(whole, found);
    let none = world.get(&format!("/api/v3/traces?{WINDOW}&query.service_name=other")).await;
    assert_eq!((none.status, &none.json()["error"]["httpCode"]), (StatusCode::NOT_FOUND, &json!(404)));
    let summaries = world.json(&format!("/api/v3/trace-summaries?{WINDOW}&query.serviceName=cart")).await;
    let start = NOW - 60 * SECOND;
    assert_eq!(
        summaries,
        json!({"summaries": [{
            "traceId": TRACE, "rootServiceName": "gateway", "rootOperationName": "GET /checkout",
            "minStartTimeUnixNano": start.to_string(), "maxEndTimeUnixNano": (start + SECOND).to_string(),
            "spanCount": 2, "errorSpanCount": 1, "orphanSpanCount": 0,
            "services": [{"name": "cart", "spanCount": 1, "errorSpanCount": 1}, {"name": "gateway", "spanCount": 1, "errorSpanCount": 0}],
        }]})
    );
    let links = world.json("/api/v3/dependencies?startTime=2023-11-14T22:00:00Z&endTime=2023-11-14T22:30:00Z").await;
    assert_eq!(links, json!({"dependencies": [{"parent": "gateway", "child": "cart", "callCount": 1}]}));
    let bad = world.get("/api/v3/traces/nothex").await;
    assert_eq!((bad.status, &bad.json()["error"]["httpCode"]), (StatusCode::BAD_REQUEST, &json!(400)));
}
