//! Looks for contradictions: within the database, and between DuckLake's tables and ours.

use std::collections::HashMap;

use super::columns::lake_type;
use super::db::{self, Connection};
use super::{CatalogError, FieldIds, Finding, digest, foreign, lake, rollup, views};
use crate::schema::Table;

pub(super) async fn check(connection: &mut Connection, fields: &FieldIds) -> Result<Vec<Finding>, CatalogError> {
    let mut tx = db::begin_read(connection).await?;
    let mut findings: Vec<Finding> = Vec::new();
    let integrity = db::integrity(&mut tx).await?;
    findings.extend(integrity.into_iter().map(|line| Finding::damage(format!("database: {line}"))));
    if let Err(error) = digest::check(&mut tx).await {
        findings.push(Finding::damage(error.to_string()));
    }
    findings.extend(rollup::findings(&mut tx).await?.into_iter().map(Finding::damage));
    for (what, query) in CONTRADICTIONS {
        let ids: Vec<i64> = sqlx::query_scalar(*query).fetch_all(&mut *tx).await?;
        findings.extend(ids.into_iter().map(|id| Finding::damage(format!("{what} {id}"))));
    }
    let (tables, folders) = (lake::tables(&mut tx).await?, lake::folders(&mut tx).await?);
    let columns = lake::columns(&mut tx).await?;
    for table in Table::ALL {
        let Some(id) = tables.get(&table) else {
            findings.push(Finding::notice(format!("table {} was dropped by another program", table.name())));
            continue;
        };
        let known = columns.get(id).map(Vec::as_slice).unwrap_or_default();
        findings.extend(column_findings(table, known, fields)?);
        findings.extend(file_findings(&mut tx, table, *id, &folders).await?);
        findings.extend(foreign_findings(&mut tx, table, *id).await?);
    }
    findings.extend(views::findings(&mut tx).await?.into_iter().map(Finding::notice));
    Ok(findings)
}

/// What must select nothing: each row is the number of something wrong.
const CONTRADICTIONS: &[(&str, &str)] = &[
    (
        "DuckLake and Clew disagree on rows or size of segment",
        "SELECT s.data_file_id FROM clew_segment s JOIN ducklake_data_file f ON f.data_file_id = s.data_file_id \
         WHERE s.row_count <> f.record_count OR s.parquet_bytes <> f.file_size_bytes",
    ),
    (
        "a live file's path awaits deletion: segment",
        "SELECT s.data_file_id FROM clew_segment s JOIN ducklake_data_file f ON f.data_file_id = s.data_file_id \
         WHERE f.end_snapshot IS NULL AND (s.index_path IN (SELECT path FROM clew_garbage) \
         OR s.parquet_path IN (SELECT path FROM ducklake_files_scheduled_for_deletion))",
    ),
    (
        "the next file number is not past file",
        "SELECT data_file_id FROM ducklake_data_file WHERE data_file_id >= \
         (SELECT next_file_id FROM ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1)",
    ),
    (
        "begins or ends in a snapshot yet to come: file",
        "SELECT data_file_id FROM ducklake_data_file WHERE begin_snapshot > (SELECT max(snapshot_id) FROM \
         ducklake_snapshot) OR end_snapshot > (SELECT max(snapshot_id) FROM ducklake_snapshot) \
         OR end_snapshot < begin_snapshot",
    ),
    (
        "row numbers overlap: file",
        "SELECT DISTINCT f.data_file_id FROM ducklake_data_file f JOIN ducklake_data_file o \
         ON o.table_id = f.table_id AND o.data_file_id < f.data_file_id \
         AND o.row_id_start < f.row_id_start + f.record_count AND f.row_id_start < o.row_id_start + o.record_count \
         WHERE f.end_snapshot IS NULL AND o.end_snapshot IS NULL",
    ),
    (
        "row numbers are given out twice: table",
        "SELECT f.table_id FROM ducklake_data_file f JOIN ducklake_table_stats t ON t.table_id = f.table_id \
         WHERE f.row_id_start + f.record_count > t.next_row_id GROUP BY f.table_id",
    ),
    (
        "fewer rows are counted than there are: table",
        "SELECT t.table_id FROM ducklake_table_stats t WHERE t.record_count < (SELECT coalesce(sum(f.record_count), 0) \
         FROM ducklake_data_file f WHERE f.table_id = t.table_id AND f.end_snapshot IS NULL)",
    ),
    (
        "no statistics are kept of table",
        "SELECT DISTINCT table_id FROM ducklake_data_file WHERE table_id NOT IN \
         (SELECT table_id FROM ducklake_table_stats)",
    ),
];

/// Columns that DuckDB would not read as we write them.
fn column_findings(table: Table, known: &[lake::Column], fields: &FieldIds) -> Result<Vec<Finding>, CatalogError> {
    let mut findings = Vec::new();
    let by_id: HashMap<i64, &lake::Column> = known.iter().map(|column| (column.id, column)).collect();
    for field in table.schema().fields() {
        let at = format!("column {}.{}", table.name(), field.name());
        let id = fields.get(&table).and_then(|ids| ids.get(field.name()));
        match id.and_then(|id| by_id.get(id)) {
            None => findings.push(Finding::notice(format!("{at} was dropped by another program"))),
            Some(column) => {
                if column.name != *field.name() {
                    findings.push(Finding::notice(format!("{at} was renamed to {}", column.name)));
                }
                let expected = lake_type(field.data_type())?;
                if column.lake_type != expected {
                    findings.push(Finding::notice(format!("{at} is {}, not {expected}", column.lake_type)));
                }
            }
        }
    }
    Ok(findings)
}

/// Live files that are no segments, and segments whose path differs from the lake's.
async fn file_findings(
    connection: &mut Connection,
    table: Table,
    id: i64,
    folders: &lake::Folders,
) -> Result<Vec<Finding>, CatalogError> {
    let rows: Vec<(i64, String, i64, i64, Option<String>)> = sqlx::query_as(
        "SELECT f.data_file_id, f.path, CAST(f.path_is_relative AS INTEGER), f.record_count, s.parquet_path FROM ducklake_data_file f \
         LEFT JOIN clew_segment s ON s.data_file_id = f.data_file_id \
         WHERE f.table_id = $1 AND f.end_snapshot IS NULL ORDER BY f.data_file_id",
    )
    .bind(id)
    .fetch_all(connection)
    .await?;
    let mut findings = Vec::new();
    for (file, path, relative, rows, ours) in rows {
        let path = lake::resolve(folders, id, path, relative != 0).path;
        match ours {
            None => findings.push(Finding::notice(format!(
                "{path}: {rows} rows of table {} were written by another program; Clew does not read them",
                table.name()
            ))),
            Some(ours) if ours != path => {
                findings.push(Finding::damage(format!("segment {file} is {ours} to Clew and {path} to DuckLake")));
            }
            Some(_) => {}
        }
    }
    Ok(findings)
}

/// Rows that DuckDB sees and we do not, or the other way round.
async fn foreign_findings(connection: &mut Connection, table: Table, id: i64) -> Result<Vec<Finding>, CatalogError> {
    let mut findings = Vec::new();
    let inlined = foreign::inlined_rows(connection, id).await?;
    if inlined > 0 {
        let name = table.name();
        findings.push(Finding::notice(format!(
            "{inlined} rows of table {name} were inserted by another program; Clew does not read them"
        )));
    }
    for (file, rows) in foreign::deleted_rows(connection, id).await? {
        findings.push(Finding::notice(format!(
            "{rows} rows of segment {file} were deleted by another program; Clew still shows them"
        )));
    }
    Ok(findings)
}
