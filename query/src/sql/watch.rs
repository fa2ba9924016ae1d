//! Watches over a plan while it runs: the deadline, and what is on its way from node to node.
//!
//! Every node gets a wrapper that nobody can tell from the node itself, `EXPLAIN` included.
//!
//! * Before each batch it looks at the deadline. A node whose input ends in an error ends too.
//! * A batch that is larger than half of the query's memory is refused.
//! * What goes into a node that copies rows (a join, a window, a scalar subquery) has to be narrow: so
//!   many copies as a batch has rows fit half of the query's memory.
//! * What goes into a window is reserved in the pool, because windows keep it and do not say so.
//!
//! A join that throws pairs away goes on by itself until it has a full batch. Its filter looks at the
//! deadline instead, and where it has none it gets one that holds always.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, JoinType, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::lit;
use datafusion::physical_plan::execution_plan::{
    ExecutionPlan, PlanProperties, ReplaceChildrenOptions, replace_children_if_necessary,
};
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder, SortMergeJoinExec,
};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType};

use crate::engine::Deadline;

use super::run::external;
use super::sizes::{self, Size};

mod filter;

/// Rows of a batch. Small, because the work on one batch cannot be interrupted.
pub(super) const BATCH_ROWS: usize = 2048;

/// Most bytes that a function may make of one batch.
const MOST_MADE: usize = 32 << 20;

/// A row in a window, beside its columns, where results are collected one by one.
const WINDOW_ROW: usize = 128;
/// The same where results are columns from the start.
const BOUNDED_WINDOW_ROW: usize = 32;

/// Widest value that one scalar subquery may bring into each row.
pub(super) const MOST_SCALAR: usize = 4 << 10;

/// Until when a query may run, and how much it may hold.
pub(super) struct Watch {
    deadline: Deadline,
    memory: usize,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watch({} bytes)", self.memory)
    }
}

impl Watch {
    pub(super) fn new(deadline: Deadline, memory: usize) -> Arc<Self> {
        Arc::new(Self { deadline, memory })
    }

    pub(super) fn check(&self) -> Result<()> {
        self.deadline.check().map_err(external)
    }

    /// Bytes of the pool.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    /// Most bytes that a function may make of one batch.
    pub(super) fn most_made(&self) -> usize {
        MOST_MADE.min(self.memory / 4)
    }

    fn most_in_batch(&self) -> usize {
        self.memory / 2
    }

    /// Widest row that may be copied into each row of a batch.
    fn widest_copied(&self) -> usize {
        self.memory / 2 / BATCH_ROWS
    }
}

/// The same plan, watched.
pub(super) fn watched(plan: Arc<dyn ExecutionPlan>, watch: &Arc<Watch>) -> Result<Arc<dyn ExecutionPlan>> {
    wrap(plan, Reader::Plain, watch)
}

/// Recurses as deep as the plan, which [`super::unfold`] bounds.
fn wrap(plan: Arc<dyn ExecutionPlan>, reader: Reader, watch: &Arc<Watch>) -> Result<Arc<dyn ExecutionPlan>> {
    let inputs: Vec<Arc<dyn ExecutionPlan>> = plan.children().into_iter().cloned().collect();
    let inputs = inputs.into_iter().enumerate().map(|(at, input)| wrap(input, Reader::of(&plan, at), watch));
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    let plan = if inputs.is_empty() { plan } else { replace_children_if_necessary(plan, inputs)? };
    let inner = interruptible(plan, watch)?;
    Ok(Arc::new(Watched { inner, reader, watch: watch.clone() }))
}

/// What reads a node's rows does with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    Plain,
    /// May copy each row into every row of a batch.
    Copies {
        widest: Option<usize>,
    },
    /// Also keeps the rows, with so many bytes beside each.
    Keeps {
        beside: usize,
    },
}

impl Reader {
    /// Of the input with the number `at`.
    fn of(plan: &Arc<dyn ExecutionPlan>, at: usize) -> Self {
        if plan.is::<WindowAggExec>() {
            return Self::Keeps { beside: WINDOW_ROW };
        }
        if plan.is::<BoundedWindowAggExec>() {
            return Self::Keeps { beside: BOUNDED_WINDOW_ROW };
        }
        if plan.is::<ScalarSubqueryExec>() && at > 0 {
            return Self::Copies { widest: Some(MOST_SCALAR) };
        }
        let joins = plan.is::<CrossJoinExec>()
            || plan.is::<NestedLoopJoinExec>()
            || plan.is::<HashJoinExec>()
            || plan.is::<SortMergeJoinExec>();
        match joins {
            true => Self::Copies { widest: None },
            false => Self::Plain,
        }
    }
}

/// The join with a filter that looks at the deadline; other nodes as they are.
fn interruptible(plan: Arc<dyn ExecutionPlan>, watch: &Arc<Watch>) -> Result<Arc<dyn ExecutionPlan>> {
    let (filter, join_type) = if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() {
        (join.filter(), *join.join_type())
    } else if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        (join.filter(), join.join_type)
    } else {
        return Ok(plan);
    };
    let always = JoinFilter::new(lit(true), Vec::new(), Arc::new(Schema::empty()));
    let filter = match (filter, join_type) {
        (Some(filter), _) => filter,
        // Every pair is handed on: they fill batches by themselves.
        (None, JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full) => return Ok(plan),
        (None, _) => &always,
    };
    let guarded = Arc::new(filter::Guarded::new(filter.expression().clone(), watch.clone()));
    let filter = Some(JoinFilter::new(guarded, filter.column_indices().to_vec(), filter.schema().clone()));
    if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() {
        return Ok(Arc::new(NestedLoopJoinExecBuilder::from(join).with_filter(filter).build()?));
    }
    match plan.downcast_ref::<HashJoinExec>() {
        Some(join) => join.builder().with_filter(filter).build_exec(),
        None => Ok(plan),
    }
}

/// A node and what is watched of the rows it hands on.
#[derive(Debug)]
struct Watched {
    inner: Arc<dyn ExecutionPlan>,
    reader: Reader,
    watch: Arc<Watch>,
}

impl DisplayAs for Watched {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_as(format, f)
    }
}

impl ExecutionPlan for Watched {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn downcast_delegate(&self) -> Option<&dyn ExecutionPlan> {
        Some(self.inner.as_ref())
    }

    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.inner.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        self.inner.maintains_input_order()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inner.children()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.inner.apply_expressions(f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let inner = self.inner.clone().replace_children(children, options)?;
        Ok(Arc::new(Self { inner, reader: self.reader, watch: self.watch.clone() }))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let inner = replace_children_if_necessary(self.inner.clone(), children)?;
        Ok(Arc::new(Self { inner, reader: self.reader, watch: self.watch.clone() }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.watch.check()?;
        let consumer = || MemoryConsumer::new("window").register(context.memory_pool());
        Ok(Box::pin(WatchedRows {
            schema: self.inner.schema(),
            kept: matches!(self.reader, Reader::Keeps { .. }).then(consumer),
            rows: Some(self.inner.execute(partition, context.clone())?),
            reader: self.reader,
            watch: self.watch.clone(),
        }))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.inner.metrics()
    }

    fn fetch(&self) -> Option<usize> {
        self.inner.fetch()
    }
}

struct WatchedRows {
    schema: SchemaRef,
    /// None after the end or an error.
    rows: Option<SendableRecordBatchStream>,
    reader: Reader,
    kept: Option<MemoryReservation>,
    watch: Arc<Watch>,
}

impl WatchedRows {
    fn look(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let batch = sizes::compact(batch)?;
        let bytes = sizes::batch(&batch, Size::Kept);
        let most = self.watch.most_in_batch();
        if bytes > most {
            return exhausted(format!("{} rows take {bytes} bytes at once, over {most}", batch.num_rows()));
        }
        let widest = match self.reader {
            Reader::Plain => return Ok(batch),
            Reader::Copies { widest: Some(widest) } => widest,
            Reader::Copies { widest: None } | Reader::Keeps { .. } => self.watch.widest_copied(),
        };
        // Rows are rarely wide all together: to add up all of them is cheaper than to look at each.
        if bytes > widest && sizes::widest(&batch, Size::Kept) > widest {
            return exhausted(format!(
                "a row of over {widest} bytes is too wide for a join, a window or a scalar subquery: select less of it"
            ));
        }
        if let (Some(kept), Reader::Keeps { beside }) = (&self.kept, self.reader) {
            // the input, a copy of it in one piece, and the rows with their results
            kept.try_grow(3 * bytes + beside * batch.num_rows())?;
        }
        Ok(batch)
    }
}

impl futures::Stream for WatchedRows {
    type Item = Result<RecordBatch>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let Some(rows) = &mut this.rows else { return Poll::Ready(None) };
        let next = match this.watch.check() {
            Ok(()) => ready!(rows.as_mut().poll_next(context)),
            Err(overdue) => Some(Err(overdue)),
        };
        let next = next.map(|batch| batch.and_then(|batch| this.look(batch)));
        if !matches!(next, Some(Ok(_))) {
            this.rows = None;
        }
        Poll::Ready(next)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}

impl RecordBatchStream for WatchedRows {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

/// More than a query may hold.
pub(super) fn exhausted<T>(message: String) -> Result<T> {
    Err(DataFusionError::ResourcesExhausted(message))
}
