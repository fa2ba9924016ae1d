//! One change of the lake: segments in, segments out, all in one snapshot.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::{AssertSqlSafe, Row};

use super::columns::Kind;
use super::db::{self, Connection};
use super::digest::Digest;
use super::lake::{self, signed};
use super::stats::{self, FileColumn};
use super::{
    CatalogError, Change, CommittedSnapshot, FieldIds, NewSegment, SEGMENT_FORMAT, Writer, foreign, rollup, state,
    text, thinned, writers,
};
use crate::fault;
use crate::schema::Table;
use crate::segment::SegmentMeta;

pub(super) async fn commit(
    connection: &mut Connection,
    change: &Change,
    writer: &Writer<'_>,
    fields: &FieldIds,
    now: i64,
) -> Result<CommittedSnapshot, CatalogError> {
    let mut tx = db::begin(connection).await?;
    if let Some(name) = writer.name {
        writers::check(&mut tx, name, writer.session).await?;
    }
    let head = lake::head(&mut tx).await?;
    set_checkpoint(&mut tx, writer.name, change.checkpoint).await?;
    mark(&mut tx, &change.mark).await?;
    let rollup = match &change.rollup {
        Some(change) => Some(rollup::apply(&mut tx, change).await?),
        None => None,
    };
    if change.add.is_empty() && change.remove.is_empty() {
        tx.commit().await?;
        return Ok(CommittedSnapshot { snapshot: head.snapshot, segment_ids: Vec::new(), rollup });
    }
    let mut next = head.following(now);
    let mut digest = Digest::without(&mut tx, head.snapshot, &change.remove).await?;
    let shrunk = remove(&mut tx, &change.remove, next.snapshot).await?;
    let target = Target::load(&mut tx, fields).await?;
    let mut grown: BTreeMap<i64, Vec<Vec<FileColumn>>> = BTreeMap::new();
    let mut segment_ids = Vec::with_capacity(change.add.len());
    for segment in &change.add {
        let id = next.next_file_id;
        next.next_file_id += 1;
        let (table, columns) = add(&mut tx, &target, segment, id, next.snapshot).await?;
        grown.entry(table).or_default().push(columns);
        digest.add(id, &segment.meta);
        segment_ids.push(id);
    }
    for (table, files) in &grown {
        stats::widen(&mut tx, *table, target.kinds(*table), files).await?;
    }
    for table in &shrunk {
        if foreign::untouched(&mut tx, *table).await? {
            stats::recompute(&mut tx, *table, target.kinds(*table)).await?;
        }
    }
    let mut changes: Vec<String> = grown.keys().map(|table| format!("inserted_into_table:{table}")).collect();
    changes.extend(shrunk.iter().map(|table| format!("deleted_from_table:{table}")));
    lake::add_snapshot(&mut tx, &next, &changes).await?;
    digest.keep(&mut tx, next.snapshot).await?;
    fault::point("catalog.before-commit")?;
    tx.commit().await?;
    fault::point("catalog.after-commit")?;
    Ok(CommittedSnapshot { snapshot: next.snapshot, segment_ids, rollup })
}

async fn mark(connection: &mut Connection, marks: &[(i64, u64)]) -> Result<(), CatalogError> {
    for (id, rule) in marks {
        let live: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM ducklake_data_file WHERE data_file_id = $1 AND end_snapshot IS NULL",
        )
        .bind(*id)
        .fetch_one(&mut *connection)
        .await?;
        if live == 0 {
            return Err(CatalogError::Conflict(format!("segment {id} is no longer part of the lake")));
        }
        thinned::add(connection, *id, &[*rule]).await?;
    }
    Ok(())
}

/// Reads where it would be written: an earlier commit that is still on its way has ended by then.
pub(super) async fn checkpoint(connection: &mut Connection, writer: Option<&str>) -> Result<u64, CatalogError> {
    let mut tx = db::begin(connection).await?;
    Ok(state::get(&mut tx, &state::checkpoint(writer)).await?.unwrap_or(0))
}

async fn set_checkpoint(
    connection: &mut Connection,
    writer: Option<&str>,
    checkpoint: Option<u64>,
) -> Result<(), CatalogError> {
    let Some(sequence) = checkpoint else { return Ok(()) };
    let name = state::checkpoint(writer);
    let known = state::get(connection, &name).await?.unwrap_or(0);
    if sequence < known {
        return Err(CatalogError::Invalid(format!("checkpoint {sequence} lies before {known}")));
    }
    state::set(connection, &name, sequence).await
}

/// Ends the life of segments with this snapshot; the tables that they were of.
async fn remove(connection: &mut Connection, ids: &[i64], snapshot: i64) -> Result<BTreeSet<i64>, CatalogError> {
    let mut tables = BTreeSet::new();
    for id in ids {
        let row = sqlx::query(
            "UPDATE ducklake_data_file SET end_snapshot = $1 \
             WHERE data_file_id = $2 AND end_snapshot IS NULL \
             AND data_file_id IN (SELECT data_file_id FROM clew_segment) RETURNING table_id",
        )
        .bind(snapshot)
        .bind(*id)
        .fetch_optional(&mut *connection)
        .await?
        .ok_or_else(|| CatalogError::Conflict(format!("segment {id} is no longer part of the lake")))?;
        tables.insert(row.try_get(0)?);
        sqlx::query(
            "UPDATE ducklake_delete_file SET end_snapshot = $1 WHERE data_file_id = $2 AND end_snapshot IS NULL",
        )
        .bind(snapshot)
        .bind(*id)
        .execute(&mut *connection)
        .await?;
    }
    Ok(tables)
}

/// Where segments go: tables, their folders and columns as they are now.
struct Target<'a> {
    tables: BTreeMap<Table, i64>,
    folders: lake::Folders,
    columns: HashMap<i64, Vec<lake::Column>>,
    fields: &'a FieldIds,
}

impl<'a> Target<'a> {
    async fn load(connection: &mut Connection, fields: &'a FieldIds) -> Result<Self, CatalogError> {
        Ok(Self {
            tables: lake::tables(connection).await?,
            folders: lake::folders(connection).await?,
            columns: lake::columns(connection).await?,
            fields,
        })
    }

    fn columns(&self, table: i64) -> &[lake::Column] {
        self.columns.get(&table).map(Vec::as_slice).unwrap_or_default()
    }

    fn kinds(&self, table: i64) -> HashMap<i64, Kind> {
        self.columns(table).iter().map(|column| (column.id, Kind::of(&column.lake_type))).collect()
    }

    fn folder(&self, table: Table, id: i64) -> Result<&str, CatalogError> {
        let folder = self.folders.get(&id).filter(|folder| folder.relative).map(|folder| folder.path.as_str());
        folder.ok_or_else(|| CatalogError::Foreign(format!("table {} lies outside the data path", table.name())))
    }

    /// Statistics of every live column: ours by number (a DuckDB user may have renamed one), nulls
    /// for those that a DuckDB user has added.
    fn file_columns(&self, id: i64, segment: &NewSegment) -> Result<Vec<FileColumn>, CatalogError> {
        let none = HashMap::new();
        let ours = self.fields.get(&segment.meta.table).unwrap_or(&none);
        let names: HashMap<i64, &str> = ours.iter().map(|(name, id)| (*id, name.as_str())).collect();
        let rows = signed(segment.meta.rows)?;
        let table = segment.meta.table;
        let column = |column: &lake::Column| {
            let Some(name) = names.get(&column.id).filter(|name| table.schema().index_of(name).is_ok()) else {
                return Ok(FileColumn::nulls(column.id, rows));
            };
            let given = segment.columns.iter().find(|given| given.column == *name);
            let given = given.ok_or_else(|| CatalogError::Invalid(format!("no statistics of column {name}")))?;
            if given.null_count + given.value_count != segment.meta.rows {
                return Err(CatalogError::Invalid(format!("statistics of {name} do not cover {rows} rows")));
            }
            let kind = Kind::of(&column.lake_type);
            if kind == Kind::Float && given.contains_nan.is_none() {
                return Err(CatalogError::Invalid(format!("statistics of {name} do not tell of NaN")));
            }
            let bounds = given.bounds.as_ref();
            let bounds = bounds.and_then(|(min, max)| text::bounds(kind, min, max));
            Ok(FileColumn {
                column: column.id,
                value_count: signed(given.value_count)?,
                null_count: signed(given.null_count)?,
                bounds,
                contains_nan: given.contains_nan,
            })
        };
        self.columns(id).iter().map(column).collect()
    }
}

/// Registers one segment; its table and column statistics.
async fn add(
    connection: &mut Connection,
    target: &Target<'_>,
    segment: &NewSegment,
    id: i64,
    snapshot: i64,
) -> Result<(i64, Vec<FileColumn>), CatalogError> {
    let meta = &segment.meta;
    check(meta)?;
    let table = target.tables.get(&meta.table);
    let table = *table.ok_or_else(|| CatalogError::Foreign(format!("table {} was dropped", meta.table.name())))?;
    let folder = target.folder(meta.table, table)?;
    let path = lake::text(&meta.parquet)?;
    let path = path.strip_prefix(folder);
    let path = path.ok_or_else(|| CatalogError::Invalid(format!("{} is not in {folder}", meta.parquet.display())))?;
    let columns = target.file_columns(table, segment)?;
    let (rows, bytes) = (signed(meta.rows)?, signed(meta.parquet_bytes)?);
    let first_row = stats::take_rows(connection, table, rows, bytes).await?;
    sqlx::query(
        "INSERT INTO ducklake_data_file \
         (data_file_id, table_id, begin_snapshot, path, path_is_relative, file_format, record_count, \
          file_size_bytes, footer_size, row_id_start) VALUES ($1, $2, $3, $4, $5, 'parquet', $6, $7, $8, $9)",
    )
    .bind(id)
    .bind(table)
    .bind(snapshot)
    .bind(path)
    .bind(true)
    .bind(rows)
    .bind(bytes)
    .bind(signed(segment.footer_bytes)?)
    .bind(first_row)
    .execute(&mut *connection)
    .await?;
    insert_columns(connection, id, table, &columns).await?;
    insert_segment(connection, id, meta).await?;
    Ok((table, columns))
}

fn check(meta: &SegmentMeta) -> Result<(), CatalogError> {
    let wrong = |what: &str| Err(CatalogError::Invalid(format!("{} {what}", meta.parquet.display())));
    if meta.rows == 0 {
        return wrong("has no rows");
    }
    if meta.min_time > meta.max_time {
        return wrong("ends before it starts");
    }
    for path in [&meta.parquet, &meta.index] {
        if !lake::is_plain(lake::text(path)?) {
            return wrong("or its index does not lie below the data path");
        }
    }
    Ok(())
}

async fn insert_columns(
    connection: &mut Connection,
    file: i64,
    table: i64,
    columns: &[FileColumn],
) -> Result<(), CatalogError> {
    let statement = format!(
        "INSERT INTO ducklake_file_column_stats (data_file_id, table_id, column_id, value_count, \
         null_count, min_value, max_value, contains_nan) VALUES {}",
        db::places(columns.len(), 8)
    );
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for column in columns {
        query = query
            .bind(file)
            .bind(table)
            .bind(column.column)
            .bind(column.value_count)
            .bind(column.null_count)
            .bind(column.bounds.as_ref().map(|(min, _)| min.as_str()))
            .bind(column.bounds.as_ref().map(|(_, max)| max.as_str()))
            .bind(column.contains_nan);
    }
    query.execute(connection).await?;
    Ok(())
}

async fn insert_segment(connection: &mut Connection, id: i64, meta: &SegmentMeta) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO clew_segment (data_file_id, parquet_path, index_path, parquet_bytes, index_bytes, row_count, \
         min_time, max_time, parquet_checksums, index_checksums, format) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(id)
    .bind(lake::text(&meta.parquet)?)
    .bind(lake::text(&meta.index)?)
    .bind(signed(meta.parquet_bytes)?)
    .bind(signed(meta.index_bytes)?)
    .bind(signed(meta.rows)?)
    .bind(meta.min_time)
    .bind(meta.max_time)
    .bind(meta.parquet_checksums.to_bytes())
    .bind(meta.index_checksums.to_bytes())
    .bind(SEGMENT_FORMAT)
    .execute(&mut *connection)
    .await?;
    thinned::add(connection, id, &meta.thinned).await
}
