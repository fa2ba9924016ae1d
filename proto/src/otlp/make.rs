//! Short ways to write OTLP messages: attributes, and spans put under their resource and scope.

use super::messages::common::v1::any_value::Value;
use super::messages::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use super::messages::resource::v1::Resource;
use super::messages::trace::v1::{ResourceSpans, ScopeSpans, Span};

pub fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

pub fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

pub fn double(key: &str, value: f64) -> KeyValue {
    attribute(key, Value::DoubleValue(value))
}

pub fn boolean(key: &str, value: bool) -> KeyValue {
    attribute(key, Value::BoolValue(value))
}

/// An array of texts.
pub fn texts<T: Into<String>>(key: &str, values: impl IntoIterator<Item = T>) -> KeyValue {
    let values = values.into_iter().map(|value| any(Value::StringValue(value.into()))).collect();
    attribute(key, Value::ArrayValue(ArrayValue { values }))
}

pub fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any(value)), ..Default::default() }
}

pub fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

pub fn map(values: Vec<KeyValue>) -> AnyValue {
    any(Value::KvlistValue(KeyValueList { values }))
}

/// What a span belongs to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    pub resource: Vec<KeyValue>,
    pub scope_name: String,
    pub scope_version: String,
}

/// Puts spans of equal origin together, in the order in which origins first come.
#[derive(Debug, Default)]
pub struct SpanGroups {
    resources: Vec<ResourceSpans>,
}

impl SpanGroups {
    pub fn push(&mut self, origin: Origin, span: Span) {
        let Origin { resource, scope_name, scope_version } = origin;
        let same = |group: &ResourceSpans| group.resource.as_ref().is_some_and(|known| known.attributes == resource);
        let at = self.resources.iter().position(same).unwrap_or_else(|| {
            let resource = Some(Resource { attributes: resource, ..Default::default() });
            self.resources.push(ResourceSpans { resource, ..Default::default() });
            self.resources.len() - 1
        });
        let scopes = &mut self.resources[at].scope_spans;
        let same = |group: &ScopeSpans| {
            group.scope.as_ref().is_some_and(|known| known.name == scope_name && known.version == scope_version)
        };
        let at = scopes.iter().position(same).unwrap_or_else(|| {
            let scope = InstrumentationScope { name: scope_name, version: scope_version, ..Default::default() };
            scopes.push(ScopeSpans { scope: Some(scope), ..Default::default() });
            scopes.len() - 1
        });
        scopes[at].spans.push(span);
    }

    pub fn finish(self) -> Vec<ResourceSpans> {
        self.resources
    }
}

/// An id in hex of at most `N` bytes, padded with zeros in front: old tracers send 64-bit trace ids, and
/// numbers without their leading zeros.
pub(crate) fn padded_id<const N: usize>(hex_id: &str) -> Option<Vec<u8>> {
    if hex_id.is_empty() || hex_id.len() > 2 * N || !hex_id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    hex::decode(format!("{hex_id:0>width$}", width = 2 * N)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_meet_under_their_resource_and_scope() {
        let origin = |service: &str, scope: &str| Origin {
            resource: vec![text("service.name", service)],
            scope_name: scope.to_owned(),
            scope_version: String::new(),
        };
        let mut groups = SpanGroups::default();
        for (service, scope) in [("a", "x"), ("b", "x"), ("a", "y"), ("a", "x")] {
            groups.push(origin(service, scope), Span::default());
        }
        let counts: Vec<Vec<usize>> = groups
            .finish()
            .iter()
            .map(|resource| resource.scope_spans.iter().map(|scope| scope.spans.len()).collect())
            .collect();
        assert_eq!(counts, [vec![2, 1], vec![1]]);
    }

    #[test]
    fn ids_are_padded_and_only_hex() {
        assert_eq!(padded_id::<8>("a1"), Some(vec![0, 0, 0, 0, 0, 0, 0, 0xa1]));
        assert_eq!(padded_id::<8>("00000000000000001"), None);
        assert_eq!(padded_id::<8>("span-1"), None);
        assert_eq!(padded_id::<8>("é"), None);
        assert_eq!(padded_id::<8>(""), None);
    }
}
