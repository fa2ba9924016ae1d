//! A way in for other servers of this process, which have turned what they received into OTLP.

use std::sync::Arc;

use bytes::Bytes;
use storage::store::Signal;
use storage::tenant::Tenants;
use tokio::sync::mpsc;
use xxhash_rust::xxh3::Xxh3;

use super::ingest::{Format, Ingest, Sink};
use super::intake::Payload;
use super::settings::Settings;
use crate::counters::{Counters, add};

/// What a request takes of the budget before its size is looked at.
const FIRST_SHARE: usize = 64 << 10;

/// Takes trace requests by the same rules as the receivers: bounded, durable before the answer, a retry known
/// by its hash.
pub struct Inlet<S> {
    ingest: Arc<Ingest<S>>,
}

impl<S> Clone for Inlet<S> {
    fn clone(&self) -> Self {
        Self { ingest: self.ingest.clone() }
    }
}

/// Why a request was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Status that HTTP has for it.
    pub status: u16,
    /// Seconds after which to come again, where that helps.
    pub retry_after_s: Option<u32>,
    pub message: String,
}

impl<S: Sink> Inlet<S> {
    /// One for each tenant; all share a budget.
    pub fn for_tenants(settings: &Settings, sinks: &Tenants<Arc<S>>, counters: Arc<Counters>) -> Tenants<Self> {
        // Its requests are awaited by whoever serves them: nobody listens for their end here.
        let (running, _) = mpsc::channel(1);
        Ingest::of_all(settings, sinks, counters, running).map(|_, ingest| Self { ingest: ingest.clone() })
    }

    /// Stores spans. `otlp` is an `ExportTraceServiceRequest`; `sent` are the bytes it was made of: a sender's
    /// retry has the same. Returns why some spans were not storable, empty where all were.
    ///
    /// # Errors
    /// Nothing of the request is kept.
    pub async fn traces(&self, otlp: Bytes, sent: &[u8]) -> Result<String, Refused> {
        let taken = self.take(otlp, sent).await;
        taken.map_err(|refusal| {
            add(refusal.counter(&self.ingest.counters), 1);
            Refused {
                status: refusal.http_status().as_u16(),
                retry_after_s: refusal.retry_after_s(),
                message: refusal.status().message,
            }
        })
    }

    async fn take(&self, otlp: Bytes, sent: &[u8]) -> Result<String, super::refusal::Refusal> {
        let mut hash = Xxh3::new();
        // Never the hash of the same bytes as a request of OTLP.
        hash.update(b"inlet");
        hash.update(sent);
        let mut share = self.ingest.budget.admit(FIRST_SHARE).await?;
        share.grow_to(otlp.len())?;
        let payload = Payload { bytes: otlp, hash: hash.digest128(), received: sent.len(), share };
        let outcome = self.ingest.take(Signal::Traces, Format::Protobuf, payload).await?;
        Ok(outcome.message)
    }
}
