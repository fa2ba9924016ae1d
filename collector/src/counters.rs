//! What the collector has done since it started, for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};

use storage::store::Signal;

/// Counts of one signal.
#[derive(Debug, Default)]
pub struct SignalCounters {
    /// Requests read, whatever the answer.
    pub requests: AtomicU64,
    /// Bytes as sent, before decompression.
    pub bytes_received: AtomicU64,
    /// Rows stored and acknowledged.
    pub accepted: AtomicU64,
    /// Rows that could not be stored, told to the sender as partial success.
    pub rejected: AtomicU64,
    /// Requests that had been stored before.
    pub duplicates: AtomicU64,
}

/// Counts of all signals; relaxed, each for itself.
#[derive(Debug, Default)]
pub struct Counters {
    pub traces: SignalCounters,
    pub logs: SignalCounters,
    pub metrics: SignalCounters,
    /// Requests refused for lack of memory, a busy store or a failing disk; the sender may retry.
    pub refused_busy: AtomicU64,
    /// Requests refused because they exceed a limit.
    pub refused_too_large: AtomicU64,
    /// Requests refused because they cannot be read or are not served.
    pub refused_bad: AtomicU64,
    /// Requests given up because their body did not arrive in time, or at all.
    pub refused_slow: AtomicU64,
    /// Connections now open.
    pub connections: AtomicU64,
}

impl Counters {
    pub fn of(&self, signal: Signal) -> &SignalCounters {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Logs => &self.logs,
            Signal::Metrics => &self.metrics,
        }
    }

    /// Every count by name and signal, in a fixed order: name, signal if it has one, value.
    pub fn read(&self) -> Vec<(&'static str, Option<&'static str>, u64)> {
        let mut all = Vec::new();
        for (signal, counters) in [("traces", &self.traces), ("logs", &self.logs), ("metrics", &self.metrics)] {
            for (name, count) in [
                ("requests", &counters.requests),
                ("bytes_received", &counters.bytes_received),
                ("accepted_rows", &counters.accepted),
                ("rejected_rows", &counters.rejected),
                ("duplicate_requests", &counters.duplicates),
            ] {
                all.push((name, Some(signal), get(count)));
            }
        }
        for (name, count) in [
            ("refused_busy", &self.refused_busy),
            ("refused_too_large", &self.refused_too_large),
            ("refused_bad", &self.refused_bad),
            ("refused_slow", &self.refused_slow),
            ("connections", &self.connections),
        ] {
            all.push((name, None, get(count)));
        }
        all
    }
}

pub(crate) fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
