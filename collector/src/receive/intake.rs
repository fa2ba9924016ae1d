//! Reading a body: admitted before the first byte, bounded while it comes, hashed as sent.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use storage::store::Signal;
use tokio::time::Instant;
use xxhash_rust::xxh3::Xxh3;

use super::admission::{Budget, Share};
use super::inflate::{Encoding, Inflate};
use super::refusal::Refusal;
use super::settings::SLOWEST_BODY;

/// What a request takes of the budget before anything of it is read.
const FIRST_SHARE: usize = 64 << 10;

/// Compressed bytes decompressed at a time: at most 4 MiB come of them.
const PIECE: usize = 4 << 10;

/// Decompressed bytes after which other requests get their turn.
const TURN: usize = 1 << 20;

/// A whole body, decompressed.
pub(super) struct Payload {
    pub(super) bytes: Bytes,
    /// Of the signal and the bytes as sent: an exporter's retry has the same.
    pub(super) hash: u128,
    /// Bytes as sent.
    pub(super) received: usize,
    pub(super) share: Share,
}

/// A body while it is taken in.
pub(super) struct Intake {
    inflate: Inflate,
    hash: Xxh3,
    received: usize,
}

impl Intake {
    pub(super) async fn begin(
        signal: Signal,
        encoding: Encoding,
        limit: usize,
        budget: &Budget,
    ) -> Result<Self, Refusal> {
        let share = budget.admit(FIRST_SHARE).await?;
        let mut hash = Xxh3::new();
        hash.update(&[signal as u8]);
        Ok(Self { inflate: Inflate::new(encoding, limit, share)?, hash, received: 0 })
    }

    pub(super) async fn push(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        self.hash.update(chunk);
        self.received += chunk.len();
        let mut turn = self.inflate.len();
        for piece in chunk.chunks(PIECE) {
            self.inflate.push(piece)?;
            if self.inflate.len() - turn > TURN {
                turn = self.inflate.len();
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Payload, Refusal> {
        let (bytes, share) = self.inflate.finish()?;
        Ok(Payload { bytes: bytes.into(), hash: self.hash.digest128(), received: self.received, share })
    }
}

/// The chunks of a body, each awaited no longer than a sender of the least speed would need.
pub(super) struct Chunks<B> {
    body: B,
    patience: Duration,
    begun: Instant,
    received: u64,
}

impl<B> Chunks<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    pub(super) fn of(body: B, patience: Duration) -> Self {
        Self { body, patience, begun: Instant::now(), received: 0 }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            let deadline = self.begun + self.patience + Duration::from_secs(self.received / SLOWEST_BODY);
            let frame = tokio::time::timeout_at(deadline, self.body.frame()).await;
            let frame = frame.map_err(|_| Refusal::Slow("the body did not arrive in time".into()))?;
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(Refusal::Slow(format!("the body broke off: {error}"))),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.received += data.len() as u64;
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// Reads on for a moment after a refusal, so that a sender who is still writing gets to read the
    /// answer, and the connection can be used again.
    pub(super) async fn discard(self) {
        const MOST: u64 = 4 << 20;
        const LONGEST: Duration = Duration::from_millis(500);
        let begun = self.received;
        let mut chunks = pin!(self);
        let rest = async {
            while let Ok(Some(_)) = chunks.next().await {
                if chunks.received - begun > MOST {
                    break;
                }
            }
        };
        // Whatever came of it, the answer is the refusal.
        let _ = tokio::time::timeout(LONGEST, rest).await;
    }
}
