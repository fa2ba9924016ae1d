//! A file in the making: written piece by piece, so that it need not fit into memory, and gone unless it is published.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::LakeError;
use crate::segment::blob::{Checksums, Summing};

/// Written to the disk after so many bytes: what is left to the end holds up the log's fsyncs, which wait behind it.
const SYNC_BYTES: u64 = 4 << 20;

/// Where a file of the lake is written. Dropped before [`super::Lake::publish`] it leaves nothing.
#[derive(Debug)]
pub struct Draft {
    path: String,
    file: File,
    /// Deleted with the draft.
    place: Option<PathBuf>,
    sums: Summing,
    bytes: u64,
    unsynced: u64,
    /// The last bytes, as many as there are.
    tail: [u8; 8],
    failure: Failure,
}

/// What the disk said when a draft could not be written: on its way through a library an error becomes a text.
#[derive(Clone, Debug, Default)]
pub struct Failure(Arc<OnceLock<LakeError>>);

impl Failure {
    pub fn get(&self) -> Option<LakeError> {
        self.0.get().cloned()
    }
}

impl Draft {
    /// At `place`, which is where the file stays.
    pub(super) fn at(path: &str, place: PathBuf) -> Result<Self, LakeError> {
        let create = || {
            place.parent().map_or(Ok(()), fs::create_dir_all)?;
            File::options().read(true).write(true).create_new(true).open(&place)
        };
        let file = create().map_err(|error| LakeError { file: path.to_owned(), what: error.to_string() })?;
        Ok(Self::of(path, file, Some(place)))
    }

    /// In a file without a name, to be copied to where it stays.
    pub(super) fn apart(path: &str, directory: &Path) -> Result<Self, LakeError> {
        let create = || {
            fs::create_dir_all(directory)?;
            tempfile::tempfile_in(directory)
        };
        let file = create().map_err(|error| LakeError { file: path.to_owned(), what: error.to_string() })?;
        Ok(Self::of(path, file, None))
    }

    fn of(path: &str, file: File, place: Option<PathBuf>) -> Self {
        let (path, sums, failure) = (path.to_owned(), Summing::default(), Failure::default());
        Self { path, file, place, sums, bytes: 0, unsynced: 0, tail: [0; 8], failure }
    }

    /// Relative to the lake's data path.
    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The last eight bytes; zeros before them where there are fewer.
    pub fn tail(&self) -> [u8; 8] {
        self.tail
    }

    pub fn failure(&self) -> Failure {
        self.failure.clone()
    }

    pub fn checksums(&self) -> Checksums {
        self.sums.clone().finish()
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// It stays.
    pub(super) fn keep(&mut self) {
        self.place = None;
    }

    fn write_some(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buffer)?;
        self.count(&buffer[..written]);
        self.unsynced += written as u64;
        if self.place.is_some() && self.unsynced >= SYNC_BYTES {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(written)
    }

    fn count(&mut self, written: &[u8]) {
        self.sums.add(written);
        self.bytes += written.len() as u64;
        let tail = &written[written.len().saturating_sub(self.tail.len())..];
        self.tail.rotate_left(tail.len());
        let from = self.tail.len() - tail.len();
        self.tail[from..].copy_from_slice(tail);
    }
}

impl Write for Draft {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.write_some(buffer).inspect_err(|error| {
            let told = LakeError { file: self.path.clone(), what: error.to_string() };
            self.failure.0.get_or_init(|| told);
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(place) = &self.place
            && let Err(error) = fs::remove_file(place)
        {
            tracing::debug!(%error, file = self.path, "a file that was not finished is left to the sweep");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_knows_what_was_written_and_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let place = dir.path().join("main/spans/a.parquet");
        let contents: Vec<u8> = (0..5_000_000u32).map(|i| (i * 31 % 251) as u8).collect();
        let mut draft = Draft::at("main/spans/a.parquet", place.clone()).expect("begun");
        for piece in [&contents[..3], &contents[3..6], &contents[6..40_000], &contents[40_000..]] {
            draft.write_all(piece).expect("written");
        }
        assert_eq!(draft.bytes(), contents.len() as u64);
        assert_eq!(draft.checksums(), Checksums::of(&contents));
        assert_eq!(draft.tail(), contents[contents.len() - 8..]);
        assert_eq!(fs::read(&place).expect("there"), contents);
        assert!(Draft::at("main/spans/a.parquet", place.clone()).is_err(), "no file is written over");
        drop(draft);
        assert!(!place.exists());
    }
}
