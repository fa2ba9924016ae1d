//! Zipkin's HTTP API v2, over the same spans as everything else.

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::header::{CONTENT_TYPE, WARNING};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use query::model::Notes;
use query::{QueryError, Range};
use serde::Serialize;
use storage::ids::TraceId;

use crate::answer;
use crate::error::ApiError;
use crate::params::{Pairs, Path};
use crate::state::AppState;
use crate::time::looking_back;

mod intake;
mod search;
mod spans;

/// Remote services are looked for so far back, ns.
const NAMES_LOOKBACK: i64 = 7 * 86_400 * 1_000_000_000;
/// Most ids of one `traceMany`.
const MOST_TRACES: usize = 1_000;

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route(
            "/spans",
            get(span_names).merge(post(intake::spans).layer(DefaultBodyLimit::max(intake::MAX_BODY_BYTES))),
        )
        .route("/services", get(services))
        .route("/remoteServices", get(remote_services))
        .route("/traces", get(search::traces))
        .route("/trace/{trace_id}", get(trace))
        .route("/traceMany", get(trace_many))
        .route("/dependencies", get(dependencies))
        .route("/autocompleteKeys", get(autocomplete_keys))
        .route("/autocompleteValues", get(autocomplete_values))
}

/// An error as Zipkin gives it: a status and plain text.
#[derive(Debug)]
struct Failed {
    status: StatusCode,
    message: String,
}

impl Failed {
    fn bad(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }
}

impl From<ApiError> for Failed {
    fn from(error: ApiError) -> Self {
        Self { status: error.code.status(), message: error.message }
    }
}

impl From<QueryError> for Failed {
    fn from(error: QueryError) -> Self {
        ApiError::from(error).into()
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (self.status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], self.message).into_response()
    }
}

/// A small list. Its body has no place for what keeps it from being whole: HTTP's `Warning` says it.
fn list<T: Serialize>(list: &[T], notes: &Notes) -> Result<Response, Failed> {
    let body = serde_json::to_vec(list).map_err(ApiError::internal)?;
    let answer = ([(CONTENT_TYPE, "application/json")], body).into_response();
    Ok(warned(answer, notes))
}

fn warned(mut answer: Response, notes: &Notes) -> Response {
    for warning in &notes.warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"").replace(char::is_control, " ");
        // Bytes, as names in it need not be ASCII.
        if let Ok(value) = HeaderValue::from_bytes(format!("199 clew \"{quoted}\"").as_bytes()) {
            answer.headers_mut().append(WARNING, value);
        }
    }
    answer
}

fn pairs(query: Option<String>) -> Result<Pairs, Failed> {
    Ok(Pairs::parse(query.as_deref().unwrap_or_default())?)
}

fn required<'a>(pairs: &'a Pairs, name: &str) -> Result<&'a str, Failed> {
    pairs.get(name).ok_or_else(|| Failed::bad(format!("parameter {name} is required")))
}

/// A whole number that is more than 0.
fn positive(pairs: &Pairs, name: &str) -> Result<Option<i64>, Failed> {
    let Some(text) = pairs.get(name) else { return Ok(None) };
    let number = text.parse::<i64>().ok().filter(|number| *number > 0);
    number.map(Some).ok_or_else(|| Failed::bad(format!("{name} must be a whole number above 0, not {text:?}")))
}

/// What `endTs` and `lookback` (ms) ask for.
fn range(pairs: &Pairs, now: i64) -> Result<Range, Failed> {
    let ns = |name| Ok::<_, Failed>(positive(pairs, name)?.map(|ms| ms.saturating_mul(1_000_000)));
    Ok(looking_back(ns("endTs")?, ns("lookback")?, now))
}

/// Names of services as stored that Zipkin shows under this one: it has lower case only.
async fn stored_services(state: &AppState, name: &str) -> Result<Vec<String>, QueryError> {
    let name = name.to_lowercase();
    let (services, _) = state.engine.service_names(Range::ALL).await?;
    Ok(services.into_iter().filter(|service| service.to_lowercase() == name).collect())
}

async fn services(State(state): State<AppState>) -> Result<Response, Failed> {
    let (services, notes) = state.engine.service_names(Range::ALL).await?;
    let names: BTreeSet<String> = services.into_iter().map(|name| name.to_lowercase()).collect();
    list(&Vec::from_iter(names), &notes)
}

async fn span_names(State(state): State<AppState>, RawQuery(query): RawQuery) -> Result<Response, Failed> {
    let pairs = pairs(query)?;
    let (mut names, mut told) = (BTreeSet::new(), Notes::default());
    for service in stored_services(&state, required(&pairs, "serviceName")?).await? {
        let (operations, notes) = state.engine.operations(service, None, Range::ALL).await?;
        names.extend(operations.into_iter().map(|operation| operation.name.to_lowercase()));
        told.warnings.extend(notes.warnings);
    }
    names.remove("");
    list(&Vec::from_iter(names), &told)
}

async fn remote_services(State(state): State<AppState>, RawQuery(query): RawQuery) -> Result<Response, Failed> {
    let pairs = pairs(query)?;
    let services = stored_services(&state, required(&pairs, "serviceName")?).await?;
    if services.is_empty() {
        return list::<String>(&[], &Notes::default());
    }
    let now = state.now();
    let range = Range { from: now.saturating_sub(NAMES_LOOKBACK), to: i64::MAX };
    let (names, notes) = state.engine.zipkin_remotes(services, range).await?;
    list(&Vec::from_iter(names), &notes)
}

fn trace_id(text: &str) -> Result<TraceId, Failed> {
    let is_hex = (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = is_hex.then(|| format!("{text:0>32}").parse().ok()).flatten();
    id.ok_or_else(|| Failed::bad(format!("{text:?} is not a trace id: 1 to 32 hex digits")))
}

async fn trace(State(state): State<AppState>, Path(text): Path<String>) -> Result<Response, Failed> {
    let id = trace_id(&text)?;
    let trace = state.engine.trace_or_notes(id).await?.map_err(|notes| {
        let message = [format!("{text} not found")].into_iter().chain(notes.warnings).collect::<Vec<_>>().join("; ");
        Failed { status: StatusCode::NOT_FOUND, message }
    })?;
    let notes = trace.notes.clone();
    Ok(warned(answer::json(trace, |trace, out| serde_json::to_writer(out, &spans::of(trace))), &notes))
}

async fn trace_many(State(state): State<AppState>, RawQuery(query): RawQuery) -> Result<Response, Failed> {
    let pairs = pairs(query)?;
    let mut ids = Vec::new();
    for text in required(&pairs, "traceIds")?.split(',') {
        let id = trace_id(text.trim())?;
        if ids.contains(&id) {
            return Err(Failed::bad("redundant trace id"));
        }
        ids.push(id);
        if ids.len() > MOST_TRACES {
            return Err(Failed::bad(format!("at most {MOST_TRACES} traces can be asked for at once")));
        }
    }
    let traces = state.engine.traces(&ids).await?;
    let mut notes = Notes::default();
    traces.iter().for_each(|trace| notes.warnings.extend(trace.notes.warnings.clone()));
    notes.warnings.dedup();
    Ok(search::answer(traces, &notes))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Link {
    parent: String,
    child: String,
    call_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    error_count: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

async fn dependencies(State(state): State<AppState>, RawQuery(query): RawQuery) -> Result<Response, Failed> {
    let pairs = pairs(query)?;
    required(&pairs, "endTs")?;
    let (links, notes) = state.engine.zipkin_links(range(&pairs, state.now())?).await?;
    let links = links.into_iter().map(|link| Link {
        parent: link.parent,
        child: link.child,
        call_count: link.calls,
        error_count: link.errors,
    });
    list(&links.collect::<Vec<_>>(), &notes)
}

/// Zipkin completes the tags that its configuration names; here none need be named, and search finds all.
async fn autocomplete_keys() -> Result<Response, Failed> {
    list::<String>(&[], &Notes::default())
}

async fn autocomplete_values(RawQuery(query): RawQuery) -> Result<Response, Failed> {
    required(&pairs(query)?, "key")?;
    list::<String>(&[], &Notes::default())
}

#[cfg(test)]
mod tests;
