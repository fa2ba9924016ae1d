//! `GET /logs`, `/logs/histogram`, `/logs/{id}/context`, `/logs/tail`, `/traces/{id}/logs`.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use query::QueryError;
use query::logql::LogQuery;
use query::logs::{LogOrder, LogSearch, TailEvent};
use serde::Deserialize;
use serde_json::json;
use storage::ids::{RowId, TraceId};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::IntoParams;

use super::log_json::{HistogramJson, LogContext, LogJson, LogPage};
use super::{MAX_PAGE, range};
use crate::answer;
use crate::error::{ApiError, Code, ErrorBody};
use crate::params::{Count, Id, Path, Query};
use crate::state::{AppState, MOST_TAILS};
use crate::time::Moment;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchParams {
    /// Words, `"a phrase"`, `-word`, `service:cart severity>=warn http.method=GET`, OR, AND, parentheses.
    q: Option<String>,
    /// RFC 3339, ns since the epoch, `now`, or `now-1h` (units s m h d w). Default: an hour before `to`.
    #[param(value_type = Option<String>)]
    from: Option<Moment>,
    /// Exclusive; as `from`. Default: now.
    #[param(value_type = Option<String>)]
    to: Option<Moment>,
    /// Default: 100.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000)]
    limit: Option<Count<MAX_PAGE>>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Default: desc, newest first.
    #[param(inline)]
    order: Option<OrderParam>,
}

#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum OrderParam {
    Desc,
    Asc,
}

const DEFAULT_PAGE: usize = 100;

fn query(text: Option<String>) -> Result<LogQuery, QueryError> {
    LogQuery::parse(text.as_deref().unwrap_or_default())
}

/// Records that match, newest first.
#[utoipa::path(get, path = "/api/v1/logs", operation_id = "search_logs", tag = "logs", params(SearchParams),
    responses((status = 200, body = LogPage<'_>), (status = 400, body = ErrorBody), (status = 504, body = ErrorBody)))]
pub(crate) async fn search(
    State(state): State<AppState>,
    Query(asked): Query<SearchParams>,
) -> Result<Response, ApiError> {
    let range = range(asked.from, asked.to, state.now())?;
    let limit = asked.limit.map_or(DEFAULT_PAGE, |limit| limit.0);
    let order = match asked.order {
        None | Some(OrderParam::Desc) => LogOrder::NewestFirst,
        Some(OrderParam::Asc) => LogOrder::OldestFirst,
    };
    let search = LogSearch { order, cursor: asked.cursor, ..LogSearch::new(query(asked.q)?, range, limit) };
    let page = state.engine.search_logs(search).await?;
    Ok(answer::json(page, |page, out| serde_json::to_writer(out, &LogPage::from(page))))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OfTraceParams {
    /// Default: 100.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000)]
    limit: Option<Count<MAX_PAGE>>,
}

/// Records of one trace, oldest first.
#[utoipa::path(get, path = "/api/v1/traces/{trace_id}/logs", operation_id = "get_trace_logs", tag = "traces",
    params(("trace_id" = String, Path), OfTraceParams), responses((status = 200, body = LogPage<'_>)))]
pub(crate) async fn of_trace(
    State(state): State<AppState>,
    Path(Id(trace_id)): Path<Id<TraceId>>,
    Query(asked): Query<OfTraceParams>,
) -> Result<Response, ApiError> {
    let page = state.engine.logs_of_trace(trace_id, asked.limit.map_or(DEFAULT_PAGE, |limit| limit.0)).await?;
    Ok(answer::json(page, |page, out| serde_json::to_writer(out, &LogPage::from(page))))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistogramParams {
    /// As in the search.
    q: Option<String>,
    /// As in the search.
    #[param(value_type = Option<String>)]
    from: Option<Moment>,
    /// As in the search.
    #[param(value_type = Option<String>)]
    to: Option<Moment>,
    /// Default: 60.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000)]
    buckets: Option<Count<1000>>,
}

/// Counts over time, by severity.
#[utoipa::path(get, path = "/api/v1/logs/histogram", operation_id = "log_histogram", tag = "logs", params(HistogramParams),
    responses((status = 200, body = HistogramJson), (status = 400, body = ErrorBody)))]
pub(crate) async fn histogram(
    State(state): State<AppState>,
    Query(asked): Query<HistogramParams>,
) -> Result<Json<HistogramJson>, ApiError> {
    let range = range(asked.from, asked.to, state.now())?;
    let buckets = asked.buckets.map_or(60, |buckets| buckets.0);
    let histogram = state.engine.log_histogram(query(asked.q)?, range, buckets).await?;
    Ok(Json(histogram.into()))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ContextParams {
    /// Records before it. Default: 10.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000)]
    before: Option<Count<MAX_PAGE>>,
    /// Records after it. Default: 10.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000)]
    after: Option<Count<MAX_PAGE>>,
}

/// What the same service instance said just before and after.
#[utoipa::path(get, path = "/api/v1/logs/{log_id}/context", operation_id = "log_context", tag = "logs",
    params(("log_id" = String, Path), ContextParams),
    responses((status = 200, body = LogContext<'_>), (status = 404, body = ErrorBody)))]
pub(crate) async fn context(
    State(state): State<AppState>,
    Path(Id(id)): Path<Id<RowId>>,
    Query(asked): Query<ContextParams>,
) -> Result<Response, ApiError> {
    let count = |count: Option<Count<MAX_PAGE>>| count.map_or(10, |count| count.0);
    let found = state.engine.log_context(id, count(asked.before), count(asked.after)).await?;
    let found = found.ok_or_else(|| unknown(&state, id))?;
    Ok(Json(LogContext::from(&found)).into_response())
}

/// 404, which says what the store has lost: the record may be among it.
fn unknown(state: &AppState, id: RowId) -> ApiError {
    match state.engine.store().snapshot().losses() {
        [] => ApiError::not_found(format!("there is no log record {id}")),
        losses => ApiError::not_found(format!("there is no log record {id}; data was lost: {}", losses.join("; "))),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TailParams {
    /// As in the search.
    q: Option<String>,
}

/// Comments between events, so that proxies and clients see a live connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Events that wait for a client; it is given up where it takes none for [`answer::STALL`].
const BEHIND: usize = 16;

/// New records as they arrive. Events: `log` with one record; `dropped` with `{"count":n}` where more came
/// than were taken; `warning` with `{"message":…}` where records may be missing; `error`, likewise, is the last.
#[utoipa::path(get, path = "/api/v1/logs/tail", operation_id = "tail_logs", tag = "logs", params(TailParams),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 400, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub(crate) async fn tail(
    State(state): State<AppState>,
    Query(asked): Query<TailParams>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let query = query(asked.q)?;
    let place = state.place_for_tail().ok_or_else(|| {
        ApiError::new(Code::Unavailable, format!("{MOST_TAILS} tails are open, and no more can be; try again later"))
    })?;
    let told = state.engine.log_tail(query);
    let (sender, receiver) = mpsc::channel(BEHIND);
    tokio::spawn(async move {
        let _place = place;
        tokio::select! {
            () = pump(told, &sender) => {}
            () = sender.closed() => {}
            () = state.closed() => {}
        }
    });
    Ok(Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// Until the tail ends, or the client takes nothing any more.
async fn pump(
    told: impl Stream<Item = Result<TailEvent, QueryError>>,
    sender: &mpsc::Sender<Result<Event, Infallible>>,
) {
    let mut told = std::pin::pin!(told);
    while let Some(told) = told.next().await {
        let event = event(told).unwrap_or_else(failed);
        let taken = tokio::time::timeout(answer::STALL, sender.send(Ok(event))).await;
        if !matches!(taken, Ok(Ok(()))) {
            return;
        }
    }
}

fn event(told: Result<TailEvent, QueryError>) -> Result<Event, axum::Error> {
    let named = |name| Event::default().event(name);
    match told {
        Ok(TailEvent::Log(log)) => named("log").json_data(LogJson::from(&*log)),
        Ok(TailEvent::Dropped(count)) => named("dropped").json_data(json!({ "count": count })),
        Ok(TailEvent::Warning(message)) => named("warning").json_data(json!({ "message": message })),
        Err(error) => Ok(failed(error)),
    }
}

/// The last event of a tail that cannot go on.
fn failed(error: impl std::fmt::Display) -> Event {
    Event::default().event("error").data(json!({ "message": error.to_string() }).to_string())
}
