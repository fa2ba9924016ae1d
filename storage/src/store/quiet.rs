//! Work that can wait: a thread of low priority, so that ingest and queries get the processor first.

use tokio::sync::oneshot;

/// Of 19. Against one busy thread of usual priority it still gets a quarter of a processor: at 10 it got a tenth, and
/// under full load segments piled up.
const NICENESS: i32 = 5;

/// The thread ended without a result, which only a fault of this program makes it do.
#[derive(Debug, thiserror::Error)]
#[error("a background thread ended early")]
pub struct Ended;

/// Runs `work` on a thread of its own. Those who call hold the lock of maintenance or of flushing, so there are two at
/// a time.
pub(super) async fn quietly<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Ended> {
    let (reply, answer) = oneshot::channel();
    let run = move || {
        // On Linux it is the priority of the calling thread (setpriority(2), "C library/kernel differences").
        if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            tracing::debug!(%error, "background work runs at full priority");
        }
        let _ = reply.send(work());
    };
    std::thread::Builder::new().name("maintenance".into()).spawn(run).map_err(|_| Ended)?;
    answer.await.map_err(|_| Ended)
}
