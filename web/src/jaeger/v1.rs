//! Jaeger's HTTP API v1, in the envelope `{data,total,limit,offset,errors}`.

use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use proto::jaeger::v1::{Dependency, Envelope, Error, Operation};
use query::model::Trace;
use query::{QueryError, Range};
use serde::Serialize;
use storage::ids::TraceId;

use super::feed::Feed;
use super::search::{self, V1Search};
use super::{short_hex, shown_service, stored_service, to_v1, trace_id, transform as upload};
use crate::answer::{self, Chunks};
use crate::error::ApiError;
use crate::params::{self, Pairs, Path};
use crate::state::AppState;

/// An error in Jaeger's envelope.
#[derive(Debug)]
pub(crate) struct Failed {
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

impl From<String> for Failed {
    fn from(message: String) -> Self {
        Self::bad(message)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let envelope = Envelope::<()>::error(self.status.as_u16(), self.message);
        (self.status, axum::Json(envelope)).into_response()
    }
}

/// Parameters that every answer takes.
struct Asked {
    pairs: Pairs,
    pretty: bool,
}

fn asked(query: Option<String>) -> Result<Asked, Failed> {
    let pairs = Pairs::parse(query.as_deref().unwrap_or_default())?;
    let pretty = pairs.get("prettyPrint").is_some_and(|value| value != "false");
    Ok(Asked { pairs, pretty })
}

fn write<T: Serialize + ?Sized>(value: &T, pretty: bool, out: &mut Chunks) -> serde_json::Result<()> {
    if !pretty {
        return serde_json::to_writer(out, value);
    }
    let indent = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    value.serialize(&mut serde_json::Serializer::with_formatter(out, indent))
}

/// A list of names: `total` is its length.
fn names<T: Serialize>(list: Vec<T>, pretty: bool) -> Result<Response, Failed> {
    let total = list.len();
    small(&Envelope::new(list, total), pretty)
}

fn small<T: Serialize>(envelope: &Envelope<T>, pretty: bool) -> Result<Response, Failed> {
    let mut body = Vec::new();
    let indent = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let written = match pretty {
        true => envelope.serialize(&mut serde_json::Serializer::with_formatter(&mut body, indent)),
        false => serde_json::to_writer(&mut body, envelope),
    };
    written.map_err(ApiError::internal)?;
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

pub(crate) async fn services(State(state): State<AppState>, RawQuery(query): RawQuery) -> Result<Response, Failed> {
    let asked = asked(query)?;
    let (services, _) = state.engine.service_names(Range::ALL).await?;
    names(services.into_iter().map(shown_service).collect(), asked.pretty)
}

pub(crate) async fn operations(State(state): State<AppState>, RawQuery(query): RawQuery) -> Result<Response, Failed> {
    let asked = asked(query)?;
    let service = asked.pairs.get("service").ok_or_else(|| Failed::bad("parameter 'service' is required"))?;
    let operations = operations_of(&state, service, asked.pairs.get("spanKind")).await?;
    names(operations, asked.pretty)
}

/// The older form: names only, each once.
pub(crate) async fn operation_names(
    State(state): State<AppState>,
    Path(service): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failed> {
    let asked = asked(query)?;
    let operations = operations_of(&state, &service, None).await?;
    let unique: std::collections::BTreeSet<String> = operations.into_iter().map(|operation| operation.name).collect();
    names(unique.into_iter().collect(), asked.pretty)
}

/// `kind`: a name of SpanKind; an unknown one has no operations.
pub(super) async fn operations_of(
    state: &AppState,
    service: &str,
    kind: Option<&str>,
) -> Result<Vec<Operation>, QueryError> {
    let kind = match kind {
        None => None,
        Some(name) => match (0..6).find(|&kind| super::kind_name(kind).eq_ignore_ascii_case(name)) {
            None => return Ok(Vec::new()),
            known => known,
        },
    };
    let (operations, _) = state.engine.operations(stored_service(service).to_owned(), kind, Range::ALL).await?;
    let shown = operations.into_iter().map(|operation| Operation {
        name: super::span_name(&operation.name).to_owned(),
        span_kind: super::kind_name(operation.kind).to_owned(),
    });
    Ok(shown.collect())
}

pub(crate) async fn search(State(state): State<AppState>, RawQuery(query): RawQuery) -> Result<Response, Failed> {
    let asked = asked(query)?;
    match search::v1(&asked.pairs, state.now())? {
        V1Search::Ids(ids) => by_ids(&state, ids, asked.pretty).await,
        V1Search::Search(search) => {
            let page = state.engine.search_traces(search.question()).await?;
            let ids = page.items.iter().map(|summary| summary.id).collect();
            let feed = Feed::load(state.engine.clone(), ids).await?;
            Ok(answer::json(feed, move |feed, out| {
                write(&Envelope::new(feed.list(|trace| vec![shown(trace)]), 0), asked.pretty, out)
            }))
        }
    }
}

/// The known ones; the others stand in `errors`.
async fn by_ids(state: &AppState, mut ids: Vec<TraceId>, pretty: bool) -> Result<Response, Failed> {
    let mut seen = std::collections::HashSet::new();
    ids.retain(|id| seen.insert(*id));
    let found = state.engine.traces(&ids).await?;
    let missing = ids.into_iter().filter(|id| found.iter().all(|trace| trace.id != *id));
    let errors = missing.map(|id| Error { code: None, msg: NOT_FOUND.to_owned(), trace_id: Some(short_hex(id)) });
    let errors: Vec<_> = errors.collect();
    Ok(answer::json(found, move |found, out| {
        let data: Vec<_> = found.iter().map(shown).collect();
        let errors = (!errors.is_empty()).then_some(errors);
        write(&Envelope { errors, ..Envelope::new(data, 0) }, pretty, out)
    }))
}

fn shown(trace: &Trace) -> proto::jaeger::v1::Trace {
    to_v1::trace(trace.id, &trace.spans, &trace.notes.warnings)
}

const NOT_FOUND: &str = "trace not found";

pub(crate) async fn trace(
    State(state): State<AppState>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failed> {
    let asked = asked(query)?;
    search::v1_window(&asked.pairs)?;
    let id = trace_id(&id).ok_or_else(|| Failed::bad(format!("{} is not a trace id", super::golang::quoted(&id))))?;
    let found = state.engine.trace_or_notes(id).await?;
    let trace = found.map_err(|notes| {
        let message = [NOT_FOUND.to_owned()].into_iter().chain(notes.warnings).collect::<Vec<_>>().join("; ");
        Failed { status: StatusCode::NOT_FOUND, message }
    })?;
    Ok(answer::json(trace, move |trace, out| write(&Envelope::new([shown(trace)], 0), asked.pretty, out)))
}

pub(crate) async fn dependencies(State(state): State<AppState>, RawQuery(query): RawQuery) -> Result<Response, Failed> {
    let asked = asked(query)?;
    let links =
        dependency_list(&state, search::v1_range(&asked.pairs, state.now())?, asked.pairs.get("service")).await?;
    small(&Envelope::new(links, 0), asked.pretty)
}

/// With `service`, only what it calls or what calls it.
pub(super) async fn dependency_list(
    state: &AppState,
    range: Range,
    service: Option<&str>,
) -> Result<Vec<Dependency>, QueryError> {
    let (links, _) = state.engine.dependencies(range).await?;
    let touches = |parent: &str, child: &str| service.is_none_or(|service| parent == service || child == service);
    let links = links.into_iter().filter(|(parent, child, _)| touches(parent, child));
    Ok(links.map(|(parent, child, call_count)| Dependency { parent, child, call_count }).collect())
}

/// OTLP JSON that somebody uploads, in Jaeger's form; nothing is stored.
pub(crate) async fn transform(State(state): State<AppState>, request: Request) -> Result<Response, Failed> {
    let asked = asked(request.uri().query().map(str::to_owned))?;
    let body = params::body(request, &state).await?;
    let spans = tokio::task::spawn_blocking(move || upload::spans(&body)).await.map_err(ApiError::internal)?;
    Ok(answer::json(spans?, move |spans, out| {
        write(&Envelope::new(to_v1::traces(spans.clone()), 0), asked.pretty, out)
    }))
}

/// Span metrics need rates over time, which this version does not have.
pub(crate) async fn metrics() -> Failed {
    Failed {
        status: StatusCode::NOT_IMPLEMENTED,
        message: "metrics querying is currently disabled: this server keeps no span metrics".to_owned(),
    }
}
