//! Reads one field of a row of spans.

use storage::scan::ReadError;
use storage::schema::col;

use super::TraceFacts;
use crate::filter::attribute::{AttributeColumn, fields, in_list};
use crate::filter::value::Val;
use crate::rows::{Columns, Ids, Strings, damaged};
use crate::traceql::ast::{Field, Intrinsic, Intrinsic as I, Name, Scope};

pub(super) enum Reader<'a> {
    Text(Strings<'a>),
    Duration(&'a [i64]),
    Kind(&'a [i32]),
    Status(&'a [i32]),
    TraceId(Ids<'a, 16>),
    SpanId(Ids<'a, 8>),
    Attribute(AttributeColumn<'a>),
    /// Of the span, or else of its resource.
    Unscoped(AttributeColumn<'a>, AttributeColumn<'a>),
    /// An attribute of events or links.
    InList(Strings<'a>, &'a str),
    /// A text field of events or links.
    ListField(Strings<'a>, &'static str),
    EventTime(Strings<'a>, &'a [i64]),
}

impl<'a> Reader<'a> {
    pub(super) fn new(name: &'a Name, columns: Columns<'a>) -> Result<Self, ReadError> {
        let attribute = |column, key: &'a str| AttributeColumn::new(columns, column, key);
        Ok(match name {
            Name::Attribute(Scope::Unscoped, key) => {
                Reader::Unscoped(attribute(col::ATTRIBUTES, key)?, attribute(col::RESOURCE_ATTRIBUTES, key)?)
            }
            Name::Attribute(Scope::Span, key) => Reader::Attribute(attribute(col::ATTRIBUTES, key)?),
            Name::Attribute(Scope::Resource, key) => Reader::Attribute(attribute(col::RESOURCE_ATTRIBUTES, key)?),
            Name::Attribute(Scope::Instrumentation, key) => Reader::Attribute(attribute(col::SCOPE_ATTRIBUTES, key)?),
            Name::Attribute(Scope::Event, key) => Reader::InList(columns.strings(col::EVENTS)?, key),
            Name::Attribute(Scope::Link, key) => Reader::InList(columns.strings(col::LINKS)?, key),
            Name::Intrinsic(intrinsic) => match (intrinsic, text_column(*intrinsic)) {
                (_, Some(column)) => Reader::Text(columns.strings(column)?),
                (I::Duration, _) => Reader::Duration(columns.i64s(col::DURATION)?),
                (I::Kind, _) => Reader::Kind(columns.i32s(col::KIND)?),
                (I::Status, _) => Reader::Status(columns.i32s(col::STATUS_CODE)?),
                (I::SpanId, _) => Reader::SpanId(columns.ids(col::SPAN_ID)?),
                (I::ParentId, _) => Reader::SpanId(columns.ids(col::PARENT_SPAN_ID)?),
                (I::TraceId, _) => Reader::TraceId(columns.ids(col::TRACE_ID)?),
                (I::EventName, _) => Reader::ListField(columns.strings(col::EVENTS)?, "name"),
                (I::EventTime, _) => Reader::EventTime(columns.strings(col::EVENTS)?, columns.times(col::START_TIME)?),
                (I::LinkTraceId, _) => Reader::ListField(columns.strings(col::LINKS)?, "trace_id"),
                (I::LinkSpanId, _) => Reader::ListField(columns.strings(col::LINKS)?, "span_id"),
                (other, _) => return Err(damaged(format!("no column holds {}", other.name()))),
            },
        })
    }

    pub(super) fn value(&self, row: usize) -> Val<'a> {
        match self {
            // A missing message is the empty one, as OTLP has it.
            Reader::Text(column) => Val::text(column.text(row)),
            Reader::Duration(column) => Val::Duration(column[row]),
            Reader::Kind(column) => Val::Kind(column[row]),
            Reader::Status(column) => Val::Status(column[row]),
            Reader::TraceId(column) => column.get(row).map_or(Val::Nil, |id| Val::Text(hex::encode(id).into())),
            Reader::SpanId(column) => column.get(row).map_or(Val::Nil, |id| Val::Text(hex::encode(id).into())),
            Reader::Attribute(column) => column.value(row),
            Reader::Unscoped(own, resource) => match own.value(row) {
                Val::Nil => resource.value(row),
                value => value,
            },
            Reader::InList(list, key) => Val::each(in_list(list.get(row), key).map(Val::from_raw)),
            Reader::ListField(list, field) => Val::each(fields(list.get(row), field).map(Val::from_raw)),
            Reader::EventTime(list, start) => {
                let since = |raw: &str| Some(raw.parse::<u64>().ok()?.wrapping_sub(start[row] as u64) as i64);
                Val::each(fields(list.get(row), "time").filter_map(since).map(Val::Duration))
            }
        }
    }
}

/// A value that the whole trace gives to one of its spans.
pub(super) fn of_trace<'a>(intrinsic: Intrinsic, trace: &'a TraceFacts, row: usize) -> Val<'a> {
    let (left, right, parent) = trace.nested.get(row).copied().unwrap_or_default();
    match intrinsic {
        I::TraceDuration => Val::Duration(trace.duration),
        I::RootName => Val::text(&trace.root_name),
        I::RootService => Val::text(&trace.root_service),
        I::ChildCount => Val::Int(i64::from(trace.children.get(row).copied().unwrap_or(0))),
        I::NestedSetLeft => Val::Int(left),
        I::NestedSetRight => Val::Int(right),
        I::NestedSetParent => Val::Int(parent),
        _ => Val::Nil,
    }
}

fn text_column(intrinsic: Intrinsic) -> Option<&'static str> {
    Some(match intrinsic {
        I::Name => col::NAME,
        I::StatusMessage => col::STATUS_MESSAGE,
        I::ScopeName => col::SCOPE_NAME,
        I::ScopeVersion => col::SCOPE_VERSION,
        I::Service => col::SERVICE_NAME,
        I::Role => col::ROLE,
        I::Peer => col::PEER,
        I::Protocol => col::PROTOCOL,
        I::Operation => col::OPERATION,
        I::Outcome => col::OUTCOME,
        I::TraceState => col::TRACE_STATE,
        _ => return None,
    })
}

/// Columns that a field is read from.
pub(super) fn columns_of(field: &Field) -> Vec<&'static str> {
    match &field.name {
        Name::Attribute(Scope::Unscoped, _) => vec![col::ATTRIBUTES, col::RESOURCE_ATTRIBUTES],
        Name::Attribute(Scope::Span, _) => vec![col::ATTRIBUTES],
        Name::Attribute(Scope::Resource, _) => vec![col::RESOURCE_ATTRIBUTES],
        Name::Attribute(Scope::Event, _) => vec![col::EVENTS],
        Name::Attribute(Scope::Link, _) => vec![col::LINKS],
        Name::Attribute(Scope::Instrumentation, _) => vec![col::SCOPE_ATTRIBUTES],
        Name::Intrinsic(intrinsic) => match intrinsic {
            I::Duration => vec![col::DURATION],
            I::Kind => vec![col::KIND],
            I::Status => vec![col::STATUS_CODE],
            I::SpanId => vec![col::SPAN_ID],
            I::ParentId => vec![col::PARENT_SPAN_ID],
            I::TraceId => vec![col::TRACE_ID],
            I::EventName => vec![col::EVENTS],
            I::EventTime => vec![col::EVENTS, col::START_TIME],
            I::LinkTraceId | I::LinkSpanId => vec![col::LINKS],
            other => text_column(*other).into_iter().collect(),
        },
    }
}
