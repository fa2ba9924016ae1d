//! What live segments add up to, so that a database that was damaged below SQL does not pass for whole:
//! SQLite has no checksums, and PostgreSQL only where they were switched on.
//!
//! Each commit of ours keeps, for the snapshot that it makes, how many segments live and the sum of
//! their hashes. While that snapshot is the newest, the rows must add up to it. After another program
//! has written to the lake, the next commit of ours counts anew.

use xxhash_rust::xxh3::Xxh3;

use super::CatalogError;
use super::db::Connection;
use super::{lake, list, state};
use crate::segment::SegmentMeta;

/// Of the live segments of one snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest {
    segments: u64,
    /// Wrapping, so that a segment can be taken out again, and the order does not matter.
    sum: u128,
}

impl Digest {
    /// As it is when these segments have gone from snapshot `head`.
    pub(super) async fn without(connection: &mut Connection, head: i64, removed: &[i64]) -> Result<Self, CatalogError> {
        let Some((snapshot, mut digest)) = kept(connection).await?.filter(|(snapshot, _)| *snapshot == head) else {
            let live = list::live(connection).await?;
            return Ok(Self::of(live.iter().filter(|meta| !removed.contains(&meta.id))));
        };
        debug_assert_eq!(snapshot, head);
        for id in removed {
            // One that has gone is a conflict, and the commit ends with it.
            if let Some(meta) = list::one(connection, *id).await? {
                digest.segments = digest.segments.wrapping_sub(1);
                digest.sum = digest.sum.wrapping_sub(hash(*id, &meta));
            }
        }
        Ok(digest)
    }

    /// `id` is the one that the catalogue gives.
    pub(super) fn add(&mut self, id: i64, meta: &SegmentMeta) {
        self.segments = self.segments.wrapping_add(1);
        self.sum = self.sum.wrapping_add(hash(id, meta));
    }

    pub(super) async fn keep(&self, connection: &mut Connection, snapshot: i64) -> Result<(), CatalogError> {
        let text = format!("{snapshot} {} {:032x}", self.segments, self.sum);
        state::set_text(connection, state::DIGEST, &text).await
    }

    fn of<'a>(segments: impl IntoIterator<Item = &'a SegmentMeta>) -> Self {
        let mut digest = Self::default();
        segments.into_iter().for_each(|meta| digest.add(meta.id, meta));
        digest
    }
}

/// Fails where the newest snapshot is ours and its segments are not those that were committed.
pub(super) async fn check(connection: &mut Connection) -> Result<(), CatalogError> {
    let Some((snapshot, kept)) = kept(connection).await? else { return Ok(()) };
    if lake::newest(connection).await? != snapshot {
        return Ok(());
    }
    let found = Digest::of(&list::live(connection).await?);
    if found != kept {
        return Err(CatalogError::Damaged(format!(
            "its segments are not those that were committed ({} of {} are listed): the database file was changed by \
             something that is no database; restore a backup of it",
            found.segments, kept.segments
        )));
    }
    Ok(())
}

/// The snapshot and its digest. None in a lake of an earlier version.
async fn kept(connection: &mut Connection) -> Result<Option<(i64, Digest)>, CatalogError> {
    let Some(text) = state::get_text(connection, state::DIGEST).await? else { return Ok(None) };
    let mut parts = text.split(' ');
    let mut part = || parts.next().unwrap_or_default();
    let read = (part().parse().ok(), part().parse().ok(), u128::from_str_radix(part(), 16).ok());
    let (Some(snapshot), Some(segments), Some(sum)) = read else {
        return Err(CatalogError::Damaged(format!("the digest of segments is {text:?}")));
    };
    Ok(Some((snapshot, Digest { segments, sum })))
}

/// Of all that a read of the segment depends on.
fn hash(id: i64, meta: &SegmentMeta) -> u128 {
    let SegmentMeta { id: _, table, parquet, index, .. } = meta;
    let mut hash = Xxh3::new();
    let mut field = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    field(&id.to_le_bytes());
    field(table.name().as_bytes());
    field(parquet.as_os_str().as_encoded_bytes());
    field(index.as_os_str().as_encoded_bytes());
    for number in [meta.parquet_bytes, meta.index_bytes, meta.rows] {
        field(&number.to_le_bytes());
    }
    field(&meta.min_time.to_le_bytes());
    field(&meta.max_time.to_le_bytes());
    field(&meta.parquet_checksums.to_bytes());
    field(&meta.index_checksums.to_bytes());
    hash.digest128()
}
