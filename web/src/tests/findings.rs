//! Findings at the glass: found, told, accepted, reopened.

use axum::body::Body;
use axum::http::StatusCode;
use query::{Engine, Limits};
use serde_json::{Value, json};
use storage::store::{Clock, Signal};
use storage::tenant::Tenants;

use super::world::{NOW, SECOND, World, request};
use crate::{AppState, router};

const MINUTE: i64 = 60 * SECOND;

/// Twelve calls in each of eight minutes, of each of two services, of one database.
fn shared_database() -> Value {
    let first = (NOW - 20 * SECOND).div_euclid(MINUTE) * MINUTE - 8 * MINUTE;
    let span = |service: &str, number: i64| {
        let start = first + (number / 12) * MINUTE + (number % 12) * SECOND;
        let id = number + if service == "order" { 1_000 } else { 2_000 };
        let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
        json!({"traceId": format!("{id:032x}"), "spanId": format!("{id:016x}"), "name": "INSERT", "kind": 3,
            "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + SECOND / 100).to_string(),
            "attributes": [text("db.system.name", "mysql"), text("db.namespace", "shop"), text("server.address", "db"),
                text("db.operation.name", "INSERT"), text("db.collection.name", "orders")]})
    };
    let of = |service: &str| {
        json!({"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            "scopeSpans": [{"scope": {"name": "lib"}, "spans": (0..96).map(|at| span(service, at)).collect::<Vec<_>>()}]})
    };
    json!({"resourceSpans": [of("order"), of("report")]})
}

async fn post(world: &World, path: &str, body: Option<Value>) -> (StatusCode, Value) {
    let asked = request("POST", path).header("content-type", "application/json");
    let body = body.map_or(Body::empty(), |body| Body::from(body.to_string()));
    let answer = world.ask(asked.body(body).expect("a request")).await;
    (answer.status, answer.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finding_is_told_accepted_and_reopened() {
    let world = World::new().await;
    world.send(Signal::Traces, &shared_database()).await;
    let before = world.json("/api/v1/findings").await;
    assert_eq!((&before["findings"], &before["evaluated_ns"]), (&json!([]), &Value::Null));
    let (status, evaluated) = post(&world, "/api/v1/findings/evaluate", None).await;
    assert_eq!(
        (status, &evaluated["windows"], &evaluated["opened"]),
        (StatusCode::OK, &json!(15), &json!(1)),
        "{evaluated}"
    );

    let report = world.json("/api/v1/findings?rule=F2&severity=critical&service=report").await;
    let found = &report["findings"][0];
    assert_eq!(
        (&found["name"], &found["state"], &found["rule_version"]),
        (&json!("shared_database"), &json!("open"), &json!(1))
    );
    assert_eq!(found["subject"], json!({"kind": "database", "id": "mysql://db/shop", "services": ["order", "report"]}));
    assert!(found["claim"]["zh"].as_str().is_some_and(|text| text.contains("同一张表 orders")), "{found}");
    assert_eq!(found["evidence"].as_array().map(Vec::len), Some(2));
    let trace = found["evidence"][0]["trace_id"].as_str().expect("an id");
    assert_eq!(world.get(&format!("/api/v1/traces/{trace}")).await.status, StatusCode::OK);
    assert!(world.json("/api/v1/findings").await["not_evaluated"].as_array().is_some_and(|list| !list.is_empty()));

    let path = format!("/api/v1/findings/{}", found["id"].as_str().expect("an id"));
    assert_eq!(world.json(&path).await["history"][0]["state"], "open");
    let (_, accepted) = post(&world, &format!("{path}/accept"), Some(json!({"by": "ann", "note": "known"}))).await;
    assert_eq!((&accepted["state"], &accepted["accepted_by"]), (&json!("accepted"), &json!("ann")));
    assert_eq!(world.json("/api/v1/findings?state=accepted").await["findings"].as_array().map(Vec::len), Some(1));
    let (_, reopened) = post(&world, &format!("{path}/reopen"), None).await;
    assert_eq!((&reopened["state"], &reopened["accepted_by"]), (&json!("open"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_told_with_the_thresholds_in_force() {
    let mut world = World::new().await;
    let overrides = [("F3.db_calls".to_owned(), 9.0)].into();
    let thresholds = query::findings::Thresholds::with(overrides).expect("a threshold");
    let settings = query::findings::Settings { thresholds, ..Default::default() };
    let engine = Engine::new(world.store.clone(), Limits::default()).with_findings(settings);
    let state =
        AppState::new(engine, (*world.state.about).clone(), std::sync::Arc::new(())).with_clock(Clock::new(|| NOW));
    world.app = router(&Tenants::only(state));
    let rules = world.json("/api/v1/findings/rules").await;
    assert_eq!(rules["rules"].as_array().map(Vec::len), Some(20));
    let threshold = &rules["rules"][2]["thresholds"][0];
    assert_eq!(
        (&threshold["name"], &threshold["value"], &threshold["default"]),
        (&json!("F3.db_calls"), &json!(9.0), &json!(5.0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said() {
    let world = World::new().await;
    for (path, status) in [
        ("/api/v1/findings?rule=F21", StatusCode::BAD_REQUEST),
        ("/api/v1/findings?state=green", StatusCode::BAD_REQUEST),
        ("/api/v1/findings?severity=bad", StatusCode::BAD_REQUEST),
        ("/api/v1/findings/0000000000000000", StatusCode::NOT_FOUND),
        ("/api/v1/findings/evaluate", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        assert_eq!(world.get(path).await.status, status, "{path}");
    }
    let path = "/api/v1/findings/0000000000000000";
    assert_eq!(post(&world, &format!("{path}/accept"), Some(json!({"by": ""}))).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(post(&world, &format!("{path}/reopen"), None).await.0, StatusCode::NOT_FOUND);
}
