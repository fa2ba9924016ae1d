//! `/api/v1/services` and what lies under it.

use serde_json::{Value, json};
use storage::store::Signal;

use super::world::{NOW, SECOND, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_told_in_the_form_of_the_contract() {
    let world = World::new().await;
    let list = world.json("/api/v1/services").await;
    let cart = &list["services"][0];
    assert_eq!((&cart["id"], &cart["calls"], &cart["errors"]), (&json!("cart"), &json!(1), &json!(1)));
    assert_eq!(cart["outcomes"], json!({"error": 1}));
    assert_eq!(cart["logs"], json!({"count": 2, "errors": 1}));
    let alone = json!({"own_db": [], "shared_db": [], "lockstep_with": [], "instances_at_once": 0});
    assert_eq!(cart["autonomy"], alone);
    assert_eq!(cart["coverage"], json!({"paired": 1.0, "orphans": 0.0}));
    for unknown in ["layer", "layer_source", "findings"] {
        assert_eq!(cart[unknown], json!(null), "{unknown}");
    }

    let detail = world.json("/api/v1/services/cart?step=5m").await;
    assert_eq!(detail["service"], *cart);
    assert_eq!((&detail["step_ns"], &detail["window"]), (&json!(300 * SECOND), &list["window"]));
    let series = &detail["series"];
    let lists = ["calls", "errors", "p50_ns", "p95_ns", "p99_ns", "spans", "instances"];
    for list in lists {
        assert_eq!(series[list].as_array().map(Vec::len), Some(13), "{list}: 61 minutes");
    }
    assert_eq!(series["outcomes"]["error"].as_array().map(Vec::len), Some(13));
    let sum = |list: &Value| list.as_array().into_iter().flatten().filter_map(Value::as_u64).sum::<u64>();
    assert_eq!((sum(&series["calls"]), sum(&series["spans"])), (1, 1));
    assert_eq!(detail["operations"][0]["name"], "load");
    let upstream = &detail["upstream"][0];
    assert_eq!((&upstream["source"], &upstream["identity"]), (&json!("gateway"), &json!("paired")));
    assert_eq!((&upstream["mode"], &upstream["lag"]), (&json!("sync"), &json!(null)));
    assert_eq!(detail["log_patterns"][0]["pattern"], "库存不足 out of stock");
    assert_eq!(detail["log_patterns"][0]["severity"], "error");
}

/// The only span of a trace: an entry of a version of `shop`.
fn served(number: i64, version: &str, before: i64, failed: bool) -> Value {
    let start = NOW - before * SECOND;
    let pair = |(key, value): (&str, &str)| json!({"key": key, "value": {"stringValue": value}});
    let resource = [("service.name", "shop"), ("service.version", version), ("service.instance.id", version)].map(pair);
    let exception = [("exception.type", "Gone"), ("exception.message", "item 7 of 9")].map(pair);
    let events = json!([{"timeUnixNano": start.to_string(), "name": "exception", "attributes": exception}]);
    json!({"resource": {"attributes": resource}, "scopeSpans": [{"spans": [{
        "traceId": format!("{:032x}", number + 1), "spanId": format!("{:016x}", number + 1), "name": "GET /", "kind": 2,
        "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + SECOND).to_string(),
        "status": {"code": if failed { 2 } else { 0 }}, "events": if failed { events } else { json!([]) }}]}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_are_compared() {
    let world = World::new().await;
    let old = (0..20).map(|number| served(number, "1.0", 1800 - number, false));
    let new = (0..20).map(|number| served(100 + number, "1.1", 600 - number, number < 4));
    world.send(Signal::Traces, &json!({"resourceSpans": old.chain(new).collect::<Vec<_>>()})).await;
    let told = world.json("/api/v1/services/shop/releases/compare").await;
    assert_eq!((&told["base"]["version"], &told["head"]["version"]), (&json!("1.0"), &json!("1.1")));
    assert_eq!((&told["head"]["calls"], &told["head"]["error_ratio"]), (&json!(20), &json!(0.2)));
    assert_eq!((&told["mode"], &told["operations"][0]["verdict"]), (&json!("before_after"), &json!("unknown")));
    assert_eq!(told["new_exceptions"], json!([{"type": "Gone", "count": 4}]));
    assert_eq!(told["verdict"], "worse", "a new exception tells even where calls are few: {told}");
    assert!(told["reasons"].as_array().is_some_and(|reasons| reasons.len() == 2), "{told}");

    let detail = world.json("/api/v1/services/shop").await;
    assert_eq!(detail["releases"][0]["version"], "1.1");
    assert_eq!(detail["instances"][0]["instance"], "1.0");
    assert_eq!(detail["exceptions"][0]["message"], "item 7 of 9");
    assert_eq!(detail["exceptions"][0]["count"], 4);
    assert!(detail["exceptions"][0]["exemplar"]["trace_id"].is_string());
    let same = world.get("/api/v1/services/shop/releases/compare?base=1.0&head=1.0").await;
    assert_eq!(same.status.as_u16(), 400, "{}", same.text());
}
