//! Arbitrary OTLP messages, every field of them.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::otlp::messages::collector::logs::v1::ExportLogsServiceRequest;
use crate::otlp::messages::collector::metrics::v1::ExportMetricsServiceRequest;
use crate::otlp::messages::collector::trace::v1::ExportTraceServiceRequest;
use crate::otlp::messages::common::v1::any_value::Value;
use crate::otlp::messages::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use crate::otlp::messages::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use crate::otlp::messages::metrics::v1::exponential_histogram_data_point::Buckets;
use crate::otlp::messages::metrics::v1::metric::Data;
use crate::otlp::messages::metrics::v1::summary_data_point::ValueAtQuantile;
use crate::otlp::messages::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, number_data_point,
};
use crate::otlp::messages::resource::v1::Resource;
use crate::otlp::messages::trace::v1::span::{Event, Link};
use crate::otlp::messages::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

pub(super) fn traces() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scope_spans = (option::of(scope()), vec(span(), 0..3), text())
        .prop_map(|(scope, spans, schema_url)| ScopeSpans { scope, spans, schema_url });
    let resource_spans = (option::of(resource()), vec(scope_spans, 0..3), text())
        .prop_map(|(resource, scope_spans, schema_url)| ResourceSpans { resource, scope_spans, schema_url });
    vec(resource_spans, 0..3).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

pub(super) fn logs() -> impl Strategy<Value = ExportLogsServiceRequest> {
    let scope_logs = (option::of(scope()), vec(log_record(), 0..3), text())
        .prop_map(|(scope, log_records, schema_url)| ScopeLogs { scope, log_records, schema_url });
    let resource_logs = (option::of(resource()), vec(scope_logs, 0..3), text())
        .prop_map(|(resource, scope_logs, schema_url)| ResourceLogs { resource, scope_logs, schema_url });
    vec(resource_logs, 0..3).prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs })
}

pub(super) fn metrics() -> impl Strategy<Value = ExportMetricsServiceRequest> {
    let scope_metrics = (option::of(scope()), vec(metric(), 0..3), text())
        .prop_map(|(scope, metrics, schema_url)| ScopeMetrics { scope, metrics, schema_url });
    let resource_metrics = (option::of(resource()), vec(scope_metrics, 0..3), text())
        .prop_map(|(resource, scope_metrics, schema_url)| ResourceMetrics { resource, scope_metrics, schema_url });
    vec(resource_metrics, 0..3).prop_map(|resource_metrics| ExportMetricsServiceRequest { resource_metrics })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z.]{1,8}", any::<String>()]
}

fn id() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..20)
}

fn value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(None),
        text().prop_map(|text| Some(Value::StringValue(text))),
        any::<bool>().prop_map(|value| Some(Value::BoolValue(value))),
        any::<i64>().prop_map(|value| Some(Value::IntValue(value))),
        any::<f64>().prop_map(|value| Some(Value::DoubleValue(value))),
        id().prop_map(|bytes| Some(Value::BytesValue(bytes))),
        any::<i32>().prop_map(|index| Some(Value::StringValueStrindex(index))),
    ]
    .prop_map(|value| AnyValue { value });
    leaf.prop_recursive(4, 12, 3, |inner| {
        let pair = (text(), option::of(inner.clone()), any::<i32>()).prop_map(|(key, value, key_strindex)| KeyValue {
            key,
            value,
            key_strindex,
        });
        prop_oneof![
            vec(inner, 0..3).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            vec(pair, 0..3).prop_map(|values| Value::KvlistValue(KeyValueList { values })),
        ]
        .prop_map(|value| AnyValue { value: Some(value) })
    })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let pair = (text(), option::of(value()), prop_oneof![Just(0), any::<i32>()]);
    vec(pair.prop_map(|(key, value, key_strindex)| KeyValue { key, value, key_strindex }), 0..4)
}

fn resource() -> impl Strategy<Value = Resource> {
    let entity = (text(), text(), vec(text(), 0..3), vec(text(), 0..3)).prop_map(
        |(schema_url, r#type, id_keys, description_keys)| EntityRef { schema_url, r#type, id_keys, description_keys },
    );
    (attributes(), any::<u32>(), vec(entity, 0..2)).prop_map(|(attributes, dropped_attributes_count, entity_refs)| {
        Resource { attributes, dropped_attributes_count, entity_refs }
    })
}

fn scope() -> impl Strategy<Value = InstrumentationScope> {
    (text(), text(), attributes(), any::<u32>()).prop_map(|(name, version, attributes, dropped_attributes_count)| {
        InstrumentationScope { name, version, attributes, dropped_attributes_count }
    })
}

fn span() -> impl Strategy<Value = Span> {
    let event = (any::<u64>(), text(), attributes(), any::<u32>()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    );
    let link = (id(), id(), text(), attributes(), any::<u32>(), any::<u32>()).prop_map(
        |(trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count,
            flags,
        },
    );
    let status = (text(), any::<i32>()).prop_map(|(message, code)| Status { message, code });
    let names = (id(), id(), text(), id(), any::<u32>(), text(), any::<i32>());
    let lists = (attributes(), vec(event, 0..3), vec(link, 0..3), option::of(status));
    (names, any::<(u64, u64, u32, u32, u32)>(), lists).prop_map(|(names, numbers, lists)| Span {
        trace_id: names.0,
        span_id: names.1,
        trace_state: names.2,
        parent_span_id: names.3,
        flags: names.4,
        name: names.5,
        kind: names.6,
        start_time_unix_nano: numbers.0,
        end_time_unix_nano: numbers.1,
        attributes: lists.0,
        dropped_attributes_count: numbers.2,
        events: lists.1,
        dropped_events_count: numbers.3,
        links: lists.2,
        dropped_links_count: numbers.4,
        status: lists.3,
    })
}

fn log_record() -> impl Strategy<Value = LogRecord> {
    let texts = (text(), option::of(value()), attributes(), id(), id(), text());
    (any::<(u64, u64, i32, u32, u32)>(), texts).prop_map(|(numbers, texts)| LogRecord {
        time_unix_nano: numbers.0,
        observed_time_unix_nano: numbers.1,
        severity_number: numbers.2,
        severity_text: texts.0,
        body: texts.1,
        attributes: texts.2,
        dropped_attributes_count: numbers.3,
        flags: numbers.4,
        trace_id: texts.3,
        span_id: texts.4,
        event_name: texts.5,
    })
}

fn metric() -> impl Strategy<Value = Metric> {
    let numbers = || vec(number_point(), 0..3);
    let data = prop_oneof![
        numbers().prop_map(|data_points| Data::Gauge(Gauge { data_points })),
        (numbers(), any::<i32>(), any::<bool>()).prop_map(|(data_points, aggregation_temporality, is_monotonic)| {
            Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic })
        }),
        (vec(histogram_point(), 0..3), any::<i32>()).prop_map(|(data_points, aggregation_temporality)| {
            Data::Histogram(Histogram { data_points, aggregation_temporality })
        }),
        (vec(exponential_point(), 0..3), any::<i32>()).prop_map(|(data_points, aggregation_temporality)| {
            Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality })
        }),
        vec(summary_point(), 0..3).prop_map(|data_points| Data::Summary(Summary { data_points })),
    ];
    (text(), text(), text(), attributes(), option::of(data))
        .prop_map(|(name, description, unit, metadata, data)| Metric { name, description, unit, metadata, data })
}

fn exemplars() -> impl Strategy<Value = Vec<Exemplar>> {
    let value =
        prop_oneof![any::<f64>().prop_map(exemplar::Value::AsDouble), any::<i64>().prop_map(exemplar::Value::AsInt)];
    let exemplar = (attributes(), any::<u64>(), id(), id(), option::of(value)).prop_map(
        |(filtered_attributes, time_unix_nano, span_id, trace_id, value)| Exemplar {
            filtered_attributes,
            time_unix_nano,
            span_id,
            trace_id,
            value,
        },
    );
    vec(exemplar, 0..2)
}

fn number_point() -> impl Strategy<Value = NumberDataPoint> {
    let value = prop_oneof![
        any::<f64>().prop_map(number_data_point::Value::AsDouble),
        any::<i64>().prop_map(number_data_point::Value::AsInt)
    ];
    (attributes(), any::<(u64, u64, u32)>(), exemplars(), option::of(value)).prop_map(
        |(attributes, numbers, exemplars, value)| NumberDataPoint {
            attributes,
            start_time_unix_nano: numbers.0,
            time_unix_nano: numbers.1,
            exemplars,
            flags: numbers.2,
            value,
        },
    )
}

fn histogram_point() -> impl Strategy<Value = HistogramDataPoint> {
    let numbers = any::<(u64, u64, u64, u32, Option<f64>, Option<f64>, Option<f64>)>();
    (attributes(), numbers, vec(any::<u64>(), 0..5), vec(any::<f64>(), 0..5), exemplars()).prop_map(
        |(attributes, numbers, bucket_counts, explicit_bounds, exemplars)| HistogramDataPoint {
            attributes,
            start_time_unix_nano: numbers.0,
            time_unix_nano: numbers.1,
            count: numbers.2,
            sum: numbers.4,
            bucket_counts,
            explicit_bounds,
            exemplars,
            flags: numbers.3,
            min: numbers.5,
            max: numbers.6,
        },
    )
}

fn exponential_point() -> impl Strategy<Value = ExponentialHistogramDataPoint> {
    let buckets = || {
        option::of((any::<i32>(), vec(any::<u64>(), 0..5)))
            .prop_map(|buckets| buckets.map(|(offset, bucket_counts)| Buckets { offset, bucket_counts }))
    };
    let numbers = any::<(u64, u64, u64, u64, i32, u32)>();
    let doubles = any::<(Option<f64>, Option<f64>, Option<f64>, f64)>();
    (attributes(), numbers, doubles, buckets(), buckets(), exemplars()).prop_map(
        |(attributes, numbers, doubles, positive, negative, exemplars)| ExponentialHistogramDataPoint {
            attributes,
            start_time_unix_nano: numbers.0,
            time_unix_nano: numbers.1,
            count: numbers.2,
            sum: doubles.0,
            scale: numbers.4,
            zero_count: numbers.3,
            positive,
            negative,
            flags: numbers.5,
            exemplars,
            min: doubles.1,
            max: doubles.2,
            zero_threshold: doubles.3,
        },
    )
}

fn summary_point() -> impl Strategy<Value = SummaryDataPoint> {
    let quantile = any::<(f64, f64)>().prop_map(|(quantile, value)| ValueAtQuantile { quantile, value });
    (attributes(), any::<(u64, u64, u64, f64, u32)>(), vec(quantile, 0..3)).prop_map(
        |(attributes, numbers, quantile_values)| SummaryDataPoint {
            attributes,
            start_time_unix_nano: numbers.0,
            time_unix_nano: numbers.1,
            count: numbers.2,
            sum: numbers.3,
            quantile_values,
            flags: numbers.4,
        },
    )
}
