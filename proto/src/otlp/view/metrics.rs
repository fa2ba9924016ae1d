//! `ExportMetricsServiceRequest`: resources, scopes, metrics and their kinds. Points are in [`points`].

use super::View;
use super::common::{KeyValue, Resource, Scope, Text};
use super::repeated::Repeated;
use super::wire::{Malformed, Message};

mod points;

pub use points::{
    Buckets, Exemplar, ExponentialHistogramPoint, HistogramPoint, Number, NumberPoint, QuantileValue, SummaryPoint,
};

/// `ExportMetricsServiceRequest` (the same bytes as `MetricsData`).
#[derive(Clone, Debug, Default)]
pub struct MetricsRequest<'a> {
    pub resource_metrics: Repeated<'a, ResourceMetrics<'a>>,
}

impl<'a> View<'a> for MetricsRequest<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            if field.number == 1 {
                self.resource_metrics.add(message, &field)?;
            }
        }
        Ok(())
    }
}

/// The metrics of one resource.
#[derive(Clone, Debug, Default)]
pub struct ResourceMetrics<'a> {
    /// Empty where none was sent.
    pub resource: Resource<'a>,
    pub scope_metrics: Repeated<'a, ScopeMetrics<'a>>,
    pub schema_url: Text<'a>,
}

impl<'a> View<'a> for ResourceMetrics<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.resource.merge(field.message()?)?,
                2 => self.scope_metrics.add(message, &field)?,
                3 => self.schema_url = field.bytes()?.into(),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The metrics of one instrumentation scope.
#[derive(Clone, Debug, Default)]
pub struct ScopeMetrics<'a> {
    /// Empty where none was sent.
    pub scope: Scope<'a>,
    pub metrics: Repeated<'a, Metric<'a>>,
    pub schema_url: Text<'a>,
}

impl<'a> View<'a> for ScopeMetrics<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.scope.merge(field.message()?)?,
                2 => self.metrics.add(message, &field)?,
                3 => self.schema_url = field.bytes()?.into(),
                _ => {}
            }
        }
        Ok(())
    }
}

/// One metric: a name and its points.
#[derive(Clone, Debug, Default)]
pub struct Metric<'a> {
    pub name: Text<'a>,
    pub description: Text<'a>,
    pub unit: Text<'a>,
    pub metadata: Repeated<'a, KeyValue<'a>>,
    pub data: MetricData<'a>,
}

impl<'a> View<'a> for Metric<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.name = field.bytes()?.into(),
                2 => self.description = field.bytes()?.into(),
                3 => self.unit = field.bytes()?.into(),
                number @ (5 | 7 | 9 | 10 | 11) => self.data.merge(number, field.message()?)?,
                12 => self.metadata.add(message, &field)?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// The points of a metric, by kind.
#[derive(Clone, Debug, Default)]
pub enum MetricData<'a> {
    #[default]
    Empty,
    Gauge(Gauge<'a>),
    Sum(Sum<'a>),
    Histogram(Histogram<'a>),
    ExponentialHistogram(ExponentialHistogram<'a>),
    Summary(Summary<'a>),
}

impl<'a> MetricData<'a> {
    /// Number of points.
    pub fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Gauge(gauge) => gauge.data_points.len(),
            Self::Sum(sum) => sum.data_points.len(),
            Self::Histogram(histogram) => histogram.data_points.len(),
            Self::ExponentialHistogram(histogram) => histogram.data_points.len(),
            Self::Summary(summary) => summary.data_points.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A kind sent twice is merged, another kind replaces what was there (`oneof data`).
    fn merge(&mut self, number: u32, data: Message<'a>) -> Result<(), Malformed> {
        match (number, &mut *self) {
            (5, Self::Gauge(gauge)) => gauge.merge(data)?,
            (5, other) => *other = Self::Gauge(Gauge::parse(data)?),
            (7, Self::Sum(sum)) => sum.merge(data)?,
            (7, other) => *other = Self::Sum(Sum::parse(data)?),
            (9, Self::Histogram(histogram)) => histogram.merge(data)?,
            (9, other) => *other = Self::Histogram(Histogram::parse(data)?),
            (10, Self::ExponentialHistogram(histogram)) => histogram.merge(data)?,
            (10, other) => *other = Self::ExponentialHistogram(ExponentialHistogram::parse(data)?),
            (_, Self::Summary(summary)) => summary.merge(data)?,
            (_, other) => *other = Self::Summary(Summary::parse(data)?),
        }
        Ok(())
    }
}

/// Current values.
#[derive(Clone, Debug, Default)]
pub struct Gauge<'a> {
    pub data_points: Repeated<'a, NumberPoint<'a>>,
}

impl<'a> View<'a> for Gauge<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            if field.number == 1 {
                self.data_points.add(message, &field)?;
            }
        }
        Ok(())
    }
}

/// Sums over time.
#[derive(Clone, Debug, Default)]
pub struct Sum<'a> {
    pub data_points: Repeated<'a, NumberPoint<'a>>,
    /// `AggregationTemporality`, also where its number is unknown.
    pub aggregation_temporality: i32,
    pub is_monotonic: bool,
}

impl<'a> View<'a> for Sum<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.data_points.add(message, &field)?,
                2 => self.aggregation_temporality = field.int32()?,
                3 => self.is_monotonic = field.bool()?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Counts in buckets with explicit bounds.
#[derive(Clone, Debug, Default)]
pub struct Histogram<'a> {
    pub data_points: Repeated<'a, HistogramPoint<'a>>,
    /// `AggregationTemporality`, also where its number is unknown.
    pub aggregation_temporality: i32,
}

impl<'a> View<'a> for Histogram<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.data_points.add(message, &field)?,
                2 => self.aggregation_temporality = field.int32()?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Counts in buckets whose bounds grow by a power of two.
#[derive(Clone, Debug, Default)]
pub struct ExponentialHistogram<'a> {
    pub data_points: Repeated<'a, ExponentialHistogramPoint<'a>>,
    /// `AggregationTemporality`, also where its number is unknown.
    pub aggregation_temporality: i32,
}

impl<'a> View<'a> for ExponentialHistogram<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.data_points.add(message, &field)?,
                2 => self.aggregation_temporality = field.int32()?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Quantiles computed by the sender.
#[derive(Clone, Debug, Default)]
pub struct Summary<'a> {
    pub data_points: Repeated<'a, SummaryPoint<'a>>,
}

impl<'a> View<'a> for Summary<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            if field.number == 1 {
                self.data_points.add(message, &field)?;
            }
        }
        Ok(())
    }
}
