//! Several tenants behind one port: each request sees its own tenant's data, or is refused.

use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use proto::rpc::TENANT_HEADER;
use query::{Engine, Limits};
use serde_json::json;
use storage::tenant::Tenants;

use super::world::{Answer, TRACE, World, request};
use crate::router::OWN;
use crate::{AppState, router};

/// The world of the default tenant; the tenant `acme` has a store of its own, without the trace.
async fn worlds() -> (World, World) {
    let (mut world, acme) = (World::new().await, World::empty().await);
    let mut stores = Tenants::only(world.store.clone());
    stores.add("acme".parse().expect("an id"), acme.store.clone());
    let engines = Arc::new(Engine::for_tenants(&stores, Limits::default()));
    let states = engines.map(|id, engine| {
        let about = (*world.state.about).clone();
        AppState::new(engine.clone(), about, Arc::new(())).of_tenant(id.clone(), engines.clone())
    });
    world.app = router(&states);
    (world, acme)
}

async fn ask(world: &World, method: &str, path: &str, headers: &[&str]) -> Answer {
    let request = headers.iter().fold(request(method, path), |request, value| request.header(TENANT_HEADER, *value));
    world.ask(request.body(Body::empty()).expect("a request")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_sees_its_own_data_alone() {
    let (world, _acme) = worlds().await;
    let path = format!("/api/v1/traces/{TRACE}");
    for (path, header, status) in [
        (path.clone(), &[][..], StatusCode::OK),
        (path.clone(), &["default"][..], StatusCode::OK),
        (path.clone(), &["acme"][..], StatusCode::NOT_FOUND),
        (format!("{path}?tenant=acme"), &[][..], StatusCode::NOT_FOUND),
        (format!("{path}?tenant=acme"), &["acme"][..], StatusCode::NOT_FOUND),
        (format!("{path}?tenant="), &[][..], StatusCode::OK),
        (format!("{path}?tenant=acme"), &["default"][..], StatusCode::BAD_REQUEST),
        (format!("{path}?tenant=acme&tenant=default"), &[][..], StatusCode::BAD_REQUEST),
        (format!("/jaeger/api/traces/{TRACE}"), &["acme"][..], StatusCode::NOT_FOUND),
        (format!("/jaeger/api/traces/{TRACE}"), &[][..], StatusCode::OK),
    ] {
        assert_eq!(ask(&world, "GET", &path, header).await.status, status, "{path} {header:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_answers_a_tenant_that_is_not_declared() {
    let (world, _acme) = worlds().await;
    let others = [
        ("get", "/api/traces"),
        ("get", "/jaeger/api/services"),
        ("get", "/zipkin/api/v2/services"),
        ("post", "/zipkin/api/v2/spans"),
        ("get", "/prometheus/api/v1/labels"),
        ("get", "/api/v1/there/is/no/such"),
        ("delete", "/api/v1/traces"),
    ];
    for (method, path) in OWN.iter().chain(&others) {
        for (header, says) in [("umbrella", "[tenants.umbrella]"), ("../acme", "no id of a tenant"), ("", "no id")] {
            let answer = ask(&world, &method.to_uppercase(), path, &[header]).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path} {header}");
            let error = &answer.json()["error"];
            assert_eq!(error["code"], "forbidden");
            assert!(error["message"].as_str().is_some_and(|message| message.contains(says)), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_of_no_tenant_is_the_same_for_all() {
    let (world, _acme) = worlds().await;
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json", "/assets/app.js"] {
        for header in [&[][..], &["acme"][..], &["umbrella"][..]] {
            assert_eq!(ask(&world, "GET", path, header).await.status, StatusCode::OK, "{path} {header:?}");
        }
    }
    let page = request("GET", "/traces?tenant=umbrella").header("accept", "text/html");
    let page = world.ask(page.body(Body::empty()).expect("a request")).await;
    assert_eq!(page.status, StatusCode::OK, "the page then shows the error of the API");
    let metrics = ask(&world, "GET", "/metrics", &[]).await.text();
    for line in [
        "clew_store_rows{table=\"spans\",tenant=\"default\"} 2",
        "clew_store_rows{table=\"spans\",tenant=\"acme\"} 0",
        "clew_buffer_rows{tenant=\"default\"} 4",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_tenant_alone_needs_no_label() {
    let world = World::new().await;
    let metrics = ask(&world, "GET", "/metrics", &[]).await.text();
    assert!(metrics.contains("clew_buffer_rows 4") && !metrics.contains("tenant"), "{metrics}");
    assert_eq!(world.json("/api/v1/tenants").await["tenants"], json!([{"id": "default", "default": true}]));
    assert_eq!(ask(&world, "GET", "/api/v1/status", &["acme"]).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_are_listed_but_not_to_one_of_them() {
    let (world, _acme) = worlds().await;
    let listed = world.json("/api/v1/tenants?tenant=acme").await;
    let all = json!([{"id": "default", "default": true}, {"id": "acme", "default": false}]);
    assert_eq!((&listed["tenants"], &listed["current"]), (&all, &json!("acme")));
    let bound = ask(&world, "GET", "/api/v1/tenants", &["acme"]).await.json();
    assert_eq!(bound, json!({"tenants": [{"id": "acme", "default": false}], "current": "acme"}));

    ask(&world, "POST", "/api/v1/flush", &[]).await;
    let usage = world.json("/api/v1/tenants/usage").await;
    let of = |at: usize, what: &str| usage["tenants"][at][what].as_u64().unwrap_or_else(|| panic!("{usage}"));
    assert!(of(0, "segment_bytes") > 0 && of(1, "segment_bytes") == 0 && of(1, "wal_bytes") > 0, "{usage}");
    let one = world.json("/api/v1/usage").await;
    assert_eq!((&one["tenant"], one["total_bytes"].as_u64()), (&json!("default"), Some(of(0, "total_bytes"))));
    let bound = ask(&world, "GET", "/api/v1/tenants/usage", &["acme"]).await.json();
    assert_eq!(bound["tenants"], json!([usage["tenants"][1]]));
}
