//! One load of one system: sent, settled, verified, asked.

mod ask;
mod verify;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use crate::Failure;
use crate::load::{self, Pace, Sent};
use crate::manifest::Manifest;
use crate::system::System;
use crate::table::Round;

/// What is the same for all systems and rounds.
#[derive(Args, Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Settings {
    /// Requests under way at once, each on a connection of its own
    #[arg(long, default_value_t = 8)]
    pub(crate) senders: usize,
    /// Share of the load that is kept for measuring acknowledgements at half of the rate that was found
    #[arg(long, default_value_t = 0.2)]
    pub(crate) half_load: f64,
    /// Traces (or lines) that are looked up one by one to verify the load, at most 1000 (lines: 200)
    #[arg(long, default_value_t = 200)]
    pub(crate) verify: usize,
    /// How often each kind of question is asked, at least
    #[arg(long, default_value_t = 100)]
    pub(crate) repeats: usize,
    /// Seconds without work after which a system has come to rest, unless its kind is known to pause for longer
    #[arg(long, default_value_t = 3)]
    pub(crate) idle_seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { senders: 8, half_load: 0.2, verify: 200, repeats: 100, idle_seconds: 3 }
    }
}

/// A data set on disk.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    pub(crate) dir: PathBuf,
    pub(crate) manifest: Manifest,
}

impl Data {
    pub(crate) fn open(dir: PathBuf) -> Result<Self, Failure> {
        Ok(Self { manifest: Manifest::read(&dir)?, dir })
    }
}

/// A failure of the system is a void round, so that the others are measured all the same.
pub(crate) async fn round(system: &System, data: &Data, settings: &Settings) -> Round {
    let mut round = Round::default();
    if let Err(failure) = steps(system, data, settings, &mut round).await {
        round.void = Some(failure.to_string());
    }
    round
}

async fn steps(system: &System, data: &Data, settings: &Settings, round: &mut Round) -> Result<(), Failure> {
    let manifest = &data.manifest;
    let window = manifest.window();
    empty(system, manifest).await?;
    system.flush().await?;
    let before = system.totals(manifest.signal, window).await?;
    let stored = system.stored().await?;
    progress(system, "load");
    ingest(system, data, settings, stored, round).await?;
    progress(system, "verify");
    round.verified = verify::verify(system, manifest, before, settings.verify).await?;
    progress(system, "ask");
    ask::groups(system, manifest, settings.repeats, round).await;
    progress(system, "ack to answer");
    ask::freshness(system, manifest, round).await;
    round.put_known("memory after the questions, MiB", system.processes.resident().map(mib));
    round.put_known("memory at most, questions included, MiB", system.processes.peak().map(mib));
    Ok(())
}

/// A load that is there already would be found twice, or not be stored again; also tells early that nobody answers.
async fn empty(system: &System, manifest: &Manifest) -> Result<(), Failure> {
    let Some(asked) = manifest.sample.first() else { return Ok(()) };
    match system.ask(&asked.question, manifest.window()).await? {
        Some(answer) if answer.found > 0 => {
            Err(Failure("it holds this load already: take an empty store, or a load of another seed".to_owned()))
        }
        _ => Ok(()),
    }
}

/// The load with all it causes, until the system rests.
async fn ingest(
    system: &System,
    data: &Data,
    settings: &Settings,
    stored: Option<u64>,
    round: &mut Round,
) -> Result<(), Failure> {
    let (manifest, target) = (&data.manifest, system.target(&data.manifest));
    let processes = &system.processes;
    // Where the peak cannot be set back, it is that since the process began.
    processes.reset_peak();
    let (cpu, written) = (processes.cpu(), system.written());
    let at_half = (manifest.requests as f64 * settings.half_load.clamp(0.0, 0.9)) as u64;
    let full = manifest.requests - at_half;

    let sent = load::send(&data.dir, 0..full, &target, settings.senders, Pace::Closed).await?;
    let used = |since: Option<Duration>| Some((processes.cpu()?.saturating_sub(since?)).as_secs_f64());
    let rate = sent.rows_a_second();
    round.put("ingest, rows/s of wall time", rate);
    round.put_known("ingest, rows/s/core until the last ack", used(cpu).map(|cpu| sent.rows as f64 / cpu));
    acks(round, "ack at full load", &sent);
    if at_half > 0 {
        progress(system, "settle");
        settle(system, settings.idle_seconds).await?;
        // What a core keeps up with for long: a closed loop fills buffers whose work comes afterwards.
        let lasting = used(cpu).map_or(rate, |cpu| (sent.rows as f64 / cpu).min(rate));
        round.put("half load, rows/s", lasting / 2.0);
        let pace = Pace::Open(lasting / 2.0);
        let slow = load::send(&data.dir, full..manifest.requests, &target, settings.senders, pace).await?;
        acks(round, "ack at half load", &slow);
    }
    progress(system, "settle");
    settle(system, settings.idle_seconds).await?;

    let rows = manifest.content.rows as f64;
    let all = used(cpu);
    round.put_known("ingest, rows/s/core, compaction to rest included", all.map(|cpu| rows / cpu));
    round.put_known("CPU s per 1M rows, compaction included", all.map(|cpu| cpu * 1e6 / rows));
    let grown = system.stored().await?.zip(stored).map(|(after, before)| after.saturating_sub(before) as f64);
    round.put_known("bytes a row, indexes included", grown.map(|bytes| bytes / rows));
    let written = system.written().zip(written).map(|(after, before)| (after - before) as f64);
    round.put_known("written to disk ÷ bytes of OTLP", written.map(|bytes| bytes / manifest.encoded_bytes as f64));
    round.put_known("memory at most, ingest, MiB", processes.peak().map(mib));
    Ok(())
}

fn acks(round: &mut Round, what: &str, sent: &Sent) {
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
        round.put(&format!("{what}, {name}, ms"), sent.acks.quantile_ms(share));
    }
    if sent.retries > 0 {
        round.put(&format!("{what}, requests sent again"), sent.retries as f64);
    }
}

/// How often a system is looked at, and the CPU time in between that counts as rest.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const AT_REST: Duration = Duration::from_millis(50);
/// Merging goes on for long after a large load.
const SETTLE_WITHIN: Duration = Duration::from_secs(1800);

/// Flushes, and waits until there is nothing left to do, so that the cost of compaction counts.
async fn settle(system: &System, idle_seconds: u64) -> Result<(), Failure> {
    system.flush().await?;
    let start = Instant::now();
    let mut last = (system.processes.cpu(), start);
    let quiet = Duration::from_secs(idle_seconds).max(system.adapter.pause());
    while last.1.elapsed() < quiet {
        if start.elapsed() > SETTLE_WITHIN {
            return Err(Failure(format!("{} does not come to rest within 30 minutes", system.description.name)));
        }
        tokio::time::sleep(LOOK_EVERY).await;
        let cpu = system.processes.cpu();
        if cpu.zip(last.0).is_some_and(|(now, then)| now.saturating_sub(then) > AT_REST) {
            last.1 = Instant::now();
        }
        last.0 = cpu;
    }
    Ok(())
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

fn progress(system: &System, step: &str) {
    eprintln!("{}: {step}", system.description.name);
}
