//! Every route on one screen. What is not listed here is not there.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, Uri};
use axum::routing::{delete, get, post};
use storage::tenant::Tenants;
use tower_http::compression::CompressionLayer;

use crate::api::{chain, data, findings, graph, logs, services, sql, status, tags, tenants, traces, usage};
use crate::error::{ApiError, Code};
use crate::jaeger::{v1, v3};
use crate::state::AppState;
use crate::{guard, health, openapi, prometheus, tenant, ui, zipkin};

/// The routes of `/api/v1`, and their list for the test that the OpenAPI document has them all.
macro_rules! routes {
    ($($method:ident $path:literal => $handler:path,)*) => {
        #[cfg(test)]
        pub(crate) const OWN: &[(&str, &str)] = &[$((stringify!($method), $path)),*];

        fn own() -> Router<AppState> {
            Router::new()$(.route($path, $method($handler)))*
        }
    };
}

routes! {
    get  "/api/v1/traces"                       => traces::search,
    get  "/api/v1/traces/{trace_id}"            => traces::trace,
    get  "/api/v1/traces/{trace_id}/logs"       => logs::of_trace,
    get  "/api/v1/traces/{trace_id}/spans/{span_id}" => traces::span,
    get  "/api/v1/traces/{trace_id}/statistics" => chain::statistics,
    get  "/api/v1/traces/{trace_id}/links"      => chain::links,
    get  "/api/v1/traces/{trace_id}/skew"       => chain::skew,
    get  "/api/v1/logs"                         => logs::search,
    get  "/api/v1/logs/histogram"               => logs::histogram,
    get  "/api/v1/logs/tail"                    => logs::tail,
    get  "/api/v1/logs/{log_id}/context"        => logs::context,
    get  "/api/v1/services"                     => services::list,
    get  "/api/v1/services/{service}"           => services::detail,
    get  "/api/v1/services/{service}/operations" => services::operations,
    get  "/api/v1/services/{service}/releases/compare" => services::compare,
    get  "/api/v1/graph"                        => graph::graph,
    get  "/api/v1/findings"                     => findings::list,
    get  "/api/v1/findings/rules"               => findings::rules,
    get  "/api/v1/findings/{finding_id}"        => findings::one,
    post "/api/v1/findings/{finding_id}/accept" => findings::accept,
    post "/api/v1/findings/{finding_id}/reopen" => findings::reopen,
    post "/api/v1/findings/evaluate"            => findings::evaluate,
    get  "/api/v1/tags"                         => tags::list,
    get  "/api/v1/tags/{key}/values"            => tags::values,
    post "/api/v1/sql"                          => sql::run,
    get  "/api/v1/status"                       => status::status,
    post "/api/v1/flush"                        => status::flush,
    get  "/api/v1/usage"                        => usage::usage,
    get  "/api/v1/tenants"                      => tenants::list,
    get  "/api/v1/tenants/usage"                => tenants::usage,
    delete "/api/v1/data"                       => data::erase,
}

fn process() -> Router<AppState> {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/openapi.json", get(openapi::serve))
}

/// Jaeger's APIs: v1, which Grafana asks, and v3, which Jaeger's own UI asks.
fn jaeger() -> Router<AppState> {
    Router::new()
        .route("/api/services", get(v1::services))
        .route("/api/services/{service}/operations", get(v1::operation_names))
        .route("/api/operations", get(v1::operations))
        .route("/api/traces", get(v1::search))
        .route("/api/traces/{trace_id}", get(v1::trace))
        .route("/api/dependencies", get(v1::dependencies))
        .route("/api/transform", post(v1::transform).layer(DefaultBodyLimit::max(MAX_TRANSFORM_BYTES)))
        .route("/api/metrics/{kind}", get(v1::metrics))
        .route("/api/v3/services", get(v3::services))
        .route("/api/v3/operations", get(v3::operations))
        .route("/api/v3/traces", get(v3::search))
        .route("/api/v3/traces/{trace_id}", get(v3::trace))
        .route("/api/v3/trace-summaries", get(v3::summaries))
        .route("/api/v3/dependencies", get(v3::dependencies))
}

/// Of a body, unless a route says otherwise.
const MAX_BODY_BYTES: usize = 1 << 20;
/// Of OTLP JSON that Jaeger's UI has us turn into its own form.
const MAX_TRANSFORM_BYTES: usize = 32 << 20;

/// The whole server: what the process says of itself, and behind it a router for each tenant, which knows of no
/// other tenant's store.
pub fn router(states: &Tenants<AppState>) -> Router {
    let first = states.of_default();
    let hosts = guard::Hosts::of(first.about.http, &first.about.allowed_hosts);
    let tenants = Arc::new(states.map(|_, state| of_tenant(state.clone())));
    Router::new()
        .fallback(tenant::dispatch)
        .with_state(tenants)
        .merge(process().with_state(first.clone()))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CompressionLayer::new())
        .layer(axum::middleware::from_fn_with_state(hosts, guard::guard))
}

/// All that is asked of one tenant. Jaeger's APIs are under their own base path and, where Jaeger's UI and scripts
/// expect them, at the root.
fn of_tenant(state: AppState) -> Router {
    Router::new()
        .merge(own())
        .merge(jaeger())
        .nest("/jaeger", jaeger())
        .nest("/zipkin/api/v2", zipkin::routes())
        .nest("/prometheus/api/v1", prometheus::routes())
        .fallback(ui::serve)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(state)
}

async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    ApiError::new(Code::MethodNotAllowed, format!("{method} is not a method of {}", uri.path()))
}
