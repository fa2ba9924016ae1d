//! Equal resources and scopes of a trace become one, numbered by first appearance.

use std::collections::HashMap;
use std::sync::Arc;

use query::model::{Resource, Scope};

/// Numbers of equal values. Values are compared by the text that `key` gives, once per allocation.
pub(crate) struct Interner<'a, T> {
    seen: HashMap<*const T, usize>,
    by_key: HashMap<String, usize>,
    pub(crate) values: Vec<&'a T>,
    key: fn(&T) -> String,
}

impl<'a, T> Interner<'a, T> {
    pub(crate) fn new(key: fn(&T) -> String) -> Self {
        Self { seen: HashMap::new(), by_key: HashMap::new(), values: Vec::new(), key }
    }

    pub(crate) fn number(&mut self, value: &'a Arc<T>) -> usize {
        let (values, by_key, key) = (&mut self.values, &mut self.by_key, self.key);
        *self.seen.entry(Arc::as_ptr(value)).or_insert_with(|| {
            *by_key.entry(key(value)).or_insert_with(|| {
                values.push(value);
                values.len() - 1
            })
        })
    }
}

/// For an [`Interner`] of resources.
pub(crate) fn resource_key(resource: &Resource) -> String {
    let mut key = String::new();
    storage::attrs::write_object(&mut key, &resource.attributes);
    format!("{key}\n{}\n{}", resource.schema_url, resource.dropped_attributes)
}

/// For an [`Interner`] of scopes.
pub(crate) fn scope_key(scope: &Scope) -> String {
    let mut key = String::new();
    storage::attrs::write_object(&mut key, &scope.attributes);
    format!("{key}\n{}\n{}\n{}\n{}", scope.name, scope.version, scope.schema_url, scope.dropped_attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_a_number() {
        let values = [Arc::new(7), Arc::new(8), Arc::new(7)];
        let mut interner = Interner::new(|value: &i32| value.to_string());
        let numbers: Vec<_> = values.iter().chain(&values).map(|value| interner.number(value)).collect();
        assert_eq!(numbers, [0, 1, 0, 0, 1, 0]);
        assert_eq!(interner.values, [&7, &8]);
    }
}
