//! Prometheus' routes over the same store.

use axum::body::Body;
use axum::http::StatusCode;
use serde_json::json;

use super::world::{NOW, SECOND, World, request};

const BASE: &str = "/prometheus/api/v1";

fn query(text: &str) -> String {
    let text: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    format!("{BASE}/query?time={}&query={text}", NOW / SECOND)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_its_rate_and_its_quantile_agree() {
    let world = World::new().await;
    let time = NOW / SECOND;
    let edge = json!({"__name__": "traces_service_graph_request_total", "client": "gateway", "server": "cart"});
    let answer = world.json(&query("traces_service_graph_request_total")).await;
    let expected = json!({"resultType": "vector", "result": [{"metric": edge, "value": [time, "1"]}]});
    assert_eq!(answer, json!({"status": "success", "data": expected}));
    for (text, value) in [
        ("sum by (client, server) (increase(traces_service_graph_request_total[3600s]))", "1"),
        ("sum(rate(traces_service_graph_request_failed_total[100s])) by (client, server)", "0.01"),
        ("sum by (client, server) (traces_service_graph_request_client_seconds_sum)", "1"),
        (r#"traces_service_graph_request_server_seconds_bucket{le="0.4"} * 1"#, "1"),
        (r#"traces_service_graph_request_server_seconds_bucket{le="0.2"} * 1"#, "0"),
        (
            "histogram_quantile(1, sum(rate(traces_service_graph_request_client_seconds_bucket[1h])) by (le, client, server))",
            "1.6",
        ),
        (
            "topk(1, sum by (client, server) (traces_service_graph_request_failed_total / traces_service_graph_request_total))",
            "1",
        ),
    ] {
        let answer = world.json(&query(text)).await;
        assert_eq!(answer["data"]["result"][0]["value"], json!([time, value]), "{text}: {answer}");
    }
    // The call began a minute ago: not within the last 30 s.
    let answer = world.json(&query("rate(traces_service_graph_request_total[30s])")).await;
    assert_eq!(answer["data"]["result"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_asks_for_steps() {
    let world = World::new().await;
    let time = NOW / SECOND;
    let form =
        format!("query=sum(increase(traces_spanmetrics_calls_total[1m]))&start={}&end={time}&step=60", time - 120);
    let request = request("POST", &format!("{BASE}/query_range"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form))
        .expect("a request");
    let answer = world.ask(request).await.json();
    let series = json!([{"metric": {}, "values": [[time - 60, "1"], [time, "1"]]}]);
    assert_eq!(answer["data"], json!({"resultType": "matrix", "result": series}), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_series_and_what_is_there() {
    let world = World::new().await;
    let clients = world.json(&format!("{BASE}/label/client/values")).await;
    assert_eq!(clients["data"], json!(["gateway"]));
    let names = world.json(&format!("{BASE}/labels?match[]=traces_spanmetrics_calls_total")).await;
    assert_eq!(names["data"], json!(["__name__", "service", "span_kind", "span_name", "status_code"]));
    let series = world.json(&format!("{BASE}/series?match[]=traces_service_graph_request_total")).await;
    assert_eq!(series["data"].as_array().map(Vec::len), Some(1));
    assert!(world.json(&format!("{BASE}/metadata")).await["data"]["traces_spanmetrics_latency"].is_array());
    assert_eq!(world.json(&format!("{BASE}/status/buildinfo")).await["data"]["version"], "0.0.0-test");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_supported_is_bad_data() {
    let world = World::new().await;
    for text in [
        "up offset",
        "absent(up)",
        "traces_service_graph_request_total[1h]",
        "increase(traces_spanmetrics_calls_total[8d])",
    ] {
        let answer = world.get(&query(text)).await;
        assert_eq!(
            (answer.status, &answer.json()["errorType"]),
            (StatusCode::BAD_REQUEST, &json!("bad_data")),
            "{text}"
        );
    }
    assert_eq!(
        world.json(&query("1 + 1")).await["data"],
        json!({"resultType": "scalar", "result": [NOW / SECOND, "2"]})
    );
    assert_eq!(world.json(&query("up")).await["data"]["result"], json!([]));
}
