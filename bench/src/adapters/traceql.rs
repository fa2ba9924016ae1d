//! Searches in TraceQL, which Tempo and Clew speak.

use super::quoted;
use crate::manifest::{Attribute, Search};

/// One spanset filter.
pub(super) fn spanset(search: &Search) -> String {
    let mut conditions = Vec::new();
    conditions.extend(search.service.as_ref().map(|name| format!("resource.service.name = {}", quoted(name))));
    conditions.extend(search.operation.as_ref().map(|name| format!("name = {}", quoted(name))));
    conditions.extend(search.attributes.iter().map(|Attribute { resource, key, value, number }| {
        let scope = if *resource { "resource" } else { "span" };
        let value = if *number { value.clone() } else { quoted(value) };
        format!("{scope}.{key} = {value}")
    }));
    conditions.extend(search.longer_than_ms.map(|ms| format!("duration > {ms}ms")));
    conditions.extend(search.errors.then(|| "status = error".to_owned()));
    if conditions.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", conditions.join(" && ")) }
}
