//! Jaeger's HTTP API v3: OTLP JSON traces, summaries, names.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use proto::jaeger::v1::{Dependency, Operation};
use proto::jaeger::v3::{ErrorAnswer, Operations, ServiceSummary, Services, Summaries, TraceSummary};
use query::model::{self, Trace};
use query::{QueryError, Range};
use serde::Serialize;

use super::feed::Feed;
use super::{search, shown_service, span_name, to_otlp, trace_id, v1};
use crate::answer;
use crate::error::ApiError;
use crate::params::{Pairs, Path};
use crate::state::AppState;

/// An error as `{"error":{"httpCode","message"}}`.
#[derive(Debug)]
pub(crate) struct Failed {
    status: StatusCode,
    message: String,
}

impl Failed {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "No traces found")
    }
}

impl From<ApiError> for Failed {
    fn from(error: ApiError) -> Self {
        Self::new(error.code.status(), error.message)
    }
}

impl From<QueryError> for Failed {
    fn from(error: QueryError) -> Self {
        ApiError::from(error).into()
    }
}

impl From<String> for Failed {
    fn from(message: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (self.status, Json(ErrorAnswer::new(self.status.as_u16(), self.message))).into_response()
    }
}

fn asked(query: Option<String>) -> Result<Pairs, Failed> {
    Ok(Pairs::parse(query.as_deref().unwrap_or_default())?)
}

pub(crate) async fn services(State(state): State<AppState>) -> Result<Json<Services>, Failed> {
    let (services, _) = state.engine.service_names(Range::ALL).await?;
    Ok(Json(Services { services: services.into_iter().map(shown_service).collect() }))
}

/// An unspecified kind is `internal` here, as Jaeger has it on this wire.
pub(crate) async fn operations(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Json<Operations>, Failed> {
    let asked = asked(query)?;
    let service = asked.get("service").ok_or_else(|| "parameter service is required".to_owned())?;
    let kind = asked.get("span_kind").or_else(|| asked.get("spanKind"));
    let operations = v1::operations_of(&state, service, kind).await?.into_iter().map(|operation| Operation {
        span_kind: if operation.span_kind.is_empty() { "internal".to_owned() } else { operation.span_kind },
        ..operation
    });
    Ok(Json(Operations { operations: operations.collect() }))
}

/// `{"result":{"resourceSpans":…}}` around a list that is written as it is read.
#[derive(Serialize)]
struct Answer<L> {
    result: Spans<L>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spans<L> {
    resource_spans: L,
}

pub(crate) async fn search(State(state): State<AppState>, RawQuery(query): RawQuery) -> Result<Response, Failed> {
    let search = search::v3(&asked(query)?)?;
    let page = state.engine.search_traces(search.question()).await?;
    let ids = page.items.iter().map(|summary| summary.id).collect();
    let feed = Feed::load(state.engine.clone(), ids).await?;
    if feed.is_empty() {
        return Err(Failed::not_found());
    }
    Ok(answer::json(feed, |feed, out| {
        let answer = Answer { result: Spans { resource_spans: feed.list(to_otlp::resource_spans) } };
        serde_json::to_writer(out, &answer)
    }))
}

pub(crate) async fn trace(
    State(state): State<AppState>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failed> {
    search::v3_window(&asked(query)?)?;
    let id = trace_id(&id).ok_or_else(|| "malformed parameter trace_id: want hex digits".to_owned())?;
    let trace: Trace = state.engine.trace_or_notes(id).await?.map_err(|notes| {
        let missing = Failed::not_found();
        let said = [missing.message].into_iter().chain(notes.warnings).collect::<Vec<_>>();
        Failed::new(missing.status, said.join("; "))
    })?;
    Ok(answer::json(trace, |trace, out| {
        serde_json::to_writer(out, &Answer { result: Spans { resource_spans: to_otlp::resource_spans(trace) } })
    }))
}

pub(crate) async fn summaries(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Json<Summaries>, Failed> {
    let search = search::v3(&asked(query)?)?;
    let page = state.engine.search_traces(search.question()).await?;
    Ok(Json(Summaries { summaries: page.items.into_iter().map(summary).collect() }))
}

fn summary(found: model::TraceSummary) -> TraceSummary {
    let service = |count: model::ServiceCount| ServiceSummary {
        name: shown_service(count.name),
        span_count: count.span_count,
        error_span_count: count.error_count,
    };
    let mut services: Vec<_> = found.services.into_iter().map(service).collect();
    services.sort_by(|a, b| a.name.cmp(&b.name));
    TraceSummary {
        trace_id: found.id.to_string(),
        root_service_name: shown_service(found.root_service),
        root_operation_name: span_name(&found.root_name).to_owned(),
        min_start_time_unix_nano: found.start,
        max_end_time_unix_nano: found.end,
        span_count: found.span_count,
        error_span_count: found.error_count,
        orphan_span_count: found.orphan_count,
        services,
    }
}

/// `{"dependencies":[…]}`
#[derive(Serialize)]
pub(crate) struct Dependencies {
    dependencies: Vec<Dependency>,
}

pub(crate) async fn dependencies(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Json<Dependencies>, Failed> {
    let asked = asked(query)?;
    let range = search::v3_range(&asked, state.now())?;
    Ok(Json(Dependencies { dependencies: v1::dependency_list(&state, range, asked.get("service")).await? }))
}
