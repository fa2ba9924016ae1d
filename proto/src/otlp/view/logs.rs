//! `ExportLogsServiceRequest` and what is in it.

use super::View;
use super::common::{AnyValue, KeyValue, Resource, Scope, Text};
use super::repeated::Repeated;
use super::wire::{Malformed, Message};

/// `ExportLogsServiceRequest` (the same bytes as `LogsData`).
#[derive(Clone, Debug, Default)]
pub struct LogsRequest<'a> {
    pub resource_logs: Repeated<'a, ResourceLogs<'a>>,
}

impl<'a> View<'a> for LogsRequest<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            if field.number == 1 {
                self.resource_logs.add_run(message, &field, &mut fields)?;
            }
        }
        Ok(())
    }
}

/// The log records of one resource.
#[derive(Clone, Debug, Default)]
pub struct ResourceLogs<'a> {
    /// Empty where none was sent.
    pub resource: Resource<'a>,
    pub scope_logs: Repeated<'a, ScopeLogs<'a>>,
    pub schema_url: Text<'a>,
}

impl<'a> View<'a> for ResourceLogs<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.resource.merge(field.message()?)?,
                2 => self.scope_logs.add_run(message, &field, &mut fields)?,
                3 => self.schema_url = field.bytes()?.into(),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The log records of one instrumentation scope.
#[derive(Clone, Debug, Default)]
pub struct ScopeLogs<'a> {
    /// Empty where none was sent.
    pub scope: Scope<'a>,
    pub log_records: Repeated<'a, LogRecord<'a>>,
    pub schema_url: Text<'a>,
}

impl<'a> View<'a> for ScopeLogs<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.scope.merge(field.message()?)?,
                2 => self.log_records.add_run(message, &field, &mut fields)?,
                3 => self.schema_url = field.bytes()?.into(),
                _ => {}
            }
        }
        Ok(())
    }
}

/// One log record. Ids are bytes as sent, of any length or absent; times in ns since the epoch, 0 if unknown.
#[derive(Clone, Debug, Default)]
pub struct LogRecord<'a> {
    pub time_unix_nano: u64,
    pub observed_time_unix_nano: u64,
    /// `SeverityNumber`, also where its number is unknown.
    pub severity_number: i32,
    pub severity_text: Text<'a>,
    /// [`AnyValue::Empty`] where none was sent.
    pub body: AnyValue<'a>,
    pub attributes: Repeated<'a, KeyValue<'a>>,
    pub dropped_attributes_count: u32,
    pub flags: u32,
    pub trace_id: &'a [u8],
    pub span_id: &'a [u8],
    pub event_name: Text<'a>,
}

impl<'a> View<'a> for LogRecord<'a> {
    #[inline]
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.time_unix_nano = field.fixed64()?,
                2 => self.severity_number = field.int32()?,
                3 => self.severity_text = field.bytes()?.into(),
                5 => self.body.merge(field.message()?)?,
                6 => self.attributes.add_run(message, &field, &mut fields)?,
                7 => self.dropped_attributes_count = field.uint32()?,
                8 => self.flags = field.fixed32()?,
                9 => self.trace_id = field.bytes()?,
                10 => self.span_id = field.bytes()?,
                11 => self.observed_time_unix_nano = field.fixed64()?,
                12 => self.event_name = field.bytes()?.into(),
                _ => {}
            }
        }
        Ok(())
    }
}
