//! Whole traces of a search, a few at a time: the answer may be large, memory is not.

use query::model::Trace;
use query::{Engine, QueryError};
use serde::ser::{Error, Serialize, SerializeSeq, Serializer};
use storage::ids::TraceId;

/// Traces loaded at once.
const BATCH: usize = 16;

/// The first batch is loaded, so that an error is a status and not a broken body; the rest follows
/// while the answer is written, on a blocking thread.
pub(super) struct Feed {
    engine: Engine,
    first: Vec<Trace>,
    rest: Vec<TraceId>,
    runtime: tokio::runtime::Handle,
}

impl Feed {
    pub(super) async fn load(engine: Engine, ids: Vec<TraceId>) -> Result<Self, QueryError> {
        let rest = ids.get(BATCH..).unwrap_or_default().to_vec();
        let first = engine.traces(&ids[..ids.len().min(BATCH)]).await?;
        Ok(Self { engine, first, rest, runtime: tokio::runtime::Handle::current() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty() && self.rest.is_empty()
    }

    /// A JSON list of what `items` makes of each trace.
    pub(super) fn list<T, F>(&self, items: F) -> List<'_, F>
    where
        T: Serialize,
        F: Fn(&Trace) -> Vec<T>,
    {
        List { feed: self, items }
    }
}

pub(super) struct List<'a, F> {
    feed: &'a Feed,
    items: F,
}

impl<T: Serialize, F: Fn(&Trace) -> Vec<T>> Serialize for List<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        let mut write = |traces: &[Trace]| {
            traces.iter().flat_map(|trace| (self.items)(trace)).try_for_each(|item| list.serialize_element(&item))
        };
        write(&self.feed.first)?;
        for ids in self.feed.rest.chunks(BATCH) {
            let traces = self.feed.runtime.block_on(self.feed.engine.traces(ids)).map_err(S::Error::custom)?;
            write(&traces)?;
        }
        list.end()
    }
}
