//! `clew replay`: sends files to an OTLP endpoint.
//!
//! ```text
//! file ─▶ format (by content) ─▶ json │ protobuf │ lines ─▶ Batch, always OTLP protobuf ─▶ shift ─▶ Sender
//! ```
//! A file is read on a thread of its own and waits for the sender, so that memory is bounded by a few
//! batches, whatever the size of the file.

mod batch;
mod format;
mod json;
mod lines;
mod protobuf;
mod shift;
mod time;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use proto::rpc::Signal;
use storage::tenant::TenantId;
use tokio::sync::mpsc;

use self::batch::{Batch, Problem};
use self::format::Format;
use crate::Failure;
use crate::send::Sender;

#[derive(Args)]
pub(crate) struct Options {
    /// OTLP JSON (also one request a line) or protobuf, Jaeger JSON, Zipkin v2 JSON, or plain log lines
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// OTLP/HTTP base address
    #[arg(long, env = "CLEW_ENDPOINT", default_value = "http://127.0.0.1:4318")]
    endpoint: String,
    /// Whose it is, in the header X-Scope-OrgID
    #[arg(long, env = "CLEW_TENANT", default_value_t)]
    tenant: TenantId,
    /// Moves all times by one duration, so that the latest in the files is now
    #[arg(long)]
    shift_to_now: bool,
    /// What the files are, where their content does not say it [default: by content]
    #[arg(long = "as", value_enum)]
    format: Option<Format>,
    /// Service that plain log lines belong to [default: the name of the file]
    #[arg(long)]
    service: Option<String>,
}

/// Batches that are read ahead of the sender.
const READ_AHEAD: usize = 4;
/// Reasons for left out rows that are shown of a file; the rest is counted.
const REASONS_SHOWN: usize = 5;

/// What was sent of one file, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    spans: u64,
    logs: u64,
    metrics: u64,
    /// Rows that could not be converted, or that the receiver did not take.
    rejected: u64,
}

/// Exit 1 where a file could not be sent as a whole; the others are sent all the same.
pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let sender = Sender::new(&options.endpoint, options.tenant.clone())?;
    sender.probe().await?;
    let mut failed = 0;
    let shift_ns = if options.shift_to_now { shift_to_now(&options).await } else { 0 };
    let mut total = Counts::default();
    for path in &options.files {
        let (counts, outcome) = send_file(&sender, path, &options, shift_ns).await;
        total.add(&counts);
        match outcome {
            Ok(()) => eprintln!("{}: {}", path.display(), counts.describe()),
            Err(problem) => {
                failed += 1;
                eprintln!("clew: {problem}; sent until then: {}", counts.describe());
            }
        }
    }
    report(&total, options.files.len(), failed)?;
    if failed > 0 {
        return Err(Failure::failed(format!("{failed} of {} files failed", options.files.len())));
    }
    Ok(())
}

fn report(total: &Counts, files: usize, failed: usize) -> Result<(), Failure> {
    let Counts { spans, logs, metrics, rejected } = total;
    let line = serde_json::json!({
        "event": "replay", "files": files, "failed": failed,
        "spans": spans, "logs": logs, "metrics": metrics, "rejected": rejected,
    });
    writeln!(std::io::stdout(), "{line}").map_err(Failure::failed)
}

/// Ns to add to every time. A file that cannot be read is told of when it is sent.
async fn shift_to_now(options: &Options) -> i64 {
    let mut latest = 0;
    for path in &options.files {
        let mut batches = read(path, options);
        while let Some(item) = batches.recv().await {
            if let Ok(batch) = item {
                latest = shift::latest(&batch).unwrap_or(0).max(latest);
            }
        }
    }
    let now = i128::from(time::now_ns());
    if latest == 0 { 0 } else { i64::try_from(now - i128::from(latest)).unwrap_or(0) }
}

async fn send_file(sender: &Sender, path: &Path, options: &Options, shift_ns: i64) -> (Counts, Result<(), Problem>) {
    let mut counts = Counts::default();
    let mut reasons = Reasons::default();
    let mut batches = read(path, options);
    let mut outcome = Ok(());
    while let Some(item) = batches.recv().await {
        outcome = match item {
            Ok(batch) => send_batch(sender, path, batch, shift_ns, &mut counts, &mut reasons).await,
            Err(problem) => Err(problem),
        };
        if outcome.is_err() {
            break;
        }
    }
    reasons.show(path);
    (counts, outcome)
}

async fn send_batch(
    sender: &Sender,
    path: &Path,
    mut batch: Batch,
    shift_ns: i64,
    counts: &mut Counts,
    reasons: &mut Reasons,
) -> Result<(), Problem> {
    counts.rejected += batch.rejected.len() as u64;
    reasons.extend(std::mem::take(&mut batch.rejected));
    if batch.rows == 0 {
        return Ok(());
    }
    let line = batch.line;
    if shift_ns != 0 {
        batch = shift::shifted(batch, shift_ns).map_err(|error| Problem::at(path, line, error))?;
    }
    let sent = sender.send(batch.signal, &batch.request).await.map_err(|failure| {
        let (Failure::Failed(message) | Failure::Usage(message)) = failure;
        Problem::at(path, line, message)
    })?;
    counts.count(batch.signal, batch.rows.saturating_sub(sent.rejected));
    counts.rejected += sent.rejected;
    if !sent.message.is_empty() {
        reasons.extend(vec![sent.message]);
    }
    Ok(())
}

/// Reads the file on a thread that ends with it, with its first problem, or when nobody listens any more.
fn read(path: &Path, options: &Options) -> mpsc::Receiver<Result<Batch, Problem>> {
    let (batches, receiver) = mpsc::channel(READ_AHEAD);
    let (path, format, service) = (path.to_owned(), options.format, options.service.clone());
    tokio::task::spawn_blocking(move || {
        let mut put = |batch| batches.blocking_send(Ok(batch)).is_ok();
        if let Err(problem) = format::read_file(&path, format, service.as_deref(), &mut put) {
            // Nobody listening means that sending failed, which has been told.
            let _ = batches.blocking_send(Err(problem));
        }
    });
    receiver
}

impl Counts {
    fn count(&mut self, signal: Signal, rows: u64) {
        match signal {
            Signal::Traces => self.spans += rows,
            Signal::Logs => self.logs += rows,
            Signal::Metrics => self.metrics += rows,
        }
    }

    fn add(&mut self, other: &Self) {
        self.spans += other.spans;
        self.logs += other.logs;
        self.metrics += other.metrics;
        self.rejected += other.rejected;
    }

    fn describe(&self) -> String {
        let rows = [
            (self.spans, "spans"),
            (self.logs, "log records"),
            (self.metrics, "metric points"),
            (self.rejected, "rows left out"),
        ];
        let parts: Vec<String> =
            rows.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
        if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
    }
}

/// The first few reasons of a file.
#[derive(Default)]
struct Reasons {
    shown: Vec<String>,
    more: usize,
}

impl Reasons {
    fn extend(&mut self, reasons: Vec<String>) {
        for reason in reasons {
            if self.shown.len() < REASONS_SHOWN {
                self.shown.push(reason);
            } else {
                self.more += 1;
            }
        }
    }

    fn show(&self, path: &Path) {
        for reason in &self.shown {
            eprintln!("{}: {reason}", path.display());
        }
        if self.more > 0 {
            eprintln!("{}: {} more such messages", path.display(), self.more);
        }
    }
}

#[cfg(test)]
mod tests;
