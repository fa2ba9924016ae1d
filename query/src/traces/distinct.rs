//! Equal spans once: rows of asked traces that differ from all before in more than their time of arrival.

use std::hash::BuildHasher;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::compute::filter_record_batch;
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, SortField};
use hashbrown::{DefaultHashBuilder, HashMap, HashSet};
use storage::ids::{SpanId, TraceId};
use storage::scan::ReadError;
use storage::schema::col;

use crate::model::Notes;
use crate::rows::scan::text_bytes;
use crate::rows::{Columns, damaged};

/// What was seen so far. A span is known by its ids and a 64-bit hash of its columns.
pub(super) struct Distinct {
    seen: HashSet<(TraceId, SpanId, u64)>,
    hasher: DefaultHashBuilder,
    /// As long as no id came twice, nothing is hashed.
    unlike: Option<Unlike>,
    /// Rows seen that differ.
    distinct: usize,
    most: usize,
    /// Bytes of text: let through, and the most of them.
    text: usize,
    most_text: usize,
    /// Spans that found no room, by trace.
    cut: HashMap<TraceId, usize>,
    /// Rows that were equal to one before.
    pub(super) repeated: u64,
}

/// Rows of different ids.
#[derive(Default)]
struct Unlike {
    ids: HashSet<(TraceId, SpanId)>,
    batches: Vec<RecordBatch>,
}

/// Most rows that wait for one of the same id, and most bytes of their text: more are hashed.
const UNLIKE: usize = 1024;
const UNLIKE_TEXT: usize = 8 << 20;

impl Distinct {
    /// Lets `most` rows through, and of their text `most_text` bytes.
    pub(super) fn new(most: usize, most_text: usize) -> Self {
        Self {
            seen: HashSet::new(),
            hasher: DefaultHashBuilder::default(),
            unlike: Some(Unlike::default()),
            distinct: 0,
            most,
            text: 0,
            most_text,
            cut: HashMap::new(),
            repeated: 0,
        }
    }

    /// The wanted rows of a chunk that are new.
    pub(super) fn choose(
        &mut self,
        batch: &RecordBatch,
        wanted: impl Fn(TraceId, SpanId) -> bool,
    ) -> Result<RecordBatch, ReadError> {
        let ids = ids(batch)?;
        let asked: Vec<bool> = ids.iter().map(|id| id.is_some_and(|(trace, span)| wanted(trace, span))).collect();
        let ids: Vec<_> = ids.into_iter().zip(&asked).filter(|(_, asked)| **asked).filter_map(|(id, _)| id).collect();
        let batch = filter(batch, asked)?;
        let texts = text_bytes(&batch);
        let new = self.new_rows(&batch, &ids, texts.iter().sum())?;
        let fresh = ids
            .iter()
            .zip(new)
            .zip(texts)
            .map(|(((trace, _), new), text)| {
                self.distinct += usize::from(new);
                self.repeated += u64::from(!new);
                new && self.has_room(*trace, text)
            })
            .collect();
        filter(&batch, fresh)
    }

    /// Which rows equal none before; `ids` are theirs, and `text` is how many bytes they have.
    fn new_rows(
        &mut self,
        batch: &RecordBatch,
        ids: &[(TraceId, SpanId)],
        text: usize,
    ) -> Result<Vec<bool>, ReadError> {
        if let Some(mut unlike) = self.unlike.take() {
            let before = unlike.ids.len();
            unlike.ids.extend(ids);
            let few = unlike.ids.len() <= UNLIKE && self.text + text <= UNLIKE_TEXT;
            if few && unlike.ids.len() == before + ids.len() {
                unlike.batches.push(batch.clone());
                self.unlike = Some(unlike);
                return Ok(vec![true; ids.len()]);
            }
            for batch in unlike.batches {
                let ids: Vec<_> = self::ids(&batch)?.into_iter().flatten().collect();
                self.hash(&batch, &ids)?;
            }
        }
        self.hash(batch, ids)
    }

    fn hash(&mut self, batch: &RecordBatch, ids: &[(TraceId, SpanId)]) -> Result<Vec<bool>, ReadError> {
        let contents = contents(batch)?;
        let rows = ids.iter().zip(contents.iter());
        Ok(rows
            .map(|(&(trace, span), content)| self.seen.insert((trace, span, self.hasher.hash_one(content.as_ref()))))
            .collect())
    }

    /// For the span that was seen last. The first text finds room however long it is.
    fn has_room(&mut self, trace: TraceId, text: usize) -> bool {
        let room = self.distinct <= self.most && (self.text == 0 || self.text + text <= self.most_text);
        if room {
            self.text += text;
        } else {
            self.leave_out(trace);
        }
        room
    }

    /// Counts a span that is not shown.
    pub(super) fn leave_out(&mut self, trace: TraceId) {
        *self.cut.entry(trace).or_default() += 1;
    }

    /// Says of a trace that it has more spans than are shown.
    pub(super) fn tell_of_cut(&self, trace: TraceId, shown: usize, notes: &mut Notes) {
        if let Some(cut) = self.cut.get(&trace) {
            notes.warnings.push(format!("the trace has {} spans; only {shown} are shown", shown + cut));
        }
    }
}

/// Of each row, where it has both.
fn ids(batch: &RecordBatch) -> Result<Vec<Option<(TraceId, SpanId)>>, ReadError> {
    let columns = Columns::new(batch);
    let (traces, spans) = (columns.ids::<16>(col::TRACE_ID)?, columns.ids::<8>(col::SPAN_ID)?);
    Ok((0..columns.rows()).map(|row| Some((TraceId(traces.get(row)?), SpanId(spans.get(row)?)))).collect())
}

fn filter(batch: &RecordBatch, keep: Vec<bool>) -> Result<RecordBatch, ReadError> {
    filter_record_batch(batch, &BooleanArray::from(keep)).map_err(|error| damaged(error.to_string()))
}

/// Each row as bytes, without its time of arrival.
fn contents(batch: &RecordBatch) -> Result<arrow::row::Rows, ReadError> {
    let schema = batch.schema();
    let (fields, columns): (Vec<SortField>, Vec<ArrayRef>) = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .filter(|(field, _)| field.name() != col::RECEIVED_TIME)
        .map(|(field, column)| (SortField::new(field.data_type().clone()), column.clone()))
        .unzip();
    RowConverter::new(fields)
        .and_then(|converter| converter.convert_columns(&columns))
        .map_err(|error| damaged(error.to_string()))
}
