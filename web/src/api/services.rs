//! `GET /services`, `/services/{id}/operations`, `/graph`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::system_json::{GraphJson, OperationList, ServiceJson, ServiceList};
use super::{RangeParams, range};
use crate::error::{ApiError, ErrorBody};
use crate::params::{Path, Query};
use crate::state::AppState;
use crate::time::Moment;

/// Services with spans in the range, by name.
#[utoipa::path(get, path = "/api/v1/services", operation_id = "list_services", tag = "system", params(RangeParams),
    responses((status = 200, body = ServiceList), (status = 400, body = ErrorBody)))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Query(asked): Query<RangeParams>,
) -> Result<Json<ServiceList>, ApiError> {
    let range = asked.range(state.now())?;
    let seconds = range.to.abs_diff(range.from) as f64 / 1e9;
    let (services, notes) = state.engine.services(range).await?;
    let services = services.into_iter().map(|service| ServiceJson::of(service, seconds)).collect();
    Ok(Json(ServiceList { services, notes: notes.into() }))
}

/// Operations of a service, by name.
#[utoipa::path(get, path = "/api/v1/services/{service}/operations", operation_id = "list_operations", tag = "system",
    params(("service" = String, Path), RangeParams),
    responses((status = 200, body = OperationList), (status = 400, body = ErrorBody)))]
pub(crate) async fn operations(
    State(state): State<AppState>,
    Path(service): Path<String>,
    Query(asked): Query<RangeParams>,
) -> Result<Json<OperationList>, ApiError> {
    let (operations, notes) = state.engine.operations(service, None, asked.range(state.now())?).await?;
    let operations = operations.into_iter().map(Into::into).collect();
    Ok(Json(OperationList { operations, notes: notes.into() }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct GraphParams {
    /// RFC 3339, ns since the epoch, `now`, or `now-1h` (units s m h d w). Default: an hour before `to`.
    #[param(value_type = Option<String>)]
    from: Option<Moment>,
    /// Exclusive; as `from`. Default: now.
    #[param(value_type = Option<String>)]
    to: Option<Moment>,
    /// Only what touches this service.
    service: Option<String>,
}

/// Who called whom, and how that went.
#[utoipa::path(get, path = "/api/v1/graph", operation_id = "get_graph", tag = "system", params(GraphParams),
    responses((status = 200, body = GraphJson), (status = 400, body = ErrorBody)))]
pub(crate) async fn graph(
    State(state): State<AppState>,
    Query(asked): Query<GraphParams>,
) -> Result<Response, ApiError> {
    let range = range(asked.from, asked.to, state.now())?;
    let graph = state.engine.graph(range, asked.service).await?;
    Ok(Json(GraphJson::from(graph)).into_response())
}
