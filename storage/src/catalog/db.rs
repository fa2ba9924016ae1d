//! The database behind the catalogue: SQLite or PostgreSQL, one code path for both on sqlx's `Any`.
//!
//! Statements are written for PostgreSQL; [`sql`] makes them fit SQLite. What `Any` does not carry is
//! cast in the statement itself: times and UUIDs travel as text (`$1::timestamptz`, `time::text`), a
//! boolean is bound as such and read as `CAST(… AS INTEGER)`, for SQLite keeps it as 0 or 1.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use sqlx::any::AnyConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::{CatalogError, postgres, sqlite};
use crate::tenant::TenantId;

pub(super) type Db = sqlx::Any;
pub(super) type Connection = sqlx::AnyConnection;
pub(super) type Transaction<'a> = sqlx::Transaction<'a, Db>;

/// Where a catalogue is.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file of this data directory. Nobody else ingests into the lake.
    Sqlite(PathBuf),
    /// A database that several processes share; `writer` names this one for ever.
    Postgres { url: PostgresUrl, writer: String },
}

impl Source {
    /// Whether other processes ingest into the lake too.
    pub fn is_shared(&self) -> bool {
        matches!(self, Source::Postgres { .. })
    }

    /// Who ingests, where there may be several.
    pub(super) fn writer(&self) -> Option<&str> {
        match self {
            Source::Sqlite(_) => None,
            Source::Postgres { writer, .. } => Some(writer),
        }
    }
}

/// `postgres://user:password@host/database?options`. Shown without password and options.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    secret: String,
    shown: String,
    /// Made when it is not there. None: the one that the URL leads to.
    schema: Option<String>,
}

impl FromStr for PostgresUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Never with the text: it may hold a password.
        let wrong =
            |what: &dyn fmt::Display| format!("not a PostgreSQL URL such as postgres://user@host/database: {what}");
        let options: AnyConnectOptions = text.parse().map_err(|error: sqlx::Error| wrong(&error))?;
        let mut url = options.database_url;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(wrong(&"it does not begin with postgres://"));
        }
        url.set_query(None);
        url.set_fragment(None);
        // An error means that there is no host, and so no password either.
        let _ = url.set_password(None);
        Ok(Self { secret: text.to_owned(), shown: url.to_string(), schema: None })
    }
}

impl<'de> serde::Deserialize<'de> for PostgresUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl PostgresUrl {
    /// Longest name of a schema, bytes: PostgreSQL cuts what is longer, so that two would be one.
    const LONGEST_SCHEMA: usize = 63;

    /// The same database, in a schema of a tenant, which is made when it is not there.
    pub fn of_tenant(&self, tenant: &TenantId) -> Result<Self, String> {
        let schema = format!("clew_tenant_{tenant}");
        if schema.len() > Self::LONGEST_SCHEMA {
            return Err(format!(
                "`{schema}` is too long for a schema of PostgreSQL: it may have {} characters",
                Self::LONGEST_SCHEMA
            ));
        }
        let options: AnyConnectOptions = self.secret.parse().map_err(|_| format!("{self} is no URL"))?;
        let mut url = options.database_url;
        // Where there are options already, the last one counts. An id has nothing that would end the quotes.
        url.query_pairs_mut().append_pair("options", &format!("-csearch_path=\"{schema}\""));
        let shown = format!("{} (schema {schema})", self.shown);
        Ok(Self { secret: url.into(), shown, schema: Some(schema) })
    }

    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    pub(super) fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }
}

/// Connects, and makes sure that a commit returns after an fsync. SQLite's file is created when absent.
pub(super) async fn connect(source: &Source) -> Result<Connection, CatalogError> {
    sqlx::any::install_default_drivers();
    match source {
        Source::Sqlite(path) => sqlite::connect(path).await,
        Source::Postgres { url, .. } => postgres::connect(url).await,
    }
}

/// Opens a URL; the drivers must be installed.
pub(super) async fn open(url: &str) -> Result<Connection, CatalogError> {
    let options: AnyConnectOptions = url.parse()?;
    Ok(options.disable_statement_logging().connect().await?)
}

pub(super) fn is_postgres(connection: &Connection) -> bool {
    connection.backend_name() == <sqlx::Postgres as sqlx::Database>::NAME
}

/// Starts a transaction that writes; every other one that does, of whatever program, waits until it
/// has ended. So two writers never start from the same head, and whoever reads in such a transaction
/// knows that no earlier commit is still on its way.
pub(super) async fn begin(connection: &mut Connection) -> Result<Transaction<'_>, CatalogError> {
    if !is_postgres(connection) {
        return Ok(connection.begin_with(sqlite::BEGIN).await?);
    }
    let mut tx = connection.begin().await?;
    sqlx::raw_sql(postgres::LOCK).execute(&mut *tx).await?;
    Ok(tx)
}

/// The same for a database that may not be a lake yet.
pub(super) async fn begin_to_create(connection: &mut Connection) -> Result<Transaction<'_>, CatalogError> {
    if !is_postgres(connection) {
        return Ok(connection.begin_with(sqlite::BEGIN).await?);
    }
    let mut tx = connection.begin().await?;
    sqlx::raw_sql(postgres::LOCK_CREATION).execute(&mut *tx).await?;
    if table_names(&mut tx).await?.iter().any(|name| name == "ducklake_snapshot") {
        sqlx::raw_sql(postgres::LOCK).execute(&mut *tx).await?;
    }
    Ok(tx)
}

/// Starts a transaction that sees one state of the database.
pub(super) async fn begin_read(connection: &mut Connection) -> Result<Transaction<'_>, CatalogError> {
    let statement = if is_postgres(connection) { postgres::BEGIN_READ } else { sqlite::BEGIN_READ };
    Ok(connection.begin_with(statement).await?)
}

/// A statement without its casts (`::uuid`) where SQLite runs it.
pub(super) fn sql(connection: &Connection, statement: &str) -> AssertSqlSafe<String> {
    if is_postgres(connection) {
        return AssertSqlSafe(statement.to_owned());
    }
    let mut parts = statement.split("::");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.trim_start_matches(|c: char| c.is_ascii_lowercase()));
    }
    AssertSqlSafe(plain)
}

/// `($1, $2), ($3, $4)`: places for this many rows of so many values.
pub(super) fn places(rows: usize, width: usize) -> String {
    let row = |row: usize| {
        let places: Vec<String> = (1..=width).map(|column| format!("${}", row * width + column)).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// A table as a database creates it: types are those of PostgreSQL, `BYTEA` may also be `BLOB`.
pub(super) fn create_statement(connection: &Connection, statement: &str) -> AssertSqlSafe<String> {
    // DuckDB keeps in SQLite as text what SQLite has no type for (seen in 1.5.5).
    const SQLITE: &[(&str, &str)] =
        &[(" BOOLEAN", " BIGINT"), (" TIMESTAMPTZ", " VARCHAR"), (" UUID", " VARCHAR"), (" BYTEA", " BLOB")];
    const POSTGRES: &[(&str, &str)] = &[(" BLOB", " BYTEA")];
    let types = if is_postgres(connection) { POSTGRES } else { SQLITE };
    AssertSqlSafe(types.iter().fold(statement.to_owned(), |text, (from, to)| text.replace(from, to)))
}

/// Names of all tables where ours are.
pub(super) async fn table_names(connection: &mut Connection) -> Result<Vec<String>, CatalogError> {
    let statement = if is_postgres(connection) { postgres::TABLE_NAMES } else { sqlite::TABLE_NAMES };
    Ok(sqlx::query_scalar(statement).fetch_all(connection).await?)
}

/// A random (version 4) UUID.
pub(super) async fn uuid(connection: &mut Connection) -> Result<String, CatalogError> {
    if is_postgres(connection) { postgres::uuid(connection).await } else { sqlite::uuid(connection).await }
}

/// What the database itself finds wrong with its pages and indexes. PostgreSQL leaves that to its
/// administrator.
pub(super) async fn integrity(connection: &mut Connection) -> Result<Vec<String>, CatalogError> {
    if is_postgres(connection) { Ok(Vec::new()) } else { sqlite::integrity(connection).await }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for text in [
            "postgres://clew:s3cret@db.example:5433/lake?sslmode=require&password=s3cret",
            "postgresql:///lake?host=%2Frun%2Fpostgresql&user=clew&password=s3cret",
        ] {
            let url: PostgresUrl = text.parse().expect("a URL");
            for shown in [
                format!("{url}"),
                format!("{url:?}"),
                format!("{:?}", Source::Postgres { url: url.clone(), writer: String::new() }),
            ] {
                assert!(!shown.contains("s3cret") && shown.contains("lake"), "{shown}");
            }
            assert_eq!(url.secret(), text);
        }
        let url: PostgresUrl = "postgres://clew:s3cret@host/lake?options=-csearch_path%3Dmine".parse().expect("a URL");
        let acme = url.of_tenant(&"acme-eu".parse().expect("an id")).expect("short");
        let shown = format!("{acme} {acme:?}");
        assert!(!shown.contains("s3cret") && shown.contains("clew_tenant_acme-eu"), "{shown}");
        assert!(acme.secret().starts_with(url.secret()) && acme.secret().contains("clew_tenant_acme-eu"));
        let longest = |length: usize| url.of_tenant(&"x".repeat(length).parse().expect("an id")).is_ok();
        assert!(longest(51) && !longest(52));
        for wrong in
            ["mysql://clew:s3cret@host/db", "clew:s3cret@host", "postgres//s3cret", "s3cret", "postgres://a:s3cret@[/x"]
        {
            let error = wrong.parse::<PostgresUrl>().expect_err(wrong);
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn places_are_numbered_row_by_row() {
        assert_eq!(places(2, 3), "($1, $2, $3), ($4, $5, $6)");
    }

    #[tokio::test]
    async fn sqlite_gets_statements_without_casts() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("a % b?#ü.db");
        let connection = connect(&Source::Sqlite(file.clone())).await.expect("connects");
        assert!(file.is_file());
        let plain = sql(&connection, "SELECT a::text, '2026' FROM t WHERE b = $1::timestamptz");
        assert_eq!(plain.0, "SELECT a, '2026' FROM t WHERE b = $1");
        let table = create_statement(&connection, "CREATE TABLE t(uuid UUID, b BYTEA, c BOOLEAN, d TIMESTAMPTZ)");
        assert_eq!(table.0, "CREATE TABLE t(uuid VARCHAR, b BLOB, c BIGINT, d VARCHAR)");
    }
}
