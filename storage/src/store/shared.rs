//! Several processes, one lake: who this one is, what the others did, and who does what one should do.

use std::io::Write as _;
use std::path::Path;
use std::sync::Weak;
use std::time::Instant;

use hashbrown::HashSet;

use super::chapters::AHEAD;
use super::flush::{WriteError, add};
use super::*;
use crate::catalog::{Counters, PostgresUrl, RollupState, Source};
use crate::fault;
use crate::segment::{Segment, SegmentMeta};

/// How often the catalogue is asked for what the others committed.
const LOOK: Duration = Duration::from_secs(1);

/// A lease ends so long after its holder was last heard of.
const LEASE: Duration = Duration::from_secs(120);

/// Holds the random id of a process that ingests into a shared lake: whose checkpoint, whose row ids.
pub(crate) const WRITER_FILE: &str = "writer";

/// Where the catalogue of a data directory is. Refused is what would lose sight of rows: a directory with
/// a catalogue of its own cannot join another, nor can one that has joined do without.
pub(crate) fn source(data_dir: &Path, catalog: Option<&PostgresUrl>) -> Result<Source, OpenError> {
    let (own, writer) = (data_dir.join(CATALOG_FILE), data_dir.join(WRITER_FILE));
    let shown = data_dir.display();
    match catalog {
        None if writer.exists() && !own.exists() => Err(OpenError::Failed(format!(
            "{shown} ingests into a shared lake: give its catalogue, --catalog postgres://…"
        ))),
        None => Ok(Source::Sqlite(own)),
        Some(_) if own.exists() => Err(OpenError::Failed(format!(
            "{shown} has a catalogue of its own ({CATALOG_FILE}) and cannot join a shared one: use a new data directory"
        ))),
        Some(url) => {
            let failed = |error: std::io::Error| OpenError::Failed(format!("{}: {error}", writer.display()));
            Ok(Source::Postgres { url: url.clone(), writer: writer_id(data_dir, &writer).map_err(failed)? })
        }
    }
}

/// Reads the id, or makes one that is on disk before anything is done in its name.
fn writer_id(data_dir: &Path, file: &Path) -> std::io::Result<String> {
    match std::fs::read_to_string(file) {
        Ok(id) if is_id(id.trim()) => return Ok(id.trim().to_owned()),
        Ok(_) => return Err(std::io::Error::other("this is no id of a writer")),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    let id = format!("{:016x}{:016x}", flush::random(), flush::random());
    let new = file.with_extension("new");
    let mut written = std::fs::File::create(&new)?;
    writeln!(written, "{id}")?;
    written.sync_all()?;
    std::fs::rename(&new, file)?;
    std::fs::File::open(data_dir)?.sync_all()?;
    Ok(id)
}

fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What the catalogue has and the view has not, and the other way round.
pub(super) struct Difference {
    pub(super) gone: HashSet<i64>,
    pub(super) new: Vec<Arc<Segment>>,
    /// As they are now, where they are others.
    pub(super) rollups: Option<Arc<RollupState>>,
}

impl Store {
    /// Whether other processes ingest into the lake too.
    pub(super) fn is_shared(&self) -> bool {
        self.catalog.is_shared()
    }

    /// Which row ids this process gives.
    pub fn chapters(&self) -> Arc<Chapters> {
        self.chapters.clone()
    }

    /// Learns the chapters that the next requests need; asks the catalogue only once in sixteen million.
    pub(super) async fn open_chapters(&self, sequence: u64) -> Result<(), WriteError> {
        for sequence in [sequence, sequence + 2 * AHEAD] {
            if let Some(part) = self.chapters.missing(sequence) {
                let number = self.catalog.take_chapter(part).await?;
                self.chapters.learn(part, if fault::planted("bug.own-chapters") { part } else { number });
            }
        }
        Ok(())
    }

    /// Whether the row ids of the next requests are known.
    pub(super) fn has_chapters(&self) -> bool {
        self.chapters.missing(self.last_sequence.load(Ordering::SeqCst) + AHEAD).is_none()
    }

    /// Brings the view to what the lake holds now, in one step: segments that other processes wrote, and
    /// those that they, or other programs, took away. False when a flush whose outcome is not known has
    /// to be settled first: its rows are in memory, and would be seen twice.
    pub(super) async fn reconcile(&self) -> Result<bool, WriteError> {
        let _publishing = self.publishing.lock().await;
        if self.unsettled.lock().is_some() {
            return Ok(false);
        }
        let difference = self.difference(self.catalog.contents().await?);
        if !difference.gone.is_empty() || !difference.new.is_empty() || difference.rollups.is_some() {
            let (gone, new) = (difference.gone.len(), difference.new.len());
            tracing::debug!(gone, new, "others changed the lake");
            self.change(|view| difference.apply(view));
        }
        difference.gone.iter().for_each(|id| self.cache.forget(*id));
        Ok(true)
    }

    /// Only while [`Store::publishing`] is held: else what this process has committed and not yet shown
    /// would look like somebody else's.
    pub(super) fn difference(&self, (live, rollups): (Vec<SegmentMeta>, RollupState)) -> Difference {
        let view = self.view.load_full();
        let shown: HashSet<i64> = view.segments().map(|segment| segment.meta().id).collect();
        let ids: HashSet<i64> = live.iter().map(|meta| meta.id).collect();
        let new = live.into_iter().filter(|meta| !shown.contains(&meta.id));
        Difference {
            gone: shown.difference(&ids).copied().collect(),
            new: new.map(|meta| Arc::new(Segment::new(meta, &self.lake, self.cache.clone()))).collect(),
            rollups: (*view.rollups != rollups).then(|| Arc::new(rollups)),
        }
    }

    /// Whether this process does what one of them should do: merge, clear away. True as well when there is
    /// no other. Two may believe so for a moment; then one works in vain.
    pub(super) async fn leads(&self) -> Result<bool, WriteError> {
        let time = i64::try_from(LEASE.as_nanos()).unwrap_or(i64::MAX);
        Ok(self.catalog.lease("maintenance", time).await?)
    }

    /// Of files that nobody knows, those that may go. Where other processes write, their clocks and the
    /// file system's do not count: this one must have seen a file for so long, and no commit of it.
    pub(super) fn abandoned(&self, unknown: Vec<String>, grace: Duration) -> Vec<String> {
        if !self.catalog.is_shared() {
            return unknown;
        }
        let mut strangers = self.strangers.lock();
        let now = Instant::now();
        let seen: HashMap<String, Instant> = unknown
            .into_iter()
            .map(|path| {
                let since = strangers.get(&path).copied().unwrap_or(now);
                (path, since)
            })
            .collect();
        *strangers = seen;
        strangers.iter().filter(|(_, since)| since.elapsed() >= grace).map(|(path, _)| path.clone()).collect()
    }
}

impl Difference {
    pub(super) fn apply(&self, view: &mut View) {
        for table in Table::ALL {
            let part = view.table_mut(table);
            if part.segments.iter().any(|segment| self.gone.contains(&segment.meta().id)) {
                Arc::make_mut(&mut part.segments).retain(|segment| !self.gone.contains(&segment.meta().id));
            }
        }
        add(view, self.new.clone());
        if let Some(rollups) = &self.rollups {
            view.rollups = rollups.clone();
        }
    }
}

/// Looks at what the others did. Ends when the store closes.
pub(super) async fn watcher(store: Weak<Store>, mut closed: watch::Receiver<bool>) {
    let (mut seen, mut failing) = (None, false);
    loop {
        tokio::select! {
            _ = closed.wait_for(|closed| *closed) => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let Some(store) = store.upgrade() else { return };
        match store.look(seen).await {
            Ok(newest) => {
                if std::mem::take(&mut failing) {
                    tracing::info!("the catalogue answers again");
                }
                seen = newest;
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(%error, "rows of other processes cannot be seen for now");
                }
            }
        }
    }
}

/// Number of the newest snapshot, and what changes with the counts.
type Seen = (i64, Counters);

impl Store {
    /// The newest snapshot and counts that the view holds, after what was looked up; None when that is not known.
    async fn look(&self, seen: Option<Seen>) -> Result<Option<Seen>, WriteError> {
        self.open_chapters(self.last_sequence.load(Ordering::SeqCst)).await?;
        let newest = (self.catalog.newest_snapshot().await?, self.catalog.rollup_counters().await?);
        if Some(newest) == seen {
            return Ok(seen);
        }
        Ok(self.reconcile().await?.then_some(newest))
    }
}
