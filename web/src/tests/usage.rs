//! Whose the stored bytes are.

use axum::body::Body;
use serde_json::json;

use super::world::{World, request};

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_told_by_table_and_service() {
    let world = World::new().await;
    let live = world.json("/api/v1/usage").await;
    assert_eq!((&live["tables"][0]["rows"], &live["tables"][0]["segments"]), (&json!(2), &json!(0)), "{live}");
    assert_eq!(live["services"][0]["bytes"], 0);
    world.ask(request("POST", "/api/v1/flush").body(Body::empty()).expect("a request")).await;
    let usage = world.json("/api/v1/usage").await;
    let number = |value: &serde_json::Value| value.as_u64().unwrap_or_else(|| panic!("{usage}"));
    let list = |name: &str| usage[name].as_array().unwrap_or_else(|| panic!("{usage}")).clone();
    let stored: u64 =
        list("tables").iter().map(|one| number(&one["parquet_bytes"]) + number(&one["index_bytes"])).sum();
    let shared: u64 = list("services").iter().map(|one| number(&one["bytes"])).sum();
    assert!(stored > 0 && stored.abs_diff(shared) <= 2, "{usage}");
    for (table, what) in ["spans", "logs"].into_iter().enumerate() {
        assert_eq!((&usage["tables"][table]["table"], &usage["tables"][table]["rows"]), (&json!(what), &json!(2)));
        assert_eq!(list("services").iter().map(|one| number(&one[what])).sum::<u64>(), 2);
    }
    let parts = ["wal_bytes", "catalog_bytes", "replaced_bytes", "cache_bytes"].map(|part| number(&usage[part]));
    assert_eq!(number(&usage["total_bytes"]), stored + parts.iter().sum::<u64>());
    assert!(parts[0] > 0 && parts[1] > 0 && number(&usage["free_bytes"]) > 0, "{usage}");
    assert_eq!(usage["notes"]["warnings"], json!([]));
}
