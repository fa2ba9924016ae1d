//! Disks that are full, fail, or write less than they were given.

use std::io::ErrorKind;

use super::disk::Call;
use super::*;

#[tokio::test]
async fn a_full_disk_refuses_and_appends_go_on_when_there_is_room() {
    let disk = FaultyDisk::default();
    let log = open(&disk, 0);
    // Two files fit: the one in use and the one made ahead.
    disk.set_capacity(Some(2 * SETTINGS.segment_bytes));
    let mut written = fill(&log.wal, 1..=6, 3000).await;
    for n in 7..=9 {
        let refused = log.wal.append(request(n, 3000)).await;
        assert!(matches!(refused, Err(WalError::Full(_))), "{refused:?}");
    }
    disk.set_capacity(None);
    written.extend(fill(&log.wal, 10..=20, 3000).await);
    assert_eq!(written.last().map(|(sequence, _)| *sequence), Some(17), "what was refused took no sequence");
    log.wal.close().await;
    let again = open(&disk, 0);
    again.assert_holds(&written);
    assert_eq!(again.report.damage, []);
}

#[tokio::test]
async fn a_checkpoint_makes_room_on_a_full_disk() {
    let disk = FaultyDisk::default();
    let log = open(&disk, 0);
    disk.set_capacity(Some(2 * SETTINGS.segment_bytes + 200));
    fill(&log.wal, 1..=6, 3000).await;
    assert!(log.wal.append(request(7, 3000)).await.is_err());
    log.wal.checkpoint(6, 6 * SECOND);
    assert_eq!(log.wal.append(request(8, 3000)).await, Ok(7));
}

#[tokio::test]
async fn after_a_failed_sync_the_file_is_not_trusted() {
    let disk = FaultyDisk::default();
    let log = open(&disk, 0);
    let mut written = fill(&log.wal, 1..=2, 100).await;
    disk.fail(Call::Sync, ErrorKind::Other);
    // The keeper may be syncing a file of its own: then that one fails, and this needs a second fault.
    while log.wal.append(request(3, 100)).await.is_ok_and(|sequence| {
        written.push((sequence, request(3, 100)));
        true
    }) {
        disk.fail(Call::Sync, ErrorKind::Other);
    }
    written.extend(fill(&log.wal, 4..=5, 100).await);
    assert!(disk.names(".wal").len() >= 2, "goes on in another file");
    // The doomed file keeps nothing that was written after the failure; nothing acknowledged was.
    open(&disk.lose_power(None), 0).assert_holds(&written);
    log.wal.close().await;
    let again = open(&disk, 0);
    again.assert_holds(&written);
    assert_eq!(again.report.damage, [], "what was refused is cut by the next file, not missing");
}

#[tokio::test]
async fn the_next_file_cuts_what_was_refused() {
    let disk = FaultyDisk::default();
    let log = open(&disk, 0);
    let mut written = fill(&log.wal, 1..=2, 100).await;
    log.idle().await;
    disk.fail(Call::Sync, ErrorKind::Other);
    disk.fail(Call::Truncate, ErrorKind::Other);
    assert!(log.wal.append(request(3, 100)).await.is_err());
    assert_eq!(disk.copy().records(), [1, 2, 3], "a kill now: neither answer would be wrong");
    written.extend(fill(&log.wal, 4..=4, 100).await);
    open(&disk.copy(), 0).assert_holds(&written);
}

#[tokio::test]
async fn what_a_killed_process_left_is_durable_once_it_is_read() {
    let disk = FaultyDisk::default();
    let log = open(&disk, 0);
    fill(&log.wal, 1..=2, 100).await;
    log.idle().await;
    // The write is done, the sync is not.
    disk.power_off_after(1);
    assert!(log.wal.append(request(3, 100)).await.is_err());
    let killed = disk.copy();
    assert_eq!(killed.lose_power(None).records(), [1, 2]);
    assert_eq!(killed.records(), [1, 2, 3]);
    assert_eq!(killed.lose_power(None).records(), [1, 2, 3]);
}

#[tokio::test]
async fn any_call_that_fails_refuses_at_most_and_is_got_over() {
    for call in [Call::Allocate, Call::Write, Call::Sync, Call::Rename, Call::SyncNames] {
        for before in 0..6 {
            let disk = FaultyDisk::default();
            let log = open(&disk, 0);
            let mut written = fill(&log.wal, 1..=before, 3000).await;
            disk.fail(call, ErrorKind::Other);
            disk.fail(call, ErrorKind::Other);
            for n in 10..=20 {
                if let Ok(sequence) = log.wal.append(request(n, 3000)).await {
                    written.push((sequence, request(n, 3000)));
                }
            }
            assert!(written.len() as u64 >= before + 9, "{call:?}: two faults refuse at most two appends");
            log.wal.close().await;
            for disk in [disk.copy(), disk.lose_power(None), disk.lose_power(Some(7))] {
                let again = open(&disk, 0);
                again.assert_holds(&written);
                assert_eq!(again.report.damage, [], "{call:?}");
            }
        }
    }
}

#[tokio::test]
async fn short_writes_are_continued() {
    let disk = FaultyDisk::default();
    disk.limit_writes(1000);
    let log = open(&disk, 0);
    let written = fill(&log.wal, 1..=5, 3333).await;
    log.wal.close().await;
    open(&disk, 0).assert_holds(&written);
}

#[tokio::test]
async fn a_retirement_that_fails_is_tried_again() {
    let disk = FaultyDisk::default();
    let log = open(&disk, 0);
    fill(&log.wal, 1..=9, 3000).await;
    disk.fail(Call::Rename, ErrorKind::Other);
    log.wal.checkpoint(6, 6 * SECOND);
    log.wal.checkpoint(6, 6 * SECOND);
    log.wal.close().await;
    assert_eq!(disk.names(".wal"), [log_name(7)]);
    let again = try_open(&disk, 6, 6 * SECOND).unwrap();
    assert_eq!((again.report.records, again.seen.len()), (3, 6));
}
