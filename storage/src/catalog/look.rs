//! Opens a catalogue to look at it: nothing is created, brought up to date or written.

use super::db::{self, Connection, Source};
use super::{Catalog, CatalogError, Mutex, ddl, lake, open, postgres, random, sqlite, state, within};
use crate::store::Clock;

impl Catalog {
    /// A catalogue that is there, of a version that is known. What writes fails.
    pub async fn look(source: Source, clock: Clock) -> Result<Self, CatalogError> {
        let mut connection = connect(&source).await?;
        let fields = within(async {
            let names = db::table_names(&mut connection).await?;
            if !names.iter().any(|name| name == "clew_state") {
                return Err(CatalogError::Foreign("it holds no lake of Clew's".to_owned()));
            }
            open::verify_versions(&mut connection, true).await?;
            stand_in(&mut connection, &names).await?;
            if source.is_shared() {
                sqlx::raw_sql("SET default_transaction_read_only = on").execute(&mut connection).await?;
            }
            open::field_ids(&mut connection).await
        });
        let fields = fields.await?;
        Ok(Self { source, link: Mutex::new(Some(Some(connection))), session: random(), read_only: true, fields, clock })
    }

    /// Layout of our tables on disk, and the version of DuckLake's.
    pub async fn format(&self) -> Result<(u64, String), CatalogError> {
        let mut held = self.hold().await?;
        let result = within(async {
            let format = state::get(&mut held.connection, state::FORMAT).await?.unwrap_or(1);
            Ok((format, open::metadata(&mut held.connection, "version").await?))
        });
        let result = result.await;
        held.end(result).await
    }

    /// Number of the newest snapshot and how many there are.
    pub async fn snapshots(&self) -> Result<(i64, i64), CatalogError> {
        let mut held = self.hold().await?;
        let result = within(async {
            let newest = lake::newest(&mut held.connection).await?;
            let all = sqlx::query_scalar("SELECT count(*) FROM ducklake_snapshot").fetch_one(&mut held.connection);
            Ok((newest, all.await?))
        });
        let result = result.await;
        held.end(result).await
    }
}

/// An earlier version knew fewer tables: they are empty, for this connection alone.
async fn stand_in(connection: &mut Connection, names: &[String]) -> Result<(), CatalogError> {
    const CREATE: &str = "CREATE TABLE IF NOT EXISTS ";
    for statement in ddl::OURS {
        let table = statement.strip_prefix(CREATE).and_then(|rest| rest.split_once('('));
        if let Some((name, columns)) = table
            && !names.iter().any(|known| known == name)
        {
            let temporary = format!("CREATE TEMPORARY TABLE {name}({columns}");
            sqlx::query(db::create_statement(connection, &temporary)).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

async fn connect(source: &Source) -> Result<Connection, CatalogError> {
    sqlx::any::install_default_drivers();
    match source {
        Source::Sqlite(path) => sqlite::look(path).await,
        Source::Postgres { url, .. } => postgres::connect(url).await,
    }
}
