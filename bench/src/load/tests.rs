//! A load against a receiver that takes, refuses and fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::Signal;
use crate::files::{Compression, Writer};

/// Ten requests of one to ten rows.
fn data() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let mut writer = Writer::create(dir.path(), Compression::None).expect("a file");
    (1..=10).for_each(|rows: u32| writer.push(&rows.to_le_bytes(), rows).expect("written"));
    writer.finish().map(drop).expect("written");
    dir
}

/// Receives HTTP on a free port; `answer` gives the status of the n-th request. Counts what it took, and its bodies' sum.
async fn receiver(answer: fn(u64) -> &'static str) -> (Target, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (asked, taken) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let sum = taken.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, answer, asked.clone(), sum.clone()));
        }
    });
    let target = Target {
        url,
        protocol: Protocol::Http,
        signal: Signal::Traces,
        compression: Compression::None,
        headers: Vec::new(),
    };
    (target, taken)
}

async fn connection(
    mut stream: TcpStream,
    answer: fn(u64) -> &'static str,
    asked: Arc<AtomicU64>,
    taken: Arc<AtomicU64>,
) {
    let mut read = Vec::new();
    loop {
        while !read.windows(4).any(|end| end == b"\r\n\r\n") {
            let mut part = [0; 1024];
            match stream.read(&mut part).await {
                Ok(count @ 1..) => read.extend_from_slice(&part[..count]),
                _ => return,
            }
        }
        let head = read.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
        while read.len() < head + 4 {
            read.push(stream.read_u8().await.expect("a body of four bytes"));
        }
        let body = u32::from_le_bytes(read[head..head + 4].try_into().expect("four bytes"));
        read.drain(..head + 4);
        let status = answer(asked.fetch_add(1, Ordering::SeqCst));
        if status.starts_with('2') {
            taken.fetch_add(u64::from(body), Ordering::SeqCst);
        }
        let text = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(text.as_bytes()).await.expect("written");
    }
}

#[tokio::test]
async fn each_request_is_taken_once_in_both_loops() {
    for pace in [Pace::Closed, Pace::Open(1e9)] {
        let (target, taken) = receiver(|_| "200 OK").await;
        let sent = send(data().path(), 0..10, &target, 3, pace).await.expect("sent");
        assert_eq!((sent.rows, sent.acks.len(), sent.retries), (55, 10, 0));
        assert_eq!(taken.load(Ordering::SeqCst), 55);
    }
}

#[tokio::test]
async fn a_part_of_the_file_is_sent_alone() {
    let (target, taken) = receiver(|_| "200 OK").await;
    let sent = send(data().path(), 7..10, &target, 2, Pace::Closed).await.expect("sent");
    assert_eq!((sent.rows, taken.load(Ordering::SeqCst)), (8 + 9 + 10, 27));
}

#[tokio::test]
async fn what_is_refused_as_busy_is_sent_again_and_counted() {
    let (target, taken) = receiver(|number| if number % 2 == 0 { "503 Busy" } else { "200 OK" }).await;
    let sent = send(data().path(), 0..10, &target, 1, Pace::Closed).await.expect("sent");
    assert_eq!((sent.retries, taken.load(Ordering::SeqCst)), (10, 55));
}

#[tokio::test]
async fn what_is_refused_for_good_ends_the_load() {
    let (target, _) = receiver(|number| if number == 3 { "400 Bad" } else { "200 OK" }).await;
    let failure = send(data().path(), 0..10, &target, 2, Pace::Closed).await.expect_err("refused");
    assert!(failure.to_string().contains("400"), "{failure}");
}
