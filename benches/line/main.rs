//! The line, measured: a real `clew` process, OTLP in with fsync before each ack, queries out.
//!
//! `cargo test --release --bench line` (spans: `CLEW_BENCH_SPANS`, default 1 000 000). It prints what it
//! measured next to the goals; it is no test and fails only when a span is missing.

mod load;
mod server;

use std::time::{Duration, Instant, SystemTime};

use load::Load;
use server::Server;

const BATCH: usize = 512;
const SENDERS: usize = 8;
const QUERIES: usize = 300;

#[tokio::main]
async fn main() {
    let spans: usize = std::env::var("CLEW_BENCH_SPANS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    eprintln!("encoding {spans} spans …");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let load = Load::new(spans, 42, now.as_nanos() as u64 - 3_600_000_000_000);
    let requests = load.requests(BATCH);
    let bytes: usize = requests.iter().map(bytes::Bytes::len).sum();
    let server = Server::start().await;
    println!("{spans} spans, {} B each as OTLP, requests of {BATCH}, {SENDERS} senders", bytes / spans);

    ingest(&server, requests, spans).await;
    settle(&server, spans).await;
    verify(&server, &load, spans).await;
    queries(&server, &load).await;
    println!("memory: {} MiB resident, {} MiB at most", server.memory("VmRSS") >> 20, server.memory("VmHWM") >> 20);
}

async fn ingest(server: &Server, requests: Vec<bytes::Bytes>, spans: usize) {
    let (cpu, start) = (server.cpu(), Instant::now());
    let queue = std::sync::Arc::new(parking_lot::Mutex::new(requests));
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let (queue, url) = (queue.clone(), format!("{}/v1/traces", server.otlp));
            tokio::spawn(async move {
                let client = reqwest::Client::new();
                let mut acks = Vec::new();
                loop {
                    let Some(body) = queue.lock().pop() else { return acks };
                    acks.push(send(&client, &url, body).await);
                }
            })
        })
        .collect();
    let mut acks = Vec::new();
    for sender in senders {
        acks.extend(sender.await.expect("a sender that ends"));
    }
    let (wall, cpu) = (start.elapsed(), server.cpu() - cpu);
    row("ingest, spans/s of wall time", spans as f64 / wall.as_secs_f64(), "");
    row("ingest, spans/s/core of the server's CPU time", spans as f64 / cpu.as_secs_f64(), "≥ 250000 with compaction");
    latency("ack", &mut acks, "p99 ≤ 10 ms at half load");
}

/// Time until the ack; a refusal is retried, as exporters do.
async fn send(client: &reqwest::Client, url: &str, body: bytes::Bytes) -> Duration {
    let start = Instant::now();
    loop {
        let request = client.post(url).header("content-type", "application/x-protobuf").body(body.clone());
        let status = request.send().await.expect("an answer").status();
        if status.is_success() {
            return start.elapsed();
        }
        assert_eq!(status, 503, "only overload may refuse");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Flushes and waits until compaction has nothing left to do, so that its cost counts.
async fn settle(server: &Server, spans: usize) {
    server.post("/api/v1/flush", "").await;
    let mut last = (server.cpu(), Instant::now());
    while last.1.elapsed() < Duration::from_secs(3) {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let cpu = server.cpu();
        if cpu - last.0 > Duration::from_millis(50) {
            last = (cpu, Instant::now());
        }
    }
    let status = server.get("/api/v1/status").await;
    row("with compaction, spans/s/core", spans as f64 / server.cpu().as_secs_f64(), "≥ 250000");
    row("bytes a span with all indexes", number(&status["bytes"]) / spans as f64, "≤ 35");
    row("segments", number(&status["segments"]), "");
}

/// Or the figures are void.
async fn verify(server: &Server, load: &Load, spans: usize) {
    let answer = server.post("/api/v1/sql", r#"{"query":"SELECT count(*) FROM spans"}"#).await;
    assert_eq!(number(&answer["rows"][0][0]) as usize, spans, "spans are missing: {answer}");
    for trace in load.sample(200) {
        let answer = server.get(&format!("/api/v1/traces/{trace}")).await;
        assert_eq!(answer["spans"].as_array().map(Vec::len), Some(load::SPANS_A_TRACE), "trace {trace} is not whole");
    }
    println!("verified: {spans} spans counted, 200 traces whole");
}

async fn queries(server: &Server, load: &Load) {
    let all = "from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00Z&limit=20";
    let hits: Vec<String> = load.sample(QUERIES).map(|id| format!("/api/v1/traces/{id}")).collect();
    time(server, "trace by id, hit", &hits, "p50 ≤ 0.7 ms, p99 ≤ 3 ms at 10M").await;
    let skeletons: Vec<String> = hits.iter().map(|path| format!("{path}?view=skeleton")).collect();
    time(server, "trace by id, skeleton", &skeletons, "").await;
    let misses: Vec<String> = (1..=QUERIES).map(|n| format!("/api/v1/traces/{n:032x}")).collect();
    time(server, "trace by id, miss", &misses, "≤ 0.2 ms").await;
    let search = |query: &str| format!("/api/v1/traces?{all}&q={}", server::escape(query));
    for (name, queries) in [
        ("search, newest of all", vec![search("")]),
        (
            "search, service and operation",
            (0..10).map(|n| search(&format!("service:service-{n} operation:op-{n}"))).collect(),
        ),
        ("search, one attribute of 97 000 pairs", load.pairs(20).map(|(k, v)| search(&format!("{k}={v}"))).collect()),
        (
            "search, two attributes",
            load.pairs(20).map(|(k, v)| search(&format!("{k}={v} service:service-3"))).collect(),
        ),
        ("search, errors", vec![search("error")]),
        ("search, slow (1 in 1000)", vec![search("duration>999ms")]),
    ] {
        time(server, name, &queries, "≤ 5 ms at 10M").await;
    }
    time(server, "service graph of all spans", &[format!("/api/v1/graph?{all}")], "≤ 3 ms for 24 h").await;
}

async fn time(server: &Server, what: &str, paths: &[String], goal: &str) {
    let mut taken = Vec::new();
    for path in paths.iter().cycle().take(paths.len().max(10)) {
        let start = Instant::now();
        server.request(path).await;
        taken.push(start.elapsed());
    }
    latency(what, &mut taken, goal);
}

fn latency(what: &str, taken: &mut [Duration], goal: &str) {
    taken.sort();
    let at = |share: f64| taken[((taken.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!("{what:<48} p50 {:>9.2} ms   p99 {:>9.2} ms   {goal}", at(0.5), at(0.99));
}

fn row(what: &str, value: f64, goal: &str) {
    println!("{what:<48} {value:>13.1}   {goal}");
}

fn number(value: &serde_json::Value) -> f64 {
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(f64::NAN)
}
