//! One object of a bucket, read by range through the cache.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::bucket::{Bucket, READ_WITHIN};
use super::cache::{CHUNK, Found, Key};
use super::flight::{FetchError, Flight};

/// Chunks of one request at most.
const RUN: usize = (2 << 20) / CHUNK as usize;

/// Of known length; never changes. Reads block the thread, never the runtime that answers them.
#[derive(Clone)]
pub(crate) struct Object {
    bucket: Arc<Bucket>,
    path: Arc<str>,
    len: u64,
}

impl Object {
    pub(super) fn new(bucket: Arc<Bucket>, path: &str, len: u64) -> Self {
        Self { bucket, path: path.into(), len }
    }

    /// Bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The bytes of `range`, which lies within. Not checked: the caller has the checksums.
    pub(crate) fn read(&self, range: Range<u64>) -> Result<Bytes, FetchError> {
        // A request keeps its own bound; this one is for a machine that does not get on.
        let until = Instant::now() + READ_WITHIN + Duration::from_secs(1);
        let found = self.claim(chunks(&range));
        if let [(chunk, Found::Flying(flight) | Found::Missing(flight))] = &*found {
            return flight.wait(until).and_then(|bytes| self.slice(*chunk, &bytes, &range));
        }
        let mut read = BytesMut::with_capacity((range.end - range.start) as usize);
        for (chunk, found) in found {
            match found {
                Found::Kept => self.kept(chunk, &range, &mut read, until)?,
                Found::Flying(flight) | Found::Missing(flight) => {
                    read.extend_from_slice(&self.slice(chunk, &flight.wait(until)?, &range)?);
                }
            }
        }
        Ok(read.freeze())
    }

    /// Begins to fetch what these ranges need. No more than a part of the cache: the rest would push
    /// out what was fetched first.
    pub(crate) fn prefetch(&self, ranges: impl IntoIterator<Item = Range<u64>>) {
        let most = (self.bucket.cache().bound() / 4 / CHUNK) as usize;
        let wanted: BTreeSet<u32> =
            ranges.into_iter().filter(|range| !range.is_empty()).flat_map(|r| chunks(&r)).collect();
        let missing = wanted.into_iter().filter(|chunk| !self.bucket.cache().has(&self.key(*chunk)));
        self.claim(missing.take(most));
    }

    /// Drops what is cached of a range: it was not what it should be.
    pub(crate) fn forget(&self, range: Range<u64>) {
        chunks(&range).for_each(|chunk| self.bucket.cache().forget(&self.key(chunk)));
    }

    /// What is known of each chunk; whatever nobody has is on its way afterwards, neighbours in one request.
    fn claim(&self, chunks: impl Iterator<Item = u32>) -> Vec<(u32, Found)> {
        let (mut claimed, mut run) = (Vec::new(), Vec::<(u32, Arc<Flight>)>::new());
        for chunk in chunks {
            let found = self.bucket.cache().find(&self.key(chunk));
            if let Found::Missing(flight) = &found {
                if run.len() == RUN || run.last().is_some_and(|(last, _)| last + 1 != chunk) {
                    self.depart(std::mem::take(&mut run));
                }
                run.push((chunk, flight.clone()));
            }
            claimed.push((chunk, found));
        }
        self.depart(run);
        claimed
    }

    /// Fetches neighbours, on the lake's own runtime.
    fn depart(&self, run: Vec<(u32, Arc<Flight>)>) {
        let ([(first, _), ..], [.., (last, _)]) = (&*run, &*run) else { return };
        let range = u64::from(*first) * CHUNK..((u64::from(*last) + 1) * CHUNK).min(self.len);
        let departed = Departed { object: self.clone(), run };
        self.bucket.runtime().spawn(async move {
            let bytes = departed.object.bucket.fetch(&departed.object.path, range).await;
            // Files are written, and the lake's threads must not wait for a disk.
            let _ = tokio::task::spawn_blocking(move || departed.land(bytes)).await;
        });
    }

    /// Reads a chunk that the cache claims to have; if it has not, it is fetched after all.
    fn kept(&self, chunk: u32, range: &Range<u64>, into: &mut BytesMut, until: Instant) -> Result<(), FetchError> {
        let (part, at) = (self.part(chunk, range), into.len());
        into.resize(at + (part.end - part.start) as usize, 0);
        for _ in 0..2 {
            if self.bucket.cache().read(&self.key(chunk), part.start, &mut into[at..]).is_ok() {
                return Ok(());
            }
            self.bucket.cache().forget(&self.key(chunk));
            if let [(_, Found::Flying(flight) | Found::Missing(flight))] = &*self.claim(std::iter::once(chunk)) {
                into[at..].copy_from_slice(&self.slice(chunk, &flight.wait(until)?, range)?);
                return Ok(());
            }
        }
        Err(FetchError::Failed("the cache loses what it is given".to_owned()))
    }

    /// The part of a chunk that belongs to a range, counted from the chunk's begin.
    fn part(&self, chunk: u32, range: &Range<u64>) -> Range<u64> {
        let from = u64::from(chunk) * CHUNK;
        range.start.max(from) - from..range.end.min(from + CHUNK) - from
    }

    fn slice(&self, chunk: u32, bytes: &Bytes, range: &Range<u64>) -> Result<Bytes, FetchError> {
        let part = self.part(chunk, range);
        if part.end > bytes.len() as u64 {
            return Err(FetchError::Failed(format!("chunk {chunk} has {} bytes", bytes.len())));
        }
        Ok(bytes.slice(part.start as usize..part.end as usize))
    }

    fn key(&self, chunk: u32) -> Key {
        Key { object: self.path.clone(), chunk }
    }
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Object({}, {} bytes)", self.path, self.len)
    }
}

/// Numbers of the chunks that hold a range, which is not empty.
fn chunks(range: &Range<u64>) -> std::ops::Range<u32> {
    let number = |at: u64| u32::try_from(at).unwrap_or(u32::MAX);
    number(range.start / CHUNK)..number(range.end.div_ceil(CHUNK))
}

/// Flights under way. However they end, nobody waits for ever.
struct Departed {
    object: Object,
    run: Vec<(u32, Arc<Flight>)>,
}

impl Departed {
    fn land(mut self, outcome: Result<Bytes, FetchError>) {
        let (object, run) = (self.object.clone(), std::mem::take(&mut self.run));
        let first = run.first().map_or(0, |(chunk, _)| u64::from(*chunk) * CHUNK);
        let parts: Vec<_> = run
            .iter()
            .map(|(chunk, _)| {
                let from = (u64::from(*chunk) * CHUNK - first) as usize;
                outcome.clone().map(|bytes| bytes.slice(from..bytes.len().min(from + CHUNK as usize)))
            })
            .collect();
        // First those who wait, then the disk.
        for ((_, flight), part) in run.iter().zip(&parts) {
            flight.land(part.clone());
        }
        for ((chunk, flight), part) in run.iter().zip(parts) {
            match part {
                Ok(bytes) => object.bucket.cache().keep(&object.key(*chunk), flight, &bytes),
                Err(_) => object.bucket.cache().give_up(&object.key(*chunk), flight),
            }
        }
    }
}

impl Drop for Departed {
    fn drop(&mut self) {
        for (chunk, flight) in &self.run {
            flight.land(Err(FetchError::Failed("the lake is closing".to_owned())));
            self.object.bucket.cache().give_up(&self.object.key(*chunk), flight);
        }
    }
}
