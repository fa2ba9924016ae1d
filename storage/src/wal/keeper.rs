//! The thread that makes log files ready before they are needed, and retires them after.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use super::files::{File, Files, write_all};
use super::frame::Frames;
use super::seen::{self, Entry, SeenFile};
use super::{Segment, Shared, WalSettings, log_name};
use crate::fault;

/// Spare files kept beside the one that the writer holds ready. More would only hold disk.
const SPARES: usize = 2;

/// Zeros are written and synced in pieces, so that no sync of the writer waits long behind them.
const ZEROS: usize = 1 << 20;
const SYNC_EVERY: u64 = 8;

pub(super) enum Chore {
    /// A file of this size for the writer.
    Prepare {
        bytes: u64,
        reply: Sender<io::Result<Ready>>,
    },
    /// Files with no record above `sequence` can go. `now` in ns since the epoch.
    Checkpoint {
        sequence: u64,
        now: i64,
    },
    /// No file is used again that was used before; `ahead` was made ready and will not be used.
    Renew {
        ahead: Option<String>,
    },
    /// Like a checkpoint; then none of the files up to `renewed` may be left. Replies how many went.
    Purge {
        renewed: u64,
        checkpoint: u64,
        now: i64,
        reply: oneshot::Sender<io::Result<u64>>,
    },
    Stop,
}

/// A file that is not yet in the log.
pub(super) struct Ready {
    pub(super) name: String,
    pub(super) file: Box<dyn File>,
    pub(super) bytes: u64,
    pub(super) reusable: bool,
}

pub(super) struct Keeper {
    files: Arc<dyn Files>,
    settings: WalSettings,
    shared: Arc<Shared>,
    spares: Vec<String>,
    seen: Vec<SeenFile>,
    /// Files that must go, since the log was renewed.
    doomed: Vec<String>,
    /// Removed since the log was renewed.
    removed: u64,
    /// Made so far: their names must differ.
    made: u64,
}

impl Keeper {
    pub(super) fn new(
        files: Arc<dyn Files>,
        settings: WalSettings,
        shared: Arc<Shared>,
        spares: Vec<String>,
        seen: Vec<SeenFile>,
    ) -> Self {
        Self { files, settings, shared, spares, seen, doomed: Vec::new(), removed: 0, made: 0 }
    }

    pub(super) fn spawn(mut self) -> io::Result<(Sender<Chore>, JoinHandle<()>)> {
        let (chores, queue) = channel();
        let thread = thread::Builder::new().name("wal-keeper".into()).spawn(move || self.run(&queue))?;
        Ok((chores, thread))
    }

    fn run(&mut self, queue: &Receiver<Chore>) {
        while let Ok(chore) = queue.recv() {
            match chore {
                Chore::Prepare { bytes, reply } => {
                    // A writer that has gone needs no file; the next open finds it as a spare or removes it.
                    let _ = reply.send(self.prepare(bytes));
                }
                Chore::Checkpoint { sequence, now } => self.checkpoint(sequence, now),
                Chore::Renew { ahead } => self.renew(ahead),
                Chore::Purge { renewed, checkpoint, now, reply } => {
                    self.checkpoint(checkpoint, now);
                    let _ = reply.send(self.purged(renewed));
                }
                Chore::Stop => break,
            }
        }
    }

    fn prepare(&mut self, bytes: u64) -> io::Result<Ready> {
        let usual = bytes == self.settings.segment_bytes;
        while let Some(name) = self.spares.pop_if(|_| usual) {
            if let Ok(file) = self.files.open(&name) {
                return Ok(Ready { name, file, bytes, reusable: true });
            }
        }
        self.made += 1;
        let name = format!("new-{}.tmp", self.made);
        let made = self.make(&name, bytes, usual);
        if made.is_err() {
            // Or the blocks it got would stay taken until the next open.
            let _ = self.files.remove(&name);
        }
        made
    }

    /// A file that is written over and over is filled with zeros first: then a sync need not write
    /// which of its blocks hold data. One that holds a single large record is not worth it.
    fn make(&self, name: &str, bytes: u64, usual: bool) -> io::Result<Ready> {
        let file = self.files.create(name)?;
        file.allocate(bytes)?;
        if usual {
            let zeros = vec![0; ZEROS];
            for (i, offset) in (0..bytes).step_by(ZEROS).enumerate() {
                let length = (bytes - offset).min(ZEROS as u64) as usize;
                write_all(&*file, &mut [IoSlice::new(&zeros[..length])], offset)?;
                if (i as u64 + 1).is_multiple_of(SYNC_EVERY) {
                    file.sync()?;
                }
            }
        }
        file.sync()?;
        Ok(Ready { name: name.to_owned(), file, bytes, reusable: usual })
    }

    fn checkpoint(&mut self, sequence: u64, now: i64) {
        let window = i64::try_from(self.settings.dedupe_window.as_nanos()).unwrap_or(i64::MAX);
        let oldest = now.saturating_sub(window);
        let done: Vec<Segment> = {
            let live = self.shared.live.lock();
            live.values().take_while(|segment| segment.last.is_some_and(|last| last <= sequence)).cloned().collect()
        };
        for segment in done {
            // It stays in the log, and the next checkpoint tries again.
            if let Err(error) = self.retire(&segment, oldest) {
                tracing::warn!(file = log_name(segment.first), %error, "a log file cannot be retired yet");
                break;
            }
        }
        let files = &self.files;
        let newest = self.seen.iter().map(|seen| seen.first).max();
        self.seen.retain(|seen| {
            Some(seen.first) == newest || seen.received >= oldest || files.remove(&seen::name(seen.first)).is_err()
        });
    }

    fn renew(&mut self, ahead: Option<String>) {
        self.removed = 0;
        self.doomed.extend(ahead);
        self.doomed.append(&mut self.spares);
    }

    /// How many files went since the log was renewed; an error while one is left.
    fn purged(&mut self, renewed: u64) -> io::Result<u64> {
        while let Some(name) = self.doomed.last() {
            match self.files.remove(name) {
                Ok(()) => self.removed += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            self.doomed.pop();
        }
        self.files.sync_names()?;
        match self.shared.live.lock().values().find(|segment| segment.first <= renewed) {
            Some(segment) => Err(io::Error::other(format!("{} is still in use", log_name(segment.first)))),
            None => Ok(self.removed),
        }
    }

    /// Keeps the hashes, then gives the file up.
    fn retire(&mut self, segment: &Segment, oldest: i64) -> io::Result<()> {
        let name = log_name(segment.first);
        fault::point("wal.retire")?;
        let entries = self.hashes(segment, &name, oldest)?;
        // Also an empty one: the newest list says up to where there are lists.
        self.save(segment, &entries)?;
        fault::point("wal.retire-seen")?;
        // Out of the list first: the writer may use this name again once the file has gone.
        self.shared.live.lock().remove(&segment.first);
        if let Err(error) = self.give_up(segment, &name) {
            self.shared.live.lock().entry(segment.first).or_insert_with(|| segment.clone());
            return Err(error);
        }
        fault::point("wal.retire-gone")?;
        self.files.sync_names()
    }

    fn give_up(&mut self, segment: &Segment, name: &str) -> io::Result<()> {
        if segment.reusable && self.spares.len() < SPARES {
            let spare = format!("{:020}.spare", segment.first);
            self.files.rename(name, &spare)?;
            self.spares.push(spare);
            Ok(())
        } else {
            self.files.remove(name)?;
            self.removed += 1;
            Ok(())
        }
    }

    /// Requests of the file that may still be repeated.
    fn hashes(&self, segment: &Segment, name: &str, oldest: i64) -> io::Result<Vec<Entry>> {
        if let Some(entries) = &segment.entries {
            return Ok(entries.iter().filter(|entry| entry.received >= oldest).copied().collect());
        }
        let Some(last) = segment.last.filter(|&last| last >= segment.first) else { return Ok(Vec::new()) };
        let frames = Frames::new(self.files.read(name)?.into(), segment.first, last + 1);
        let entries = frames.map(|frame| Entry { received: frame.request.received, hash: frame.request.hash });
        Ok(entries.filter(|entry| entry.received >= oldest).collect())
    }

    fn save(&mut self, segment: &Segment, entries: &[Entry]) -> io::Result<()> {
        let first = segment.first;
        // It may be there from an attempt that failed later on.
        self.seen.retain(|seen| seen.first != first);
        let temporary = format!("{first:020}.seen.tmp");
        let file = self.files.create(&temporary)?;
        write_all(&*file, &mut [IoSlice::new(&seen::encode(segment.last.unwrap_or(first), &self.seen, entries))], 0)?;
        file.sync()?;
        self.files.rename(&temporary, &seen::name(first))?;
        self.files.sync_names()?;
        self.seen.push(SeenFile::new(first, entries));
        Ok(())
    }
}
