//! A tree at a time, over counters.

use std::collections::{BTreeMap, BTreeSet};

use super::ast::{Aggregation, Expr, Function, Matching, Op, Selector};
use super::data::Counter;
use super::{Answer, COUNTED_MS, Labels, Samples, Steps, histogram};
use crate::engine::QueryError;

/// Values of all series at all steps in one answer.
const MOST_SAMPLES: usize = 5_000_000;
/// The end of a range that `irate` looks at, ms.
const IRATE_MS: i64 = 60_000;

type Vector = Vec<(Labels, f64)>;

enum Value {
    Scalar(f64),
    Vector(Vector),
}

impl Value {
    fn scalar(self) -> f64 {
        match self {
            Self::Scalar(number) => number,
            // The parser lets a vector stand where vectors may only.
            Self::Vector(_) => f64::NAN,
        }
    }

    fn vector(self) -> Vector {
        match self {
            Self::Scalar(_) => Vec::new(),
            Self::Vector(vector) => vector,
        }
    }
}

/// What the query is at each step; `check` says when to stop.
pub(super) fn answer(
    query: &Expr,
    steps: Steps,
    counters: &[Counter],
    check: &dyn Fn() -> Result<(), QueryError>,
) -> Result<Answer, QueryError> {
    if matches!(query, Expr::Selector(selector) if selector.range.is_some()) {
        return Err(QueryError::bad(
            "a selector with a range has no value by itself here: ask for its rate or increase",
        ));
    }
    let mut scalars = Vec::new();
    let (mut order, mut series): (Vec<Labels>, BTreeMap<Labels, Samples>) = (Vec::new(), BTreeMap::new());
    let mut samples = 0;
    for at in steps.times() {
        check()?;
        match (At { time: at, counters, check }).value(query)? {
            Value::Scalar(number) => scalars.push((at, number)),
            Value::Vector(vector) => {
                samples += vector.len();
                if samples > MOST_SAMPLES {
                    return Err(QueryError::TooLarge(format!("the answer has more than {MOST_SAMPLES} values")));
                }
                for (labels, value) in vector {
                    if !series.contains_key(&labels) {
                        order.push(labels.clone());
                    }
                    let known = series.entry(labels).or_default();
                    if known.last().is_some_and(|(time, _)| *time == at) {
                        return Err(QueryError::bad("vector cannot contain metrics with the same labelset"));
                    }
                    known.push((at, value));
                }
            }
        }
    }
    if query.is_scalar() {
        return Ok(Answer::Scalar(scalars));
    }
    if steps.from == steps.to {
        let ordered = order.into_iter().filter_map(|labels| series.remove(&labels).map(|samples| (labels, samples)));
        return Ok(Answer::Vector(ordered.collect()));
    }
    Ok(Answer::Vector(series.into_iter().collect()))
}

struct At<'a> {
    /// ms.
    time: i64,
    counters: &'a [Counter],
    check: &'a dyn Fn() -> Result<(), QueryError>,
}

impl At<'_> {
    fn value(&self, expr: &Expr) -> Result<Value, QueryError> {
        Ok(match expr {
            Expr::Number(number) => Value::Scalar(*number),
            Expr::Selector(selector) => Value::Vector(self.increases(selector, COUNTED_MS, true)?),
            Expr::Negative(of) => match self.value(of)? {
                Value::Scalar(number) => Value::Scalar(-number),
                Value::Vector(vector) => Value::Vector(each(vector, |value| -value)),
            },
            Expr::Call { function, args } => Value::Vector(self.call(*function, args)?),
            Expr::Aggregate { by, parameter, grouping, of } => {
                let most = match parameter {
                    Some(parameter) => self.value(parameter)?.scalar(),
                    None => 0.0,
                };
                let mut groups: BTreeMap<Labels, Vector> = BTreeMap::new();
                for (labels, value) in self.value(of)?.vector() {
                    groups.entry(grouping.of(&labels)).or_default().push((labels, value));
                }
                Value::Vector(
                    groups.into_iter().flat_map(|(labels, group)| aggregate(*by, most, labels, group)).collect(),
                )
            }
            Expr::Binary { op, as_bool, matching, left, right } => {
                self.binary(*op, *as_bool, matching, self.value(left)?, self.value(right)?)?
            }
        })
    }

    /// How much each selected counter counted in the `length` (ms) that ends with this step.
    fn increases(&self, selector: &Selector, length: i64, named: bool) -> Result<Vector, QueryError> {
        let ns = |ms: i64| ms.saturating_mul(1_000_000);
        let to = self.time.saturating_sub(selector.offset);
        let mut vector = Vec::new();
        for (number, counter) in self.counters.iter().filter(|counter| selector.matches(&counter.labels)).enumerate() {
            if number % 64 == 0 {
                (self.check)()?;
            }
            // Open at its beginning, closed at its end, as a range of Prometheus is.
            let increase = counter.increase(ns(to.saturating_sub(length)).saturating_add(1), ns(to).saturating_add(1));
            if let Some(increase) = increase {
                let mut labels = counter.labels.clone();
                if !named {
                    labels.remove("__name__");
                }
                vector.push((labels, increase));
            }
        }
        Ok(vector)
    }

    fn call(&self, function: Function, args: &[Expr]) -> Result<Vector, QueryError> {
        if let (Function::HistogramQuantile, [quantile, of]) = (function, args) {
            return Ok(histogram::quantiles(self.value(quantile)?.scalar(), self.value(of)?.vector()));
        }
        let [Expr::Selector(selector)] = args else { return Err(QueryError::bad("a selector with a range is needed")) };
        let range = selector.range.unwrap_or(COUNTED_MS);
        let length = if function == Function::Irate { range.min(IRATE_MS) } else { range };
        let increases = self.increases(selector, length, false)?;
        Ok(match function {
            Function::Increase => increases,
            _ => each(increases, |value| value / (length as f64 / 1e3)),
        })
    }

    fn binary(
        &self,
        op: Op,
        as_bool: bool,
        matching: &Matching,
        left: Value,
        right: Value,
    ) -> Result<Value, QueryError> {
        // A comparison filters what it compares, unless it is asked for a truth.
        let result = |labels: &Labels, kept: f64, left: f64, right: f64| {
            let value = op.apply(left, right);
            let mut labels = labels.clone();
            if !op.is_comparison() || as_bool {
                labels.remove("__name__");
                return Some((labels, value));
            }
            (value == 1.0).then_some((labels, kept))
        };
        Ok(match (left, right) {
            (Value::Scalar(left), Value::Scalar(right)) => Value::Scalar(op.apply(left, right)),
            (Value::Vector(vector), Value::Scalar(number)) => Value::Vector(
                vector.iter().filter_map(|(labels, value)| result(labels, *value, *value, number)).collect(),
            ),
            (Value::Scalar(number), Value::Vector(vector)) => Value::Vector(
                vector.iter().filter_map(|(labels, value)| result(labels, *value, number, *value)).collect(),
            ),
            (Value::Vector(left), Value::Vector(right)) if op.is_set() => Value::Vector(set(op, matching, left, right)),
            (Value::Vector(left), Value::Vector(right)) => {
                let mut others: BTreeMap<Labels, f64> = BTreeMap::new();
                for (labels, value) in right {
                    if others.insert(matching.of(&labels), value).is_some() {
                        return Err(many("right"));
                    }
                }
                let (mut seen, mut vector) = (BTreeSet::new(), Vec::new());
                for (labels, value) in left {
                    (self.check)()?;
                    let key = matching.of(&labels);
                    let Some(other) = others.get(&key) else { continue };
                    let of = if op.is_comparison() && !as_bool { &labels } else { &key };
                    vector.extend(result(of, value, value, *other));
                    if !seen.insert(key) {
                        return Err(many("left"));
                    }
                }
                Value::Vector(vector)
            }
        })
    }
}

fn many(side: &str) -> QueryError {
    QueryError::bad(format!(
        "found duplicate series for the match group on the {side} hand-side of the operation: many-to-many matching is not supported"
    ))
}

/// Values without the metric's name: they are of it no more.
fn each(vector: Vector, change: impl Fn(f64) -> f64) -> Vector {
    let changed = vector.into_iter().map(|(mut labels, value)| {
        labels.remove("__name__");
        (labels, change(value))
    });
    changed.collect()
}

fn set(op: Op, matching: &Matching, left: Vector, right: Vector) -> Vector {
    let keys = |vector: &Vector| -> BTreeSet<Labels> { vector.iter().map(|(labels, _)| matching.of(labels)).collect() };
    match op {
        Op::Or => {
            let known = keys(&left);
            let others = right.into_iter().filter(|(labels, _)| !known.contains(&matching.of(labels)));
            left.into_iter().chain(others).collect()
        }
        _ => {
            let known = keys(&right);
            left.into_iter().filter(|(labels, _)| known.contains(&matching.of(labels)) == (op == Op::And)).collect()
        }
    }
}

fn aggregate(by: Aggregation, most: f64, labels: Labels, mut group: Vector) -> Vector {
    let count = group.len() as f64;
    let sum = || group.iter().map(|(_, value)| value).sum::<f64>();
    let value = match by {
        Aggregation::Sum => sum(),
        Aggregation::Avg => sum() / count,
        Aggregation::Count => count,
        // A value that is no number loses to one that is.
        Aggregation::Min => group.iter().fold(f64::NAN, |least, (_, value)| least.min(*value)),
        Aggregation::Max => group.iter().fold(f64::NAN, |most, (_, value)| most.max(*value)),
        Aggregation::Topk | Aggregation::Bottomk => {
            let top = by == Aggregation::Topk;
            group.sort_by(|a, b| {
                let order = if top { b.1.total_cmp(&a.1) } else { a.1.total_cmp(&b.1) };
                a.1.is_nan().cmp(&b.1.is_nan()).then(order).then_with(|| a.0.cmp(&b.0))
            });
            // A float becomes the nearest number that there is: less than 1 takes nothing.
            group.truncate(most.max(0.0) as usize);
            return group;
        }
    };
    vec![(labels, value)]
}
