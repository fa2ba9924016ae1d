//! Texts as small numbers, so that millions of spans can be held and compared.

use arrow::array::Array;
use hashbrown::HashMap;

use crate::engine::QueryError;
use crate::rows::Strings;
use crate::rows::scan::ANSWER_BYTES;

/// A text by number, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(u32);

impl Name {
    pub(crate) const NONE: Name = Name(u32::MAX);
}

#[derive(Default)]
pub(crate) struct Names {
    numbers: HashMap<String, u32>,
    texts: Vec<String>,
    bytes: usize,
}

impl Names {
    pub(crate) fn intern(&mut self, text: Option<&str>) -> Name {
        let Some(text) = text else { return Name::NONE };
        if let Some(&number) = self.numbers.get(text) {
            return Name(number);
        }
        let number = self.texts.len() as u32;
        self.numbers.insert(text.to_owned(), number);
        self.texts.push(text.to_owned());
        self.bytes += text.len();
        Name(number)
    }

    /// Of all texts.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Fails where an answer could not hold all these names.
    pub(crate) fn check(&self) -> Result<(), QueryError> {
        match self.bytes <= ANSWER_BYTES {
            true => Ok(()),
            false => {
                Err(QueryError::TooLarge("the names in this range alone fill it; ask for a shorter one".to_owned()))
            }
        }
    }

    pub(crate) fn get(&self, name: Name) -> Option<&str> {
        self.texts.get(name.0 as usize).map(String::as_str)
    }

    /// None as the empty text.
    pub(crate) fn text(&self, name: Name) -> &str {
        self.get(name).unwrap_or("")
    }
}

/// A column's names, looked up once per dictionary value.
pub(crate) struct NameColumn<'a> {
    column: Strings<'a>,
    known: Vec<Option<Name>>,
}

impl<'a> NameColumn<'a> {
    pub(crate) fn new(column: Strings<'a>) -> Self {
        Self { column, known: vec![None; column.dictionary().map_or(0, |values| values.len())] }
    }

    pub(crate) fn get(&mut self, row: usize, names: &mut Names) -> Name {
        self.get_with(row, |text| names.intern(text))
    }

    /// The name of what `read` makes of the row's text.
    pub(crate) fn get_with(&mut self, row: usize, read: impl FnOnce(Option<&str>) -> Name) -> Name {
        match self.column.key(row) {
            Some(key) => *self.known[key].get_or_insert_with(|| read(self.column.get(row))),
            None => read(self.column.get(row)),
        }
    }
}
