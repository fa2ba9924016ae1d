//! All that is particular to SQLite; PostgreSQL takes a module like this one.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _, Row};

use super::CatalogError;

pub(super) type Db = sqlx::Sqlite;
pub(super) type Connection = sqlx::SqliteConnection;
pub(super) type Transaction<'a> = sqlx::Transaction<'a, Db>;

/// How long a statement waits for another process that writes, e.g. a DuckDB with the lake attached.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens the database, and creates it when it is absent. A commit returns after an fsync.
pub(super) async fn connect(path: &Path) -> Result<Connection, CatalogError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(false) // DuckLake declares none
        .disable_statement_logging();
    Ok(options.connect().await?)
}

/// Starts a transaction that writes. Taking the lock at once keeps two writers from reading the
/// same head and one of them from failing at its end.
pub(super) async fn begin(connection: &mut Connection) -> Result<Transaction<'_>, CatalogError> {
    Ok(connection.begin_with("BEGIN IMMEDIATE").await?)
}

/// Starts a transaction that sees one state of the database.
pub(super) async fn begin_read(connection: &mut Connection) -> Result<Transaction<'_>, CatalogError> {
    Ok(connection.begin().await?)
}

/// Names of all tables.
pub(super) async fn table_names(connection: &mut Connection) -> Result<Vec<String>, CatalogError> {
    let rows =
        sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
            .fetch_all(connection)
            .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// A random (version 4) UUID.
pub(super) async fn uuid(connection: &mut Connection) -> Result<String, CatalogError> {
    let mut bytes: Vec<u8> = sqlx::query_scalar("SELECT randomblob(16)").fetch_one(connection).await?;
    if let [_, _, _, _, _, _, version, _, variant, ..] = bytes.as_mut_slice() {
        *version = (*version & 0x0f) | 0x40;
        *variant = (*variant & 0x3f) | 0x80;
    }
    let hex = hex::encode(bytes);
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}

/// What the database itself finds wrong with its pages and indexes.
pub(super) async fn integrity(connection: &mut Connection) -> Result<Vec<String>, CatalogError> {
    let rows = sqlx::query("PRAGMA integrity_check").fetch_all(connection).await?;
    let lines: Result<Vec<String>, sqlx::Error> = rows.iter().map(|row| row.try_get(0)).collect();
    Ok(lines?.into_iter().filter(|line| line != "ok").collect())
}

/// Sorts an error of the database by its result code (sqlite.org/rescode.html).
pub(super) fn classify(error: &(dyn sqlx::error::DatabaseError + 'static), text: String) -> CatalogError {
    const ERROR: i32 = 1; // no such table or column
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const CORRUPT: i32 = 11;
    const CONSTRAINT: i32 = 19;
    const NOT_A_DATABASE: i32 = 26;
    const PRIMARY_KEY: i32 = CONSTRAINT | 6 << 8;
    let code = error.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(ERROR);
    match code & 0xff {
        // Another writer took the number of the snapshot or file first.
        _ if code == PRIMARY_KEY => CatalogError::Busy(text),
        BUSY | LOCKED => CatalogError::Busy(text),
        CONSTRAINT => CatalogError::Invalid(text),
        CORRUPT | NOT_A_DATABASE | ERROR => CatalogError::Damaged(text),
        _ => CatalogError::Disk(text),
    }
}
