//! Several processes, one lake: who speaks for a writer, which row ids are whose, who does what one at
//! a time should do.

use std::collections::BTreeMap;

use super::db::{self, Connection};
use super::lake::{signed, unsigned};
use super::{CatalogError, state};
use crate::ids::RowId;

/// Makes this opening of the catalogue the one that commits for the writer. An earlier one, of a copied
/// data directory or of a process that was taken for dead, is refused from now on.
pub(super) async fn enter(connection: &mut Connection, writer: &str, session: u64) -> Result<(), CatalogError> {
    let mut tx = db::begin(connection).await?;
    state::set(&mut tx, &state::session(writer), session).await?;
    Ok(tx.commit().await?)
}

/// Whether this opening still speaks for the writer.
pub(super) async fn check(connection: &mut Connection, writer: &str, session: u64) -> Result<(), CatalogError> {
    match state::get(connection, &state::session(writer)).await? {
        Some(known) if known == session => Ok(()),
        Some(_) => Err(CatalogError::Foreign(format!(
            "another process writes as {writer}: a data directory and its copy must not both be in use"
        ))),
        None => {
            Err(CatalogError::Damaged(format!("it does not know writer {writer}; was it restored from an old copy?")))
        }
    }
}

/// Chapters of row ids that the writer has, by the part of its sequence numbers.
pub(super) async fn chapters(connection: &mut Connection, writer: &str) -> Result<BTreeMap<u64, u64>, CatalogError> {
    let rows: Vec<(i64, i64)> = sqlx::query_as("SELECT part, number FROM clew_chapter WHERE writer = $1")
        .bind(writer)
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(|(part, number)| Ok((unsigned(part)?, unsigned(number)?))).collect()
}

/// Gives a part of the writer's sequence numbers a chapter that no other has; the same when asked again.
pub(super) async fn take_chapter(connection: &mut Connection, writer: &str, part: u64) -> Result<u64, CatalogError> {
    let mut tx = db::begin(connection).await?;
    let known: Option<i64> = sqlx::query_scalar("SELECT number FROM clew_chapter WHERE writer = $1 AND part = $2")
        .bind(writer)
        .bind(signed(part)?)
        .fetch_optional(&mut *tx)
        .await?;
    if let Some(number) = known {
        return unsigned(number);
    }
    let last: Option<i64> = sqlx::query_scalar("SELECT max(number) FROM clew_chapter").fetch_one(&mut *tx).await?;
    let number = last.map_or(0, |last| last + 1);
    if unsigned(number)? >= RowId::CHAPTERS {
        return Err(CatalogError::Invalid("there are no row ids left in this lake".to_owned()));
    }
    sqlx::query("INSERT INTO clew_chapter (writer, part, number) VALUES ($1, $2, $3)")
        .bind(writer)
        .bind(signed(part)?)
        .bind(number)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    unsigned(number)
}

/// Takes or keeps a lease until `until` (ns), unless another holds it at `now`.
pub(super) async fn lease(
    connection: &mut Connection,
    name: &str,
    holder: &str,
    now: i64,
    until: i64,
) -> Result<bool, CatalogError> {
    let mut tx = db::begin(connection).await?;
    let held: Option<(String, i64)> = sqlx::query_as("SELECT holder, until FROM clew_lease WHERE name = $1")
        .bind(name)
        .fetch_optional(&mut *tx)
        .await?;
    if held.is_some_and(|(other, end)| other != holder && end > now) {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO clew_lease (name, holder, until) VALUES ($1, $2, $3) \
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until",
    )
    .bind(name)
    .bind(holder)
    .bind(until)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(true)
}

/// Lets go of a lease, if it is the holder's.
pub(super) async fn release(connection: &mut Connection, holder: &str) -> Result<(), CatalogError> {
    sqlx::query("DELETE FROM clew_lease WHERE holder = $1").bind(holder).execute(connection).await?;
    Ok(())
}
