//! Views read to the bottom and copied into the generated messages, to be compared with them.

use crate::otlp::messages::collector::logs::v1::ExportLogsServiceRequest;
use crate::otlp::messages::collector::metrics::v1::ExportMetricsServiceRequest;
use crate::otlp::messages::collector::trace::v1::ExportTraceServiceRequest;
use crate::otlp::messages::common::v1 as common;
use crate::otlp::messages::logs::v1 as logs;
use crate::otlp::messages::metrics::v1 as metrics;
use crate::otlp::messages::resource::v1 as resource;
use crate::otlp::messages::trace::v1 as trace;
use crate::otlp::view::*;

type Read<T> = Result<T, Box<dyn std::error::Error>>;

/// The message a view stands for. What is missing is there with its defaults, as in a view.
pub(super) trait Owned<T> {
    fn owned(&self) -> Read<T>;
}

impl<'a, V: View<'a> + Owned<T>, T> Owned<Vec<T>> for Repeated<'a, V> {
    fn owned(&self) -> Read<Vec<T>> {
        let read: Vec<T> = self.iter().map(|element| element?.owned()).collect::<Read<_>>()?;
        assert_eq!(read.len(), self.len());
        Ok(read)
    }
}

impl Owned<String> for Text<'_> {
    fn owned(&self) -> Read<String> {
        Ok(self.as_str()?.into())
    }
}

impl Owned<common::KeyValue> for KeyValue<'_> {
    fn owned(&self) -> Read<common::KeyValue> {
        let value = Some(self.value.owned()?);
        Ok(common::KeyValue { key: self.key.owned()?, value, key_strindex: self.key_strindex })
    }
}

impl Owned<common::AnyValue> for AnyValue<'_> {
    fn owned(&self) -> Read<common::AnyValue> {
        use common::any_value::Value;
        let value = match self {
            Self::Empty => None,
            Self::String(text) => Some(Value::StringValue(text.owned()?)),
            Self::Bool(value) => Some(Value::BoolValue(*value)),
            Self::Int(value) => Some(Value::IntValue(*value)),
            Self::Double(value) => Some(Value::DoubleValue(*value)),
            Self::Array(values) => Some(Value::ArrayValue(common::ArrayValue { values: values.owned()? })),
            Self::KvList(values) => Some(Value::KvlistValue(common::KeyValueList { values: values.owned()? })),
            Self::Bytes(bytes) => Some(Value::BytesValue(bytes.to_vec())),
            Self::StringIndex(index) => Some(Value::StringValueStrindex(*index)),
        };
        Ok(common::AnyValue { value })
    }
}

impl Owned<resource::Resource> for Resource<'_> {
    fn owned(&self) -> Read<resource::Resource> {
        Ok(resource::Resource {
            attributes: self.attributes.owned()?,
            dropped_attributes_count: self.dropped_attributes_count,
            entity_refs: self.entity_refs.owned()?,
        })
    }
}

impl Owned<common::EntityRef> for EntityRef<'_> {
    fn owned(&self) -> Read<common::EntityRef> {
        Ok(common::EntityRef {
            schema_url: self.schema_url.owned()?,
            r#type: self.kind.owned()?,
            id_keys: self.id_keys.owned()?,
            description_keys: self.description_keys.owned()?,
        })
    }
}

impl Owned<common::InstrumentationScope> for Scope<'_> {
    fn owned(&self) -> Read<common::InstrumentationScope> {
        Ok(common::InstrumentationScope {
            name: self.name.owned()?,
            version: self.version.owned()?,
            attributes: self.attributes.owned()?,
            dropped_attributes_count: self.dropped_attributes_count,
        })
    }
}

impl Owned<ExportTraceServiceRequest> for TraceRequest<'_> {
    fn owned(&self) -> Read<ExportTraceServiceRequest> {
        Ok(ExportTraceServiceRequest { resource_spans: self.resource_spans.owned()? })
    }
}

impl Owned<trace::ResourceSpans> for ResourceSpans<'_> {
    fn owned(&self) -> Read<trace::ResourceSpans> {
        Ok(trace::ResourceSpans {
            resource: Some(self.resource.owned()?),
            scope_spans: self.scope_spans.owned()?,
            schema_url: self.schema_url.owned()?,
        })
    }
}

impl Owned<trace::ScopeSpans> for ScopeSpans<'_> {
    fn owned(&self) -> Read<trace::ScopeSpans> {
        Ok(trace::ScopeSpans {
            scope: Some(self.scope.owned()?),
            spans: self.spans.owned()?,
            schema_url: self.schema_url.owned()?,
        })
    }
}

impl Owned<trace::Span> for Span<'_> {
    fn owned(&self) -> Read<trace::Span> {
        let status = trace::Status { message: self.status.message.owned()?, code: self.status.code };
        Ok(trace::Span {
            trace_id: self.trace_id.into(),
            span_id: self.span_id.into(),
            trace_state: self.trace_state.owned()?,
            parent_span_id: self.parent_span_id.into(),
            flags: self.flags,
            name: self.name.owned()?,
            kind: self.kind,
            start_time_unix_nano: self.start_time_unix_nano,
            end_time_unix_nano: self.end_time_unix_nano,
            attributes: self.attributes.owned()?,
            dropped_attributes_count: self.dropped_attributes_count,
            events: self.events.owned()?,
            dropped_events_count: self.dropped_events_count,
            links: self.links.owned()?,
            dropped_links_count: self.dropped_links_count,
            status: Some(status),
        })
    }
}

impl Owned<trace::span::Event> for Event<'_> {
    fn owned(&self) -> Read<trace::span::Event> {
        Ok(trace::span::Event {
            time_unix_nano: self.time_unix_nano,
            name: self.name.owned()?,
            attributes: self.attributes.owned()?,
            dropped_attributes_count: self.dropped_attributes_count,
        })
    }
}

impl Owned<trace::span::Link> for Link<'_> {
    fn owned(&self) -> Read<trace::span::Link> {
        Ok(trace::span::Link {
            trace_id: self.trace_id.into(),
            span_id: self.span_id.into(),
            trace_state: self.trace_state.owned()?,
            attributes: self.attributes.owned()?,
            dropped_attributes_count: self.dropped_attributes_count,
            flags: self.flags,
        })
    }
}

impl Owned<ExportLogsServiceRequest> for LogsRequest<'_> {
    fn owned(&self) -> Read<ExportLogsServiceRequest> {
        Ok(ExportLogsServiceRequest { resource_logs: self.resource_logs.owned()? })
    }
}

impl Owned<logs::ResourceLogs> for ResourceLogs<'_> {
    fn owned(&self) -> Read<logs::ResourceLogs> {
        Ok(logs::ResourceLogs {
            resource: Some(self.resource.owned()?),
            scope_logs: self.scope_logs.owned()?,
            schema_url: self.schema_url.owned()?,
        })
    }
}

impl Owned<logs::ScopeLogs> for ScopeLogs<'_> {
    fn owned(&self) -> Read<logs::ScopeLogs> {
        Ok(logs::ScopeLogs {
            scope: Some(self.scope.owned()?),
            log_records: self.log_records.owned()?,
            schema_url: self.schema_url.owned()?,
        })
    }
}

impl Owned<logs::LogRecord> for LogRecord<'_> {
    fn owned(&self) -> Read<logs::LogRecord> {
        Ok(logs::LogRecord {
            time_unix_nano: self.time_unix_nano,
            observed_time_unix_nano: self.observed_time_unix_nano,
            severity_number: self.severity_number,
            severity_text: self.severity_text.owned()?,
            body: Some(self.body.owned()?),
            attributes: self.attributes.owned()?,
            dropped_attributes_count: self.dropped_attributes_count,
            flags: self.flags,
            trace_id: self.trace_id.into(),
            span_id: self.span_id.into(),
            event_name: self.event_name.owned()?,
        })
    }
}

impl Owned<ExportMetricsServiceRequest> for MetricsRequest<'_> {
    fn owned(&self) -> Read<ExportMetricsServiceRequest> {
        Ok(ExportMetricsServiceRequest { resource_metrics: self.resource_metrics.owned()? })
    }
}

impl Owned<metrics::ResourceMetrics> for ResourceMetrics<'_> {
    fn owned(&self) -> Read<metrics::ResourceMetrics> {
        Ok(metrics::ResourceMetrics {
            resource: Some(self.resource.owned()?),
            scope_metrics: self.scope_metrics.owned()?,
            schema_url: self.schema_url.owned()?,
        })
    }
}

impl Owned<metrics::ScopeMetrics> for ScopeMetrics<'_> {
    fn owned(&self) -> Read<metrics::ScopeMetrics> {
        Ok(metrics::ScopeMetrics {
            scope: Some(self.scope.owned()?),
            metrics: self.metrics.owned()?,
            schema_url: self.schema_url.owned()?,
        })
    }
}

impl Owned<metrics::Metric> for Metric<'_> {
    fn owned(&self) -> Read<metrics::Metric> {
        use metrics::metric::Data;
        let data = match &self.data {
            MetricData::Empty => None,
            MetricData::Gauge(gauge) => Some(Data::Gauge(metrics::Gauge { data_points: gauge.data_points.owned()? })),
            MetricData::Sum(sum) => Some(Data::Sum(metrics::Sum {
                data_points: sum.data_points.owned()?,
                aggregation_temporality: sum.aggregation_temporality,
                is_monotonic: sum.is_monotonic,
            })),
            MetricData::Histogram(histogram) => Some(Data::Histogram(metrics::Histogram {
                data_points: histogram.data_points.owned()?,
                aggregation_temporality: histogram.aggregation_temporality,
            })),
            MetricData::ExponentialHistogram(histogram) => {
                Some(Data::ExponentialHistogram(metrics::ExponentialHistogram {
                    data_points: histogram.data_points.owned()?,
                    aggregation_temporality: histogram.aggregation_temporality,
                }))
            }
            MetricData::Summary(summary) => {
                Some(Data::Summary(metrics::Summary { data_points: summary.data_points.owned()? }))
            }
        };
        Ok(metrics::Metric {
            name: self.name.owned()?,
            description: self.description.owned()?,
            unit: self.unit.owned()?,
            metadata: self.metadata.owned()?,
            data,
        })
    }
}

impl Owned<metrics::NumberDataPoint> for NumberPoint<'_> {
    fn owned(&self) -> Read<metrics::NumberDataPoint> {
        use metrics::number_data_point::Value;
        Ok(metrics::NumberDataPoint {
            attributes: self.attributes.owned()?,
            start_time_unix_nano: self.start_time_unix_nano,
            time_unix_nano: self.time_unix_nano,
            exemplars: self.exemplars.owned()?,
            flags: self.flags,
            value: self.value.map(|value| match value {
                Number::Int(value) => Value::AsInt(value),
                Number::Double(value) => Value::AsDouble(value),
            }),
        })
    }
}

impl Owned<metrics::HistogramDataPoint> for HistogramPoint<'_> {
    fn owned(&self) -> Read<metrics::HistogramDataPoint> {
        assert_eq!(self.bucket_counts.iter().count(), self.bucket_counts.len());
        Ok(metrics::HistogramDataPoint {
            attributes: self.attributes.owned()?,
            start_time_unix_nano: self.start_time_unix_nano,
            time_unix_nano: self.time_unix_nano,
            count: self.count,
            sum: self.sum,
            bucket_counts: self.bucket_counts.iter().map(|Fixed64(count)| count).collect(),
            explicit_bounds: self.explicit_bounds.iter().collect(),
            exemplars: self.exemplars.owned()?,
            flags: self.flags,
            min: self.min,
            max: self.max,
        })
    }
}

impl Owned<metrics::ExponentialHistogramDataPoint> for ExponentialHistogramPoint<'_> {
    fn owned(&self) -> Read<metrics::ExponentialHistogramDataPoint> {
        let buckets = |buckets: &Option<Buckets<'_>>| {
            buckets.as_ref().map(|buckets| metrics::exponential_histogram_data_point::Buckets {
                offset: buckets.offset,
                bucket_counts: buckets.bucket_counts.iter().collect(),
            })
        };
        Ok(metrics::ExponentialHistogramDataPoint {
            attributes: self.attributes.owned()?,
            start_time_unix_nano: self.start_time_unix_nano,
            time_unix_nano: self.time_unix_nano,
            count: self.count,
            sum: self.sum,
            scale: self.scale,
            zero_count: self.zero_count,
            positive: buckets(&self.positive),
            negative: buckets(&self.negative),
            flags: self.flags,
            exemplars: self.exemplars.owned()?,
            min: self.min,
            max: self.max,
            zero_threshold: self.zero_threshold,
        })
    }
}

impl Owned<metrics::SummaryDataPoint> for SummaryPoint<'_> {
    fn owned(&self) -> Read<metrics::SummaryDataPoint> {
        Ok(metrics::SummaryDataPoint {
            attributes: self.attributes.owned()?,
            start_time_unix_nano: self.start_time_unix_nano,
            time_unix_nano: self.time_unix_nano,
            count: self.count,
            sum: self.sum,
            quantile_values: self.quantile_values.owned()?,
            flags: self.flags,
        })
    }
}

impl Owned<metrics::summary_data_point::ValueAtQuantile> for QuantileValue {
    fn owned(&self) -> Read<metrics::summary_data_point::ValueAtQuantile> {
        Ok(metrics::summary_data_point::ValueAtQuantile { quantile: self.quantile, value: self.value })
    }
}

impl Owned<metrics::Exemplar> for Exemplar<'_> {
    fn owned(&self) -> Read<metrics::Exemplar> {
        use metrics::exemplar::Value;
        Ok(metrics::Exemplar {
            filtered_attributes: self.filtered_attributes.owned()?,
            time_unix_nano: self.time_unix_nano,
            span_id: self.span_id.into(),
            trace_id: self.trace_id.into(),
            value: self.value.map(|value| match value {
                Number::Int(value) => Value::AsInt(value),
                Number::Double(value) => Value::AsDouble(value),
            }),
        })
    }
}
