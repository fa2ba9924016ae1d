//! Nothing of what was erased stays in the database: neither old snapshots, nor statistics of files
//! that are gone, nor pages that held them.

use sqlx::Row;

use super::db::{self, Connection};
use super::{CatalogError, foreign, garbage, lake};
use crate::schema::Table;

/// Expires every snapshot but the newest: how many, and the files that nothing needs since. Readers
/// get no grace.
pub(super) async fn expire_all(connection: &mut Connection, now: i64) -> Result<(u64, Vec<String>), CatalogError> {
    let before = snapshots(connection).await?;
    let files = garbage::expire(connection, i64::MAX, now).await?;
    let after = snapshots(connection).await?;
    Ok((before.saturating_sub(after), files))
}

/// Tables in which other programs have deleted rows, or keep rows of their own in the database.
pub(super) async fn touched(connection: &mut Connection) -> Result<Vec<Table>, CatalogError> {
    let mut tx = db::begin_read(connection).await?;
    let mut touched = Vec::new();
    for (table, id) in lake::tables(&mut tx).await? {
        if !foreign::untouched(&mut tx, id).await? {
            touched.push(table);
        }
    }
    Ok(touched)
}

/// Writes the database anew, so that bytes of deleted rows are in no page of it and in no log. Of
/// PostgreSQL the tables that hold values; its own log is its administrator's.
pub(super) async fn scrub(connection: &mut Connection) -> Result<(), CatalogError> {
    if db::is_postgres(connection) {
        for table in ["ducklake_file_column_stats", "ducklake_table_column_stats", "clew_rollup", "clew_document"] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(format!("VACUUM FULL {table}"))).execute(&mut *connection).await?;
        }
        return Ok(());
    }
    sqlx::raw_sql("VACUUM").execute(&mut *connection).await?;
    let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(connection).await?;
    let busy: i64 = row.try_get(0)?;
    if busy != 0 {
        return Err(CatalogError::Busy(
            "another program reads the catalogue, whose log cannot be cleared yet".to_owned(),
        ));
    }
    Ok(())
}

async fn snapshots(connection: &mut Connection) -> Result<u64, CatalogError> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM ducklake_snapshot").fetch_one(connection).await?;
    lake::unsigned(count)
}
