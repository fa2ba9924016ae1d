//! A tantivy directory over parts of one checked file. It reads only.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tantivy::HasLen;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{DirectoryLock, FileHandle, Lock, OwnedBytes, WatchCallback, WatchHandle, WritePtr};

use super::Blob;

/// A range of a blob, seen as a file.
#[derive(Debug)]
pub(super) struct Part {
    blob: Arc<Blob>,
    range: Range<u64>,
}

impl Part {
    pub(super) fn new(blob: Arc<Blob>, range: Range<u64>) -> Self {
        Self { blob, range }
    }

    fn bytes(&self, range: Range<usize>) -> io::Result<bytes::Bytes> {
        let (from, to) = (self.range.start + range.start as u64, self.range.start + range.end as u64);
        if to > self.range.end {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "read past the end of a part"));
        }
        self.blob.read(from..to).map_err(io::Error::other)
    }
}

impl HasLen for Part {
    fn len(&self) -> usize {
        (self.range.end - self.range.start) as usize
    }
}

impl FileHandle for Part {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        self.bytes(range).map(|bytes| OwnedBytes::new(Vec::from(bytes)))
    }
}

#[derive(Clone, Debug)]
pub(super) struct PartsDirectory {
    parts: Arc<HashMap<PathBuf, Arc<Part>>>,
}

impl PartsDirectory {
    pub(super) fn new(parts: HashMap<PathBuf, Arc<Part>>) -> Self {
        Self { parts: Arc::new(parts) }
    }

    fn part(&self, path: &Path) -> Result<&Arc<Part>, OpenReadError> {
        self.parts.get(path).ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_owned()))
    }
}

fn read_only() -> io::Error {
    io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "an index is never changed")
}

impl tantivy::Directory for PartsDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.part(path).map(|part| part.clone() as Arc<dyn FileHandle>)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        Ok(self.parts.contains_key(path))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let part = self.part(path)?;
        part.bytes(0..part.len()).map(Vec::from).map_err(|error| OpenReadError::wrap_io_error(error, path.to_owned()))
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        Err(DeleteError::IoError { io_error: Arc::new(read_only()), filepath: path.to_owned() })
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        Err(OpenWriteError::wrap_io_error(read_only(), path.to_owned()))
    }

    fn atomic_write(&self, _path: &Path, _data: &[u8]) -> io::Result<()> {
        Err(read_only())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    /// Nothing else writes here; without this, opening a reader would try to write a lock file.
    fn acquire_lock(&self, _lock: &Lock) -> Result<DirectoryLock, LockError> {
        Ok(DirectoryLock::from(Box::new(())))
    }

    fn watch(&self, _callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}
