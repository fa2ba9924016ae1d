//! Columns of some rows out of the Parquet file of a segment.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use parking_lot::Mutex;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowSelection, RowSelector};
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels};
use parquet::errors::Result;
use parquet::file::metadata::ParquetMetaData;

use super::Readers;
use super::constant::Constant;
use super::pages::{Origin, Pages};
use super::parquet::PAGE_ROWS;

/// Pages of a read of at most so many rows are kept for the next.
const KEPT_ROWS: usize = 16 * PAGE_ROWS;

/// Batches of the columns, in the order asked for.
pub(super) struct Rows {
    inner: ParquetRecordBatchReader,
    schema: SchemaRef,
    columns: Vec<Column>,
}

enum Column {
    /// Place in the batches of the reader.
    Read(usize),
    Made(Constant, DataType),
}

/// Some columns of some rows: `ranges` are ascending and apart, and not none.
pub(super) fn rows(readers: &Readers, columns: &[&str], ranges: &[Range<usize>], batch_rows: usize) -> Result<Rows> {
    let metadata = readers.metadata.metadata();
    let groups = groups(metadata, ranges);
    let schema = readers.metadata.schema();
    let places = columns.iter().map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>()?;
    let made: Vec<Option<Constant>> =
        places.iter().map(|at| constant(metadata, &groups, schema.field(*at), *at)).collect();
    let mut read: Vec<usize> = places.iter().zip(&made).filter(|(_, made)| made.is_none()).map(|(at, _)| *at).collect();
    read.sort_unstable();
    read.dedup();
    let mask = ProjectionMask::leaves(metadata.file_metadata().schema_descr(), read.iter().copied());
    if readers.parquet.is_remote() {
        readers.parquet.prefetch(groups.iter().flat_map(|group| wanted(metadata, &mask, group)));
    }
    let few = ranges.iter().map(Range::len).sum::<usize>() <= KEPT_ROWS;
    let origin = Origin {
        blob: readers.parquet.clone(),
        metadata: metadata.clone(),
        groups: groups.iter().map(|group| group.number).collect(),
        cache: readers.pages.clone(),
        keep_as: few.then_some(readers.id),
    };
    let selectors: Vec<RowSelector> = groups.into_iter().flat_map(|group| Vec::from(group.selection)).collect();
    let levels = readers.levels.of(&read, || {
        parquet_to_arrow_field_levels(metadata.file_metadata().schema_descr(), mask, Some(schema.fields()))
    })?;
    let pages = Pages(Arc::new(origin));
    let inner = ParquetRecordBatchReader::try_new_with_row_groups(&levels, &pages, batch_rows, Some(selectors.into()))?;
    let fields: Vec<_> = places.iter().map(|at| schema.fields()[*at].clone()).collect();
    let columns = places
        .into_iter()
        .zip(made)
        .map(|(at, made)| match made {
            Some(constant) => Column::Made(constant, schema.field(at).data_type().clone()),
            None => Column::Read(read.partition_point(|read| *read < at)),
        })
        .collect();
    Ok(Rows { inner, schema: Arc::new(Schema::new(fields)), columns })
}

/// What Parquet makes of its schema for the columns of the last reads, which are those of the next.
#[derive(Default)]
pub(super) struct Levels(Mutex<VecDeque<(Vec<usize>, Arc<FieldLevels>)>>);

/// How many lists of columns are kept.
const LISTS: usize = 8;

impl Levels {
    fn of(&self, columns: &[usize], make: impl FnOnce() -> Result<FieldLevels>) -> Result<Arc<FieldLevels>> {
        if let Some((_, levels)) = self.0.lock().iter().find(|(known, _)| known == columns) {
            return Ok(levels.clone());
        }
        let levels = Arc::new(make()?);
        let mut kept = self.0.lock();
        kept.truncate(LISTS - 1);
        kept.push_front((columns.to_vec(), levels.clone()));
        Ok(levels)
    }
}

/// The one value of a column in these row groups.
fn constant(metadata: &ParquetMetaData, groups: &[Group], field: &Field, at: usize) -> Option<Constant> {
    let mut values = groups.iter().map(|group| Constant::of(field, metadata.row_group(group.number).column(at)));
    let first = values.next()??;
    values.all(|value| value.as_ref() == Some(&first)).then_some(first)
}

impl Rows {
    pub(super) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn complete(&self, read: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let rows = read.num_rows();
        let column = |column: &Column| match column {
            Column::Read(at) => Ok(read.column(*at).clone()),
            Column::Made(constant, data_type) => constant.array(data_type, rows),
        };
        let columns = self.columns.iter().map(column).collect::<Result<Vec<ArrayRef>>>()?;
        let rows = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &rows)
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.inner.next()?;
        Some(read.and_then(|read| self.complete(&read)))
    }
}

/// A row group that has some of the rows that are read.
struct Group {
    number: usize,
    /// Of its rows.
    selection: RowSelection,
}

fn groups(metadata: &ParquetMetaData, mut ranges: &[Range<usize>]) -> Vec<Group> {
    let (mut groups, mut from) = (Vec::new(), 0);
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let rows = usize::try_from(group.num_rows()).unwrap_or_default();
        let to = from + rows;
        let meets = ranges.partition_point(|range| range.start < to);
        if meets > 0 {
            let within = ranges[..meets].iter().map(|range| range.start.max(from) - from..range.end.min(to) - from);
            groups.push(Group { number, selection: RowSelection::from_consecutive_ranges(within, rows) });
        }
        // The last of them may reach into the next group.
        ranges = &ranges[meets - usize::from(meets > 0 && ranges[meets - 1].end > to)..];
        from = to;
    }
    groups
}

/// The bytes that a read of these columns and rows comes to.
fn wanted(metadata: &ParquetMetaData, mask: &ProjectionMask, group: &Group) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    let pages = metadata.offset_index().and_then(|groups| groups.get(group.number));
    let columns = metadata.row_group(group.number).columns().iter().enumerate();
    for (number, column) in columns.filter(|(number, _)| mask.leaf_included(*number)) {
        let (start, length) = column.byte_range();
        let locations = pages.and_then(|pages| pages.get(number)).map(|index| index.page_locations().as_slice());
        match locations {
            Some(locations @ [first, ..]) => {
                // A dictionary lies before the first page.
                ranges.push(start..first.offset as u64);
                ranges.extend(group.selection.scan_ranges(locations));
            }
            _ => ranges.push(start..start + length),
        }
    }
    ranges
}
