//! Reading the catalogue: live segments, and every file that it knows.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use sqlx::{Database, Row};

use super::db::{self, Connection, Db};
use super::lake::{self, unsigned};
use super::{CatalogError, RollupState, SEGMENT_FORMAT, foreign, rollup, thinned};
use crate::schema::Table;
use crate::segment::SegmentMeta;
use crate::segment::blob::Checksums;

/// Segments that the newest snapshot holds, oldest first.
pub(super) async fn segments(connection: &mut Connection) -> Result<Vec<SegmentMeta>, CatalogError> {
    live(&mut *db::begin_read(connection).await?).await
}

/// The same, and the counts of one moment.
pub(super) async fn contents(connection: &mut Connection) -> Result<(Vec<SegmentMeta>, RollupState), CatalogError> {
    let mut tx = db::begin_read(connection).await?;
    Ok((live(&mut tx).await?, rollup::state(&mut tx).await?))
}

/// Live segments; `$which` says which of them.
macro_rules! live {
    ($which:literal) => {
        concat!(
            "SELECT f.table_id, s.data_file_id, s.parquet_path, s.index_path, s.parquet_bytes, s.index_bytes, \
             s.row_count, s.min_time, s.max_time, s.parquet_checksums, s.index_checksums, s.format \
             FROM clew_segment s JOIN ducklake_data_file f ON f.data_file_id = s.data_file_id \
             WHERE f.end_snapshot IS NULL ",
            $which,
            " ORDER BY s.data_file_id"
        )
    };
}

/// The same, within a transaction.
pub(super) async fn live(connection: &mut Connection) -> Result<Vec<SegmentMeta>, CatalogError> {
    let rows = sqlx::query(live!("")).fetch_all(&mut *connection).await?;
    of_our_tables(connection, rows).await
}

/// One of them.
pub(super) async fn one(connection: &mut Connection, id: i64) -> Result<Option<SegmentMeta>, CatalogError> {
    let rows = sqlx::query(live!("AND s.data_file_id = $1")).bind(id).fetch_all(&mut *connection).await?;
    Ok(of_our_tables(connection, rows).await?.pop())
}

async fn of_our_tables(
    connection: &mut Connection,
    rows: Vec<<Db as Database>::Row>,
) -> Result<Vec<SegmentMeta>, CatalogError> {
    let tables = lake::tables(connection).await?;
    let tables: HashMap<i64, Table> = tables.into_iter().map(|(table, id)| (id, table)).collect();
    let mut thinned = thinned::all(connection).await?;
    let mut segments = Vec::with_capacity(rows.len());
    for row in rows {
        // A table that was dropped takes its segments with it.
        if let Some(table) = tables.get(&row.try_get(0)?) {
            let mut meta = segment(*table, &row)?;
            meta.thinned = thinned.remove(&meta.id).unwrap_or_default();
            segments.push(meta);
        }
    }
    Ok(segments)
}

fn segment(table: Table, row: &<Db as Database>::Row) -> Result<SegmentMeta, CatalogError> {
    let format: i64 = row.try_get(11)?;
    if format > SEGMENT_FORMAT {
        let (found, known) = (format.to_string(), SEGMENT_FORMAT.to_string());
        return Err(CatalogError::Newer { what: "segments of format", found, known });
    }
    let path = |index: usize| -> Result<PathBuf, CatalogError> { Ok(row.try_get::<String, _>(index)?.into()) };
    let checksums =
        |index: usize| -> Result<Checksums, CatalogError> { Ok(Checksums::from_bytes(row.try_get(index)?)) };
    Ok(SegmentMeta {
        id: row.try_get(1)?,
        table,
        parquet: path(2)?,
        index: path(3)?,
        parquet_bytes: unsigned(row.try_get(4)?)?,
        index_bytes: unsigned(row.try_get(5)?)?,
        rows: unsigned(row.try_get(6)?)?,
        min_time: row.try_get(7)?,
        max_time: row.try_get(8)?,
        parquet_checksums: checksums(9)?,
        index_checksums: checksums(10)?,
        thinned: Vec::new(),
    })
}

/// Rows that others deleted out of live segments, by segment.
pub(super) async fn deleted_rows(connection: &mut Connection) -> Result<HashMap<i64, u64>, CatalogError> {
    let mut tx = db::begin_read(connection).await?;
    let mut deleted = HashMap::new();
    for table in lake::tables(&mut tx).await?.into_values() {
        for (file, rows) in foreign::deleted_rows(&mut tx, table).await? {
            deleted.insert(file, unsigned(rows)?);
        }
    }
    Ok(deleted)
}

/// Every file below the data path that some snapshot may name or that awaits deletion; paths are
/// relative to it. What else lies there is an orphan.
pub(super) async fn known_files(connection: &mut Connection) -> Result<BTreeSet<String>, CatalogError> {
    let mut tx = db::begin_read(connection).await?;
    let folders = lake::folders(&mut tx).await?;
    let ours: Vec<String> = sqlx::query_scalar(
        "SELECT parquet_path FROM clew_segment UNION SELECT index_path FROM clew_segment \
         UNION SELECT path FROM clew_garbage \
         UNION SELECT path FROM ducklake_files_scheduled_for_deletion WHERE path_is_relative = $1",
    )
    .bind(true)
    .fetch_all(&mut *tx)
    .await?;
    let lakes: Vec<(i64, String, i64)> = sqlx::query_as(
        "SELECT table_id, path, CAST(path_is_relative AS INTEGER) FROM ducklake_data_file \
         UNION ALL SELECT table_id, path, CAST(path_is_relative AS INTEGER) FROM ducklake_delete_file",
    )
    .fetch_all(&mut *tx)
    .await?;
    let inside =
        |(table, path, relative): (i64, String, i64)| lake::resolve(&folders, table, path, relative != 0).inside();
    let lakes = lakes.into_iter().filter_map(inside);
    Ok(ours.into_iter().chain(lakes).collect())
}
