//! What the log promises, on an in-memory disk that can fail and lose power.

#![allow(clippy::unwrap_used)]

mod damage;
mod disk;
mod faults;
mod random;

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::store::Signal;
use disk::FaultyDisk;

const SECOND: i64 = 1_000_000_000;
const SETTINGS: WalSettings = WalSettings { segment_bytes: 16 << 10, dedupe_window: Duration::from_secs(600) };

/// A request whose every field follows from a number.
fn request(n: u64, body_bytes: usize) -> Request {
    let body: Vec<u8> = (0..body_bytes).map(|i| (n as usize * 31 + i * 7) as u8).collect();
    let signal = [Signal::Traces, Signal::Logs, Signal::Metrics][n as usize % 3];
    Request { signal, received: n as i64 * SECOND, body: Bytes::from(body), hash: u128::from(n) << 64 | 0xfeed }
}

fn key(request: &Request) -> (Signal, i64, &[u8], u128) {
    (request.signal, request.received, &request.body, request.hash)
}

/// A log and what it gave back.
struct Opened {
    wal: Wal,
    report: ReplayReport,
    records: Vec<(u64, Request)>,
    seen: Vec<u128>,
}

fn open(disk: &FaultyDisk, checkpoint: u64) -> Opened {
    try_open(disk, checkpoint, 0).unwrap()
}

fn try_open(disk: &FaultyDisk, checkpoint: u64, now: i64) -> Result<Opened, OpenError> {
    let (mut records, mut seen) = (Vec::new(), Vec::new());
    let (wal, report) = Wal::open(Arc::new(disk.clone()), SETTINGS, checkpoint, now, |replayed| {
        match replayed {
            Replayed::Seen { hash, .. } => seen.push(hash),
            Replayed::Record { sequence, request } => records.push((sequence, request)),
        }
        Ok(())
    })?;
    Ok(Opened { wal, report, records, seen })
}

impl Opened {
    /// Returns when the file after the current one is ready, and the last group marked, so that faults hit
    /// the writer.
    async fn idle(&self) {
        // The first may be answered before the mark is written, the second is taken up after it.
        self.wal.sync().await.unwrap();
        self.wal.sync().await.unwrap();
        let (reply, answer) = std::sync::mpsc::channel();
        self.wal.chores.send(keeper::Chore::Prepare { bytes: 1, reply }).unwrap();
        answer.recv().unwrap().unwrap();
    }

    /// Sequences and contents are those of `request(n, bytes)` in order.
    fn assert_holds(&self, expected: &[(u64, Request)]) {
        assert_eq!(
            self.records.iter().map(|(sequence, request)| (*sequence, key(request))).collect::<Vec<_>>(),
            expected.iter().map(|(sequence, request)| (*sequence, key(request))).collect::<Vec<_>>()
        );
    }
}

/// Appends one after the other, each in a group of its own.
async fn fill(wal: &Wal, numbers: impl IntoIterator<Item = u64>, bytes: usize) -> Vec<(u64, Request)> {
    let mut written = Vec::new();
    for n in numbers {
        let request = request(n, bytes);
        written.push((wal.append(request.clone()).await.unwrap(), request));
    }
    written
}

#[tokio::test]
async fn what_was_appended_is_read_back_in_order() {
    let disk = FaultyDisk::default();
    let log = open(&disk, 0);
    let mut written = fill(&log.wal, 1..=5, 100).await;
    written.extend(fill(&log.wal, 6..=7, 0).await);
    log.wal.close().await;
    let again = open(&disk, 0);
    again.assert_holds(&written);
    assert_eq!(again.report, ReplayReport { records: 7, last_sequence: 7, damage: vec![], torn: None });
    written.extend(fill(&again.wal, 8..=9, 3000).await);
    again.wal.close().await;
    open(&disk, 0).assert_holds(&written);
}

#[tokio::test]
async fn a_closed_log_refuses() {
    let log = open(&FaultyDisk::default(), 0);
    log.wal.close().await;
    assert_eq!(log.wal.append(request(1, 1)).await, Err(WalError::Closed));
    assert_eq!(log.wal.sync().await, Err(WalError::Closed));
    log.wal.close().await;
}

#[tokio::test]
async fn close_answers_what_was_queued() {
    let disk = FaultyDisk::default();
    let wal = Arc::new(open(&disk, 0).wal);
    let appends: Vec<_> = (1..=50)
        .map(|n| {
            tokio::spawn({
                let wal = wal.clone();
                async move { wal.append(request(n, 10)).await }
            })
        })
        .collect();
    tokio::task::yield_now().await;
    wal.close().await;
    let mut acknowledged = 0;
    for append in appends {
        acknowledged += u64::from(append.await.unwrap().is_ok());
    }
    assert_eq!(open(&disk, 0).report.records, acknowledged);
    assert!(acknowledged > 0);
}

#[tokio::test]
async fn many_appends_share_a_sync() {
    let disk = FaultyDisk::default();
    let wal = Arc::new(open(&disk, 0).wal);
    fill(&wal, [0], 10).await;
    let before = disk.syncs();
    disk.slow_syncs(Duration::from_millis(2));
    let appends: Vec<_> = (1..=200)
        .map(|n| {
            tokio::spawn({
                let wal = wal.clone();
                async move { wal.append(request(n, 10)).await.unwrap() }
            })
        })
        .collect();
    let mut sequences = Vec::new();
    for append in appends {
        sequences.push(append.await.unwrap());
    }
    sequences.sort_unstable();
    assert_eq!(sequences, (2..=201).collect::<Vec<_>>());
    let syncs = disk.syncs() - before;
    assert!((1..=40).contains(&syncs), "{syncs} syncs for 200 appends");
}

#[tokio::test]
async fn sync_waits_for_appends_before_it() {
    let disk = FaultyDisk::default();
    let wal = Arc::new(open(&disk, 0).wal);
    disk.slow_syncs(Duration::from_millis(20));
    let append = tokio::spawn({
        let wal = wal.clone();
        async move { wal.append(request(1, 10)).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(wal.sync().await, Ok(1));
    assert_eq!(disk.lose_power(None).records(), [1], "durable when sync returned");
    assert_eq!(append.await.unwrap(), Ok(1));
}

#[tokio::test]
async fn a_checkpoint_retires_files_and_keeps_their_hashes() {
    let disk = FaultyDisk::default();
    let log = open(&disk, 0);
    // Three groups of 4 KiB fill a file: twelve records are four files.
    let written = fill(&log.wal, 1..=12, 3000).await;
    log.wal.checkpoint(8, 12 * SECOND);
    log.wal.close().await;
    assert_eq!(disk.names(".wal"), [log_name(7), log_name(10)], "8 shares a file with 9");
    assert_eq!(disk.names(".seen").len(), 2);
    let again = try_open(&disk, 8, 12 * SECOND).unwrap();
    again.assert_holds(&written[8..]);
    assert_eq!(again.seen, written[..8].iter().map(|(_, request)| request.hash).collect::<Vec<_>>());
    again.wal.close().await;
    // Eleven minutes later only what is still in a file is seen.
    try_open(&disk, 8, 660 * SECOND).unwrap().wal.close().await;
    assert_eq!(disk.names(".seen").len(), 1, "the newest stays, to say up to where there are lists");
}

#[tokio::test]
async fn a_file_used_again_does_not_bring_back_records() {
    let disk = FaultyDisk::default();
    let log = open(&disk, 0);
    let mut written = Vec::new();
    for start in (1..=60).step_by(6) {
        written.extend(fill(&log.wal, start..start + 6, 3000 - start as usize).await);
        log.wal.checkpoint(start, 0);
    }
    log.wal.close().await;
    assert!(disk.reused() > 0, "files are used again");
    let again = open(&disk, 55);
    again.assert_holds(&written[55..]);
    assert_eq!((again.report.damage, again.report.torn), (vec![], None));
}

#[tokio::test]
async fn a_record_larger_than_a_file_gets_its_own() {
    let disk = FaultyDisk::default();
    let log = open(&disk, 0);
    let mut written = fill(&log.wal, [1], 10).await;
    written.extend(fill(&log.wal, [2], 100_000).await);
    written.extend(fill(&log.wal, [3], 10).await);
    assert!(log.wal.bytes() > 100_000);
    log.wal.close().await;
    let again = open(&disk, 0);
    again.assert_holds(&written);
    again.wal.checkpoint(3, 0);
    again.wal.close().await;
    assert_eq!(disk.names(".wal"), Vec::<String>::new());
    assert!(disk.bytes() < 100_000, "the large file is gone, not spare");
}

#[tokio::test]
async fn a_request_too_large_is_refused_and_others_go_on() {
    let log = open(&FaultyDisk::default(), 0);
    let body = Bytes::from(vec![0; MAX_REQUEST + 1]);
    let result = log.wal.append(Request { body, ..request(1, 0) }).await;
    assert_eq!(result, Err(WalError::TooLarge(MAX_REQUEST + 1)));
    assert_eq!(log.wal.append(request(2, 10)).await, Ok(1));
}

#[test]
fn the_window_forgets_by_age_and_by_count() {
    let mut window = DedupeWindow::new(Duration::from_secs(10), 3);
    assert!(window.insert(1, 0));
    assert!(!window.insert(1, 10 * SECOND));
    assert!(window.insert(1, 10 * SECOND + 1), "older than the window");
    assert!(window.insert(2, 11 * SECOND) && window.insert(3, 11 * SECOND) && window.insert(4, 11 * SECOND));
    assert_eq!(window.len(), 3);
    assert!(window.insert(1, 12 * SECOND), "pushed out by count");
    window.remove(4);
    assert!(window.insert(4, 12 * SECOND), "was refused, so it may come again");
    assert!(!window.insert(4, 12 * SECOND));
}

#[tokio::test]
async fn a_real_directory_works_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wal");
    let open = |checkpoint| {
        let mut sequences = Vec::new();
        let files = Arc::new(Disk::new(path.clone()).unwrap());
        let (wal, report) = Wal::open(files, WalSettings { segment_bytes: 1 << 20, ..SETTINGS }, checkpoint, 0, |r| {
            if let Replayed::Record { sequence, .. } = r {
                sequences.push(sequence)
            }
            Ok(())
        })
        .unwrap();
        (wal, report, sequences)
    };
    let (wal, ..) = open(0);
    for n in 1..=30 {
        assert_eq!(wal.append(request(n, 100_000)).await, Ok(n));
    }
    wal.checkpoint(25, 0);
    wal.close().await;
    let (wal, report, sequences) = open(25);
    assert_eq!(sequences, [26, 27, 28, 29, 30]);
    assert_eq!(report.damage, []);
    assert_eq!(wal.append(request(31, 10)).await, Ok(31));
    wal.close().await;
}
