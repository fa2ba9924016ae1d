//! All that is particular to SQLite.

use std::path::Path;

use super::CatalogError;
use super::db::{self, Connection};

/// Taking the lock at once keeps two writers from reading the same head and one of them from failing
/// at its end.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";
pub(super) const BEGIN_READ: &str = "BEGIN";

pub(super) const TABLE_NAMES: &str =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";

/// * A statement waits 5 s for another process that writes, e.g. a DuckDB with the lake attached.
/// * DuckLake declares no foreign keys.
const SETTINGS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = OFF";

/// Opens the database, and creates it when it is absent. A commit returns after an fsync.
pub(super) async fn connect(path: &Path) -> Result<Connection, CatalogError> {
    let mut connection = db::open(&format!("{}?mode=rwc", url(path)?)).await?;
    sqlx::raw_sql(SETTINGS).execute(&mut connection).await?;
    Ok(connection)
}

/// Opens a database to read from it. Nothing is written, not even beside it, unless a process died with
/// it open or still has it: then SQLite needs its shared memory to find what was committed last.
pub(super) async fn look(path: &Path) -> Result<Connection, CatalogError> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let at_rest = std::fs::metadata(log).map_or(0, |log| log.len()) == 0;
    let mut connection = db::open(&format!("{}?mode=ro&immutable={at_rest}", url(path)?)).await?;
    sqlx::raw_sql("PRAGMA busy_timeout = 5000").execute(&mut connection).await?;
    Ok(connection)
}

/// The path as an absolute URL: a relative one would be taken for a host.
fn url(path: &Path) -> Result<String, CatalogError> {
    let failed = |error: &dyn std::fmt::Display| CatalogError::Disk(format!("{}: {error}", path.display()));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().map_err(|error| failed(&error))?;
    let file = path.file_name().ok_or_else(|| failed(&"no name of a file"))?;
    let mut url = "sqlite://".to_owned();
    for byte in folder.join(file).as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => url.push(char::from(*byte)),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(url)
}

pub(super) async fn uuid(connection: &mut Connection) -> Result<String, CatalogError> {
    let mut bytes: Vec<u8> = sqlx::query_scalar("SELECT randomblob(16)").fetch_one(connection).await?;
    if let [_, _, _, _, _, _, version, _, variant, ..] = bytes.as_mut_slice() {
        *version = (*version & 0x0f) | 0x40;
        *variant = (*variant & 0x3f) | 0x80;
    }
    let hex = hex::encode(bytes);
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}

pub(super) async fn integrity(connection: &mut Connection) -> Result<Vec<String>, CatalogError> {
    let lines: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check").fetch_all(connection).await?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
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
