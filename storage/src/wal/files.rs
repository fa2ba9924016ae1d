//! Every call of the log to the operating system, so that tests can make it fail.

use std::fs;
use std::io::{self, IoSlice};
use std::path::PathBuf;

use rustix::fs::FallocateFlags;

use crate::fault;

/// One directory. Names have no separators.
pub trait Files: Send + Sync {
    /// Names and sizes, in no order.
    fn list(&self) -> io::Result<Vec<(String, u64)>>;
    /// Opens for writing; a file of that name is emptied.
    fn create(&self, name: &str) -> io::Result<Box<dyn File>>;
    /// Opens for writing.
    fn open(&self, name: &str) -> io::Result<Box<dyn File>>;
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// Replaces a file named `to`.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes names durable.
    fn sync_names(&self) -> io::Result<()>;
}

/// One open file.
pub trait File: Send {
    /// Reserves blocks for `bytes`, so that a full disk shows here and not in a later write.
    fn allocate(&self, bytes: u64) -> io::Result<()>;
    /// May write less than all; returns how much.
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize>;
    fn truncate(&self, bytes: u64) -> io::Result<()>;
    /// Makes data durable, and what of the metadata is needed to read it.
    fn sync(&self) -> io::Result<()>;
}

/// Writes all of `parts`.
pub(super) fn write_all(file: &dyn File, mut parts: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
    // Linux takes at most 1024 parts in a call (IOV_MAX).
    const PARTS: usize = 1024;
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        match file.write_at(&parts[..parts.len().min(PARTS)], offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                IoSlice::advance_slices(&mut parts, written);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A directory of a local file system.
#[derive(Debug)]
pub struct Disk {
    dir: PathBuf,
}

impl Disk {
    /// Makes the directory if it is missing.
    pub fn new(dir: PathBuf) -> io::Result<Self> {
        if !dir.is_dir() {
            fs::create_dir_all(&dir)?;
            if let Some(parent) = dir.parent() {
                fs::File::open(parent)?.sync_all()?;
            }
        }
        Ok(Self { dir })
    }
}

impl Files for Disk {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            // Names that are no text are not ours.
            let metadata = entry.metadata()?;
            if let Ok(name) = entry.file_name().into_string()
                && metadata.is_file()
            {
                found.push((name, metadata.len()));
            }
        }
        Ok(found)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn File>> {
        Ok(Box::new(fs::File::create(self.dir.join(name))?))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn File>> {
        Ok(Box::new(fs::File::options().write(true).open(self.dir.join(name))?))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.dir.join(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.dir.join(from), self.dir.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.dir.join(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        fs::File::open(&self.dir)?.sync_all()
    }
}

impl File for fs::File {
    fn allocate(&self, bytes: u64) -> io::Result<()> {
        match rustix::fs::fallocate(self, FallocateFlags::empty(), 0, bytes) {
            // Not every file system can; then writing reserves the blocks.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(()),
            done => Ok(done?),
        }
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pwritev(self, parts, offset)?)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        if fault::planted("bug.skip-fsync") { Ok(()) } else { self.sync_data() }
    }
}
