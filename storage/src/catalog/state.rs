//! Single values of ours in the database.

use super::CatalogError;
use super::db::Connection;

/// Layout of our tables; a greater one is not opened.
pub(super) const FORMAT: &str = "format";

/// Requests of the write-ahead log up to this sequence number are in segments.
pub(super) fn checkpoint(writer: Option<&str>) -> String {
    match writer {
        None => "wal_checkpoint".to_owned(),
        Some(writer) => format!("wal_checkpoint/{writer}"),
    }
}

/// Which opening of the catalogue speaks for a writer: the last.
pub(super) fn session(writer: &str) -> String {
    format!("session/{writer}")
}

/// See the module of that name.
pub(super) const DIGEST: &str = "digest";

pub(super) async fn get(connection: &mut Connection, name: &str) -> Result<Option<u64>, CatalogError> {
    get_stored(connection, name).await?.map(|stored| number(name, stored)).transpose()
}

/// What a stored value says, which is a number.
pub(super) fn number(name: &str, stored: String) -> Result<u64, CatalogError> {
    let text = unsealed(name, stored)?;
    text.parse().map_err(|_| CatalogError::Damaged(format!("{name} is {text:?}")))
}

pub(super) async fn set(connection: &mut Connection, name: &str, value: u64) -> Result<(), CatalogError> {
    set_text(connection, name, &value.to_string()).await
}

pub(super) async fn get_text(connection: &mut Connection, name: &str) -> Result<Option<String>, CatalogError> {
    get_stored(connection, name).await?.map(|stored| unsealed(name, stored)).transpose()
}

async fn get_stored(connection: &mut Connection, name: &str) -> Result<Option<String>, CatalogError> {
    let stored = sqlx::query_scalar("SELECT value FROM clew_state WHERE name = $1").bind(name);
    Ok(stored.fetch_optional(connection).await?)
}

/// Values carry a checksum, for a flipped digit of a checkpoint would lose rows in silence. Those of
/// earlier versions are single words without one, and so is the format, that any version can read it.
fn unsealed(name: &str, stored: String) -> Result<String, CatalogError> {
    match stored.rsplit_once(MARK) {
        Some((value, crc)) if crc == checksum(name, value) => Ok(value.to_owned()),
        None if !stored.contains(' ') => Ok(stored),
        _ => Err(CatalogError::Damaged(format!("{name} is {stored:?}, which does not match its checksum"))),
    }
}

pub(super) async fn set_text(connection: &mut Connection, name: &str, value: &str) -> Result<(), CatalogError> {
    let stored = match name {
        FORMAT => value.to_owned(),
        _ => format!("{value}{MARK}{}", checksum(name, value)),
    };
    sqlx::query(
        "INSERT INTO clew_state (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(name)
    .bind(stored)
    .execute(connection)
    .await?;
    Ok(())
}

/// Between a value and its checksum.
const MARK: &str = " crc32:";

fn checksum(name: &str, value: &str) -> String {
    format!("{:08x}", crc32fast::hash(format!("{name}={value}").as_bytes()))
}
