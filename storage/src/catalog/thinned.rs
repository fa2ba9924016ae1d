//! By which tail rules a segment was thinned: `clew_thinned`. It is judged once, and answers say so.

use std::collections::HashMap;

use super::CatalogError;
use super::db::{self, Connection};

/// Names of rules ([`crate::retention::Retention::id`]) by segment, in order. None in a lake of an earlier
/// version, which may be looked at without being changed.
pub(super) async fn all(connection: &mut Connection) -> Result<HashMap<i64, Vec<u64>>, CatalogError> {
    if !db::table_names(connection).await?.iter().any(|name| name == "clew_thinned") {
        return Ok(HashMap::new());
    }
    let rows: Vec<(i64, String)> =
        sqlx::query_as("SELECT data_file_id, rule FROM clew_thinned ORDER BY data_file_id, rule")
            .fetch_all(connection)
            .await?;
    let mut marks: HashMap<i64, Vec<u64>> = HashMap::new();
    for (id, rule) in rows {
        let rule = u64::from_str_radix(&rule, 16);
        let rule = rule.map_err(|_| CatalogError::Damaged(format!("segment {id} is marked with no rule")))?;
        marks.entry(id).or_default().push(rule);
    }
    Ok(marks)
}

pub(super) async fn add(connection: &mut Connection, id: i64, rules: &[u64]) -> Result<(), CatalogError> {
    for rule in rules {
        sqlx::query("INSERT INTO clew_thinned (data_file_id, rule) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(id)
            .bind(format!("{rule:016x}"))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn forget(connection: &mut Connection, id: i64) -> Result<(), CatalogError> {
    sqlx::query("DELETE FROM clew_thinned WHERE data_file_id = $1").bind(id).execute(connection).await?;
    Ok(())
}
