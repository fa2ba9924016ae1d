//! Reads a log without changing it: what replay would do to the directory is left undone.

use std::io::{self, IoSlice};

use super::files::{File, Files};
use super::{OpenError, ReplayReport, Replayed, WalSettings, replay};

/// What opening the log would find and give back.
pub fn verify(
    files: &dyn Files,
    checkpoint: u64,
    on_record: impl FnMut(Replayed) -> Result<(), String>,
) -> Result<ReplayReport, OpenError> {
    replay::replay(&Untouched(files), &WalSettings::default(), checkpoint, on_record).map(|found| found.report)
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
