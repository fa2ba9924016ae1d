//! `GET /traces/{id}/statistics`, `/links`, `/skew`: what follows from a trace.

use axum::Json;
use axum::extract::State;
use query::tree::statistics::{GroupBy, statistics as sums};
use serde::Deserialize;
use storage::ids::TraceId;
use utoipa::IntoParams;

use super::chain_json::{TraceLinks, TraceSkew, TraceStatistics};
use super::traces::unknown;
use crate::error::{ApiError, ErrorBody};
use crate::params::{Id, Path, Query};
use crate::state::AppState;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct GroupParams {
    /// `service` (the default), `operation`, or the key of an attribute.
    group_by: Option<String>,
}

/// Counts, durations and self times of a trace by service, operation or attribute.
#[utoipa::path(get, path = "/api/v1/traces/{trace_id}/statistics", operation_id = "trace_statistics", tag = "traces",
    params(("trace_id" = String, Path), GroupParams),
    responses((status = 200, body = TraceStatistics), (status = 404, body = ErrorBody)))]
pub(crate) async fn statistics(
    State(state): State<AppState>,
    Path(Id(id)): Path<Id<TraceId>>,
    Query(asked): Query<GroupParams>,
) -> Result<Json<TraceStatistics>, ApiError> {
    let group_by = match asked.group_by.as_deref() {
        None | Some("" | "service") => GroupBy::Service,
        Some("operation") => GroupBy::Operation,
        Some(key) => GroupBy::Attribute(key.to_owned()),
    };
    let trace = state.engine.trace_or_notes(id).await?.map_err(|notes| unknown(id, &notes.warnings))?;
    let rows = sums(&trace, &group_by);
    Ok(Json(TraceStatistics::of(&trace, rows)))
}

/// Links from the trace, and from other traces to it.
#[utoipa::path(get, path = "/api/v1/traces/{trace_id}/links", operation_id = "trace_links", tag = "traces",
    params(("trace_id" = String, Path)),
    responses((status = 200, body = TraceLinks), (status = 404, body = ErrorBody)))]
pub(crate) async fn links(
    State(state): State<AppState>,
    Path(Id(id)): Path<Id<TraceId>>,
) -> Result<Json<TraceLinks>, ApiError> {
    let links = state.engine.trace_links(id).await?.map_err(|notes| unknown(id, &notes.warnings))?;
    Ok(Json(links.into()))
}

/// How far the clocks of the instances in a trace are apart, by calls around its time.
#[utoipa::path(get, path = "/api/v1/traces/{trace_id}/skew", operation_id = "trace_skew", tag = "traces",
    params(("trace_id" = String, Path)),
    responses((status = 200, body = TraceSkew), (status = 404, body = ErrorBody)))]
pub(crate) async fn skew(
    State(state): State<AppState>,
    Path(Id(id)): Path<Id<TraceId>>,
) -> Result<Json<TraceSkew>, ApiError> {
    let skew = state.engine.trace_skew(id).await?.map_err(|notes| unknown(id, &notes.warnings))?;
    Ok(Json(skew.into()))
}
