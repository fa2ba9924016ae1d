//! A directory: `object_store`'s local files, and the fsync that it leaves out (0.13).

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};

use super::{Draft, LakeError, MARKER};

#[derive(Clone)]
pub(super) struct Directory {
    root: PathBuf,
    data_path: String,
    /// Inside of a data directory, whose lock keeps others away: only a catalogue that was lost or
    /// exchanged can be the wrong one.
    inside: bool,
    objects: Arc<dyn ObjectStore>,
}

impl Directory {
    pub(super) fn open(root: &Path, inside: bool) -> Result<Self, LakeError> {
        let failed =
            |error: &dyn std::fmt::Display| LakeError { file: root.display().to_string(), what: error.to_string() };
        std::fs::create_dir_all(root).map_err(|error| failed(&error))?;
        let root = root.canonicalize().map_err(|error| failed(&error))?;
        let text = root.to_str().ok_or_else(|| failed(&"its path is not UTF-8"))?;
        let data_path = format!("{}/", text.trim_end_matches('/'));
        let objects = LocalFileSystem::new_with_prefix(&root).map_err(|error| failed(&error))?;
        Ok(Self { root, data_path, inside, objects: Arc::new(objects.with_automatic_cleanup(false)) })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn data_path(&self) -> &str {
        &self.data_path
    }

    pub(super) async fn put(&self, path: &str, bytes: Bytes) -> Result<(), LakeError> {
        let failed = |error: &dyn std::fmt::Display| LakeError { file: path.to_owned(), what: error.to_string() };
        self.objects.put(&ObjectPath::from(path), bytes.into()).await.map_err(|error| failed(&error))?;
        let full = self.root.join(path);
        let root = self.root.clone();
        tokio::task::spawn_blocking(move || sync_with_parents(&full, &root))
            .await
            .map_err(|error| failed(&error))?
            .map_err(|error| failed(&error))
    }

    pub(super) async fn publish(&self, mut draft: Draft) -> Result<(), LakeError> {
        let (path, full, root) = (draft.path().to_owned(), self.root.join(draft.path()), self.root.clone());
        let failed = |what: String| LakeError { file: path, what };
        let synced = tokio::task::spawn_blocking(move || sync_with_parents(&full, &root).map(|()| draft.keep()));
        match synced.await {
            Ok(synced) => synced.map_err(|error| failed(error.to_string())),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Bytes, LakeError> {
        let read = async { self.objects.get(&ObjectPath::from(path)).await?.bytes().await };
        read.await.map_err(|error| LakeError { file: path.to_owned(), what: error.to_string() })
    }

    pub(super) async fn delete(&self, path: &str) -> Result<(), LakeError> {
        match self.objects.delete(&ObjectPath::from(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(LakeError { file: path.to_owned(), what: error.to_string() }),
        }
    }

    pub(super) async fn list(&self) -> Result<Vec<(String, i64)>, LakeError> {
        let failed = |error: object_store::Error| LakeError { file: "list".to_owned(), what: error.to_string() };
        let files = self.objects.list(None).map_ok(|object| {
            (object.location.to_string(), object.last_modified.timestamp_nanos_opt().unwrap_or(i64::MAX))
        });
        files.try_filter(|(path, _)| std::future::ready(path != MARKER)).try_collect().await.map_err(failed)
    }

    pub(super) fn claim(&self, id: &str) -> Result<(), LakeError> {
        let path = self.root.join(MARKER);
        let owner = match fs::read_to_string(&path) {
            // A crash may have left it empty.
            Ok(owner) if !owner.is_empty() => Ok(owner),
            Ok(_) => fs::write(&path, id).and_then(|()| fs::read_to_string(&path)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Of two that come at once, one makes it.
                let made = OpenOptions::new().write(true).create_new(true).open(&path);
                made.and_then(|mut file| file.write_all(id.as_bytes())).and_then(|()| fs::read_to_string(&path))
            }
            Err(error) => Err(error),
        };
        let owner = match owner {
            // The lock keeps others away; on a full disk the marker is written by a later start.
            Err(error) if self.inside => {
                tracing::warn!(%error, file = %path.display(), "the lake could not be marked as this catalogue's");
                return Ok(());
            }
            owner => owner.map_err(|error| LakeError { file: path.display().to_string(), what: error.to_string() })?,
        };
        if owner == id { Ok(()) } else { Err(LakeError::taken(&self.data_path, &owner, id)) }
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
