//! `clew check`: verifies a data directory and says what is wrong with it.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use collector::OtlpDecoder;

use crate::Failure;

#[derive(Args)]
pub(crate) struct Options {
    /// The directory that `clew serve` wrote
    #[arg(long, env = "CLEW_DATA_DIR", default_value = "clew-data")]
    data_dir: PathBuf,
}

/// Exit 1 where something acknowledged is damaged.
pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let report =
        storage::check::check(&options.data_dir, Arc::new(OtlpDecoder::default())).await.map_err(Failure::failed)?;
    for finding in &report.findings {
        println!("{}: {}", if finding.damage { "DAMAGE" } else { "notice" }, finding.what);
    }
    println!(
        "{} segments with {} rows ({} bytes read against their checksums), {} requests in the log, {} orphaned files",
        report.segments, report.rows, report.bytes, report.log_records, report.orphans
    );
    if report.damaged() {
        return Err(Failure::failed(format!("{} is damaged", options.data_dir.display())));
    }
    println!("{} is whole", options.data_dir.display());
    Ok(())
}
