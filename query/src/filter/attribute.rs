//! One key in columns of attribute text, found without parsing the rest.

use std::cell::RefCell;

use arrow::array::Array;
use memchr::memmem::Finder;
use storage::attrs;
use storage::scan::ReadError;
use storage::schema::col;

use super::value::Val;
use crate::rows::{Columns, Strings};

/// Values of one key in a column of attribute objects. Where the column is a dictionary, as for
/// resources and scopes, each distinct object is searched once.
pub(crate) struct AttributeColumn<'a> {
    objects: Strings<'a>,
    key: Key<'a>,
    seen: RefCell<Vec<Option<Option<&'a str>>>>,
}

impl<'a> AttributeColumn<'a> {
    pub(crate) fn new(columns: Columns<'a>, column: &str, key: &'a str) -> Result<Self, ReadError> {
        let objects = columns.strings(column)?;
        let distinct = objects.dictionary().map_or(0, Array::len);
        Ok(Self { objects, key: Key::new(key), seen: RefCell::new(vec![None; distinct]) })
    }

    /// Raw text of the value.
    pub(crate) fn raw(&self, row: usize) -> Option<&'a str> {
        let object = self.objects.get(row)?;
        let Some(at) = self.objects.key(row) else { return self.key.find(object) };
        match self.seen.borrow_mut().get_mut(at) {
            Some(known) => *known.get_or_insert_with(|| self.key.find(object)),
            None => self.key.find(object),
        }
    }

    pub(crate) fn value(&self, row: usize) -> Val<'a> {
        self.raw(row).map_or(Val::Nil, Val::from_raw)
    }
}

/// A key that is looked for in many objects.
struct Key<'a> {
    key: &'a str,
    /// Its text between quotes: an object without it does not have the key, and is not parsed.
    quoted: Box<Finder<'static>>,
}

impl<'a> Key<'a> {
    fn new(key: &'a str) -> Self {
        let mut quoted = String::new();
        attrs::push_string(&mut quoted, key);
        Self { key, quoted: Box::new(Finder::new(quoted.as_bytes()).into_owned()) }
    }

    fn find<'b>(&self, object: &'b str) -> Option<&'b str> {
        self.quoted.find(object.as_bytes())?;
        attrs::find(object, self.key)
    }
}

/// Values of one key wherever a span can carry it.
pub(crate) struct AnyScope<'a> {
    own: [AttributeColumn<'a>; 3],
    /// Events and links.
    lists: [Strings<'a>; 2],
    key: &'a str,
}

impl<'a> AnyScope<'a> {
    pub(crate) const COLUMNS: [&'static str; 5] =
        [col::ATTRIBUTES, col::RESOURCE_ATTRIBUTES, col::SCOPE_ATTRIBUTES, col::EVENTS, col::LINKS];

    pub(crate) fn new(columns: Columns<'a>, key: &'a str) -> Result<Self, ReadError> {
        let own = |column| AttributeColumn::new(columns, column, key);
        Ok(Self {
            own: [own(col::ATTRIBUTES)?, own(col::RESOURCE_ATTRIBUTES)?, own(col::SCOPE_ATTRIBUTES)?],
            lists: [columns.strings(col::EVENTS)?, columns.strings(col::LINKS)?],
            key,
        })
    }

    /// Whether `wanted` holds for the raw text of one of the values.
    pub(crate) fn any(&self, row: usize, mut wanted: impl FnMut(&'a str) -> bool) -> bool {
        self.own.iter().any(|column| column.raw(row).is_some_and(&mut wanted))
            || self.lists.iter().any(|list| in_list(list.get(row), self.key).any(&mut wanted))
    }
}

/// Raw values of an attribute of events or links.
pub(crate) fn in_list<'a>(list: Option<&'a str>, key: &str) -> impl Iterator<Item = &'a str> {
    fields(list, "attributes").filter_map(move |attributes| attrs::find(attributes, key))
}

/// Raw values of a field, such as `name`, of each event or link.
pub(crate) fn fields<'a>(list: Option<&'a str>, field: &str) -> impl Iterator<Item = &'a str> {
    list.into_iter().flat_map(attrs::items).filter_map(move |item| attrs::find(item, field))
}
