//! A stored file that is read only through its checksums: a flipped bit is an error, never an answer.
//!
//! Parquet and tantivy check little on read, so every file has a CRC-32 per block of
//! [`BLOCK_BYTES`], kept in the catalogue, apart from the file. A read fetches whole blocks and
//! checks them; 32 KiB take about 3 µs. What came out of a bucket or its cache and does not hold is
//! fetched once more before it is an error.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;

use crate::fault;
use crate::lake::{FetchError, Object};
use crate::scan::ReadError;

pub const BLOCK_BYTES: usize = 32 << 10;

/// Shorter reads go through memory that each thread keeps.
const FEW_BLOCKS: usize = 4 * BLOCK_BYTES;

thread_local! {
    static BLOCKS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// CRC-32 of each block of a file, the last block short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksums(Vec<u32>);

impl Checksums {
    pub fn of(contents: &[u8]) -> Self {
        let mut sums = Summing::default();
        sums.add(contents);
        sums.finish()
    }

    /// Four bytes a block, little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|crc| crc.to_le_bytes()).collect()
    }

    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.as_chunks().0.iter().map(|crc| u32::from_le_bytes(*crc)).collect())
    }
}

/// The checksums of a file in the making.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summing {
    blocks: Vec<u32>,
    /// Of the block that is not yet full.
    begun: crc32fast::Hasher,
    filled: usize,
}

impl Summing {
    pub(crate) fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.filled));
            self.begun.update(now);
            self.filled += now.len();
            bytes = later;
            if self.filled == BLOCK_BYTES {
                self.end_block();
            }
        }
    }

    fn end_block(&mut self) {
        self.blocks.push(std::mem::take(&mut self.begun).finalize());
        self.filled = 0;
    }

    pub(crate) fn finish(mut self) -> Checksums {
        if self.filled > 0 {
            self.end_block();
        }
        Checksums(self.blocks)
    }
}

/// What a library made an I/O error of on its way.
pub(super) fn cause(error: &io::Error) -> Option<ReadError> {
    let inner = error.get_ref()?;
    inner.downcast_ref::<ReadError>().cloned().or_else(|| cause(inner.downcast_ref::<io::Error>()?))
}

/// An immutable file of known length and checksums.
#[derive(Debug)]
pub struct Blob {
    source: Source,
    name: String,
    len: u64,
    checksums: Checksums,
}

#[derive(Debug)]
enum Source {
    File(File),
    Object(Object),
}

impl Blob {
    /// Opens `path`; fails where the length is not the one that was committed.
    pub fn open(path: &Path, name: &str, len: u64, checksums: Checksums) -> Result<Self, ReadError> {
        let failed = |error: io::Error| ReadError::Io { file: name.to_owned(), what: error.to_string() };
        let file = File::open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?.len();
        if found != len {
            let what = format!("{found} bytes where {len} bytes were written");
            return Err(ReadError::Damaged { file: name.to_owned(), what });
        }
        Self::new(Source::File(file), name, len, checksums)
    }

    /// Asks for nothing yet: an object that is shorter is noticed when it is read.
    pub(crate) fn of_object(object: Object, name: &str, checksums: Checksums) -> Result<Self, ReadError> {
        let len = object.len();
        Self::new(Source::Object(object), name, len, checksums)
    }

    fn new(source: Source, name: &str, len: u64, checksums: Checksums) -> Result<Self, ReadError> {
        if checksums.0.len() as u64 != len.div_ceil(BLOCK_BYTES as u64) {
            let what = format!("{} checksums of {len} bytes", checksums.0.len());
            return Err(ReadError::Damaged { file: name.to_owned(), what });
        }
        Ok(Self { source, name: name.to_owned(), len, checksums })
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
        match &self.source {
            Source::File(file) => self.read_file(file, from..to, range),
            Source::Object(object) => {
                let read = self.read_object(object, from..to).or_else(|error| {
                    if !matches!(error, ReadError::Damaged { .. }) {
                        return Err(error);
                    }
                    object.forget(from..to);
                    // Nobody else shall trip over it.
                    self.read_object(object, from..to).inspect_err(|_| object.forget(from..to))
                })?;
                Ok(read.slice((range.start - from) as usize..(range.end - from) as usize))
            }
        }
    }

    /// The bytes of `range`, which lies in these whole blocks.
    fn read_file(&self, file: &File, blocks: Range<u64>, range: Range<u64>) -> Result<Bytes, ReadError> {
        let fill = |read: &mut [u8]| {
            file.read_exact_at(read, blocks.start)
                .map_err(|error| ReadError::Io { file: self.name.clone(), what: error.to_string() })?;
            self.check(read, blocks.start)
        };
        let wanted = (range.start - blocks.start) as usize..(range.end - blocks.start) as usize;
        let len = (blocks.end - blocks.start) as usize;
        if len > FEW_BLOCKS {
            let mut read = vec![0; len];
            fill(&mut read)?;
            return Ok(Bytes::from(read).slice(wanted));
        }
        // Most reads want little of a block or two: it is neither set to zero each time nor kept whole.
        BLOCKS.with_borrow_mut(|blocks| {
            if blocks.len() < len {
                blocks.resize(FEW_BLOCKS, 0);
            }
            let read = &mut blocks[..len];
            fill(read)?;
            Ok(Bytes::copy_from_slice(&read[wanted]))
        })
    }

    /// Whole blocks, checked.
    fn read_object(&self, object: &Object, range: Range<u64>) -> Result<Bytes, ReadError> {
        let from = range.start;
        let read = object.read(range).map_err(|error| match error {
            FetchError::Gone => self.damaged(error.to_string()),
            FetchError::Failed(what) => ReadError::Io { file: self.name.clone(), what },
        })?;
        self.check(&read, from)?;
        Ok(read)
    }

    /// Compares whole blocks from `from` with their checksums.
    fn check(&self, read: &[u8], from: u64) -> Result<(), ReadError> {
        let first = (from / BLOCK_BYTES as u64) as usize;
        for (bytes, number) in read.chunks(BLOCK_BYTES).zip(first..) {
            if crc32fast::hash(bytes) != self.checksums.0[number] && !fault::planted("bug.skip-crc") {
                return Err(self.damaged(format!("checksum of block {number} does not hold")));
            }
        }
        Ok(())
    }

    /// Says what will be read soon: a bucket is asked for it at once, and in few requests.
    pub fn prefetch(&self, ranges: impl IntoIterator<Item = Range<u64>>) {
        if let Source::Object(object) = &self.source {
            object.prefetch(ranges);
        }
    }

    /// Whether reading is worth planning.
    pub fn is_remote(&self) -> bool {
        matches!(self.source, Source::Object(_))
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
