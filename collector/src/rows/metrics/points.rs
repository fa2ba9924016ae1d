//! The five kinds of data point, and their lists as JSON text.
//!
//! | kind | `distribution` |
//! |---|---|
//! | histogram | `{"bounds":[…],"counts":[…]}` |
//! | exponential histogram | `{"scale":n,"zero_count":n,"zero_threshold":d,"positive":{"offset":n,"counts":[…]},"negative":{…}}`, a side only where sent |
//! | summary | `{"quantiles":[[q,value],…]}` |
//!
//! `exemplars` is `[{"time":ns,"value":n,"trace_id":hex,"span_id":hex,"attributes":{…}},…]`; value and ids only where sent.

use proto::otlp::view::{
    Buckets, Exemplar, ExponentialHistogramPoint, Fixed64, HistogramPoint, KeyValue, Malformed, NotWithin, Number,
    NumberPoint, Repeated, SummaryPoint, View,
};
use storage::attrs::{ListWriter, MapWriter, push_double, push_int};

use crate::rows::rejected::Rejected;
use crate::rows::text::{Writer, push_hex};

/// The numbers of a point. Times in ns since the epoch.
#[derive(Default)]
pub(super) struct Values {
    pub time: u64,
    pub start_time: u64,
    pub flags: u32,
    pub value: Option<f64>,
    pub value_int: Option<i64>,
    pub count: Option<u64>,
    pub sum: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
}

pub(super) trait Point<'a>: View<'a> {
    fn attributes(&self) -> &Repeated<'a, KeyValue<'a>>;
    fn exemplars(&self) -> Option<&Repeated<'a, Exemplar<'a>>>;
    fn values(&self) -> Values;
    /// Writes buckets or quantiles, if this kind has any.
    fn write_distribution(&self, out: &mut Vec<u8>) -> Result<(), Malformed>;
}

impl<'a> Point<'a> for NumberPoint<'a> {
    fn attributes(&self) -> &Repeated<'a, KeyValue<'a>> {
        &self.attributes
    }

    fn exemplars(&self) -> Option<&Repeated<'a, Exemplar<'a>>> {
        Some(&self.exemplars)
    }

    fn values(&self) -> Values {
        let (value, value_int) = match self.value {
            None => (None, None),
            Some(Number::Double(value)) => (Some(value), None),
            Some(Number::Int(value)) => (Some(value as f64), Some(value)),
        };
        let (time, start_time) = (self.time_unix_nano, self.start_time_unix_nano);
        Values { time, start_time, flags: self.flags, value, value_int, ..Values::default() }
    }

    fn write_distribution(&self, _: &mut Vec<u8>) -> Result<(), Malformed> {
        Ok(())
    }
}

impl<'a> Point<'a> for HistogramPoint<'a> {
    fn attributes(&self) -> &Repeated<'a, KeyValue<'a>> {
        &self.attributes
    }

    fn exemplars(&self) -> Option<&Repeated<'a, Exemplar<'a>>> {
        Some(&self.exemplars)
    }

    fn values(&self) -> Values {
        Values {
            time: self.time_unix_nano,
            start_time: self.start_time_unix_nano,
            flags: self.flags,
            count: Some(self.count),
            sum: self.sum,
            min: self.min,
            max: self.max,
            ..Values::default()
        }
    }

    fn write_distribution(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let mut map = MapWriter::begin(out);
        map.key(out, "bounds");
        push_list(out, self.explicit_bounds.iter(), push_double);
        map.key(out, "counts");
        push_list(out, self.bucket_counts.iter(), |out, Fixed64(count)| push_int(out, count));
        map.end(out);
        Ok(())
    }
}

impl<'a> Point<'a> for ExponentialHistogramPoint<'a> {
    fn attributes(&self) -> &Repeated<'a, KeyValue<'a>> {
        &self.attributes
    }

    fn exemplars(&self) -> Option<&Repeated<'a, Exemplar<'a>>> {
        Some(&self.exemplars)
    }

    fn values(&self) -> Values {
        Values {
            time: self.time_unix_nano,
            start_time: self.start_time_unix_nano,
            flags: self.flags,
            count: Some(self.count),
            sum: self.sum,
            min: self.min,
            max: self.max,
            ..Values::default()
        }
    }

    fn write_distribution(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let mut map = MapWriter::begin(out);
        map.key(out, "scale");
        push_int(out, self.scale);
        map.key(out, "zero_count");
        push_int(out, self.zero_count);
        map.key(out, "zero_threshold");
        push_double(out, self.zero_threshold);
        for (side, buckets) in [("positive", &self.positive), ("negative", &self.negative)] {
            if let Some(buckets) = buckets {
                map.key(out, side);
                push_buckets(out, buckets);
            }
        }
        map.end(out);
        Ok(())
    }
}

impl<'a> Point<'a> for SummaryPoint<'a> {
    fn attributes(&self) -> &Repeated<'a, KeyValue<'a>> {
        &self.attributes
    }

    fn exemplars(&self) -> Option<&Repeated<'a, Exemplar<'a>>> {
        None
    }

    fn values(&self) -> Values {
        Values {
            time: self.time_unix_nano,
            start_time: self.start_time_unix_nano,
            flags: self.flags,
            count: Some(self.count),
            sum: Some(self.sum),
            ..Values::default()
        }
    }

    fn write_distribution(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let mut map = MapWriter::begin(out);
        map.key(out, "quantiles");
        let mut list = ListWriter::begin(out);
        for quantile in &self.quantile_values {
            let quantile = quantile?;
            list.item(out);
            push_list(out, [quantile.quantile, quantile.value].into_iter(), push_double);
        }
        list.end(out);
        map.end(out);
        Ok(())
    }
}

/// The `exemplars` column; nothing where there are none.
pub(super) fn write_exemplars<'a>(
    writer: &mut Writer,
    out: &mut Vec<u8>,
    exemplars: &Repeated<'a, Exemplar<'a>>,
    rejected: &mut Rejected,
) -> Result<(), NotWithin> {
    if exemplars.is_empty() {
        return Ok(());
    }
    let mut list = ListWriter::begin(out);
    for exemplar in exemplars {
        let exemplar = exemplar?;
        list.item(out);
        let mut map = MapWriter::begin(out);
        map.key(out, "time");
        push_int(out, exemplar.time_unix_nano);
        if let Some(value) = exemplar.value {
            map.key(out, "value");
            match value {
                Number::Int(value) => push_int(out, value),
                Number::Double(value) => push_double(out, value),
            }
        }
        if let Some(id) = rejected.optional_id::<16>(exemplar.trace_id) {
            map.key(out, "trace_id");
            push_hex(out, &id);
        }
        if let Some(id) = rejected.optional_id::<8>(exemplar.span_id) {
            map.key(out, "span_id");
            push_hex(out, &id);
        }
        map.key(out, "attributes");
        writer.attributes(out, &exemplar.filtered_attributes, |_, _, _| {})?;
        map.end(out);
    }
    list.end(out);
    Ok(())
}

fn push_buckets(out: &mut Vec<u8>, buckets: &Buckets<'_>) {
    let mut map = MapWriter::begin(out);
    map.key(out, "offset");
    push_int(out, buckets.offset);
    map.key(out, "counts");
    push_list(out, buckets.bucket_counts.iter(), push_int);
    map.end(out);
}

fn push_list<T>(out: &mut Vec<u8>, values: impl Iterator<Item = T>, push: impl Fn(&mut Vec<u8>, T)) {
    let mut list = ListWriter::begin(out);
    for value in values {
        list.item(out);
        push(out, value);
    }
    list.end(out);
}
