//! Old snapshots and the files that only they name.
//!
//! A removed segment stays readable by time travel until the snapshots that hold it expire. Then
//! its files are scheduled for deletion, as DuckLake does, and forgotten once they are deleted.

use std::collections::{BTreeMap, HashMap};

use super::db::{self, Connection};
use super::lake::{self, Folders, LakePath, read_time};
use super::text::snapshot_time;
use super::{CatalogError, thinned};

/// Expires snapshots that were followed by another before `cutoff` (ns); the paths, relative to the
/// data path, of files that no reader may need any more.
pub(super) async fn expire(connection: &mut Connection, cutoff: i64, now: i64) -> Result<Vec<String>, CatalogError> {
    let mut tx = db::begin(connection).await?;
    let times = snapshot_times(&mut tx).await?;
    let followed = times.iter().zip(times.iter().skip(1));
    let expired: Vec<i64> = followed.filter(|(_, (_, next))| **next <= cutoff).map(|((id, _), _)| *id).collect();
    for id in &expired {
        for statement in [
            "DELETE FROM ducklake_snapshot WHERE snapshot_id = $1",
            "DELETE FROM ducklake_snapshot_changes WHERE snapshot_id = $1",
        ] {
            sqlx::query(statement).bind(*id).execute(&mut *tx).await?;
        }
    }
    schedule(&mut tx, &times, now).await?;
    let paths = due(&mut tx, cutoff).await?;
    tx.commit().await?;
    Ok(paths)
}

/// Forgets files that were deleted.
pub(super) async fn forget(connection: &mut Connection, paths: &[String]) -> Result<(), CatalogError> {
    let mut tx = db::begin(connection).await?;
    for path in paths {
        sqlx::query("DELETE FROM ducklake_files_scheduled_for_deletion WHERE path = $1 AND path_is_relative = $2")
            .bind(path.as_str())
            .bind(true)
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM clew_garbage WHERE path = $1").bind(path.as_str()).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Times of all snapshots (ns), by number.
async fn snapshot_times(connection: &mut Connection) -> Result<BTreeMap<i64, i64>, CatalogError> {
    let statement = db::sql(connection, "SELECT snapshot_id, snapshot_time::text FROM ducklake_snapshot");
    let rows: Vec<(i64, String)> = sqlx::query_as(statement).fetch_all(connection).await?;
    rows.into_iter().map(|(id, time)| Ok((id, read_time(time)?))).collect()
}

/// Files that no snapshot holds: those that ended, and those of dropped tables.
const DEAD_DATA_FILES: &str = "SELECT id, table_id, path, CAST(path_is_relative AS INTEGER), ended FROM ( \
     SELECT f.data_file_id AS id, f.table_id, f.path, f.path_is_relative, f.begin_snapshot, \
     coalesce(f.end_snapshot, (SELECT max(t.end_snapshot) FROM ducklake_table t WHERE t.table_id = f.table_id \
         AND NOT EXISTS (SELECT 1 FROM ducklake_table l WHERE l.table_id = f.table_id AND l.end_snapshot IS NULL)) \
     ) AS ended FROM ducklake_data_file f) dead \
     WHERE ended IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ducklake_snapshot s \
         WHERE s.snapshot_id >= dead.begin_snapshot AND s.snapshot_id < dead.ended)";

/// Files of deleted rows, likewise, and those whose data file is gone.
const DEAD_DELETE_FILES: &str = "SELECT d.delete_file_id AS id, d.table_id, d.path, CAST(d.path_is_relative AS INTEGER), \
     coalesce(d.end_snapshot, -1) AS ended FROM ducklake_delete_file d \
     WHERE d.data_file_id NOT IN (SELECT data_file_id FROM ducklake_data_file) \
     OR (d.end_snapshot IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ducklake_snapshot s \
         WHERE s.snapshot_id >= d.begin_snapshot AND s.snapshot_id < d.end_snapshot))";

/// A data or delete file that no snapshot holds any more.
struct Dead {
    id: i64,
    path: LakePath,
    /// When it left the lake, ns.
    since: i64,
}

/// Moves what no snapshot holds from the lake to the lists of files to delete. `times` are the
/// snapshots as they were before some expired: they tell when a file left.
async fn schedule(connection: &mut Connection, times: &BTreeMap<i64, i64>, now: i64) -> Result<(), CatalogError> {
    let folders = lake::folders(connection).await?;
    let files = dead(connection, DEAD_DATA_FILES, &folders, times, now).await?;
    for file in &files {
        add_scheduled(connection, file).await?;
        for statement in [
            "DELETE FROM ducklake_data_file WHERE data_file_id = $1",
            "DELETE FROM ducklake_file_column_stats WHERE data_file_id = $1",
            "DELETE FROM ducklake_file_variant_stats WHERE data_file_id = $1",
            "DELETE FROM ducklake_file_partition_value WHERE data_file_id = $1",
        ] {
            sqlx::query(statement).bind(file.id).execute(&mut *connection).await?;
        }
    }
    for file in dead(connection, DEAD_DELETE_FILES, &folders, times, now).await? {
        add_scheduled(connection, &file).await?;
        sqlx::query("DELETE FROM ducklake_delete_file WHERE delete_file_id = $1")
            .bind(file.id)
            .execute(&mut *connection)
            .await?;
    }
    let since: HashMap<i64, i64> = files.iter().map(|file| (file.id, file.since)).collect();
    schedule_indexes(connection, &since, now).await
}

async fn dead(
    connection: &mut Connection,
    query: &'static str,
    folders: &Folders,
    times: &BTreeMap<i64, i64>,
    now: i64,
) -> Result<Vec<Dead>, CatalogError> {
    let rows: Vec<(i64, i64, String, i64, i64)> = sqlx::query_as(query).fetch_all(connection).await?;
    let file = |(id, table, path, relative, ended): (i64, i64, String, i64, i64)| Dead {
        id,
        path: lake::resolve(folders, table, path, relative != 0),
        since: times.get(&ended).copied().unwrap_or(now),
    };
    Ok(rows.into_iter().map(file).collect())
}

async fn add_scheduled(connection: &mut Connection, file: &Dead) -> Result<(), CatalogError> {
    let statement = db::sql(
        connection,
        "INSERT INTO ducklake_files_scheduled_for_deletion (data_file_id, path, path_is_relative, schedule_start) \
         VALUES ($1, $2, $3, $4::timestamptz)",
    );
    sqlx::query(statement)
        .bind(file.id)
        .bind(file.path.path.as_str())
        .bind(file.path.relative)
        .bind(snapshot_time(file.since))
        .execute(connection)
        .await?;
    Ok(())
}

/// The index of a segment whose Parquet file is gone, whoever took it, is garbage.
async fn schedule_indexes(
    connection: &mut Connection,
    since: &HashMap<i64, i64>,
    now: i64,
) -> Result<(), CatalogError> {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT data_file_id, index_path FROM clew_segment \
         WHERE data_file_id NOT IN (SELECT data_file_id FROM ducklake_data_file)",
    )
    .fetch_all(&mut *connection)
    .await?;
    for (id, path) in rows {
        sqlx::query("INSERT INTO clew_garbage (path, since) VALUES ($1, $2) ON CONFLICT (path) DO NOTHING")
            .bind(path)
            .bind(since.get(&id).copied().unwrap_or(now))
            .execute(&mut *connection)
            .await?;
        sqlx::query("DELETE FROM clew_segment WHERE data_file_id = $1").bind(id).execute(&mut *connection).await?;
        thinned::forget(connection, id).await?;
    }
    Ok(())
}

/// Files that left before `cutoff`. Those outside the data path are not ours to delete: DuckDB's
/// `ducklake_cleanup_old_files` does.
async fn due(connection: &mut Connection, cutoff: i64) -> Result<Vec<String>, CatalogError> {
    let mut paths: Vec<String> = sqlx::query_scalar("SELECT path FROM clew_garbage WHERE since <= $1")
        .bind(cutoff)
        .fetch_all(&mut *connection)
        .await?;
    let statement = db::sql(
        connection,
        "SELECT path, schedule_start::text FROM ducklake_files_scheduled_for_deletion WHERE path_is_relative = $1",
    );
    let scheduled: Vec<(String, String)> = sqlx::query_as(statement).bind(true).fetch_all(connection).await?;
    for (path, start) in scheduled {
        if read_time(start)? <= cutoff {
            paths.push(path);
        }
    }
    paths.retain(|path| lake::is_plain(path));
    paths.sort();
    Ok(paths)
}
