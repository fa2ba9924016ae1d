//! Which requests were seen lately: in memory, and on disk after their log file has gone.

use std::collections::VecDeque;
use std::time::Duration;

use hashbrown::HashMap;

use crate::fault;

/// Hashes of the requests of the last while; at most a fixed number, so that memory is bounded.
///
/// 1 million take up to 100 MB. When there are more, the oldest are forgotten first.
#[derive(Debug)]
pub struct DedupeWindow {
    /// ns
    window: i64,
    limit: usize,
    /// Time of receipt by hash.
    seen: HashMap<u128, i64>,
    /// As inserted; an entry whose hash was removed or inserted again stays until its turn.
    order: VecDeque<Entry>,
}

/// A request that was received, ns since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) received: i64,
    pub(super) hash: u128,
}

impl DedupeWindow {
    pub fn new(window: Duration, limit: usize) -> Self {
        let window = i64::try_from(window.as_nanos()).unwrap_or(i64::MAX);
        Self { window, limit: limit.max(1), seen: HashMap::new(), order: VecDeque::new() }
    }

    /// True if the hash is new within the window before `received` (ns since the epoch); then it is held.
    pub fn insert(&mut self, hash: u128, received: i64) -> bool {
        self.expire(received);
        if self.seen.contains_key(&hash) {
            return false;
        }
        while self.seen.len() >= self.limit {
            self.forget_oldest();
        }
        if self.order.len() > 2 * self.seen.len() + 1024 {
            // Entries of refused requests would crowd out those that were stored.
            let Self { seen, order, .. } = self;
            order.retain(|entry| seen.get(&entry.hash) == Some(&entry.received));
        }
        self.seen.insert(hash, received);
        self.order.push_back(Entry { received, hash });
        true
    }

    /// Forgets a request that was refused after all.
    pub fn remove(&mut self, hash: u128) {
        self.seen.remove(&hash);
    }

    pub fn len(&self) -> usize {
        self.seen.len()
    }

    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    fn expire(&mut self, now: i64) {
        while self.order.front().is_some_and(|entry| now.saturating_sub(entry.received) > self.window) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(entry) = self.order.pop_front()
            && self.seen.get(&entry.hash) == Some(&entry.received)
        {
            self.seen.remove(&entry.hash);
        }
    }
}

/// A file with the hashes of a log file that has gone.
#[derive(Clone, Copy, Debug)]
pub(super) struct SeenFile {
    pub(super) first: u64,
    /// Of the latest request in it, ns since the epoch.
    pub(super) received: i64,
}

impl SeenFile {
    pub(super) fn new(first: u64, entries: &[Entry]) -> Self {
        Self { first, received: entries.iter().map(|entry| entry.received).max().unwrap_or(i64::MIN) }
    }
}

/// What such a file holds.
#[derive(Debug, Default)]
pub(super) struct List {
    /// Last sequence of the log file. Unknown in version 1.
    pub(super) last: Option<u64>,
    /// The lists that were there when this one was written: so that it is noticed when one goes missing.
    pub(super) before: Vec<SeenFile>,
    pub(super) entries: Vec<Entry>,
}

/// Name of the file for the log file whose first record had this sequence.
pub(super) fn name(first: u64) -> String {
    format!("{first:020}.seen")
}

const MAGIC: &[u8; 8] = b"CLEWSEEN";
const VERSION: u32 = 2;
const HEAD: usize = 16;
const BEFORE: usize = 16;
const ENTRY: usize = 24;

pub(super) fn encode(last: u64, before: &[SeenFile], entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + 16 + before.len() * BEFORE + entries.len() * ENTRY);
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(last.to_le_bytes());
    bytes.extend((before.len() as u64).to_le_bytes());
    for list in before {
        bytes.extend(list.first.to_le_bytes());
        bytes.extend(list.received.to_le_bytes());
    }
    for entry in entries {
        bytes.extend(entry.received.to_le_bytes());
        bytes.extend(entry.hash.to_le_bytes());
    }
    let crc = crc32fast::hash(&bytes[HEAD..]);
    bytes[12..HEAD].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// What is wrong, if it is not a whole file of a known version.
pub(super) fn decode(bytes: &[u8]) -> Result<List, String> {
    const UNKNOWN: &str = "not a list of request hashes of this version";
    let (head, body) = bytes.split_first_chunk::<HEAD>().ok_or("the file is too short")?;
    let version = u32::from_le_bytes(std::array::from_fn(|i| head[8 + i]));
    if &head[..8] != MAGIC || !(1..=VERSION).contains(&version) {
        return Err(UNKNOWN.into());
    }
    if head[12..] != crc32fast::hash(body).to_le_bytes() && !fault::planted("bug.skip-crc") {
        return Err("request hashes do not match their checksum; repeats may be stored twice".into());
    }
    if version == 1 {
        return Ok(List { entries: entries(body)?, ..List::default() });
    }
    let (numbers, rest) = body.split_first_chunk::<16>().ok_or(UNKNOWN)?;
    let last = u64::from_le_bytes(std::array::from_fn(|i| numbers[i]));
    let count = u64::from_le_bytes(std::array::from_fn(|i| numbers[8 + i]));
    let before = usize::try_from(count).ok().and_then(|count| count.checked_mul(BEFORE));
    let (before, rest) = before.and_then(|bytes| rest.split_at_checked(bytes)).ok_or(UNKNOWN)?;
    let list = |bytes: &[u8; BEFORE]| {
        let first = u64::from_le_bytes(std::array::from_fn(|i| bytes[i]));
        SeenFile { first, received: i64::from_le_bytes(std::array::from_fn(|i| bytes[8 + i])) }
    };
    let before = before.as_chunks::<BEFORE>().0.iter().map(list).collect();
    Ok(List { last: Some(last), before, entries: entries(rest)? })
}

fn entries(bytes: &[u8]) -> Result<Vec<Entry>, String> {
    let (entries, rest) = bytes.as_chunks::<ENTRY>();
    if !rest.is_empty() {
        return Err("the last request hash is cut".into());
    }
    Ok(entries.iter().map(entry).collect())
}

fn entry(bytes: &[u8; ENTRY]) -> Entry {
    let received = i64::from_le_bytes(std::array::from_fn(|i| bytes[i]));
    let hash = u128::from_le_bytes(std::array::from_fn(|i| bytes[8 + i]));
    Entry { received, hash }
}
