//! Distinct terms of the index, source by source, within the deadline.

use std::collections::BTreeSet;

use storage::schema::Table;
use storage::store::{Snapshot, Source};
use storage::terms::Field;

use crate::engine::{Deadline, QueryError, Range};
use crate::model::Notes;

/// Which terms to list.
pub(crate) struct Wanted<'a> {
    pub(crate) table: Table,
    pub(crate) field: Field,
    pub(crate) prefix: &'a [u8],
    /// Of the sources, which are taken whole.
    pub(crate) range: Range,
    pub(crate) limit: usize,
}

/// The first `limit` terms that begin with the prefix, in order. What cannot be read is noted.
pub(crate) fn terms(
    snapshot: &Snapshot,
    deadline: &Deadline,
    wanted: &Wanted<'_>,
    notes: &mut Notes,
) -> Result<BTreeSet<Vec<u8>>, QueryError> {
    let Wanted { table, field, prefix, range, limit } = *wanted;
    let (mut found, mut unnamed) = (BTreeSet::new(), false);
    for source in snapshot.sources(table, range.from, range.to) {
        deadline.check()?;
        match &source {
            Source::Live(batch) => batch.terms(field, prefix, limit, &mut found),
            Source::Stored(segment) => match segment.terms(field, prefix, limit, &mut found) {
                Ok(more) => unnamed |= more,
                Err(error) => notes.unreadable(&error),
            },
        }
        while found.len() > limit {
            found.pop_last();
        }
    }
    if unnamed {
        notes.warnings.push(UNNAMED.to_owned());
    }
    Ok(found)
}

/// A search for a value finds it all the same.
const UNNAMED: &str = "there are too many different values to list them all; some are not told";

/// Says that names which fill the `most` bytes that the index keeps of each may be cut.
pub(crate) fn tell_of_cut<'a>(mut names: impl Iterator<Item = &'a str>, most: usize, notes: &mut Notes) {
    // A cut falls between characters: up to three bytes before the limit.
    if names.any(|name| name.len() + 3 >= most) {
        notes.warnings.push(format!("of names of more than {most} bytes only the first {most} are told"));
    }
}
