//! `GET /services`, `/services/{id}`, its operations and releases.

use axum::Json;
use axum::extract::State;
use query::services::Scope;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use utoipa::IntoParams;

use super::releases_json::ComparisonJson;
use super::service_json::DetailJson;
use super::services_json::ServiceList;
use super::system_json::OperationList;
use super::{RangeParams, range};
use crate::error::{ApiError, ErrorBody};
use crate::params::{Path, Query};
use crate::state::AppState;
use crate::time::Moment;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// RFC 3339, ns since the epoch, `now`, or `now-1h` (units s m h d w). Default: an hour before `to`.
    #[param(value_type = Option<String>)]
    from: Option<Moment>,
    /// Exclusive; as `from`. Default: now.
    #[param(value_type = Option<String>)]
    to: Option<Moment>,
    /// Only this `deployment.environment`.
    env: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DetailParams {
    /// RFC 3339, ns since the epoch, `now`, or `now-1h` (units s m h d w). Default: an hour before `to`.
    #[param(value_type = Option<String>)]
    from: Option<Moment>,
    /// Exclusive; as `from`. Default: now.
    #[param(value_type = Option<String>)]
    to: Option<Moment>,
    /// Only this `deployment.environment`.
    env: Option<String>,
    /// Whole minutes: `60s`, `5m`, `1h`. Default: the shortest that makes at most 1000 steps.
    #[param(value_type = Option<String>)]
    step: Option<Step>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CompareParams {
    /// RFC 3339, ns since the epoch, `now`, or `now-1h` (units s m h d w). Default: an hour before `to`.
    #[param(value_type = Option<String>)]
    from: Option<Moment>,
    /// Exclusive; as `from`. Default: now.
    #[param(value_type = Option<String>)]
    to: Option<Moment>,
    /// Only this `deployment.environment`.
    env: Option<String>,
    /// The version before. Default: the newest but `head`.
    base: Option<String>,
    /// The version after. Default: the newest.
    head: Option<String>,
}

/// A step of time in whole minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step(u64);

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        minutes(&text).map(Step).ok_or_else(|| D::Error::custom("want whole minutes, such as `60s`, `5m` or `1h`"))
    }
}

fn minutes(text: &str) -> Option<u64> {
    let unit = text.chars().next_back()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let count = &text[..text.len() - unit.len_utf8()];
    let digits = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = count.parse::<u64>().ok().filter(|_| digits)?.checked_mul(seconds)?;
    (seconds > 0 && seconds.is_multiple_of(60)).then_some(seconds / 60)
}

fn scope(
    state: &AppState,
    from: Option<Moment>,
    to: Option<Moment>,
    environment: Option<String>,
) -> Result<Scope, ApiError> {
    Ok(Scope { environment, layers: state.engine.file_layers(), ..Scope::of(range(from, to, state.now())?) })
}

fn unknown(service: &str) -> ApiError {
    ApiError::not_found(format!("there is no service {service} in this window"))
}

/// Services with spans in the minutes of the range, by name.
#[utoipa::path(get, path = "/api/v1/services", operation_id = "list_services", tag = "system", params(ListParams),
    responses((status = 200, body = ServiceList), (status = 400, body = ErrorBody)))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Query(asked): Query<ListParams>,
) -> Result<Json<ServiceList>, ApiError> {
    let scope = scope(&state, asked.from, asked.to, asked.env)?;
    let inventory = state.engine.services(scope).await?;
    Ok(Json(ServiceList::of(inventory, state.now())))
}

/// One service: series, operations, callers and callees, instances, releases, exceptions, texts of logs.
#[utoipa::path(get, path = "/api/v1/services/{service}", operation_id = "get_service", tag = "system",
    params(("service" = String, Path), DetailParams),
    responses((status = 200, body = DetailJson), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn detail(
    State(state): State<AppState>,
    Path(service): Path<String>,
    Query(asked): Query<DetailParams>,
) -> Result<Json<DetailJson>, ApiError> {
    let scope = scope(&state, asked.from, asked.to, asked.env)?;
    let detail = state.engine.service(service.clone(), scope, asked.step.map(|step| step.0)).await?;
    let detail = detail.ok_or_else(|| unknown(&service))?;
    Ok(Json(DetailJson::of(detail, state.now())))
}

/// What a release changed: two versions of a service beside each other.
#[utoipa::path(get, path = "/api/v1/services/{service}/releases/compare", operation_id = "compare_releases",
    tag = "system", params(("service" = String, Path), CompareParams),
    responses((status = 200, body = ComparisonJson), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn compare(
    State(state): State<AppState>,
    Path(service): Path<String>,
    Query(asked): Query<CompareParams>,
) -> Result<Json<ComparisonJson>, ApiError> {
    let scope = scope(&state, asked.from, asked.to, asked.env)?;
    let compared = state.engine.compare_releases(service.clone(), scope, asked.base, asked.head).await?;
    Ok(Json(compared.ok_or_else(|| unknown(&service))?.into()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_whole_minutes() {
        let told = ["60s", "5m", "1h", "1d", "90s", "0m", "", "m", "5", "+5m", "5 m", "99999999999999999999d", "3分"];
        let told = told.map(minutes);
        assert_eq!(told[..4], [Some(1), Some(5), Some(60), Some(1440)]);
        assert!(told[4..].iter().all(Option::is_none), "{told:?}");
    }
}
