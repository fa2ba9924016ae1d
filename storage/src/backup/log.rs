//! Copies the write-ahead log of a server that writes on.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;

use super::{BackupError, io_error};
use crate::wal::{self, BLOCK_BYTES};

/// Copies every log file, then the lists of hashes; bytes. A file that goes meanwhile is not needed: its
/// rows were committed before, and the catalogue is copied after.
pub(super) fn copy(from: &Path, to: &Path) -> Result<u64, BackupError> {
    fs::create_dir(to).map_err(io_error(&to.display().to_string()))?;
    let mut bytes = 0;
    // A log file is taken away after its list of hashes is there: so the lists come second.
    for kind in ["wal", "seen"] {
        for name in names(from, kind).map_err(io_error(&from.display().to_string()))? {
            match read(&from.join(&name)) {
                Ok(contents) => {
                    write(&to.join(&name), &contents).map_err(io_error(&name))?;
                    bytes += contents.len() as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io_error(&name)(error)),
            }
        }
    }
    Ok(bytes)
}

fn names(directory: &Path, kind: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        if let Ok(name) = entry?.file_name().into_string()
            && name.rsplit_once('.').is_some_and(|(_, found)| found == kind)
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// A file up to its last record, read from its end to its start.
///
/// The writer appends groups of whole blocks, each synced before the next. Read forwards, a group could
/// be seen half written and the next one whole, which is how damage looks. Read backwards, all that lies
/// before a block that was seen had been written by then.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len() as usize;
    let mut contents = vec![0; size];
    let mut end = 0;
    for start in (0..size).step_by(BLOCK_BYTES).rev() {
        let block = &mut contents[start..(start + BLOCK_BYTES).min(size)];
        file.read_exact_at(block, start as u64)?;
        if end == 0 && block.iter().any(|byte| *byte != 0) {
            end = start + block.len();
        }
    }
    // A log file is made of zeros, but a record may end in zeros too.
    let contents = Bytes::from(contents);
    let end = end.max(records_end(path, &contents));
    Ok(contents[..end].to_vec())
}

fn records_end(path: &Path, contents: &Bytes) -> usize {
    let first = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
    first.map_or(0, |first| wal::records_end(contents.clone(), first))
}

fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(contents)?;
    file.sync_all()
}
