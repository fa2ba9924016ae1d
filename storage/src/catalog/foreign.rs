//! What others did to our tables through DuckLake: rows inserted, deleted, kept in the database.

use std::collections::HashMap;

use sqlx::AssertSqlSafe;

use super::CatalogError;
use super::db::{self, Connection};

/// Whether the live files of a table are all of its rows.
pub(super) async fn untouched(connection: &mut Connection, table: i64) -> Result<bool, CatalogError> {
    Ok(deleted_rows(connection, table).await?.is_empty() && inlined_rows(connection, table).await? == 0)
}

/// Rows that were deleted out of live files, by file. Only files that lost some.
pub(super) async fn deleted_rows(connection: &mut Connection, table: i64) -> Result<HashMap<i64, i64>, CatalogError> {
    let mut deleted: HashMap<i64, i64> = HashMap::new();
    let files: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT d.data_file_id, d.delete_count FROM ducklake_delete_file d \
         JOIN ducklake_data_file f ON f.data_file_id = d.data_file_id \
         WHERE d.table_id = $1 AND d.end_snapshot IS NULL AND f.end_snapshot IS NULL",
    )
    .bind(table)
    .fetch_all(&mut *connection)
    .await?;
    let inlined = format!("ducklake_inlined_delete_{table}");
    let mut rows = Vec::new();
    if db::table_names(connection).await?.contains(&inlined) {
        let sql = format!(
            "SELECT d.file_id, count(*) FROM {inlined} d \
             JOIN ducklake_data_file f ON f.data_file_id = d.file_id WHERE f.end_snapshot IS NULL GROUP BY d.file_id"
        );
        // The name holds nothing but a number of ours.
        rows = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(connection).await?;
    }
    for (file, count) in files.into_iter().chain(rows) {
        *deleted.entry(file).or_default() += count;
    }
    Ok(deleted)
}

/// Rows that DuckDB keeps in the database because they were few.
pub(super) async fn inlined_rows(connection: &mut Connection, table: i64) -> Result<i64, CatalogError> {
    let versions: Vec<i64> =
        sqlx::query_scalar("SELECT schema_version FROM ducklake_inlined_data_tables WHERE table_id = $1")
            .bind(table)
            .fetch_all(&mut *connection)
            .await?;
    let names = db::table_names(connection).await?;
    let mut count = 0;
    for version in versions {
        let name = format!("ducklake_inlined_data_{table}_{version}");
        if names.contains(&name) {
            let sql = format!("SELECT count(*) FROM {name} WHERE end_snapshot IS NULL");
            count += sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql)).fetch_one(&mut *connection).await?;
        }
    }
    Ok(count)
}
