//! `ExportTraceServiceRequest` to the columns of the table `spans`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, UInt32Array};
use proto::otlp::view::{AnyValue, Malformed, Message, Span, TraceRequest, View};

use super::columns::{IdColumn, TextColumn, id, times};
use super::dictionary::DictionaryColumn;
use super::meaning::{Meanings, ScopeName};
use super::origin::Origins;
use super::rejected::{Place, Reason, Rejected};
use super::text::{MAX_TEXT_BYTES, Writer, push_bare};
use super::{BadRequest, MAX_ROW_BYTES};
use crate::normalise::Rules;

pub(super) fn convert(
    body: &[u8],
    received: i64,
    rows: usize,
    rules: &Rules,
    rejected: &mut Rejected,
) -> Result<Vec<ArrayRef>, BadRequest> {
    let request = TraceRequest::from_bytes(body)?;
    let mut spans = Spans::with_capacity(rows, body.len(), rules);
    let mut origins = Origins::default();
    let mut place = Place::default();
    for (number, group) in request.resource_spans.iter().enumerate() {
        let group = group?;
        let resource = origins.resource(&group.resource, group.schema_url, rejected);
        for (scope_number, group) in group.scope_spans.iter().enumerate() {
            let group = group?;
            place = Place { resource: number, scope: scope_number, ..place };
            let scope = origins.scope(&group.scope, group.schema_url, rejected);
            let (resource, scope) = match (&resource, scope) {
                (Ok(resource), Ok(scope)) => (*resource, scope),
                (Err(reason), _) => {
                    rejected.rows(place, group.spans.len(), reason);
                    continue;
                }
                (_, Err(reason)) => {
                    rejected.rows(place, group.spans.len(), &reason);
                    continue;
                }
            };
            let before = spans.rows();
            let scope_name = group.scope.name.to_lossy();
            let scope_name = ScopeName { name: &scope_name, key: scope.name() };
            let mut elements = group.spans.iter();
            for (row, message) in std::iter::from_fn(|| elements.next_message()).enumerate() {
                spans.take(message, scope_name, Place { row, ..place }, rejected);
            }
            origins.push(resource, scope, spans.rows() - before);
        }
    }
    let mut columns = spans.finish();
    origins.finish(received, &mut columns);
    Ok(columns)
}

/// The columns of a span's own, with what is reused from span to span.
struct Spans<'a> {
    trace_id: IdColumn<16>,
    span_id: IdColumn<8>,
    parent_span_id: IdColumn<8>,
    trace_state: DictionaryColumn,
    flags: Vec<u32>,
    name: DictionaryColumn,
    kind: Vec<i32>,
    start_time: Vec<i64>,
    duration: Vec<i64>,
    status_code: Vec<i32>,
    status_message: TextColumn,
    attributes: TextColumn,
    dropped_attributes: Vec<u32>,
    events: TextColumn,
    dropped_events: Vec<u32>,
    links: TextColumn,
    dropped_links: Vec<u32>,
    meanings: Meanings<'a>,
    writer: Writer,
}

struct Ids {
    trace: [u8; 16],
    span: [u8; 8],
    parent: Option<[u8; 8]>,
}

impl<'a> Spans<'a> {
    /// `bytes` of a request are mostly attributes.
    fn with_capacity(rows: usize, bytes: usize, rules: &'a Rules) -> Self {
        Self {
            trace_id: IdColumn::with_capacity(rows),
            span_id: IdColumn::with_capacity(rows),
            parent_span_id: IdColumn::with_capacity(rows),
            trace_state: DictionaryColumn::with_capacity(rows),
            flags: Vec::with_capacity(rows),
            name: DictionaryColumn::with_capacity(rows),
            kind: Vec::with_capacity(rows),
            start_time: Vec::with_capacity(rows),
            duration: Vec::with_capacity(rows),
            status_code: Vec::with_capacity(rows),
            status_message: TextColumn::with_capacity(rows),
            attributes: TextColumn::with_capacity(rows).of_bytes(bytes),
            dropped_attributes: Vec::with_capacity(rows),
            events: TextColumn::with_capacity(rows),
            dropped_events: Vec::with_capacity(rows),
            links: TextColumn::with_capacity(rows),
            dropped_links: Vec::with_capacity(rows),
            meanings: Meanings::with_capacity(rows, rules),
            writer: Writer::default(),
        }
    }

    fn rows(&self) -> usize {
        self.kind.len()
    }

    fn take(
        &mut self,
        message: Result<Message<'a>, Malformed>,
        scope: ScopeName<'_>,
        place: Place,
        rejected: &mut Rejected,
    ) {
        let mut span = Span::default();
        if let Err(malformed) = message.and_then(|message| span.merge(message)) {
            return rejected.row(place, "", malformed);
        }
        let written = ids(&span).and_then(|ids| self.write_texts(&span).map(|()| ids));
        (0..self.writer.take_references()).for_each(|_| rejected.ignored_reference());
        match written {
            Ok(ids) => self.push(&span, ids, scope),
            Err(reason) => {
                [&mut self.attributes, &mut self.events, &mut self.links].into_iter().for_each(TextColumn::take_back);
                rejected.row(place, &span.name.to_lossy(), reason);
            }
        }
    }

    /// Writes what can fail; the rest of a row follows only if this did not.
    fn write_texts(&mut self, span: &Span<'a>) -> Result<(), Reason> {
        let Self { attributes, events, links, writer, meanings, .. } = self;
        if attributes.bytes().max(events.bytes()).max(links.bytes()) > MAX_TEXT_BYTES {
            return Err(Reason::RequestFull);
        }
        meanings.begin();
        let note = |key, value: &AnyValue<'a>, _: &[u8]| meanings.attribute(key, value);
        let written = writer.attributes(attributes.value(), &span.attributes, note);
        written.map_err(|error| Reason::of("attributes", error))?;
        writer.events(events.value(), &span.events, meanings.facts()).map_err(|error| Reason::of("events", error))?;
        writer.links(links.value(), &span.links).map_err(|error| Reason::of("links", error))?;
        if attributes.pending() + events.pending() + links.pending() > MAX_ROW_BYTES {
            return Err(Reason::TooLarge);
        }
        Ok(())
    }

    fn push(&mut self, span: &Span<'a>, ids: Ids, scope: ScopeName<'_>) {
        self.attributes.finish_value();
        self.events.finish_optional();
        self.links.finish_optional();
        self.trace_id.push(Some(ids.trace));
        self.span_id.push(Some(ids.span));
        self.parent_span_id.push(ids.parent);
        self.trace_state.push_sent_optional(span.trace_state);
        self.flags.push(span.flags);
        let name = self.name.push_sent(span.name);
        self.kind.push(span.kind);
        self.start_time.push(span.start_time_unix_nano as i64); // the bits as sent
        self.duration.push(span.end_time_unix_nano.wrapping_sub(span.start_time_unix_nano) as i64);
        self.status_code.push(span.status.code);
        push_bare(self.status_message.value(), span.status.message);
        self.status_message.finish_optional();
        self.dropped_attributes.push(span.dropped_attributes_count);
        self.dropped_events.push(span.dropped_events_count);
        self.dropped_links.push(span.dropped_links_count);
        self.meanings.push(span, name, ids.parent.is_some(), scope);
    }

    fn finish(self) -> Vec<ArrayRef> {
        [
            self.trace_id.finish(),
            self.span_id.finish(),
            self.parent_span_id.finish(),
            self.trace_state.finish(),
            Arc::new(UInt32Array::from(self.flags)),
            self.name.finish(),
            Arc::new(Int32Array::from(self.kind)),
            times(self.start_time),
            Arc::new(Int64Array::from(self.duration)),
            Arc::new(Int32Array::from(self.status_code)),
            self.status_message.finish(),
            self.attributes.finish(),
            Arc::new(UInt32Array::from(self.dropped_attributes)),
            self.events.finish(),
            Arc::new(UInt32Array::from(self.dropped_events)),
            self.links.finish(),
            Arc::new(UInt32Array::from(self.dropped_links)),
        ]
        .into_iter()
        .chain(self.meanings.finish())
        .collect()
    }
}

/// trace.proto: ids of a span are required, of 16 and 8 bytes, and not all zero; a root span has no parent.
#[inline]
fn ids(span: &Span<'_>) -> Result<Ids, Reason> {
    let parent = span.parent_span_id;
    if !parent.is_empty() && parent.len() != 8 {
        return Err(Reason::IdLength("parent_span_id", parent.len(), 8));
    }
    Ok(Ids {
        trace: required("trace_id", span.trace_id)?,
        span: required("span_id", span.span_id)?,
        parent: id(parent),
    })
}

#[inline]
fn required<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N], Reason> {
    if bytes.len() != N {
        return Err(Reason::IdLength(field, bytes.len(), N));
    }
    id(bytes).ok_or(Reason::ZeroId(field))
}
