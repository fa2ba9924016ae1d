//! `POST /sql`: rows as JSON, CSV or an Arrow stream, as `Accept` asks.

use std::io;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::json::Notes;
use super::rows_json::Rows;
use crate::answer;
use crate::error::{ApiError, ErrorBody};
use crate::params::JsonBody;
use crate::state::AppState;

const DEFAULT_LIMIT: usize = 10_000;
const MAX_LIMIT: usize = 1_000_000;

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SqlRequest {
    /// One SELECT over the tables spans, logs and metrics.
    query: String,
    /// Most rows of the answer, at most 1000000. Default: 10000.
    limit: Option<usize>,
}

/// Rows in the order of the query. Integers past 2^53 are decimal strings, binary columns hex, times
/// and nested values text.
#[derive(Serialize, ToSchema)]
pub(crate) struct SqlAnswer<'a> {
    columns: Vec<SqlColumn>,
    #[schema(value_type = Vec<Vec<serde_json::Value>>)]
    rows: Rows<'a>,
    row_count: usize,
    /// Whether the limit cut rows off.
    truncated: bool,
    elapsed_ms: u64,
    notes: Notes,
}

#[derive(Serialize, ToSchema)]
struct SqlColumn {
    name: String,
    /// In Arrow's words.
    #[serde(rename = "type")]
    data_type: String,
}

/// Read-only SQL.
#[utoipa::path(post, path = "/api/v1/sql", operation_id = "run_sql", tag = "sql", request_body = SqlRequest,
    responses(
        (status = 200, content((SqlAnswer<'_> = "application/json"), (String = "text/csv"), (Vec<u8> = "application/vnd.apache.arrow.stream"))),
        (status = 400, body = ErrorBody), (status = 413, body = ErrorBody), (status = 504, body = ErrorBody)))]
pub(crate) async fn run(
    State(state): State<AppState>,
    headers: HeaderMap,
    JsonBody(asked): JsonBody<SqlRequest>,
) -> Result<Response, ApiError> {
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(ApiError::bad(format!("`limit` must be from 1 to {MAX_LIMIT}")));
    }
    let found = state.engine.sql(&asked.query, limit).await?;
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accept.contains(ARROW) {
        return Ok(answer::stream(ARROW, move |out| arrow_stream(&found.schema, &found.batches, out)));
    }
    if accept.contains(CSV) {
        check_flat(&found.schema)?;
        return Ok(answer::stream(CSV, move |out| csv(&found.schema, &found.batches, out)));
    }
    Ok(answer::json(found, move |found, out| {
        let column = |field: &arrow::datatypes::FieldRef| SqlColumn {
            name: field.name().clone(),
            data_type: field.data_type().to_string(),
        };
        let body = SqlAnswer {
            columns: found.schema.fields().iter().map(column).collect(),
            rows: Rows(&found.batches),
            row_count: found.batches.iter().map(RecordBatch::num_rows).sum(),
            truncated: found.truncated,
            elapsed_ms: u64::try_from(found.elapsed.as_millis()).unwrap_or(u64::MAX),
            notes: found.notes.clone().into(),
        };
        serde_json::to_writer(out, &body)
    }))
}

const CSV: &str = "text/csv";
const ARROW: &str = "application/vnd.apache.arrow.stream";

fn check_flat(schema: &SchemaRef) -> Result<(), ApiError> {
    let flat = |data_type: &DataType| match data_type {
        DataType::Dictionary(_, values) => !values.is_nested(),
        other => !other.is_nested(),
    };
    match schema.fields().iter().find(|field| !flat(field.data_type())) {
        None => Ok(()),
        Some(field) => Err(ApiError::bad(format!("column `{}` is nested: CSV has no form for it", field.name()))),
    }
}

/// The head is there even without rows.
fn csv(schema: &SchemaRef, batches: &[RecordBatch], out: impl io::Write) -> io::Result<()> {
    let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(out);
    let empty = [RecordBatch::new_empty(schema.clone())];
    let batches = if batches.is_empty() { &empty } else { batches };
    batches.iter().try_for_each(|batch| writer.write(batch)).map_err(io::Error::other)
}

fn arrow_stream(schema: &SchemaRef, batches: &[RecordBatch], out: impl io::Write) -> io::Result<()> {
    let write = |out| {
        let mut writer = arrow::ipc::writer::StreamWriter::try_new(out, schema)?;
        batches.iter().try_for_each(|batch| writer.write(batch))?;
        writer.finish()
    };
    write(out).map_err(io::Error::other)
}
