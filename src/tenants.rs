//! Tenants of one process: a lake of its own for each, and what they have in common.
//!
//! ```text
//!  <data-dir>/               the default tenant's, as without tenants
//!  <data-dir>/tenants/acme/  wal, catalog.db, lake … of the tenant acme
//!  s3://bucket/prefix        segments of the default tenant;  s3://bucket/prefix-tenants/acme  of acme
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use collector::OtlpDecoder;
use futures::future::try_join_all;
use storage::catalog::PostgresUrl;
use storage::retention::Retention;
use storage::store::{OpenError, Settings, Store, WriteError};
use storage::tenant::{TenantId, Tenants};
use tokio::sync::Semaphore;

use crate::Failure;
use crate::config::Config;

/// Below the data directory of the default tenant.
const DIRECTORY: &str = "tenants";

/// What a store buffers before a flush at least, bytes: smaller segments would only be merged again.
const LEAST_FLUSH: usize = 8 << 20;

/// Opens every tenant's store. What one process may hold in memory and of a bucket is divided among them.
pub(crate) async fn open(config: &Config) -> Result<Tenants<Arc<Store>>, Failure> {
    tell_undeclared(config)?;
    let count = 1 + config.tenants.len();
    let merging = Arc::new(Semaphore::new(1));
    let start = async |id: TenantId, retention: &Retention| {
        let plain = Settings::new(directory(&config.data_dir, &id));
        let settings = Settings {
            retention: retention.clone(),
            catalog: catalog(config.catalog.as_ref(), &id).map_err(Failure::Usage)?,
            store: place(config.store.as_deref(), &id).map_err(Failure::Usage)?,
            cache_bytes: config.cache_bytes / count as u64,
            flush_bytes: (plain.flush_bytes / count).max(LEAST_FLUSH),
            summarise: Some(Arc::new(query::rollup::Summariser)),
            merging: merging.clone(),
            ..plain
        };
        let decoder = Arc::new(OtlpDecoder::new(config.rules.clone()));
        let store = Store::start(settings, decoder).await.map_err(|error| Failure::Failed(of(&id, &error)))?;
        Ok::<_, Failure>((id, store))
    };
    let first = start(TenantId::default(), &config.retention).await?;
    let mut stores = Tenants::only(first.1);
    let declared = config.tenants.iter().map(|(id, retention)| start(id.clone(), retention));
    for (id, store) in try_join_all(declared).await? {
        stores.add(id, store);
    }
    Ok(stores)
}

/// Completes where a log cannot be replayed, and never where all can.
pub(crate) async fn not_replayed(stores: &Tenants<Arc<Store>>) -> String {
    let replays = stores.iter().map(async |(id, store)| store.replayed().await.map_err(|error| of(id, &error)));
    match try_join_all(replays).await {
        Err(error) => error,
        Ok(_) => {
            let since_catalog_ms = stores.of_default().age().as_millis() as u64;
            tracing::info!(since_catalog_ms, "clew is ready");
            std::future::pending().await
        }
    }
}

/// Closes all; the first error of one of them.
pub(crate) async fn close(stores: &Tenants<Arc<Store>>) -> Result<(), WriteError> {
    let closed = futures::future::join_all(stores.iter().map(|(_, store)| store.close())).await;
    closed.into_iter().collect()
}

/// Where a tenant's data is.
pub(crate) fn directory(data_dir: &Path, id: &TenantId) -> PathBuf {
    if id.is_default() { data_dir.to_owned() } else { data_dir.join(DIRECTORY).join(id.as_str()) }
}

/// Where a tenant's segments are, when not in its directory. Beside the default tenant's and not below them: who
/// clears away what the default tenant's catalogue does not know (a sweep of ours, DuckDB's
/// `ducklake_delete_orphaned_files`) looks at all that is below.
pub(crate) fn place(store: Option<&str>, id: &TenantId) -> Result<Option<String>, String> {
    let Some(store) = store else { return Ok(None) };
    if id.is_default() {
        return Ok(Some(store.to_owned()));
    }
    let trimmed = store.trim_end_matches('/');
    match trimmed.split_once("://") {
        Some((_, rest)) if rest.trim_start_matches('/').contains('/') || rest.starts_with('/') && rest.len() > 1 => {
            Ok(Some(format!("{trimmed}-tenants/{id}")))
        }
        _ => Err(format!("`{store}` has no room beside it for tenants: name a folder in it, such as {trimmed}/prefix")),
    }
}

/// Where a tenant's catalogue is, when not in its directory: a schema of its own in the same database.
pub(crate) fn catalog(shared: Option<&PostgresUrl>, id: &TenantId) -> Result<Option<PostgresUrl>, String> {
    shared.map(|url| if id.is_default() { Ok(url.clone()) } else { url.of_tenant(id) }).transpose()
}

/// Tenants that have a directory, declared or not, in order of their ids.
pub(crate) fn found(data_dir: &Path) -> io::Result<Vec<TenantId>> {
    let entries = match std::fs::read_dir(data_dir.join(DIRECTORY)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let id = name.to_str().and_then(|name| name.parse::<TenantId>().ok());
        // What is no id of a declared tenant is none of ours.
        found.extend(id.filter(|id| !id.is_default()));
    }
    found.sort();
    Ok(found)
}

/// Data that nobody can ask for must not be a surprise.
fn tell_undeclared(config: &Config) -> Result<(), Failure> {
    let found = found(&config.data_dir).map_err(Failure::failed)?;
    for tenant in found.into_iter().filter(|id| !config.tenants.contains_key(id)) {
        tracing::warn!(%tenant, "a tenant has data here and is not declared: it is not served, and its data stays as it is");
    }
    Ok(())
}

fn of(id: &TenantId, error: &OpenError) -> String {
    if id.is_default() { error.to_string() } else { format!("tenant {id}: {error}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_of_tenants_are_beside_those_of_the_default_one() {
        let acme: TenantId = "acme".parse().expect("an id");
        for (store, expected) in [
            ("s3://bucket/prefix", Some("s3://bucket/prefix-tenants/acme")),
            ("s3://bucket/a/b//", Some("s3://bucket/a/b-tenants/acme")),
            ("file:///mnt/lake", Some("file:///mnt/lake-tenants/acme")),
            ("file:///lake/", Some("file:///lake-tenants/acme")),
            ("s3://bucket", None),
            ("s3://bucket/", None),
            ("file:///", None),
        ] {
            assert_eq!(place(Some(store), &acme).ok().flatten().as_deref(), expected, "{store}");
            assert_eq!(place(Some(store), &TenantId::default()), Ok(Some(store.to_owned())));
        }
        assert_eq!(place(None, &acme), Ok(None));
    }

    #[test]
    fn directories_of_tenants_are_found_by_their_names() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(found(dir.path()).expect("looked").is_empty());
        for name in ["b", "a-1", "Not an id", "a-1.partial", "default"] {
            std::fs::create_dir_all(dir.path().join(DIRECTORY).join(name)).expect("made");
        }
        let ids: Vec<String> = found(dir.path()).expect("looked").iter().map(TenantId::to_string).collect();
        assert_eq!(ids, ["a-1", "b"]);
        let one = "a-1".parse().expect("an id");
        assert_eq!(directory(dir.path(), &one), dir.path().join("tenants/a-1"));
        assert_eq!(directory(dir.path(), &TenantId::default()), dir.path());
    }
}
