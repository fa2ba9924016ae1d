//! Puts defaults where a generated message has nothing, which a view does not tell apart.

use crate::otlp::messages::collector::logs::v1::ExportLogsServiceRequest;
use crate::otlp::messages::collector::metrics::v1::ExportMetricsServiceRequest;
use crate::otlp::messages::collector::trace::v1::ExportTraceServiceRequest;
use crate::otlp::messages::common::v1::any_value::Value;
use crate::otlp::messages::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use crate::otlp::messages::metrics::v1::metric::Data;
use crate::otlp::messages::metrics::v1::{Exemplar, Metric};
use crate::otlp::messages::resource::v1::Resource;

pub(super) trait Fill {
    fn fill(&mut self);
}

impl Fill for ExportTraceServiceRequest {
    fn fill(&mut self) {
        for resource_spans in &mut self.resource_spans {
            resource(&mut resource_spans.resource);
            for scope_spans in &mut resource_spans.scope_spans {
                scope(&mut scope_spans.scope);
                for span in &mut scope_spans.spans {
                    attributes(&mut span.attributes);
                    span.events.iter_mut().for_each(|event| attributes(&mut event.attributes));
                    span.links.iter_mut().for_each(|link| attributes(&mut link.attributes));
                    span.status.get_or_insert_default();
                }
            }
        }
    }
}

impl Fill for ExportLogsServiceRequest {
    fn fill(&mut self) {
        for resource_logs in &mut self.resource_logs {
            resource(&mut resource_logs.resource);
            for scope_logs in &mut resource_logs.scope_logs {
                scope(&mut scope_logs.scope);
                for record in &mut scope_logs.log_records {
                    attributes(&mut record.attributes);
                    value(record.body.get_or_insert_default());
                }
            }
        }
    }
}

impl Fill for ExportMetricsServiceRequest {
    fn fill(&mut self) {
        for resource_metrics in &mut self.resource_metrics {
            resource(&mut resource_metrics.resource);
            for scope_metrics in &mut resource_metrics.scope_metrics {
                scope(&mut scope_metrics.scope);
                scope_metrics.metrics.iter_mut().for_each(metric);
            }
        }
    }
}

fn metric(metric: &mut Metric) {
    attributes(&mut metric.metadata);
    macro_rules! points {
        ($list:expr) => {
            for point in &mut $list {
                attributes(&mut point.attributes);
                exemplars(&mut point.exemplars);
            }
        };
    }
    match &mut metric.data {
        None => {}
        Some(Data::Gauge(gauge)) => points!(gauge.data_points),
        Some(Data::Sum(sum)) => points!(sum.data_points),
        Some(Data::Histogram(histogram)) => points!(histogram.data_points),
        Some(Data::ExponentialHistogram(histogram)) => points!(histogram.data_points),
        Some(Data::Summary(summary)) => {
            summary.data_points.iter_mut().for_each(|point| attributes(&mut point.attributes))
        }
    }
}

fn exemplars(exemplars: &mut [Exemplar]) {
    exemplars.iter_mut().for_each(|exemplar| attributes(&mut exemplar.filtered_attributes));
}

fn resource(resource: &mut Option<Resource>) {
    attributes(&mut resource.get_or_insert_default().attributes);
}

fn scope(scope: &mut Option<InstrumentationScope>) {
    attributes(&mut scope.get_or_insert_default().attributes);
}

fn attributes(pairs: &mut [KeyValue]) {
    pairs.iter_mut().for_each(|pair| value(pair.value.get_or_insert_default()));
}

fn value(any: &mut AnyValue) {
    match &mut any.value {
        Some(Value::ArrayValue(list)) => list.values.iter_mut().for_each(value),
        Some(Value::KvlistValue(list)) => attributes(&mut list.values),
        _ => {}
    }
}
