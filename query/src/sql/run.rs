//! One query from its text to its rows, on the thread given to it.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::execution::context::{SQLOptions, SessionContext};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::sql::parser::Statement;
use futures::StreamExt;
use parking_lot::Mutex;
use storage::store::Snapshot;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinError;

use crate::engine::{Deadline, QueryError};
use crate::model::Notes;

use super::session::SharedNotes;
use super::sizes::Size;
use super::watch::Watch;
use super::{SqlResult, guard, harden, output, session, sizes, unfold, watch};

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

/// What the waiting side gets.
pub(super) type Answer = Result<SqlResult, QueryError>;

/// Blocks until nothing that the query started runs any more. The answer is sent before that, as soon
/// as it is there; a channel that is closed without one means a panic.
pub(super) fn run(question: Question, tell: oneshot::Sender<Answer>) {
    let (statement, runtime) = match guard::parse(&question.text).and_then(|parsed| Ok((parsed, runtime()?))) {
        Ok(begun) => begun,
        Err(error) => return drop(tell.send(Err(error))),
    };
    let notes = SharedNotes::new(Mutex::new(Notes::of(&question.snapshot)));
    let rows = runtime.block_on(rows(&question, statement, &notes));
    let answer = rows.map_err(|error| explain(error, &question.deadline));
    let answer = answer.map(|answer| SqlResult { notes: notes.lock().clone(), ..answer });
    drop(tell.send(answer)); // nobody may wait any more
    drop(runtime); // waits for the workers: all of them look at the deadline
}

fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS)
}

fn runtime() -> Result<Runtime, QueryError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        .max_blocking_threads(2 * workers())
        .thread_name("sql-worker")
        .thread_stack_size(WORKER_STACK_BYTES)
        .enable_time()
        .build()
        .map_err(|error| QueryError::Internal(format!("no threads for the query: {error}")))
}

async fn rows(question: &Question, statement: Statement, notes: &SharedNotes) -> Result<SqlResult, DataFusionError> {
    let Question { limit, memory, ref snapshot, ref deadline, .. } = *question;
    let watch = Watch::new(deadline.clone(), memory);
    let context = session::open(snapshot, notes, &watch, workers())?;
    let plan = plan(&context, statement, limit, &watch).await?;
    watch.check()?;
    // On the workers, so that this thread can see the deadline whatever a poll takes.
    let rows = tokio::spawn(collect(plan, context, limit, memory));
    deadline.wait(rows).await.map_err(external)?.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))?
}

async fn plan(
    context: &SessionContext,
    statement: Statement,
    limit: usize,
    watch: &Arc<Watch>,
) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
    let state = context.state();
    let plan = state.statement_to_plan(statement).await?;
    let reads_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    unfold::check(&plan)?;
    reads_only.verify_plan(&plan)?;
    let plan = match plan {
        explained @ (LogicalPlan::Explain(_) | LogicalPlan::Analyze(_)) => explained,
        // one more, to know whether there is more
        query => LogicalPlanBuilder::from(query).limit(0, Some(limit + 1))?.build()?,
    };
    // Before, because constants are computed on the way; after, because functions appear on the way.
    let plan = harden::harden(state.optimize(&harden::harden(plan, watch)?)?, watch)?;
    watch.check()?;
    watch::watched(state.query_planner().create_physical_plan(&plan, &state).await?, watch)
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
        let batch = batch.slice(0, batch.num_rows().min(room));
        if bytes + sizes::batch(&batch, Size::Written) > memory {
            return Err(DataFusionError::ResourcesExhausted(format!("the rows of the answer are over {memory} bytes")));
        }
        let batch: RecordBatch = output::plain(&batch, &schema)?;
        rows += batch.num_rows();
        bytes += batch.get_array_memory_size();
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
        DataFusionError::ExecutionJoin(what) => panicked(what),
        DataFusionError::External(what) if what.is::<JoinError>() => panicked(what),
        _ => QueryError::bad(error.strip_backtrace()),
    }
}

/// What the panic said is for whoever runs the server, not for whoever asked.
fn panicked(what: &dyn std::fmt::Display) -> QueryError {
    tracing::error!(%what, "a query ended in a panic");
    QueryError::Internal("the query ended in a fault of the server".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_a_worker_is_an_internal_error() {
        let joined = || async { tokio::spawn(async { panic!("secret") }).await.expect_err("a panic") };
        let deadline = crate::engine::Deadline::after(std::time::Duration::from_secs(60));
        for error in [
            DataFusionError::ExecutionJoin(Box::new(joined().await)),
            DataFusionError::External(Box::new(joined().await)).context("in a join"),
        ] {
            match explain(error, &deadline) {
                QueryError::Internal(said) => assert!(!said.contains("secret"), "{said}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
