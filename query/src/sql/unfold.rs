//! How large a plan is when everything that is named once and used often is written out.
//!
//! A short text can stand for a large expression: `x + x AS x` doubles each time that it is done to the
//! result of the last, and a filter above all of them is written out in terms of the table. So plans
//! are measured before the optimizer gets them. (Names that double are counted in [`super::guard`],
//! because even the planner writes them out.)

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result, plan_err};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::{Between, Expr, LogicalPlan};

/// Nodes of a plan, subqueries included.
const MOST_NODES: usize = 1_000;

/// Parts of the expressions of one node, written out in terms of the tables' columns.
const MOST_PARTS: usize = 1 << 15;

/// Functions that the optimizer replaces by a CASE in which the arguments occur twice.
const DOUBLING: &[&str] = &["coalesce", "nullif", "nvl", "nvl2"];

/// Fails where the plan is too large written out.
pub(super) fn check(plan: &LogicalPlan) -> Result<()> {
    let mut nodes = 0usize;
    plan.apply_with_subqueries(|_| {
        nodes += 1;
        Ok(if nodes > MOST_NODES { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    if nodes > MOST_NODES {
        return plan_err!("the query has more than {MOST_NODES} steps with each WITH written out");
    }
    parts(plan).map(|_| ())
}

/// For each column of the plan: the parts that it consists of.
fn parts(plan: &LogicalPlan) -> Result<Vec<usize>> {
    let inputs = plan.inputs().into_iter().map(|input| Ok((input, parts(input)?))).collect::<Result<Vec<_>>>()?;
    let find = |column: &Column| {
        let found = inputs
            .iter()
            .find_map(|(input, parts)| input.schema().maybe_index_of_column(column).and_then(|at| parts.get(at)));
        found.copied().unwrap_or(1)
    };
    let mut own = plan.expressions().iter().map(|expr| parts_of(expr, &find)).collect::<Result<Vec<_>>>()?;
    if own.iter().fold(0usize, |sum, parts| sum.saturating_add(*parts)) > MOST_PARTS {
        return plan_err!("columns are computed of each other too often: over {MOST_PARTS} parts written out");
    }
    let columns = plan.schema().fields().len();
    let mut through: Vec<usize> = inputs.iter().flat_map(|(_, parts)| parts.iter().copied()).collect();
    let widest = through.iter().chain(&own).copied().max().unwrap_or(1);
    Ok(match plan {
        LogicalPlan::Projection(_) => own,
        LogicalPlan::Window(_) => {
            through.append(&mut own);
            through
        }
        LogicalPlan::Aggregate(_) => vec![widest; columns],
        _ if through.len() == columns => through,
        _ => vec![widest; columns],
    })
}

fn parts_of(expr: &Expr, find: &impl Fn(&Column) -> usize) -> Result<usize> {
    let twice = |args: &[&Expr]| -> Result<usize> {
        let mut sum = 1usize;
        for arg in args {
            sum = sum.saturating_add(parts_of(arg, find)?.saturating_mul(2));
        }
        Ok(sum)
    };
    let mut sum = 0usize;
    expr.apply(|part| {
        let (parts, further) = match part {
            Expr::Column(column) => (find(column), TreeNodeRecursion::Continue),
            Expr::ScalarFunction(call) if DOUBLING.contains(&call.func.name()) => {
                (twice(&call.args.iter().collect::<Vec<_>>())?, TreeNodeRecursion::Jump)
            }
            Expr::Between(Between { expr, low, high, .. }) => (twice(&[expr, low, high])?, TreeNodeRecursion::Jump),
            Expr::ScalarSubquery(subquery)
            | Expr::Exists(Exists { subquery, .. })
            | Expr::InSubquery(InSubquery { subquery, .. }) => {
                self::parts(&subquery.subquery)?;
                (1, TreeNodeRecursion::Continue)
            }
            _ => (1, TreeNodeRecursion::Continue),
        };
        sum = sum.saturating_add(parts);
        Ok(further)
    })?;
    Ok(sum)
}
