//! A consistent copy of a catalogue in SQLite while others write to it, and the files that it names.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection as _};

use super::lake::{is_plain, unsigned};
use super::open::FORMAT_VERSION;
use super::{CatalogError, state};
use crate::segment::blob::Checksums;

/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Files that a lake needs, live ones and those that only older snapshots hold. Paths are relative to
/// the data path.
#[derive(Debug, Default)]
pub(crate) struct Named {
    pub(crate) ours: Vec<NamedFile>,
    /// Written by other programs: nobody knows their checksums.
    pub(crate) foreign: Vec<String>,
    /// Paths as they stand in the lake; they lie outside of the data path.
    pub(crate) outside: Vec<String>,
    /// Where relative paths start.
    pub(crate) data_path: String,
    /// Requests of the log up to it are in segments.
    pub(crate) checkpoint: u64,
}

#[derive(Debug)]
pub(crate) struct NamedFile {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    pub(crate) checksums: Checksums,
}

/// Writes the database as it is at one moment to `to`, which must not exist. Nobody waits for it.
pub(crate) async fn copy(from: &Path, to: &Path) -> Result<(), CatalogError> {
    let mut connection = read_only(from).await?;
    let target = to.to_str().ok_or_else(|| CatalogError::Invalid(format!("{} is not UTF-8", to.display())))?;
    // One transaction: the copy holds what was committed when it began, whatever comes meanwhile.
    sqlx::query("VACUUM INTO $1").bind(target).execute(&mut connection).await?;
    connection.close().await?;
    let synced = std::fs::File::open(to).and_then(|file| file.sync_all());
    synced.map_err(|error| CatalogError::Disk(format!("{}: {error}", to.display())))
}

/// What a copy names.
pub(crate) async fn named(catalog: &Path) -> Result<Named, CatalogError> {
    let mut connection = read_only(catalog).await?;
    let by_name = "SELECT value FROM clew_state WHERE name = $1";
    let format: Option<String> =
        sqlx::query_scalar(by_name).bind(state::FORMAT).fetch_optional(&mut connection).await?;
    if let Some(found) = format.filter(|format| format.parse::<u64>().is_ok_and(|format| format > FORMAT_VERSION)) {
        return Err(CatalogError::Newer { what: "format", found, known: FORMAT_VERSION.to_string() });
    }
    let checkpoint: Option<String> =
        sqlx::query_scalar(by_name).bind(state::checkpoint(None)).fetch_optional(&mut connection).await?;
    let data_path = "SELECT value FROM ducklake_metadata WHERE key = 'data_path' AND scope IS NULL";
    let mut named = Named {
        data_path: sqlx::query_scalar(data_path).fetch_one(&mut connection).await?,
        checkpoint: match checkpoint {
            Some(stored) => state::number(&state::checkpoint(None), stored)?,
            None => 0,
        },
        ..Named::default()
    };
    let files: Vec<(String, i64, Vec<u8>)> = sqlx::query_as(
        "SELECT parquet_path, parquet_bytes, parquet_checksums FROM clew_segment \
         UNION ALL SELECT index_path, index_bytes, index_checksums FROM clew_segment",
    )
    .fetch_all(&mut connection)
    .await?;
    for (path, bytes, checksums) in files {
        let checksums = Checksums::from_bytes(&checksums);
        named.ours.push(NamedFile { path, bytes: unsigned(bytes)?, checksums });
    }
    let foreign: Vec<(String, bool)> = sqlx::query_as(FOREIGN).fetch_all(&mut connection).await?;
    for (path, inside) in foreign {
        if inside && is_plain(&path) { named.foreign.push(path) } else { named.outside.push(path) }
    }
    connection.close().await?;
    Ok(named)
}

/// Data and delete files that are no segments: path, and whether it is relative to the data path.
const FOREIGN: &str = "SELECT CASE WHEN NOT f.path_is_relative THEN f.path WHEN NOT t.path_is_relative \
     THEN t.path || f.path ELSE s.path || t.path || f.path END AS path, \
     f.path_is_relative AND t.path_is_relative AND s.path_is_relative AS inside \
     FROM (SELECT table_id, path, path_is_relative FROM ducklake_data_file \
           WHERE data_file_id NOT IN (SELECT data_file_id FROM clew_segment) \
           UNION ALL SELECT table_id, path, path_is_relative FROM ducklake_delete_file) f \
     JOIN (SELECT DISTINCT table_id, schema_id, path, path_is_relative FROM ducklake_table) t ON t.table_id = f.table_id \
     JOIN (SELECT DISTINCT schema_id, path, path_is_relative FROM ducklake_schema) s ON s.schema_id = t.schema_id";

async fn read_only(path: &Path) -> Result<SqliteConnection, CatalogError> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).foreign_keys(false);
    Ok(options.busy_timeout(BUSY_TIMEOUT).disable_statement_logging().connect().await?)
}
