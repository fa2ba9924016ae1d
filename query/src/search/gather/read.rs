//! Rows of a few traces out of all sources, in bounded memory.

use std::sync::Arc;

use arrow::array::{AsArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::Schema;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use hashbrown::HashMap;
use storage::ids::{SpanId, TraceId};
use storage::scan::{Chunk, Read, ReadError};
use storage::schema::col;
use storage::store::Source;
use storage::terms::Prune;

use super::{Bounds, SpanRow};
use crate::engine::{Deadline, QueryError};
use crate::filter::prune;
use crate::model::Notes;
use crate::rows::scan::{self, Halt};
use crate::rows::{Columns, Strings, damaged};
use crate::search::plan::Plan;

/// Bytes of one group of traces; more are read in smaller groups.
const GROUP_BYTES: usize = 64 << 20;

/// About what a [`SpanRow`] and its share of the tree take.
const ROW_BYTES: usize = 160;

const SUMMARY: [&str; 9] = [
    col::TRACE_ID,
    col::SPAN_ID,
    col::PARENT_SPAN_ID,
    col::START_TIME,
    col::DURATION,
    col::KIND,
    col::STATUS_CODE,
    col::SERVICE_NAME,
    col::NAME,
];

pub(super) struct Reading<'a> {
    pub(super) sources: &'a [Source],
    pub(super) deadline: &'a Deadline,
    pub(super) plan: &'a Plan,
    pub(super) bounds: Bounds,
}

/// Rows of some traces; their columns lie in `batches`.
pub(super) struct Group {
    pub(super) traces: Vec<(TraceId, Vec<SpanRow>)>,
    pub(super) batches: Vec<RecordBatch>,
    pub(super) texts: Texts,
}

/// Distinct texts by number.
#[derive(Default)]
pub(super) struct Texts {
    numbers: HashMap<String, u32>,
    texts: Vec<String>,
    bytes: usize,
}

impl Texts {
    pub(super) fn get(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }

    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.texts.len() as u32;
        self.bytes += text.len();
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }
}

impl Reading<'_> {
    /// None: too much to hold; ask for fewer traces. One trace alone is cut instead.
    pub(super) fn run(&self, traces: &[TraceId], notes: &mut Notes) -> Result<Option<Group>, QueryError> {
        let mut values: Vec<&'static str> =
            self.plan.expressions().iter().flat_map(|expression| expression.columns()).copied().collect();
        values.sort_unstable();
        values.dedup();
        let mut columns = SUMMARY.to_vec();
        columns.extend(values.iter().filter(|column| !SUMMARY.contains(column)));
        let prune = prune::any(traces.iter().map(|&trace| Prune::trace(trace)));
        let read = Read { columns: &columns, prune: &prune, from: i64::MIN, to: i64::MAX };
        let alone = traces.len() == 1;
        let mut taking = Taking {
            numbers: traces.iter().enumerate().map(|(at, &trace)| (trace, at)).collect(),
            group: Group {
                traces: traces.iter().map(|&trace| (trace, Vec::new())).collect(),
                batches: Vec::new(),
                texts: Texts::default(),
            },
            values,
            bytes: 0,
            most_spans: if alone { self.bounds.spans } else { usize::MAX },
            most_bytes: if alone { self.bounds.bytes } else { usize::MAX },
            cut: 0,
        };
        for (number, source) in self.sources.iter().enumerate() {
            scan::each_chunk(source, &read, self.deadline, notes, |chunk| {
                taking.take(number as u32, chunk)?;
                if alone || taking.bytes() <= GROUP_BYTES { Ok(()) } else { Err(Halt::Enough) }
            })?;
            if !alone && taking.bytes() > GROUP_BYTES {
                return Ok(None);
            }
        }
        if taking.cut > 0 {
            let (trace, cut) = (traces[0], taking.cut);
            notes
                .warnings
                .push(format!("trace {trace} is too large to look at whole: of its spans {cut} were left out"));
        }
        Ok(Some(taking.group))
    }
}

struct Taking {
    numbers: HashMap<TraceId, usize>,
    group: Group,
    /// Columns kept for conditions.
    values: Vec<&'static str>,
    bytes: usize,
    most_spans: usize,
    most_bytes: usize,
    cut: u64,
}

impl Taking {
    fn bytes(&self) -> usize {
        self.bytes + self.group.texts.bytes
    }

    fn take(&mut self, source: u32, chunk: &Chunk) -> Result<(), ReadError> {
        let columns = Columns::new(&chunk.batch);
        let traces = columns.ids::<16>(col::TRACE_ID)?;
        let (ids, parents) = (columns.ids::<8>(col::SPAN_ID)?, columns.ids::<8>(col::PARENT_SPAN_ID)?);
        let (starts, durations) = (columns.times(col::START_TIME)?, columns.i64s(col::DURATION)?);
        let (kinds, status) = (columns.i32s(col::KIND)?, columns.i32s(col::STATUS_CODE)?);
        let mut services = Numbered::new(columns.strings(col::SERVICE_NAME)?);
        let mut names = Numbered::new(columns.strings(col::NAME)?);
        let (mut taken, mut found) = (Vec::new(), Vec::new());
        let batch = self.group.batches.len() as u32;
        let kept: Vec<_> = self.values.iter().filter_map(|name| chunk.batch.column_by_name(name)).collect();
        let texts: Vec<_> = kept.iter().filter_map(|column| column.as_string_opt::<i32>()).collect();
        for row in 0..columns.rows() {
            let Some(&trace) = traces.get(row).and_then(|id| self.numbers.get(&TraceId(id))) else { continue };
            let Some(id) = ids.get(row).map(SpanId) else { continue };
            if self.group.traces[trace].1.len() + found.len() >= self.most_spans || self.bytes() > self.most_bytes {
                self.cut += 1;
                continue;
            }
            let span = SpanRow {
                id,
                parent: parents.get(row).map(SpanId),
                start: starts[row],
                duration: durations[row],
                kind: kinds[row],
                status: status[row],
                service: services.number(row, &mut self.group.texts),
                name: names.number(row, &mut self.group.texts),
                stored: (source, chunk.rows[row]),
                place: (batch, taken.len() as u32),
            };
            self.bytes += ROW_BYTES + texts.iter().map(|text| text.value_length(row) as usize).sum::<usize>();
            found.push((trace, span));
            taken.push(row as u32);
        }
        if !taken.is_empty() {
            // First, for the spans name their place in it.
            self.keep(&chunk.batch, taken)?;
        }
        found.into_iter().for_each(|(trace, span)| self.group.traces[trace].1.push(span));
        Ok(())
    }

    fn keep(&mut self, batch: &RecordBatch, rows: Vec<u32>) -> Result<(), ReadError> {
        let wanted: Vec<usize> = self.values.iter().filter_map(|name| batch.schema().index_of(name).ok()).collect();
        let kept = match wanted.as_slice() {
            [] => RecordBatch::try_new_with_options(
                Arc::new(Schema::empty()),
                Vec::new(),
                &RecordBatchOptions::new().with_row_count(Some(rows.len())),
            ),
            wanted => batch.project(wanted).and_then(|values| take_record_batch(&values, &UInt32Array::from(rows))),
        };
        let kept = kept.map_err(|error| damaged(error.to_string()))?;
        self.group.batches.push(kept);
        Ok(())
    }
}

/// A string column of one batch, with the numbers of its texts.
struct Numbered<'a> {
    strings: Strings<'a>,
    known: Vec<Option<u32>>,
}

impl<'a> Numbered<'a> {
    fn new(strings: Strings<'a>) -> Self {
        let distinct = strings.dictionary().map_or(0, arrow::array::Array::len);
        Self { strings, known: vec![None; distinct] }
    }

    fn number(&mut self, row: usize, texts: &mut Texts) -> u32 {
        let known = self.strings.key(row).and_then(|key| self.known.get_mut(key));
        match known {
            Some(known) => *known.get_or_insert_with(|| texts.number(self.strings.text(row))),
            None => texts.number(self.strings.text(row)),
        }
    }
}
