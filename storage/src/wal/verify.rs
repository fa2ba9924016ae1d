//! Reads a log without changing it: what replay would do to the directory is left undone.

use std::io::{self, IoSlice, Read};
use std::path::Path;

use bytes::Bytes;

use super::files::{File, Files};
use super::frame::{self, FileHeader, Frames};
use super::{OpenError, ReplayReport, Replayed, WalSettings, replay};
use crate::store::Clock;

/// What is written together starts and ends on a multiple of this.
pub(crate) const BLOCK_BYTES: usize = frame::BLOCK as usize;

/// Bytes at the start of a file that tell its version.
const HEADER: u64 = 24;

/// What opening the log would find and give back.
pub fn verify(
    files: &dyn Files,
    checkpoint: u64,
    on_record: impl FnMut(Replayed) -> Result<(), String>,
) -> Result<ReplayReport, OpenError> {
    let now = Clock::system().now();
    replay::replay(&Untouched(files), &WalSettings::default(), checkpoint, now, on_record).map(|found| found.report)
}

/// Looks at the first bytes of every file in `directory`, so that nothing is done to a log that a newer
/// program wrote. A directory that is not there is fine.
pub(crate) fn check_versions(directory: &Path) -> Result<(), OpenError> {
    let failed = |error| OpenError::Io { what: format!("cannot look into {}", directory.display()), error };
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let Ok(file) = entry.map_err(failed)?.file_name().into_string() else { continue };
        let Some(first) = file.strip_suffix(".wal").and_then(|stem| stem.parse().ok()) else { continue };
        let mut head = Vec::new();
        let opened = std::fs::File::open(directory.join(&file));
        opened.and_then(|file| file.take(HEADER).read_to_end(&mut head)).map_err(failed)?;
        if let FileHeader::Version(found) = frame::read_file_header(&head, first) {
            return Err(OpenError::Version { file, found });
        }
    }
    Ok(())
}

/// Where the last whole record ends in the contents of the file whose first record has this sequence.
pub(crate) fn records_end(contents: Bytes, first: u64) -> usize {
    let mut frames = Frames::new(contents, first, u64::MAX);
    frames.by_ref().for_each(drop);
    frames.offset
}

/// Lists and reads; every change seems to work and does nothing.
struct Untouched<'a>(&'a dyn Files);

impl Files for Untouched<'_> {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        self.0.list()
    }

    fn create(&self, _name: &str) -> io::Result<Box<dyn File>> {
        Ok(Box::new(Nowhere))
    }

    fn open(&self, _name: &str) -> io::Result<Box<dyn File>> {
        Ok(Box::new(Nowhere))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.0.read(name)
    }

    fn rename(&self, _from: &str, _to: &str) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, _name: &str) -> io::Result<()> {
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        Ok(())
    }
}

struct Nowhere;

impl File for Nowhere {
    fn allocate(&self, _bytes: u64) -> io::Result<()> {
        Ok(())
    }

    fn write_at(&self, parts: &[IoSlice<'_>], _offset: u64) -> io::Result<usize> {
        Ok(parts.iter().map(|part| part.len()).sum())
    }

    fn truncate(&self, _bytes: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
