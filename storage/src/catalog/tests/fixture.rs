//! A lake in a temporary folder, its catalogue in either database, and segments to put into it.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Once};

use arrow::array::{
    ArrayRef, BooleanArray, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array, StringArray,
    TimestampNanosecondArray, UInt32Array, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Int32Type};
use tempfile::TempDir;

use super::*;
use crate::segment::blob::Checksums;

/// 2026-01-01, ns.
pub(super) const NOW: i64 = 1_767_225_600_000_000_000;

/// A test for both databases: `async fn name(database) { … }`.
macro_rules! on_both {
    (async fn $name:ident($on:ident) $body:block) => {
        mod $name {
            use super::*;

            async fn run($on: Database) $body

            #[tokio::test]
            async fn sqlite() {
                run(Database::Sqlite).await;
            }

            #[tokio::test]
            async fn postgres() {
                if Database::has_postgres() {
                    run(Database::Postgres).await;
                }
            }
        }
    };
}
pub(super) use on_both;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Database {
    Sqlite,
    Postgres,
}

/// A database that tests may fill with schemas of their own, which go afterwards.
fn test_server() -> Option<String> {
    std::env::var("CLEW_TEST_POSTGRES").ok().filter(|url| !url.is_empty())
}

impl Database {
    /// Without one the tests of PostgreSQL do nothing, and say so where nobody captures it.
    pub(super) fn has_postgres() -> bool {
        static SAID: Once = Once::new();
        let known = test_server().is_some();
        if !known {
            SAID.call_once(|| {
                let said = "CLEW_TEST_POSTGRES is not set: the catalogue is tested on SQLite ALONE\n";
                std::io::Write::write_all(&mut std::io::stderr(), said.as_bytes()).expect("stderr");
            });
        }
        known
    }
}

pub(super) struct Fixture {
    on: Database,
    root: TempDir,
    name: String,
    /// Of this fixture alone.
    schema: String,
    now: Arc<AtomicI64>,
}

impl Fixture {
    pub(super) fn new(on: Database) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let root = TempDir::new().expect("a temporary folder");
        std::fs::create_dir_all(root.path().join("store/lake")).expect("a folder");
        let schema = format!("clew_test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
        if on == Database::Postgres {
            server(format!("CREATE SCHEMA {schema}"));
        }
        Self { on, root, name: "store".to_owned(), schema, now: Arc::new(AtomicI64::new(NOW)) }
    }

    /// The catalogue as one process sees it.
    pub(super) fn source(&self) -> Source {
        self.source_of("0000")
    }

    pub(super) fn source_of(&self, writer: &str) -> Source {
        match self.on {
            Database::Sqlite => Source::Sqlite(self.database()),
            Database::Postgres => {
                let url = test_server().expect("a server");
                let next = if url.contains('?') { '&' } else { '?' };
                let url = format!("{url}{next}options=-csearch_path%3D{}", self.schema);
                Source::Postgres { url: url.parse().expect("a URL"), writer: writer.to_owned() }
            }
        }
    }

    pub(super) fn data_path(&self) -> String {
        format!("{}/", self.data().canonicalize().expect("exists").display())
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.root.path().join(&self.name)
    }

    pub(super) fn database(&self) -> PathBuf {
        self.folder().join("catalog.db")
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder().join("lake")
    }

    pub(super) fn move_to(&mut self, name: &str) {
        let from = self.folder();
        self.name = name.to_owned();
        std::fs::rename(from, self.folder()).expect("moves");
    }

    pub(super) fn pass(&self, ns: i64) {
        self.now.fetch_add(ns, Ordering::SeqCst);
    }

    pub(super) fn clock(&self) -> Clock {
        let now = self.now.clone();
        Clock::new(move || now.load(Ordering::SeqCst))
    }

    pub(super) async fn try_open(&self) -> Result<Catalog, CatalogError> {
        Catalog::open(self.source(), &self.data_path(), self.clock()).await
    }

    pub(super) async fn open(&self) -> Catalog {
        self.try_open().await.expect("opens")
    }

    pub(super) async fn connect(&self) -> db::Connection {
        db::connect(&self.source()).await.expect("connects")
    }

    /// Runs statements on a connection of its own, as another program would.
    pub(super) async fn execute(&self, sql: &str) {
        let mut other = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut other).await.expect(sql);
        other.close().await.expect("closes");
    }

    /// The first column of every row, as text.
    pub(super) async fn text(&self, sql: &str) -> Vec<String> {
        let mut other = self.connect().await;
        let sql = format!("WITH x(v) AS ({sql}) SELECT CAST(v AS TEXT) FROM x");
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut other).await.expect("reads")
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if self.on == Database::Postgres {
            server(format!("DROP SCHEMA {} CASCADE", self.schema));
        }
    }
}

/// Runs a statement on the test server, whatever runtime there is.
fn server(sql: String) {
    let url = test_server().expect("a server").parse().expect("a URL");
    let run = async {
        let mut connection = db::connect(&Source::Postgres { url, writer: String::new() }).await.expect("connects");
        sqlx::raw_sql(AssertSqlSafe(sql.as_str())).execute(&mut connection).await.expect(&sql);
    };
    std::thread::scope(|scope| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        scope.spawn(move || runtime.block_on(run)).join().expect("runs");
    });
}

/// A segment of some rows of [`rows`]; its files do not exist.
pub(super) fn segment(table: Table, name: &str, numbers: Range<i64>) -> NewSegment {
    segment_of(table, name, &rows(table, numbers))
}

pub(super) fn segment_of(table: Table, name: &str, rows: &RecordBatch) -> NewSegment {
    let times = crate::segment::times(table, rows);
    let path = |end: &str| Path::new("main").join(table.name()).join(format!("{name}.{end}"));
    let meta = SegmentMeta {
        id: -1,
        table,
        parquet: path("parquet"),
        index: path("index"),
        parquet_bytes: 1000,
        index_bytes: 100,
        rows: rows.num_rows() as u64,
        min_time: times.iter().copied().min().expect("rows"),
        max_time: times.iter().copied().max().expect("rows"),
        parquet_checksums: Checksums::of(name.as_bytes()),
        index_checksums: Checksums::of(&[0; 100_000]),
        thinned: Vec::new(),
    };
    NewSegment::new(&meta, 77, rows)
}

/// Rows whose every value tells the row's number; what may be null is for odd ones.
pub(super) fn rows(table: Table, numbers: Range<i64>) -> RecordBatch {
    let schema = table.schema();
    let columns = schema.fields().iter().map(|field| column(field, numbers.clone())).collect();
    RecordBatch::try_new(schema.clone(), columns).expect("fits the schema")
}

fn column(field: &Field, numbers: Range<i64>) -> ArrayRef {
    let values = numbers.map(|number| (!field.is_nullable() || number % 2 == 0).then_some(number));
    match field.data_type() {
        DataType::FixedSizeBinary(width) => {
            let bytes = |number: i64| [vec![0; *width as usize - 8], number.to_be_bytes().to_vec()].concat();
            let values = values.map(|value| value.map(bytes));
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(values, *width).expect("of one width"))
        }
        DataType::Utf8 => {
            Arc::new(values.map(|value| value.map(|number| format!("text {number:06}"))).collect::<StringArray>())
        }
        DataType::Dictionary(..) => {
            let values: Vec<Option<String>> =
                values.map(|value| value.map(|number| format!("name {}", number % 5))).collect();
            Arc::new(values.iter().map(Option::as_deref).collect::<DictionaryArray<Int32Type>>())
        }
        DataType::Timestamp(..) => {
            Arc::new(values.map(|value| value.map(|number| NOW + number)).collect::<TimestampNanosecondArray>())
        }
        DataType::Int32 => Arc::new(values.map(|value| value.map(|number| number as i32)).collect::<Int32Array>()),
        DataType::UInt32 => Arc::new(values.map(|value| value.map(|number| number as u32)).collect::<UInt32Array>()),
        DataType::Int64 => Arc::new(values.map(|value| value.map(|number| -number)).collect::<Int64Array>()),
        DataType::UInt64 => {
            Arc::new(values.map(|value| value.map(|number| u64::MAX - number as u64)).collect::<UInt64Array>())
        }
        DataType::Float64 => {
            Arc::new(values.map(|value| value.map(|number| number as f64 / 4.0)).collect::<Float64Array>())
        }
        DataType::Boolean => {
            Arc::new(values.map(|value| value.map(|number| number % 4 == 0)).collect::<BooleanArray>())
        }
        other => unreachable!("no column of type {other}"),
    }
}
