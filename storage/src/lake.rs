//! Files of the lake: written whole, durable before they are named, deleted when nobody can ask.
//!
//! ```text
//!  Lake ─┬─ directory ── put + fsync, pread
//!        └─ bucket ───── put, or multipart; get_range ── chunks on disk ── Blob
//! ```
//! A file has a name that was never used and never will be, so a write may be repeated, and what
//! was fetched once need not be asked for again.

mod address;
mod bucket;
mod cache;
mod directory;
mod draft;
mod flight;
mod object;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::scan::ReadError;
use crate::segment::blob::{Blob, Checksums};
use crate::store::LAKE_DIR;
use bucket::Bucket;
use directory::Directory;
pub use draft::{Draft, Failure};
pub(crate) use flight::FetchError;
pub(crate) use object::Object;

/// Beside the catalogue.
pub(crate) const CACHE_DIR: &str = "cache";

/// The object that says which catalogue a prefix belongs to. It is not listed.
const MARKER: &str = "clew-lake";

/// The file is not there, or not durable: what it was for must not be committed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{file}: {what}")]
pub struct LakeError {
    pub file: String,
    pub what: String,
}

impl LakeError {
    fn taken(data_path: &str, owner: &str, id: &str) -> Self {
        let what = format!(
            "it belongs to the catalogue {owner}, and this is {id}: if that catalogue was lost, bring it back from a \
             backup; else give each catalogue a place of its own"
        );
        Self { file: data_path.to_owned(), what }
    }
}

/// Where the segment files are. Cheap to clone.
#[derive(Clone)]
pub struct Lake(Place);

#[derive(Clone)]
enum Place {
    Directory(Directory),
    Bucket(Arc<Bucket>),
}

/// What was asked of a bucket since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub gets: u64,
    pub puts: u64,
    pub deletes: u64,
    pub lists: u64,
    /// Of these, after all attempts.
    pub failures: u64,
    pub read_bytes: u64,
    pub written_bytes: u64,
    /// On local disk now.
    pub cached_bytes: u64,
}

impl Lake {
    /// A directory; created if it is missing.
    pub fn open(root: &Path) -> Result<Self, LakeError> {
        Directory::open(root, true).map(Place::Directory).map(Self)
    }

    /// The lake of a data directory: in the bucket or directory `store` (`s3://bucket/prefix`, `gs://…`,
    /// `az://…`, `file:///directory`), or in the data directory. Credentials and endpoints come from the
    /// environment, as `AWS_…`, `GOOGLE_…` and `AZURE_…`. The bucket is not asked for anything yet.
    pub fn of(data_dir: &Path, store: Option<&str>, cache_bytes: u64) -> Result<Self, LakeError> {
        match store {
            None => Self::open(&data_dir.join(LAKE_DIR)),
            Some(url) => match url.strip_prefix("file://") {
                Some(path) => Directory::open(Path::new(path), false).map(Place::Directory).map(Self),
                None => Bucket::open(url, &data_dir.join(CACHE_DIR), cache_bytes).map(Place::Bucket).map(Self),
            },
        }
    }

    /// As DuckLake writes it: a directory or a URL, with a slash at the end.
    pub fn data_path(&self) -> &str {
        match &self.0 {
            Place::Directory(directory) => directory.data_path(),
            Place::Bucket(bucket) => bucket.data_path(),
        }
    }

    /// The directory, where it is one.
    pub fn root(&self) -> Option<&Path> {
        match &self.0 {
            Place::Directory(directory) => Some(directory.root()),
            Place::Bucket(_) => None,
        }
    }

    /// Whether a failed read or write may well work later, and a list costs money.
    pub fn is_bucket(&self) -> bool {
        matches!(self.0, Place::Bucket(_))
    }

    /// A file of known length and checksums, for reading.
    pub fn blob(&self, path: &str, bytes: u64, checksums: Checksums) -> Result<Blob, ReadError> {
        match &self.0 {
            Place::Directory(directory) => Blob::open(&directory.root().join(path), path, bytes, checksums),
            Place::Bucket(bucket) => Blob::of_object(Object::new(bucket.clone(), path, bytes), path, checksums),
        }
    }

    /// Returns once `bytes` are durable under `path`, relative to the data path: whole, or not at all.
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<(), LakeError> {
        match &self.0 {
            Place::Directory(directory) => directory.put(path, bytes).await,
            Place::Bucket(bucket) => bucket.put(path, bytes).await,
        }
    }

    /// Begins a file at `path`, relative to the data path. Blocking.
    pub fn draft(&self, path: &str) -> Result<Draft, LakeError> {
        match &self.0 {
            Place::Directory(directory) => Draft::at(path, directory.root().join(path)),
            Place::Bucket(bucket) => Draft::apart(path, bucket.cache().directory()),
        }
    }

    /// Returns once all that was written is durable under the draft's path. When it fails nothing of it stays but
    /// what a bucket may have taken.
    pub async fn publish(&self, draft: Draft) -> Result<(), LakeError> {
        match &self.0 {
            Place::Directory(directory) => directory.publish(draft).await,
            Place::Bucket(bucket) => bucket.publish(draft).await,
        }
    }

    /// A whole file, unchecked.
    pub async fn get(&self, path: &str) -> Result<Bytes, LakeError> {
        match &self.0 {
            Place::Directory(directory) => directory.get(path).await,
            Place::Bucket(bucket) => bucket.get(path).await,
        }
    }

    /// A file that is gone already is fine. Nothing of it stays in the cache.
    pub async fn delete(&self, path: &str) -> Result<(), LakeError> {
        match &self.0 {
            Place::Directory(directory) => directory.delete(path).await,
            Place::Bucket(bucket) => bucket.delete(path).await,
        }
    }

    /// Drops what the cache has of a file: the next read asks the bucket.
    pub fn forget(&self, path: &str) {
        if let Place::Bucket(bucket) = &self.0 {
            bucket.forget(path);
        }
    }

    /// Paths relative to the data path, with the time of their last change, ns.
    pub async fn list(&self) -> Result<Vec<(String, i64)>, LakeError> {
        match &self.0 {
            Place::Directory(directory) => directory.list().await,
            Place::Bucket(bucket) => bucket.list().await,
        }
    }

    /// Takes a prefix for the catalogue `id`, or fails where another has it: who deletes files that his
    /// catalogue does not know must be the only one. So a lake whose `catalog.db` was lost is not taken by the
    /// empty one that would follow.
    pub async fn claim(&self, id: &str) -> Result<(), LakeError> {
        match &self.0 {
            Place::Directory(directory) => directory.claim(id),
            Place::Bucket(bucket) => bucket.claim(id).await,
        }
    }

    /// None for a directory.
    pub fn figures(&self) -> Option<Figures> {
        match &self.0 {
            Place::Directory(_) => None,
            Place::Bucket(bucket) => Some(bucket.figures()),
        }
    }
}

#[cfg(test)]
mod tests;
