//! The command line of the benchmark.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "clew-bench", version, about = "Measures Clew, and peers that already run, under one load")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Encode a load to files
    Generate(bench::generate::Options),
    /// Send a load to an OTLP endpoint
    Load(bench::load::Options),
    /// Load, verify and ask systems that already run, in turns
    Run(bench::run::Options),
    /// Start clew, then load, verify and ask it
    Clew(bench::clew::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Generate(options) => bench::generate::run(&options),
        Command::Load(options) => bench::load::run(&options).await,
        Command::Run(options) => bench::run::run(&options).await,
        Command::Clew(options) => bench::clew::run(&options).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("clew-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}
