//! Small texts by kind and id that the layers above keep in the catalogue: `clew_document`.

use super::CatalogError;
use super::db::{self, Connection};

/// What becomes of one document: its new text, or None where it goes.
pub type DocumentChange = (String, Option<String>);

/// (id, text) of all documents of a kind, by id. None in a lake of an earlier version, which may be looked
/// at without being changed.
pub(super) async fn all(connection: &mut Connection, kind: &str) -> Result<Vec<(String, String)>, CatalogError> {
    if !db::table_names(connection).await?.iter().any(|name| name == "clew_document") {
        return Ok(Vec::new());
    }
    let rows = sqlx::query_as("SELECT id, body FROM clew_document WHERE kind = $1 ORDER BY id").bind(kind);
    Ok(rows.fetch_all(connection).await?)
}

/// Applies the changes, all or none.
pub(super) async fn put(
    connection: &mut Connection,
    kind: &str,
    changes: &[DocumentChange],
) -> Result<(), CatalogError> {
    let mut tx = db::begin(connection).await?;
    for (id, body) in changes {
        let statement = match body {
            Some(_) => {
                "INSERT INTO clew_document (kind, id, body) VALUES ($1, $2, $3) \
                 ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body"
            }
            None => "DELETE FROM clew_document WHERE kind = $1 AND id = $2",
        };
        let query = sqlx::query(statement).bind(kind).bind(id);
        let query = match body {
            Some(body) => query.bind(body),
            None => query,
        };
        query.execute(&mut *tx).await?;
    }
    Ok(tx.commit().await?)
}
