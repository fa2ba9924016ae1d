//! `GET /tenants`, `GET /tenants/usage`.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use proto::rpc::TENANT_HEADER;
use query::Engine;
use serde::Serialize;
use storage::tenant::TenantId;
use utoipa::ToSchema;

use crate::error::{ApiError, ErrorBody};
use crate::state::AppState;

/// Tenants that the caller may see, and the one that this request is of.
#[derive(Serialize, ToSchema)]
pub(crate) struct TenantList {
    /// The default tenant first.
    tenants: Vec<Tenant>,
    current: String,
}

#[derive(Serialize, ToSchema)]
struct Tenant {
    id: String,
    /// Whether it is the tenant of requests that name none.
    default: bool,
}

/// What each tenant takes on the disk.
#[derive(Serialize, ToSchema)]
pub(crate) struct TenantsUsage {
    tenants: Vec<TenantUsage>,
}

#[derive(Serialize, ToSchema)]
struct TenantUsage {
    tenant: String,
    /// Of segments and indexes that answers are made of.
    segment_bytes: u64,
    /// Of the write-ahead log with its spare files.
    wal_bytes: u64,
    /// Of all, as in `/usage`.
    total_bytes: u64,
}

/// The tenants of this process; to a request with the header X-Scope-OrgID, that tenant alone.
#[utoipa::path(get, path = "/api/v1/tenants", tag = "process", responses((status = 200, body = TenantList)))]
pub(crate) async fn list(State(state): State<AppState>, headers: HeaderMap) -> Json<TenantList> {
    let tenant = |(id, _): (&TenantId, &Engine)| Tenant { id: id.to_string(), default: id.is_default() };
    let tenants = visible(&state, &headers).map(tenant).collect();
    Json(TenantList { tenants, current: state.tenant.to_string() })
}

/// Disk usage by tenant; to a request with the header X-Scope-OrgID, of that tenant alone.
#[utoipa::path(get, path = "/api/v1/tenants/usage", tag = "process",
    responses((status = 200, body = TenantsUsage), (status = 504, body = ErrorBody)))]
pub(crate) async fn usage(State(state): State<AppState>, headers: HeaderMap) -> Result<Json<TenantsUsage>, ApiError> {
    let mut tenants = Vec::new();
    for (id, engine) in visible(&state, &headers) {
        let disk = engine.disk_usage().await?;
        tenants.push(TenantUsage {
            tenant: id.to_string(),
            segment_bytes: disk.segment_bytes,
            wal_bytes: disk.wal_bytes,
            total_bytes: disk.segment_bytes + disk.beside_segments(),
        });
    }
    Ok(Json(TenantsUsage { tenants }))
}

/// The header is what a proxy sets for people of one tenant: they see no names of others. Who comes without it
/// may name any tenant, so may know them.
fn visible<'s>(state: &'s AppState, headers: &HeaderMap) -> impl Iterator<Item = (&'s TenantId, &'s Engine)> {
    let is_bound = headers.contains_key(TENANT_HEADER);
    state.engines.iter().filter(move |(id, _)| !is_bound || **id == state.tenant)
}
