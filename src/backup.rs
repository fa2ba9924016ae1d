//! `clew backup`: copies a data directory, with those of its tenants, also while a server writes to them.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use storage::backup;

use crate::{Failure, tenants};

#[derive(Args)]
pub(crate) struct Options {
    /// The directory that `clew serve` writes
    #[arg(long, env = "CLEW_DATA_DIR", default_value = "clew-data")]
    data_dir: PathBuf,
    /// The directory to make; it must not exist. Until it is whole it is called `<DIR>.partial`
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The catalogue, where it is not in the data directory
    #[arg(long, env = "CLEW_CATALOG")]
    catalog: Option<String>,
    /// Where the segments are, when in a bucket: `s3://bucket/prefix`; they are copied from there
    #[arg(long, env = "CLEW_STORE", value_name = "URL")]
    store: Option<String>,
    /// Segments become hard links where both directories are on one file system: no copy, but one disk
    #[arg(long)]
    link: bool,
    /// Copies damaged files as they are instead of giving up; exit 1 all the same
    #[arg(long)]
    keep_damaged: bool,
}

/// Exit 1 where there is no backup, or one that holds damage.
pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_ansi(ansi).with_writer(std::io::stderr).init();
    crate::serve::arm_faults()?;
    if options.catalog.as_ref().is_some_and(|catalog| catalog.starts_with("postgres")) {
        return Err(Failure::Usage(NOT_POSTGRES.to_owned()));
    }
    let inner = inner(&options).map_err(Failure::Failed)?;
    let Options { store, link, keep_damaged, .. } = options;
    let how = backup::Options { store, link, keep_damaged, inner };
    let report = backup::backup(&options.data_dir, &options.to, how).await.map_err(Failure::failed)?;
    report.notices.iter().for_each(|notice| println!("notice: {notice}"));
    report.damaged.iter().for_each(|damage| println!("DAMAGE: {damage}"));
    println!(
        "{}: {} files with {} bytes ({} hard links), {} bytes of the log",
        options.to.display(),
        report.files,
        report.bytes,
        report.linked,
        report.log_bytes
    );
    match report.damaged.len() {
        0 => Ok(()),
        damaged => Err(Failure::failed(format!("{damaged} files were damaged and are copied as they are"))),
    }
}

/// Of tenants, declared or not.
fn inner(options: &Options) -> Result<Vec<backup::Inner>, String> {
    let found = tenants::found(&options.data_dir).map_err(|error| error.to_string())?;
    let inner = found.iter().map(|tenant| {
        let path = tenants::directory(Path::new(""), tenant);
        Ok(backup::Inner { path, store: tenants::place(options.store.as_deref(), tenant)? })
    });
    inner.collect()
}

const NOT_POSTGRES: &str = "`clew backup` copies a catalogue in SQLite only. For one in PostgreSQL: copy the wal \
     directory of every writer first, then the database with pg_dump, then the lake; ten minutes may pass between the \
     last two";
