//! How much is stored, and whose it is.

use std::collections::BTreeMap;

use storage::schema::Table;
use storage::store::{DiskUsage, Snapshot, Source, Store};

use crate::engine::{Deadline, Engine, QueryError};
use crate::model::Notes;

/// Rows and bytes of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableUsage {
    pub table: &'static str,
    pub segments: u64,
    /// Those in the live buffer too.
    pub rows: u64,
    pub parquet_bytes: u64,
    pub index_bytes: u64,
}

/// Rows of one service; its bytes are its share, by rows, of each segment that holds some.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceUsage {
    pub name: String,
    pub spans: u64,
    pub logs: u64,
    pub metrics: u64,
    pub bytes: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Usage {
    pub disk: DiskUsage,
    pub tables: Vec<TableUsage>,
    /// The largest first.
    pub services: Vec<ServiceUsage>,
}

impl Engine {
    /// What the store takes on the disk now.
    pub async fn disk_usage(&self) -> Result<DiskUsage, QueryError> {
        let store = self.store().clone();
        self.run(move |_, _| measured(&store)).await
    }

    /// What is stored now. Segments are counted once in their life.
    pub async fn usage(&self) -> Result<(Usage, Notes), QueryError> {
        let store = self.store().clone();
        self.run(move |snapshot, deadline| {
            let disk = measured(&store)?;
            let (mut notes, mut tally) = (Notes::of(snapshot), Tally::default());
            let tables = Table::ALL.into_iter().map(|table| tally.add(snapshot, table, deadline, &mut notes));
            let tables = tables.collect::<Result<_, _>>()?;
            Ok((Usage { disk, tables, services: tally.services() }, notes))
        })
        .await
    }
}

fn measured(store: &Store) -> Result<DiskUsage, QueryError> {
    store.disk_usage().map_err(|error| QueryError::Internal(error.to_string()))
}

/// Services in the making; bytes are parts of a byte, too.
#[derive(Default)]
struct Tally(BTreeMap<String, (ServiceUsage, f64)>);

impl Tally {
    fn add(
        &mut self,
        snapshot: &Snapshot,
        table: Table,
        deadline: &Deadline,
        notes: &mut Notes,
    ) -> Result<TableUsage, QueryError> {
        let mut usage = TableUsage { table: table.name(), ..TableUsage::default() };
        for source in snapshot.sources(table, i64::MIN, i64::MAX) {
            deadline.check()?;
            usage.rows += source.row_count();
            let mut bytes = 0;
            if let Source::Stored(segment) = &source {
                usage.segments += 1;
                usage.parquet_bytes += segment.meta().parquet_bytes;
                usage.index_bytes += segment.meta().index_bytes;
                bytes = segment.meta().parquet_bytes + segment.meta().index_bytes;
            }
            match source.rows_by_service() {
                Ok(services) => {
                    let share = bytes as f64 / source.row_count().max(1) as f64;
                    services.iter().for_each(|(name, rows)| self.add_rows(table, name, *rows, share));
                }
                Err(error) => notes.unreadable(&error),
            }
        }
        Ok(usage)
    }

    fn add_rows(&mut self, table: Table, name: &str, rows: u64, bytes_a_row: f64) {
        let (usage, bytes) = self.0.entry(name.to_owned()).or_default();
        *bytes += rows as f64 * bytes_a_row;
        match table {
            Table::Spans => usage.spans += rows,
            Table::Logs => usage.logs += rows,
            Table::Metrics => usage.metrics += rows,
        }
    }

    fn services(self) -> Vec<ServiceUsage> {
        let done = |(name, (usage, bytes)): (String, (ServiceUsage, f64))| ServiceUsage {
            name,
            bytes: bytes.round() as u64,
            ..usage
        };
        let mut services: Vec<ServiceUsage> = self.0.into_iter().map(done).collect();
        services.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
        services
    }
}
