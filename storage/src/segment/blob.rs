//! A stored file that is read only through its checksums: a flipped bit is an error, never an answer.
//!
//! Parquet and tantivy check little on read, so every file has a CRC-32 per block of
//! [`BLOCK_BYTES`], kept in the catalogue, apart from the file. A read fetches whole blocks and
//! checks them; 32 KiB take about 3 µs.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;

use crate::scan::ReadError;

pub const BLOCK_BYTES: usize = 32 << 10;

/// CRC-32 of each block of a file, the last block short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksums(Vec<u32>);

impl Checksums {
    pub fn of(contents: &[u8]) -> Self {
        Self(contents.chunks(BLOCK_BYTES).map(crc32fast::hash).collect())
    }

    /// Four bytes a block, little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|crc| crc.to_le_bytes()).collect()
    }

    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.as_chunks().0.iter().map(|crc| u32::from_le_bytes(*crc)).collect())
    }
}

/// An immutable file of known length and checksums.
#[derive(Debug)]
pub struct Blob {
    file: File,
    name: String,
    len: u64,
    checksums: Checksums,
}

impl Blob {
    /// Opens `path`; fails where the length is not the one that was committed.
    pub fn open(path: &Path, name: &str, len: u64, checksums: Checksums) -> Result<Self, ReadError> {
        let failed = |error: io::Error| ReadError::Io { file: name.to_owned(), what: error.to_string() };
        let file = File::open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?.len();
        let blocks = len.div_ceil(BLOCK_BYTES as u64);
        if found != len || checksums.0.len() as u64 != blocks {
            let what = format!("{found} bytes and {} checksums where {len} bytes were written", checksums.0.len());
            return Err(ReadError::Damaged { file: name.to_owned(), what });
        }
        Ok(Self { file, name: name.to_owned(), len, checksums })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.len
    }

    pub fn damaged(&self, what: impl Into<String>) -> ReadError {
        ReadError::Damaged { file: self.name.clone(), what: what.into() }
    }

    /// The bytes of `range`, checked.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes, ReadError> {
        if range.start > range.end || range.end > self.len {
            return Err(self.damaged(format!("bytes {range:?} of {} are asked for", self.len)));
        }
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let block = BLOCK_BYTES as u64;
        let from = range.start / block * block;
        let to = (range.end.div_ceil(block) * block).min(self.len);
        let mut read = vec![0; (to - from) as usize];
        self.file
            .read_exact_at(&mut read, from)
            .map_err(|error| ReadError::Io { file: self.name.clone(), what: error.to_string() })?;
        for (bytes, number) in read.chunks(BLOCK_BYTES).zip((from / block) as usize..) {
            if crc32fast::hash(bytes) != self.checksums.0[number] {
                return Err(self.damaged(format!("checksum of block {number} does not hold")));
            }
        }
        Ok(Bytes::from(read).slice((range.start - from) as usize..(range.end - from) as usize))
    }

    /// Reads the whole file, block by block; the first damage found.
    pub fn verify(&self) -> Result<(), ReadError> {
        let step = 128 * BLOCK_BYTES as u64;
        (0..self.len).step_by(step as usize).try_for_each(|at| self.read(at..(at + step).min(self.len)).map(drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_byte_is_noticed() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("blob");
        let contents: Vec<u8> = (0..3 * BLOCK_BYTES + 100).map(|i| (i * 31 % 251) as u8).collect();
        let sums = Checksums::from_bytes(&Checksums::of(&contents).to_bytes());
        std::fs::write(&path, &contents).expect("written");
        let blob = Blob::open(&path, "blob", contents.len() as u64, sums.clone()).expect("opened");
        assert_eq!(blob.read(10..70_000).expect("whole"), &contents[10..70_000]);
        assert!(blob.read(5..5).expect("empty").is_empty());
        assert!(blob.read(0..contents.len() as u64 + 1).is_err());

        for at in [0, BLOCK_BYTES, contents.len() - 1] {
            let mut flipped = contents.clone();
            flipped[at] ^= 1;
            std::fs::write(&path, &flipped).expect("written");
            let blob = Blob::open(&path, "blob", contents.len() as u64, sums.clone()).expect("opened");
            assert!(matches!(blob.verify(), Err(ReadError::Damaged { .. })));
        }
        std::fs::write(&path, &contents[1..]).expect("written");
        assert!(matches!(Blob::open(&path, "blob", contents.len() as u64, sums), Err(ReadError::Damaged { .. })));
    }
}
