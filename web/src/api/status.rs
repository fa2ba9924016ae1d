//! `GET /status`, `POST /flush`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use storage::store::WriteError;
use utoipa::ToSchema;

use crate::error::{ApiError, Code, ErrorBody};
use crate::state::AppState;

/// What the process is and what its store holds.
#[derive(Serialize, ToSchema)]
pub(crate) struct Status {
    version: String,
    data_dir: String,
    /// Rows.
    spans: u64,
    logs: u64,
    metrics: u64,
    segments: u64,
    /// Of segments and their indexes.
    bytes: u64,
    buffer_rows: u64,
    wal_bytes: u64,
    /// Places where acknowledged data was lost to damage of the disk; the notes of every answer say which.
    losses: u64,
    /// host:port
    otlp_grpc: String,
    /// host:port
    otlp_http: String,
}

#[utoipa::path(get, path = "/api/v1/status", tag = "process", responses((status = 200, body = Status)))]
pub(crate) async fn status(State(state): State<AppState>) -> Json<Status> {
    let stats = state.engine.store().stats();
    let about = &state.about;
    Json(Status {
        version: about.version.clone(),
        data_dir: about.data_dir.clone(),
        spans: stats.spans,
        logs: stats.logs,
        metrics: stats.metrics,
        segments: stats.segments,
        bytes: stats.bytes,
        buffer_rows: stats.buffer_rows,
        wal_bytes: stats.wal_bytes,
        losses: stats.losses,
        otlp_grpc: about.otlp_grpc.clone(),
        otlp_http: about.otlp_http.clone(),
    })
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Flushed {
    flushed_rows: u64,
}

/// Writes the live buffer to a segment.
#[utoipa::path(post, path = "/api/v1/flush", tag = "process",
    responses((status = 200, body = Flushed), (status = 503, body = ErrorBody)))]
pub(crate) async fn flush(State(state): State<AppState>) -> Result<Json<Flushed>, ApiError> {
    let flushed = state.engine.store().flush().await;
    let unavailable = |error: WriteError| ApiError::new(Code::Unavailable, error.to_string());
    flushed.map(|flushed_rows| Json(Flushed { flushed_rows })).map_err(unavailable)
}
