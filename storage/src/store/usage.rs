//! What the store takes on the local disk.

use std::fs;
use std::io;

use super::*;

/// Bytes on the local disk, and what is left of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskUsage {
    /// Of segments and indexes that answers are made of.
    pub segment_bytes: u64,
    /// Of other files of the lake: replaced segments, which go ten minutes later, and those of other programs.
    pub replaced_bytes: u64,
    /// Of the write-ahead log with its spare files.
    pub wal_bytes: u64,
    /// Of the catalogue, where it is a file in the data directory.
    pub catalog_bytes: u64,
    /// Of files that are also in a bucket.
    pub cache_bytes: u64,
    /// That this process may still write.
    pub free_bytes: u64,
}

impl DiskUsage {
    /// Of all but segments and what is free.
    pub fn beside_segments(&self) -> u64 {
        self.wal_bytes + self.catalog_bytes + self.replaced_bytes + self.cache_bytes
    }
}

impl Store {
    /// Looks at every file. Blocking.
    pub fn disk_usage(&self) -> io::Result<DiskUsage> {
        let root = &self.settings.data_dir;
        let live = |segment: &Arc<crate::segment::Segment>| segment.meta().parquet_bytes + segment.meta().index_bytes;
        let segment_bytes = self.view.load().segments().map(live).sum();
        let catalog = [CATALOG_FILE.to_owned(), format!("{CATALOG_FILE}-wal"), format!("{CATALOG_FILE}-shm")];
        let catalog_bytes = catalog.iter().map(|name| fs::metadata(root.join(name)).map_or(0, |file| file.len())).sum();
        let space = rustix::fs::statvfs(root)?;
        Ok(DiskUsage {
            segment_bytes,
            replaced_bytes: bytes_below(&root.join(LAKE_DIR))?.saturating_sub(segment_bytes),
            wal_bytes: bytes_below(&root.join(WAL_DIR))?,
            catalog_bytes,
            cache_bytes: bytes_below(&root.join(CACHE_DIR))?,
            free_bytes: space.f_bavail.saturating_mul(space.f_frsize),
        })
    }
}

/// Of all files below a directory; none where it is not there. What goes meanwhile is not counted.
fn bytes_below(directory: &std::path::Path) -> io::Result<u64> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut bytes = 0;
    for entry in entries {
        let entry = entry?;
        match entry.metadata() {
            Ok(found) if found.is_dir() => bytes += bytes_below(&entry.path())?,
            Ok(found) => bytes += found.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}
