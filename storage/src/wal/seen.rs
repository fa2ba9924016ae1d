//! Which requests were seen lately: in memory, and on disk after their log file has gone.

use std::collections::VecDeque;
use std::time::Duration;

use hashbrown::HashMap;

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
#[derive(Debug)]
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

/// Name of the file for the log file whose first record had this sequence.
pub(super) fn name(first: u64) -> String {
    format!("{first:020}.seen")
}

const MAGIC: &[u8; 8] = b"CLEWSEEN";
const VERSION: u32 = 1;
const HEAD: usize = 16;
const ENTRY: usize = 24;

pub(super) fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + entries.len() * ENTRY);
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend([0; 4]);
    for entry in entries {
        bytes.extend(entry.received.to_le_bytes());
        bytes.extend(entry.hash.to_le_bytes());
    }
    let crc = crc32fast::hash(&bytes[HEAD..]);
    bytes[12..HEAD].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// What is wrong, if it is not a whole file of this version.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Entry>, String> {
    let (head, body) = bytes.split_first_chunk::<HEAD>().ok_or("the file is too short")?;
    if &head[..8] != MAGIC || head[8..12] != VERSION.to_le_bytes() {
        return Err("not a list of request hashes of this version".into());
    }
    if head[12..] != crc32fast::hash(body).to_le_bytes() {
        return Err("request hashes do not match their checksum; repeats may be stored twice".into());
    }
    let (entries, rest) = body.as_chunks::<ENTRY>();
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
