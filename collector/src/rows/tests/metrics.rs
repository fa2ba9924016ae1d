//! Each kind of data point becomes a row.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar,
    exponential_histogram_data_point::Buckets, metric, number_data_point, summary_data_point::ValueAtQuantile,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::*;

fn number_point(value: number_data_point::Value) -> NumberDataPoint {
    NumberDataPoint {
        attributes: vec![text_attribute("k", "v")],
        start_time_unix_nano: 5,
        time_unix_nano: u64::MAX,
        value: Some(value),
        flags: 1,
        exemplars: vec![Exemplar {
            time_unix_nano: 7,
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            filtered_attributes: vec![text_attribute("e", "x")],
            value: Some(exemplar::Value::AsInt(-9)),
        }],
    }
}

fn metrics_request() -> ExportMetricsServiceRequest {
    let histogram = HistogramDataPoint {
        count: 3,
        sum: Some(4.5),
        min: Some(0.5),
        max: Some(3.0),
        bucket_counts: vec![1, 2],
        explicit_bounds: vec![1.0],
        ..HistogramDataPoint::default()
    };
    let exponential = ExponentialHistogramDataPoint {
        count: 4,
        scale: -2,
        zero_count: 1,
        zero_threshold: 0.25,
        positive: Some(Buckets { offset: -3, bucket_counts: vec![1, u64::MAX] }),
        ..ExponentialHistogramDataPoint::default()
    };
    let summary = SummaryDataPoint {
        count: 2,
        sum: f64::NAN,
        quantile_values: vec![ValueAtQuantile { quantile: 0.99, value: f64::INFINITY }],
        ..SummaryDataPoint::default()
    };
    let metric = |name: &str, data| Metric {
        name: name.into(),
        description: "d".into(),
        unit: "ms".into(),
        metadata: vec![text_attribute("m", "n")],
        data: Some(data),
    };
    let metrics = vec![
        metric(
            "g",
            metric::Data::Gauge(Gauge { data_points: vec![number_point(number_data_point::Value::AsDouble(1.5))] }),
        ),
        metric(
            "s",
            metric::Data::Sum(Sum {
                data_points: vec![number_point(number_data_point::Value::AsInt(i64::MIN)), NumberDataPoint::default()],
                aggregation_temporality: 2,
                is_monotonic: true,
            }),
        ),
        metric("h", metric::Data::Histogram(Histogram { data_points: vec![histogram], aggregation_temporality: 1 })),
        metric(
            "e",
            metric::Data::ExponentialHistogram(ExponentialHistogram {
                data_points: vec![exponential],
                aggregation_temporality: 2,
            }),
        ),
        metric("q", metric::Data::Summary(Summary { data_points: vec![summary] })),
    ];
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    let resource = Some(Resource { attributes: vec![text_attribute("service.name", "shop")], ..Resource::default() });
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() }],
    }
}

#[test]
fn every_kind_of_data_point_has_its_row() {
    let (batch, rejected) = batch(Signal::Metrics, &metrics_request());
    assert_eq!((batch.num_rows(), rejected.message()), (6, None));
    let kinds: Vec<_> = (0..6).map(|row| Row(&batch, row).text(col::METRIC_TYPE).expect("kind")).collect();
    assert_eq!(kinds, ["gauge", "sum", "sum", "histogram", "exponential_histogram", "summary"]);
    for row in (0..6).map(|row| Row(&batch, row)) {
        assert_eq!(row.text(col::METRIC_UNIT).as_deref(), Some("ms"));
        assert_eq!(row.text(col::METRIC_METADATA).as_deref(), Some(r#"{"m":"n"}"#));
        assert_eq!(row.text(col::SERVICE_NAME).as_deref(), Some("shop"));
    }
    let gauge = Row(&batch, 0);
    assert_eq!((gauge.f64(col::VALUE), gauge.i64(col::VALUE_INT)), (Some(1.5), None));
    assert_eq!((gauge.time(col::TIME), gauge.time(col::START_TIME), gauge.u32(col::FLAGS)), (u64::MAX, 5, 1));
    assert_eq!(gauge.text(col::ATTRIBUTES).as_deref(), Some(r#"{"k":"v"}"#));
    let exemplar = r#"[{"time":7,"value":-9,"trace_id":"01010101010101010101010101010101","span_id":"0202020202020202","attributes":{"e":"x"}}]"#;
    assert_eq!(gauge.text(col::EXEMPLARS).as_deref(), Some(exemplar));
    let sum = Row(&batch, 1);
    assert_eq!((sum.f64(col::VALUE), sum.i64(col::VALUE_INT)), (Some(i64::MIN as f64), Some(i64::MIN)));
    assert_eq!((sum.i32(col::TEMPORALITY), sum.bool(col::MONOTONIC)), (2, true));
    assert_eq!((Row(&batch, 2).f64(col::VALUE), Row(&batch, 2).text(col::EXEMPLARS)), (None, None));
    let histogram = Row(&batch, 3);
    assert_eq!((histogram.u64(col::COUNT), histogram.f64(col::SUM)), (Some(3), Some(4.5)));
    assert_eq!((histogram.f64(col::MIN), histogram.f64(col::MAX)), (Some(0.5), Some(3.0)));
    assert_eq!(histogram.text(col::DISTRIBUTION).as_deref(), Some(r#"{"bounds":[1.0],"counts":[1,2]}"#));
    let exponential = r#"{"scale":-2,"zero_count":1,"zero_threshold":0.25,"positive":{"offset":-3,"counts":[1,18446744073709551615]}}"#;
    assert_eq!(Row(&batch, 4).text(col::DISTRIBUTION).as_deref(), Some(exponential));
    let summary = Row(&batch, 5);
    assert_eq!(summary.text(col::DISTRIBUTION).as_deref(), Some(r#"{"quantiles":[[0.99,{"$double":"Infinity"}]]}"#));
    assert!(summary.f64(col::SUM).is_some_and(f64::is_nan));
}
