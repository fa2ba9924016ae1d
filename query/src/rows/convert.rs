//! Whole rows as [`Span`] and [`LogRecord`]; resources and scopes are shared between rows.

use std::hash::Hash;
use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::record_batch::RecordBatch;
use hashbrown::HashMap;
use storage::attrs::{self, Attributes, Value};
use storage::ids::{RowId, SpanId, TraceId};
use storage::scan::ReadError;
use storage::schema::col;

use super::{Columns, Ids, Strings, damaged};
use crate::model::{LogRecord, Resource, Scope, Span};

/// Resources and scopes seen so far. Keep one for all batches of an answer: equal ones become one.
#[derive(Default)]
pub struct Origins {
    resources: HashMap<(String, u32, String), Arc<Resource>>,
    scopes: HashMap<ScopeText, Arc<Scope>>,
    /// Of text of all of them.
    bytes: usize,
}

#[derive(PartialEq, Eq, Hash)]
struct ScopeText {
    name: String,
    version: String,
    attributes: String,
    dropped: u32,
    schema_url: String,
}

impl Origins {
    /// Text of all resources and scopes seen so far, bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn resource(&mut self, attributes: &str, dropped: u32, schema_url: &str) -> Result<Arc<Resource>, ReadError> {
        let key = (attributes.to_owned(), dropped, schema_url.to_owned());
        if let Some(resource) = self.resources.get(&key) {
            return Ok(resource.clone());
        }
        let resource = Arc::new(Resource {
            attributes: object(attributes)?,
            dropped_attributes: dropped,
            schema_url: schema_url.to_owned(),
        });
        self.bytes += attributes.len() + schema_url.len();
        self.resources.insert(key, resource.clone());
        Ok(resource)
    }

    fn scope(&mut self, text: ScopeText) -> Result<Arc<Scope>, ReadError> {
        if let Some(scope) = self.scopes.get(&text) {
            return Ok(scope.clone());
        }
        let scope = Arc::new(Scope {
            name: text.name.clone(),
            version: text.version.clone(),
            attributes: object(&text.attributes)?,
            dropped_attributes: text.dropped,
            schema_url: text.schema_url.clone(),
        });
        let texts = [&text.name, &text.version, &text.attributes, &text.schema_url];
        self.bytes += texts.iter().map(|text| text.len()).sum::<usize>();
        self.scopes.insert(text, scope.clone());
        Ok(scope)
    }
}

/// Spans of one batch that has the columns of [`super::SPAN_COLUMNS`].
pub struct SpanReader<'a> {
    trace_id: Ids<'a, 16>,
    span_id: Ids<'a, 8>,
    parent_span_id: Ids<'a, 8>,
    trace_state: Strings<'a>,
    flags: &'a [u32],
    name: Strings<'a>,
    kind: &'a [i32],
    start: &'a [i64],
    duration: &'a [i64],
    status_code: &'a [i32],
    status_message: Strings<'a>,
    attributes: Strings<'a>,
    dropped_attributes: &'a [u32],
    events: Strings<'a>,
    dropped_events: &'a [u32],
    links: Strings<'a>,
    dropped_links: &'a [u32],
    role: Strings<'a>,
    peer: Strings<'a>,
    protocol: Strings<'a>,
    operation: Strings<'a>,
    outcome: Strings<'a>,
    received: &'a [i64],
    origin: OriginReader<'a>,
}

impl<'a> SpanReader<'a> {
    pub fn new(batch: &'a RecordBatch, origins: &'a mut Origins) -> Result<Self, ReadError> {
        let columns = Columns::new(batch);
        Ok(Self {
            trace_id: columns.ids(col::TRACE_ID)?,
            span_id: columns.ids(col::SPAN_ID)?,
            parent_span_id: columns.ids(col::PARENT_SPAN_ID)?,
            trace_state: columns.strings(col::TRACE_STATE)?,
            flags: columns.u32s(col::FLAGS)?,
            name: columns.strings(col::NAME)?,
            kind: columns.i32s(col::KIND)?,
            start: columns.times(col::START_TIME)?,
            duration: columns.i64s(col::DURATION)?,
            status_code: columns.i32s(col::STATUS_CODE)?,
            status_message: columns.strings(col::STATUS_MESSAGE)?,
            attributes: columns.strings(col::ATTRIBUTES)?,
            dropped_attributes: columns.u32s(col::DROPPED_ATTRIBUTES)?,
            events: columns.strings(col::EVENTS)?,
            dropped_events: columns.u32s(col::DROPPED_EVENTS)?,
            links: columns.strings(col::LINKS)?,
            dropped_links: columns.u32s(col::DROPPED_LINKS)?,
            role: columns.strings(col::ROLE)?,
            peer: columns.strings(col::PEER)?,
            protocol: columns.strings(col::PROTOCOL)?,
            operation: columns.strings(col::OPERATION)?,
            outcome: columns.strings(col::OUTCOME)?,
            received: columns.times(col::RECEIVED_TIME)?,
            origin: OriginReader::new(columns, origins)?,
        })
    }

    pub fn get(&mut self, row: usize) -> Result<Span, ReadError> {
        let start = self.start[row] as u64;
        Ok(Span {
            trace_id: TraceId(required(self.trace_id, row, col::TRACE_ID)?),
            span_id: SpanId(required(self.span_id, row, col::SPAN_ID)?),
            parent_span_id: self.parent_span_id.get(row).map(SpanId),
            trace_state: self.trace_state.text(row).to_owned(),
            flags: self.flags[row],
            name: self.name.text(row).to_owned(),
            kind: self.kind[row],
            start,
            end: start.wrapping_add(self.duration[row] as u64),
            attributes: object(self.attributes.text(row))?,
            dropped_attributes: self.dropped_attributes[row],
            events: list(self.events.get(row), attrs::parse_events)?,
            dropped_events: self.dropped_events[row],
            links: list(self.links.get(row), attrs::parse_links)?,
            dropped_links: self.dropped_links[row],
            status_code: self.status_code[row],
            status_message: self.status_message.text(row).to_owned(),
            service: self.origin.service.text(row).to_owned(),
            resource: self.origin.resource(row)?,
            scope: self.origin.scope(row)?,
            role: self.role.text(row).to_owned(),
            peer: self.peer.get(row).map(str::to_owned),
            protocol: self.protocol.get(row).map(str::to_owned),
            operation: self.operation.text(row).to_owned(),
            outcome: self.outcome.text(row).to_owned(),
            received: self.received[row] as u64,
        })
    }
}

/// Log records of one batch that has the columns of [`super::LOG_COLUMNS`].
pub struct LogReader<'a> {
    row_id: &'a [u64],
    time: &'a [i64],
    time_inferred: &'a BooleanArray,
    observed_time: &'a [i64],
    trace_id: Ids<'a, 16>,
    span_id: Ids<'a, 8>,
    flags: &'a [u32],
    severity_number: &'a [i32],
    severity_text: Strings<'a>,
    event_name: Strings<'a>,
    body: Strings<'a>,
    body_type: Strings<'a>,
    attributes: Strings<'a>,
    dropped_attributes: &'a [u32],
    origin: OriginReader<'a>,
}

impl<'a> LogReader<'a> {
    pub fn new(batch: &'a RecordBatch, origins: &'a mut Origins) -> Result<Self, ReadError> {
        let columns = Columns::new(batch);
        Ok(Self {
            row_id: columns.u64s(col::ROW_ID)?,
            time: columns.times(col::TIME)?,
            time_inferred: columns.bools(col::TIME_INFERRED)?,
            observed_time: columns.times(col::OBSERVED_TIME)?,
            trace_id: columns.ids(col::TRACE_ID)?,
            span_id: columns.ids(col::SPAN_ID)?,
            flags: columns.u32s(col::FLAGS)?,
            severity_number: columns.i32s(col::SEVERITY_NUMBER)?,
            severity_text: columns.strings(col::SEVERITY_TEXT)?,
            event_name: columns.strings(col::EVENT_NAME)?,
            body: columns.strings(col::BODY)?,
            body_type: columns.strings(col::BODY_TYPE)?,
            attributes: columns.strings(col::ATTRIBUTES)?,
            dropped_attributes: columns.u32s(col::DROPPED_ATTRIBUTES)?,
            origin: OriginReader::new(columns, origins)?,
        })
    }

    pub fn get(&mut self, row: usize) -> Result<LogRecord, ReadError> {
        Ok(LogRecord {
            id: RowId(self.row_id[row]),
            time: self.time[row] as u64,
            time_inferred: self.time_inferred.value(row),
            observed_time: self.observed_time[row] as u64,
            severity_number: self.severity_number[row],
            severity_text: self.severity_text.text(row).to_owned(),
            event_name: self.event_name.text(row).to_owned(),
            body: body(self.body.get(row), self.body_type.get(row))?,
            attributes: object(self.attributes.text(row))?,
            dropped_attributes: self.dropped_attributes[row],
            trace_id: self.trace_id.get(row).map(TraceId),
            span_id: self.span_id.get(row).map(SpanId),
            flags: self.flags[row],
            service: self.origin.service.text(row).to_owned(),
            resource: self.origin.resource(row)?,
            scope: self.origin.scope(row)?,
        })
    }
}

fn body(text: Option<&str>, body_type: Option<&str>) -> Result<Value, ReadError> {
    match (text, body_type) {
        (Some(text), Some("json")) => attrs::parse_value(text).map_err(|error| damaged(error.to_string())),
        (Some(text), _) => Ok(Value::String(text.to_owned())),
        (None, _) => Ok(Value::Null),
    }
}

/// Keys of dictionary values that make up one resource or scope, where all its columns have a dictionary.
type Keys<const N: usize> = ([Option<usize>; N], u32);

/// Resource and scope of rows. Per batch they are found by dictionary keys, without hashing their text.
struct OriginReader<'a> {
    service: Strings<'a>,
    resource: [Strings<'a>; 2],
    resource_dropped: &'a [u32],
    scope: [Strings<'a>; 4],
    scope_dropped: &'a [u32],
    resources: HashMap<Keys<2>, Arc<Resource>>,
    scopes: HashMap<Keys<4>, Arc<Scope>>,
    origins: &'a mut Origins,
}

impl SpanReader<'_> {
    /// Text of all resources and scopes seen so far, bytes.
    pub(crate) fn origin_bytes(&self) -> usize {
        self.origin.origins.bytes
    }
}

impl<'a> OriginReader<'a> {
    fn new(columns: Columns<'a>, origins: &'a mut Origins) -> Result<Self, ReadError> {
        Ok(Self {
            service: columns.strings(col::SERVICE_NAME)?,
            resource: [columns.strings(col::RESOURCE_ATTRIBUTES)?, columns.strings(col::RESOURCE_SCHEMA_URL)?],
            resource_dropped: columns.u32s(col::RESOURCE_DROPPED_ATTRIBUTES)?,
            scope: [
                columns.strings(col::SCOPE_NAME)?,
                columns.strings(col::SCOPE_VERSION)?,
                columns.strings(col::SCOPE_ATTRIBUTES)?,
                columns.strings(col::SCOPE_SCHEMA_URL)?,
            ],
            scope_dropped: columns.u32s(col::SCOPE_DROPPED_ATTRIBUTES)?,
            resources: HashMap::new(),
            scopes: HashMap::new(),
            origins,
        })
    }

    fn resource(&mut self, row: usize) -> Result<Arc<Resource>, ReadError> {
        let dropped = self.resource_dropped[row];
        let keys = keys(&self.resource, dropped, row);
        if let Some(known) = keys.as_ref().and_then(|keys| self.resources.get(keys)) {
            return Ok(known.clone());
        }
        let [attributes, schema_url] = self.resource;
        let found = self.origins.resource(attributes.text(row), dropped, schema_url.text(row))?;
        if let Some(keys) = keys {
            self.resources.insert(keys, found.clone());
        }
        Ok(found)
    }

    fn scope(&mut self, row: usize) -> Result<Arc<Scope>, ReadError> {
        let dropped = self.scope_dropped[row];
        let keys = keys(&self.scope, dropped, row);
        if let Some(known) = keys.as_ref().and_then(|keys| self.scopes.get(keys)) {
            return Ok(known.clone());
        }
        let [name, version, attributes, schema_url] = self.scope.map(|column| column.text(row).to_owned());
        let found = self.origins.scope(ScopeText { name, version, attributes, dropped, schema_url })?;
        if let Some(keys) = keys {
            self.scopes.insert(keys, found.clone());
        }
        Ok(found)
    }
}

fn keys<const N: usize>(columns: &[Strings<'_>; N], dropped: u32, row: usize) -> Option<Keys<N>> {
    let encoded = columns.iter().all(|column| column.dictionary().is_some());
    encoded.then(|| (columns.map(|column| column.key(row)), dropped))
}

fn required<const N: usize>(ids: Ids<'_, N>, row: usize, name: &str) -> Result<[u8; N], ReadError> {
    ids.get(row).ok_or_else(|| damaged(format!("column {name} is null")))
}

fn object(text: &str) -> Result<Attributes, ReadError> {
    attrs::parse_object(text).map_err(|error| damaged(error.to_string()))
}

fn list<T>(text: Option<&str>, parse: fn(&str) -> Result<Vec<T>, attrs::Malformed>) -> Result<Vec<T>, ReadError> {
    text.map_or(Ok(Vec::new()), |text| parse(text).map_err(|error| damaged(error.to_string())))
}
