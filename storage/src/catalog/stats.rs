//! Statistics of whole tables. DuckDB answers `min`, `max` and empty ranges from them, so they must
//! hold; it takes bounds for exact where `record_count` equals the rows there are.

use std::cmp::Ordering;
use std::collections::HashMap;

use sqlx::{Database, Row};

use super::CatalogError;
use super::columns::Kind;
use super::db::{Connection, Db};
use super::text;

/// Statistics of one column of one file, as text.
#[derive(Clone, Debug)]
pub(super) struct FileColumn {
    pub(super) column: i64,
    /// Values that are not null.
    pub(super) value_count: i64,
    pub(super) null_count: i64,
    pub(super) bounds: Option<(String, String)>,
    pub(super) contains_nan: Option<bool>,
}

impl FileColumn {
    /// A column that the file lacks.
    pub(super) fn nulls(column: i64, rows: i64) -> Self {
        Self { column, value_count: 0, null_count: rows, bounds: None, contains_nan: None }
    }
}

/// Reserves row ids for `rows` new rows and counts them; the first id.
pub(super) async fn take_rows(
    connection: &mut Connection,
    table: i64,
    rows: i64,
    bytes: i64,
) -> Result<i64, CatalogError> {
    let first: Option<i64> = sqlx::query_scalar(
        "UPDATE ducklake_table_stats SET record_count = record_count + $1, next_row_id = next_row_id + $1, \
         file_size_bytes = file_size_bytes + $2 WHERE table_id = $3 RETURNING next_row_id - $1",
    )
    .bind(rows)
    .bind(bytes)
    .bind(table)
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(first) = first {
        return Ok(first);
    }
    sqlx::query(
        "INSERT INTO ducklake_table_stats (table_id, record_count, next_row_id, file_size_bytes) \
         VALUES ($1, $2, $2, $3)",
    )
    .bind(table)
    .bind(rows)
    .bind(bytes)
    .execute(connection)
    .await?;
    Ok(0)
}

/// Widens the bounds of a table's columns by those of new files.
pub(super) async fn widen(
    connection: &mut Connection,
    table: i64,
    kinds: HashMap<i64, Kind>,
    files: &[Vec<FileColumn>],
) -> Result<(), CatalogError> {
    let mut columns = load(connection, table).await?;
    let unbounded = unbounded(connection, table, &kinds).await?;
    for column in unbounded {
        // No bounds here means that they are not known, rather than that there are no values.
        columns.entry(column).or_default().bounds = Bounds::Unknown;
    }
    for file in files.iter().flatten() {
        let kind = kinds.get(&file.column).copied().unwrap_or(Kind::Opaque);
        columns.entry(file.column).or_default().absorb(kind, file);
    }
    store(connection, table, &kinds, columns).await
}

/// Computes them anew from the files that are live: after a removal bounds would be too wide, and
/// DuckDB must not take them for exact.
pub(super) async fn recompute(
    connection: &mut Connection,
    table: i64,
    kinds: HashMap<i64, Kind>,
) -> Result<(), CatalogError> {
    let rows = sqlx::query(
        "SELECT s.column_id, s.value_count, s.null_count, s.min_value, s.max_value, \
         CAST(s.contains_nan AS INTEGER) \
         FROM ducklake_file_column_stats s JOIN ducklake_data_file f ON f.data_file_id = s.data_file_id \
         WHERE f.table_id = $1 AND f.end_snapshot IS NULL",
    )
    .bind(table)
    .fetch_all(&mut *connection)
    .await?;
    let files: i64 =
        sqlx::query_scalar("SELECT count(*) FROM ducklake_data_file WHERE table_id = $1 AND end_snapshot IS NULL")
            .bind(table)
            .fetch_one(&mut *connection)
            .await?;
    let mut columns: HashMap<i64, TableColumn> = kinds.keys().map(|id| (*id, TableColumn::default())).collect();
    let mut seen: HashMap<i64, i64> = HashMap::new();
    for row in rows {
        let (min, max): (Option<String>, Option<String>) = (row.try_get(3)?, row.try_get(4)?);
        let file = FileColumn {
            column: row.try_get(0)?,
            value_count: row.try_get::<Option<i64>, _>(1)?.unwrap_or(1),
            null_count: row.try_get::<Option<i64>, _>(2)?.unwrap_or(1),
            bounds: min.zip(max),
            contains_nan: flag(&row, 5)?,
        };
        let Some(kind) = kinds.get(&file.column) else { continue };
        *seen.entry(file.column).or_default() += 1;
        columns.entry(file.column).or_default().absorb(*kind, &file);
    }
    for (id, column) in &mut columns {
        // A file without statistics of a column was written before the column was.
        column.contains_null |= seen.get(id).copied().unwrap_or(0) < files;
    }
    store(connection, table, &kinds, columns).await?;
    sqlx::query(
        "UPDATE ducklake_table_stats SET \
         record_count = (SELECT coalesce(sum(record_count), 0) FROM ducklake_data_file \
                         WHERE table_id = $1 AND end_snapshot IS NULL), \
         file_size_bytes = (SELECT coalesce(sum(file_size_bytes), 0) FROM ducklake_data_file \
                            WHERE table_id = $1 AND end_snapshot IS NULL) \
         WHERE table_id = $1",
    )
    .bind(table)
    .execute(connection)
    .await?;
    Ok(())
}

/// Statistics of one column over the table.
#[derive(Clone, Debug, Default)]
struct TableColumn {
    contains_null: bool,
    nan: Nan,
    bounds: Bounds,
}

#[derive(Clone, Debug, Default, PartialEq)]
enum Bounds {
    /// No value was seen.
    #[default]
    Empty,
    Within(String, String),
    Unknown,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Nan {
    #[default]
    NotSeen,
    Known(bool),
    Unknown,
}

impl TableColumn {
    fn absorb(&mut self, kind: Kind, file: &FileColumn) {
        self.contains_null |= file.null_count > 0;
        if file.value_count == 0 {
            return;
        }
        self.nan = match (self.nan, file.contains_nan) {
            (Nan::Unknown, _) | (_, None) => Nan::Unknown,
            (Nan::Known(true), _) => Nan::Known(true),
            (_, Some(nan)) => Nan::Known(nan),
        };
        let bounds = std::mem::take(&mut self.bounds);
        self.bounds = match (bounds, &file.bounds) {
            (Bounds::Empty, Some((min, max))) => Bounds::Within(min.clone(), max.clone()),
            (Bounds::Within(min, max), Some(new)) => widened(kind, min, max, new),
            _ => Bounds::Unknown,
        };
    }
}

fn widened(kind: Kind, min: String, max: String, new: &(String, String)) -> Bounds {
    match (text::compare(kind, &new.0, &min), text::compare(kind, &new.1, &max)) {
        (Some(low), Some(high)) => Bounds::Within(
            if low == Ordering::Less { new.0.clone() } else { min },
            if high == Ordering::Greater { new.1.clone() } else { max },
        ),
        _ => Bounds::Unknown,
    }
}

fn flag(row: &<Db as Database>::Row, index: usize) -> Result<Option<bool>, CatalogError> {
    Ok(row.try_get::<Option<i64>, _>(index)?.map(|flag| flag != 0))
}

async fn load(connection: &mut Connection, table: i64) -> Result<HashMap<i64, TableColumn>, CatalogError> {
    let rows = sqlx::query(
        "SELECT column_id, CAST(contains_null AS INTEGER), CAST(contains_nan AS INTEGER), min_value, max_value \
         FROM ducklake_table_column_stats WHERE table_id = $1",
    )
    .bind(table)
    .fetch_all(connection)
    .await?;
    let mut columns = HashMap::new();
    for row in rows {
        let (min, max): (Option<String>, Option<String>) = (row.try_get(3)?, row.try_get(4)?);
        let column = TableColumn {
            contains_null: flag(&row, 1)?.unwrap_or(true),
            nan: flag(&row, 2)?.map_or(Nan::Unknown, Nan::Known),
            bounds: min.zip(max).map_or(Bounds::Empty, |(min, max)| Bounds::Within(min, max)),
        };
        columns.insert(row.try_get(0)?, column);
    }
    Ok(columns)
}

/// Columns that hold values whose bounds some live file does not tell.
async fn unbounded(
    connection: &mut Connection,
    table: i64,
    kinds: &HashMap<i64, Kind>,
) -> Result<Vec<i64>, CatalogError> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "SELECT DISTINCT column_id FROM ducklake_file_column_stats \
         WHERE table_id = $1 AND value_count > 0 AND (min_value IS NULL OR max_value IS NULL) \
         AND data_file_id IN (SELECT data_file_id FROM ducklake_data_file WHERE end_snapshot IS NULL)",
    )
    .bind(table)
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().filter(|id| kinds.get(id).is_some_and(|kind| *kind != Kind::Opaque)).collect())
}

async fn store(
    connection: &mut Connection,
    table: i64,
    kinds: &HashMap<i64, Kind>,
    columns: HashMap<i64, TableColumn>,
) -> Result<(), CatalogError> {
    for (id, column) in columns {
        let (min, max) = match column.bounds {
            Bounds::Within(min, max) => (Some(min), Some(max)),
            Bounds::Empty | Bounds::Unknown => (None, None),
        };
        let nan = match column.nan {
            Nan::Known(nan) => Some(nan),
            Nan::NotSeen if kinds.get(&id) == Some(&Kind::Float) => Some(false),
            Nan::NotSeen | Nan::Unknown => None,
        };
        let updated = sqlx::query(
            "UPDATE ducklake_table_column_stats SET contains_null = $3, contains_nan = $4, min_value = $5, \
             max_value = $6 WHERE table_id = $1 AND column_id = $2",
        )
        .bind(table)
        .bind(id)
        .bind(column.contains_null)
        .bind(nan)
        .bind(min.as_deref())
        .bind(max.as_deref())
        .execute(&mut *connection)
        .await?;
        if updated.rows_affected() == 0 {
            sqlx::query(
                "INSERT INTO ducklake_table_column_stats \
                 (table_id, column_id, contains_null, contains_nan, min_value, max_value) \
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(table)
            .bind(id)
            .bind(column.contains_null)
            .bind(nan)
            .bind(min.as_deref())
            .bind(max.as_deref())
            .execute(&mut *connection)
            .await?;
        }
    }
    Ok(())
}
