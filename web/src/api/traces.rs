//! `GET /traces`, `/traces/{id}`, `/traces/{id}/spans/{span_id}`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use query::search::TraceSearch;
use query::traceql::TraceQuery;
use serde::Deserialize;
use storage::ids::{SpanId, TraceId};
use utoipa::IntoParams;

use super::skeleton_json::SkeletonJson;
use super::system_json::TracePage;
use super::trace_json::{LoneSpans, TraceJson};
use super::{MAX_PAGE, range};
use crate::answer;
use crate::error::{ApiError, ErrorBody};
use crate::params::{Count, Id, Path, Query};
use crate::state::AppState;
use crate::time::Moment;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchParams {
    /// A TraceQL spanset filter, or the short form: `service:cart duration>200ms error`.
    q: Option<String>,
    /// RFC 3339, ns since the epoch, `now`, or `now-1h` (units s m h d w). Default: an hour before `to`.
    #[param(value_type = Option<String>)]
    from: Option<Moment>,
    /// Exclusive; as `from`. Default: now.
    #[param(value_type = Option<String>)]
    to: Option<Moment>,
    /// Default: 20.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000)]
    limit: Option<Count<MAX_PAGE>>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Traces with spans that match, newest first.
#[utoipa::path(get, path = "/api/v1/traces", operation_id = "search_traces", tag = "traces", params(SearchParams),
    responses((status = 200, body = TracePage), (status = 400, body = ErrorBody), (status = 504, body = ErrorBody)))]
pub(crate) async fn search(
    State(state): State<AppState>,
    Query(asked): Query<SearchParams>,
) -> Result<Json<TracePage>, ApiError> {
    let query = TraceQuery::parse(asked.q.as_deref().unwrap_or_default())?;
    let range = range(asked.from, asked.to, state.now())?;
    let limit = asked.limit.map_or(20, |limit| limit.0);
    let search = TraceSearch { cursor: asked.cursor, ..TraceSearch::new(query, range, limit) };
    Ok(Json(state.engine.search_traces(search).await?.into()))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ViewParams {
    /// `skeleton`: columns for the waterfall of a large trace; see Skeleton.
    #[param(inline)]
    view: Option<View>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum View {
    Full,
    Skeleton,
}

/// The whole trace, or its skeleton.
#[utoipa::path(get, path = "/api/v1/traces/{trace_id}", operation_id = "get_trace", tag = "traces",
    params(("trace_id" = String, Path, description = "Hex; a short id is padded with zeros"), ViewParams),
    responses((status = 200, body = TraceAnswer<'_>), (status = 404, body = ErrorBody)))]
pub(crate) async fn trace(
    State(state): State<AppState>,
    Path(Id(id)): Path<Id<TraceId>>,
    Query(asked): Query<ViewParams>,
) -> Result<Response, ApiError> {
    if asked.view == Some(View::Skeleton) {
        let skeleton = state.engine.skeleton_or_notes(id).await?.map_err(|notes| unknown(id, &notes.warnings))?;
        return Ok(answer::json(skeleton, |skeleton, out| serde_json::to_writer(out, &SkeletonJson::from(skeleton))));
    }
    let trace = state.engine.trace_or_notes(id).await?.map_err(|notes| unknown(id, &notes.warnings))?;
    Ok(answer::json(trace, |trace, out| serde_json::to_writer(out, &TraceJson::of(trace))))
}

/// The two forms of a trace.
#[derive(utoipa::ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes the answers of `trace`")]
pub(crate) enum TraceAnswer<'a> {
    Full(TraceJson<'a>),
    Skeleton(SkeletonJson<'a>),
}

/// 404, which says what could not be read: it may have held the trace.
pub(super) fn unknown(id: TraceId, unread: &[String]) -> ApiError {
    not_among(format!("there is no trace {id}"), unread)
}

fn not_among(what: String, unread: &[String]) -> ApiError {
    match unread {
        [] => ApiError::not_found(what),
        unread => ApiError::not_found(format!("{what}; not all could be read: {}", unread.join("; "))),
    }
}

/// One span with everything that was sent.
#[utoipa::path(get, path = "/api/v1/traces/{trace_id}/spans/{span_id}", operation_id = "get_span", tag = "traces",
    params(("trace_id" = String, Path), ("span_id" = String, Path)),
    responses((status = 200, body = LoneSpans<'_>), (status = 404, body = ErrorBody)))]
pub(crate) async fn span(
    State(state): State<AppState>,
    Path(ids): Path<(Id<TraceId>, Id<SpanId>)>,
) -> Result<Response, ApiError> {
    let (Id(trace_id), Id(span_id)) = ids;
    let (spans, notes) = state.engine.spans_of(trace_id, span_id).await?;
    if spans.is_empty() {
        return Err(not_among(format!("there is no span {span_id} in trace {trace_id}"), &notes.warnings));
    }
    Ok(Json(LoneSpans::of(&spans, notes)).into_response())
}
