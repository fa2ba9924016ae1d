//! Which tags there are, and their values, out of the index.

use std::collections::BTreeSet;

use storage::schema::Table;
use storage::store::Snapshot;
use storage::terms::{Field, MAX_TAG_BYTES, intrinsic};

use crate::engine::{Deadline, Engine, QueryError, Range};
use crate::model::{Notes, Tag};
use crate::rows::terms::{Wanted, tell_of_cut, terms};
use crate::traceql::ast::{KINDS, STATUS};

/// Most keys in one answer.
const MOST_KEYS: usize = 10_000;

/// Values of one key.
#[derive(Clone, Debug, PartialEq)]
pub struct TagValues {
    /// In order; the first 256 bytes of longer ones.
    pub values: Vec<String>,
    /// There are more than asked for.
    pub more: bool,
    pub notes: Notes,
}

/// Columns that can be asked for like tags: the name and its key in the index.
const SPAN_COLUMNS: [(&str, &str); 9] = [
    ("kind", intrinsic::KIND),
    ("name", intrinsic::NAME),
    ("operation", intrinsic::OPERATION),
    ("outcome", intrinsic::OUTCOME),
    ("peer", intrinsic::PEER),
    ("protocol", intrinsic::PROTOCOL),
    ("role", intrinsic::ROLE),
    ("service", intrinsic::SERVICE),
    ("status", intrinsic::STATUS),
];
const LOG_COLUMNS: [(&str, &str); 3] =
    [("event", intrinsic::EVENT_NAME), ("service", intrinsic::SERVICE), ("severity", intrinsic::SEVERITY)];
const METRIC_COLUMNS: [(&str, &str); 2] = [("metric", intrinsic::METRIC), ("service", intrinsic::SERVICE)];

fn columns(table: Table) -> &'static [(&'static str, &'static str)] {
    match table {
        Table::Spans => &SPAN_COLUMNS,
        Table::Logs => &LOG_COLUMNS,
        Table::Metrics => &METRIC_COLUMNS,
    }
}

impl Engine {
    /// Attribute keys by scope, and the columns that can be asked for like tags.
    pub async fn tags(&self, table: Table, range: Range) -> Result<(Vec<Tag>, Notes), QueryError> {
        self.run(move |snapshot, deadline| {
            let mut notes = Notes::of(snapshot);
            let wanted = Wanted { table, field: Field::Key, prefix: b"", range, limit: MOST_KEYS + 1 };
            let terms = texts(terms(snapshot, deadline, &wanted, &mut notes)?);
            if terms.len() > MOST_KEYS {
                notes.warnings.push(format!("there are more than {MOST_KEYS} tags; the first are shown"));
            }
            let named = terms.iter().take(MOST_KEYS).filter_map(|term| term.split_once('.'));
            let mut tags: Vec<Tag> =
                named.map(|(scope, key)| Tag { scope: scope.to_owned(), key: key.to_owned() }).collect();
            let columns = columns(table).iter();
            tags.extend(columns.map(|(name, _)| Tag { scope: "intrinsic".to_owned(), key: (*name).to_owned() }));
            tags.sort();
            Ok((tags, notes))
        })
        .await
    }

    /// Values that begin with `prefix`, at most `limit`. `key` is an attribute's of any scope, or the
    /// name of a column that [`Engine::tags`] calls intrinsic.
    pub async fn tag_values(
        &self,
        table: Table,
        key: &str,
        range: Range,
        prefix: &str,
        limit: usize,
    ) -> Result<TagValues, QueryError> {
        let column = columns(table).iter().find(|(name, _)| *name == key).map(|(_, key)| *key);
        let (key, prefix) = (key.to_owned(), prefix.to_owned());
        self.run(move |snapshot, deadline| {
            let mut notes = Notes::of(snapshot);
            let mut list = Listing { snapshot, deadline, table, range, notes: &mut notes };
            let mut values = match column {
                Some(column @ (intrinsic::KIND | intrinsic::STATUS)) => {
                    let numbers = list.values(column, "", MOST_KEYS)?;
                    let words: &[&str] = if column == intrinsic::KIND { &KINDS } else { &STATUS };
                    let named = numbers.iter().filter_map(|number| words.get(number.parse::<usize>().ok()?));
                    named.filter(|word| word.starts_with(&prefix)).map(|word| (*word).to_owned()).collect()
                }
                Some(column) => list.values(column, &prefix, limit)?,
                None => BTreeSet::new(),
            };
            // An attribute can bear the name of a column.
            values.extend(list.values(&key, &prefix, limit)?);
            let more = values.len() > limit;
            let values: Vec<String> = values.into_iter().take(limit).collect();
            tell_of_cut(values.iter().map(String::as_str), MAX_TAG_BYTES, &mut notes);
            Ok(TagValues { values, more, notes })
        })
        .await
    }
}

/// Lists values of tags.
struct Listing<'a> {
    snapshot: &'a Snapshot,
    deadline: &'a Deadline,
    table: Table,
    range: Range,
    notes: &'a mut Notes,
}

impl Listing<'_> {
    /// One more than `limit`, where there are more.
    fn values(&mut self, key: &str, prefix: &str, limit: usize) -> Result<BTreeSet<String>, QueryError> {
        let from = storage::terms::tag_term(key, prefix);
        let skip = storage::terms::tag_term(key, "").len();
        let (table, range) = (self.table, self.range);
        let wanted = Wanted { table, field: Field::Tag, prefix: &from, range, limit: limit.saturating_add(1) };
        let found = texts(terms(self.snapshot, self.deadline, &wanted, self.notes)?);
        Ok(found.into_iter().filter_map(|term| term.get(skip..).map(str::to_owned)).collect())
    }
}

fn texts(terms: BTreeSet<Vec<u8>>) -> BTreeSet<String> {
    terms.into_iter().map(|term| String::from_utf8_lossy(&term).into_owned()).collect()
}

#[cfg(test)]
mod tests;
