//! `ExportMetricsServiceRequest` to the columns of the table `metrics`: one row for each data point.
//!
//! `value` holds the number of a gauge or a sum, `value_int` too where it was sent as an integer. Buckets and
//! quantiles stand in `distribution`, see [`points`].

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, UInt32Array, UInt64Array};
use proto::otlp::view::{Malformed, Metric, MetricData, MetricsRequest, NotWithin, Repeated, View};

use super::columns::{TextColumn, times};
use super::dictionary::DictionaryColumn;
use super::origin::Origins;
use super::rejected::{Place, Reason, Rejected};
use super::text::{MAX_TEXT_BYTES, Writer};
use super::{BadRequest, MAX_ROW_BYTES};

mod points;

use points::{Point, Values};

pub(super) fn convert(
    body: &[u8],
    received: i64,
    rows: usize,
    rejected: &mut Rejected,
) -> Result<Vec<ArrayRef>, BadRequest> {
    let request = MetricsRequest::from_bytes(body)?;
    let mut points = Points::with_capacity(rows);
    let mut origins = Origins::default();
    for (number, group) in request.resource_metrics.iter().enumerate() {
        let group = group?;
        let resource = origins.resource(&group.resource, group.schema_url, rejected);
        for (scope_number, group) in group.scope_metrics.iter().enumerate() {
            let group = group?;
            let scope = origins.scope(&group.scope, group.schema_url, rejected);
            let before = points.rows();
            for (metric_number, metric) in group.metrics.iter().enumerate() {
                let metric = metric?;
                let metric_number = Some(metric_number);
                let place = Place { resource: number, scope: scope_number, metric: metric_number, row: 0 };
                match (&resource, &scope) {
                    (Ok(_), Ok(_)) => points.metric(&metric, place, rejected),
                    (Err(reason), _) | (_, Err(reason)) => rejected.rows(place, metric.data.len(), reason),
                }
            }
            if let (Ok(resource), Ok(scope)) = (&resource, scope) {
                origins.push(*resource, scope, points.rows() - before);
            }
        }
    }
    let mut columns = points.finish();
    origins.finish(received, &mut columns);
    Ok(columns)
}

/// What the points of one metric share.
struct Head<'m> {
    name: &'m str,
    description: &'m str,
    unit: &'m str,
    metadata: &'m str,
    kind: &'static str,
    temporality: i32,
    monotonic: bool,
}

/// The columns of a point's own.
struct Points {
    name: DictionaryColumn,
    description: DictionaryColumn,
    unit: DictionaryColumn,
    kind: DictionaryColumn,
    metadata: DictionaryColumn,
    temporality: Vec<i32>,
    monotonic: Vec<bool>,
    time: Vec<i64>,
    start_time: Vec<i64>,
    flags: Vec<u32>,
    attributes: TextColumn,
    value: Vec<Option<f64>>,
    value_int: Vec<Option<i64>>,
    count: Vec<Option<u64>>,
    sum: Vec<Option<f64>>,
    min: Vec<Option<f64>>,
    max: Vec<Option<f64>>,
    distribution: TextColumn,
    exemplars: TextColumn,
    writer: Writer,
}

impl Points {
    fn with_capacity(rows: usize) -> Self {
        Self {
            name: DictionaryColumn::with_capacity(rows),
            description: DictionaryColumn::with_capacity(rows),
            unit: DictionaryColumn::with_capacity(rows),
            kind: DictionaryColumn::with_capacity(rows),
            metadata: DictionaryColumn::with_capacity(rows),
            temporality: Vec::with_capacity(rows),
            monotonic: Vec::with_capacity(rows),
            time: Vec::with_capacity(rows),
            start_time: Vec::with_capacity(rows),
            flags: Vec::with_capacity(rows),
            attributes: TextColumn::with_capacity(rows),
            value: Vec::with_capacity(rows),
            value_int: Vec::with_capacity(rows),
            count: Vec::with_capacity(rows),
            sum: Vec::with_capacity(rows),
            min: Vec::with_capacity(rows),
            max: Vec::with_capacity(rows),
            distribution: TextColumn::with_capacity(rows),
            exemplars: TextColumn::with_capacity(rows),
            writer: Writer::default(),
        }
    }

    fn rows(&self) -> usize {
        self.temporality.len()
    }

    fn metric(&mut self, metric: &Metric<'_>, place: Place, rejected: &mut Rejected) {
        let mut metadata = Vec::new();
        if !metric.metadata.is_empty()
            && let Err(error) = self.writer.attributes(&mut metadata, &metric.metadata, |_, _, _| {})
        {
            return rejected.rows(place, metric.data.len(), &Reason::of("metadata", error));
        }
        let (name, description, unit) = (metric.name.to_lossy(), metric.description.to_lossy(), metric.unit.to_lossy());
        let (kind, temporality, monotonic) = match &metric.data {
            MetricData::Empty => return,
            MetricData::Gauge(_) => ("gauge", 0, false),
            MetricData::Sum(sum) => ("sum", sum.aggregation_temporality, sum.is_monotonic),
            MetricData::Histogram(histogram) => ("histogram", histogram.aggregation_temporality, false),
            MetricData::ExponentialHistogram(histogram) => {
                ("exponential_histogram", histogram.aggregation_temporality, false)
            }
            MetricData::Summary(_) => ("summary", 0, false),
        };
        let (name, description, unit) = (&*name, &*description, &*unit);
        let metadata = str::from_utf8(&metadata).expect("whole texts are written");
        let head = Head { name, description, unit, metadata, kind, temporality, monotonic };
        match &metric.data {
            MetricData::Empty => {}
            MetricData::Gauge(gauge) => self.take_all(&gauge.data_points, &head, place, rejected),
            MetricData::Sum(sum) => self.take_all(&sum.data_points, &head, place, rejected),
            MetricData::Histogram(histogram) => self.take_all(&histogram.data_points, &head, place, rejected),
            MetricData::ExponentialHistogram(histogram) => {
                self.take_all(&histogram.data_points, &head, place, rejected);
            }
            MetricData::Summary(summary) => self.take_all(&summary.data_points, &head, place, rejected),
        }
    }

    fn take_all<'a, P: Point<'a>>(
        &mut self,
        points: &Repeated<'a, P>,
        head: &Head<'_>,
        place: Place,
        rejected: &mut Rejected,
    ) {
        for (row, point) in points.iter().enumerate() {
            let place = Place { row, ..place };
            let taken = self.write_texts(point, rejected);
            (0..self.writer.take_references()).for_each(|_| rejected.ignored_reference());
            match taken {
                Ok(values) => self.push(head, &values),
                Err(reason) => {
                    [&mut self.attributes, &mut self.distribution, &mut self.exemplars]
                        .into_iter()
                        .for_each(TextColumn::take_back);
                    rejected.row(place, head.name, reason);
                }
            }
        }
    }

    /// Writes what can fail, and gives the numbers.
    fn write_texts<'a, P: Point<'a>>(
        &mut self,
        point: Result<P, Malformed>,
        rejected: &mut Rejected,
    ) -> Result<Values, Reason> {
        let point = point.map_err(|error| Reason::of("data point", error.into()))?;
        let Self { attributes, distribution, exemplars, writer, .. } = self;
        if attributes.bytes().max(distribution.bytes()).max(exemplars.bytes()) > MAX_TEXT_BYTES {
            return Err(Reason::RequestFull);
        }
        let say = |what| move |error: NotWithin| Reason::of(what, error);
        writer.attributes(attributes.value(), point.attributes(), |_, _, _| {}).map_err(say("attributes"))?;
        point.write_distribution(distribution.value()).map_err(|error| Reason::of("quantile_values", error.into()))?;
        if let Some(sent) = point.exemplars() {
            points::write_exemplars(writer, exemplars.value(), sent, rejected).map_err(say("exemplars"))?;
        }
        if attributes.pending() + distribution.pending() + exemplars.pending() > MAX_ROW_BYTES {
            return Err(Reason::TooLarge);
        }
        Ok(point.values())
    }

    fn push(&mut self, head: &Head<'_>, values: &Values) {
        self.name.push(head.name);
        self.description.push_optional(head.description);
        self.unit.push_optional(head.unit);
        self.kind.push(head.kind);
        self.metadata.push_optional(head.metadata);
        self.temporality.push(head.temporality);
        self.monotonic.push(head.monotonic);
        self.time.push(values.time as i64); // the bits as sent
        self.start_time.push(values.start_time as i64);
        self.flags.push(values.flags);
        self.attributes.finish_value();
        self.value.push(values.value);
        self.value_int.push(values.value_int);
        self.count.push(values.count);
        self.sum.push(values.sum);
        self.min.push(values.min);
        self.max.push(values.max);
        self.distribution.finish_optional();
        self.exemplars.finish_optional();
    }

    fn finish(self) -> Vec<ArrayRef> {
        vec![
            self.name.finish(),
            self.description.finish(),
            self.unit.finish(),
            self.kind.finish(),
            self.metadata.finish(),
            Arc::new(Int32Array::from(self.temporality)),
            Arc::new(BooleanArray::from(self.monotonic)),
            times(self.time),
            times(self.start_time),
            Arc::new(UInt32Array::from(self.flags)),
            self.attributes.finish(),
            Arc::new(Float64Array::from(self.value)),
            Arc::new(Int64Array::from(self.value_int)),
            Arc::new(UInt64Array::from(self.count)),
            Arc::new(Float64Array::from(self.sum)),
            Arc::new(Float64Array::from(self.min)),
            Arc::new(Float64Array::from(self.max)),
            self.distribution.finish(),
            self.exemplars.finish(),
        ]
    }
}
