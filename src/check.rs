//! `clew check`: verifies a data directory and says what is wrong with it.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use collector::OtlpDecoder;
use storage::catalog::PostgresUrl;
use storage::store::Settings;

use crate::Failure;

#[derive(Args)]
pub(crate) struct Options {
    /// The directory that `clew serve` wrote
    #[arg(long, env = "CLEW_DATA_DIR", default_value = "clew-data")]
    data_dir: PathBuf,
    /// The shared catalogue that it was given, `postgres://…`
    #[arg(long, env = "CLEW_CATALOG", hide_env_values = true)]
    catalog: Option<PostgresUrl>,
    /// The bucket that it was given, such as `s3://bucket/prefix`
    #[arg(long, env = "CLEW_STORE")]
    store: Option<String>,
}

/// Exit 1 where something acknowledged is damaged.
pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let settings = Settings { catalog: options.catalog, store: options.store, ..Settings::new(&options.data_dir) };
    let report = storage::check::check(&settings, Arc::new(OtlpDecoder::default())).await.map_err(Failure::failed)?;
    for finding in &report.findings {
        println!("{}: {}", if finding.damage { "DAMAGE" } else { "notice" }, finding.what);
    }
    println!("format {}, DuckLake {}", report.format, report.lake_version);
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
