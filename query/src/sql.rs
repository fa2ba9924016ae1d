//! Read-only SQL over the tables of one snapshot, through DataFusion.
//!
//! ```text
//!  text ──guard──▶ one SELECT, of bounded depth ──harden──▶ functions that watch what they make
//!       ──plan──▶ nodes that watch the deadline and their rows ──▶ bounded rows
//! ```
//!
//! Each query has a thread with a large stack, a small runtime and a memory pool of its own, so that
//! nothing it does can hold up ingest. It holds its permit until all of these are gone. No file,
//! object store, setting or statement that writes can be reached.
//!
//! Time: every node looks at the deadline before each batch it hands on, every function before each
//! batch it computes, and every join that may go long without handing anything on before each block
//! of pairs. What cannot be interrupted is the work on one batch (of [`watch::BATCH_ROWS`] rows), and
//! one pass of a sort, a window or a median over what the pool has let in. The waiting side is told
//! in time in any case.
//!
//! Memory: what joins, groups, sorts and windows keep is in the pool. What is on its way between them
//! is not, but is bounded batch by batch, in [`watch`]; what functions make, before they make it, in
//! [`growth`]; what the planner makes of the text, in [`guard`], [`harden`] and [`unfold`].

use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use tokio::sync::oneshot;

use crate::engine::{Engine, QueryError, Turn};
use crate::model::Notes;

mod bounded;
mod concat;
mod functions;
mod growth;
mod guard;
mod harden;
mod output;
mod prune;
mod run;
mod session;
mod sizes;
mod table;
mod texts;
mod unfold;
mod watch;

/// Stack of the thread that parses, plans and drops a query: expressions of the depth that
/// [`guard`] lets through need a fraction of it.
const STACK_BYTES: usize = 64 << 20;

/// Most rows that can be asked for.
const MOST_ROWS: usize = u32::MAX as usize;

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
        let started = Instant::now();
        // `_waits` tells the query to stop when this future is dropped.
        let (Turn { snapshot, deadline, permit }, _waits) = self.sql_turn().await?;
        let question = run::Question {
            text: text.to_owned(),
            limit: limit.min(MOST_ROWS),
            memory: self.limits().sql_memory,
            snapshot,
            deadline: deadline.clone(),
        };
        let (sender, answer) = oneshot::channel();
        let work = move || {
            let _permit = permit; // given back when everything that `run` started has ended
            run::run(question, sender);
        };
        std::thread::Builder::new()
            .name("sql".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(work)
            .map_err(|error| QueryError::Internal(format!("no thread for the query: {error}")))?;
        match deadline.wait(answer).await? {
            Ok(answer) => answer.map(|answer| SqlResult { elapsed: started.elapsed(), ..answer }),
            Err(_) => Err(QueryError::Internal("the query ended without an answer".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests;
