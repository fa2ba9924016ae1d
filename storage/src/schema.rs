//! Tables and their columns: the one place that names them.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// A table of the lake. Each has the Arrow schema that its Parquet files carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    Spans,
    Logs,
    Metrics,
}

impl Table {
    pub const ALL: [Table; 3] = [Table::Spans, Table::Logs, Table::Metrics];

    pub fn name(self) -> &'static str {
        match self {
            Table::Spans => "spans",
            Table::Logs => "logs",
            Table::Metrics => "metrics",
        }
    }

    /// Column that time ranges and statistics speak of. Timestamp(ns), UTC, bits as sent.
    pub fn time_column(self) -> &'static str {
        match self {
            Table::Spans => col::START_TIME,
            Table::Logs | Table::Metrics => col::TIME,
        }
    }

    /// Every column, as stored.
    pub fn schema(self) -> SchemaRef {
        match self {
            Table::Spans => SPANS.clone(),
            Table::Logs => LOGS.clone(),
            Table::Metrics => METRICS.clone(),
        }
    }

    /// What the collector hands over: every column but `row_id`, which the store adds once the
    /// write-ahead log has given the request its sequence number.
    pub fn incoming(self) -> SchemaRef {
        match self {
            Table::Spans => SPANS.clone(),
            Table::Logs => LOGS_INCOMING.clone(),
            Table::Metrics => METRICS.clone(),
        }
    }
}

/// Column names. Units: times and durations in ns; ids as bytes; attributes as typed JSON text
/// (see [`crate::attrs`]).
pub mod col {
    // spans and logs
    pub const TRACE_ID: &str = "trace_id";
    pub const SPAN_ID: &str = "span_id";
    pub const FLAGS: &str = "flags";
    pub const ATTRIBUTES: &str = "attributes";
    pub const DROPPED_ATTRIBUTES: &str = "dropped_attributes_count";
    pub const RECEIVED_TIME: &str = "received_time";

    // resource and scope, on every row
    pub const SERVICE_NAME: &str = "service_name";
    pub const SERVICE_NAMESPACE: &str = "service_namespace";
    pub const SERVICE_VERSION: &str = "service_version";
    pub const SERVICE_INSTANCE: &str = "service_instance";
    pub const ENVIRONMENT: &str = "environment";
    pub const RESOURCE_ATTRIBUTES: &str = "resource_attributes";
    pub const RESOURCE_DROPPED_ATTRIBUTES: &str = "resource_dropped_attributes_count";
    pub const RESOURCE_SCHEMA_URL: &str = "resource_schema_url";
    pub const SCOPE_NAME: &str = "scope_name";
    pub const SCOPE_VERSION: &str = "scope_version";
    pub const SCOPE_ATTRIBUTES: &str = "scope_attributes";
    pub const SCOPE_DROPPED_ATTRIBUTES: &str = "scope_dropped_attributes_count";
    pub const SCOPE_SCHEMA_URL: &str = "scope_schema_url";

    // spans
    pub const PARENT_SPAN_ID: &str = "parent_span_id";
    pub const TRACE_STATE: &str = "trace_state";
    pub const NAME: &str = "name";
    pub const KIND: &str = "kind";
    pub const START_TIME: &str = "start_time";
    pub const DURATION: &str = "duration";
    pub const STATUS_CODE: &str = "status_code";
    pub const STATUS_MESSAGE: &str = "status_message";
    pub const EVENTS: &str = "events";
    pub const DROPPED_EVENTS: &str = "dropped_events_count";
    pub const LINKS: &str = "links";
    pub const DROPPED_LINKS: &str = "dropped_links_count";
    // spans, normalised at ingest
    pub const ROLE: &str = "role";
    pub const PEER: &str = "peer";
    pub const PROTOCOL: &str = "protocol";
    pub const OPERATION: &str = "operation";
    pub const OUTCOME: &str = "outcome";

    // logs
    pub const ROW_ID: &str = "row_id";
    pub const TIME: &str = "time";
    pub const TIME_INFERRED: &str = "time_inferred";
    pub const OBSERVED_TIME: &str = "observed_time";
    pub const SEVERITY_NUMBER: &str = "severity_number";
    pub const SEVERITY_TEXT: &str = "severity_text";
    pub const BODY: &str = "body";
    pub const BODY_TYPE: &str = "body_type";
    pub const EVENT_NAME: &str = "event_name";

    // metrics
    pub const METRIC_NAME: &str = "metric_name";
    pub const METRIC_DESCRIPTION: &str = "metric_description";
    pub const METRIC_UNIT: &str = "metric_unit";
    pub const METRIC_TYPE: &str = "metric_type";
    pub const METRIC_METADATA: &str = "metric_metadata";
    pub const TEMPORALITY: &str = "temporality";
    pub const MONOTONIC: &str = "is_monotonic";
    pub const VALUE: &str = "value";
    pub const VALUE_INT: &str = "value_int";
    pub const COUNT: &str = "count";
    pub const SUM: &str = "sum";
    pub const MIN: &str = "min";
    pub const MAX: &str = "max";
    pub const DISTRIBUTION: &str = "distribution";
    pub const EXEMPLARS: &str = "exemplars";
}

/// Timestamp in ns without a zone: DuckDB reads it as TIMESTAMP_NS. The 64 bits are those that
/// were sent; values past i64::MAX wrap, and wrap back when read.
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, None)
}

/// Few distinct values a file: dictionary-encoded in memory and on disk.
pub fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

fn field(name: &str, data_type: DataType, nullable: bool) -> Field {
    Field::new(name, data_type, nullable)
}

/// Columns that repeat the resource and the scope of a row.
fn origin() -> Vec<Field> {
    vec![
        field(col::SERVICE_NAME, dictionary(), false), // "" where the resource names none
        field(col::SERVICE_NAMESPACE, dictionary(), true),
        field(col::SERVICE_VERSION, dictionary(), true),
        field(col::SERVICE_INSTANCE, dictionary(), true),
        field(col::ENVIRONMENT, dictionary(), true),
        field(col::RESOURCE_ATTRIBUTES, dictionary(), false),
        field(col::RESOURCE_DROPPED_ATTRIBUTES, DataType::UInt32, false),
        field(col::RESOURCE_SCHEMA_URL, dictionary(), true),
        field(col::SCOPE_NAME, dictionary(), true),
        field(col::SCOPE_VERSION, dictionary(), true),
        field(col::SCOPE_ATTRIBUTES, dictionary(), false),
        field(col::SCOPE_DROPPED_ATTRIBUTES, DataType::UInt32, false),
        field(col::SCOPE_SCHEMA_URL, dictionary(), true),
        field(col::RECEIVED_TIME, timestamp(), false),
    ]
}

static SPANS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = vec![
        field(col::TRACE_ID, DataType::FixedSizeBinary(16), false),
        field(col::SPAN_ID, DataType::FixedSizeBinary(8), false),
        field(col::PARENT_SPAN_ID, DataType::FixedSizeBinary(8), true),
        field(col::TRACE_STATE, dictionary(), true),
        field(col::FLAGS, DataType::UInt32, false),
        field(col::NAME, dictionary(), false),
        field(col::KIND, DataType::Int32, false),
        field(col::START_TIME, timestamp(), false),
        field(col::DURATION, DataType::Int64, false), // end − start, wrapping
        field(col::STATUS_CODE, DataType::Int32, false),
        field(col::STATUS_MESSAGE, DataType::Utf8, true),
        field(col::ATTRIBUTES, DataType::Utf8, false),
        field(col::DROPPED_ATTRIBUTES, DataType::UInt32, false),
        field(col::EVENTS, DataType::Utf8, true), // see attrs::Event
        field(col::DROPPED_EVENTS, DataType::UInt32, false),
        field(col::LINKS, DataType::Utf8, true), // see attrs::Link
        field(col::DROPPED_LINKS, DataType::UInt32, false),
        field(col::ROLE, dictionary(), false), // entry, exit, internal
        field(col::PEER, dictionary(), true),
        field(col::PROTOCOL, dictionary(), true),
        field(col::OPERATION, dictionary(), false),
        field(col::OUTCOME, dictionary(), false),
    ];
    fields.extend(origin());
    Arc::new(Schema::new(fields))
});

fn log_fields() -> Vec<Field> {
    let mut fields = vec![
        field(col::TIME, timestamp(), false), // where the sender gave 0: observed, else received time
        field(col::TIME_INFERRED, DataType::Boolean, false),
        field(col::OBSERVED_TIME, timestamp(), false),
        field(col::TRACE_ID, DataType::FixedSizeBinary(16), true),
        field(col::SPAN_ID, DataType::FixedSizeBinary(8), true),
        field(col::FLAGS, DataType::UInt32, false),
        field(col::SEVERITY_NUMBER, DataType::Int32, false),
        field(col::SEVERITY_TEXT, dictionary(), true),
        field(col::EVENT_NAME, dictionary(), true),
        field(col::BODY, DataType::Utf8, true), // text, or typed JSON where body_type says json
        field(col::BODY_TYPE, dictionary(), true), // "text", "json"; null: no body
        field(col::ATTRIBUTES, DataType::Utf8, false),
        field(col::DROPPED_ATTRIBUTES, DataType::UInt32, false),
    ];
    fields.extend(origin());
    fields
}

static LOGS_INCOMING: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(log_fields())));

static LOGS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = log_fields();
    fields.push(field(col::ROW_ID, DataType::UInt64, false));
    Arc::new(Schema::new(fields))
});

static METRICS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = vec![
        field(col::METRIC_NAME, dictionary(), false),
        field(col::METRIC_DESCRIPTION, dictionary(), true),
        field(col::METRIC_UNIT, dictionary(), true),
        field(col::METRIC_TYPE, dictionary(), false), // gauge, sum, histogram, exponential_histogram, summary
        field(col::METRIC_METADATA, dictionary(), true),
        field(col::TEMPORALITY, DataType::Int32, false),
        field(col::MONOTONIC, DataType::Boolean, false),
        field(col::TIME, timestamp(), false),
        field(col::START_TIME, timestamp(), false),
        field(col::FLAGS, DataType::UInt32, false),
        field(col::ATTRIBUTES, DataType::Utf8, false),
        field(col::VALUE, DataType::Float64, true),
        field(col::VALUE_INT, DataType::Int64, true),
        field(col::COUNT, DataType::UInt64, true),
        field(col::SUM, DataType::Float64, true),
        field(col::MIN, DataType::Float64, true),
        field(col::MAX, DataType::Float64, true),
        field(col::DISTRIBUTION, DataType::Utf8, true), // buckets or quantiles as JSON
        field(col::EXEMPLARS, DataType::Utf8, true),
    ];
    fields.extend(origin());
    Arc::new(Schema::new(fields))
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_its_time_column() {
        for table in Table::ALL {
            let schema = table.schema();
            let time = schema.field_with_name(table.time_column()).expect("time column");
            assert_eq!(time.data_type(), &timestamp());
        }
    }
}
