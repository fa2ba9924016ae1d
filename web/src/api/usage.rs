//! `GET /usage`.

use axum::Json;
use axum::extract::State;
use query::usage;
use serde::Serialize;
use utoipa::ToSchema;

use super::json::Notes;
use crate::error::{ApiError, ErrorBody};
use crate::state::AppState;

/// What the store holds, for whom, and what it takes on the local disk.
#[derive(Serialize, ToSchema)]
pub(crate) struct Usage {
    /// Whose it is.
    tenant: String,
    /// Of all below, but for what is free.
    total_bytes: u64,
    tables: Vec<TableUsage>,
    /// The largest first. A service named "" is rows whose resource has no service.name.
    services: Vec<ServiceUsage>,
    /// Of the write-ahead log with its spare files.
    wal_bytes: u64,
    /// Of the catalogue; 0 where it is not in the data directory.
    catalog_bytes: u64,
    /// Of segments that were replaced and go ten minutes later, and of files of other programs.
    replaced_bytes: u64,
    /// Of what is kept here of a bucket.
    cache_bytes: u64,
    /// What may still be written to the disk of the data directory.
    free_bytes: u64,
    notes: Notes,
}

#[derive(Serialize, ToSchema)]
struct TableUsage {
    table: &'static str,
    segments: u64,
    /// Those in the live buffer too.
    rows: u64,
    parquet_bytes: u64,
    index_bytes: u64,
}

#[derive(Serialize, ToSchema)]
struct ServiceUsage {
    service: String,
    spans: u64,
    logs: u64,
    metrics: u64,
    /// Its share, by rows, of the bytes of each segment and index that holds rows of it.
    bytes: u64,
}

/// Disk usage of a tenant by table and service.
#[utoipa::path(get, path = "/api/v1/usage", tag = "process",
    responses((status = 200, body = Usage), (status = 504, body = ErrorBody)))]
pub(crate) async fn usage(State(state): State<AppState>) -> Result<Json<Usage>, ApiError> {
    let (usage, notes) = state.engine.usage().await?;
    let disk = &usage.disk;
    let stored: u64 = usage.tables.iter().map(|table| table.parquet_bytes + table.index_bytes).sum();
    Ok(Json(Usage {
        tenant: state.tenant.to_string(),
        total_bytes: stored + disk.beside_segments(),
        tables: usage.tables.into_iter().map(TableUsage::from).collect(),
        services: usage.services.into_iter().map(ServiceUsage::from).collect(),
        wal_bytes: disk.wal_bytes,
        catalog_bytes: disk.catalog_bytes,
        replaced_bytes: disk.replaced_bytes,
        cache_bytes: disk.cache_bytes,
        free_bytes: disk.free_bytes,
        notes: notes.into(),
    }))
}

impl From<usage::TableUsage> for TableUsage {
    fn from(usage: usage::TableUsage) -> Self {
        let usage::TableUsage { table, segments, rows, parquet_bytes, index_bytes } = usage;
        Self { table, segments, rows, parquet_bytes, index_bytes }
    }
}

impl From<usage::ServiceUsage> for ServiceUsage {
    fn from(usage: usage::ServiceUsage) -> Self {
        let usage::ServiceUsage { name, spans, logs, metrics, bytes } = usage;
        Self { service: name, spans, logs, metrics, bytes }
    }
}
