//! Deletion by what people know: trace ids, or an attribute. The store erases; this says which rows.

use std::cell::RefCell;
use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::record_batch::RecordBatch;
use storage::attrs;
use storage::ids::TraceId;
use storage::scan::ReadError;
use storage::schema::{Table, col};
use storage::store::Doomed;
pub use storage::store::{EraseError, Erased};
use storage::terms::Prune;

use crate::engine::{Engine, Range};
use crate::filter::prune;
use crate::rows::{Columns, Strings};

/// Which rows go.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    pub rows: Rows,
    /// Only rows of this service.
    pub service: Option<String>,
    /// Only rows whose time lies in it.
    pub range: Range,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Rows {
    /// Spans and log records of these traces.
    Traces(Vec<TraceId>),
    /// Rows with this attribute of any type, compared by its text, in any scope: span, resource, scope,
    /// event, link, log; or of the resource alone where the key begins with `resource.`.
    Attribute { key: String, value: String },
}

impl Engine {
    /// Erases the rows, or counts them where it is a dry run.
    pub async fn erase(&self, selection: Selection, dry_run: bool) -> Result<Erased, EraseError> {
        let selection = Arc::new(selection);
        let doomed = Table::ALL.into_iter().filter_map(|table| doomed(&selection, table)).collect();
        match dry_run {
            true => self.store().count_doomed(doomed).await,
            false => {
                let unwritten = |error: crate::QueryError| EraseError::Refused(error.to_string());
                let _forgetting = self.forget_in_findings(&selection).await.map_err(unwritten)?;
                self.store().erase(doomed).await
            }
        }
    }
}

fn doomed(selection: &Arc<Selection>, table: Table) -> Option<Doomed> {
    let (held, prune): (&[&'static str], _) = match &selection.rows {
        Rows::Traces(_) if table == Table::Metrics => return None,
        Rows::Traces(ids) => (&[col::TRACE_ID], prune::any(ids.iter().map(|id| Prune::trace(*id)))),
        Rows::Attribute { key, value } => match key.strip_prefix(RESOURCE) {
            Some(key) => (&[col::RESOURCE_ATTRIBUTES], Prune::tag(key, value)),
            None if table == Table::Spans => (&EVERYWHERE, Prune::tag(key, value)),
            None => (&EVERYWHERE[..3], Prune::tag(key, value)),
        },
    };
    let columns = held.iter().copied().chain([col::SERVICE_NAME, table.time_column()]).collect();
    let (selection, Range { from, to }) = (selection.clone(), selection.range);
    let chosen = Arc::new(move |batch: &RecordBatch| chosen(&selection, table, held, batch));
    Some(Doomed { table, columns, prune, from, to, chosen })
}

const RESOURCE: &str = "resource.";
/// The first three are in every table; the others are lists of objects.
const EVERYWHERE: [&str; 5] =
    [col::ATTRIBUTES, col::RESOURCE_ATTRIBUTES, col::SCOPE_ATTRIBUTES, col::EVENTS, col::LINKS];

fn chosen(
    selection: &Selection,
    table: Table,
    held: &[&'static str],
    batch: &RecordBatch,
) -> Result<BooleanArray, ReadError> {
    let columns = Columns::new(batch);
    let (services, times) = (columns.strings(col::SERVICE_NAME)?, columns.times(table.time_column())?);
    let of_service = |row| selection.service.as_deref().is_none_or(|service| services.text(row) == service);
    let holds: Box<dyn Fn(usize) -> bool + '_> = match &selection.rows {
        Rows::Traces(wanted) => {
            let ids = columns.ids::<16>(col::TRACE_ID)?;
            Box::new(move |row| ids.get(row).is_some_and(|id| wanted.contains(&TraceId(id))))
        }
        Rows::Attribute { key, value } => {
            let key = key.strip_prefix(RESOURCE).unwrap_or(key);
            let held: Vec<Held<'_>> =
                held.iter().map(|name| Held::new(columns, name)).collect::<Result<_, ReadError>>()?;
            Box::new(move |row| held.iter().any(|column| column.holds(row, key, value)))
        }
    };
    let chosen = (0..columns.rows()).map(|row| selection.range.contains(times[row]) && of_service(row) && holds(row));
    Ok(chosen.map(Some).collect())
}

/// A column of attributes. Where it is a dictionary each distinct text is looked at once.
struct Held<'a> {
    texts: Strings<'a>,
    lists: bool,
    known: RefCell<Vec<Option<bool>>>,
}

impl<'a> Held<'a> {
    fn new(columns: Columns<'a>, name: &str) -> Result<Self, ReadError> {
        let texts = columns.strings(name)?;
        let distinct = texts.dictionary().map_or(0, arrow::array::Array::len);
        let lists = matches!(name, col::EVENTS | col::LINKS);
        Ok(Self { texts, lists, known: RefCell::new(vec![None; distinct]) })
    }

    fn holds(&self, row: usize, key: &str, value: &str) -> bool {
        let Some(text) = self.texts.get(row) else { return false };
        let look = || match self.lists {
            true => attrs::items(text)
                .filter_map(|item| attrs::find(item, "attributes"))
                .any(|object| object_holds(object, key, value)),
            false => object_holds(text, key, value),
        };
        match self
            .texts
            .key(row)
            .and_then(|at| self.known.borrow_mut().get_mut(at).map(|known| *known.get_or_insert_with(look)))
        {
            Some(known) => known,
            None => look(),
        }
    }
}

/// A key may repeat: every value of it counts, and each element of an array.
fn object_holds(object: &str, key: &str, value: &str) -> bool {
    attrs::entries(object).filter(|(found, _)| found == key).any(|(_, raw)| {
        attrs::text_of(raw) == value
            || (raw.starts_with('[') && attrs::items(raw).any(|item| attrs::text_of(item) == value))
    })
}

#[cfg(test)]
mod tests;
