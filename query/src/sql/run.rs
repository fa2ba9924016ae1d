//! One query from its text to its rows, on the thread given to it.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::execution::context::{SQLOptions, SessionContext};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::sql::parser::Statement;
use futures::StreamExt;
use storage::store::Snapshot;

use crate::engine::{Deadline, QueryError};

use super::{SharedNotes, SqlResult, TICK, guard, output, session};

/// Threads that compute for one query.
const MOST_WORKERS: usize = 4;

/// Deep expressions are evaluated on the workers.
const WORKER_STACK_BYTES: usize = 16 << 20;

pub(super) struct Question {
    pub(super) text: String,
    pub(super) limit: usize,
    pub(super) memory: usize,
    pub(super) snapshot: Snapshot,
    pub(super) deadline: Deadline,
}

/// Blocks. Everything the query started is gone or about to stop when this returns.
pub(super) fn answer(question: Question) -> Result<SqlResult, QueryError> {
    let statement = guard::parse(&question.text)?;
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .max_blocking_threads(2 * workers)
        .thread_name("sql-worker")
        .thread_stack_size(WORKER_STACK_BYTES)
        .enable_time()
        .build()
        .map_err(|error| QueryError::Internal(format!("no threads for the query: {error}")))?;
    let notes = SharedNotes::default();
    let answer = runtime.block_on(async {
        let context = session::open(&question.snapshot, &question.deadline, &notes, question.memory, workers)?;
        let plan = plan(&context, statement, question.limit).await?;
        question.deadline.check().map_err(external)?;
        let rows = collect(plan, context, question.limit, question.memory);
        // On the workers, so that this thread can see the deadline whatever a poll takes.
        let mut rows = tokio::spawn(rows);
        loop {
            match tokio::time::timeout(TICK, &mut rows).await {
                Ok(joined) => return joined.map_err(|error| DataFusionError::Internal(error.to_string()))?,
                Err(_) => question.deadline.check().map_err(external)?,
            }
        }
    });
    runtime.shutdown_background();
    let mut answer = answer.map_err(|error| explain(error, &question.deadline))?;
    answer.notes = notes.lock().clone();
    Ok(answer)
}

async fn plan(
    context: &SessionContext,
    statement: Statement,
    limit: usize,
) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
    let state = context.state();
    let plan = state.statement_to_plan(statement).await?;
    let reads_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    reads_only.verify_plan(&plan)?;
    let plan = match plan {
        explained @ (LogicalPlan::Explain(_) | LogicalPlan::Analyze(_)) => explained,
        // one more, to know whether there is more
        query => LogicalPlanBuilder::from(query).limit(0, Some(limit + 1))?.build()?,
    };
    state.create_physical_plan(&plan).await
}

async fn collect(
    plan: Arc<dyn ExecutionPlan>,
    context: SessionContext,
    limit: usize,
    memory: usize,
) -> Result<SqlResult, DataFusionError> {
    let schema = output::schema(&plan.schema());
    let mut stream = execute_stream(plan, context.task_ctx())?;
    let (mut batches, mut rows, mut bytes, mut truncated) = (Vec::new(), 0, 0, false);
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let room = limit - rows;
        truncated |= batch.num_rows() > room;
        let batch: RecordBatch = output::plain(&batch.slice(0, batch.num_rows().min(room)), &schema)?;
        rows += batch.num_rows();
        bytes += batch.get_array_memory_size();
        if bytes > memory {
            return Err(DataFusionError::ResourcesExhausted(format!("the rows of the answer are over {memory} bytes")));
        }
        if batch.num_rows() > 0 {
            batches.push(batch);
        }
        if truncated {
            break;
        }
    }
    Ok(SqlResult { schema, batches, truncated, elapsed: Default::default(), notes: Default::default() })
}

pub(super) fn external(error: QueryError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// What is wrong is the query, unless it says otherwise.
fn explain(error: DataFusionError, deadline: &Deadline) -> QueryError {
    if let Err(timeout) = deadline.check() {
        return timeout;
    }
    match error.find_root() {
        DataFusionError::ResourcesExhausted(what) => QueryError::TooLarge(what.clone()),
        // DataFusion takes a pattern that the query brings for a fault of its own.
        DataFusionError::Internal(what) if what.contains("Regular expression did not compile") => {
            QueryError::bad(what.clone())
        }
        DataFusionError::Internal(what) => QueryError::Internal(what.clone()),
        DataFusionError::IoError(what) => QueryError::Internal(what.to_string()),
        DataFusionError::ExecutionJoin(what) => QueryError::Internal(what.to_string()),
        _ => QueryError::bad(error.strip_backtrace()),
    }
}
