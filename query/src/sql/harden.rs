//! Makes a logical plan safe to run: every function in it is [`Bounded`], and what could take much
//! memory in one step is refused.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::expr::{AggregateFunction, NullTreatment, ScalarFunction, WindowFunction};
use datafusion::logical_expr::{
    BinaryExpr, Expr, GroupingSet, LogicalPlan, Operator, ScalarUDF, WindowFunctionDefinition,
};

use super::bounded::Bounded;
use super::growth::Growth;
use super::sizes;
use super::watch::{BATCH_ROWS, MOST_SCALAR, Watch, exhausted};

/// Longest constant, bytes.
const MOST_CONSTANT: usize = 64 << 10;

/// All constants of one step that may be copied into every row: a batch of them takes 64 MiB.
const MOST_CONSTANTS: usize = (64 << 20) / BATCH_ROWS;

/// Grouping sets of one GROUP BY: each goes through all rows of a batch at once.
const MOST_GROUPING_SETS: usize = 64;

/// Widest value of a type whose values have all the same length.
const MOST_FIXED: i32 = 64;

/// Centroids of an estimated percentile; they are allocated at once.
const MOST_CENTROIDS: i64 = 10_000;

/// Aggregates whose value is small and at hand after each row. The others would have to build it
/// again for every row of a window.
const WINDOW_AGGREGATES: &[&str] = &[
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "covar_pop",
    "covar_samp",
    "first_value",
    "last_value",
    "max",
    "min",
    "nth_value",
    "stddev",
    "stddev_pop",
    "sum",
    "var",
    "var_pop",
];

/// The plan with bounded functions, its subqueries included. Types and names stay what they are.
pub(super) fn harden(plan: LogicalPlan, watch: &Arc<Watch>) -> Result<LogicalPlan> {
    let hardened = plan.transform_up_with_subqueries(|node| {
        if matches!(node, LogicalPlan::Unnest(_)) {
            return plan_err!("unnest is not available");
        }
        if !matches!(node, LogicalPlan::Values(_)) {
            let constants = node.expressions().iter().map(constants).sum::<Result<usize>>()?;
            if constants > MOST_CONSTANTS {
                return exhausted(format!("{constants} bytes of constants in one step, over {MOST_CONSTANTS}"));
            }
        }
        node.map_expressions(|expr| Ok(Transformed::yes(expression(expr, watch)?)))
    })?;
    Ok(hardened.data)
}

/// The expression with bounded functions.
pub(super) fn expression(expr: Expr, watch: &Arc<Watch>) -> Result<Expr> {
    let hardened = expr.transform_up(|part| {
        check(&part)?;
        Ok(match part {
            Expr::ScalarFunction(ScalarFunction { func, args }) if !is_bounded(&func) => {
                let Some(growth) = Growth::of(func.name()) else {
                    return plan_err!("the function {} is not available", func.name());
                };
                let func = Arc::new(Bounded::new(func, growth, watch.clone()).into());
                Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args }))
            }
            part => Transformed::no(part),
        })
    })?;
    Ok(hardened.data)
}

fn is_bounded(function: &ScalarUDF) -> bool {
    function.inner().is::<Bounded>()
}

/// Refuses what could take much memory or time in one step.
fn check(part: &Expr) -> Result<()> {
    match part {
        Expr::Literal(value, _) => match sizes::scalar(value)? {
            bytes if bytes > MOST_CONSTANT => exhausted(format!("a constant of {bytes} bytes, over {MOST_CONSTANT}")),
            _ => Ok(()),
        },
        Expr::Cast(cast) => check_type(cast.field.data_type()),
        Expr::TryCast(cast) => check_type(cast.field.data_type()),
        Expr::GroupingSet(sets) => match sets_of(sets) {
            count if count > MOST_GROUPING_SETS => {
                plan_err!("{count} grouping sets are too many: at most {MOST_GROUPING_SETS}")
            }
            _ => Ok(()),
        },
        Expr::AggregateFunction(function) => check_percentile(function),
        Expr::WindowFunction(window) => check_window(window),
        Expr::BinaryExpr(BinaryExpr { op: Operator::StringConcat, .. }) => {
            internal_err!("an operator || that is not watched")
        }
        Expr::Unnest(_) | Expr::HigherOrderFunction(_) | Expr::Lambda(_) => {
            plan_err!("unnest and functions of functions are not available")
        }
        _ => Ok(()),
    }
}

/// A null of a wide type is as wide as its values.
fn check_type(data_type: &DataType) -> Result<()> {
    match data_type {
        DataType::FixedSizeList(_, length) | DataType::FixedSizeBinary(length) if *length > MOST_FIXED => {
            plan_err!("{data_type} is wider than {MOST_FIXED}")
        }
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            check_type(field.data_type())
        }
        DataType::Dictionary(_, values) => check_type(values),
        DataType::Struct(fields) => fields.iter().try_for_each(|field| check_type(field.data_type())),
        _ => Ok(()),
    }
}

fn sets_of(sets: &GroupingSet) -> usize {
    match sets {
        GroupingSet::Rollup(columns) => columns.len() + 1,
        GroupingSet::Cube(columns) => 1usize.checked_shl(columns.len() as u32).unwrap_or(usize::MAX),
        GroupingSet::GroupingSets(sets) => sets.len(),
    }
}

/// Refuses what would walk through the whole window for every row of it.
fn check_window(window: &WindowFunction) -> Result<()> {
    let name = window.fun.name();
    if matches!(window.fun, WindowFunctionDefinition::AggregateUDF(_)) && !WINDOW_AGGREGATES.contains(&name) {
        return plan_err!("{name} cannot be used with OVER");
    }
    if window.params.null_treatment == Some(NullTreatment::IgnoreNulls) && !matches!(name, "lag" | "lead") {
        return plan_err!("{name} cannot be used with IGNORE NULLS and OVER");
    }
    Ok(())
}

fn check_percentile(function: &AggregateFunction) -> Result<()> {
    if !function.func.name().starts_with("approx_percentile_cont") {
        return Ok(());
    }
    let counts = function.params.args.iter().filter_map(Expr::as_literal).filter_map(|value| match value {
        ScalarValue::Null | ScalarValue::Utf8(_) => None,
        value => match value.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(count)) => count,
            _ => Some(i64::MAX),
        },
    });
    match counts.max() {
        Some(count) if count > MOST_CENTROIDS => {
            plan_err!("{} takes at most {MOST_CENTROIDS} centroids", function.func.name())
        }
        _ => Ok(()),
    }
}

/// Bytes of the constants of an expression that may be copied into every row. What is only compared
/// with is not.
fn constants(expr: &Expr) -> Result<usize> {
    let copied = |side: &Expr| match side {
        Expr::Literal(..) => Ok(0),
        side => constants(side),
    };
    let mut sum = 0usize;
    expr.apply(|part| {
        let (bytes, further) = match part {
            Expr::Literal(value, _) => (sizes::scalar(value)?, TreeNodeRecursion::Jump),
            Expr::ScalarSubquery(subquery) => {
                let of =
                    subquery.subquery.schema().fields().first().and_then(|field| field.data_type().primitive_width());
                (of.unwrap_or(MOST_SCALAR), TreeNodeRecursion::Jump)
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if compares(*op) => {
                (copied(left)? + copied(right)?, TreeNodeRecursion::Jump)
            }
            Expr::Like(like) | Expr::SimilarTo(like) => {
                (copied(&like.expr)? + copied(&like.pattern)?, TreeNodeRecursion::Jump)
            }
            Expr::InList(list) => {
                let items = list.list.iter().map(copied).sum::<Result<usize>>()?;
                (copied(&list.expr)? + items, TreeNodeRecursion::Jump)
            }
            _ => (0, TreeNodeRecursion::Continue),
        };
        sum = sum.saturating_add(bytes);
        Ok(further)
    })?;
    Ok(sum)
}

fn compares(op: Operator) -> bool {
    use Operator::{
        Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq, RegexIMatch, RegexMatch, RegexNotIMatch,
        RegexNotMatch,
    };
    matches!(
        op,
        Eq | NotEq
            | Lt
            | LtEq
            | Gt
            | GtEq
            | IsDistinctFrom
            | IsNotDistinctFrom
            | RegexMatch
            | RegexIMatch
            | RegexNotMatch
            | RegexNotIMatch
    )
}
