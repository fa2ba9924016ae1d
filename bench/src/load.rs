//! `clew-bench load`: sends the requests of a data set, as fast as they are taken or at a rate.

pub(crate) mod sender;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::sync::{Mutex, mpsc};
use tokio::task::{JoinHandle, JoinSet};

use self::sender::{Protocol, Sender, Target};
use crate::Failure;
use crate::files::{Reader, Request};
use crate::latency::Latencies;
use crate::manifest::Manifest;

#[derive(Args)]
pub struct Options {
    /// Directory that `generate` wrote
    dir: PathBuf,
    /// Base address of the receiver; /v1/traces or /v1/logs is appended for HTTP
    #[arg(long)]
    to: String,
    #[arg(long, value_enum, default_value = "http")]
    protocol: Protocol,
    /// Requests under way at once, each on a connection of its own
    #[arg(long, default_value_t = 8)]
    senders: usize,
    /// Rows a second, whatever the receiver does (open loop) [default: as fast as they are taken]
    #[arg(long, value_parser = rate)]
    rate: Option<f64>,
    /// Header of every request, such as X-Scope-OrgID=bench (repeatable)
    #[arg(long = "header", value_parser = header)]
    headers: Vec<(String, String)>,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| format!("`{text}` is no rate: write rows a second, such as 50000"))
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

pub async fn run(options: &Options) -> Result<(), Failure> {
    let manifest = Manifest::read(&options.dir)?;
    let target = Target {
        url: options.to.clone(),
        protocol: options.protocol,
        signal: manifest.signal,
        compression: manifest.compression,
        headers: options.headers.clone(),
    };
    let pace = options.rate.map_or(Pace::Closed, Pace::Open);
    let sent = send(&options.dir, 0..manifest.requests, &target, options.senders, pace).await?;
    println!("{}\n{}", manifest.describe(), sent.describe());
    Ok(())
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// The next request when one is acknowledged.
    Closed,
    /// Rows a second. A request's time counts from when it was to be sent, so that waiting for a slow
    /// receiver is not forgotten.
    Open(f64),
}

/// What became of a part of a data set.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) rows: u64,
    pub(crate) took: Duration,
    /// From the (intended) sending to the acknowledgement, attempts in between included.
    pub(crate) acks: Latencies,
    pub(crate) retries: u64,
}

impl Sent {
    pub(crate) fn rows_a_second(&self) -> f64 {
        self.rows as f64 / self.took.as_secs_f64()
    }

    fn describe(&self) -> String {
        let at = |share| self.acks.quantile_ms(share);
        format!(
            "{} rows in {:.1} s, {:.0} rows/s; ack p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms; {} requests, {} sent again",
            self.rows,
            self.took.as_secs_f64(),
            self.rows_a_second(),
            at(0.5),
            at(0.99),
            at(1.0),
            self.acks.len(),
            self.retries
        )
    }
}

/// Requests that are read ahead of the senders.
const READ_AHEAD: usize = 64;

/// A request, and the rows before it.
type Due = (u64, Request);

/// Sends the requests `part` of the file, with `senders` connections.
pub(crate) async fn send(
    dir: &Path,
    part: Range<u64>,
    target: &Target,
    senders: usize,
    pace: Pace,
) -> Result<Sent, Failure> {
    let (queue, reader) = read(dir, part)?;
    let queue = Arc::new(Mutex::new(queue));
    let start = Instant::now();
    // Where one fails the others stop: they would disturb what is measured next.
    let mut running = JoinSet::new();
    for _ in 0..senders.max(1) {
        running.spawn(one_sender(queue.clone(), Sender::new(target.clone())?, pace, start));
    }
    // When all senders have failed, the reader finds nobody listening.
    drop(queue);
    let mut all = Sent::default();
    while let Some(sender) = running.join_next().await {
        let sent = sender.map_err(Failure::new)??;
        all.rows += sent.rows;
        all.retries += sent.retries;
        all.acks.extend(sent.acks);
    }
    all.took = start.elapsed();
    reader.await.map_err(Failure::new)??;
    Ok(all)
}

async fn one_sender(
    queue: Arc<Mutex<mpsc::Receiver<Due>>>,
    mut sender: Sender,
    pace: Pace,
    start: Instant,
) -> Result<Sent, Failure> {
    let mut sent = Sent::default();
    loop {
        let next = queue.lock().await.recv().await;
        let Some((before, request)) = next else { return Ok(sent) };
        let from = match pace {
            Pace::Closed => Instant::now(),
            Pace::Open(rate) => {
                let due = start + Duration::from_secs_f64(before as f64 / rate);
                tokio::time::sleep_until(due.into()).await;
                due
            }
        };
        sent.retries += sender.send(&request).await?;
        sent.acks.push(from.elapsed());
        sent.rows += u64::from(request.rows);
    }
}

type Reading = JoinHandle<Result<(), Failure>>;

/// Reads on a thread of its own, so that memory is bounded whatever the size of the file.
fn read(dir: &Path, part: Range<u64>) -> Result<(mpsc::Receiver<Due>, Reading), Failure> {
    let reader = Reader::open(dir).map_err(Failure::at(dir))?;
    let dir = dir.to_owned();
    let (put, queue) = mpsc::channel(READ_AHEAD);
    let reading = tokio::task::spawn_blocking(move || {
        let mut before = 0;
        for (_, request) in (0..part.end).zip(reader).skip(usize::try_from(part.start).unwrap_or(usize::MAX)) {
            let request = request.map_err(Failure::at(&dir))?;
            let rows = u64::from(request.rows);
            if put.blocking_send((before, request)).is_err() {
                break;
            }
            before += rows;
        }
        Ok(())
    });
    Ok((queue, reading))
}

#[cfg(test)]
mod tests;
