//! The operator `||` of texts as a function, because operators cannot be watched. Null with anything
//! is null.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::StringBuilder;
use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::texts::Texts;

/// Nobody can call it by this name.
pub(super) const NAME: &str = "||";

/// Plans `||`.
#[derive(Debug)]
pub(super) struct Planner;

impl ExprPlanner for Planner {
    fn plan_binary_op(&self, expr: RawBinaryExpr, _: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        if expr.op != BinaryOperator::StringConcat {
            return Ok(PlannerResult::Original(expr));
        }
        let concat = ScalarUDF::from(Concat(Signature::user_defined(Volatility::Immutable)));
        Ok(PlannerResult::Planned(concat.call(vec![expr.left, expr.right])))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Concat(Signature);

impl ScalarUDFImpl for Concat {
    fn name(&self) -> &str {
        NAME
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let names: Vec<String> = args.iter().map(|arg| arg.schema_name().to_string()).collect();
        Ok(names.join(" || "))
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    /// Numbers, times and encoded texts are written out as text.
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [_, _] if types.iter().any(is_text) || types.iter().all(DataType::is_null) => Ok(vec![DataType::Utf8; 2]),
            _ => plan_err!("|| joins texts or lists; use CAST(… AS VARCHAR), or hex for bytes"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = &args.args[..] else { return exec_err!("|| takes two arguments") };
        let (left, right) = (Texts::of(left)?, Texts::of(right)?);
        if let (Texts::Same(left), Texts::Same(right)) = (&left, &right) {
            let joined = left.as_ref().zip(right.as_ref()).map(|(left, right)| format!("{left}{right}"));
            return Ok(ColumnarValue::Scalar(ScalarValue::Utf8(joined)));
        }
        let mut joined = StringBuilder::new();
        for row in 0..args.number_rows {
            match left.get(row).zip(right.get(row)) {
                Some((left, right)) => {
                    joined.write_str(left)?;
                    joined.write_str(right)?;
                    joined.append_value("");
                }
                None => joined.append_null(),
            }
        }
        Ok(ColumnarValue::Array(Arc::new(joined.finish())))
    }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        other => other.is_string(),
    }
}
