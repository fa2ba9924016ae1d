//! The terms of a block of rows: what the index will know of it.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, RecordBatch};
use arrow::datatypes::Int32Type;
use hashbrown::{HashSet, HashTable};

use crate::attrs;
use crate::schema::{Table, col};
use crate::terms::{Field, intrinsic, operation_term, push_key_term, push_tag_term, severity_name};
use crate::text;

/// Hands over the terms of `rows` of `batch` but words. One may come many times.
pub(crate) fn each_tag(table: Table, batch: &RecordBatch, rows: Range<usize>, see: impl FnMut(Field, &[u8])) {
    let mut extract = Extract { scratch: Vec::new(), see };
    extract.origin(batch, rows.clone());
    match table {
        Table::Spans => extract.spans(batch, rows),
        Table::Logs => extract.logs(batch, rows),
        Table::Metrics => {
            extract.dictionary(batch, col::METRIC_NAME, intrinsic::METRIC, rows.clone());
            extract.attributes(batch, "metric", rows);
        }
    }
}

/// Distinct words of the texts of one block, in the order first met. Reused from block to block.
#[derive(Default)]
pub(crate) struct BlockWords {
    arena: Vec<u8>,
    words: Vec<Range<u32>>,
    seen: HashTable<u32>,
}

impl BlockWords {
    /// Fills this with the words of the bodies of `rows`.
    pub(crate) fn collect(&mut self, batch: &RecordBatch, rows: Range<usize>) {
        self.arena.clear();
        self.words.clear();
        self.seen.clear();
        for_each_text(batch, col::BODY, rows, |text| text::for_each_word(text, |word| self.add(word.as_bytes())));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.words.iter().map(|range| &self.arena[range.start as usize..range.end as usize])
    }

    fn add(&mut self, word: &[u8]) {
        let hash = xxhash_rust::xxh3::xxh3_64;
        let Self { arena, words, seen } = self;
        let bytes = |at: &u32| &arena[words[*at as usize].start as usize..words[*at as usize].end as usize];
        let entry = seen.entry(hash(word), |at| bytes(at) == word, |at| hash(bytes(at)));
        if let hashbrown::hash_table::Entry::Vacant(slot) = entry {
            slot.insert(words.len() as u32);
            let from = arena.len() as u32;
            arena.extend_from_slice(word);
            words.push(from..arena.len() as u32);
        }
    }
}

struct Extract<F> {
    scratch: Vec<u8>,
    see: F,
}

impl<F: FnMut(Field, &[u8])> Extract<F> {
    /// Columns that every table has.
    fn origin(&mut self, batch: &RecordBatch, rows: Range<usize>) {
        self.dictionary(batch, col::SERVICE_NAME, intrinsic::SERVICE, rows.clone());
        for_each_distinct(batch, col::RESOURCE_ATTRIBUTES, rows.clone(), |text| self.object("resource", text));
        for_each_distinct(batch, col::SCOPE_ATTRIBUTES, rows, |text| self.object("scope", text));
    }

    fn spans(&mut self, batch: &RecordBatch, rows: Range<usize>) {
        for (column, key) in [
            (col::NAME, intrinsic::NAME),
            (col::ROLE, intrinsic::ROLE),
            (col::PEER, intrinsic::PEER),
            (col::PROTOCOL, intrinsic::PROTOCOL),
            (col::OPERATION, intrinsic::OPERATION),
            (col::OUTCOME, intrinsic::OUTCOME),
        ] {
            self.dictionary(batch, column, key, rows.clone());
        }
        for (column, key) in [(col::KIND, intrinsic::KIND), (col::STATUS_CODE, intrinsic::STATUS)] {
            if let Some(numbers) = column_of(batch, column).and_then(|c| c.as_primitive_opt::<Int32Type>().cloned()) {
                let distinct: HashSet<i32> = numbers.values()[rows.clone()].iter().copied().collect();
                distinct.into_iter().for_each(|number| self.tag(key, &number.to_string()));
            }
        }
        self.attributes(batch, "span", rows.clone());
        for_each_text(batch, col::EVENTS, rows.clone(), |text| self.nested("event", text));
        for_each_text(batch, col::LINKS, rows.clone(), |text| self.nested("link", text));
        self.operations(batch, rows);
    }

    fn operations(&mut self, batch: &RecordBatch, rows: Range<usize>) {
        let (Some(services), Some(names), Some(kinds)) = (
            dictionary_of(batch, col::SERVICE_NAME),
            dictionary_of(batch, col::NAME),
            column_of(batch, col::KIND).and_then(|c| c.as_primitive_opt::<Int32Type>().cloned()),
        ) else {
            return;
        };
        let mut distinct = HashSet::new();
        for row in rows {
            let key = (services.keys().value(row), kinds.value(row), names.keys().value(row));
            if distinct.insert(key) {
                let (service, name) = (value_at(&services, row), value_at(&names, row));
                (self.see)(Field::Operation, &operation_term(service, key.1, name));
            }
        }
    }

    fn logs(&mut self, batch: &RecordBatch, rows: Range<usize>) {
        self.dictionary(batch, col::EVENT_NAME, intrinsic::EVENT_NAME, rows.clone());
        if let Some(numbers) =
            column_of(batch, col::SEVERITY_NUMBER).and_then(|c| c.as_primitive_opt::<Int32Type>().cloned())
        {
            let distinct: HashSet<&str> = numbers.values()[rows.clone()].iter().map(|n| severity_name(*n)).collect();
            distinct.into_iter().for_each(|name| self.tag(intrinsic::SEVERITY, name));
        }
        if let Some(ids) = column_of(batch, col::SPAN_ID).and_then(|c| c.as_fixed_size_binary_opt().cloned()) {
            for row in rows.clone().filter(|row| ids.is_valid(*row)) {
                self.tag(intrinsic::SPAN_ID, &hex::encode(ids.value(row)));
            }
        }
        self.attributes(batch, "log", rows);
    }

    fn dictionary(&mut self, batch: &RecordBatch, column: &str, key: &str, rows: Range<usize>) {
        for_each_distinct(batch, column, rows, |value| self.tag(key, value));
    }

    fn attributes(&mut self, batch: &RecordBatch, scope: &str, rows: Range<usize>) {
        for_each_text(batch, col::ATTRIBUTES, rows, |text| self.object(scope, text));
    }

    /// Events or links: a list of objects with `attributes`.
    fn nested(&mut self, scope: &str, list: &str) {
        for item in attrs::items(list) {
            if let Some(name) = attrs::find(item, "name") {
                let name = attrs::text_of(name);
                self.tag(intrinsic::EVENT_NAME, &name);
            }
            if let Some(attributes) = attrs::find(item, "attributes") {
                self.object(scope, attributes);
            }
        }
    }

    fn object(&mut self, scope: &str, object: &str) {
        for (key, raw) in attrs::entries(object) {
            self.scratch.clear();
            push_key_term(&mut self.scratch, scope, &key);
            (self.see)(Field::Key, &self.scratch);
            self.tag(&key, &attrs::text_of(raw));
            if raw.starts_with('[') {
                attrs::items(raw).for_each(|item| self.tag(&key, &attrs::text_of(item)));
            }
        }
    }

    fn tag(&mut self, key: &str, value: &str) {
        self.scratch.clear();
        push_tag_term(&mut self.scratch, key, value);
        (self.see)(Field::Tag, &self.scratch);
    }
}

fn column_of<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a ArrayRef> {
    batch.column_by_name(name)
}

fn dictionary_of(batch: &RecordBatch, name: &str) -> Option<DictionaryArray<Int32Type>> {
    column_of(batch, name).and_then(|column| column.as_dictionary_opt::<Int32Type>().cloned())
}

fn value_at(dictionary: &DictionaryArray<Int32Type>, row: usize) -> &str {
    match (dictionary.key(row), dictionary.values().as_string_opt::<i32>()) {
        (Some(key), Some(values)) => values.value(key),
        _ => "",
    }
}

fn for_each_distinct(batch: &RecordBatch, column: &str, rows: Range<usize>, mut see: impl FnMut(&str)) {
    let Some(dictionary) = dictionary_of(batch, column) else { return };
    let Some(values) = dictionary.values().as_string_opt::<i32>() else { return };
    let mut seen = HashSet::new();
    let mut last = None;
    for key in rows.filter_map(|row| dictionary.key(row)) {
        if last.replace(key) != Some(key) && seen.insert(key) {
            see(values.value(key));
        }
    }
}

fn for_each_text(batch: &RecordBatch, column: &str, rows: Range<usize>, mut see: impl FnMut(&str)) {
    let Some(texts) = column_of(batch, column).and_then(|c| c.as_string_opt::<i32>()) else { return };
    for row in rows.filter(|row| texts.is_valid(*row)) {
        see(texts.value(row));
    }
}

/// Trace ids of `rows`, where the table has them.
pub(crate) fn trace_ids(batch: &RecordBatch) -> Option<&arrow::array::FixedSizeBinaryArray> {
    column_of(batch, col::TRACE_ID).and_then(|column| column.as_fixed_size_binary_opt())
}
