//! Logs whose bytes are cut, zeroed, flipped or not ours.

use std::io::Write as _;
use std::ops::Range;

use super::*;
use crate::wal::frame::{BLOCK, HEAD};
use crate::wal::replay::replay;

/// Five records in groups of their own, in one file.
async fn small_log() -> (FaultyDisk, Vec<(u64, Request)>) {
    let disk = FaultyDisk::default();
    let log = open(&disk, 0);
    let mut written = fill(&log.wal, 1..=1, 40).await;
    written.extend(fill(&log.wal, 2..=3, 50).await);
    log.wal.close().await;
    (disk, written)
}

/// Two records in groups of their own, then three in one group that ends the file; and where their frames lie.
async fn log_with_a_group_of_three() -> (FaultyDisk, Vec<(u64, Request)>, Vec<Range<usize>>) {
    let disk = FaultyDisk::default();
    let log = open(&disk, 0);
    let mut written = fill(&log.wal, 1..=1, 40).await;
    log.idle().await;
    let wal = Arc::new(log.wal);
    // While one is being synced the others gather.
    disk.slow_syncs(Duration::from_millis(100));
    let append = |n| {
        let (wal, request) = (wal.clone(), request(n, 30 + n as usize));
        tokio::spawn(async move { (wal.append(request.clone()).await.unwrap(), request) })
    };
    let mut appends = vec![append(2)];
    tokio::time::sleep(Duration::from_millis(30)).await;
    appends.extend((3..=5).map(append));
    for append in appends {
        written.push(append.await.unwrap());
    }
    disk.slow_syncs(Duration::ZERO);
    wal.close().await;
    let mut frames = frames(&written[..3]);
    for (_, request) in &written[3..] {
        let start = frames.last().unwrap().end;
        frames.push(start..start + HEAD + request.body.len());
    }
    assert_eq!(disk.content(&log_name(1))[frames[4].start..][..4], disk.content(&log_name(1))[BLOCK as usize..][..4]);
    (disk, written, frames)
}

/// What a torn write may leave of the bytes from `at` on: nothing, zeros, anything.
fn torn(whole: &[u8], at: usize) -> [Vec<u8>; 3] {
    let garbage = (at..whole.len()).map(|i| (i * 131 % 251) as u8 | 1);
    let kept = &whole[..at];
    let zeros = std::iter::repeat_n(0, whole.len() - at);
    [kept.to_vec(), kept.iter().copied().chain(zeros).collect(), kept.iter().copied().chain(garbage).collect()]
}

/// Tears the last group at every byte; the places after which a record is wrong, too many or missing.
fn wrong_after_tears(disk: &FaultyDisk, written: &[(u64, Request)], frames: &[Range<usize>]) -> Vec<usize> {
    let whole = disk.content(&log_name(1));
    let group = frames[2].start;
    let end = frames[4].end.next_multiple_of(BLOCK as usize).min(whole.len());
    let mut wrong = Vec::new();
    for at in group..=end {
        let before = frames.iter().take_while(|frame| frame.end <= at).count();
        for torn in torn(&whole, at) {
            let disk = disk.copy();
            disk.replace(&log_name(1), torn);
            let (records, report) = read(&disk);
            let same = |(found, expected): (&(u64, Request), &(u64, Request))| {
                found.0 == expected.0 && key(&found.1) == key(&expected.1)
            };
            let right = records.len() == before && records.iter().zip(written).all(same);
            if !right || !report.damage.is_empty() {
                wrong.push(at);
            }
        }
    }
    wrong
}

#[tokio::test]
async fn a_group_torn_at_any_byte_keeps_what_is_whole_and_nothing_else() {
    let (disk, written, frames) = log_with_a_group_of_three().await;
    assert_eq!(wrong_after_tears(&disk, &written, &frames), Vec::<usize>::new());
    // The same without checksums: this test would notice.
    let wrong = crate::fault::tests::with("bug.skip-crc", || wrong_after_tears(&disk, &written, &frames));
    assert!(wrong.len() > 100, "a record that is not as it was written goes unnoticed");
}

#[tokio::test]
async fn appends_after_a_torn_group_are_read_back() {
    let (disk, written, frames) = log_with_a_group_of_three().await;
    let whole = disk.content(&log_name(1));
    let places = frames[2..].iter().flat_map(|frame| [frame.start, frame.start + 1, frame.start + HEAD, frame.end - 1]);
    for at in places.chain([frames[4].end, whole.len()]) {
        for torn in torn(&whole, at) {
            let disk = disk.copy();
            disk.replace(&log_name(1), torn);
            let mut expected = written[..frames.iter().take_while(|frame| frame.end <= at).count()].to_vec();
            let log = open(&disk, 0);
            log.assert_holds(&expected);
            expected.extend(fill(&log.wal, 6..=7, 50).await);
            log.wal.close().await;
            open(&disk, 0).assert_holds(&expected);
            open(&disk.lose_power(None), 0).assert_holds(&expected);
        }
    }
}

/// Where the frames of a small log lie.
fn frames(written: &[(u64, Request)]) -> Vec<Range<usize>> {
    let start = |i: usize| BLOCK as usize * (i + 1);
    written.iter().enumerate().map(|(i, (_, request))| start(i)..start(i) + HEAD + request.body.len()).collect()
}

/// Reads a log without starting it.
fn read(disk: &FaultyDisk) -> (Vec<(u64, Request)>, ReplayReport) {
    let mut records = Vec::new();
    let found = replay(disk, &SETTINGS, 0, 0, |replayed| {
        if let Replayed::Record { sequence, request } = replayed {
            records.push((sequence, request));
        }
        Ok(())
    })
    .unwrap();
    (records, found.report)
}

#[tokio::test]
async fn a_tail_torn_anywhere_costs_only_what_lies_behind() {
    let (disk, written) = small_log().await;
    let whole = disk.content(&log_name(1));
    let frames = frames(&written);
    let garbage: Vec<u8> = (0..whole.len()).map(|i| (i * 131 % 251) as u8 | 1).collect();
    let places = (0..24).chain(frames.iter().flat_map(|frame| frame.start..frame.end + 2)).chain([whole.len()]);
    for at in places {
        let cut = whole[..at].to_vec();
        let zeros = [&whole[..at], &vec![0; whole.len() - at]].concat();
        let garbage = [&whole[..at], &garbage[at..]].concat();
        for torn in [cut, zeros, garbage] {
            let disk = disk.copy();
            disk.replace(&log_name(1), torn);
            let before = frames.iter().take_while(|frame| frame.end <= at).count();
            let log = open(&disk, 0);
            let mut expected = written[..before].to_vec();
            log.assert_holds(&expected);
            assert!(log.report.damage.iter().all(|damage| damage.lost.is_none()), "{at}: {:?}", log.report);
            expected.push((log.wal.append(request(9, 60)).await.unwrap(), request(9, 60)));
            log.wal.close().await;
            open(&disk, 0).assert_holds(&expected);
        }
    }
}

#[tokio::test]
async fn a_flipped_bit_is_never_a_wrong_record() {
    let (disk, written) = small_log().await;
    let whole = disk.content(&log_name(1));
    let frames = frames(&written);
    for at in 0..whole.len() {
        let disk = disk.copy();
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        disk.replace(&log_name(1), flipped);
        let (records, report) = read(&disk);
        let hit = frames.iter().position(|frame| frame.contains(&at));
        let expected: Vec<_> = written.iter().enumerate().filter(|(i, _)| Some(*i) != hit).map(|(_, w)| w).collect();
        assert_eq!(records.len(), expected.len(), "at {at}");
        for (found, expected) in records.iter().zip(expected) {
            assert_eq!((found.0, key(&found.1)), (expected.0, key(&expected.1)), "at {at}");
        }
        match hit {
            // Behind the last record there is no room for a mark: it might never have been acknowledged.
            Some(2) => assert!(report.damage.is_empty(), "at {at}"),
            Some(i) => assert_eq!(report.damage[0].lost, Some(written[i].0..=written[i].0), "at {at}"),
            None => assert_eq!(report.damage.len(), usize::from(at < 24), "at {at}: {:?}", report.damage),
        }
    }
}

#[tokio::test]
async fn a_mark_tells_damage_from_a_torn_write() {
    let disk = FaultyDisk::default();
    let log = open(&disk, 0);
    let written = fill(&log.wal, 1..=2, 50).await;
    log.wal.close().await;
    let whole = disk.content(&log_name(1));
    let frames = frames(&written);
    let mark = 3 * BLOCK as usize;
    for at in frames[1].clone().chain(mark..mark + BLOCK as usize) {
        let disk = disk.copy();
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        disk.replace(&log_name(1), flipped);
        let (records, report) = read(&disk);
        let lost: Vec<_> = report.damage.iter().filter_map(|damage| damage.lost.clone()).collect();
        match at < mark {
            true => assert_eq!((records.len(), lost, report.last_sequence), (1, vec![2..=2], 2), "at {at}"),
            false => assert_eq!((records.len(), report.damage.len()), (2, 0), "at {at}"),
        }
        // What is lost is not given out again.
        let log = open(&disk, 0);
        assert_eq!(log.wal.append(request(3, 10)).await, Ok(3), "at {at}");
    }
}

#[tokio::test]
async fn damage_in_the_middle_is_told_and_the_rest_is_read() {
    let disk = FaultyDisk::default();
    let log = open(&disk, 0);
    let written = fill(&log.wal, 1..=9, 3000).await;
    log.wal.close().await;
    // The end of the first file, with its last record, is zeros; the second file has gone.
    let mut first = disk.content(&log_name(1));
    first[3 * BLOCK as usize..].fill(0);
    disk.replace(&log_name(1), first);
    disk.remove(&log_name(4)).unwrap();
    let again = open(&disk, 0);
    again.assert_holds(&[&written[..2], &written[6..]].concat());
    let [damage] = &again.report.damage[..] else { panic!("{:?}", again.report.damage) };
    assert_eq!((damage.file.as_str(), &damage.lost), (log_name(1).as_str(), &Some(3..=6)));
    assert_eq!(again.report.last_sequence, 9);
    assert_eq!(again.wal.append(request(10, 1)).await, Ok(10));
}

#[tokio::test]
async fn missing_first_files_are_told() {
    let disk = FaultyDisk::default();
    let log = open(&disk, 0);
    fill(&log.wal, 1..=6, 3000).await;
    log.wal.close().await;
    disk.remove(&log_name(1)).unwrap();
    assert_eq!(open(&disk, 0).report.damage[0].lost, Some(1..=3));
    let [damage] = &open(&disk, 3).report.damage[..] else { panic!("rows are kept elsewhere, hashes are not") };
    assert!(damage.lost.is_none() && damage.what.contains("hashes"), "{damage:?}");
}

#[tokio::test]
async fn a_missing_list_of_hashes_is_told() {
    let disk = FaultyDisk::default();
    let log = open(&disk, 0);
    fill(&log.wal, 1..=12, 3000).await;
    log.wal.checkpoint(9, 12 * SECOND);
    log.wal.close().await;
    let lists = disk.names(".seen");
    assert_eq!(lists.len(), 3);
    let damage = |disk: &FaultyDisk, now| try_open(disk, 9, now).unwrap().report.damage;
    assert_eq!(damage(&disk.copy(), 12 * SECOND), []);
    for gone in &lists {
        let disk = disk.copy();
        disk.remove(gone).unwrap();
        assert_eq!(damage(&disk, 12 * SECOND).len(), 1, "{gone}");
    }
    let copy = disk.copy();
    lists.iter().for_each(|list| copy.remove(list).unwrap());
    assert_eq!(damage(&copy, 12 * SECOND).len(), 1, "all are gone");
    disk.remove(&lists[0]).unwrap();
    assert_eq!(damage(&disk, 660 * SECOND), [], "nobody needs it any more");
}

#[tokio::test]
async fn a_damaged_list_of_hashes_is_told() {
    let disk = FaultyDisk::default();
    let log = open(&disk, 0);
    fill(&log.wal, 1..=6, 3000).await;
    log.wal.checkpoint(3, 0);
    log.wal.close().await;
    let name = disk.names(".seen").remove(0);
    let whole = disk.content(&name);
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        disk.replace(&name, flipped);
        assert_eq!(read(&disk).1.damage[0].file, name, "at {at}");
        disk.replace(&name, whole[..at].to_vec());
        assert_eq!(read(&disk).1.damage[0].file, name, "cut at {at}");
    }
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let (disk, _) = small_log().await;
    let mut bytes = disk.content(&log_name(1));
    bytes[8] = 9;
    let crc = crc32fast::hash(&[&bytes[..12], &bytes[16..24]].concat());
    (&mut bytes[12..16]).write_all(&crc.to_le_bytes()).unwrap();
    disk.replace(&log_name(1), bytes);
    let Err(error) = try_open(&disk, 0, 0) else { panic!("opened") };
    assert!(matches!(error, OpenError::Version { found: 9, .. }), "{error}");
    assert!(error.to_string().contains("format version 9"));
}

#[tokio::test]
async fn a_caller_can_stop_the_replay() {
    let (disk, _) = small_log().await;
    let stopped = Wal::open(Arc::new(disk), SETTINGS, 0, 0, |_| Err("no more".into()));
    assert!(matches!(stopped.err(), Some(OpenError::Stopped(why)) if why == "no more"));
}

#[tokio::test]
async fn other_files_in_the_directory_are_left_alone() {
    let (disk, written) = small_log().await;
    for name in ["notes.txt", "7.wal", "x.wal", "wal"] {
        disk.replace(name, b"mine".to_vec());
    }
    disk.replace("new-1.tmp", vec![0; 100]);
    open(&disk, 0).assert_holds(&written);
    assert_eq!(disk.content("7.wal"), b"mine");
    assert!(!disk.names(".tmp").contains(&"new-1.tmp".to_owned()) || disk.content("new-1.tmp").len() != 100);
}
