//! The format of a log file: header block, frames, and finding frames among other bytes.

use bytes::Bytes;
use memchr::memmem::Finder;

use crate::fault;
use crate::store::{Request, Signal};

/// Since 2 there is a list of hashes for the file before, see [`super::seen`].
pub(super) const VERSION: u32 = 2;

/// Groups begin and end on a multiple of this many bytes.
pub(super) const BLOCK: u64 = 4096;

/// Bytes of a frame before its payload.
pub(super) const HEAD: usize = 52;

const MAGIC: &[u8; 8] = b"CLEW-WAL";

/// The start of block 0; the rest of it is not read.
pub(super) fn file_header(first: u64) -> [u8; 24] {
    let mut header = [0; 24];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[16..].copy_from_slice(&first.to_le_bytes());
    let crc = header_crc(&header);
    header[12..16].copy_from_slice(&crc.to_le_bytes());
    header
}

/// What block 0 says about a file whose name says `first`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FileHeader {
    Good {
        version: u32,
    },
    Version(u32),
    /// Never written in this life of the file, or damaged.
    Unreadable,
}

pub(super) fn read_file_header(bytes: &[u8], first: u64) -> FileHeader {
    let Some(header) = bytes.first_chunk::<24>() else { return FileHeader::Unreadable };
    let version = u32_at(header, 8);
    if &header[..8] != MAGIC || u32_at(header, 12) != header_crc(header) || u64_at(header, 16) != first {
        FileHeader::Unreadable
    } else if (1..=VERSION).contains(&version) {
        FileHeader::Good { version }
    } else {
        FileHeader::Version(version)
    }
}

fn header_crc(header: &[u8; 24]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&header[..12]);
    crc.update(&header[16..]);
    crc.finalize()
}

/// Begins every frame of a file. Neither end is a zero byte, so padding never looks like one.
pub(super) fn marker(first: u64) -> [u8; 4] {
    (crc32fast::hash(&first.to_le_bytes()) | 0x8000_0001).to_le_bytes()
}

/// The bytes before the payload. The caller has checked that the payload's length fits in 32 bits.
pub(super) fn head(marker: [u8; 4], position: u32, sequence: u64, request: &Request) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(&marker);
    head[8..12].copy_from_slice(&(request.body.len() as u32).to_le_bytes());
    head[12..16].copy_from_slice(&position.to_le_bytes());
    head[16..24].copy_from_slice(&sequence.to_le_bytes());
    head[24..32].copy_from_slice(&request.received.to_le_bytes());
    head[32..48].copy_from_slice(&request.hash.to_le_bytes());
    head[48] = request.signal as u8;
    let crc = frame_crc(&head, &request.body);
    head[4..8].copy_from_slice(&crc.to_le_bytes());
    head
}

/// Written behind a group once it is synced: all records before `next` are on disk. What is missing of
/// them later is damage; without a mark it could be the end of a write that nobody was told of.
///
/// Nobody waits for it, and the next group takes its place. It is a frame of no signal.
pub(super) fn mark(marker: [u8; 4], next: u64) -> [u8; BLOCK as usize] {
    let mut block = [0; BLOCK as usize];
    block[..4].copy_from_slice(&marker);
    block[16..24].copy_from_slice(&next.to_le_bytes());
    let crc = frame_crc(&block[..HEAD], &[]);
    block[4..8].copy_from_slice(&crc.to_le_bytes());
    block
}

fn frame_crc(head: &[u8], payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&head[..4]);
    crc.update(&head[8..]);
    crc.update(payload);
    crc.finalize()
}

/// A frame that was found whole.
pub(super) struct Frame {
    pub(super) sequence: u64,
    /// Sequence of the first record of its group.
    pub(super) group: u64,
    pub(super) request: Request,
}

/// The frames of one file in order, whatever lies between them.
///
/// A frame is taken when it has the file's marker, a right checksum, and a sequence from the
/// expected one up to `end`. So a gap in the sequences is all that damage can do.
pub(super) struct Frames {
    bytes: Bytes,
    finder: Finder<'static>,
    /// Where to look next; after the last frame its end.
    pub(super) offset: usize,
    /// Sequence of the next frame if nothing is missing.
    pub(super) expected: u64,
    end: u64,
    /// Where, since the last frame, something begins where a frame may begin, has a marker, and is none.
    pub(super) broken: Option<usize>,
    /// Records before this sequence were on disk, whatever is found of them.
    pub(super) synced: u64,
    /// Where the mark that says so ends.
    pub(super) mark_end: usize,
    /// Bytes that may still be checked in vain: a payload full of made-up frames, cut by a crash,
    /// must not hold up the start.
    patience: usize,
}

impl Frames {
    /// Frames with sequences from `first` to before `end`.
    pub(super) fn new(bytes: Bytes, first: u64, end: u64) -> Self {
        let patience = bytes.len().saturating_mul(8);
        let offset = (BLOCK as usize).min(bytes.len());
        let finder = Finder::new(&marker(first)).into_owned();
        Self { bytes, finder, offset, expected: first, end, broken: None, synced: first, mark_end: 0, patience }
    }

    /// The frame at `offset`, which holds a marker.
    fn frame_at(&mut self, offset: usize) -> Option<Frame> {
        let head = self.bytes[offset..].first_chunk::<HEAD>()?;
        let length = u32_at(head, 8) as usize;
        let end = (offset + HEAD).checked_add(length).filter(|&end| end <= self.bytes.len())?;
        let (position, sequence) = (u32_at(head, 12), u64_at(head, 16));
        let signal = signal_of(head[48])?;
        let group = sequence.checked_sub(position.into())?;
        if !(self.expected..self.end).contains(&sequence) || head[49..] != [0; 3] || self.patience < length {
            return None;
        }
        let holds = u32_at(head, 4) == frame_crc(head, &self.bytes[offset + HEAD..end]);
        if !holds && !fault::planted("bug.skip-crc") {
            self.patience -= length;
            return None;
        }
        let hash = u128::from(u64_at(head, 32)) | u128::from(u64_at(head, 40)) << 64;
        let received = u64_at(head, 24).cast_signed();
        let request = Request { signal, received, hash, body: self.bytes.slice(offset + HEAD..end) };
        Some(Frame { sequence, group, request })
    }
}

impl Frames {
    /// What the mark at `offset` says, if there is one.
    fn mark_at(&self, offset: usize) -> Option<u64> {
        let head = self.bytes[offset..].first_chunk::<HEAD>().filter(|_| offset.is_multiple_of(BLOCK as usize))?;
        let next = u64_at(head, 16);
        let blank = head[8..16].iter().chain(&head[24..]).all(|&byte| byte == 0);
        (blank && (self.expected..=self.end).contains(&next) && u32_at(head, 4) == frame_crc(head, &[])).then_some(next)
    }
}

impl Iterator for Frames {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        let mut from = self.offset;
        while let Some(at) = self.finder.find(&self.bytes[from..]).map(|at| from + at) {
            if let Some(frame) = self.frame_at(at) {
                self.offset = at + HEAD + frame.request.body.len();
                self.expected = frame.sequence + 1;
                self.broken = None;
                return Some(frame);
            }
            if let Some(next) = self.mark_at(at) {
                self.synced = self.synced.max(next);
                self.mark_end = at + HEAD;
                from = at + HEAD;
                continue;
            }
            if at == self.offset || at.is_multiple_of(BLOCK as usize) {
                self.broken.get_or_insert(at);
            }
            from = at + 1;
        }
        None
    }
}

fn signal_of(number: u8) -> Option<Signal> {
    [Signal::Traces, Signal::Logs, Signal::Metrics].into_iter().find(|&signal| signal as u8 == number)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}
