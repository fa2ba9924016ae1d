//! The OpenAPI document of `/api/v1`, derived from the handlers; `web/openapi.json` is its golden file.

use axum::Json;
use utoipa::OpenApi;

use crate::api::{chain, data, findings, graph, logs, services, sql, status, tags, tenants, traces, usage};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Clew",
        description = "Traces and logs of microservices. docs/api.md tells the rules. The header X-Scope-OrgID, \
            or the parameter tenant, names the tenant; without it a request is of the tenant default."
    ),
    paths(
        traces::search,
        traces::trace,
        traces::span,
        chain::statistics,
        chain::links,
        chain::skew,
        logs::of_trace,
        logs::search,
        logs::histogram,
        logs::tail,
        logs::context,
        services::list,
        services::detail,
        services::operations,
        services::compare,
        graph::graph,
        findings::list,
        findings::rules,
        findings::one,
        findings::accept,
        findings::reopen,
        findings::evaluate,
        tags::list,
        tags::values,
        sql::run,
        status::status,
        status::flush,
        usage::usage,
        tenants::list,
        tenants::usage,
        data::erase,
    )
)]
struct Document;

pub(crate) async fn serve() -> Json<utoipa::openapi::OpenApi> {
    Json(Document::openapi())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::OWN;

    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

    #[test]
    fn every_route_is_documented_and_nothing_else() {
        let document = serde_json::to_value(Document::openapi()).expect("it serialises");
        let paths = document["paths"].as_object().expect("paths");
        let documented = paths.iter().flat_map(|(path, methods)| {
            methods.as_object().into_iter().flatten().map(move |(method, _)| format!("{method} {path}"))
        });
        let mut documented: Vec<_> = documented.collect();
        let mut routed: Vec<_> = OWN.iter().map(|(method, path)| format!("{method} {path}")).collect();
        documented.sort();
        routed.sort();
        assert_eq!(documented, routed);
    }

    #[test]
    fn the_golden_file_is_current() {
        let mut made = Document::openapi().to_pretty_json().expect("it serialises");
        made.push('\n');
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(GOLDEN, &made).expect("the golden file is writable");
        }
        let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
        assert!(
            golden == made,
            "web/openapi.json is not what the handlers say: run this test with UPDATE_GOLDEN=1 and look at the difference"
        );
    }
}
