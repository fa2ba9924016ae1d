//! The head of the lake and its tables: what every change starts from.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use sqlx::Row;

use super::CatalogError;
use super::db::{self, Connection};
use super::text::{parse_snapshot_time, snapshot_time};
use crate::schema::Table;

/// The newest snapshot, or the one about to be written.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) snapshot: i64,
    /// ns since the epoch.
    pub(super) time: i64,
    pub(super) schema_version: i64,
    pub(super) next_catalog_id: i64,
    pub(super) next_file_id: i64,
}

impl Head {
    /// The snapshot that follows. Its time never runs backwards, or time travel by timestamp would
    /// find the wrong one after the clock was set back.
    pub(super) fn following(&self, now: i64) -> Self {
        Self { snapshot: self.snapshot + 1, time: now.max(self.time), ..self.clone() }
    }
}

pub(super) async fn head(connection: &mut Connection) -> Result<Head, CatalogError> {
    let statement = db::sql(
        connection,
        "SELECT snapshot_id, snapshot_time::text, schema_version, next_catalog_id, next_file_id \
         FROM ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1",
    );
    let row = sqlx::query(statement).fetch_optional(connection).await?;
    let row = row.ok_or_else(|| CatalogError::Damaged("the lake has no snapshot".to_owned()))?;
    Ok(Head {
        snapshot: row.try_get(0)?,
        time: read_time(row.try_get(1)?)?,
        schema_version: row.try_get(2)?,
        next_catalog_id: row.try_get(3)?,
        next_file_id: row.try_get(4)?,
    })
}

/// The id of the schema that all tables are in.
pub(super) async fn id(connection: &mut Connection) -> Result<String, CatalogError> {
    let id: Option<String> = sqlx::query_scalar(
        "SELECT CAST(schema_uuid AS TEXT) FROM ducklake_schema WHERE schema_name = 'main' AND end_snapshot IS NULL",
    )
    .fetch_optional(connection)
    .await?;
    id.ok_or_else(|| CatalogError::Foreign("the lake has no schema main".to_owned()))
}

pub(super) async fn newest(connection: &mut Connection) -> Result<i64, CatalogError> {
    Ok(sqlx::query_scalar("SELECT coalesce(max(snapshot_id), 0) FROM ducklake_snapshot").fetch_one(connection).await?)
}

/// Writes a snapshot. Its number is a primary key: of two writers one fails with a conflict.
pub(super) async fn add_snapshot(
    connection: &mut Connection,
    head: &Head,
    changes: &[String],
) -> Result<(), CatalogError> {
    let statement = db::sql(
        connection,
        "INSERT INTO ducklake_snapshot (snapshot_id, snapshot_time, schema_version, next_catalog_id, next_file_id) \
         VALUES ($1, $2::timestamptz, $3, $4, $5)",
    );
    sqlx::query(statement)
        .bind(head.snapshot)
        .bind(snapshot_time(head.time))
        .bind(head.schema_version)
        .bind(head.next_catalog_id)
        .bind(head.next_file_id)
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO ducklake_snapshot_changes (snapshot_id, changes_made) VALUES ($1, $2)")
        .bind(head.snapshot)
        .bind(changes.join(","))
        .execute(connection)
        .await?;
    Ok(())
}

/// Numbers of our tables that live in schema `main`.
pub(super) async fn tables(connection: &mut Connection) -> Result<BTreeMap<Table, i64>, CatalogError> {
    let rows = sqlx::query(
        "SELECT t.table_name, t.table_id FROM ducklake_table t \
         JOIN ducklake_schema s ON s.schema_id = t.schema_id \
         WHERE s.schema_name = 'main' AND s.end_snapshot IS NULL AND t.end_snapshot IS NULL",
    )
    .fetch_all(connection)
    .await?;
    let mut tables = BTreeMap::new();
    for row in rows {
        let name: String = row.try_get(0)?;
        if let Some(table) = Table::ALL.into_iter().find(|table| table.name() == name) {
            tables.insert(table, row.try_get(1)?);
        }
    }
    Ok(tables)
}

/// A live column of a table.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) lake_type: String,
}

/// Live columns by table, in order. Columns within columns are not ours and left out.
pub(super) async fn columns(connection: &mut Connection) -> Result<HashMap<i64, Vec<Column>>, CatalogError> {
    let rows = sqlx::query(
        "SELECT table_id, column_id, column_name, column_type FROM ducklake_column \
         WHERE end_snapshot IS NULL AND parent_column IS NULL ORDER BY table_id, column_order",
    )
    .fetch_all(connection)
    .await?;
    let mut columns: HashMap<i64, Vec<Column>> = HashMap::new();
    for row in rows {
        let column = Column { id: row.try_get(1)?, name: row.try_get(2)?, lake_type: row.try_get(3)? };
        columns.entry(row.try_get(0)?).or_default().push(column);
    }
    Ok(columns)
}

/// A path that is relative to the data path, or absolute.
#[derive(Clone, Debug)]
pub(super) struct LakePath {
    pub(super) path: String,
    pub(super) relative: bool,
}

impl LakePath {
    /// The path relative to the data path; None where it lies outside.
    pub(super) fn inside(self) -> Option<String> {
        (self.relative && is_plain(&self.path)).then_some(self.path)
    }
}

/// Folders of tables by number, dropped ones included; each with a slash at its end.
pub(super) type Folders = HashMap<i64, LakePath>;

pub(super) async fn folders(connection: &mut Connection) -> Result<Folders, CatalogError> {
    let rows = sqlx::query(
        "SELECT t.table_id, s.path, CAST(s.path_is_relative AS INTEGER), t.path, CAST(t.path_is_relative AS INTEGER) \
         FROM ducklake_table t \
         JOIN ducklake_schema s ON s.schema_id = t.schema_id ORDER BY t.begin_snapshot, s.begin_snapshot",
    )
    .fetch_all(connection)
    .await?;
    let mut folders = HashMap::new();
    for row in rows {
        let schema = LakePath { path: row.try_get(1)?, relative: row.try_get::<i64, _>(2)? != 0 };
        let table = LakePath { path: row.try_get(3)?, relative: row.try_get::<i64, _>(4)? != 0 };
        folders.insert(row.try_get(0)?, join(&schema, table));
    }
    Ok(folders)
}

/// Where a file of a table lies.
pub(super) fn resolve(folders: &Folders, table: i64, path: String, relative: bool) -> LakePath {
    let path = LakePath { path, relative };
    match folders.get(&table) {
        Some(folder) => join(folder, path),
        None => path,
    }
}

fn join(folder: &LakePath, path: LakePath) -> LakePath {
    if !path.relative {
        return path;
    }
    LakePath { path: format!("{}{}", folder.path, path.path), relative: folder.relative }
}

/// Whether a relative path stays below the folder that it starts from.
pub(super) fn is_plain(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

pub(super) fn read_time(text: String) -> Result<i64, CatalogError> {
    parse_snapshot_time(&text).ok_or_else(|| CatalogError::Damaged(format!("{text:?} is no time")))
}

/// Numbers of the database are signed; ours are not.
pub(super) fn unsigned(value: i64) -> Result<u64, CatalogError> {
    u64::try_from(value).map_err(|_| CatalogError::Damaged(format!("{value} where a count belongs")))
}

pub(super) fn signed(value: u64) -> Result<i64, CatalogError> {
    i64::try_from(value).map_err(|_| CatalogError::Invalid(format!("{value} is too large a count")))
}

/// A path as the database keeps it.
pub(super) fn text(path: &Path) -> Result<&str, CatalogError> {
    path.to_str().ok_or_else(|| CatalogError::Invalid(format!("{} is not UTF-8", path.display())))
}
