//! The tables of the store as DataFusion reads them: columns, time range and index terms are pushed
//! down, rows stream from blocking reads through a bounded channel.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatchOptions;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use storage::scan::Read;
use storage::schema::Table;
use storage::store::{Snapshot, Source};

use super::prune::{self, Bounds};
use super::session::SharedNotes;
use super::sizes;
use super::watch::{BATCH_ROWS, Watch};

/// Batches on their way from a reader to the plan.
const CHUNKS_AHEAD: usize = 2;

/// Most of one batch from a reader, written out, where it has more than one row.
const PIECE_BYTES: usize = 8 << 20;

pub(super) struct StoredTable {
    table: Table,
    snapshot: Snapshot,
    watch: Arc<Watch>,
    notes: SharedNotes,
    partitions: usize,
}

impl StoredTable {
    pub(super) fn new(
        table: Table,
        snapshot: Snapshot,
        watch: Arc<Watch>,
        notes: SharedNotes,
        partitions: usize,
    ) -> Self {
        Self { table, snapshot, watch, notes, partitions }
    }
}

impl fmt::Debug for StoredTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredTable({})", self.table.name())
    }
}

#[async_trait]
impl TableProvider for StoredTable {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(columns) => Arc::new(self.schema().project(columns)?),
            None => self.schema(),
        };
        let bounds = prune::bounds(self.table, filters);
        // Sources are dealt out, so that many small ones do not all stream at once.
        let mut hands = vec![Vec::new(); self.partitions.max(1)];
        for (number, source) in self.snapshot.sources(self.table, bounds.from, bounds.to).into_iter().enumerate() {
            hands[number % self.partitions.max(1)].push(source);
        }
        let partitions = hands
            .into_iter()
            .map(|sources| {
                let (schema, bounds, watch) = (schema.clone(), bounds.clone(), self.watch.clone());
                let notes = self.notes.clone();
                Arc::new(Hand { sources, table: self.table, schema, bounds, watch, notes }) as Arc<dyn PartitionStream>
            })
            .collect();
        Ok(Arc::new(StreamingTableExec::try_new(schema, partitions, None, None, false, limit)?))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // The store gives blocks of rows that may match: DataFusion filters them again.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// Some sources, read one after the other.
#[derive(Clone)]
struct Hand {
    sources: Vec<Source>,
    table: Table,
    schema: SchemaRef,
    bounds: Bounds,
    watch: Arc<Watch>,
    notes: SharedNotes,
}

impl fmt::Debug for Hand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sources of {}, {:?}", self.sources.len(), self.table.name(), self.bounds)
    }
}

impl PartitionStream for Hand {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut stream = RecordBatchReceiverStreamBuilder::new(self.schema.clone(), CHUNKS_AHEAD);
        let (hand, sender) = (self.clone(), stream.tx());
        // A receiver that is gone means that nobody wants more rows.
        stream.spawn_blocking(move || hand.read(|batch| sender.blocking_send(Ok(batch)).is_ok()));
        stream.build()
    }
}

impl Hand {
    /// Hands over batches until `send` refuses. What cannot be read is noted, and the rest goes on.
    fn read(&self, send: impl Fn(RecordBatch) -> bool) -> Result<()> {
        let mut columns: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        if columns.is_empty() {
            columns.push(self.table.time_column()); // rows are counted by some column
        }
        let Bounds { from, to, prune } = &self.bounds;
        let read = Read { columns: &columns, prune, from: *from, to: *to };
        for source in &self.sources {
            self.watch.check()?;
            let chunks = match source.read(&read) {
                Ok(chunks) => chunks,
                Err(error) => {
                    self.notes.lock().unreadable(&error);
                    continue;
                }
            };
            for chunk in chunks {
                self.watch.check()?;
                match chunk {
                    Ok(chunk) => {
                        self.notes.lock().rows_read += chunk.batch.num_rows() as u64;
                        let pieces = sizes::pieces(self.shaped(chunk.batch)?, BATCH_ROWS, PIECE_BYTES);
                        if !pieces.into_iter().all(&send) {
                            return Ok(());
                        }
                    }
                    Err(error) => self.notes.lock().unreadable(&error),
                }
            }
        }
        Ok(())
    }

    /// The batch in the plan's own schema.
    fn shaped(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = batch.columns().iter().take(self.schema.fields().len()).cloned().collect();
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &rows).map_err(DataFusionError::from)
    }
}
