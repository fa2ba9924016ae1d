//! `clew-bench clew`: one command for Clew's own figures. It starts the binary, and does all the rest.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use clap::Args;
use tempfile::TempDir;

use crate::Failure;
use crate::adapters::Kind;
use crate::generate::{self, Load};
use crate::load::sender::Protocol;
use crate::round::{self, Data, Settings};
use crate::run::{other_work, report};
use crate::system::{Description, System};
use crate::table::Column;

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    settings: Settings,
    /// The binary to be measured; several are measured in turns [default: `clew` beside this program]
    #[arg(long)]
    binary: Vec<PathBuf>,
    /// Rounds of each binary, each on an empty store; the table shows medians
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    #[arg(long, value_enum, default_value = "http")]
    protocol: Protocol,
    /// A data set that `generate` wrote, instead of one made for this run
    #[arg(long)]
    data: Option<PathBuf>,
    /// Leaves it to the system which cores server and replayer use
    #[arg(long)]
    no_pin: bool,
    /// Writes all figures of all rounds there, as JSON
    #[arg(long)]
    out: Option<PathBuf>,
}

pub async fn run(options: &Options) -> Result<(), Failure> {
    let binaries = if options.binary.is_empty() { vec![beside()?] } else { options.binary.clone() };
    let beside = other_work();
    let made = tempfile::tempdir().map_err(Failure::new)?;
    let data = match &options.data {
        Some(dir) => Data::open(dir.clone())?,
        None => {
            eprintln!("generating …");
            let manifest = generate::write(&options.load, made.path())?;
            Data { dir: made.path().to_owned(), manifest }
        }
    };
    let pinned = !options.no_pin && pin_self();
    let mut columns: Vec<Column> =
        binaries.iter().map(|binary| Column { name: name(binary, &binaries), rounds: Vec::new() }).collect();
    for _ in 0..options.rounds.max(1) {
        for (binary, column) in binaries.iter().zip(&mut columns) {
            let server = Server::start(binary, pinned)?;
            let system = System::new(server.description(&column.name, options.protocol))?;
            column.rounds.push(round::round(&system, &data, &options.settings).await);
        }
    }
    let cores = if pinned { "server on core 0, replayer on core 1" } else { "cores are shared" };
    let settings = &options.settings;
    let about = format!("{}; {} senders, {:?}, {cores}", data.manifest.describe(), settings.senders, options.protocol);
    report(&columns, &[about, beside], options.out.as_deref())
}

/// The binary that `cargo build --workspace` puts beside this one.
fn beside() -> Result<PathBuf, Failure> {
    let binary = std::env::current_exe().map_err(Failure::new)?.with_file_name("clew");
    if binary.exists() {
        return Ok(binary);
    }
    Err(Failure(format!("{} is not there: build it, or name one with --binary", binary.display())))
}

/// The path where several are measured: their file names are often the same.
fn name(binary: &Path, all: &[PathBuf]) -> String {
    if all.len() == 1 { "clew".to_owned() } else { binary.display().to_string() }
}

/// Moves all threads of this process to core 1; whether the server can be put on core 0.
fn pin_self() -> bool {
    if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        return false;
    }
    let pid = std::process::id().to_string();
    let moved = Command::new("taskset").args(["-a", "-c", "-p", "1", &pid]).stdout(Stdio::null()).status();
    let done = moved.is_ok_and(|status| status.success());
    if !done {
        eprintln!("taskset did not work: server and replayer share the cores");
    }
    done
}

/// A `clew` on free ports and an empty store, killed at the end: it is measured, not stopped in good order.
struct Server {
    child: Child,
    dir: TempDir,
    bound: serde_json::Value,
}

impl Server {
    fn start(binary: &Path, pinned: bool) -> Result<Self, Failure> {
        let dir = tempfile::tempdir().map_err(Failure::new)?;
        let log = dir.path().join("stderr.txt");
        let mut command = if pinned { Command::new("taskset") } else { Command::new(binary) };
        if pinned {
            command.args(["-c", "0"]).arg(binary);
        }
        let free = "127.0.0.1:0";
        command.args(["serve", "--http", free, "--otlp-grpc", free, "--otlp-http", free, "--data-dir"]);
        command.arg(dir.path().join("data")).stdout(Stdio::piped());
        command.stderr(std::fs::File::create(&log).map_err(Failure::at(&log))?);
        let mut child = command.spawn().map_err(Failure::at(binary))?;
        let mut line = String::new();
        let read = child.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
        let bound = read.and_then(|read| read.ok()).and_then(|_| serde_json::from_str(&line).ok());
        let mut server = Self { child, dir, bound: serde_json::Value::Null };
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        server.bound = bound.ok_or_else(|| Failure(format!("{} does not start: {}", binary.display(), said())))?;
        Ok(server)
    }

    fn description(&self, name: &str, protocol: Protocol) -> Description {
        let url = |key: &str| format!("http://{}", self.bound[key].as_str().unwrap_or_default());
        let ingest = match protocol {
            Protocol::Http => url("otlp_http"),
            Protocol::Grpc => url("otlp_grpc"),
        };
        Description {
            name: name.to_owned(),
            kind: Kind::Clew,
            ingest,
            protocol,
            query: url("http"),
            pids: vec![self.child.id()],
            dirs: vec![self.dir.path().join("data/lake")],
            headers: Default::default(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
