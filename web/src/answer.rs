//! Large JSON answers in constant memory: written by a blocking thread, sent chunk by chunk.

use std::io::{self, Write};
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;

use crate::error::{ApiError, Code};

/// Bytes of a chunk, and chunks in flight.
const CHUNK: usize = 64 << 10;
const IN_FLIGHT: usize = 8;
/// A client that takes nothing for so long is given up: it holds a thread, or the place of another.
pub(crate) const STALL: Duration = Duration::from_secs(30);

/// How many answers go out at once, and how long.
struct Room {
    /// One a thread; others wait in order.
    writers: Semaphore,
    /// Those that wait too: they are in memory. One more is refused.
    held: Semaphore,
    stall: Duration,
    /// From beginning to end, however steadily the client reads.
    whole: Duration,
}

static ROOM: Room = Room {
    writers: Semaphore::const_new(16),
    held: Semaphore::const_new(128),
    stall: STALL,
    whole: Duration::from_secs(300),
};

/// 200 with what `write` writes; 503 where too many answers are on their way. An error in `write`, or a
/// client that is too slow, breaks the connection, so that the client sees that the answer is not whole.
pub(crate) fn stream(
    media_type: &'static str,
    write: impl FnOnce(&mut Chunks) -> io::Result<()> + Send + 'static,
) -> Response {
    stream_in(&ROOM, media_type, write)
}

fn stream_in(
    room: &'static Room,
    media_type: &'static str,
    write: impl FnOnce(&mut Chunks) -> io::Result<()> + Send + 'static,
) -> Response {
    let Ok(held) = room.held.try_acquire() else {
        let busy = "too many answers are on their way to slow clients; try again in a few seconds";
        return ApiError::new(Code::Unavailable, busy).into_response();
    };
    let (sender, receiver) = mpsc::channel(IN_FLIGHT);
    let (end, ended) = oneshot::channel();
    tokio::spawn(async move {
        let _held = held;
        let written = written(room, sender, write).await;
        if let Err(error) = &written
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            tracing::warn!(%error, "an answer was cut off");
        }
        let _ = end.send(written); // nobody listens any more where the client left
    });
    // Without the error the body of a cut answer would look whole.
    let ended =
        async { ended.await.unwrap_or_else(|_| Err(io::Error::other("the answer was cut off"))).err().map(Err) };
    let ended = futures::stream::once(ended).filter_map(std::future::ready);
    let body = Body::from_stream(ReceiverStream::new(receiver).map(Ok).chain(ended));
    ([(CONTENT_TYPE, HeaderValue::from_static(media_type))], body).into_response()
}

/// Waits for a thread and writes the answer there.
async fn written(
    room: &'static Room,
    sender: mpsc::Sender<Bytes>,
    write: impl FnOnce(&mut Chunks) -> io::Result<()> + Send + 'static,
) -> io::Result<()> {
    let until = Instant::now() + room.whole;
    let writer = tokio::select! {
        writer = tokio::time::timeout_at(until, room.writers.acquire()) => writer,
        () = sender.closed() => return Err(io::ErrorKind::BrokenPipe.into()),
    };
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "other answers took too long");
    let _writer = writer.map_err(late)?.map_err(io::Error::other)?;
    let (runtime, stall) = (tokio::runtime::Handle::current(), room.stall);
    let mut chunks = Chunks { buffer: BytesMut::with_capacity(CHUNK), sender, runtime, stall, until };
    let written = tokio::task::spawn_blocking(move || write(&mut chunks).and_then(|()| chunks.flush()));
    written.await.map_err(io::Error::other)?
}

/// 200 with JSON of what `make` borrows from `held`.
pub(crate) fn json<T: Send + 'static>(
    held: T,
    write: impl FnOnce(&T, &mut Chunks) -> serde_json::Result<()> + Send + 'static,
) -> Response {
    stream("application/json", move |chunks| write(&held, chunks).map_err(io::Error::from))
}

/// Collects small writes into chunks.
pub(crate) struct Chunks {
    buffer: BytesMut,
    sender: mpsc::Sender<Bytes>,
    runtime: tokio::runtime::Handle,
    stall: Duration,
    until: Instant,
}

impl Chunks {
    /// Within the time of the whole answer.
    fn send(&self, chunk: Bytes) -> io::Result<()> {
        let now = Instant::now();
        if now >= self.until {
            // A timeout alone lets pass what can be sent at once.
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the answer takes too long"));
        }
        let at = self.until.min(now + self.stall);
        let sent = self.runtime.block_on(async { tokio::time::timeout_at(at, self.sender.send(chunk)).await });
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the client left")),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the client reads too slowly")),
        }
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.buffer, BytesMut::with_capacity(CHUNK));
        self.send(chunk.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;
    use http_body_util::BodyExt;

    fn room(writers: usize, held: usize, stall: Duration, whole: Duration) -> &'static Room {
        Box::leak(Box::new(Room { writers: Semaphore::new(writers), held: Semaphore::new(held), stall, whole }))
    }

    const LONG: Duration = Duration::from_secs(60);

    fn endless(chunks: &mut Chunks) -> io::Result<()> {
        loop {
            chunks.write_all(&[b'x'; 1024])?;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn answers_wait_for_a_thread_and_too_many_are_refused() {
        let room = room(1, 2, LONG, LONG);
        let slow = stream_in(room, "text/plain", endless);
        let second = stream_in(room, "text/plain", |chunks| chunks.write_all(b"second"));
        let third = stream_in(room, "text/plain", |chunks| chunks.write_all(b"third"));
        assert_eq!((second.status(), third.status()), (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE));
        let mut second = Box::pin(second.into_body().collect());
        let waits = tokio::time::timeout(Duration::from_millis(100), &mut second).await;
        assert!(waits.is_err(), "the only thread is taken");
        drop(slow);
        assert_eq!(second.await.expect("a whole body").to_bytes(), "second");
        let mut status = StatusCode::SERVICE_UNAVAILABLE;
        for _ in 0..500 {
            status = stream_in(room, "text/plain", |_| Ok(())).status();
            if status == StatusCode::OK {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(status, StatusCode::OK, "there is room again");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_client_that_reads_too_slowly_is_told_so_by_a_broken_body() {
        for (stall, whole) in [(LONG, Duration::from_millis(200)), (Duration::from_millis(200), LONG)] {
            let answer = stream_in(room(1, 1, stall, whole), "text/plain", endless);
            tokio::time::sleep(Duration::from_millis(600)).await; // the channel is full by then
            let read = tokio::time::timeout(LONG / 2, answer.into_body().collect()).await;
            assert!(read.expect("an end").is_err(), "stall {stall:?}, whole {whole:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_steady_reader_has_an_end_too() {
        let answer = stream_in(room(1, 1, LONG, Duration::from_millis(300)), "text/plain", |chunks| {
            loop {
                std::thread::sleep(Duration::from_millis(1));
                chunks.write_all(&[b'x'; CHUNK])?;
            }
        });
        let mut body = answer.into_body();
        let read = async { while let Some(Ok(_)) = body.frame().await {} };
        tokio::time::timeout(LONG / 2, read).await.expect("an end");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_panic_breaks_the_body() {
        let answer = stream_in(room(1, 1, LONG, LONG), "text/plain", |chunks| {
            chunks.write_all(b"half")?;
            panic!("on purpose")
        });
        assert!(answer.into_body().collect().await.is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn chunks_arrive_whole_and_in_order() {
        let numbers: Vec<u32> = (0..200_000).collect();
        let answer = json(numbers.clone(), |numbers, chunks| serde_json::to_writer(chunks, numbers));
        let body = answer.into_body().collect().await.expect("a whole body").to_bytes();
        assert_eq!(serde_json::from_slice::<Vec<u32>>(&body).expect("JSON"), numbers);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_error_breaks_the_body() {
        let answer = stream("text/plain", |chunks| {
            chunks.write_all(b"half")?;
            Err(io::Error::other("no more"))
        });
        assert!(answer.into_body().collect().await.is_err());
    }
}
