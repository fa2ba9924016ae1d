//! Creates the lake, checks that it is ours to use, and grows it by tables and columns.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use arrow::datatypes::SchemaRef;

use super::columns::lake_type;
use super::db::{self, Connection};
use super::{CatalogError, SEGMENT_FORMAT, ddl, digest, lake, list, rollup, state, views};
use crate::schema::Table;

/// Layout of our own tables that this version writes. Since 2 values of `clew_state` carry checksums; since 3
/// every commit of spans brings their counts, which an earlier version would leave out.
pub(super) const FORMAT_VERSION: u64 = 3;

/// Makes the database what `wanted` says, in one transaction; what is there already stays.
pub(super) async fn prepare(
    connection: &mut Connection,
    data_path: &str,
    shared: bool,
    now: i64,
    wanted: &[(Table, SchemaRef)],
) -> Result<(), CatalogError> {
    let mut tx = db::begin_to_create(connection).await?;
    let names = db::table_names(&mut tx).await?;
    let has = |name: &str| names.iter().any(|known| known == name);
    if has("ducklake_metadata") {
        verify(&mut tx, data_path, shared, has("clew_state")).await?;
        if has("clew_state") && has("clew_segment") {
            digest::check(&mut tx).await?;
        }
    } else if names.is_empty() {
        create(&mut tx, data_path, now).await?;
    } else {
        return Err(CatalogError::Foreign(format!("the database holds {} and no lake", names.join(", "))));
    }
    for statement in ddl::OURS {
        sqlx::query(db::create_statement(&tx, statement)).execute(&mut *tx).await?;
    }
    rollup::begin(&mut tx).await?;
    if state::get(&mut tx, state::FORMAT).await? != Some(FORMAT_VERSION) {
        state::set(&mut tx, state::FORMAT, FORMAT_VERSION).await?;
    }
    grow(&mut tx, now, wanted).await?;
    tx.commit().await?;
    Ok(())
}

async fn create(connection: &mut Connection, data_path: &str, now: i64) -> Result<(), CatalogError> {
    for statement in ddl::LAKE {
        sqlx::query(db::create_statement(connection, statement)).execute(&mut *connection).await?;
    }
    let created_by = concat!("Clew ", env!("CARGO_PKG_VERSION"));
    let metadata = [
        ("version", ddl::LAKE_VERSION),
        ("created_by", created_by),
        ("data_path", data_path),
        ("encrypted", "false"),
        // Or DuckDB's CHECKPOINT and ducklake_merge_adjacent_files would merge segments into files
        // that have no index. 1.5.5 heeds it even where a table is named.
        ("auto_compact", "false"),
    ];
    for (key, value) in metadata {
        sqlx::query("INSERT INTO ducklake_metadata (key, value) VALUES ($1, $2)")
            .bind(key)
            .bind(value)
            .execute(&mut *connection)
            .await?;
    }
    let uuid = db::uuid(connection).await?;
    let statement = db::sql(
        connection,
        "INSERT INTO ducklake_schema (schema_id, schema_uuid, begin_snapshot, schema_name, path, path_is_relative) \
         VALUES (0, $1::uuid, 0, 'main', 'main/', $2)",
    );
    sqlx::query(statement).bind(uuid).bind(true).execute(&mut *connection).await?;
    let first = lake::Head { snapshot: 0, time: now, schema_version: 0, next_catalog_id: 1, next_file_id: 0 };
    lake::add_snapshot(connection, &first, &["created_schema:\"main\"".to_owned()]).await
}

/// A lake that exists must be one that this version understands. `shared`: other processes use it too;
/// `ours`: Clew opened it before.
async fn verify(connection: &mut Connection, data_path: &str, shared: bool, ours: bool) -> Result<(), CatalogError> {
    verify_versions(connection, ours).await?;
    if metadata(connection, "encrypted").await? == "true" {
        return Err(CatalogError::Foreign("its files are encrypted".to_owned()));
    }
    let known = metadata(connection, "data_path").await?;
    if known == data_path {
        return Ok(());
    }
    if shared || !ours {
        return Err(CatalogError::Foreign(format!("the lake's files are in {known}, not in {data_path}")));
    }
    if [known.as_str(), data_path].iter().any(|path| path.contains("://")) {
        moved(connection, &known, data_path).await?;
    }
    // The data directory was moved or renamed, and the files with it.
    sqlx::query("UPDATE ducklake_metadata SET value = $1 WHERE key = 'data_path' AND scope IS NULL")
        .bind(data_path)
        .execute(connection)
        .await?;
    Ok(())
}

/// What a later version wrote is refused before anything is changed.
pub(super) async fn verify_versions(connection: &mut Connection, ours: bool) -> Result<(), CatalogError> {
    if ours {
        let format = state::get(connection, state::FORMAT).await?.unwrap_or(1);
        if format > FORMAT_VERSION {
            let (found, known) = (format.to_string(), FORMAT_VERSION.to_string());
            return Err(CatalogError::Newer { what: "format", found, known });
        }
        let segments: Option<i64> =
            sqlx::query_scalar("SELECT max(format) FROM clew_segment").fetch_one(&mut *connection).await?;
        if let Some(found) = segments.filter(|format| *format > SEGMENT_FORMAT) {
            let (found, known) = (found.to_string(), SEGMENT_FORMAT.to_string());
            return Err(CatalogError::Newer { what: "segments of format", found, known });
        }
    }
    let version = metadata(connection, "version").await?;
    if version != ddl::LAKE_VERSION {
        return Err(unknown_version(version));
    }
    Ok(())
}

/// Between a directory and a bucket, or two buckets, files do not move by themselves: who forgot `--store`,
/// or misspelt it, must not be told that all is gone.
async fn moved(connection: &mut Connection, known: &str, data_path: &str) -> Result<(), CatalogError> {
    let segments = list::segments(connection).await?;
    let local = !data_path.contains("://");
    if segments.iter().all(|segment| local && Path::new(data_path).join(&segment.parquet).exists()) {
        return Ok(()); // none yet, or a backup that was made of a bucket
    }
    let what = format!(
        "the lake's files are in {known}, not in {data_path}. If they were copied there, change data_path in the \
         catalogue's table ducklake_metadata"
    );
    Err(CatalogError::Foreign(what))
}

fn unknown_version(found: String) -> CatalogError {
    let number = |text: &str| -> Option<(u32, u32)> {
        let (major, minor) = text.split('-').next()?.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    if number(&found) > number(ddl::LAKE_VERSION) {
        return CatalogError::Newer { what: "DuckLake version", found, known: ddl::LAKE_VERSION.to_owned() };
    }
    CatalogError::Foreign(format!("DuckLake version {found}, not {}", ddl::LAKE_VERSION))
}

pub(super) async fn metadata(connection: &mut Connection, key: &str) -> Result<String, CatalogError> {
    let value = sqlx::query_scalar("SELECT value FROM ducklake_metadata WHERE key = $1 AND scope IS NULL")
        .bind(key)
        .fetch_optional(connection)
        .await?;
    value.ok_or_else(|| CatalogError::Damaged(format!("the lake has no {key}")))
}

/// Adds what `wanted` has and the lake has not, as one snapshot with a new schema version.
async fn grow(connection: &mut Connection, now: i64, wanted: &[(Table, SchemaRef)]) -> Result<(), CatalogError> {
    let mut head = lake::head(connection).await?.following(now);
    head.schema_version += 1;
    let (tables, columns) = (lake::tables(connection).await?, lake::columns(connection).await?);
    let (mut changes, mut changed) = (Vec::new(), Vec::new());
    for (table, schema) in wanted {
        match tables.get(table) {
            None => {
                let id = head.next_catalog_id;
                head.next_catalog_id += 1;
                create_table(connection, *table, schema, id, head.snapshot).await?;
                changes.push(format!("created_table:\"main\".\"{}\"", table.name()));
                changed.push(id);
            }
            Some(id) => {
                let known = columns.get(id).map(Vec::as_slice).unwrap_or_default();
                if add_columns(connection, schema, *id, known, head.snapshot).await? {
                    changes.push(format!("altered_table:{id}"));
                    changed.push(*id);
                }
            }
        }
    }
    changes.extend(views::grow(connection, &mut head).await?);
    if changes.is_empty() {
        return Ok(());
    }
    for id in changed {
        sqlx::query(
            "INSERT INTO ducklake_schema_versions (begin_snapshot, schema_version, table_id) VALUES ($1, $2, $3)",
        )
        .bind(head.snapshot)
        .bind(head.schema_version)
        .bind(id)
        .execute(&mut *connection)
        .await?;
    }
    lake::add_snapshot(connection, &head, &changes).await
}

async fn create_table(
    connection: &mut Connection,
    table: Table,
    schema: &SchemaRef,
    id: i64,
    snapshot: i64,
) -> Result<(), CatalogError> {
    let schema_id: i64 =
        sqlx::query_scalar("SELECT schema_id FROM ducklake_schema WHERE schema_name = 'main' AND end_snapshot IS NULL")
            .fetch_optional(&mut *connection)
            .await?
            .ok_or_else(|| CatalogError::Foreign("the lake has no schema main".to_owned()))?;
    let uuid = db::uuid(connection).await?;
    let statement = db::sql(
        connection,
        "INSERT INTO ducklake_table \
         (table_id, table_uuid, begin_snapshot, schema_id, table_name, path, path_is_relative) \
         VALUES ($1, $2::uuid, $3, $4, $5, $6, $7)",
    );
    sqlx::query(statement)
        .bind(id)
        .bind(uuid)
        .bind(snapshot)
        .bind(schema_id)
        .bind(table.name())
        .bind(format!("{}/", table.name()))
        .bind(true)
        .execute(&mut *connection)
        .await?;
    for (number, field) in (1..).zip(schema.fields()) {
        let column = NewColumn { number, name: field.name(), nullable: field.is_nullable() };
        column.add(connection, id, snapshot, lake_type(field.data_type())?).await?;
    }
    Ok(())
}

/// True when there was something to add. Files written before lack the column, so it admits nulls
/// whatever the schema says.
async fn add_columns(
    connection: &mut Connection,
    schema: &SchemaRef,
    table: i64,
    known: &[lake::Column],
    snapshot: i64,
) -> Result<bool, CatalogError> {
    // Numbers of dropped columns stay taken: old files still carry them.
    let (last_id, last_order): (Option<i64>, Option<i64>) =
        sqlx::query_as("SELECT max(column_id), max(column_order) FROM ducklake_column WHERE table_id = $1")
            .bind(table)
            .fetch_one(&mut *connection)
            .await?;
    let mut number = last_id.max(last_order).unwrap_or(0);
    let mut added = false;
    for field in schema.fields() {
        if known.iter().any(|column| column.name == *field.name()) {
            continue;
        }
        number += 1;
        added = true;
        let column = NewColumn { number, name: field.name(), nullable: true };
        column.add(connection, table, snapshot, lake_type(field.data_type())?).await?;
        sqlx::query(
            "INSERT INTO ducklake_table_column_stats (table_id, column_id, contains_null) \
             SELECT table_id, $1, $2 FROM ducklake_table_stats WHERE table_id = $3",
        )
        .bind(number)
        .bind(true)
        .bind(table)
        .execute(&mut *connection)
        .await?;
    }
    Ok(added)
}

struct NewColumn<'a> {
    number: i64,
    name: &'a str,
    nullable: bool,
}

impl NewColumn<'_> {
    async fn add(
        &self,
        connection: &mut Connection,
        table: i64,
        snapshot: i64,
        lake_type: &str,
    ) -> Result<(), CatalogError> {
        sqlx::query(
            "INSERT INTO ducklake_column \
             (column_id, begin_snapshot, table_id, column_order, column_name, column_type, default_value, \
              nulls_allowed, default_value_type, default_value_dialect) \
             VALUES ($1, $2, $3, $1, $4, $5, 'NULL', $6, 'literal', 'duckdb')",
        )
        .bind(self.number)
        .bind(snapshot)
        .bind(table)
        .bind(self.name)
        .bind(lake_type)
        .bind(self.nullable)
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// Number of each of our columns, by table and name.
pub(super) async fn field_ids(
    connection: &mut Connection,
) -> Result<BTreeMap<Table, HashMap<String, i64>>, CatalogError> {
    let (tables, mut columns) = (lake::tables(connection).await?, lake::columns(connection).await?);
    let ids = |columns: Vec<lake::Column>| columns.into_iter().map(|column| (column.name, column.id)).collect();
    Ok(tables.into_iter().map(|(table, id)| (table, ids(columns.remove(&id).unwrap_or_default()))).collect())
}
