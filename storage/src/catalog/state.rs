//! Single values of ours in the database.

use super::CatalogError;
use super::sqlite::Connection;

/// Layout of our tables; a greater one is not opened.
pub(super) const FORMAT: &str = "format";
/// Requests of the write-ahead log up to this sequence number are in segments.
pub(super) const CHECKPOINT: &str = "wal_checkpoint";

pub(super) async fn get(connection: &mut Connection, name: &str) -> Result<Option<u64>, CatalogError> {
    let value: Option<String> = sqlx::query_scalar("SELECT value FROM clew_state WHERE name = $1")
        .bind(name)
        .fetch_optional(connection)
        .await?;
    let read = |text: String| text.parse().map_err(|_| CatalogError::Damaged(format!("{name} is {text:?}")));
    value.map(read).transpose()
}

pub(super) async fn set(connection: &mut Connection, name: &str, value: u64) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO clew_state (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(name)
    .bind(value.to_string())
    .execute(connection)
    .await?;
    Ok(())
}
