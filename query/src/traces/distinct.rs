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
    most: usize,
    /// Bytes of text: let through, and the most of them.
    text: usize,
    most_text: usize,
    /// Spans that found no room, by trace.
    cut: HashMap<TraceId, usize>,
    /// Rows that were equal to one before.
    pub(super) repeated: u64,
}

impl Distinct {
    /// Lets `most` rows through, and of their text `most_text` bytes.
    pub(super) fn new(most: usize, most_text: usize) -> Self {
        let (seen, hasher, cut) = (HashSet::new(), DefaultHashBuilder::default(), HashMap::new());
        Self { seen, hasher, most, text: 0, most_text, cut, repeated: 0 }
    }

    /// The wanted rows of a chunk that are new.
    pub(super) fn choose(
        &mut self,
        batch: &RecordBatch,
        wanted: impl Fn(TraceId, SpanId) -> bool,
    ) -> Result<RecordBatch, ReadError> {
        let columns = Columns::new(batch);
        let traces = columns.ids::<16>(col::TRACE_ID)?;
        let spans = columns.ids::<8>(col::SPAN_ID)?;
        let id = |row| Some((TraceId(traces.get(row)?), SpanId(spans.get(row)?)));
        let asked: Vec<Option<(TraceId, SpanId)>> =
            (0..columns.rows()).map(|row| id(row).filter(|&(trace, span)| wanted(trace, span))).collect();
        let batch = filter(batch, asked.iter().map(Option::is_some).collect())?;
        let contents = contents(&batch)?;
        let fresh: Vec<bool> = asked
            .into_iter()
            .flatten()
            .zip(contents.iter())
            .zip(text_bytes(&batch))
            .map(|(((trace, span), content), text)| {
                let new = self.seen.insert((trace, span, self.hasher.hash_one(content.as_ref())));
                self.repeated += u64::from(!new);
                new && self.has_room(trace, text)
            })
            .collect();
        filter(&batch, fresh)
    }

    /// For the span that was seen last. The first text finds room however long it is.
    fn has_room(&mut self, trace: TraceId, text: usize) -> bool {
        let room = self.seen.len() <= self.most && (self.text == 0 || self.text + text <= self.most_text);
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
