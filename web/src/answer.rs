//! Large JSON answers in constant memory: written by a blocking thread, sent chunk by chunk.

use std::io::{self, Write};
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Bytes of a chunk, and chunks in flight.
const CHUNK: usize = 64 << 10;
const IN_FLIGHT: usize = 8;
/// A client that takes nothing for so long is given up: it holds a thread.
const STALL: Duration = Duration::from_secs(30);

/// 200 with what `write` writes. An error there breaks the connection, so that the client sees that the
/// answer is not whole.
pub(crate) fn stream(
    media_type: &'static str,
    write: impl FnOnce(&mut Chunks) -> io::Result<()> + Send + 'static,
) -> Response {
    let (sender, receiver) = mpsc::channel(IN_FLIGHT);
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut chunks = Chunks { buffer: BytesMut::with_capacity(CHUNK), sender, runtime };
        let written = write(&mut chunks).and_then(|()| chunks.flush());
        if let Err(error) = written
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            tracing::warn!(%error, "an answer was cut off");
            // Nobody listens any more, or the client is told by the broken body.
            let _ = chunks.send(Err(error));
        }
    });
    let body = Body::from_stream(ReceiverStream::new(receiver));
    ([(CONTENT_TYPE, HeaderValue::from_static(media_type))], body).into_response()
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
    sender: mpsc::Sender<io::Result<Bytes>>,
    runtime: tokio::runtime::Handle,
}

impl Chunks {
    fn send(&self, chunk: io::Result<Bytes>) -> io::Result<()> {
        let sent = self.runtime.block_on(async { tokio::time::timeout(STALL, self.sender.send(chunk)).await });
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the client left")),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")),
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
        self.send(Ok(chunk.freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

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
