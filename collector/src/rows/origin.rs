//! The columns that repeat the resource and the scope of a row: written once, repeated by key.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use proto::otlp::view::{KeyValue, Repeated, Resource, Scope, Text};
use storage::attrs::text_of;

use super::columns::times;
use super::dictionary::Dictionary;
use super::rejected::{Reason, Rejected};
use super::text::{MAX_TEXT_BYTES, Writer};

/// Resource attributes with a column of their own; of two names the newer wins.
const SERVICE_NAME: &str = "service.name";
const SERVICE_NAMESPACE: &str = "service.namespace";
const SERVICE_VERSION: &str = "service.version";
const SERVICE_INSTANCE: &str = "service.instance.id";
const ENVIRONMENT: &str = "deployment.environment.name";
const OLD_ENVIRONMENT: &str = "deployment.environment";

/// Dictionary columns in the order of the schema.
const DICTIONARIES: usize = 11;

/// Keys of one resource.
#[derive(Clone, Copy)]
pub(super) struct ResourceKeys {
    service: i32,
    namespace: i32,
    version: i32,
    instance: i32,
    environment: i32,
    attributes: i32,
    dropped: u32,
    schema_url: i32,
}

/// Keys of one scope.
#[derive(Clone, Copy)]
pub(super) struct ScopeKeys {
    name: i32,
    version: i32,
    attributes: i32,
    dropped: u32,
    schema_url: i32,
}

impl ScopeKeys {
    /// Of the scope's name.
    pub(super) fn name(&self) -> i32 {
        self.name
    }
}

/// The columns from `service_name` to `received_time`.
#[derive(Default)]
pub(super) struct Origins {
    dictionaries: [Dictionary; DICTIONARIES],
    /// Rows with the same origin stand together.
    runs: Vec<(ResourceKeys, ScopeKeys, usize)>,
    rows: usize,
    writer: Writer,
    scratch: Vec<u8>,
}

impl Origins {
    pub(super) fn resource(
        &mut self,
        resource: &Resource<'_>,
        schema_url: Text<'_>,
        rejected: &mut Rejected,
    ) -> Result<ResourceKeys, Reason> {
        let mut named: [Option<String>; 6] = Default::default();
        let attributes = self.attributes("resource.attributes", &resource.attributes, rejected, 5, |key, raw| {
            let slot = match key.as_str().unwrap_or_default() {
                SERVICE_NAME => 0,
                SERVICE_NAMESPACE => 1,
                SERVICE_VERSION => 2,
                SERVICE_INSTANCE => 3,
                ENVIRONMENT => 4,
                OLD_ENVIRONMENT => 5,
                _ => return,
            };
            let raw = str::from_utf8(raw).expect("whole texts are written");
            if raw != "null" {
                named[slot].get_or_insert_with(|| text_of(raw).into_owned());
            }
        })?;
        let [service, namespace, version, instance, environment, old_environment] = named;
        let environment = environment.or(old_environment);
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Ok(ResourceKeys {
            service: self.dictionaries[0].key(&text(&service)),
            namespace: self.dictionaries[1].optional_key(&text(&namespace)),
            version: self.dictionaries[2].optional_key(&text(&version)),
            instance: self.dictionaries[3].optional_key(&text(&instance)),
            environment: self.dictionaries[4].optional_key(&text(&environment)),
            attributes,
            dropped: resource.dropped_attributes_count,
            schema_url: self.dictionaries[6].optional_key_of(schema_url),
        })
    }

    pub(super) fn scope(
        &mut self,
        scope: &Scope<'_>,
        schema_url: Text<'_>,
        rejected: &mut Rejected,
    ) -> Result<ScopeKeys, Reason> {
        Ok(ScopeKeys {
            attributes: self.attributes("scope.attributes", &scope.attributes, rejected, 9, |_, _| {})?,
            name: self.dictionaries[7].optional_key_of(scope.name),
            version: self.dictionaries[8].optional_key_of(scope.version),
            dropped: scope.dropped_attributes_count,
            schema_url: self.dictionaries[10].optional_key_of(schema_url),
        })
    }

    /// Adds rows of this origin behind those added before.
    pub(super) fn push(&mut self, resource: ResourceKeys, scope: ScopeKeys, rows: usize) {
        if rows > 0 {
            self.runs.push((resource, scope, rows));
            self.rows += rows;
        }
    }

    pub(super) fn finish(self, received: i64, columns: &mut Vec<ArrayRef>) {
        let Self { dictionaries, runs, rows, .. } = self;
        let [
            service,
            namespace,
            version,
            instance,
            environment,
            attributes,
            schema,
            name,
            scope_version,
            scope_attributes,
            scope_schema,
        ] = dictionaries;
        let keys = |key: fn(&ResourceKeys, &ScopeKeys) -> i32| spread(&runs, rows, key);
        let dropped = |count: fn(&ResourceKeys, &ScopeKeys) -> u32| -> ArrayRef {
            Arc::new(UInt32Array::from(spread(&runs, rows, count)))
        };
        columns.extend([
            service.finish(keys(|resource, _| resource.service)),
            namespace.finish(keys(|resource, _| resource.namespace)),
            version.finish(keys(|resource, _| resource.version)),
            instance.finish(keys(|resource, _| resource.instance)),
            environment.finish(keys(|resource, _| resource.environment)),
            attributes.finish(keys(|resource, _| resource.attributes)),
            dropped(|resource, _| resource.dropped),
            schema.finish(keys(|resource, _| resource.schema_url)),
            name.finish(keys(|_, scope| scope.name)),
            scope_version.finish(keys(|_, scope| scope.version)),
            scope_attributes.finish(keys(|_, scope| scope.attributes)),
            dropped(|_, scope| scope.dropped),
            scope_schema.finish(keys(|_, scope| scope.schema_url)),
            times(vec![received; rows]),
        ]);
    }

    /// Writes an attribute list and gives the key of its text in `dictionary`.
    fn attributes(
        &mut self,
        what: &'static str,
        attributes: &Repeated<'_, KeyValue<'_>>,
        rejected: &mut Rejected,
        dictionary: usize,
        mut seen: impl FnMut(Text<'_>, &[u8]),
    ) -> Result<i32, Reason> {
        self.scratch.clear();
        let written = self.writer.attributes(&mut self.scratch, attributes, |key, _, raw| seen(key, raw));
        (0..self.writer.take_references()).for_each(|_| rejected.ignored_reference());
        written.map_err(|error| Reason::of(what, error))?;
        if self.scratch.len() > super::MAX_ROW_BYTES {
            return Err(Reason::TooLarge);
        }
        if self.dictionaries[dictionary].bytes() + self.scratch.len() > MAX_TEXT_BYTES {
            return Err(Reason::RequestFull);
        }
        Ok(self.dictionaries[dictionary].key_of(self.scratch.as_slice().into()))
    }
}

fn spread<T: Copy>(
    runs: &[(ResourceKeys, ScopeKeys, usize)],
    rows: usize,
    value: fn(&ResourceKeys, &ScopeKeys) -> T,
) -> Vec<T> {
    let mut values = Vec::with_capacity(rows);
    for (resource, scope, count) in runs {
        values.resize(values.len() + count, value(resource, scope));
    }
    values
}
