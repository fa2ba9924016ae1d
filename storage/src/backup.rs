//! `clew backup`: a copy of the store that is one state of it, made while a server writes on.
//!
//! ```text
//!  1 wal/*.wal    all that is acknowledged and in no segment yet is in them
//!  2 catalog.db   as of one moment, later than 1: its checkpoint says how much of the log it covers
//!  3 lake/…       every file that it names, checked against its checksums
//! ```
//!
//! A request that was acknowledged before 1 is in the log that was copied, or in a segment that the
//! catalogue names: a log file goes only after the commit of its rows. It is in the copy once, for
//! replay begins behind the checkpoint. Files of 3 stay for ten minutes after the catalogue has let go
//! of them; should one go all the same, 2 and 3 begin again.
//!
//! Everything is written below `<to>.partial`, where the catalogue has another name until the end: what
//! was left half done is no data directory. Data directories inside this one, of tenants, are copied one after
//! the other: each is one state, of its own moment.

mod log;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hashbrown::HashSet;

use crate::catalog::{self, CatalogError, NamedFile};
use crate::fault;
use crate::lake::{CACHE_DIR, Lake};
use crate::scan::ReadError;
use crate::store::{CATALOG_FILE, LAKE_DIR, LOSSES_FILE, WAL_DIR, describe_damage, lock, read_losses};
use crate::wal::{self, Disk};

/// The catalogue until all that it names is there.
const UNFINISHED: &str = "catalog.db.unfinished";

/// How often files may vanish under a copy.
const ATTEMPTS: u32 = 5;

/// Read at a time.
const CHUNK: u64 = 4 << 20;

/// How to copy.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Bucket of the segments, as in the settings of the server. Of what is in a bucket the copy is local.
    pub store: Option<String>,
    /// Segments become hard links where the file system can: they never change.
    pub link: bool,
    /// Copy damaged files as they are instead of giving up.
    pub keep_damaged: bool,
    /// Data directories inside this one, which are copied with it.
    pub inner: Vec<Inner>,
}

/// A data directory inside another.
#[derive(Clone, Debug, Default)]
pub struct Inner {
    /// From the outer one.
    pub path: PathBuf,
    /// As [`Options::store`].
    pub store: Option<String>,
}

/// What was copied.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Of the lake.
    pub files: u64,
    pub bytes: u64,
    /// Of these files, hard links.
    pub linked: u64,
    /// Of the write-ahead log, without what is empty.
    pub log_bytes: u64,
    /// What a reader should know; a sentence each.
    pub notices: Vec<String>,
    /// Files that are copied as they are, though damaged; why, a sentence each.
    pub damaged: Vec<String>,
}

/// There is no backup under the name that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{what}: {error}")]
    Io { what: String, error: io::Error },
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error("{0}; `clew check` tells more, and --keep-damaged copies what is damaged as it is")]
    Damaged(String),
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Injected(#[from] fault::Injected),
}

/// Copies the store of `from` to the new directory `to`. Durable when it returns.
pub async fn backup(from: &Path, to: &Path, options: Options) -> Result<Report, BackupError> {
    if !from.join(CATALOG_FILE).is_file() {
        return Err(BackupError::Refused(format!("{} is no data directory of Clew with a catalogue", from.display())));
    }
    let target = Target::prepare(from, to)?;
    let mut report = one(from, &target.partial, options.store.as_deref(), &options).await?;
    let mut copied = vec![PathBuf::new()];
    for Inner { path, store } in &options.inner {
        if !from.join(path).join(CATALOG_FILE).is_file() {
            report.notices.push(format!("{} has no catalogue and is not copied", path.display()));
            continue;
        }
        let into = target.partial.join(path);
        fs::create_dir_all(&into).map_err(io_error(&into.display().to_string()))?;
        let inner = one(&from.join(path), &into, store.as_deref(), &options).await;
        report.add(inner.map_err(|error| error.within(path))?, path);
        copied.push(path.clone());
    }
    target.finish(&copied)?;
    Ok(report)
}

/// Copies one data directory; the catalogue does not have its name yet.
async fn one(from: &Path, into: &Path, store: Option<&str>, options: &Options) -> Result<Report, BackupError> {
    let lake = match store {
        None => Lake::open(&from.join(LAKE_DIR)),
        // Nothing is asked for twice: no cache, and none of the server's.
        Some(_) => Lake::of(into, store, 0),
    };
    let lake = lake.map_err(|error| BackupError::Refused(error.to_string()))?;
    let options = Options { store: store.map(str::to_owned), ..options.clone() };
    let (root, done, report) = (into.to_owned(), HashSet::new(), Report::default());
    let mut copy = Copy { lake, root, options, done, checkpoint: 0, report };
    let mut outside = Vec::new();
    if fault::planted("bug.backup-catalog-first") {
        outside = copy.named_files(&from.join(CATALOG_FILE)).await?;
    }
    fault::point("backup.before-log")?;
    copy.report.log_bytes = log::copy(&from.join(WAL_DIR), &into.join(WAL_DIR))?;
    fault::point("backup.after-log")?;
    if !fault::planted("bug.backup-catalog-first") {
        outside = copy.named_files(&from.join(CATALOG_FILE)).await?;
    }
    for path in outside {
        copy.report.notices.push(format!("{path} lies outside of the lake and is not copied"));
    }
    remove_cache(into)?;
    copy.check_log(from)?;
    match fs::copy(from.join(LOSSES_FILE), into.join(LOSSES_FILE)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(io_error(LOSSES_FILE)(error)),
    }
    Ok(copy.report)
}

impl Report {
    /// Adds what was copied of a directory inside.
    fn add(&mut self, inner: Self, path: &Path) {
        let Self { files, bytes, linked, log_bytes, notices, damaged } = inner;
        self.files += files;
        self.bytes += bytes;
        self.linked += linked;
        self.log_bytes += log_bytes;
        let within = |line: String| format!("{}: {line}", path.display());
        self.notices.extend(notices.into_iter().map(within));
        self.damaged.extend(damaged.into_iter().map(within));
    }
}

impl BackupError {
    /// Says where, where that is not the whole data directory.
    fn within(self, path: &Path) -> Self {
        let path = path.display();
        match self {
            Self::Io { what, error } => Self::Io { what: format!("{path}: {what}"), error },
            Self::Damaged(what) => Self::Damaged(format!("{path}: {what}")),
            Self::Refused(what) => Self::Refused(format!("{path}: {what}")),
            other => other,
        }
    }
}

/// Where it goes, under its name for the time being.
struct Target {
    partial: PathBuf,
    to: PathBuf,
    parent: PathBuf,
    /// Of the copy: nobody opens it while it is made.
    _lock: File,
}

impl Target {
    fn prepare(from: &Path, to: &Path) -> Result<Self, BackupError> {
        let shown = to.display();
        let name = to.file_name().ok_or_else(|| BackupError::Refused(format!("{shown} names no directory")))?;
        let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let parent = parent.canonicalize().map_err(io_error(&parent.display().to_string()))?;
        let from = from.canonicalize().map_err(io_error(&from.display().to_string()))?;
        if parent.starts_with(&from) {
            return Err(BackupError::Refused(format!("{shown} lies in the data directory itself")));
        }
        let to = parent.join(name);
        if to.symlink_metadata().is_ok() {
            return Err(BackupError::Refused(format!("{shown} exists already")));
        }
        let mut partial = OsString::from(name);
        partial.push(".partial");
        let partial = parent.join(partial);
        if partial.symlink_metadata().is_ok() {
            clear_unfinished(&partial)?;
        }
        fs::create_dir(&partial).map_err(io_error(&partial.display().to_string()))?;
        let lock = lock(&partial).map_err(|error| BackupError::Refused(error.to_string()))?;
        Ok(Self { partial, to, parent, _lock: lock })
    }

    /// Gives the catalogues and then the directory their names, durably; the outermost catalogue, without which
    /// this is no data directory, comes last.
    fn finish(self, copied: &[PathBuf]) -> Result<(), BackupError> {
        let named = |what: &Path| io_error(&what.display().to_string());
        sync_directories(&self.partial).map_err(named(&self.partial))?;
        for directory in copied.iter().rev().map(|path| self.partial.join(path)) {
            fs::rename(directory.join(UNFINISHED), directory.join(CATALOG_FILE)).map_err(named(&directory))?;
            sync(&directory).map_err(named(&directory))?;
        }
        fault::point("backup.before-rename")?;
        fs::rename(&self.partial, &self.to).map_err(named(&self.to))?;
        sync(&self.parent).map_err(named(&self.parent))
    }
}

/// Removes what an earlier attempt left, if that is what it is and nobody is at it.
fn clear_unfinished(partial: &Path) -> Result<(), BackupError> {
    let shown = partial.display();
    // Killed before it had a lock: only an empty directory can be removed so.
    if fs::remove_dir(partial).is_ok() {
        return Ok(());
    }
    if partial.join(CATALOG_FILE).exists() {
        return Err(BackupError::Refused(format!(
            "{shown} is a whole data directory: give it another name, or remove it"
        )));
    }
    if !partial.join("lock").is_file() {
        return Err(BackupError::Refused(format!("{shown} exists and is no unfinished backup: remove it")));
    }
    let _lock = lock(partial).map_err(|_| BackupError::Refused(format!("another backup is writing to {shown}")))?;
    tracing::info!("removing the unfinished backup {shown}");
    remove_all_but_lock(partial).map_err(io_error(&shown.to_string()))?;
    fs::remove_dir_all(partial).map_err(io_error(&shown.to_string()))
}

/// The lock goes last: killed meanwhile, this is still an unfinished backup.
fn remove_all_but_lock(partial: &Path) -> io::Result<()> {
    for entry in fs::read_dir(partial)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false if entry.file_name() == "lock" => {}
            false => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}

/// The lake in the making.
struct Copy {
    lake: Lake,
    root: PathBuf,
    options: Options,
    /// Paths that are there and whole.
    done: HashSet<String>,
    /// Requests up to it are in segments.
    checkpoint: u64,
    report: Report,
}

impl Copy {
    /// The catalogue and all that it names; paths that lie elsewhere.
    async fn named_files(&mut self, catalog: &Path) -> Result<Vec<String>, BackupError> {
        let copied = self.root.join(UNFINISHED);
        for attempt in 1.. {
            remove(&copied)?;
            catalog::copy(catalog, &copied).await?;
            fault::point("backup.after-catalog")?;
            let named = catalog::named(&copied).await?;
            if named.data_path.contains("://") && self.options.store.is_none() {
                return Err(BackupError::Refused(format!(
                    "the segments are in {0}: give --store {0}",
                    named.data_path
                )));
            }
            self.checkpoint = named.checkpoint;
            match self.files(&named.ours, &named.foreign).await {
                Ok(()) => {
                    let wanted = named.ours.into_iter().map(|file| file.path).chain(named.foreign);
                    self.drop_all_but(&wanted.collect())?;
                    return Ok(named.outside);
                }
                Err(Missed::Gone(file)) if attempt < ATTEMPTS => {
                    tracing::info!(file, "a file went while it was copied: the catalogue is copied again");
                }
                Err(Missed::Gone(file)) => {
                    return Err(BackupError::Damaged(format!("{file} is not there, {attempt} times")));
                }
                Err(Missed::Failed(error)) => return Err(error),
            }
        }
        unreachable!("attempts end with an answer")
    }

    /// Reads the log as a start will. What is already known to be lost is no news.
    fn check_log(&mut self, from: &Path) -> Result<(), BackupError> {
        let known = read_losses(from).map_err(io_error(LOSSES_FILE))?;
        let files = Disk::new(self.root.join(WAL_DIR)).map_err(io_error(WAL_DIR))?;
        let read = wal::verify(&files, self.checkpoint, |_| Ok(()));
        let found = read.map_err(|error| BackupError::Refused(error.to_string()))?;
        let new: Vec<String> = found.damage.iter().map(describe_damage).filter(|line| !known.contains(line)).collect();
        match new.first() {
            Some(first) if !self.options.keep_damaged => Err(BackupError::Damaged(first.clone())),
            _ => {
                self.report.damaged.extend(new);
                Ok(())
            }
        }
    }

    async fn files(&mut self, ours: &[NamedFile], foreign: &[String]) -> Result<(), Missed> {
        for file in ours.iter().filter(|file| !self.done.contains(&file.path)).collect::<Vec<_>>() {
            fault::point("backup.before-file").map_err(BackupError::from)?;
            self.segment_file(file).await?;
            self.count(&file.path, file.bytes);
        }
        for path in foreign.iter().filter(|path| !self.done.contains(*path)).collect::<Vec<_>>() {
            let bytes = self.plain_file(path).await?;
            self.count(path, bytes);
        }
        Ok(())
    }

    fn count(&mut self, path: &str, bytes: u64) {
        self.done.insert(path.to_owned());
        self.report.files += 1;
        self.report.bytes += bytes;
    }

    /// Copies a file through its checksums.
    async fn segment_file(&mut self, file: &NamedFile) -> Result<(), Missed> {
        let target = self.target(&file.path)?;
        let copied = match self.link(&file.path, &target)? {
            true => tokio::task::block_in_place(|| self.read(file, |_| Ok(()))),
            false => tokio::task::block_in_place(|| self.write(file, &target)),
        };
        match copied {
            Err(Missed::Failed(BackupError::Damaged(what))) if self.options.keep_damaged => {
                self.report.damaged.push(what);
                self.plain_file(&file.path).await.map(drop)
            }
            copied => copied,
        }
    }

    fn write(&self, file: &NamedFile, target: &Path) -> Result<(), Missed> {
        let shown = target.display().to_string();
        let mut out = File::create(target).map_err(io_error(&shown))?;
        self.read(file, |chunk| out.write_all(chunk).map_err(|error| io_error(&shown)(error).into()))?;
        Ok(out.sync_all().map_err(io_error(&shown))?)
    }

    fn read(&self, file: &NamedFile, mut take: impl FnMut(&[u8]) -> Result<(), Missed>) -> Result<(), Missed> {
        let missed = |error: ReadError| match error {
            ReadError::Io { .. } if self.is_gone(&file.path) => Missed::Gone(file.path.clone()),
            error => BackupError::Damaged(error.to_string()).into(),
        };
        let blob = self.lake.blob(&file.path, file.bytes, file.checksums.clone()).map_err(missed)?;
        for at in (0..file.bytes).step_by(CHUNK as usize) {
            take(&blob.read(at..(at + CHUNK).min(file.bytes)).map_err(missed)?)?;
        }
        Ok(())
    }

    /// Whether a file that cannot be read is not there. Of a bucket nobody knows; asking again tells.
    fn is_gone(&self, path: &str) -> bool {
        self.lake.root().is_none_or(|root| !root.join(path).exists())
    }

    /// Copies a file as it is; its bytes.
    async fn plain_file(&mut self, path: &str) -> Result<u64, Missed> {
        let target = self.target(path)?;
        let contents = self.lake.get(path).await.map_err(|error| match self.is_gone(path) {
            true => Missed::Gone(path.to_owned()),
            false => BackupError::Damaged(error.to_string()).into(),
        })?;
        let written =
            File::create(&target).and_then(|mut file| file.write_all(&contents).and_then(|()| file.sync_all()));
        written.map_err(io_error(path))?;
        Ok(contents.len() as u64)
    }

    fn link(&mut self, path: &str, target: &Path) -> Result<bool, Missed> {
        if !self.options.link {
            return Ok(false);
        }
        let Some(root) = self.lake.root() else { return Ok(false) };
        match fs::hard_link(root.join(path), target) {
            Ok(()) => {
                self.report.linked += 1;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Missed::Gone(path.to_owned())),
            // Another file system, or one that has no links: then it is a copy.
            Err(_) => Ok(false),
        }
    }

    /// Where a file goes; what an attempt left there is removed, for it may be a link.
    fn target(&self, path: &str) -> Result<PathBuf, BackupError> {
        let target = self.root.join(LAKE_DIR).join(path);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(io_error(path))?;
        }
        remove(&target)?;
        Ok(target)
    }

    /// An earlier catalogue named more.
    fn drop_all_but(&mut self, wanted: &HashSet<String>) -> Result<(), BackupError> {
        for path in self.done.iter().filter(|path| !wanted.contains(*path)) {
            remove(&self.root.join(LAKE_DIR).join(path))?;
            self.report.files -= 1;
        }
        Ok(())
    }
}

/// Why a file was not copied.
enum Missed {
    /// It is not there any more.
    Gone(String),
    Failed(BackupError),
}

impl From<BackupError> for Missed {
    fn from(error: BackupError) -> Self {
        Missed::Failed(error)
    }
}

fn io_error(what: &str) -> impl Fn(io::Error) -> BackupError + use<> {
    let what = what.to_owned();
    move |error| BackupError::Io { what: what.clone(), error }
}

/// What a bucket leaves behind that was read without one.
fn remove_cache(partial: &Path) -> Result<(), BackupError> {
    match fs::remove_dir_all(partial.join(CACHE_DIR)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(CACHE_DIR)(error)),
        _ => Ok(()),
    }
}

fn remove(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(&path.display().to_string())(error)),
        _ => Ok(()),
    }
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn sync_directories(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_directories(&entry.path())?;
        }
    }
    sync(root)
}

#[cfg(test)]
mod tests;
