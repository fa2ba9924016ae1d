//! Any history of appends, faults, checkpoints, kills and power cuts keeps the promise.

use std::io::ErrorKind;

use proptest::prelude::*;

use super::disk::Call;
use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// So many appends of so many bytes at once.
    Append {
        count: u8,
        bytes: u16,
    },
    Checkpoint {
        back: u8,
    },
    Fail(Call),
    /// Nothing works after so many calls; then what was durable is opened again, with any of the rest.
    PowerCut {
        calls: u8,
        appends: u8,
        seed: Option<u64>,
    },
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    let call = prop::sample::select(vec![Call::Allocate, Call::Write, Call::Sync, Call::Rename, Call::SyncNames]);
    prop_oneof![
        4 => (1u8..20, 0u16..6000).prop_map(|(count, bytes)| Step::Append { count, bytes }),
        2 => (0u8..30).prop_map(|back| Step::Checkpoint { back }),
        1 => call.prop_map(Step::Fail),
        1 => (0u8..40, 1u8..20, any::<Option<u64>>()).prop_map(|(calls, appends, seed)| Step::PowerCut { calls, appends, seed }),
        1 => Just(Step::Kill),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn acknowledged_is_there_once_and_refused_never_twice(steps in prop::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(History::default().run(steps));
    }
}

/// What was asked of a log, and what it answered.
#[derive(Default)]
struct History {
    disk: FaultyDisk,
    sent: u64,
    /// By sequence.
    acknowledged: BTreeMap<u64, Request>,
    checkpoint: u64,
}

impl History {
    async fn run(mut self, steps: Vec<Step>) {
        let mut wal = Arc::new(open(&self.disk, 0).wal);
        for step in steps {
            match step {
                Step::Append { count, bytes } => self.append(&wal, count, bytes.into()).await,
                Step::Checkpoint { back } => {
                    let last = self.acknowledged.keys().next_back().copied().unwrap_or(0);
                    self.checkpoint = self.checkpoint.max(last.saturating_sub(back.into()));
                    wal.checkpoint(self.checkpoint, self.sent as i64 * SECOND);
                }
                Step::Fail(call) => self.disk.fail(call, ErrorKind::Other),
                Step::PowerCut { calls, appends, seed } => {
                    self.disk.power_off_after(calls.into());
                    self.append(&wal, appends, 500).await;
                    self.disk.power_off_after(0);
                    wal.close().await;
                    self.disk = self.disk.lose_power(seed);
                    wal = self.reopen();
                }
                Step::Kill => {
                    // The disk is copied first, so the old process cannot tidy up.
                    self.disk = self.disk.copy();
                    wal = self.reopen();
                }
            }
        }
        wal.close().await;
        self.disk = self.disk.copy();
        self.reopen();
    }

    async fn append(&mut self, wal: &Arc<Wal>, count: u8, bytes: usize) {
        let appends: Vec<_> = (0..count)
            .map(|_| {
                self.sent += 1;
                let (wal, request) = (wal.clone(), request(self.sent, bytes));
                tokio::spawn(async move { (wal.append(request.clone()).await, request) })
            })
            .collect();
        for append in appends {
            if let (Ok(sequence), request) = append.await.unwrap() {
                assert!(self.acknowledged.insert(sequence, request).is_none(), "sequence {sequence} given twice");
            }
        }
    }

    /// Opens the disk again and compares with what was acknowledged.
    fn reopen(&mut self) -> Arc<Wal> {
        let now = self.sent as i64 * SECOND;
        let log = try_open(&self.disk, self.checkpoint, now).unwrap();
        let found: BTreeMap<u64, &Request> =
            log.records.iter().map(|(sequence, request)| (*sequence, request)).collect();
        assert_eq!(found.len(), log.records.len(), "a sequence twice");
        for (sequence, request) in self.acknowledged.range(self.checkpoint + 1..) {
            assert_eq!(found.get(sequence).map(|found| key(found)), Some(key(request)), "acknowledged {sequence}");
        }
        for damage in &log.report.damage {
            let lost = damage.lost.as_ref().and_then(|lost| self.acknowledged.range(lost.clone()).next());
            assert_eq!(lost.map(|(sequence, _)| sequence), None, "{damage:?}");
        }
        let mut hashes: Vec<u128> = log.records.iter().map(|(_, request)| request.hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), log.records.len(), "a request twice");
        // Within the window every acknowledged request is known, whichever file it was in.
        hashes.extend(&log.seen);
        let window = now - SETTINGS.dedupe_window.as_nanos() as i64;
        for request in self.acknowledged.values().filter(|request| request.received >= window) {
            assert!(hashes.contains(&request.hash), "hash of an acknowledged request");
        }
        // What was neither acknowledged nor lost is in the log from now on.
        self.acknowledged.extend(log.records.iter().cloned());
        Arc::new(log.wal)
    }
}
