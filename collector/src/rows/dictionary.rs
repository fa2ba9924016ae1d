//! Dictionary columns under construction: each distinct text once, rows as keys.

use std::borrow::Cow;
use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, StringArray};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::Int32Type;
use hashbrown::{DefaultHashBuilder, HashTable};
use proto::otlp::view::Text;

/// Key of a row without a value.
const NULL: i32 = -1;

/// Distinct strings of bytes by key, in the order of their first appearance.
pub(super) struct Interner {
    values: Vec<u8>,
    offsets: Vec<i32>,
    keys: HashTable<i32>,
    hasher: DefaultHashBuilder,
    last: i32,
}

impl Default for Interner {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            offsets: vec![0],
            keys: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            last: NULL,
        }
    }
}

impl Interner {
    /// Number of distinct strings.
    pub(super) fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The key of a string that was added before, else its hash. Neighbours are mostly equal, so the last one is
    /// tried before hashing.
    #[inline]
    pub(super) fn known(&mut self, string: &[u8]) -> Result<i32, u64> {
        if self.last != NULL && get(&self.values, &self.offsets, self.last) == string {
            return Ok(self.last);
        }
        let hash = self.hasher.hash_one(string);
        let (values, offsets) = (&self.values, &self.offsets);
        self.last = *self.keys.find(hash, |key| get(values, offsets, *key) == string).ok_or(hash)?;
        Ok(self.last)
    }

    /// Adds a string that is not known.
    pub(super) fn insert(&mut self, hash: u64, string: &[u8]) -> i32 {
        let key = self.len() as i32; // fewer keys than MAX_ROWS
        self.values.extend_from_slice(string);
        self.offsets.push(i32::try_from(self.values.len()).expect("bounded by MAX_TEXT_BYTES before"));
        let (values, offsets, hasher) = (&self.values, &self.offsets, &self.hasher);
        self.keys.insert_unique(hash, key, |key| hasher.hash_one(get(values, offsets, *key)));
        self.last = key;
        key
    }
}

#[inline]
fn get<'d>(values: &'d [u8], offsets: &[i32], key: i32) -> &'d [u8] {
    let at = key as usize;
    &values[offsets[at] as usize..offsets[at + 1] as usize]
}

/// Texts by key.
#[derive(Default)]
pub(super) struct Dictionary {
    texts: Interner,
}

impl Dictionary {
    /// The key of a text.
    pub(super) fn key(&mut self, text: &str) -> i32 {
        self.texts.known(text.as_bytes()).unwrap_or_else(|hash| self.texts.insert(hash, text.as_bytes()))
    }

    /// The key of a text as sent; bad sequences are replaced. What is known needs no look at its encoding.
    pub(super) fn key_of(&mut self, text: Text<'_>) -> i32 {
        self.texts.known(text.bytes()).unwrap_or_else(|hash| match text.to_lossy() {
            Cow::Borrowed(text) => self.texts.insert(hash, text.as_bytes()),
            Cow::Owned(repaired) => self.key(&repaired),
        })
    }

    /// As [`Self::key_of`]; an empty text has none.
    #[inline]
    pub(super) fn optional_key_of(&mut self, text: Text<'_>) -> i32 {
        if text.is_empty() { NULL } else { self.key_of(text) }
    }

    /// As [`Self::key`]; an empty text has none.
    pub(super) fn optional_key(&mut self, text: &str) -> i32 {
        if text.is_empty() { NULL } else { self.key(text) }
    }

    /// Bytes of all distinct texts.
    pub(super) fn bytes(&self) -> usize {
        self.texts.values.len()
    }

    pub(super) fn finish(self, keys: Vec<i32>) -> ArrayRef {
        let rows = keys.len();
        let (keys, nulls) = if self.texts.len() == 0 {
            // No row has a value, and there are many such columns.
            (vec![0; rows], Some(NullBuffer::new_null(rows)))
        } else if keys.contains(&NULL) {
            let nulls = NullBuffer::new(BooleanBuffer::collect_bool(rows, |row| keys[row] != NULL));
            (keys.into_iter().map(|key| key.max(0)).collect(), Some(nulls))
        } else {
            (keys, None)
        };
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.texts.offsets));
        let values = Buffer::from_vec(self.texts.values);
        let values = StringArray::try_new(offsets, values, None).expect("whole texts are written");
        let keys = Int32Array::new(ScalarBuffer::from(keys), nulls);
        Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(values)).expect("keys were given out here"))
    }
}

/// A dictionary column with a text for each row.
#[derive(Default)]
pub(super) struct DictionaryColumn {
    dictionary: Dictionary,
    keys: Vec<i32>,
}

impl DictionaryColumn {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self { dictionary: Dictionary::default(), keys: Vec::with_capacity(rows) }
    }

    /// Gives the key of the text, as the others do.
    pub(super) fn push(&mut self, text: &str) -> i32 {
        let key = self.dictionary.key(text);
        self.push_key(key)
    }

    /// An empty text is no value.
    pub(super) fn push_optional(&mut self, text: &str) -> i32 {
        let key = self.dictionary.optional_key(text);
        self.push_key(key)
    }

    /// A text as sent.
    pub(super) fn push_sent(&mut self, text: Text<'_>) -> i32 {
        let key = self.dictionary.key_of(text);
        self.push_key(key)
    }

    /// A text as sent; an empty one is no value.
    pub(super) fn push_sent_optional(&mut self, text: Text<'_>) -> i32 {
        let key = self.dictionary.optional_key_of(text);
        self.push_key(key)
    }

    /// A key that was given out here.
    #[inline]
    pub(super) fn push_key(&mut self, key: i32) -> i32 {
        self.keys.push(key);
        key
    }

    pub(super) fn finish(self) -> ArrayRef {
        self.dictionary.finish(self.keys)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};

    use super::*;

    #[test]
    fn equal_texts_share_a_key_and_empty_ones_have_none() {
        let mut column = DictionaryColumn::with_capacity(0);
        for text in ["b", "b", "", "a", "b"] {
            column.push_optional(text);
        }
        let array = column.finish();
        let array = array.as_dictionary::<Int32Type>();
        assert_eq!(array.values().as_string::<i32>().iter().collect::<Vec<_>>(), [Some("b"), Some("a")]);
        assert_eq!(array.keys().iter().collect::<Vec<_>>(), [Some(0), Some(0), None, Some(1), Some(0)]);
        assert_eq!(array.null_count(), 1);
    }

    #[test]
    fn a_required_empty_text_is_a_value() {
        let mut column = DictionaryColumn::with_capacity(0);
        assert_eq!(["", "x", ""].map(|text| column.push(text)), [0, 1, 0]);
        assert_eq!(column.finish().null_count(), 0);
    }
}
