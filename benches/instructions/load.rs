//! Spans of shape T1, and what to ask of them.

use bench::generate::t1::{self, KEYS, SPANS_A_TRACE, VALUES};
use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Deterministic: the same seed and time give the same bytes.
pub(crate) struct Load {
    traces: Vec<[u8; 16]>,
    seed: u64,
    start: u64,
}

impl Load {
    /// Spans that begin at `start`, ns since the epoch, or soon after.
    pub(crate) fn new(spans: usize, seed: u64, start: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let traces = (0..spans / SPANS_A_TRACE).map(|_| random.random()).collect();
        Self { traces, seed, start }
    }

    /// Encoded export requests, newest first: they are popped from the end.
    pub(crate) fn requests(&self, batch: usize) -> Vec<Bytes> {
        let mut random = SmallRng::seed_from_u64(self.seed + 1);
        let mut requests: Vec<Bytes> = self
            .traces
            .chunks(batch / SPANS_A_TRACE)
            .enumerate()
            .map(|(number, traces)| {
                let first = (number * (batch / SPANS_A_TRACE)) as u64;
                let starts = (first..).map(|at| self.start + at * 1_000_000);
                let spans = traces.iter().zip(starts).flat_map(|(trace, start)| t1::spans(&mut random, *trace, start));
                t1::request(spans).into()
            })
            .collect();
        requests.reverse();
        requests
    }

    /// Trace ids spread over the whole load, as hex.
    pub(crate) fn sample(&self, count: usize) -> impl Iterator<Item = String> {
        let step = (self.traces.len() / count).max(1);
        self.traces.iter().step_by(step).take(count).map(|id| id.iter().map(|b| format!("{b:02x}")).collect())
    }

    /// Attributes that some spans have.
    pub(crate) fn pairs(&self, count: u32) -> impl Iterator<Item = (String, String)> {
        (0..count).map(|n| (format!("key-{}", n * 7 % KEYS), format!("value-{}", n * 131 % VALUES)))
    }
}
