//! Times of a request: the latest, and all of them moved by one duration.

use proto::otlp::messages::collector::logs::v1::ExportLogsServiceRequest;
use proto::otlp::messages::collector::metrics::v1::ExportMetricsServiceRequest;
use proto::otlp::messages::collector::trace::v1::ExportTraceServiceRequest;
use proto::otlp::messages::metrics::v1::{Exemplar, Metric, metric};
use proto::rpc::Signal;
use proto::{DecodeError, Message};

use super::batch::Batch;

/// The latest time in ns since the epoch; 0 where there is none.
pub(super) fn latest(batch: &Batch) -> Result<u64, DecodeError> {
    let mut latest = 0;
    each_time(batch.signal, &batch.request, |time| latest = latest.max(*time))?;
    Ok(latest)
}

/// The batch with `shift_ns` added to every time that is set; a time that would leave the range of
/// 64 bits stops at its end.
pub(super) fn shifted(batch: Batch, shift_ns: i64) -> Result<Batch, DecodeError> {
    let request = each_time(batch.signal, &batch.request, |time| *time = time.saturating_add_signed(shift_ns).max(1))?;
    Ok(Batch { request, ..batch })
}

/// Visits every time that is set, and encodes the request again.
fn each_time(signal: Signal, request: &[u8], mut visit: impl FnMut(&mut u64)) -> Result<Vec<u8>, DecodeError> {
    let mut set = |time: &mut u64| {
        if *time > 0 {
            visit(time);
        }
    };
    Ok(match signal {
        Signal::Traces => {
            let mut request = ExportTraceServiceRequest::decode(request)?;
            let scopes = request.resource_spans.iter_mut().flat_map(|group| &mut group.scope_spans);
            for span in scopes.flat_map(|scope| &mut scope.spans) {
                set(&mut span.start_time_unix_nano);
                set(&mut span.end_time_unix_nano);
                span.events.iter_mut().for_each(|event| set(&mut event.time_unix_nano));
            }
            request.encode_to_vec()
        }
        Signal::Logs => {
            let mut request = ExportLogsServiceRequest::decode(request)?;
            let scopes = request.resource_logs.iter_mut().flat_map(|group| &mut group.scope_logs);
            for record in scopes.flat_map(|scope| &mut scope.log_records) {
                set(&mut record.time_unix_nano);
                set(&mut record.observed_time_unix_nano);
            }
            request.encode_to_vec()
        }
        Signal::Metrics => {
            let mut request = ExportMetricsServiceRequest::decode(request)?;
            let scopes = request.resource_metrics.iter_mut().flat_map(|group| &mut group.scope_metrics);
            scopes.flat_map(|scope| &mut scope.metrics).for_each(|metric| each_time_of_metric(metric, &mut set));
            request.encode_to_vec()
        }
    })
}

fn each_time_of_metric(metric: &mut Metric, set: &mut impl FnMut(&mut u64)) {
    let mut point = |start: &mut u64, time: &mut u64, exemplars: &mut [Exemplar]| {
        set(start);
        set(time);
        exemplars.iter_mut().for_each(|exemplar| set(&mut exemplar.time_unix_nano));
    };
    macro_rules! points {
        ($data:expr) => {
            for p in &mut $data.data_points {
                point(&mut p.start_time_unix_nano, &mut p.time_unix_nano, &mut p.exemplars);
            }
        };
    }
    match &mut metric.data {
        Some(metric::Data::Gauge(data)) => points!(data),
        Some(metric::Data::Sum(data)) => points!(data),
        Some(metric::Data::Histogram(data)) => points!(data),
        Some(metric::Data::ExponentialHistogram(data)) => points!(data),
        Some(metric::Data::Summary(data)) => {
            for p in &mut data.data_points {
                point(&mut p.start_time_unix_nano, &mut p.time_unix_nano, &mut []);
            }
        }
        None => {}
    }
}
