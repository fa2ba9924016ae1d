//! Read-only SQL over the tables of one snapshot, through DataFusion.
//!
//! ```text
//!  text ──guard──▶ one SELECT, of bounded depth ──plan──▶ leaf reads storage ──▶ bounded rows
//! ```
//!
//! Each query has a thread with a large stack, a small runtime and a memory pool of its own, so that
//! nothing it does can hold up ingest or outlive its deadline by more than a moment. No file, object
//! store, setting or statement that writes can be reached.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use crate::engine::{Deadline, Engine, QueryError};
use crate::model::Notes;

mod functions;
mod guard;
mod output;
mod prune;
mod run;
mod session;
mod table;

/// Stack of the thread that parses, plans and drops a query: expressions of the depth that
/// [`guard`] lets through need a fraction of it.
const STACK_BYTES: usize = 64 << 20;

/// Most rows that can be asked for.
const MOST_ROWS: usize = u32::MAX as usize;

/// How often a query that runs looks whether it should stop.
const TICK: Duration = Duration::from_millis(20);

/// Rows of a query. Strings are plain in `batches`, without dictionaries.
#[derive(Clone, Debug)]
pub struct SqlResult {
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
    /// Whether there were more rows than the limit.
    pub truncated: bool,
    pub elapsed: Duration,
    pub notes: Notes,
}

impl Engine {
    /// Runs one SELECT (or WITH, or EXPLAIN of one) and gives its first `limit` rows.
    pub async fn sql(&self, text: &str, limit: usize) -> Result<SqlResult, QueryError> {
        let (text, memory, started) = (text.to_owned(), self.limits().sql_memory, Instant::now());
        let limit = limit.min(MOST_ROWS);
        self.run(move |snapshot, deadline| {
            let question =
                run::Question { text, limit, memory, snapshot: snapshot.clone(), deadline: deadline.clone() };
            let mut answer = on_large_stack(question, deadline)?;
            answer.elapsed = started.elapsed();
            Ok(answer)
        })
        .await
    }
}

/// Waits for the query's thread no longer than the deadline; a thread that is in the middle of
/// something then ends by itself.
fn on_large_stack(question: run::Question, deadline: &Deadline) -> Result<SqlResult, QueryError> {
    let (sender, receiver) = sync_channel(1);
    std::thread::Builder::new()
        .name("sql".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || drop(sender.send(run::answer(question))))
        .map_err(|error| QueryError::Internal(format!("no thread for the query: {error}")))?;
    loop {
        match receiver.recv_timeout(TICK) {
            Ok(answer) => return answer,
            Err(RecvTimeoutError::Timeout) => deadline.check()?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(QueryError::Internal("the query ended without an answer".to_owned()));
            }
        }
    }
}

/// What was noted while reading, shared by the leaves of a plan.
type SharedNotes = Arc<parking_lot::Mutex<Notes>>;

#[cfg(test)]
mod tests;
