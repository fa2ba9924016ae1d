//! `clew-bench generate`: OTLP of a shape, from a seed, encoded to files.
//!
//! The same options and the same `--end` give the same bytes.

mod logs;
mod model;
mod random;
mod spans;
pub mod t1;
mod tally;
mod tree;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};

use self::model::Model;
use self::t1::T1;
use crate::files::{Compression, Writer};
use crate::manifest::{Asked, Content, Group, Manifest, VERSION};
use crate::{Failure, Signal};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// 10 spans a trace, 10 services, 11 attributes out of 97 keys × 1000 values
    T1,
    /// Like the OpenTelemetry demo: 250 to 300 B a span
    T2,
    /// Like production: 1.2 KB a span, 20 to 30 attributes, events and links
    T3,
    /// Heavy tail: median 8 spans a trace, p99 300, most 10,000; 200 services as Zipf has it
    T4,
    /// Log lines of 300 B, Chinese ones among them
    Logs,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Load {
    #[arg(long, value_enum, default_value = "t1")]
    pub(crate) shape: Shape,
    /// Spans, or log lines
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) spans: u64,
    /// Rows of a request
    #[arg(long, default_value_t = 512, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    pub(crate) batch: usize,
    #[arg(long, value_enum, default_value = "none")]
    pub(crate) compression: Compression,
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
    /// Time of the newest row, seconds since the epoch [default: now]
    #[arg(long)]
    pub(crate) end: Option<u64>,
    /// Seconds over which the rows are spread
    #[arg(long, default_value_t = 3600)]
    pub(crate) over: u64,
}

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    load: Load,
    /// Directory, made where it is not there
    #[arg(long)]
    out: PathBuf,
}

pub fn run(options: &Options) -> Result<(), Failure> {
    let manifest = write(&options.load, &options.out)?;
    println!("{}: {}", options.out.display(), manifest.describe());
    Ok(())
}

/// Writes requests and manifest into `dir`.
pub(crate) fn write(load: &Load, dir: &Path) -> Result<Manifest, Failure> {
    std::fs::create_dir_all(dir).map_err(Failure::at(dir))?;
    let plan = Plan::new(load);
    let mut writer = Writer::create(dir, load.compression).map_err(Failure::at(dir))?;
    let emit = &mut |encoded: &[u8], rows| writer.push(encoded, rows);
    let made = match load.shape {
        Shape::T1 => spans::generate(&mut T1, &plan, emit),
        Shape::T2 => spans::generate(&mut Model::t2(), &plan, emit),
        Shape::T3 => spans::generate(&mut Model::t3(), &plan, emit),
        Shape::T4 => spans::generate(&mut Model::t4(load.spans), &plan, emit),
        Shape::Logs => logs::generate(&plan, emit),
    };
    let mut manifest = made.map_err(Failure::at(dir))?;
    let writer = writer.finish().map_err(Failure::at(dir))?;
    manifest.requests = writer.requests;
    manifest.encoded_bytes = writer.encoded_bytes;
    manifest.sent_bytes = writer.sent_bytes;
    manifest.write(dir)?;
    Ok(manifest)
}

/// Takes an encoded request and its number of rows.
type Emit<'a> = &'a mut dyn FnMut(&[u8], u32) -> std::io::Result<()>;

/// What is to be generated.
#[derive(Clone, Copy, Debug)]
struct Plan {
    shape: Shape,
    rows: u64,
    batch: usize,
    compression: Compression,
    seed: u64,
    start_ns: u64,
    end_ns: u64,
}

impl Plan {
    fn new(load: &Load) -> Self {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let end = load.end.unwrap_or_else(now);
        Self {
            shape: load.shape,
            rows: load.spans,
            batch: load.batch,
            compression: load.compression,
            seed: load.seed,
            start_ns: end.saturating_sub(load.over).saturating_mul(1_000_000_000),
            end_ns: end.saturating_mul(1_000_000_000),
        }
    }

    /// When the given row begins.
    fn time(&self, row: u64) -> u64 {
        let over = u128::from(self.end_ns - self.start_ns);
        self.start_ns + (over * u128::from(row) / u128::from(self.rows.max(1))) as u64
    }

    fn manifest(&self, content: Content, sample: Vec<Asked>, groups: Vec<Group>) -> Manifest {
        let shape = self.shape.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        Manifest {
            version: VERSION,
            shape,
            signal: if self.shape == Shape::Logs { Signal::Logs } else { Signal::Traces },
            seed: self.seed,
            batch: self.batch,
            compression: self.compression,
            requests: 0,
            encoded_bytes: 0,
            sent_bytes: 0,
            start_ns: self.start_ns,
            end_ns: self.end_ns,
            content,
            sample,
            groups,
        }
    }
}

#[cfg(test)]
mod tests;
