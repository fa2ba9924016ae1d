//! Files of the lake: written whole, durable before they are named, deleted when nobody can ask.
//!
//! Writing, listing and deleting go through `object_store`, so that a bucket can take the place of
//! the directory. Its local file system does not fsync (0.13), so that is done here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::scan::ReadError;
use crate::segment::blob::{Blob, Checksums};

/// The file is not there, or not durable: what it was for must not be committed.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {what}")]
pub struct LakeError {
    pub file: String,
    pub what: String,
}

/// The directory that holds segment files.
#[derive(Clone)]
pub struct Lake {
    root: PathBuf,
    objects: Arc<dyn ObjectStore>,
}

impl Lake {
    /// `root` is created if it is missing.
    pub fn open(root: &Path) -> Result<Self, LakeError> {
        let failed =
            |error: &dyn std::fmt::Display| LakeError { file: root.display().to_string(), what: error.to_string() };
        std::fs::create_dir_all(root).map_err(|error| failed(&error))?;
        let root = root.canonicalize().map_err(|error| failed(&error))?;
        let objects = LocalFileSystem::new_with_prefix(&root).map_err(|error| failed(&error))?;
        Ok(Self { root, objects: Arc::new(objects.with_automatic_cleanup(false)) })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file of known length and checksums, for reading.
    pub fn blob(&self, path: &str, bytes: u64, checksums: Checksums) -> Result<Blob, ReadError> {
        Blob::open(&self.root.join(path), path, bytes, checksums)
    }

    /// Returns once `bytes` are on disk under `path`, relative to the root.
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<(), LakeError> {
        let failed = |error: &dyn std::fmt::Display| LakeError { file: path.to_owned(), what: error.to_string() };
        self.objects.put(&ObjectPath::from(path), bytes.into()).await.map_err(|error| failed(&error))?;
        let full = self.root.join(path);
        let root = self.root.clone();
        tokio::task::spawn_blocking(move || sync_with_parents(&full, &root))
            .await
            .map_err(|error| failed(&error))?
            .map_err(|error| failed(&error))
    }

    /// A file that is gone already is fine.
    pub async fn delete(&self, path: &str) -> Result<(), LakeError> {
        match self.objects.delete(&ObjectPath::from(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(LakeError { file: path.to_owned(), what: error.to_string() }),
        }
    }

    /// Paths relative to the root, with the time of their last change, ns.
    pub async fn list(&self) -> Result<Vec<(String, i64)>, LakeError> {
        let failed = |error: object_store::Error| LakeError { file: "list".to_owned(), what: error.to_string() };
        self.objects
            .list(None)
            .map_ok(|object| {
                (object.location.to_string(), object.last_modified.timestamp_nanos_opt().unwrap_or(i64::MAX))
            })
            .try_collect()
            .await
            .map_err(failed)
    }
}

/// Makes the contents and every name on the way durable.
fn sync_with_parents(file: &Path, root: &Path) -> std::io::Result<()> {
    std::fs::File::open(file)?.sync_all()?;
    let mut directory = file.parent();
    while let Some(at) = directory {
        std::fs::File::open(at)?.sync_all()?;
        if at == root {
            break;
        }
        directory = at.parent();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_come_and_go() {
        let dir = tempfile::tempdir().expect("a directory");
        let lake = Lake::open(&dir.path().join("lake")).expect("opened");
        lake.put("main/spans/a.parquet", Bytes::from_static(b"abc")).await.expect("written");
        assert_eq!(std::fs::read(lake.root().join("main/spans/a.parquet")).expect("read"), b"abc");
        assert_eq!(lake.list().await.expect("listed")[0].0, "main/spans/a.parquet");
        lake.delete("main/spans/a.parquet").await.expect("deleted");
        lake.delete("main/spans/a.parquet").await.expect("deleted twice");
        assert!(lake.list().await.expect("listed").is_empty());
    }
}
