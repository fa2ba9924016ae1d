//! `clew`: distributed tracing and log aggregation in one binary.
//!
//! * [`serve`] wires the crates together and runs them, for each of its [`tenants`]; [`config`] is what a user may set.
//! * [`demo`] makes the traffic of a small shop; [`replay`] sends files; both through [`send`].
//! * [`webhook`] tells others of findings.
//! * [`check`] verifies a data directory; [`backup`] copies one.

mod backup;
mod check;
mod config;
mod demo;
mod replay;
mod send;
mod serve;
mod tenants;
mod webhook;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Distributed tracing and log aggregation: OTLP in, search, call chains and service graph out.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: config::Options,
}

#[derive(Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one of them")]
enum Command {
    /// Takes OTLP, stores it, answers queries and serves the web UI (what `clew` alone does).
    Serve(config::Options),
    /// Sends the traffic of a small shop, as if it ran: gateway, HTTP, gRPC, Dubbo, queues, databases, faults.
    Demo(demo::Options),
    /// Sends files of OTLP JSON or protobuf, Jaeger JSON, Zipkin JSON, or plain log lines.
    Replay(replay::Options),
    /// Verifies checksums, catalogue, indexes and log of a data directory.
    Check(check::Options),
    /// Copies a data directory, also while a server writes to it.
    Backup(backup::Options),
}

/// Connections and segments are files; the soft limit of 1024 that shells give is soon reached.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // The soft limit may always rise to the hard one; if not, the old one stays.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// A variable that is set to nothing counts as not set: `CLEW_HTTP=` is how scripts take a value away.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |name: &std::ffi::OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(
            |arg| if arg.get_env().is_some_and(is_empty) { arg.env(clap::builder::Resettable::Reset) } else { arg },
        )
        .mut_subcommands(without_empty_variables)
}

/// What ends the program other than well.
enum Failure {
    /// The command line or the configuration is wrong: exit 2.
    Usage(String),
    /// It did not work: exit 1.
    Failed(String),
}

impl Failure {
    fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

fn main() -> ExitCode {
    let matches = without_empty_variables(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    raise_file_limit();
    let run = || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::failed)?;
        runtime.block_on(async {
            match cli.command {
                None => serve::run(cli.serve).await,
                Some(Command::Serve(options)) => serve::run(options).await,
                Some(Command::Demo(options)) => demo::run(options).await,
                Some(Command::Replay(options)) => replay::run(options).await,
                Some(Command::Check(options)) => check::run(options).await,
                Some(Command::Backup(options)) => backup::run(options).await,
            }
        })
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(message)) => {
            eprintln!("clew: {message}");
            ExitCode::from(1)
        }
        Err(Failure::Usage(message)) => {
            eprintln!("clew: {message}");
            ExitCode::from(2)
        }
    }
}
