//! Copies of a log, and names that are taken. Whole stores under load are in `tests/backup.py`.

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::store::{Request, Signal};
use crate::wal::{Disk, Replayed, Wal, WalSettings, verify};

fn request(number: i64, body: Vec<u8>) -> Request {
    Request { signal: Signal::Logs, received: number, body: Bytes::from(body), hash: number as u128 }
}

/// Bodies of all requests in a log.
fn bodies(directory: &Path) -> Vec<Bytes> {
    let mut bodies = Vec::new();
    let files = Disk::new(directory.to_owned()).expect("a log");
    let report = verify(&files, 0, |replayed| {
        if let Replayed::Record { request, .. } = replayed {
            bodies.push(request.body);
        }
        Ok(())
    });
    assert_eq!(report.expect("readable").damage, []);
    bodies
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_copied_to_its_last_byte_and_not_beyond() {
    let dir = tempfile::tempdir().expect("a directory");
    let (from, to) = (dir.path().join("wal"), dir.path().join("copy"));
    let files = Arc::new(Disk::new(from.clone()).expect("a directory"));
    let (wal, _) = Wal::open(files, WalSettings::default(), 0, 0, |_| Ok(())).expect("opens");
    // The second ends in more zeros than a block has.
    for (number, body) in [vec![7; 5000], vec![0; 20_000]].into_iter().enumerate() {
        wal.append(request(number as i64 + 1, body)).await.expect("appended");
    }
    let bytes = log::copy(&from, &to).expect("copied");
    assert!((25_000..64 << 10).contains(&bytes), "{bytes} bytes");
    assert_eq!(bodies(&to), [vec![7; 5000], vec![0; 20_000]]);
    // What comes later is not in the copy, and the copy is a log that goes on.
    wal.append(request(3, vec![1])).await.expect("appended");
    wal.close().await;
    assert_eq!(bodies(&to).len(), 2);
    let files = Arc::new(Disk::new(to.clone()).expect("a directory"));
    let (wal, report) = Wal::open(files, WalSettings::default(), 0, 0, |_| Ok(())).expect("opens");
    assert_eq!((report.records, report.torn), (2, None));
    assert_eq!(wal.append(request(4, vec![2])).await.expect("appended"), 3);
    wal.close().await;
}

#[test]
fn only_what_is_surely_half_a_backup_is_removed() {
    let dir = tempfile::tempdir().expect("a directory");
    let (from, to) = (dir.path().join("data"), dir.path().join("copy"));
    fs::create_dir_all(from.join("lake")).expect("made");
    let refusal = |to: &Path| match Target::prepare(&from, to) {
        Err(BackupError::Refused(why)) => why,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("{} was taken", to.display()),
    };
    assert!(refusal(&from).contains("exists already"));
    assert!(refusal(&from.join("lake/copy")).contains("in the data directory itself"));
    assert!(refusal(Path::new("/")).contains("names no directory"));

    let first = Target::prepare(&from, &to).expect("free");
    assert!(refusal(&to).contains("another backup is writing"));
    fs::write(first.partial.join("half"), "done").expect("written");
    drop(first);
    let second = Target::prepare(&from, &to).expect("what was left is removed");
    assert!(!second.partial.join("half").exists());
    fs::write(second.partial.join(UNFINISHED), "a catalogue").expect("written");
    second.finish(&[PathBuf::new()]).expect("named");
    assert!(to.join(CATALOG_FILE).is_file());

    let other = dir.path().join("other.partial");
    fs::create_dir(&other).expect("made");
    fs::write(other.join("letter"), "mine").expect("written");
    assert!(refusal(&dir.path().join("other")).contains("no unfinished backup"));
    fs::write(other.join(CATALOG_FILE), "a catalogue").expect("written");
    assert!(refusal(&dir.path().join("other")).contains("a whole data directory"));
}
