//! The thread that owns the file being written: gathers, writes, syncs, answers.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use tokio::sync::{mpsc, oneshot};

use super::files::{File, Files, write_all};
use super::frame::{self, BLOCK, HEAD};
use super::keeper::{Chore, Ready};
use super::seen::Entry;
use super::{Job, MAX_REQUEST, Segment, Shared, WalError, WalSettings, log_name};
use crate::fault;
use crate::store::Request;

/// A group is written once it has this many bytes, or when no append waits.
const GROUP: u64 = 1 << 20;

pub(super) struct Writer {
    files: Arc<dyn Files>,
    settings: WalSettings,
    shared: Arc<Shared>,
    chores: Sender<Chore>,
    /// Sequence of the next record.
    next: u64,
    current: Option<Current>,
    /// The file after the current one, in the making.
    upcoming: Option<Receiver<io::Result<Ready>>>,
    group: Group,
}

/// The file being written.
struct Current {
    first: u64,
    file: Box<dyn File>,
    marker: [u8; 4],
    /// Where the next group begins: a multiple of the block.
    offset: u64,
    bytes: u64,
    reusable: bool,
    /// Whether the mark is behind the last group.
    marked: bool,
    /// Of what is in it: so that the keeper need not read it again.
    entries: Vec<Entry>,
}

/// Records that one sync will make durable.
#[derive(Default)]
struct Group {
    records: Vec<(Request, oneshot::Sender<Result<u64, WalError>>)>,
    /// Frames, without padding.
    bytes: u64,
}

impl Writer {
    pub(super) fn new(
        files: Arc<dyn Files>,
        settings: WalSettings,
        shared: Arc<Shared>,
        chores: Sender<Chore>,
        next: u64,
    ) -> Self {
        let (current, upcoming, group) = (None, None, Group::default());
        let mut writer = Self { files, settings, shared, chores, next, current, upcoming, group };
        writer.upcoming = Some(writer.order(writer.settings.segment_bytes));
        writer
    }

    pub(super) fn spawn(mut self, queue: mpsc::Receiver<Job>, keeper: JoinHandle<()>) -> io::Result<()> {
        thread::Builder::new().name("wal-writer".into()).spawn(move || {
            let closed = self.run(queue);
            // The keeper ends by itself if it has gone already.
            let _ = self.chores.send(Chore::Stop);
            if keeper.join().is_err() {
                tracing::error!("the keeper of the log failed");
            }
            if let Some(reply) = closed {
                let _ = reply.send(());
            }
        })?;
        Ok(())
    }

    /// Serves appends until the log is closed or dropped.
    fn run(&mut self, mut queue: mpsc::Receiver<Job>) -> Option<oneshot::Sender<()>> {
        let mut closing = None;
        while let Some(job) = queue.blocking_recv() {
            let mut job = Some(job);
            while let Some(one) = job.take() {
                match one {
                    Job::Append { request, reply } => self.add(request, reply),
                    Job::Sync { reply } => {
                        self.commit();
                        let _ = reply.send(self.next - 1);
                    }
                    Job::Renew { reply } => {
                        self.commit();
                        self.renew();
                        let _ = reply.send(self.next - 1);
                    }
                    Job::Close { reply } => {
                        queue.close();
                        closing = Some(reply);
                    }
                }
                if self.group.bytes < GROUP {
                    job = queue.try_recv().ok();
                }
            }
            self.commit();
            self.mark();
        }
        closing
    }

    /// Puts a request into the group; what was gathered before is written first if both do not fit.
    fn add(&mut self, request: Request, reply: oneshot::Sender<Result<u64, WalError>>) {
        if request.body.len() > MAX_REQUEST {
            answer(reply, Err(WalError::TooLarge(request.body.len())));
            return;
        }
        let bytes = (HEAD + request.body.len()) as u64;
        let together = self.group.bytes + bytes;
        let fits = match &self.current {
            Some(current) => current.fits(together),
            None => BLOCK + together <= self.settings.segment_bytes,
        };
        if !fits {
            self.commit();
        }
        self.group.bytes += bytes;
        let reply = if fault::planted("bug.ack-before-wal") { self.answer_early(reply) } else { reply };
        self.group.records.push((request, reply));
    }

    /// What `bug.ack-before-wal` does.
    fn answer_early(&self, reply: oneshot::Sender<Result<u64, WalError>>) -> oneshot::Sender<Result<u64, WalError>> {
        answer(reply, Ok(self.next + self.group.records.len() as u64));
        // Or the client would not hear of it before the fault that follows.
        std::thread::sleep(std::time::Duration::from_millis(50));
        oneshot::channel().0
    }

    /// Writes the group, syncs it and answers.
    fn commit(&mut self) {
        let group = std::mem::take(&mut self.group);
        if group.records.is_empty() {
            return;
        }
        let written = self.write(&group);
        for (_, reply) in group.records {
            match &written {
                Ok(()) => {
                    answer(reply, Ok(self.next));
                    self.next += 1;
                }
                Err(error) => answer(reply, Err(error.clone())),
            }
        }
        // What it returns has nobody to go to: only a kill or a pause makes sense here.
        let _ = fault::point("wal.after-ack");
    }

    fn write(&mut self, group: &Group) -> Result<(), WalError> {
        let mut current = match self.current.take() {
            Some(current) if current.fits(group.bytes) => current,
            full => {
                if let Some(full) = full {
                    self.seal(&full, full.reusable);
                }
                self.begin(group.bytes)?
            }
        };
        match current.write(group, self.next) {
            Ok(()) => {
                self.current = Some(current);
                Ok(())
            }
            Err(error) => {
                // After a failed sync the kernel may call pages clean that never reached the disk
                // (fsync(2)), so nothing more is written here. Cutting what was refused is not needed for
                // the next file to be right, but keeps it from coming back if the process dies before that.
                let _ = current.file.truncate(current.offset);
                self.seal(&current, false);
                tracing::error!(file = log_name(current.first), %error, "a log file failed and was given up");
                Err(WalError::from_io("cannot write the log", &error))
            }
        }
    }

    /// What is written from now on goes to files that never held anything else.
    fn renew(&mut self) {
        if let Some(current) = self.current.take() {
            self.seal(&current, false);
        }
        self.shared.live.lock().values_mut().for_each(|segment| segment.reusable = false);
        // The file made ahead may be one used before.
        let ahead = self.upcoming.take().and_then(|upcoming| received(&upcoming).ok());
        // Without a keeper whoever waits for the purge hears of it.
        let _ = self.chores.send(Chore::Renew { ahead: ahead.map(|ready| ready.name) });
        self.upcoming = Some(self.order(self.settings.segment_bytes));
    }

    /// Without it nothing is lost, so what it returns does not matter.
    fn mark(&mut self) {
        if let Some(current) = self.current.as_mut().filter(|current| !current.marked && current.fits(BLOCK)) {
            let mark = frame::mark(current.marker, self.next);
            let _ = write_all(&*current.file, &mut [IoSlice::new(&mark)], current.offset);
            current.marked = true;
        }
    }

    /// Takes a file out of use. If it has no acknowledged record it goes; else the name of the next
    /// one says where it ends.
    fn seal(&self, current: &Current, reusable: bool) {
        let mut live = self.shared.live.lock();
        if current.first == self.next {
            live.remove(&current.first);
            // If this fails the next file takes its name, and so its place.
            let _ = self.files.remove(&log_name(current.first));
        } else if let Some(segment) = live.get_mut(&current.first) {
            segment.last = Some(self.next - 1);
            segment.reusable = reusable;
            segment.entries = Some(current.entries.as_slice().into());
        }
    }

    /// Puts a new file into the log, with room for a group of so many bytes.
    fn begin(&mut self, group: u64) -> Result<Current, WalError> {
        let ready = self.ready(group).map_err(|error| WalError::from_io("cannot make a log file", &error))?;
        let first = self.next;
        let name = log_name(first);
        let entered = self.files.rename(&ready.name, &name).and_then(|()| self.files.sync_names()).and_then(|()| {
            fault::point("wal.rotate-named")?;
            let mut block = [0; BLOCK as usize];
            let header = frame::file_header(first);
            block[..header.len()].copy_from_slice(&header);
            write_all(&*ready.file, &mut [IoSlice::new(&block)], 0)?;
            Ok(fault::point("wal.rotate-headed")?)
        });
        if let Err(error) = entered {
            let _ = self.files.remove(&ready.name).or_else(|_| self.files.remove(&name));
            return Err(WalError::from_io("cannot add a log file", &error));
        }
        let Ready { file, bytes, reusable, .. } = ready;
        self.shared.live.lock().insert(first, Segment { first, last: None, bytes, reusable, entries: None });
        let (marker, entries) = (frame::marker(first), Vec::new());
        Ok(Current { first, file, marker, offset: BLOCK, bytes, reusable, marked: true, entries })
    }

    /// A file for a group: the one made ahead, or one made now.
    fn ready(&mut self, group: u64) -> io::Result<Ready> {
        let needed = (BLOCK + group).next_multiple_of(BLOCK);
        if needed > self.settings.segment_bytes {
            return received(&self.order(needed));
        }
        // If the one made ahead failed, that may have been long ago.
        let ready = match self.upcoming.take().map(|upcoming| received(&upcoming)) {
            Some(Ok(ready)) => ready,
            Some(Err(_)) | None => received(&self.order(self.settings.segment_bytes))?,
        };
        self.upcoming = Some(self.order(self.settings.segment_bytes));
        Ok(ready)
    }

    fn order(&self, bytes: u64) -> Receiver<io::Result<Ready>> {
        let (reply, answer) = channel();
        // Without a keeper the receiver reports it.
        let _ = self.chores.send(Chore::Prepare { bytes, reply });
        answer
    }
}

impl Current {
    fn fits(&self, group: u64) -> bool {
        self.offset + group <= self.bytes
    }

    /// One write, one sync. Payloads are not copied.
    fn write(&mut self, group: &Group, first: u64) -> io::Result<()> {
        const PADDING: [u8; BLOCK as usize] = [0; BLOCK as usize];
        let heads: Vec<[u8; HEAD]> = (0u32..)
            .zip(&group.records)
            .map(|(position, (request, _))| frame::head(self.marker, position, first + u64::from(position), request))
            .collect();
        let mut parts = Vec::with_capacity(heads.len() * 2 + 1);
        for (head, (request, _)) in heads.iter().zip(&group.records) {
            parts.push(IoSlice::new(head));
            parts.push(IoSlice::new(&request.body));
        }
        let end = (self.offset + group.bytes).next_multiple_of(BLOCK).min(self.bytes);
        parts.push(IoSlice::new(&PADDING[..(end - self.offset - group.bytes) as usize]));
        fault::point("wal.before-write")?;
        write_all(&*self.file, &mut parts, self.offset)?;
        fault::point("wal.after-write")?;
        self.file.sync()?;
        fault::point("wal.after-sync")?;
        self.offset = end;
        self.marked = false;
        let entry = |request: &Request| Entry { received: request.received, hash: request.hash };
        self.entries.extend(group.records.iter().map(|(request, _)| entry(request)));
        Ok(())
    }
}

fn received(ready: &Receiver<io::Result<Ready>>) -> io::Result<Ready> {
    ready.recv().unwrap_or_else(|_| Err(io::Error::other("the keeper of the log has gone")))
}

fn answer(reply: oneshot::Sender<Result<u64, WalError>>, result: Result<u64, WalError>) {
    // The caller may have gone: then nobody learns of it, and a repeat is told by its hash.
    let _ = reply.send(result);
}
