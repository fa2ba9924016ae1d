//! A disk in memory: it fails when told, is as large as told, and loses power.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::wal::{File, Files};

/// A call that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Allocate,
    Write,
    Sync,
    Rename,
    SyncNames,
    Truncate,
}

#[derive(Clone, Default)]
pub(super) struct FaultyDisk(Arc<Mutex<State>>);

#[derive(Clone, Default)]
struct State {
    names: BTreeMap<String, u64>,
    /// Names that survive a loss of power.
    durable_names: BTreeMap<String, u64>,
    files: HashMap<u64, Content>,
    made: u64,
    syncs: u64,
    reused: u64,
    sync_time: Duration,
    capacity: Option<u64>,
    /// Most bytes a write takes.
    write_limit: Option<usize>,
    faults: Vec<(Call, io::ErrorKind)>,
    /// Calls until nothing works any more.
    power: Option<u64>,
}

#[derive(Clone, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// A sync failed: as Linux does, later ones succeed without having written anything.
    doomed: bool,
}

impl FaultyDisk {
    pub(super) fn syncs(&self) -> u64 {
        self.0.lock().syncs
    }

    /// Files renamed from spare to log.
    pub(super) fn reused(&self) -> u64 {
        self.0.lock().reused
    }

    pub(super) fn slow_syncs(&self, time: Duration) {
        self.0.lock().sync_time = time;
    }

    pub(super) fn set_capacity(&self, bytes: Option<u64>) {
        self.0.lock().capacity = bytes;
    }

    pub(super) fn limit_writes(&self, bytes: usize) {
        self.0.lock().write_limit = Some(bytes);
    }

    /// The next such call fails, once for each time this is called.
    pub(super) fn fail(&self, call: Call, error: io::ErrorKind) {
        self.0.lock().faults.push((call, error));
    }

    pub(super) fn power_off_after(&self, calls: u64) {
        self.0.lock().power = Some(calls);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.lock().used()
    }

    pub(super) fn names(&self, end: &str) -> Vec<String> {
        self.0.lock().names.keys().filter(|name| name.ends_with(end)).cloned().collect()
    }

    pub(super) fn content(&self, name: &str) -> Vec<u8> {
        self.read(name).unwrap()
    }

    pub(super) fn replace(&self, name: &str, content: Vec<u8>) {
        let mut state = self.0.lock();
        let id = state.id(name);
        state.files.insert(id, Content { durable: content.clone(), now: content, doomed: false });
        state.names.insert(name.to_owned(), id);
        state.durable_names.insert(name.to_owned(), id);
    }

    /// A disk of its own with what is there now, as after the process was killed.
    pub(super) fn copy(&self) -> Self {
        let mut state = self.0.lock().clone();
        state.power = None;
        state.faults.clear();
        Self(Arc::new(Mutex::new(state)))
    }

    /// A disk with what was durable; of what was not, nothing, or with a seed any sectors.
    pub(super) fn lose_power(&self, seed: Option<u64>) -> Self {
        const SECTOR: usize = 512;
        let copy = self.copy();
        let mut state = copy.0.lock();
        state.names = state.durable_names.clone();
        let mut rng = SmallRng::seed_from_u64(seed.unwrap_or(0));
        for content in state.files.values_mut() {
            if seed.is_some() && !content.doomed {
                let length = if rng.random() { content.now.len() } else { content.durable.len() };
                content.durable.resize(length, 0);
                for (durable, now) in content.durable.chunks_mut(SECTOR).zip(content.now.chunks(SECTOR)) {
                    if rng.random() {
                        let length = now.len().min(durable.len());
                        durable[..length].copy_from_slice(&now[..length]);
                    }
                }
            }
            content.now = content.durable.clone();
            content.doomed = false;
        }
        drop(state);
        copy
    }

    /// Sequences that a log on this disk gives back.
    pub(super) fn records(&self) -> Vec<u64> {
        super::open(self, 0).records.iter().map(|(sequence, _)| *sequence).collect()
    }
}

impl State {
    /// Fails if this call was told to, or the power is off.
    fn call(&mut self, call: Call) -> io::Result<()> {
        if let Some(calls) = &mut self.power {
            *calls = calls.checked_sub(1).ok_or(io::ErrorKind::HostUnreachable)?;
        }
        match self.faults.iter().position(|(fault, _)| *fault == call) {
            Some(at) => Err(self.faults.remove(at).1.into()),
            None => Ok(()),
        }
    }

    fn powered(&self) -> io::Result<()> {
        if self.power == Some(0) { Err(io::ErrorKind::HostUnreachable.into()) } else { Ok(()) }
    }

    fn id(&mut self, name: &str) -> u64 {
        let made = &mut self.made;
        *self.names.entry(name.to_owned()).or_insert_with(|| {
            *made += 1;
            *made
        })
    }

    fn used(&self) -> u64 {
        self.names.values().map(|id| self.files[id].now.len() as u64).sum()
    }

    fn grow(&mut self, id: u64, bytes: usize) -> io::Result<()> {
        let length = self.files[&id].now.len();
        let more = bytes.saturating_sub(length) as u64;
        if self.capacity.is_some_and(|capacity| more > 0 && self.used() + more > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.files.get_mut(&id).unwrap().now.resize(bytes.max(length), 0);
        Ok(())
    }
}

impl Files for FaultyDisk {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let state = self.0.lock();
        Ok(state.names.iter().map(|(name, id)| (name.clone(), state.files[id].now.len() as u64)).collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn File>> {
        let mut state = self.0.lock();
        state.powered()?;
        let id = state.id(name);
        state.files.insert(id, Content::default());
        Ok(Box::new(Handle { disk: self.clone(), id }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn File>> {
        let id = *self.0.lock().names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Handle { disk: self.clone(), id }))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let state = self.0.lock();
        let id = state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(state.files[id].now.clone())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        state.call(Call::Rename)?;
        let id = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.reused += u64::from(from.ends_with(".spare") && to.ends_with(".wal"));
        state.names.insert(to.to_owned(), id);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        state.powered()?;
        state.names.remove(name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        state.call(Call::SyncNames)?;
        state.durable_names = state.names.clone();
        Ok(())
    }
}

struct Handle {
    disk: FaultyDisk,
    id: u64,
}

impl File for Handle {
    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        state.call(Call::Allocate)?;
        state.grow(self.id, bytes as usize)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.0.lock();
        state.call(Call::Write)?;
        let mut bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        bytes.truncate(state.write_limit.unwrap_or(usize::MAX));
        let offset = offset as usize;
        state.grow(self.id, offset + bytes.len())?;
        state.files.get_mut(&self.id).unwrap().now[offset..offset + bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        state.call(Call::Truncate)?;
        state.files.get_mut(&self.id).unwrap().now.truncate(bytes as usize);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let time = self.disk.0.lock().sync_time;
        thread::sleep(time);
        let mut state = self.disk.0.lock();
        state.syncs += 1;
        let powered = state.powered().is_ok();
        let result = state.call(Call::Sync);
        let content = state.files.get_mut(&self.id).unwrap();
        if result.is_err() {
            // Without power the sync was never tried.
            content.doomed |= powered;
        } else if !content.doomed {
            content.durable = content.now.clone();
        }
        result
    }
}
