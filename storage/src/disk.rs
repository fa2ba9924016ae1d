//! The local disk around the store: directories that survive a loss of power, room for the next start.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::fs::FallocateFlags;

/// What a start writes before it can free anything: SQLite's shared memory and log, lists of hashes.
const RESERVE: u64 = 4 << 20;
const RESERVE_FILE: &str = "reserve";

/// Makes `directory` and what is missing above it, so that all of it is still there after a loss of power.
pub(crate) fn create_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    match directory.parent() {
        Some(parent) if parent.as_os_str().is_empty() => {
            fs::create_dir_all(directory)?;
            File::open(".")?.sync_all()
        }
        Some(parent) => {
            create_directory(parent)?;
            fs::create_dir_all(directory)?;
            File::open(parent)?.sync_all()
        }
        None => fs::create_dir_all(directory),
    }
}

/// Before a start: on a full disk, gives up the room that was kept for it. True if it did.
pub(crate) fn use_reserve(directory: &Path) -> io::Result<bool> {
    let reserve = directory.join(RESERVE_FILE);
    if available(directory)? >= RESERVE || !reserve.exists() {
        return Ok(false);
    }
    fs::remove_file(reserve)?;
    Ok(true)
}

/// Keeps room for the next start, once there is enough of it; what is there stays as it is.
pub(crate) fn keep_reserve(directory: &Path) -> io::Result<()> {
    let reserve = directory.join(RESERVE_FILE);
    if reserve.exists() || available(directory)? < 4 * RESERVE {
        return Ok(());
    }
    // Under another name until it is whole: half of a reserve would never be filled up.
    let unfinished = directory.join("reserve.tmp");
    let file = File::create(&unfinished)?;
    match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, RESERVE) {
        Ok(()) => fs::rename(unfinished, reserve),
        Err(error) => {
            fs::remove_file(unfinished)?;
            // A file system that cannot promise room: there is none to keep.
            if error == rustix::io::Errno::OPNOTSUPP { Ok(()) } else { Err(error.into()) }
        }
    }
}

/// Bytes that may still be written.
fn available(directory: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(directory)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_made_with_what_is_above_them() {
        let dir = tempfile::tempdir().expect("a directory");
        let deep = dir.path().join("a/b/c");
        create_directory(&deep).expect("made");
        create_directory(&deep).expect("there");
        assert!(deep.is_dir());
    }

    #[test]
    fn room_is_kept_once_and_only_given_up_on_a_full_disk() {
        let dir = tempfile::tempdir().expect("a directory");
        keep_reserve(dir.path()).expect("kept");
        keep_reserve(dir.path()).expect("kept");
        let file = dir.path().join(RESERVE_FILE);
        assert_eq!(fs::metadata(&file).expect("there").len(), RESERVE);
        assert!(!use_reserve(dir.path()).expect("looked"), "this disk is not full");
        assert!(file.exists());
    }
}
