//! What the store can leave out for the filters of a query: time ranges and index terms.
//!
//! Only comparisons of a column with a constant that all rows must meet are used; everything else is
//! left to DataFusion, which checks every row again in any case.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};
use storage::ids::TraceId;
use storage::schema::{Table, col};
use storage::terms::{Prune, intrinsic};

/// What to read of a table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bounds {
    /// Of the time column, ns, `from <= t < to`.
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) prune: Prune,
}

/// Bounds that every row meeting all the filters is within.
pub(super) fn bounds(table: Table, filters: &[Expr]) -> Bounds {
    let finder = Finder { table };
    let mut bounds = Bounds { from: i64::MIN, to: i64::MAX, prune: Prune::All };
    filters.iter().for_each(|filter| finder.narrow(filter, &mut bounds));
    let mut terms: Vec<Prune> = filters.iter().filter_map(|filter| finder.terms(filter)).collect();
    bounds.prune = match terms.len() {
        0 => Prune::All,
        1 => terms.remove(0),
        _ => Prune::Every(terms),
    };
    bounds
}

/// Recurses as deep as the query's expressions, which [`super::guard`] bounds.
struct Finder {
    table: Table,
}

impl Finder {
    /// Draws the time range in.
    fn narrow(&self, filter: &Expr, bounds: &mut Bounds) {
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                self.narrow(left, bounds);
                self.narrow(right, bounds);
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                if let Some(time) = constant_time(right) {
                    self.compare(left, *op, time, bounds);
                } else if let (Some(time), Some(op)) = (constant_time(left), op.swap()) {
                    self.compare(right, op, time, bounds);
                }
            }
            Expr::Between(Between { expr, negated: false, low, high }) => {
                if let (Some(low), Some(high)) = (constant_time(low), constant_time(high)) {
                    self.compare(expr, Operator::GtEq, low, bounds);
                    self.compare(expr, Operator::LtEq, high, bounds);
                }
            }
            _ => {}
        }
    }

    fn compare(&self, side: &Expr, op: Operator, time: i64, bounds: &mut Bounds) {
        if time_column(side) != Some(self.table.time_column()) {
            return;
        }
        if matches!(op, Operator::Gt | Operator::GtEq | Operator::Eq) {
            bounds.from = bounds.from.max(time);
        }
        if matches!(op, Operator::Lt | Operator::LtEq | Operator::Eq) {
            bounds.to = bounds.to.min(time.saturating_add(1)); // past the end of time there is no bound
        }
    }

    /// What the index knows of the rows that meet the filter; None: nothing.
    fn terms(&self, filter: &Expr) -> Option<Prune> {
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                match (self.terms(left), self.terms(right)) {
                    (Some(left), Some(right)) => Some(Prune::Every(vec![left, right])),
                    (left, right) => left.or(right),
                }
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                Some(Prune::Any(vec![self.terms(left)?, self.terms(right)?]))
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match (constant(left), constant(right)) {
                (None, Some(value)) => self.term(left, value),
                (Some(value), None) => self.term(right, value),
                _ => None,
            },
            Expr::InList(list) if !list.negated => {
                let terms = list.list.iter().map(|value| self.term(&list.expr, constant(value)?));
                terms.collect::<Option<_>>().map(Prune::Any)
            }
            _ => None,
        }
    }

    /// What the index knows of the rows where `side = value`.
    fn term(&self, side: &Expr, value: &ScalarValue) -> Option<Prune> {
        if let Expr::ScalarFunction(call) = side {
            let text = text(value)?;
            return match (call.name(), &call.args[..]) {
                ("hex", [of]) if column(of) == Some(col::TRACE_ID) => trace(&hex::decode(text).ok()?),
                ("attr", [of, key]) if matches!(column(of), Some(col::ATTRIBUTES | col::RESOURCE_ATTRIBUTES)) => {
                    Some(Prune::tag(self::text(constant(key)?)?, text))
                }
                _ => None,
            };
        }
        match column(side)? {
            col::TRACE_ID if self.table != Table::Metrics => match value {
                ScalarValue::FixedSizeBinary(_, Some(bytes))
                | ScalarValue::Binary(Some(bytes))
                | ScalarValue::LargeBinary(Some(bytes))
                | ScalarValue::BinaryView(Some(bytes)) => trace(bytes),
                _ => None,
            },
            name => {
                let value = text(value).filter(|value| !value.is_empty())?;
                Some(Prune::tag(intrinsic(self.table, name)?, value))
            }
        }
    }
}

/// The tag under which the index knows a text column.
fn intrinsic(table: Table, column: &str) -> Option<&'static str> {
    match (table, column) {
        (_, col::SERVICE_NAME) => Some(intrinsic::SERVICE),
        (Table::Spans, col::NAME) => Some(intrinsic::NAME),
        (Table::Spans, col::ROLE) => Some(intrinsic::ROLE),
        (Table::Spans, col::PEER) => Some(intrinsic::PEER),
        (Table::Spans, col::PROTOCOL) => Some(intrinsic::PROTOCOL),
        (Table::Spans, col::OPERATION) => Some(intrinsic::OPERATION),
        (Table::Spans, col::OUTCOME) => Some(intrinsic::OUTCOME),
        (Table::Logs, col::EVENT_NAME) => Some(intrinsic::EVENT_NAME),
        (Table::Metrics, col::METRIC_NAME) => Some(intrinsic::METRIC),
        _ => None,
    }
}

fn trace(bytes: &[u8]) -> Option<Prune> {
    TraceId::try_from(bytes).ok().map(Prune::trace)
}

/// The column, seen through casts between forms of text and between forms of bytes.
fn column(side: &Expr) -> Option<&str> {
    match side {
        Expr::Column(column) => Some(column.name()),
        Expr::Cast(cast) => match (&*cast.expr, cast.field.data_type()) {
            (Expr::Column(column), to) if to.is_string() || to.is_binary() => Some(column.name()),
            _ => None,
        },
        _ => None,
    }
}

/// The column, seen through a cast to UTC, which keeps its bits.
fn time_column(side: &Expr) -> Option<&str> {
    match side {
        Expr::Cast(cast) => match (&*cast.expr, cast.field.data_type()) {
            (Expr::Column(column), DataType::Timestamp(TimeUnit::Nanosecond, zone))
                if zone.as_deref().is_none_or(|zone| matches!(zone, "+00:00" | "UTC" | "Z")) =>
            {
                Some(column.name())
            }
            _ => None,
        },
        side => column(side),
    }
}

fn constant(side: &Expr) -> Option<&ScalarValue> {
    match side {
        Expr::Literal(value, _) => Some(value),
        _ => None,
    }
}

fn constant_time(side: &Expr) -> Option<i64> {
    match constant(side)? {
        ScalarValue::TimestampNanosecond(time, _) => *time,
        _ => None,
    }
}

fn text(value: &ScalarValue) -> Option<&str> {
    match value {
        ScalarValue::Dictionary(_, value) => text(value),
        value => value.try_as_str().flatten(),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};

    use super::*;

    fn at(time: i64) -> Expr {
        lit(ScalarValue::TimestampNanosecond(Some(time), None))
    }

    fn spans(filter: Expr) -> Bounds {
        bounds(Table::Spans, &[filter])
    }

    #[test]
    fn times_bound_the_range() {
        let all = Bounds { from: i64::MIN, to: i64::MAX, prune: Prune::All };
        assert_eq!(
            spans(col("start_time").gt_eq(at(5)).and(col("start_time").lt(at(9)))),
            Bounds { from: 5, to: 10, ..all.clone() }
        );
        assert_eq!(spans(at(5).lt_eq(col("start_time"))), Bounds { from: 5, ..all.clone() });
        assert_eq!(spans(col("start_time").between(at(1), at(3))), Bounds { from: 1, to: 4, ..all.clone() });
        assert_eq!(spans(col("start_time").gt(at(5)).or(col("name").eq(lit("x")))), all);
        assert_eq!(spans(col("received_time").gt(at(5))), all);
        assert_eq!(spans(col("start_time").lt_eq(at(i64::MAX))), all);
    }

    #[test]
    fn equalities_become_terms() {
        let cart = Prune::tag(":service", "cart");
        assert_eq!(spans(col("service_name").eq(lit("cart"))).prune, cart);
        let dictionary =
            ScalarValue::Dictionary(Box::new(DataType::Int32), Box::new(ScalarValue::Utf8(Some("cart".to_owned()))));
        assert_eq!(spans(lit(dictionary).eq(col("service_name"))).prune, cart);
        assert_eq!(spans(col("service_name").not_eq(lit("cart"))).prune, Prune::All);
        assert_eq!(spans(col("status_message").eq(lit("x"))).prune, Prune::All);
        let any = Prune::Any(vec![Prune::tag(":name", "a"), Prune::tag(":name", "b")]);
        assert_eq!(spans(col("name").in_list(vec![lit("a"), lit("b")], false)).prune, any);
        let either = col("name").eq(lit("a")).or(col("name").eq(lit("b")));
        assert_eq!(spans(either.clone()).prune, any);
        assert_eq!(spans(either.or(col("duration").gt(lit(5)))).prune, Prune::All);
        let trace = lit(ScalarValue::FixedSizeBinary(16, Some(vec![7; 16])));
        assert_eq!(spans(col("trace_id").eq(trace)).prune, Prune::trace(TraceId([7; 16])));
    }
}
