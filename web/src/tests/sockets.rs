//! The listener over real sockets: both versions of HTTP, and the end.

use std::time::{Duration, Instant};

use storage::tenant::Tenants;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::world::World;
use crate::{bind, serve};

#[tokio::test(flavor = "multi_thread")]
async fn the_end_is_graceful_and_closes_streams() {
    let world = World::new().await;
    let listener = bind("127.0.0.1:0".parse().expect("an address")).await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, Tenants::only(world.state.clone()), async {
        let _ = stopped.await;
    }));

    let ask = |path: &'static str, connection: &'static str| async move {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: {connection}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("sent");
        stream
    };
    let mut answer = String::new();
    ask("/healthz", "close").await.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("ok\n"), "{answer}");

    // HTTP/2 with prior knowledge: the server's preface is a SETTINGS frame (RFC 9113 §3.4), type 4.
    let mut second = TcpStream::connect(address).await.expect("a connection");
    second.write_all(b"PRI * HTTP/2.0\r\n\r\n").await.expect("sent");
    tokio::time::sleep(Duration::from_millis(30)).await;
    second.write_all(b"SM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").await.expect("sent");
    let mut frame = [0; 9];
    second.read_exact(&mut frame).await.expect("a frame");
    assert_eq!(frame[3], 4, "{frame:?}");
    drop(second); // it would not answer the farewell, and cost the whole grace

    let mut tail = ask("/api/v1/logs/tail", "keep-alive").await;
    let silent = TcpStream::connect(address).await.expect("a connection");
    let mut head = [0; 15];
    tail.read_exact(&mut head).await.expect("a head");
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    let begin = Instant::now();
    stop.send(()).expect("the server waits");
    server.await.expect("the server ends");
    assert!(begin.elapsed() < Duration::from_secs(4), "the end took {:?}", begin.elapsed());
    let mut rest = Vec::new();
    tail.read_to_end(&mut rest).await.expect("the tail ends whole");
    assert!(rest.ends_with(b"0\r\n\r\n"), "{}", String::from_utf8_lossy(&rest));
    assert!(TcpStream::connect(address).await.is_err());
    drop(silent);
}
