//! Which tags there are, and their values, out of the index.

use std::collections::BTreeSet;

use storage::schema::Table;
use storage::store::Snapshot;
use storage::terms::{Field, intrinsic};

use crate::engine::{Engine, QueryError, Range};
use crate::model::{Notes, Tag};
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
        self.run(move |snapshot, _| {
            let mut notes = Notes::default();
            let terms = terms(snapshot, table, Field::Key, b"", range, MOST_KEYS + 1, &mut notes);
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
        self.run(move |snapshot, _| {
            let mut notes = Notes::default();
            let mut values = match column {
                Some(column @ (intrinsic::KIND | intrinsic::STATUS)) => {
                    let numbers = values(snapshot, table, column, "", range, usize::MAX - 1, &mut notes);
                    let words: &[&str] = if column == intrinsic::KIND { &KINDS } else { &STATUS };
                    let named = numbers.iter().filter_map(|number| words.get(number.parse::<usize>().ok()?));
                    named.filter(|word| word.starts_with(&prefix)).map(|word| (*word).to_owned()).collect()
                }
                Some(column) => values(snapshot, table, column, &prefix, range, limit, &mut notes),
                None => BTreeSet::new(),
            };
            // An attribute can bear the name of a column.
            values.extend(self::values(snapshot, table, &key, &prefix, range, limit, &mut notes));
            let more = values.len() > limit;
            Ok(TagValues { values: values.into_iter().take(limit).collect(), more, notes })
        })
        .await
    }
}

/// One more than `limit`, where there are more.
fn values(
    snapshot: &Snapshot,
    table: Table,
    key: &str,
    prefix: &str,
    range: Range,
    limit: usize,
    notes: &mut Notes,
) -> BTreeSet<String> {
    let from = storage::terms::tag_term(key, prefix);
    let skip = storage::terms::tag_term(key, "").len();
    let found = terms(snapshot, table, Field::Tag, &from, range, limit.saturating_add(1), notes);
    found.into_iter().filter_map(|term| term.get(skip..).map(str::to_owned)).collect()
}

fn terms(
    snapshot: &Snapshot,
    table: Table,
    field: Field,
    prefix: &[u8],
    range: Range,
    limit: usize,
    notes: &mut Notes,
) -> BTreeSet<String> {
    let (terms, errors) = snapshot.terms(table, field, prefix, range.from, range.to, limit);
    errors.iter().for_each(|error| notes.unreadable(error));
    terms.into_iter().filter_map(|term| String::from_utf8(term).ok()).collect()
}

#[cfg(test)]
mod tests;
