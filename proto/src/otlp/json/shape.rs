//! The messages of OTLP as a table: field names, numbers and types (opentelemetry-proto 1.x).

/// A message: its fields.
pub(super) struct Shape {
    pub(super) fields: &'static [Field],
}

/// A field of a message.
pub(super) struct Field {
    /// lowerCamelCase.
    pub(super) name: &'static str,
    pub(super) number: u32,
    pub(super) kind: Kind,
    pub(super) repeated: bool,
    /// Part of the message's only `oneof`: at most one of them may be set.
    pub(super) oneof: bool,
}

/// The type of a field and its encoding.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    String,
    /// Base64 in JSON.
    Bytes,
    /// Bytes that are hex in JSON.
    Id,
    Bool,
    Int32,
    Uint32,
    /// `sint32`: zigzag.
    Sint32,
    Int64,
    Uint64,
    Fixed32,
    Fixed64,
    Sfixed64,
    /// `fixed64` of ns. A negative number is taken for the 64 bits it is made of: senders that compute with signed
    /// times write them, and refusing one would lose its neighbours.
    Time,
    Double,
    /// The names of the numbers from 0, without their common prefix.
    Enum(&'static str, &'static [&'static str]),
    Message(&'static Shape),
}

const fn one(name: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, number, kind, repeated: false, oneof: false }
}

const fn many(name: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, number, kind, repeated: true, oneof: false }
}

const fn either(name: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, number, kind, repeated: false, oneof: true }
}

use Kind::{
    Bool, Bytes, Double, Enum, Fixed32, Fixed64, Id, Int32, Int64, Message, Sfixed64, Sint32, String, Time, Uint32,
    Uint64,
};

pub(super) static TRACES: Shape = Shape { fields: &[many("resourceSpans", 1, Message(&RESOURCE_SPANS))] };
pub(super) static LOGS: Shape = Shape { fields: &[many("resourceLogs", 1, Message(&RESOURCE_LOGS))] };
pub(super) static METRICS: Shape = Shape { fields: &[many("resourceMetrics", 1, Message(&RESOURCE_METRICS))] };

static ANY_VALUE: Shape = Shape {
    fields: &[
        either("stringValue", 1, String),
        either("boolValue", 2, Bool),
        either("intValue", 3, Int64),
        either("doubleValue", 4, Double),
        either("arrayValue", 5, Message(&ARRAY_VALUE)),
        either("kvlistValue", 6, Message(&KEY_VALUE_LIST)),
        either("bytesValue", 7, Bytes),
        either("stringValueStrindex", 8, Int32),
    ],
};
static ARRAY_VALUE: Shape = Shape { fields: &[many("values", 1, Message(&ANY_VALUE))] };
static KEY_VALUE_LIST: Shape = Shape { fields: &[many("values", 1, Message(&KEY_VALUE))] };
static KEY_VALUE: Shape =
    Shape { fields: &[one("key", 1, String), one("value", 2, Message(&ANY_VALUE)), one("keyStrindex", 3, Int32)] };

static RESOURCE: Shape = Shape {
    fields: &[
        many("attributes", 1, Message(&KEY_VALUE)),
        one("droppedAttributesCount", 2, Uint32),
        many("entityRefs", 3, Message(&ENTITY_REF)),
    ],
};
static ENTITY_REF: Shape = Shape {
    fields: &[
        one("schemaUrl", 1, String),
        one("type", 2, String),
        many("idKeys", 3, String),
        many("descriptionKeys", 4, String),
    ],
};
static SCOPE: Shape = Shape {
    fields: &[
        one("name", 1, String),
        one("version", 2, String),
        many("attributes", 3, Message(&KEY_VALUE)),
        one("droppedAttributesCount", 4, Uint32),
    ],
};

static RESOURCE_SPANS: Shape = Shape {
    fields: &[
        one("resource", 1, Message(&RESOURCE)),
        many("scopeSpans", 2, Message(&SCOPE_SPANS)),
        one("schemaUrl", 3, String),
    ],
};
static SCOPE_SPANS: Shape = Shape {
    fields: &[one("scope", 1, Message(&SCOPE)), many("spans", 2, Message(&SPAN)), one("schemaUrl", 3, String)],
};
static SPAN: Shape = Shape {
    fields: &[
        one("traceId", 1, Id),
        one("spanId", 2, Id),
        one("traceState", 3, String),
        one("parentSpanId", 4, Id),
        one("name", 5, String),
        one("kind", 6, SPAN_KIND),
        one("startTimeUnixNano", 7, Time),
        one("endTimeUnixNano", 8, Time),
        many("attributes", 9, Message(&KEY_VALUE)),
        one("droppedAttributesCount", 10, Uint32),
        many("events", 11, Message(&EVENT)),
        one("droppedEventsCount", 12, Uint32),
        many("links", 13, Message(&LINK)),
        one("droppedLinksCount", 14, Uint32),
        one("status", 15, Message(&STATUS)),
        one("flags", 16, Fixed32),
    ],
};
const SPAN_KIND: Kind = Enum("SPAN_KIND_", &["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]);
static EVENT: Shape = Shape {
    fields: &[
        one("timeUnixNano", 1, Time),
        one("name", 2, String),
        many("attributes", 3, Message(&KEY_VALUE)),
        one("droppedAttributesCount", 4, Uint32),
    ],
};
static LINK: Shape = Shape {
    fields: &[
        one("traceId", 1, Id),
        one("spanId", 2, Id),
        one("traceState", 3, String),
        many("attributes", 4, Message(&KEY_VALUE)),
        one("droppedAttributesCount", 5, Uint32),
        one("flags", 6, Fixed32),
    ],
};
static STATUS: Shape =
    Shape { fields: &[one("message", 2, String), one("code", 3, Enum("STATUS_CODE_", &["UNSET", "OK", "ERROR"]))] };

static RESOURCE_LOGS: Shape = Shape {
    fields: &[
        one("resource", 1, Message(&RESOURCE)),
        many("scopeLogs", 2, Message(&SCOPE_LOGS)),
        one("schemaUrl", 3, String),
    ],
};
static SCOPE_LOGS: Shape = Shape {
    fields: &[
        one("scope", 1, Message(&SCOPE)),
        many("logRecords", 2, Message(&LOG_RECORD)),
        one("schemaUrl", 3, String),
    ],
};
static LOG_RECORD: Shape = Shape {
    fields: &[
        one("timeUnixNano", 1, Time),
        one("severityNumber", 2, SEVERITY),
        one("severityText", 3, String),
        one("body", 5, Message(&ANY_VALUE)),
        many("attributes", 6, Message(&KEY_VALUE)),
        one("droppedAttributesCount", 7, Uint32),
        one("flags", 8, Fixed32),
        one("traceId", 9, Id),
        one("spanId", 10, Id),
        one("observedTimeUnixNano", 11, Time),
        one("eventName", 12, String),
    ],
};
const SEVERITY: Kind = Enum(
    "SEVERITY_NUMBER_",
    &[
        "UNSPECIFIED",
        "TRACE",
        "TRACE2",
        "TRACE3",
        "TRACE4",
        "DEBUG",
        "DEBUG2",
        "DEBUG3",
        "DEBUG4",
        "INFO",
        "INFO2",
        "INFO3",
        "INFO4",
        "WARN",
        "WARN2",
        "WARN3",
        "WARN4",
        "ERROR",
        "ERROR2",
        "ERROR3",
        "ERROR4",
        "FATAL",
        "FATAL2",
        "FATAL3",
        "FATAL4",
    ],
);

static RESOURCE_METRICS: Shape = Shape {
    fields: &[
        one("resource", 1, Message(&RESOURCE)),
        many("scopeMetrics", 2, Message(&SCOPE_METRICS)),
        one("schemaUrl", 3, String),
    ],
};
static SCOPE_METRICS: Shape = Shape {
    fields: &[one("scope", 1, Message(&SCOPE)), many("metrics", 2, Message(&METRIC)), one("schemaUrl", 3, String)],
};
static METRIC: Shape = Shape {
    fields: &[
        one("name", 1, String),
        one("description", 2, String),
        one("unit", 3, String),
        either("gauge", 5, Message(&GAUGE)),
        either("sum", 7, Message(&SUM)),
        either("histogram", 9, Message(&HISTOGRAM)),
        either("exponentialHistogram", 10, Message(&EXPONENTIAL_HISTOGRAM)),
        either("summary", 11, Message(&SUMMARY)),
        many("metadata", 12, Message(&KEY_VALUE)),
    ],
};
const TEMPORALITY: Kind = Enum("AGGREGATION_TEMPORALITY_", &["UNSPECIFIED", "DELTA", "CUMULATIVE"]);
static GAUGE: Shape = Shape { fields: &[many("dataPoints", 1, Message(&NUMBER_POINT))] };
static SUM: Shape = Shape {
    fields: &[
        many("dataPoints", 1, Message(&NUMBER_POINT)),
        one("aggregationTemporality", 2, TEMPORALITY),
        one("isMonotonic", 3, Bool),
    ],
};
static HISTOGRAM: Shape = Shape {
    fields: &[many("dataPoints", 1, Message(&HISTOGRAM_POINT)), one("aggregationTemporality", 2, TEMPORALITY)],
};
static EXPONENTIAL_HISTOGRAM: Shape = Shape {
    fields: &[many("dataPoints", 1, Message(&EXPONENTIAL_POINT)), one("aggregationTemporality", 2, TEMPORALITY)],
};
static SUMMARY: Shape = Shape { fields: &[many("dataPoints", 1, Message(&SUMMARY_POINT))] };

static NUMBER_POINT: Shape = Shape {
    fields: &[
        one("startTimeUnixNano", 2, Time),
        one("timeUnixNano", 3, Time),
        either("asDouble", 4, Double),
        many("exemplars", 5, Message(&EXEMPLAR)),
        either("asInt", 6, Sfixed64),
        many("attributes", 7, Message(&KEY_VALUE)),
        one("flags", 8, Uint32),
    ],
};
static HISTOGRAM_POINT: Shape = Shape {
    fields: &[
        one("startTimeUnixNano", 2, Time),
        one("timeUnixNano", 3, Time),
        one("count", 4, Fixed64),
        one("sum", 5, Double),
        many("bucketCounts", 6, Fixed64),
        many("explicitBounds", 7, Double),
        many("exemplars", 8, Message(&EXEMPLAR)),
        many("attributes", 9, Message(&KEY_VALUE)),
        one("flags", 10, Uint32),
        one("min", 11, Double),
        one("max", 12, Double),
    ],
};
static EXPONENTIAL_POINT: Shape = Shape {
    fields: &[
        many("attributes", 1, Message(&KEY_VALUE)),
        one("startTimeUnixNano", 2, Time),
        one("timeUnixNano", 3, Time),
        one("count", 4, Fixed64),
        one("sum", 5, Double),
        one("scale", 6, Sint32),
        one("zeroCount", 7, Fixed64),
        one("positive", 8, Message(&BUCKETS)),
        one("negative", 9, Message(&BUCKETS)),
        one("flags", 10, Uint32),
        many("exemplars", 11, Message(&EXEMPLAR)),
        one("min", 12, Double),
        one("max", 13, Double),
        one("zeroThreshold", 14, Double),
    ],
};
static BUCKETS: Shape = Shape { fields: &[one("offset", 1, Sint32), many("bucketCounts", 2, Uint64)] };
static SUMMARY_POINT: Shape = Shape {
    fields: &[
        one("startTimeUnixNano", 2, Time),
        one("timeUnixNano", 3, Time),
        one("count", 4, Fixed64),
        one("sum", 5, Double),
        many("quantileValues", 6, Message(&QUANTILE)),
        many("attributes", 7, Message(&KEY_VALUE)),
        one("flags", 8, Uint32),
    ],
};
static QUANTILE: Shape = Shape { fields: &[one("quantile", 1, Double), one("value", 2, Double)] };
static EXEMPLAR: Shape = Shape {
    fields: &[
        one("timeUnixNano", 2, Time),
        either("asDouble", 3, Double),
        one("spanId", 4, Id),
        one("traceId", 5, Id),
        either("asInt", 6, Sfixed64),
        many("filteredAttributes", 7, Message(&KEY_VALUE)),
    ],
};
