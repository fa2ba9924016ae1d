//! Points of metrics. Times in ns since the epoch.

use crate::otlp::view::View;
use crate::otlp::view::common::KeyValue;
use crate::otlp::view::repeated::{Fixed64, Numbers, Repeated};
use crate::otlp::view::wire::{Malformed, Message};

/// A value that is an integer or a double, as sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Int(i64),
    Double(f64),
}

/// A point of a gauge or a sum.
#[derive(Clone, Debug, Default)]
pub struct NumberPoint<'a> {
    pub attributes: Repeated<'a, KeyValue<'a>>,
    pub start_time_unix_nano: u64,
    pub time_unix_nano: u64,
    pub value: Option<Number>,
    pub exemplars: Repeated<'a, Exemplar<'a>>,
    pub flags: u32,
}

impl<'a> View<'a> for NumberPoint<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                2 => self.start_time_unix_nano = field.fixed64()?,
                3 => self.time_unix_nano = field.fixed64()?,
                4 => self.value = Some(Number::Double(field.double()?)),
                5 => self.exemplars.add(message, &field)?,
                6 => self.value = Some(Number::Int(field.fixed64()? as i64)),
                7 => self.attributes.add_run(message, &field, &mut fields)?,
                8 => self.flags = field.uint32()?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// A point of a histogram with explicit bounds.
#[derive(Clone, Debug, Default)]
pub struct HistogramPoint<'a> {
    pub attributes: Repeated<'a, KeyValue<'a>>,
    pub start_time_unix_nano: u64,
    pub time_unix_nano: u64,
    pub count: u64,
    pub sum: Option<f64>,
    pub bucket_counts: Numbers<'a, Fixed64>,
    pub explicit_bounds: Numbers<'a, f64>,
    pub exemplars: Repeated<'a, Exemplar<'a>>,
    pub flags: u32,
    pub min: Option<f64>,
    pub max: Option<f64>,
}

impl<'a> View<'a> for HistogramPoint<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                2 => self.start_time_unix_nano = field.fixed64()?,
                3 => self.time_unix_nano = field.fixed64()?,
                4 => self.count = field.fixed64()?,
                5 => self.sum = Some(field.double()?),
                6 => self.bucket_counts.add(message, &field)?,
                7 => self.explicit_bounds.add(message, &field)?,
                8 => self.exemplars.add(message, &field)?,
                9 => self.attributes.add_run(message, &field, &mut fields)?,
                10 => self.flags = field.uint32()?,
                11 => self.min = Some(field.double()?),
                12 => self.max = Some(field.double()?),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A point of an exponential histogram.
#[derive(Clone, Debug, Default)]
pub struct ExponentialHistogramPoint<'a> {
    pub attributes: Repeated<'a, KeyValue<'a>>,
    pub start_time_unix_nano: u64,
    pub time_unix_nano: u64,
    pub count: u64,
    pub sum: Option<f64>,
    pub scale: i32,
    pub zero_count: u64,
    pub positive: Option<Buckets<'a>>,
    pub negative: Option<Buckets<'a>>,
    pub flags: u32,
    pub exemplars: Repeated<'a, Exemplar<'a>>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub zero_threshold: f64,
}

impl<'a> View<'a> for ExponentialHistogramPoint<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.attributes.add_run(message, &field, &mut fields)?,
                2 => self.start_time_unix_nano = field.fixed64()?,
                3 => self.time_unix_nano = field.fixed64()?,
                4 => self.count = field.fixed64()?,
                5 => self.sum = Some(field.double()?),
                6 => self.scale = field.sint32()?,
                7 => self.zero_count = field.fixed64()?,
                8 => self.positive.get_or_insert_default().merge(field.message()?)?,
                9 => self.negative.get_or_insert_default().merge(field.message()?)?,
                10 => self.flags = field.uint32()?,
                11 => self.exemplars.add(message, &field)?,
                12 => self.min = Some(field.double()?),
                13 => self.max = Some(field.double()?),
                14 => self.zero_threshold = field.double()?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// The buckets of one side of an exponential histogram.
#[derive(Clone, Debug, Default)]
pub struct Buckets<'a> {
    pub offset: i32,
    pub bucket_counts: Numbers<'a, u64>,
}

impl<'a> View<'a> for Buckets<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.offset = field.sint32()?,
                2 => self.bucket_counts.add(message, &field)?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// A point of a summary.
#[derive(Clone, Debug, Default)]
pub struct SummaryPoint<'a> {
    pub attributes: Repeated<'a, KeyValue<'a>>,
    pub start_time_unix_nano: u64,
    pub time_unix_nano: u64,
    pub count: u64,
    pub sum: f64,
    pub quantile_values: Repeated<'a, QuantileValue>,
    pub flags: u32,
}

impl<'a> View<'a> for SummaryPoint<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                2 => self.start_time_unix_nano = field.fixed64()?,
                3 => self.time_unix_nano = field.fixed64()?,
                4 => self.count = field.fixed64()?,
                5 => self.sum = field.double()?,
                6 => self.quantile_values.add(message, &field)?,
                7 => self.attributes.add_run(message, &field, &mut fields)?,
                8 => self.flags = field.uint32()?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// A quantile, from 0 to 1, and its value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct QuantileValue {
    pub quantile: f64,
    pub value: f64,
}

impl<'a> View<'a> for QuantileValue {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.quantile = field.double()?,
                2 => self.value = field.double()?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// A measurement that stands for a point, with the span that made it.
#[derive(Clone, Debug, Default)]
pub struct Exemplar<'a> {
    pub filtered_attributes: Repeated<'a, KeyValue<'a>>,
    pub time_unix_nano: u64,
    pub value: Option<Number>,
    pub span_id: &'a [u8],
    pub trace_id: &'a [u8],
}

impl<'a> View<'a> for Exemplar<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                2 => self.time_unix_nano = field.fixed64()?,
                3 => self.value = Some(Number::Double(field.double()?)),
                4 => self.span_id = field.bytes()?,
                5 => self.trace_id = field.bytes()?,
                6 => self.value = Some(Number::Int(field.fixed64()? as i64)),
                7 => self.filtered_attributes.add(message, &field)?,
                _ => {}
            }
        }
        Ok(())
    }
}
