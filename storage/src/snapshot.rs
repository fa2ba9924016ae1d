//! A consistent view of the store: live batches and segments, each row in one of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;

use crate::buffer::LiveBatch;
use crate::catalog::RollupState;
use crate::scan::{Chunk, Read, ReadError};
use crate::schema::Table;
use crate::segment::{Piece, Segment, ServiceRows, TimeOrder, services};

/// Everything acknowledged when it was taken, each row once.
#[derive(Clone)]
pub struct Snapshot {
    pub(crate) view: Arc<View>,
    pub(crate) losses: Arc<[String]>,
}

/// What is where. Replaced as a whole, so that a flush moves rows in one step.
#[derive(Clone, Default)]
pub(crate) struct View {
    tables: [TableView; Table::ALL.len()],
    /// The counts that belong to the segments.
    pub(crate) rollups: Arc<RollupState>,
}

#[derive(Clone, Default)]
pub(crate) struct TableView {
    /// Being written to a segment.
    pub(crate) frozen: Vec<Arc<LiveBatch>>,
    pub(crate) live: Vec<Arc<LiveBatch>>,
    /// Shared, for an append must not copy a long list.
    pub(crate) segments: Arc<Vec<Arc<Segment>>>,
}

impl View {
    pub(crate) fn table(&self, table: Table) -> &TableView {
        &self.tables[table as usize]
    }

    pub(crate) fn table_mut(&mut self, table: Table) -> &mut TableView {
        &mut self.tables[table as usize]
    }

    pub(crate) fn batches(&self) -> impl Iterator<Item = &Arc<LiveBatch>> {
        self.tables.iter().flat_map(|table| table.frozen.iter().chain(&table.live))
    }

    pub(crate) fn segments(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.tables.iter().flat_map(|table| table.segments.iter())
    }
}

impl Snapshot {
    /// What was acknowledged once and is in no source any more; a sentence each. Every answer says them.
    pub fn losses(&self) -> &[String] {
        &self.losses
    }

    /// Whether a tail rule has taken rows out of what meets `from..to`.
    pub fn thinned(&self, from: i64, to: i64) -> bool {
        self.view.segments().any(|segment| {
            let meta = segment.meta();
            !meta.thinned.is_empty() && meta.max_time >= from && (meta.min_time < to || to == i64::MAX)
        })
    }

    /// Sources whose time bounds meet `from..to`, newest last row first.
    pub fn sources(&self, table: Table, from: i64, to: i64) -> Vec<Source> {
        let view = self.view.table(table);
        let live = view.frozen.iter().chain(&view.live).map(|batch| Source::Live(batch.clone()));
        let stored = view.segments.iter().map(|segment| Source::Stored(segment.clone()));
        let mut sources: Vec<_> = live
            .chain(stored)
            .filter(|source| {
                let (least, greatest) = source.time_bounds();
                greatest >= from && (least < to || to == i64::MAX)
            })
            .collect();
        sources.sort_by_key(|source| std::cmp::Reverse(source.time_bounds().1));
        sources
    }
}

/// A live batch or a segment: rows of one table that never change.
#[derive(Clone)]
pub enum Source {
    Live(Arc<LiveBatch>),
    Stored(Arc<Segment>),
}

impl Source {
    /// Least and greatest value of the time column, ns.
    pub fn time_bounds(&self) -> (i64, i64) {
        match self {
            Source::Live(batch) => batch.time_bounds(),
            Source::Stored(segment) => (segment.meta().min_time, segment.meta().max_time),
        }
    }

    pub fn row_count(&self) -> u64 {
        match self {
            Source::Live(batch) => batch.row_count() as u64,
            Source::Stored(segment) => segment.meta().rows,
        }
    }

    /// Rows of each service, in order of names. Blocking; a segment is read at the first question only.
    pub fn rows_by_service(&self) -> Result<ServiceRows, ReadError> {
        match self {
            Source::Live(batch) => {
                let mut rows = BTreeMap::new();
                services::count(batch.rows(), &mut rows);
                Ok(rows.into_iter().collect())
            }
            Source::Stored(segment) => segment.rows_by_service(),
        }
    }

    /// Chunks of rows that may match, in row order. Blocking.
    pub fn read(
        &self,
        read: &Read<'_>,
    ) -> Result<Box<dyn Iterator<Item = Result<Chunk, ReadError>> + Send>, ReadError> {
        match self {
            Source::Live(batch) => Ok(Box::new(batch.read(read)?.into_iter().map(Ok))),
            Source::Stored(segment) => Ok(Box::new(segment.read(read)?)),
        }
    }

    /// The rows of a read in pieces: who wants the first rows in time need not read them all. Blocking.
    pub fn pieces(&self, read: &Read<'_>, order: TimeOrder) -> Result<Vec<Piece>, ReadError> {
        match self {
            Source::Live(batch) => {
                let (least, greatest) = batch.time_bounds();
                Ok(vec![Piece { least, greatest, rows: std::iter::once(0..batch.row_count()).collect() }])
            }
            Source::Stored(segment) => segment.pieces(read, order),
        }
    }

    /// Chunks of one of the pieces of `read`, in row order. Blocking.
    pub fn read_piece(
        &self,
        read: &Read<'_>,
        piece: &Piece,
    ) -> Result<Box<dyn Iterator<Item = Result<Chunk, ReadError>> + Send>, ReadError> {
        match self {
            Source::Live(_) => self.read(read),
            Source::Stored(segment) => Ok(Box::new(segment.read_piece(read.columns, piece)?)),
        }
    }

    /// Columns of the rows with these numbers (ascending), in that order. Blocking.
    pub fn fetch(&self, columns: &[&str], rows: &[u32]) -> Result<RecordBatch, ReadError> {
        match self {
            Source::Live(batch) => batch.fetch(columns, rows),
            Source::Stored(segment) => segment.fetch(columns, rows),
        }
    }
}
