//! `ExportLogsServiceRequest` to the columns of the table `logs`.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int32Array, UInt32Array};
use proto::otlp::view::{AnyValue, LogRecord, LogsRequest, Malformed, Message, View};

use super::columns::{IdColumn, TextColumn, times};
use super::dictionary::DictionaryColumn;
use super::origin::Origins;
use super::rejected::{Place, Reason, Rejected};
use super::text::{MAX_TEXT_BYTES, Writer, push_bare};
use super::{BadRequest, MAX_ROW_BYTES};

pub(super) fn convert(
    body: &[u8],
    received: i64,
    rows: usize,
    rejected: &mut Rejected,
) -> Result<Vec<ArrayRef>, BadRequest> {
    let request = LogsRequest::from_bytes(body)?;
    let mut logs = Logs::with_capacity(rows, body.len(), received);
    let mut origins = Origins::default();
    for (number, group) in request.resource_logs.iter().enumerate() {
        let group = group?;
        let resource = origins.resource(&group.resource, group.schema_url, rejected);
        for (scope_number, group) in group.scope_logs.iter().enumerate() {
            let group = group?;
            let place = Place { resource: number, scope: scope_number, ..Place::default() };
            let scope = origins.scope(&group.scope, group.schema_url, rejected);
            let (resource, scope) = match (&resource, scope) {
                (Ok(resource), Ok(scope)) => (*resource, scope),
                (Err(reason), _) => {
                    rejected.rows(place, group.log_records.len(), reason);
                    continue;
                }
                (_, Err(reason)) => {
                    rejected.rows(place, group.log_records.len(), &reason);
                    continue;
                }
            };
            let before = logs.rows();
            let mut elements = group.log_records.iter();
            for (row, message) in std::iter::from_fn(|| elements.next_message()).enumerate() {
                logs.take(message, Place { row, ..place }, rejected);
            }
            origins.push(resource, scope, logs.rows() - before);
        }
    }
    let mut columns = logs.finish();
    origins.finish(received, &mut columns);
    Ok(columns)
}

/// The columns of a record's own.
struct Logs {
    received: i64,
    time: Vec<i64>,
    time_inferred: Vec<bool>,
    observed_time: Vec<i64>,
    trace_id: IdColumn<16>,
    span_id: IdColumn<8>,
    flags: Vec<u32>,
    severity_number: Vec<i32>,
    severity_text: DictionaryColumn,
    event_name: DictionaryColumn,
    body: TextColumn,
    body_type: DictionaryColumn,
    attributes: TextColumn,
    dropped_attributes: Vec<u32>,
    writer: Writer,
}

impl Logs {
    /// `bytes` of a request are mostly bodies and attributes.
    fn with_capacity(rows: usize, bytes: usize, received: i64) -> Self {
        Self {
            received,
            time: Vec::with_capacity(rows),
            time_inferred: Vec::with_capacity(rows),
            observed_time: Vec::with_capacity(rows),
            trace_id: IdColumn::with_capacity(rows),
            span_id: IdColumn::with_capacity(rows),
            flags: Vec::with_capacity(rows),
            severity_number: Vec::with_capacity(rows),
            severity_text: DictionaryColumn::with_capacity(rows),
            event_name: DictionaryColumn::with_capacity(rows),
            body: TextColumn::with_capacity(rows).of_bytes(bytes / 2),
            body_type: DictionaryColumn::with_capacity(rows),
            attributes: TextColumn::with_capacity(rows).of_bytes(bytes / 2),
            dropped_attributes: Vec::with_capacity(rows),
            writer: Writer::default(),
        }
    }

    fn rows(&self) -> usize {
        self.time.len()
    }

    fn take(&mut self, message: Result<Message<'_>, Malformed>, place: Place, rejected: &mut Rejected) {
        let mut record = LogRecord::default();
        if let Err(malformed) = message.and_then(|message| record.merge(message)) {
            return rejected.row(place, "", malformed);
        }
        let written = self.write_texts(&record);
        (0..self.writer.take_references()).for_each(|_| rejected.ignored_reference());
        if let AnyValue::StringIndex(_) = record.body {
            rejected.ignored_reference();
        }
        match written {
            Ok(body_type) => self.push(&record, body_type, rejected),
            Err(reason) => {
                [&mut self.attributes, &mut self.body].into_iter().for_each(TextColumn::take_back);
                rejected.row(place, "", reason);
            }
        }
    }

    /// Writes what can fail, and gives the body's type.
    fn write_texts(&mut self, record: &LogRecord<'_>) -> Result<&'static str, Reason> {
        if self.attributes.bytes().max(self.body.bytes()) > MAX_TEXT_BYTES {
            return Err(Reason::RequestFull);
        }
        let body_type = match &record.body {
            AnyValue::Empty | AnyValue::StringIndex(_) => "",
            AnyValue::String(text) => {
                push_bare(self.body.value(), *text);
                "text"
            }
            other => {
                let written = self.writer.body(self.body.value(), other);
                written.map_err(|error| Reason::of("body", error))?;
                "json"
            }
        };
        let written = self.writer.attributes(self.attributes.value(), &record.attributes, |_, _, _| {});
        written.map_err(|error| Reason::of("attributes", error))?;
        if self.attributes.pending() + self.body.pending() > MAX_ROW_BYTES {
            return Err(Reason::TooLarge);
        }
        Ok(body_type)
    }

    fn push(&mut self, record: &LogRecord<'_>, body_type: &str, rejected: &mut Rejected) {
        // An empty text is a body too; `body_type` tells it from none.
        if body_type.is_empty() {
            self.body.finish_optional()
        } else {
            self.body.finish_value()
        }
        self.body_type.push_optional(body_type);
        self.attributes.finish_value();
        let (time, inferred) = match (record.time_unix_nano, record.observed_time_unix_nano) {
            (0, 0) => (self.received, true),
            (0, observed) => (observed as i64, true),
            (time, _) => (time as i64, false),
        };
        self.time.push(time);
        self.time_inferred.push(inferred);
        self.observed_time.push(record.observed_time_unix_nano as i64);
        self.trace_id.push(rejected.optional_id(record.trace_id));
        self.span_id.push(rejected.optional_id(record.span_id));
        self.flags.push(record.flags);
        self.severity_number.push(record.severity_number);
        self.severity_text.push_sent_optional(record.severity_text);
        self.event_name.push_sent_optional(record.event_name);
        self.dropped_attributes.push(record.dropped_attributes_count);
    }

    fn finish(self) -> Vec<ArrayRef> {
        vec![
            times(self.time),
            Arc::new(BooleanArray::from(self.time_inferred)),
            times(self.observed_time),
            self.trace_id.finish(),
            self.span_id.finish(),
            Arc::new(UInt32Array::from(self.flags)),
            Arc::new(Int32Array::from(self.severity_number)),
            self.severity_text.finish(),
            self.event_name.finish(),
            self.body.finish(),
            self.body_type.finish(),
            self.attributes.finish(),
            Arc::new(UInt32Array::from(self.dropped_attributes)),
        ]
    }
}
