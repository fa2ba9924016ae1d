//! All that is particular to PostgreSQL.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgDatabaseError;

use super::CatalogError;
use super::db::{self, Connection, PostgresUrl};

/// Every commit of DuckLake writes a snapshot first, so whoever holds this lock is alone with the lake:
/// another Clew waits here, a DuckDB at its first statement, finds its number taken and starts again.
/// Readers are not held up.
pub(super) const LOCK: &str = "LOCK TABLE ducklake_snapshot IN SHARE ROW EXCLUSIVE MODE";

/// While there is no table to lock: of processes that start at once, one creates the lake.
pub(super) const LOCK_CREATION: &str = "SELECT pg_advisory_xact_lock(hashtext('clew ' || current_schema()))";

pub(super) const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

pub(super) const TABLE_NAMES: &str =
    "SELECT tablename::text FROM pg_catalog.pg_tables WHERE schemaname = current_schema()";

/// Until then a server answers or is taken for gone.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// * Nothing waits for ever, and a lock ends with a process that does not answer any more.
/// * A commit that was answered must outlive a crash of the server: the log lets go of its requests.
const SETTINGS: &str = "SET statement_timeout = '30s'; SET lock_timeout = '5s'; \
     SET idle_in_transaction_session_timeout = '30s'; SET client_min_messages = 'warning'; \
     SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

pub(super) async fn connect(url: &PostgresUrl) -> Result<Connection, CatalogError> {
    let connect = async {
        let mut connection = db::open(url.secret()).await?;
        sqlx::raw_sql(SETTINGS).execute(&mut connection).await?;
        Ok::<_, CatalogError>(connection)
    };
    let late = |_| CatalogError::Disk(format!("{url} does not answer"));
    tokio::time::timeout(CONNECT_LIMIT, connect).await.map_err(late)?
}

/// Makes a schema when it is not there. Its name has none but `a-z`, `0-9`, `-` and `_`.
pub(super) async fn create_schema(connection: &mut Connection, name: &str) -> Result<(), CatalogError> {
    // Whoever may not make schemas may use one that an operator made.
    let known: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = $1::text")
        .bind(name)
        .fetch_one(&mut *connection)
        .await?;
    if known > 0 {
        return Ok(());
    }
    // One transaction; of processes that start at once, one makes it.
    let create =
        format!("SELECT pg_advisory_xact_lock(hashtext('clew schemas')); CREATE SCHEMA IF NOT EXISTS \"{name}\"");
    sqlx::raw_sql(AssertSqlSafe(create)).execute(connection).await?;
    Ok(())
}

pub(super) async fn uuid(connection: &mut Connection) -> Result<String, CatalogError> {
    Ok(sqlx::query_scalar("SELECT gen_random_uuid()::text").fetch_one(connection).await?)
}

/// Sorts an error by its SQLSTATE (postgresql.org/docs/current/errcodes-appendix.html).
pub(super) fn classify(error: &PgDatabaseError, text: String) -> CatalogError {
    let key_taken = error.constraint().is_some_and(|name| name.ends_with("_pkey"));
    match error.code() {
        // Another writer took the number of the snapshot or file first.
        "23505" if key_taken => CatalogError::Busy(text),
        // Serialisation failed, a deadlock, a lock that another holds for too long.
        "40001" | "40P01" | "55P03" => CatalogError::Busy(text),
        // There is no such table, column or schema; a page of the database is broken.
        "42P01" | "42703" | "3F000" | "XX001" | "XX002" => CatalogError::Damaged(text),
        // No such database, or no right to be there.
        "3D000" | "42501" => CatalogError::Foreign(text),
        code if code.starts_with("22") || code.starts_with("23") => CatalogError::Invalid(text),
        // Connections (08), resources (53), an operator (57), and what else may pass.
        _ => CatalogError::Disk(text),
    }
}
