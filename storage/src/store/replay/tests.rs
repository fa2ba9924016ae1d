//! What a start promises while the log comes back.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::testing::{TestSpan, spans};

/// A request is the number of a trace, as text, and padding; decoding can be held up, and fails on demand.
#[derive(Default)]
struct Slow {
    held: AtomicBool,
    fails_at: AtomicU64,
}

impl Decode for Slow {
    fn decode(&self, request: &Request) -> Result<Rows, String> {
        while self.held.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let text = std::str::from_utf8(&request.body).map_err(|error| error.to_string())?;
        let trace: u64 = text.trim().parse().map_err(|_| format!("{text:?} is no number"))?;
        if trace == self.fails_at.load(Ordering::SeqCst) {
            return Err("told to fail".to_owned());
        }
        Ok(vec![(Table::Spans, spans(&[TestSpan::new(trace, trace, trace as i64)]))])
    }
}

fn request(trace: u64) -> Request {
    let body = format!("{trace:>5000}");
    Request { signal: Signal::Traces, received: Clock::system().now(), hash: trace.into(), body: body.into() }
}

fn settings(dir: &std::path::Path) -> Settings {
    Settings { flush_age: Duration::from_secs(3600), ..Settings::new(dir) }
}

/// A data directory whose log has the traces 1 to `last`, and no segments.
async fn logged(last: u64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let decode = Arc::new(Slow::default());
    let store = Store::open(settings(dir.path()), decode.clone()).await.expect("opened");
    for trace in 1..=last {
        let request = request(trace);
        let rows = decode.decode(&request).expect("decoded");
        store.append(request, rows).await.expect("appended");
    }
    // As a kill would leave it.
    store.closed.send_replace(true);
    store.end_background().await;
    store.wal.get().expect("open").close().await;
    dir
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_answers_while_its_log_comes_back() {
    let dir = logged(20).await;
    let decode = Arc::new(Slow::default());
    decode.held.store(true, Ordering::SeqCst);
    let store = Store::start(settings(dir.path()), decode.clone()).await.expect("starts");
    assert!(store.accepting().is_err_and(|reason| reason.contains("replaying the log")));
    assert!(store.snapshot().losses().iter().any(|said| said.contains("replaying the log")));
    let refused = store.append(request(21), Vec::new()).await;
    assert!(matches!(refused, Err(AppendError::Busy { .. })), "{refused:?}");
    decode.held.store(false, Ordering::SeqCst);
    store.replayed().await.expect("replayed");
    assert_eq!((store.accepting(), store.stats().spans), (Ok(()), 20));
    assert!(store.snapshot().losses().is_empty());
    assert_eq!(store.append(request(20), Vec::new()).await.expect("known"), Appended::Duplicate);
    store.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_closed_meanwhile_loses_nothing() {
    let dir = logged(20).await;
    let decode = Arc::new(Slow::default());
    decode.held.store(true, Ordering::SeqCst);
    let store = Store::start(settings(dir.path()), decode.clone()).await.expect("starts");
    let closing = tokio::spawn({
        let store = store.clone();
        async move { store.close().await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    decode.held.store(false, Ordering::SeqCst);
    closing.await.expect("no panic").expect("closed");
    assert!(store.replayed().await.is_err());
    drop(store);
    let store = Store::open(settings(dir.path()), decode).await.expect("opened");
    assert_eq!(store.stats().spans, 20);
    store.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_is_told_though_the_replay_never_ends() {
    let dir = logged(40).await;
    let wal = dir.path().join(WAL_DIR);
    let file = std::fs::read_dir(&wal).expect("a log").filter_map(Result::ok).map(|entry| entry.path());
    let file = file.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "wal")).expect("a file");
    let mut contents = std::fs::read(&file).expect("readable");
    let at = contents.windows(5).position(|bytes| bytes == b"   10").expect("the tenth request");
    contents[at] ^= 1;
    std::fs::write(&file, contents).expect("written");
    // Every flush passes the loss, and the replay fails at the end.
    let decode = Arc::new(Slow::default());
    decode.fails_at.store(40, Ordering::SeqCst);
    let small = Settings { flush_bytes: 1, ..settings(dir.path()) };
    let failed = Store::open(small, decode.clone()).await.err().expect("fails");
    assert!(failed.to_string().contains("told to fail"), "{failed}");
    decode.fails_at.store(0, Ordering::SeqCst);
    let store = Store::open(settings(dir.path()), decode).await.expect("opened");
    let losses = store.snapshot().losses().to_vec();
    assert!(losses.len() == 1 && losses[0].contains("request 10 is lost"), "{losses:?}");
    assert_eq!(store.stats().spans, 39);
    store.close().await.expect("closed");
}
