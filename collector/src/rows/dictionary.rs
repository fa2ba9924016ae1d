//! Dictionary columns under construction: each distinct text once, rows as keys.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, StringArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::Int32Type;
use hashbrown::{DefaultHashBuilder, HashTable};

/// Key of a row without a value.
const NULL: i32 = -1;

/// Texts by key, in the order of their first appearance.
pub(super) struct Dictionary {
    values: String,
    offsets: Vec<i32>,
    keys: HashTable<i32>,
    hasher: DefaultHashBuilder,
    last: i32,
}

impl Default for Dictionary {
    fn default() -> Self {
        Self {
            values: String::new(),
            offsets: vec![0],
            keys: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            last: NULL,
        }
    }
}

impl Dictionary {
    /// The key of a text. Neighbours are mostly equal, so the last text is tried before hashing.
    pub(super) fn key(&mut self, text: &str) -> i32 {
        if self.last != NULL && get(&self.values, &self.offsets, self.last) == text {
            return self.last;
        }
        let hash = self.hasher.hash_one(text);
        let (values, offsets) = (&self.values, &self.offsets);
        self.last = match self.keys.find(hash, |key| get(values, offsets, *key) == text) {
            Some(key) => *key,
            None => self.insert(hash, text),
        };
        self.last
    }

    /// As [`Self::key`]; an empty text has none.
    pub(super) fn optional_key(&mut self, text: &str) -> i32 {
        if text.is_empty() { NULL } else { self.key(text) }
    }

    /// Bytes of all distinct texts.
    pub(super) fn bytes(&self) -> usize {
        self.values.len()
    }

    pub(super) fn finish(self, keys: Vec<i32>) -> ArrayRef {
        let nulls = keys.contains(&NULL).then(|| NullBuffer::from_iter(keys.iter().map(|key| *key != NULL)));
        let keys = match &nulls {
            None => keys,
            Some(_) => keys.into_iter().map(|key| key.max(0)).collect(),
        };
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let values = Buffer::from_vec(self.values.into_bytes());
        let values = StringArray::try_new(offsets, values, None).expect("offsets fall between strings");
        let keys = Int32Array::new(ScalarBuffer::from(keys), nulls);
        Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(values)).expect("keys were given out here"))
    }

    fn insert(&mut self, hash: u64, text: &str) -> i32 {
        let key = self.offsets.len() as i32 - 1; // fewer keys than MAX_ROWS
        self.values.push_str(text);
        self.offsets.push(i32::try_from(self.values.len()).expect("bounded by MAX_TEXT_BYTES before"));
        let (values, offsets, hasher) = (&self.values, &self.offsets, &self.hasher);
        self.keys.insert_unique(hash, key, |key| hasher.hash_one(get(values, offsets, *key)));
        key
    }
}

fn get<'d>(values: &'d str, offsets: &[i32], key: i32) -> &'d str {
    let at = key as usize;
    &values[offsets[at] as usize..offsets[at + 1] as usize]
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

    pub(super) fn push(&mut self, text: &str) {
        let key = self.dictionary.key(text);
        self.keys.push(key);
    }

    /// An empty text is no value.
    pub(super) fn push_optional(&mut self, text: &str) {
        let key = self.dictionary.optional_key(text);
        self.keys.push(key);
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
        ["", "x", ""].iter().for_each(|text| column.push(text));
        assert_eq!(column.finish().null_count(), 0);
    }
}
