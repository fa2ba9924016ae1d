//! `ExportTraceServiceRequest` and what is in it.

use super::View;
use super::common::{KeyValue, Resource, Scope, Text};
use super::repeated::Repeated;
use super::wire::{Malformed, Message};

/// `ExportTraceServiceRequest` (the same bytes as `TracesData`).
#[derive(Clone, Debug, Default)]
pub struct TraceRequest<'a> {
    pub resource_spans: Repeated<'a, ResourceSpans<'a>>,
}

impl<'a> View<'a> for TraceRequest<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            if field.number == 1 {
                self.resource_spans.add_run(message, &field, &mut fields)?;
            }
        }
        Ok(())
    }
}

/// The spans of one resource.
#[derive(Clone, Debug, Default)]
pub struct ResourceSpans<'a> {
    /// Empty where none was sent.
    pub resource: Resource<'a>,
    pub scope_spans: Repeated<'a, ScopeSpans<'a>>,
    pub schema_url: Text<'a>,
}

impl<'a> View<'a> for ResourceSpans<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.resource.merge(field.message()?)?,
                2 => self.scope_spans.add_run(message, &field, &mut fields)?,
                3 => self.schema_url = field.bytes()?.into(),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The spans of one instrumentation scope.
#[derive(Clone, Debug, Default)]
pub struct ScopeSpans<'a> {
    /// Empty where none was sent.
    pub scope: Scope<'a>,
    pub spans: Repeated<'a, Span<'a>>,
    pub schema_url: Text<'a>,
}

impl<'a> View<'a> for ScopeSpans<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.scope.merge(field.message()?)?,
                2 => self.spans.add_run(message, &field, &mut fields)?,
                3 => self.schema_url = field.bytes()?.into(),
                _ => {}
            }
        }
        Ok(())
    }
}

/// One span. Ids are bytes as sent, of any length; times in ns since the epoch.
#[derive(Clone, Debug, Default)]
pub struct Span<'a> {
    pub trace_id: &'a [u8],
    pub span_id: &'a [u8],
    pub trace_state: Text<'a>,
    pub parent_span_id: &'a [u8],
    pub flags: u32,
    pub name: Text<'a>,
    /// `SpanKind`, also where its number is unknown.
    pub kind: i32,
    pub start_time_unix_nano: u64,
    pub end_time_unix_nano: u64,
    pub attributes: Repeated<'a, KeyValue<'a>>,
    pub dropped_attributes_count: u32,
    pub events: Repeated<'a, Event<'a>>,
    pub dropped_events_count: u32,
    pub links: Repeated<'a, Link<'a>>,
    pub dropped_links_count: u32,
    /// Unset where none was sent.
    pub status: Status<'a>,
}

impl<'a> View<'a> for Span<'a> {
    #[inline]
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.trace_id = field.bytes()?,
                2 => self.span_id = field.bytes()?,
                3 => self.trace_state = field.bytes()?.into(),
                4 => self.parent_span_id = field.bytes()?,
                5 => self.name = field.bytes()?.into(),
                6 => self.kind = field.int32()?,
                7 => self.start_time_unix_nano = field.fixed64()?,
                8 => self.end_time_unix_nano = field.fixed64()?,
                9 => self.attributes.add_run(message, &field, &mut fields)?,
                10 => self.dropped_attributes_count = field.uint32()?,
                11 => self.events.add(message, &field)?,
                12 => self.dropped_events_count = field.uint32()?,
                13 => self.links.add(message, &field)?,
                14 => self.dropped_links_count = field.uint32()?,
                15 => self.status.merge(field.message()?)?,
                16 => self.flags = field.fixed32()?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Something that happened during a span. Time in ns since the epoch.
#[derive(Clone, Debug, Default)]
pub struct Event<'a> {
    pub time_unix_nano: u64,
    pub name: Text<'a>,
    pub attributes: Repeated<'a, KeyValue<'a>>,
    pub dropped_attributes_count: u32,
}

impl<'a> View<'a> for Event<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.time_unix_nano = field.fixed64()?,
                2 => self.name = field.bytes()?.into(),
                3 => self.attributes.add_run(message, &field, &mut fields)?,
                4 => self.dropped_attributes_count = field.uint32()?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// A span that this one points at. Ids are bytes as sent, of any length.
#[derive(Clone, Debug, Default)]
pub struct Link<'a> {
    pub trace_id: &'a [u8],
    pub span_id: &'a [u8],
    pub trace_state: Text<'a>,
    pub attributes: Repeated<'a, KeyValue<'a>>,
    pub dropped_attributes_count: u32,
    pub flags: u32,
}

impl<'a> View<'a> for Link<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.trace_id = field.bytes()?,
                2 => self.span_id = field.bytes()?,
                3 => self.trace_state = field.bytes()?.into(),
                4 => self.attributes.add_run(message, &field, &mut fields)?,
                5 => self.dropped_attributes_count = field.uint32()?,
                6 => self.flags = field.fixed32()?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// How a span ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status<'a> {
    pub message: Text<'a>,
    /// `StatusCode`, also where its number is unknown.
    pub code: i32,
}

impl<'a> View<'a> for Status<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                2 => self.message = field.bytes()?.into(),
                3 => self.code = field.int32()?,
                _ => {}
            }
        }
        Ok(())
    }
}
