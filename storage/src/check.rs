//! `clew check`: is everything that was acknowledged still there, and whole? It changes nothing
//! that it checks.

use std::path::Path;
use std::sync::Arc;

use crate::catalog::{Catalog, Finding};
use crate::lake::Lake;
use crate::segment::{ReaderCache, Segment};
use crate::store::{
    CATALOG_FILE, Clock, Decode, LAKE_DIR, OpenError, Settings, WAL_DIR, WRITER_FILE, describe_damage, lock_to_look,
    read_losses, source,
};
use crate::wal::{self, Disk, Replayed};

/// What was looked at, and what is wrong.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Layout of the store on disk, and the version of DuckLake's tables.
    pub format: u64,
    pub lake_version: String,
    pub segments: u64,
    pub rows: u64,
    /// Bytes of segment files read against their checksums.
    pub bytes: u64,
    /// Requests of the log that are not yet in segments.
    pub log_records: u64,
    /// Files in the lake that the catalogue does not name: left by a crash, cleared by the next run.
    pub orphans: u64,
    pub findings: Vec<Finding>,
}

impl Report {
    pub fn damaged(&self) -> bool {
        self.findings.iter().any(|finding| finding.damage)
    }

    fn damage(&mut self, what: impl Into<String>) {
        self.findings.push(Finding { damage: true, what: what.into() });
    }
}

/// Verifies a data directory that no other process holds, and the lake that it writes to. Reads every
/// byte of them.
pub async fn check(settings: &Settings, decode: Arc<dyn Decode>) -> Result<Report, OpenError> {
    let (data_dir, catalog) = (settings.data_dir.as_path(), settings.catalog.as_ref());
    let failed = |error: &dyn std::fmt::Display| OpenError::Failed(error.to_string());
    if !data_dir.join(if catalog.is_some() { WRITER_FILE } else { CATALOG_FILE }).is_file() {
        return Err(OpenError::Failed(format!("{} is no data directory of Clew", data_dir.display())));
    }
    if settings.store.is_none() && !data_dir.join(LAKE_DIR).is_dir() {
        return Err(OpenError::Failed(format!(
            "{} has lost its directory of segments, {LAKE_DIR}",
            data_dir.display()
        )));
    }
    let _lock = lock_to_look(data_dir)?;
    let source = source(data_dir, catalog)?;
    let lake = Lake::of(data_dir, settings.store.as_deref(), settings.cache_bytes).map_err(|error| failed(&error))?;
    let catalog = Catalog::look(source, Clock::system()).await.map_err(|error| failed(&error))?;
    let (format, lake_version) = catalog.format().await.map_err(|error| failed(&error))?;
    let mut report = Report {
        format,
        lake_version,
        findings: catalog.check().await.map_err(|error| failed(&error))?,
        ..Report::default()
    };
    segments(&catalog, &lake, &mut report).await.map_err(|error| failed(&error))?;
    let checkpoint = catalog.checkpoint().await.map_err(|error| failed(&error))?;
    log(&data_dir.join(WAL_DIR), checkpoint, &*decode, &mut report);
    for loss in read_losses(data_dir).map_err(|error| failed(&error))? {
        if !report.findings.iter().any(|finding| finding.what == loss) {
            report.damage(loss);
        }
    }
    let known = catalog.known_files().await.map_err(|error| failed(&error))?;
    let found = lake.list().await.map_err(|error| failed(&error))?;
    report.orphans = found.iter().filter(|(path, _)| !known.contains(path)).count() as u64;
    catalog.close().await;
    Ok(report)
}

async fn segments(catalog: &Catalog, lake: &Lake, report: &mut Report) -> Result<(), crate::catalog::CatalogError> {
    let cache = Arc::new(ReaderCache::default());
    for meta in catalog.segments().await? {
        report.segments += 1;
        report.rows += meta.rows;
        report.bytes += meta.parquet_bytes + meta.index_bytes;
        if let Err(error) = Segment::new(meta, lake, cache.clone()).verify() {
            report.damage(error.to_string());
        }
    }
    Ok(())
}

fn log(directory: &Path, checkpoint: u64, decode: &dyn Decode, report: &mut Report) {
    if !directory.is_dir() {
        return;
    }
    let mut undecodable = Vec::new();
    let read = Disk::new(directory.to_owned()).map_err(|error| error.to_string()).and_then(|files| {
        wal::verify(&files, checkpoint, |replayed| {
            if let Replayed::Record { sequence, request } = replayed
                && let Err(error) = decode.decode(&request)
            {
                undecodable.push(format!("request {sequence} of the log cannot be decoded: {error}"));
            }
            Ok(())
        })
        .map_err(|error| error.to_string())
    });
    undecodable.into_iter().for_each(|what| report.damage(what));
    match read {
        Ok(found) => {
            report.log_records = found.records;
            found.damage.iter().for_each(|damage| report.damage(describe_damage(damage)));
        }
        Err(error) => report.damage(format!("the log cannot be read: {error}")),
    }
}
