//! `clew check`: verifies a data directory, with those of its tenants, and says what is wrong with it.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use collector::OtlpDecoder;
use storage::catalog::PostgresUrl;
use storage::store::Settings;
use storage::tenant::TenantId;

use crate::{Failure, tenants};

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

/// Exit 1 where something acknowledged is damaged. Of several tenants each is verified, whatever the others are.
pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let tenants = tenants::found(&options.data_dir).map_err(Failure::failed)?;
    let mut wrong = Vec::new();
    for tenant in std::iter::once(TenantId::default()).chain(tenants) {
        if let Err(problem) = one(&options, &tenant).await {
            wrong.push(problem);
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::Failed(wrong.join("; "))) }
}

/// The error says which directory is damaged, or could not be verified.
async fn one(options: &Options, tenant: &TenantId) -> Result<(), String> {
    let directory = tenants::directory(&options.data_dir, tenant);
    let settings = Settings {
        catalog: tenants::catalog(options.catalog.as_ref(), tenant)?,
        store: tenants::place(options.store.as_deref(), tenant)?,
        ..Settings::new(&directory)
    };
    if !tenant.is_default() {
        println!("tenant {tenant}:");
    }
    let report = storage::check::check(&settings, Arc::new(OtlpDecoder::default())).await;
    let report = report.map_err(|error| error.to_string())?;
    for finding in &report.findings {
        println!("{}: {}", if finding.damage { "DAMAGE" } else { "notice" }, finding.what);
    }
    println!("format {}, DuckLake {}", report.format, report.lake_version);
    println!(
        "{} segments with {} rows ({} bytes read against their checksums), {} requests in the log, {} orphaned files",
        report.segments, report.rows, report.bytes, report.log_records, report.orphans
    );
    if report.damaged() {
        return Err(format!("{} is damaged", directory.display()));
    }
    println!("{} is whole", directory.display());
    Ok(())
}
