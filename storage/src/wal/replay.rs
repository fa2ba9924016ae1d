//! Reads the log when it opens: what is whole, what is missing, where to go on.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use bytes::Bytes;

use super::files::Files;
use super::frame::{FileHeader, Frames, read_file_header};
use super::seen::{self, SeenFile};
use super::{OpenError, Segment, WalSettings, log_name};
use crate::store::Request;

/// What the log gives back when it opens.
#[derive(Debug)]
pub enum Replayed {
    /// A request at or below the checkpoint.
    Seen { received: i64, hash: u128 },
    /// A request above the checkpoint.
    Record { sequence: u64, request: Request },
}

/// What was found when the log opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// Given as [`Replayed::Record`].
    pub records: u64,
    /// Last sequence in the log or the checkpoint, whichever is greater.
    pub last_sequence: u64,
    /// Acknowledged data that cannot be read. Everything else was.
    pub damage: Vec<Damage>,
    /// Where the last file ends in a group that was cut while it was written: it was not acknowledged.
    pub torn: Option<(String, u64)>,
}

/// A place in the log that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub file: String,
    /// Bytes from the start of the file.
    pub offset: u64,
    pub what: String,
    /// Sequences of the records that are missing, if any are.
    pub lost: Option<RangeInclusive<u64>>,
}

/// What the log goes on with.
pub(super) struct Found {
    pub(super) live: Vec<Segment>,
    pub(super) seen: Vec<SeenFile>,
    pub(super) spares: Vec<String>,
    /// Sequence of the next record.
    pub(super) next: u64,
    pub(super) report: ReplayReport,
}

pub(super) fn replay(
    files: &dyn Files,
    settings: &WalSettings,
    checkpoint: u64,
    now: i64,
    mut on_record: impl FnMut(Replayed) -> Result<(), String>,
) -> Result<Found, OpenError> {
    let names = Names::list(files, settings)?;
    let mut report = ReplayReport { last_sequence: checkpoint, ..ReplayReport::default() };
    let mut seen = Vec::new();
    // Up to where there are lists; None where the newest cannot be read.
    let mut listed = Some(0);
    let mut before = Vec::new();
    for (&first, name) in &names.seen {
        match files.read(name).map_err(|error| io_error("read", name, error)).map(|bytes| seen::decode(&bytes))? {
            Ok(list) => {
                seen.push(SeenFile::new(first, &list.entries));
                (listed, before) = (list.last, list.before);
                for entry in list.entries {
                    on_record(Replayed::Seen { received: entry.received, hash: entry.hash })
                        .map_err(OpenError::Stopped)?;
                }
            }
            Err(what) => {
                report.damage.push(Damage { file: name.clone(), offset: 0, what, lost: None });
                seen.push(SeenFile::new(first, &[]));
                (listed, before) = (None, Vec::new());
            }
        }
    }
    let window = i64::try_from(settings.dedupe_window.as_nanos()).unwrap_or(i64::MAX);
    let needed =
        |list: &&SeenFile| list.received >= now.saturating_sub(window) && !names.seen.contains_key(&list.first);
    report.damage.extend(
        before.iter().filter(needed).map(|list| missing_list(seen::name(list.first), "this list of request hashes")),
    );

    let mut reader = Reader { files, settings, checkpoint, listed, report, live: Vec::new(), spares: names.spares };
    let firsts: Vec<(u64, u64)> = names.log.into_iter().collect();
    for (i, &(first, bytes)) in firsts.iter().enumerate() {
        let following = firsts.get(i + 1).map(|&(following, _)| following);
        reader.file(first, bytes, following, &mut on_record)?;
    }
    let Reader { mut report, live, spares, .. } = reader;
    // What is missing at or below the checkpoint is kept in segments: a file that should have gone may
    // stand before a gap of files that have.
    report.damage.retain_mut(|damage| match &mut damage.lost {
        Some(lost) => {
            *lost = (*lost.start()).max(checkpoint + 1)..=*lost.end();
            !lost.is_empty()
        }
        None => true,
    });
    Ok(Found { next: report.last_sequence + 1, live, seen, spares, report })
}

/// Files of the directory by kind; half-made ones are gone.
struct Names {
    /// Size by first sequence.
    log: BTreeMap<u64, u64>,
    /// Name by first sequence.
    seen: BTreeMap<u64, String>,
    spares: Vec<String>,
}

impl Names {
    fn list(files: &dyn Files, settings: &WalSettings) -> Result<Self, OpenError> {
        let mut names = Self { log: BTreeMap::new(), seen: BTreeMap::new(), spares: Vec::new() };
        for (name, bytes) in files.list().map_err(|error| io_error("list", "the log", error))? {
            let Some((stem, kind)) = name.rsplit_once('.') else { continue };
            match (kind, stem.parse::<u64>()) {
                ("wal", Ok(first)) if name == log_name(first) => {
                    names.log.insert(first, bytes);
                }
                ("seen", Ok(first)) => {
                    names.seen.insert(first, name);
                }
                ("spare", _) if bytes == settings.segment_bytes => names.spares.push(name),
                ("spare" | "tmp", _) => files.remove(&name).map_err(|error| io_error("remove", &name, error))?,
                _ => {}
            }
        }
        Ok(names)
    }
}

struct Reader<'a> {
    files: &'a dyn Files,
    settings: &'a WalSettings,
    checkpoint: u64,
    /// Sequence up to which there are lists of hashes, if that is known.
    listed: Option<u64>,
    report: ReplayReport,
    live: Vec<Segment>,
    spares: Vec<String>,
}

impl Reader<'_> {
    /// Reads a file of `size` bytes; `following` is the first sequence of the next file.
    fn file(
        &mut self,
        first: u64,
        size: u64,
        following: Option<u64>,
        on_record: &mut impl FnMut(Replayed) -> Result<(), String>,
    ) -> Result<(), OpenError> {
        let name = log_name(first);
        if following.is_none() {
            self.make_durable(&name)?;
        }
        let bytes = Bytes::from(self.files.read(&name).map_err(|error| io_error("read", &name, error))?);
        let header = read_file_header(&bytes, first);
        if let FileHeader::Version(found) = header {
            return Err(OpenError::Version { file: name, found });
        }
        self.missing_before(first, &name);
        let lists = matches!(header, FileHeader::Good { version: 2.. });
        if self.live.is_empty() && lists && self.listed.is_some_and(|listed| listed + 1 < first) {
            self.report.damage.push(missing_list(name.clone(), "the list of request hashes of the file before"));
        }

        let mut frames = Frames::new(bytes, first, following.unwrap_or(u64::MAX));
        let gaps = self.records(&name, &mut frames, on_record)?;
        let mut last = frames.expected - 1;
        if following.is_none() && frames.synced > last + 1 {
            self.report.damage.push(gap(&name, frames.offset, last + 1..=frames.synced - 1));
            // They were given out.
            last = frames.synced - 1;
        }
        self.report.last_sequence = self.report.last_sequence.max(last);
        if let Some(following) = following {
            self.report.damage.extend(gaps);
            if last + 1 < following {
                self.report.damage.push(gap(&name, frames.offset, last + 1..=following - 1));
            }
        } else {
            let synced = |gap: &Damage| gap.lost.as_ref().is_some_and(|lost| *lost.start() < frames.synced);
            let (lost, gaps): (Vec<_>, Vec<_>) = gaps.into_iter().partition(synced);
            self.report.damage.extend(lost);
            let torn = gaps.first().map(|gap| gap.offset).or(frames.broken.map(|at| at as u64));
            self.report.torn = torn.map(|offset| (name.clone(), offset));
        }
        if header == FileHeader::Unreadable && (last >= first || following.is_some()) {
            let what = "the file header is damaged".to_owned();
            self.report.damage.push(Damage { file: name.clone(), offset: 0, what, lost: None });
        }
        if last < first && following.is_none() {
            return self.reclaim(&name, size);
        }
        let whole = !self.report.damage.iter().any(|damage| damage.file == name);
        let trim = (following.is_none() && whole).then_some(frames.offset.max(frames.mark_end) as u64);
        self.keep(
            Segment {
                first,
                last: Some(last),
                bytes: size,
                reusable: size == self.settings.segment_bytes,
                entries: None,
            },
            trim,
        )
    }

    /// Gives all records of a file. What is missing among them is reported, but for gaps in its last
    /// group: they are returned, for the group may have been cut by a crash.
    fn records(
        &mut self,
        name: &str,
        frames: &mut Frames,
        on_record: &mut impl FnMut(Replayed) -> Result<(), String>,
    ) -> Result<Vec<Damage>, OpenError> {
        let mut gaps = Vec::new();
        let mut group = 0;
        loop {
            let (expected, offset) = (frames.expected, frames.offset);
            let Some(frame) = frames.next() else { return Ok(gaps) };
            if frame.group > group {
                // A group begins only after the one before was synced.
                self.report.damage.append(&mut gaps);
                group = frame.group;
            }
            if frame.sequence > expected {
                let gap = gap(name, offset, expected..=frame.sequence - 1);
                if group > expected { self.report.damage.push(gap) } else { gaps.push(gap) }
            }
            self.give(frame.sequence, frame.request, on_record)?;
        }
    }

    /// The last file holds no record: it becomes a spare.
    fn reclaim(&mut self, name: &str, size: u64) -> Result<(), OpenError> {
        if size == self.settings.segment_bytes {
            let spare = name.replace(".wal", ".spare");
            self.files.rename(name, &spare).map_err(|error| io_error("rename", name, error))?;
            self.spares.push(spare);
            Ok(())
        } else {
            self.files.remove(name).map_err(|error| io_error("remove", name, error))
        }
    }

    /// A killed process may have written what it did not sync. It is about to be seen, and a repeat of
    /// it to be acknowledged, so it must not vanish after that.
    fn make_durable(&self, name: &str) -> Result<(), OpenError> {
        let synced = self.files.open(name).and_then(|file| file.sync()).and_then(|()| self.files.sync_names());
        synced.map_err(|error| io_error("sync", name, error))
    }

    /// Files before this one must reach up to it.
    fn missing_before(&mut self, first: u64, name: &str) {
        if self.live.is_empty() && first > self.checkpoint + 1 {
            let lost = self.checkpoint + 1..=first - 1;
            let what = "the files before this one are missing".to_owned();
            self.report.damage.push(Damage { file: name.to_owned(), offset: 0, what, lost: Some(lost) });
        }
    }

    fn give(
        &mut self,
        sequence: u64,
        request: Request,
        on_record: &mut impl FnMut(Replayed) -> Result<(), String>,
    ) -> Result<(), OpenError> {
        let replayed = if sequence > self.checkpoint {
            self.report.records += 1;
            Replayed::Record { sequence, request }
        } else {
            Replayed::Seen { received: request.received, hash: request.hash }
        };
        on_record(replayed).map_err(OpenError::Stopped)
    }

    /// Enters the file into the log. `trim`: it is whole and ends here, bytes.
    fn keep(&mut self, mut segment: Segment, trim: Option<u64>) -> Result<(), OpenError> {
        // No later process writes here: what a record still needs must not hold a whole file of disk,
        // or a loop of crashes would fill it.
        let needed = segment.last > Some(self.checkpoint);
        if let Some(end) = trim.filter(|&end| needed && end < segment.bytes) {
            let name = log_name(segment.first);
            let file = self.files.open(&name).map_err(|error| io_error("open", &name, error))?;
            file.truncate(end).map_err(|error| io_error("truncate", &name, error))?;
            segment = Segment { bytes: end, reusable: false, ..segment };
        }
        self.live.push(segment);
        Ok(())
    }
}

fn missing_list(file: String, which: &str) -> Damage {
    let what = format!("{which} is missing; repeats may be stored twice");
    Damage { file, offset: 0, what, lost: None }
}

fn gap(file: &str, offset: usize, lost: RangeInclusive<u64>) -> Damage {
    let what = "records are missing or do not match their checksum".to_owned();
    Damage { file: file.to_owned(), offset: offset as u64, what, lost: Some(lost) }
}

fn io_error(what: &str, name: &str, error: std::io::Error) -> OpenError {
    OpenError::Io { what: format!("cannot {what} {name}"), error }
}
