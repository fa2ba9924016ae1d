//! Columns under construction that Arrow's own builders do not offer: text that can be taken back, ids.

use std::sync::Arc;

use arrow::array::{ArrayRef, FixedSizeBinaryArray, NullBufferBuilder, StringArray, TimestampNanosecondArray};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};

/// A text column whose values are written in place, so that JSON is built without a copy, and taken
/// back when the row turns out to be bad.
pub(super) struct TextColumn {
    values: String,
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl TextColumn {
    pub(super) fn with_capacity(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { values: String::new(), offsets, nulls: NullBufferBuilder::new(rows) }
    }

    /// Where the value of the current row is written.
    pub(super) fn value(&mut self) -> &mut String {
        &mut self.values
    }

    /// Bytes of the current row's value so far.
    pub(super) fn pending(&self) -> usize {
        self.values.len() - self.end()
    }

    /// Bytes of all values.
    pub(super) fn bytes(&self) -> usize {
        self.values.len()
    }

    /// Forgets what was written for the current row.
    pub(super) fn take_back(&mut self) {
        let end = self.end();
        self.values.truncate(end);
    }

    /// Ends the current row.
    pub(super) fn finish_value(&mut self) {
        self.offsets.push(i32::try_from(self.values.len()).expect("bounded by MAX_TEXT_BYTES before"));
        self.nulls.append_non_null();
    }

    /// Ends the current row; without a value where nothing was written.
    pub(super) fn finish_optional(&mut self) {
        if self.pending() > 0 {
            return self.finish_value();
        }
        self.offsets.push(*self.offsets.last().unwrap_or(&0));
        self.nulls.append_null();
    }

    pub(super) fn finish(mut self) -> ArrayRef {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let values = Buffer::from_vec(self.values.into_bytes());
        Arc::new(StringArray::try_new(offsets, values, self.nulls.finish()).expect("offsets fall between strings"))
    }

    fn end(&self) -> usize {
        self.offsets.last().map_or(0, |end| *end as usize)
    }
}

/// A column of ids of `N` bytes.
pub(super) struct IdColumn<const N: usize> {
    values: Vec<u8>,
    nulls: NullBufferBuilder,
}

impl<const N: usize> IdColumn<N> {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self { values: Vec::with_capacity(rows * N), nulls: NullBufferBuilder::new(rows) }
    }

    pub(super) fn push(&mut self, id: Option<[u8; N]>) {
        self.values.extend_from_slice(&id.unwrap_or([0; N]));
        self.nulls.append(id.is_some());
    }

    pub(super) fn finish(mut self) -> ArrayRef {
        let values = Buffer::from_vec(self.values);
        Arc::new(FixedSizeBinaryArray::try_new(N as i32, values, self.nulls.finish()).expect("N bytes a row"))
    }
}

/// The id, unless it is of another length or all zero, which W3C Trace Context calls invalid.
pub(super) fn id<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    <[u8; N]>::try_from(bytes).ok().filter(|id| *id != [0; N])
}

/// A time column without nulls, ns.
pub(super) fn times(values: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampNanosecondArray::from(values))
}
