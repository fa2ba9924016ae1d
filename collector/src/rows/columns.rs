//! Columns under construction that Arrow's own builders do not offer: text that can be taken back, ids.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanBufferBuilder, FixedSizeBinaryArray, StringArray, TimestampNanosecondArray};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};

/// A text column whose values are written in place, so that JSON is built without a copy, and taken
/// back when the row turns out to be bad. Whole UTF-8 texts are written to it, which Arrow makes sure of at
/// the end: all at once costs less than one by one.
pub(super) struct TextColumn {
    values: Vec<u8>,
    offsets: Vec<i32>,
    /// Rows with a value, though nothing was written.
    blank: Vec<usize>,
}

impl TextColumn {
    pub(super) fn with_capacity(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { values: Vec::new(), offsets, blank: Vec::new() }
    }

    /// With room for so many bytes of text.
    pub(super) fn of_bytes(self, bytes: usize) -> Self {
        Self { values: Vec::with_capacity(bytes), ..self }
    }

    /// Where the value of the current row is written.
    #[inline]
    pub(super) fn value(&mut self) -> &mut Vec<u8> {
        &mut self.values
    }

    /// Bytes of the current row's value so far.
    #[inline]
    pub(super) fn pending(&self) -> usize {
        self.values.len() - self.end()
    }

    /// Bytes of all values.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.values.len()
    }

    /// Forgets what was written for the current row.
    pub(super) fn take_back(&mut self) {
        let end = self.end();
        self.values.truncate(end);
    }

    /// Ends the current row.
    #[inline]
    pub(super) fn finish_value(&mut self) {
        if self.pending() == 0 {
            self.blank.push(self.offsets.len() - 1);
        }
        self.finish_optional();
    }

    /// Ends the current row; without a value where nothing was written.
    #[inline]
    pub(super) fn finish_optional(&mut self) {
        self.offsets.push(i32::try_from(self.values.len()).expect("bounded by MAX_TEXT_BYTES before"));
    }

    pub(super) fn finish(mut self) -> ArrayRef {
        // Rows stay in the live buffer for a while: they keep no more room than that.
        if self.values.capacity() - self.values.len() > self.values.len() / 4 {
            self.values.shrink_to_fit();
        }
        let nulls = self.nulls();
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let values = Buffer::from_vec(self.values);
        Arc::new(StringArray::try_new(offsets, values, nulls).expect("whole texts are written"))
    }

    fn nulls(&self) -> Option<NullBuffer> {
        let rows = self.offsets.len() - 1;
        if self.blank.len() == rows {
            return None;
        }
        if self.values.is_empty() && self.blank.is_empty() {
            return Some(NullBuffer::new_null(rows));
        }
        let written = BooleanBuffer::collect_bool(rows, |row| self.offsets[row] != self.offsets[row + 1]);
        let valid = match self.blank.as_slice() {
            [] => written,
            blank => {
                let mut valid = BooleanBufferBuilder::new(rows);
                valid.append_buffer(&written);
                blank.iter().for_each(|row| valid.set_bit(*row, true));
                valid.finish()
            }
        };
        Some(NullBuffer::new(valid)).filter(|nulls| nulls.null_count() > 0)
    }

    #[inline]
    fn end(&self) -> usize {
        self.offsets.last().map_or(0, |end| *end as usize)
    }
}

/// A column of ids of `N` bytes; no id is all zero.
pub(super) struct IdColumn<const N: usize> {
    values: Vec<[u8; N]>,
}

impl<const N: usize> IdColumn<N> {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self { values: Vec::with_capacity(rows) }
    }

    #[inline]
    pub(super) fn push(&mut self, id: Option<[u8; N]>) {
        self.values.push(id.unwrap_or([0; N]));
    }

    pub(super) fn finish(self) -> ArrayRef {
        let valid = BooleanBuffer::collect_bool(self.values.len(), |row| self.values[row] != [0; N]);
        let nulls = Some(NullBuffer::new(valid)).filter(|nulls| nulls.null_count() > 0);
        let values = Buffer::from_vec(self.values.into_flattened());
        Arc::new(FixedSizeBinaryArray::try_new(N as i32, values, nulls).expect("N bytes a row"))
    }
}

/// The id, unless it is of another length or all zero, which W3C Trace Context calls invalid.
#[inline]
pub(super) fn id<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    <[u8; N]>::try_from(bytes).ok().filter(|id| *id != [0; N])
}

/// A time column without nulls, ns.
pub(super) fn times(values: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampNanosecondArray::from(values))
}
