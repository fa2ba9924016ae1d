//! Counts by the minute (`clew_rollup`): chunks of cells, each of one hour, added in the commit that adds
//! the rows they count.
//!
//! ```text
//!  kind 0  what some flushes changed      ─┐ keeper, once the hour is over
//!  kind 1  all minutes of an hour        ◀─┤
//!  kind 2  the sum of kind 1             ◀─┘
//! ```
//!
//! The counts of an hour by minute are its chunks of kinds 0 and 1; as one, those of kinds 0 and 2.

use std::collections::HashMap;
use std::sync::Arc;

use super::db::Connection;
use super::lake::signed;
use super::{Catalog, CatalogError, list, state, within};
use crate::rollup::{Hour, Rollup, encode};
use crate::segment::SegmentMeta;

/// See [`Counters`].
const STATE: &str = "rollup";
/// What of an older lake is not yet counted.
const BACKFILL: &str = "rollup_backfill";

/// The number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i64)]
pub enum ChunkKind {
    Delta = 0,
    Minutes = 1,
    Hour = 2,
}

impl ChunkKind {
    fn of(number: i64) -> Option<Self> {
        [Self::Delta, Self::Minutes, Self::Hour].into_iter().find(|kind| *kind as i64 == number)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkMeta {
    pub id: i64,
    pub kind: ChunkKind,
    pub hour: Hour,
}

/// Segments that a version without counts wrote, as far as they are not counted yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backfill {
    /// Those with this id or a lesser one.
    pub last_segment: i64,
    /// Their spans that begin before it, ns.
    pub below: i64,
}

/// Which counts there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollupState {
    pub version: u64,
    pub chunks: Vec<ChunkMeta>,
    pub backfill: Option<Backfill>,
}

#[derive(Clone, Debug)]
pub struct NewChunk {
    pub kind: ChunkKind,
    pub hour: Hour,
    pub rollup: Arc<Rollup>,
    bytes: Vec<u8>,
}

impl NewChunk {
    /// All cells are of the hour.
    pub fn new(kind: ChunkKind, hour: Hour, rollup: Rollup) -> Self {
        Self { kind, hour, bytes: encode(&rollup), rollup: Arc::new(rollup) }
    }
}

#[derive(Clone, Debug, Default)]
pub struct RollupChange {
    /// The version of which the cells were computed; the change is refused when it is another by now. None
    /// where no count changes.
    pub base: Option<u64>,
    pub add: Vec<NewChunk>,
    pub remove: Vec<i64>,
    /// What was not counted, and what still is not.
    pub backfill: Option<(Backfill, Option<Backfill>)>,
}

impl Catalog {
    /// Segments that are part of the lake now, oldest first, and the counts that belong to them.
    pub async fn contents(&self) -> Result<(Vec<SegmentMeta>, RollupState), CatalogError> {
        let mut held = self.hold().await?;
        let result = within(list::contents(&mut held.connection)).await;
        held.end(result).await
    }

    /// What changes with the chunks of counts.
    pub async fn rollup_counters(&self) -> Result<Counters, CatalogError> {
        let mut held = self.hold().await?;
        let result = within(counters(&mut held.connection)).await;
        held.end(result).await
    }

    /// Chunks of counts as bytes, by id; those that were summed with others meanwhile are missing.
    pub async fn chunks(&self, ids: &[i64]) -> Result<HashMap<i64, Vec<u8>>, CatalogError> {
        let mut held = self.hold().await?;
        let result = within(bytes(&mut held.connection, ids)).await;
        held.end(result).await
    }
}

/// Single values of the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Number of the last change of any count.
    pub version: u64,
    /// The next chunk's id: none is ever given out twice.
    pub next: u64,
    /// Of the hashes of all chunks, wrapping: rows that were damaged below SQL, or lost, do not pass for whole.
    pub sum: u64,
}

/// Applies a change; ids of the new chunks, and the version since.
pub(super) async fn apply(connection: &mut Connection, change: &RollupChange) -> Result<(Vec<i64>, u64), CatalogError> {
    let mut counters = counters(connection).await?;
    if change.base.is_some_and(|base| base != counters.version) {
        return Err(CatalogError::Conflict("others changed the counts".to_owned()));
    }
    if let Some((before, after)) = &change.backfill {
        if backfill(connection).await? != Some(*before) {
            return Err(CatalogError::Conflict("others count what an earlier version wrote".to_owned()));
        }
        set_backfill(connection, *after).await?;
        // Others see that something has changed.
        counters.next += 1;
    }
    for id in &change.remove {
        let (kind, hour): (i64, i64) =
            sqlx::query_as("DELETE FROM clew_rollup WHERE chunk_id = $1 RETURNING kind, hour")
                .bind(*id)
                .fetch_optional(&mut *connection)
                .await?
                .ok_or_else(|| CatalogError::Conflict(format!("chunk {id} of the counts is gone")))?;
        counters.sum = counters.sum.wrapping_sub(hash(*id, kind, hour));
    }
    let mut ids = Vec::with_capacity(change.add.len());
    for chunk in &change.add {
        let (id, kind) = (signed(counters.next)?, chunk.kind as i64);
        sqlx::query("INSERT INTO clew_rollup (chunk_id, kind, hour, cells) VALUES ($1, $2, $3, $4)")
            .bind(id)
            .bind(kind)
            .bind(chunk.hour)
            .bind(chunk.bytes.as_slice())
            .execute(&mut *connection)
            .await?;
        counters.sum = counters.sum.wrapping_add(hash(id, kind, chunk.hour));
        counters.next += 1;
        ids.push(id);
    }
    counters.version += u64::from(change.base.is_some());
    set_counters(connection, counters).await?;
    Ok((ids, counters.version))
}

fn hash(id: i64, kind: i64, hour: Hour) -> u64 {
    let bytes: Vec<u8> = [id, kind, hour].into_iter().flat_map(i64::to_le_bytes).collect();
    xxhash_rust::xxh3::xxh3_64(&bytes)
}

pub(super) async fn state(connection: &mut Connection) -> Result<RollupState, CatalogError> {
    let rows: Vec<(i64, i64, i64)> = sqlx::query_as("SELECT chunk_id, kind, hour FROM clew_rollup ORDER BY chunk_id")
        .fetch_all(&mut *connection)
        .await?;
    let counters = counters(connection).await?;
    let sum = rows.iter().fold(0u64, |sum, (id, kind, hour)| sum.wrapping_add(hash(*id, *kind, *hour)));
    if sum != counters.sum {
        return Err(CatalogError::Damaged("the chunks of counts are not those that were committed".to_owned()));
    }
    let chunk = |(id, kind, hour)| {
        let kind = ChunkKind::of(kind);
        let kind = kind.ok_or_else(|| CatalogError::Damaged(format!("chunk {id} of the counts is of no kind")))?;
        Ok(ChunkMeta { id, kind, hour })
    };
    Ok(RollupState {
        version: counters.version,
        chunks: rows.into_iter().map(chunk).collect::<Result<_, CatalogError>>()?,
        backfill: backfill(connection).await?,
    })
}

/// Bytes of chunks, by id; of those that are still there.
pub(super) async fn bytes(connection: &mut Connection, ids: &[i64]) -> Result<HashMap<i64, Vec<u8>>, CatalogError> {
    let mut found = HashMap::new();
    for id in ids {
        let bytes: Option<Vec<u8>> = sqlx::query_scalar("SELECT cells FROM clew_rollup WHERE chunk_id = $1")
            .bind(*id)
            .fetch_optional(&mut *connection)
            .await?;
        found.extend(bytes.map(|bytes| (*id, bytes)));
    }
    Ok(found)
}

/// What was written by a version without counts is to be counted; in a new lake that is nothing.
pub(super) async fn begin(connection: &mut Connection) -> Result<(), CatalogError> {
    if state::get_text(connection, STATE).await?.is_some() {
        return Ok(());
    }
    set_counters(connection, Counters { version: 0, next: 1, sum: 0 }).await?;
    let last: Option<i64> =
        sqlx::query_scalar("SELECT max(data_file_id) FROM clew_segment").fetch_one(&mut *connection).await?;
    match last {
        Some(last_segment) => set_backfill(connection, Some(Backfill { last_segment, below: i64::MAX })).await,
        None => Ok(()),
    }
}

pub(super) async fn counters(connection: &mut Connection) -> Result<Counters, CatalogError> {
    let Some(text) = state::get_text(connection, STATE).await? else {
        return Ok(Counters { version: 0, next: 1, sum: 0 });
    };
    let numbers: Option<Vec<u64>> = text.split(' ').map(|number| number.parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[version, next, sum]) => Ok(Counters { version, next, sum }),
        _ => Err(CatalogError::Damaged(format!("{STATE} is {text:?}"))),
    }
}

async fn set_counters(connection: &mut Connection, counters: Counters) -> Result<(), CatalogError> {
    let Counters { version, next, sum } = counters;
    state::set_text(connection, STATE, &format!("{version} {next} {sum}")).await
}

async fn backfill(connection: &mut Connection) -> Result<Option<Backfill>, CatalogError> {
    let Some(text) = state::get_text(connection, BACKFILL).await?.filter(|text| text != DONE) else { return Ok(None) };
    let numbers = text.split_once(' ').and_then(|(last, below)| Some((last.parse().ok()?, below.parse().ok()?)));
    let (last_segment, below) = numbers.ok_or_else(|| CatalogError::Damaged(format!("{BACKFILL} is {text:?}")))?;
    Ok(Some(Backfill { last_segment, below }))
}

const DONE: &str = "done";

async fn set_backfill(connection: &mut Connection, backfill: Option<Backfill>) -> Result<(), CatalogError> {
    let text = match backfill {
        None => DONE.to_owned(),
        Some(Backfill { last_segment, below }) => format!("{last_segment} {below}"),
    };
    state::set_text(connection, BACKFILL, &text).await
}

/// Chunks that cannot be read, a sentence each.
pub(super) async fn findings(connection: &mut Connection) -> Result<Vec<String>, CatalogError> {
    let mut findings = Vec::new();
    let state = match state(connection).await {
        Err(error @ CatalogError::Damaged(_)) => return Ok(vec![error.to_string()]),
        state => state?,
    };
    for ChunkMeta { id, hour, .. } in state.chunks {
        let read = bytes(connection, &[id]).await?.remove(&id).map(|bytes| crate::rollup::decode(&bytes));
        let what = match read {
            Some(Ok(rollup)) if rollup.cells().all(|(minute, ..)| crate::rollup::hour_of(minute) == hour) => continue,
            Some(Ok(_)) => "its cells are of another hour".to_owned(),
            Some(Err(error)) => error.to_string(),
            None => continue,
        };
        findings.push(format!("chunk {id} of the counts: {what}"));
    }
    Ok(findings)
}
