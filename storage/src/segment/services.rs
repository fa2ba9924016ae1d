//! Whose rows a segment holds: counted at the first question, then remembered for its life.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int32Type;

use super::Segment;
use crate::scan::{Read, ReadError};
use crate::schema::col;
use crate::terms::Prune;

/// Rows by service name, in order of names.
pub type ServiceRows = Arc<[(String, u64)]>;

impl Segment {
    /// Rows of each service. Blocking; the first call reads one column, about 1 ms for 100,000 rows.
    pub fn rows_by_service(&self) -> Result<ServiceRows, ReadError> {
        if let Some(known) = self.services.get() {
            return Ok(known.clone());
        }
        let mut rows = BTreeMap::new();
        let read = Read { columns: &[col::SERVICE_NAME], prune: &Prune::All, from: i64::MIN, to: i64::MAX };
        for chunk in self.read(&read)? {
            count(&chunk?.batch, &mut rows);
        }
        Ok(self.services.get_or_init(|| rows.into_iter().collect()).clone())
    }
}

/// Adds the rows of a batch that has a column of service names.
pub(crate) fn count(batch: &RecordBatch, rows: &mut BTreeMap<String, u64>) {
    let Some(column) = batch.column_by_name(col::SERVICE_NAME) else { return };
    let mut add = |name: &str, count: u64| match rows.get_mut(name) {
        Some(known) => *known += count,
        None => {
            rows.insert(name.to_owned(), count);
        }
    };
    if let Some(names) = column.as_dictionary_opt::<Int32Type>()
        && let Some(values) = names.values().as_string_opt::<i32>()
    {
        let mut counts = vec![0_u64; values.len()];
        for key in names.keys().iter().flatten() {
            counts[key as usize] += 1;
        }
        let used = counts.into_iter().enumerate().filter(|(_, count)| *count > 0);
        used.for_each(|(key, count)| add(if values.is_valid(key) { values.value(key) } else { "" }, count));
        add("", names.keys().null_count() as u64);
    } else if let Some(names) = column.as_string_opt::<i32>() {
        names.iter().for_each(|name| add(name.unwrap_or_default(), 1));
    }
    rows.retain(|_, count| *count > 0);
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, DictionaryArray, StringArray};

    use super::*;

    #[test]
    fn names_count_whatever_their_encoding() {
        let names = ["cart", "", "cart", "web", "cart"];
        let plain: ArrayRef = Arc::new(names.iter().map(Some).collect::<StringArray>());
        let coded: ArrayRef = Arc::new(names.into_iter().collect::<DictionaryArray<Int32Type>>());
        for column in [plain, coded] {
            let batch = RecordBatch::try_from_iter([(col::SERVICE_NAME, column)]).expect("a batch");
            let mut rows = BTreeMap::new();
            count(&batch, &mut rows);
            count(&batch.slice(1, 3), &mut rows);
            let expected = [("", 2), ("cart", 4), ("web", 2)].map(|(name, rows)| (name.to_owned(), rows));
            assert!(rows.into_iter().eq(expected));
        }
    }
}
