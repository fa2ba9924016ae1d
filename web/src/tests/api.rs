//! `/api/v1`, the process routes, and what the guard refuses.

use axum::body::Body;
use axum::http::StatusCode;
use serde_json::{Value, json};
use storage::store::Signal;

use super::world::{NOW, SECOND, TRACE, World, request};

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_found_and_read_whole() {
    let world = World::new().await;
    let page = world.json("/api/v1/traces?q=service:cart").await;
    let found = &page["traces"][0];
    assert_eq!(page["traces"].as_array().map(Vec::len), Some(1), "{page}");
    assert_eq!((&found["trace_id"], &found["span_count"]), (&json!(TRACE), &json!(2)));
    assert_eq!((&found["root_service"], &found["root_kind"]), (&json!("gateway"), &json!("client")));
    assert_eq!(found["start_ns"], json!((NOW - 60 * SECOND).to_string()));
    assert_eq!((&found["matched"], &found["matched_spans"]), (&json!(1), &json!(["00000000000000b2"])));
    assert_eq!(page["next"], json!(null));

    let trace = world.json(&format!("/api/v1/traces/{TRACE}")).await;
    assert_eq!(trace["spans"].as_array().map(Vec::len), Some(2));
    let (client, server) = (&trace["spans"][0], &trace["spans"][1]);
    assert_eq!(client["attributes"][1], json!({"key": "n", "type": "int", "value": "7"}));
    assert_eq!((&client["parent_span_id"], &server["parent_span_id"]), (&json!(null), &json!("00000000000000a1")));
    assert_eq!((&server["status"], &server["status_message"]), (&json!("error"), &json!("no stock")));
    assert_eq!(client["self_ns"], json!(SECOND - SECOND / 4));
    assert_eq!(trace["resources"].as_array().map(Vec::len), Some(2));
    assert_eq!(trace["roots"], json!(["00000000000000a1"]));
    assert_eq!(trace["critical_path"].as_array().map(Vec::len), Some(3), "{trace}");

    let lone = world.json(&format!("/api/v1/traces/{TRACE}/spans/b2")).await;
    assert_eq!(lone["spans"][0]["name"], "load");
    assert_eq!(lone["spans"][0]["resource"]["attributes"][0]["value"], "cart");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skeleton_has_columns_of_one_length() {
    let world = World::new().await;
    let skeleton = world.json(&format!("/api/v1/traces/{TRACE}?view=skeleton")).await;
    for column in ["id", "parent", "depth", "start", "dur", "self", "svc", "name", "kind", "status", "outcome"] {
        assert_eq!(skeleton[column].as_array().map(Vec::len), Some(2), "{column}");
    }
    assert_eq!(skeleton["parent"], json!([-1, 0]));
    assert_eq!(skeleton["start"], json!([0, SECOND / 4]));
    assert_eq!(skeleton["t0"], json!((NOW - 60 * SECOND).to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_found_by_words_and_told_around() {
    let world = World::new().await;
    let page = world.json("/api/v1/logs?q=%E5%BA%93%E5%AD%98").await;
    assert_eq!(page["logs"].as_array().map(Vec::len), Some(1), "{page}");
    let log = &page["logs"][0];
    assert_eq!((&log["severity"], &log["body"]["type"]), (&json!("error"), &json!("string")));
    let id = log["id"].as_str().expect("an id");
    let context = world.json(&format!("/api/v1/logs/{id}/context")).await;
    assert_eq!(context["before"][0]["body"]["value"], "loading the cart");
    assert_eq!(context["log"]["id"], json!(id));
    let of_trace = world.json(&format!("/api/v1/traces/{TRACE}/logs")).await;
    let bodies: Vec<_> = of_trace["logs"].as_array().expect("logs").iter().map(|log| &log["body"]["value"]).collect();
    assert_eq!(bodies, ["loading the cart", "库存不足 out of stock"]);
    let histogram = world.json("/api/v1/logs/histogram?buckets=6").await;
    assert_eq!(histogram["total"], 2, "{histogram}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_system_is_described() {
    let world = World::new().await;
    let services = world.json("/api/v1/services").await;
    let names: Vec<_> = services["services"].as_array().expect("services").iter().map(|one| &one["id"]).collect();
    assert_eq!(names, ["cart", "gateway"]);
    assert_eq!(services["services"][0]["error_ratio"], json!(1.0));
    let from = services["window"]["from_ns"].as_str().and_then(|ns| ns.parse::<i64>().ok()).expect("a time");
    assert!(from % 60_000_000_000 == 0 && from <= NOW - 3600 * SECOND, "whole minutes: {from}");
    assert_eq!(services["services"][0]["rate"], json!(1.0 / ((NOW - from) as f64 / 1e9)));
    let operations = world.json("/api/v1/services/cart/operations").await;
    assert_eq!(operations["operations"], json!([{"name": "load", "kind": "server"}]));
    let graph = world.json("/api/v1/graph").await;
    let edge = graph["edges"].as_array().expect("edges").iter().find(|edge| edge["target"] == "cart").expect("an edge");
    assert_eq!((&edge["source"], &edge["calls"], &edge["errors"]), (&json!("gateway"), &json!(1), &json!(1)));
    let tags = world.json("/api/v1/tags").await;
    assert!(tags["tags"].as_array().expect("tags").contains(&json!({"scope": "span", "key": "http.method"})), "{tags}");
    let values = world.json("/api/v1/tags/http.method/values").await;
    assert_eq!((&values["values"], &values["more"]), (&json!(["GET"]), &json!(false)));
    let status = world.json("/api/v1/status").await;
    assert_eq!((&status["spans"], &status["logs"]), (&json!(2), &json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_answers_in_the_form_asked_for() {
    let world = World::new().await;
    let ask = |accept: &'static str, body: &'static str| {
        let request =
            request("POST", "/api/v1/sql").header("accept", accept).header("content-type", "application/json");
        world.ask(request.body(Body::from(body)).expect("a request"))
    };
    let query = r#"{"query":"SELECT service_name, kind FROM spans ORDER BY service_name"}"#;
    let answer = ask("application/json", query).await;
    assert_eq!(answer.json()["rows"], json!([["cart", 2], ["gateway", 3]]), "{}", answer.text());
    assert_eq!(answer.json()["row_count"], 2);
    let cut = ask("*/*", r#"{"query":"SELECT 1 FROM spans","limit":1}"#).await.json();
    assert_eq!((&cut["row_count"], &cut["truncated"]), (&json!(1), &json!(true)));
    let csv = ask("text/csv", query).await;
    assert_eq!(
        (csv.text().as_str(), csv.header("content-type")),
        ("service_name,kind\ncart,2\ngateway,3\n", "text/csv")
    );
    let arrow = ask("application/vnd.apache.arrow.stream", query).await;
    let reader = arrow::ipc::reader::StreamReader::try_new(arrow.body.as_slice(), None).expect("a stream");
    assert_eq!(reader.map(|batch| batch.expect("a batch").num_rows()).sum::<usize>(), 2);
    let wrong = ask("*/*", r#"{"query":"DROP TABLE spans"}"#).await;
    assert_eq!((wrong.status, &wrong.json()["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("bad_request")));
    let form = request("POST", "/api/v1/sql").header("content-type", "text/plain").body(Body::from(query));
    assert_eq!(world.ask(form.expect("a request")).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_one_envelope() {
    let world = World::new().await;
    for (path, status, code) in [
        ("/api/v1/traces?limit=0", 400, "bad_request"),
        ("/api/v1/traces?from=tomorrow", 400, "bad_request"),
        ("/api/v1/traces?q=%7B%20nonsense", 400, "bad_request"),
        ("/api/v1/traces/nothex", 400, "bad_request"),
        ("/api/v1/traces/1?view=other", 400, "bad_request"),
        ("/api/v1/traces/1", 404, "not_found"),
        ("/api/v1/traces/1?view=skeleton", 404, "not_found"),
        ("/api/v1/traces/1/spans/1", 404, "not_found"),
        ("/api/v1/logs/1/context", 404, "not_found"),
        ("/api/v1/services/nobody", 404, "not_found"),
        ("/api/v1/services/cart?env=elsewhere", 404, "not_found"),
        ("/api/v1/services/nobody/releases/compare", 404, "not_found"),
        ("/api/v1/services/cart/releases/compare", 400, "bad_request"),
        ("/api/v1/services/cart?step=90s", 400, "bad_request"),
        ("/api/v1/services/cart?step=1m&from=now-30d", 400, "bad_request"),
        ("/api/v1/nothing", 404, "not_found"),
        ("/api/v2", 404, "not_found"),
        ("/%252e%252e/etc/passwd", 404, "not_found"),
        ("/api%2fv1/status", 404, "not_found"),
    ] {
        let answer = world.get(path).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (status, &json!(code)), "{path}");
        assert!(answer.json()["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
    let wrong = world.get("/api/v1/traces?q=%7B%20nonsense").await.json();
    assert!(wrong["error"]["position"].is_u64(), "{wrong}");
    let delete = world.ask(request("DELETE", "/api/v1/traces").body(Body::empty()).expect("a request")).await;
    assert_eq!(
        (delete.status, &delete.json()["error"]["code"]),
        (StatusCode::METHOD_NOT_ALLOWED, &json!("method_not_allowed"))
    );
    let large =
        request("POST", "/api/v1/sql").header("content-type", "application/json").body(Body::from(vec![b' '; 2 << 20]));
    assert_eq!(world.ask(large.expect("a request")).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_names_and_foreign_pages_are_refused() {
    let world = World::new().await;
    let as_host = |host: &'static str| {
        let request = axum::http::Request::get("/api/v1/status").header("host", host).body(Body::empty());
        world.ask(request.expect("a request"))
    };
    assert_eq!(as_host("evil.example:4319").await.status, StatusCode::FORBIDDEN);
    assert_eq!(as_host("127.0.0.1:4319").await.status, StatusCode::OK);
    let write = |name: &'static str, value: &'static str| {
        world.ask(request("POST", "/api/v1/flush").header(name, value).body(Body::empty()).expect("a request"))
    };
    assert_eq!(write("origin", "https://evil.example").await.status, StatusCode::FORBIDDEN);
    assert_eq!(write("sec-fetch-site", "cross-site").await.status, StatusCode::FORBIDDEN);
    let own = write("origin", "http://localhost:4319").await;
    assert_eq!(own.json(), json!({"flushed_rows": 4}));
    let answer = world
        .ask(
            request("GET", "/api/v1/status")
                .header("origin", "https://evil.example")
                .body(Body::empty())
                .expect("a request"),
        )
        .await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_guarded_and_compressed_on_demand_only() {
    let world = World::new().await;
    let page = |path: &'static str, headers: &'static [(&'static str, &'static str)]| {
        let request = headers.iter().fold(request("GET", path), |request, (name, value)| request.header(*name, *value));
        world.ask(request.body(Body::empty()).expect("a request"))
    };
    let deep = page("/traces/0af7", &[("accept", "text/html,*/*")]).await;
    assert_eq!((deep.status, deep.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
    assert!(deep.header("content-security-policy").contains("default-src 'self'"));
    assert!(deep.header("content-security-policy").contains("frame-ancestors 'none'"));
    assert_eq!(deep.header("x-content-type-options"), "nosniff");
    assert_eq!(deep.header("content-encoding"), "");
    assert_eq!(page("/traces/0af7", &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(page("/assets/none.js", &[("accept", "text/html")]).await.status, StatusCode::NOT_FOUND);
    let tag: &'static str = Box::leak(deep.header("etag").to_owned().into_boxed_str());
    let known: &'static [(&str, &str)] = Box::leak(Box::new([("if-none-match", tag)]));
    assert_eq!(page("/index.html", known).await.status, StatusCode::NOT_MODIFIED);
    let plain = page("/openapi.json", &[]).await;
    assert_eq!(plain.json()["openapi"], "3.1.0");
    assert_eq!(plain.header("content-encoding"), "");
    assert_eq!(page("/openapi.json", &[("accept-encoding", "gzip")]).await.header("content-encoding"), "gzip");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_tells_how_it_is() {
    let world = World::new().await;
    assert_eq!(world.get("/healthz").await.status, StatusCode::OK);
    assert_eq!(world.get("/readyz").await.status, StatusCode::OK);
    let metrics = world.get("/metrics").await.text();
    assert!(metrics.contains("clew_store_rows{table=\"spans\"} 2\n"), "{metrics}");
    assert!(metrics.contains("# TYPE clew_duplicate_requests_total counter\n"));
    assert!(metrics.contains("# TYPE clew_losses_total counter\nclew_losses_total 0\n"), "{metrics}");
    assert_eq!(world.json("/api/v1/status").await["losses"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_takes_no_data_is_not_ready() {
    let world = World::new().await;
    assert_eq!(world.get("/readyz").await.text(), "ready\n");
    world.store.close().await.expect("closed");
    let ready = world.get("/readyz").await;
    assert_eq!(
        (ready.status, &ready.json()["error"]["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("unavailable"))
    );
    assert!(ready.text().contains("closing"), "{}", ready.text());
    assert_eq!(world.get("/healthz").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_lost_is_said_in_every_answer() {
    let (world, lost) = World::with_losses(&["request 7 is lost: a test says so"]).await;
    for path in [
        "/api/v1/traces",
        &format!("/api/v1/traces/{TRACE}"),
        &format!("/api/v1/traces/{TRACE}?view=skeleton"),
        &format!("/api/v1/traces/{TRACE}/spans/b2"),
        &format!("/api/v1/traces/{TRACE}/logs"),
        "/api/v1/logs",
        "/api/v1/logs/histogram",
        "/api/v1/services",
        "/api/v1/services/cart/operations",
        "/api/v1/graph",
        "/api/v1/tags",
        "/api/v1/tags/http.method/values",
    ] {
        let answer = world.json(path).await;
        assert_eq!(answer["notes"]["warnings"], json!(lost), "{path}");
    }
    let record = world.json("/api/v1/logs").await["logs"][0]["id"].as_str().expect("an id").to_owned();
    let context = world.json(&format!("/api/v1/logs/{record}/context")).await;
    assert_eq!(context["notes"]["warnings"], json!(lost));
    for path in ["/api/v1/traces/77", "/api/v1/logs/77/context"] {
        let unknown = world.get(path).await;
        assert_eq!(unknown.status, StatusCode::NOT_FOUND);
        assert!(unknown.text().contains(&lost[0]), "{}", unknown.text());
    }
    assert_eq!(world.json("/api/v1/status").await["losses"], 1);
    assert!(world.get("/metrics").await.text().contains("\nclew_losses_total 1\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tails_are_bounded() {
    use tower::ServiceExt;
    let world = World::new().await;
    let open = || {
        let asked = request("GET", "/api/v1/logs/tail").body(Body::empty()).expect("a request");
        world.app.clone().oneshot(asked)
    };
    let mut tails = Vec::new();
    for _ in 0..crate::state::MOST_TAILS {
        tails.push(open().await.expect("the router never fails"));
    }
    assert!(tails.iter().all(|tail| tail.status() == StatusCode::OK));
    let refused = world.get("/api/v1/logs/tail").await;
    assert_eq!(
        (refused.status, &refused.json()["error"]["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("unavailable"))
    );
    tails.pop();
    for _ in 0..500 {
        let tail = open().await.expect("the router never fails");
        if tail.status() == StatusCode::OK {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the place of a client that left is never free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_tells_what_comes() {
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    let world = World::new().await;
    let asked = request("GET", "/api/v1/logs/tail?q=arrived").body(Body::empty()).expect("a request");
    let answer = world.app.clone().oneshot(asked).await.expect("the router never fails");
    assert_eq!(answer.status(), StatusCode::OK);
    let mut body = answer.into_body();
    let record = |text: &str| {
        json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [
            {"timeUnixNano": NOW.to_string(), "body": {"stringValue": text}}]}]}]})
    };
    world.send(Signal::Logs, &record("something else")).await;
    world.send(Signal::Logs, &record("it arrived")).await;
    let frame = tokio::time::timeout(std::time::Duration::from_secs(10), body.frame()).await;
    let frame = frame.expect("an event in time").expect("a frame").expect("no error");
    let text = String::from_utf8(frame.into_data().expect("data").to_vec()).expect("UTF-8");
    assert!(text.starts_with("event: log\ndata: {") && text.contains("it arrived"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_graph_is_cut_as_asked() {
    let world = World::new().await;
    let edges = |graph: &Value| {
        let edges = graph["edges"].as_array().expect("edges").iter();
        edges.map(|edge| format!("{} {}", edge["source"], edge["target"])).collect::<Vec<_>>()
    };
    let graph = world.json("/api/v1/graph").await;
    let edge = graph["edges"].as_array().expect("edges").iter().find(|edge| edge["target"] == "cart").expect("an edge");
    assert_eq!((&edge["mode"], &edge["identity"], &edge["paired"]), (&json!("sync"), &json!("paired"), &json!(1)));
    assert_eq!((&edge["operation"], &edge["lag"]), (&Value::Null, &Value::Null));
    assert_eq!((&graph["exactness"]["orphans"], &graph["nodes"][0]["layer"]), (&json!(0), &Value::Null));
    let window = |end: &str| graph["window"][end].as_str().and_then(|ns| ns.parse::<i64>().ok()).expect("a time");
    assert_eq!((window("from_ns") % 60_000_000_000, window("to_ns") % 60_000_000_000), (0, 0), "whole minutes");
    let focused = world.json("/api/v1/graph?focus=cart&depth=1").await;
    assert_eq!(edges(&focused), ["\"gateway\" \"cart\""]);
    assert_eq!(edges(&world.json("/api/v1/graph?service=cart").await), edges(&focused));
    assert_eq!(edges(&world.json("/api/v1/graph?env=nowhere").await), [""; 0]);
    assert_eq!(edges(&world.json("/api/v1/graph?layer=infra").await), [""; 0]);
    let named = world.json("/api/v1/graph?focus=cart&operations=true").await;
    assert!(named["edges"][0]["operation"].is_string(), "{named}");
    for wrong in ["depth=33", "layer=all-of-it", "operations=perhaps"] {
        let answer =
            world.ask(request("GET", &format!("/api/v1/graph?{wrong}")).body(Body::empty()).expect("a request"));
        assert_eq!(answer.await.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}
