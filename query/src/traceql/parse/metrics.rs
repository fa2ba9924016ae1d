//! Metrics functions: series computed from spans.

use super::{Node, Parser};
use crate::QueryError;
use crate::traceql::ast::*;
use crate::traceql::bad;
use crate::traceql::lex::Token;

impl Parser {
    pub(super) fn metrics_function(&mut self, word: &str, at: usize, depth: usize) -> Result<Node, QueryError> {
        use MetricsFunction::*;
        let function = match word {
            "rate" => self.no_arguments().map(|()| Rate)?,
            "count_over_time" => self.no_arguments().map(|()| CountOverTime)?,
            "min_over_time" => MinOverTime(self.one_field()?),
            "max_over_time" => MaxOverTime(self.one_field()?),
            "avg_over_time" => AvgOverTime(self.one_field()?),
            "sum_over_time" => SumOverTime(self.one_field()?),
            "histogram_over_time" => HistogramOverTime(self.one_field()?),
            "quantile_over_time" => self.quantiles()?,
            "compare" => self.comparison(depth)?,
            "topk" | "bottomk" => return self.rank(word == "topk"),
            _ => return Err(bad(at, format!("`{word}` is not known"))),
        };
        let by = if self.eat(&Token::Word("by".to_owned())) { self.fields()? } else { Vec::new() };
        Ok(Node::Metrics(Metrics::Range { input: Vec::new(), function, by }))
    }

    fn one_field(&mut self) -> Result<Field, QueryError> {
        self.expect(Token::OpenParen, "`(`")?;
        let field = self.field()?;
        self.expect(Token::CloseParen, "`)`")?;
        Ok(field)
    }

    fn quantiles(&mut self) -> Result<MetricsFunction, QueryError> {
        self.expect(Token::OpenParen, "`(`")?;
        let field = self.field()?;
        let mut quantiles = Vec::new();
        while self.eat(&Token::Comma) {
            let at = self.position();
            match self.next() {
                Token::Literal(Static::Int(value @ 0..=1)) => quantiles.push(value as f64),
                Token::Literal(Static::Float(value)) if (0.0..=1.0).contains(&value) => quantiles.push(value),
                _ => return Err(bad(at, "a quantile is a number from 0 to 1")),
            }
        }
        if quantiles.is_empty() {
            return Err(self.unexpected("`,` and a quantile"));
        }
        self.expect(Token::CloseParen, "`)`")?;
        Ok(MetricsFunction::QuantileOverTime(field, quantiles))
    }

    /// `compare({ selection }, top, start, end)`
    fn comparison(&mut self, depth: usize) -> Result<MetricsFunction, QueryError> {
        self.expect(Token::OpenParen, "`(`")?;
        self.expect(Token::Open, "`{`")?;
        let selection = Spanset::Filter(self.filter(depth + 1)?);
        let mut numbers = Vec::new();
        while self.eat(&Token::Comma) {
            let at = self.position();
            match self.next() {
                Token::Literal(Static::Int(number)) if numbers.len() < 3 => numbers.push(number),
                _ => return Err(bad(at, "`compare` takes a count, a start and an end")),
            }
        }
        self.expect(Token::CloseParen, "`)`")?;
        Ok(MetricsFunction::Compare(Box::new(selection), numbers))
    }

    fn rank(&mut self, top: bool) -> Result<Node, QueryError> {
        self.expect(Token::OpenParen, "`(`")?;
        let at = self.position();
        let count = match self.next() {
            Token::Literal(Static::Int(count @ 1..)) => count as u64,
            _ => return Err(bad(at, "how many series to keep: a whole number above 0")),
        };
        self.expect(Token::CloseParen, "`)`")?;
        Ok(Node::Metrics(Metrics::Rank { input: None, top, count }))
    }
}

/// Whether it says where its spans come from.
pub(super) fn complete(metrics: &Metrics) -> bool {
    match metrics {
        Metrics::Range { input, .. } => !input.is_empty(),
        Metrics::Rank { input, .. } => input.is_some(),
        Metrics::Keep(inner, ..) => complete(inner),
        Metrics::Arithmetic(..) | Metrics::Literal(_) => true,
    }
}

/// `spans | metrics`
pub(super) fn after_spans(metrics: Metrics, stages: Vec<Stage>, at: usize) -> Result<Metrics, QueryError> {
    match metrics {
        Metrics::Range { input, function, by } if input.is_empty() => {
            Ok(Metrics::Range { input: stages, function, by })
        }
        Metrics::Keep(inner, op, value) => Ok(Metrics::Keep(Box::new(after_spans(*inner, stages, at)?), op, value)),
        _ => Err(bad(at, "this function needs spans before it")),
    }
}

/// `metrics | topk(n)`
pub(super) fn after_metrics(metrics: Metrics, before: Metrics, at: usize) -> Result<Metrics, QueryError> {
    if !complete(&before) || compares(&before) {
        return Err(bad(at, "`topk` and `bottomk` need series before them"));
    }
    match metrics {
        Metrics::Rank { input: None, top, count } => Ok(Metrics::Rank { input: Some(Box::new(before)), top, count }),
        Metrics::Keep(inner, op, value) => Ok(Metrics::Keep(Box::new(after_metrics(*inner, before, at)?), op, value)),
        _ => Err(bad(at, "only `topk` and `bottomk` can follow a metrics function")),
    }
}

/// `metrics > number`
pub(super) fn keep(metrics: Metrics, op: CompareOp, value: Static, at: usize) -> Result<Metrics, QueryError> {
    if compares(&metrics) {
        return Err(bad(at, "the series of `compare` cannot be compared with a number"));
    }
    Ok(Metrics::Keep(Box::new(metrics), op, value))
}

pub(super) fn arithmetic(op: ArithmeticOp, left: Metrics, right: Metrics, at: usize) -> Result<Metrics, QueryError> {
    if matches!(op, ArithmeticOp::Modulo | ArithmeticOp::Power) {
        return Err(bad(at, "series take `+`, `-`, `*` and `/`"));
    }
    if [&left, &right].iter().any(|side| !complete(side) || compares(side)) {
        return Err(bad(at, "arithmetic takes whole metrics queries in parentheses, and numbers"));
    }
    Ok(Metrics::Arithmetic(op, Box::new(left), Box::new(right)))
}

/// Whether it is, below filters and ranks, the function `compare`.
fn compares(metrics: &Metrics) -> bool {
    match metrics {
        Metrics::Range { function, .. } => matches!(function, MetricsFunction::Compare(..)),
        Metrics::Rank { input, .. } => input.as_deref().is_some_and(compares),
        Metrics::Keep(inner, ..) => compares(inner),
        Metrics::Arithmetic(..) | Metrics::Literal(_) => false,
    }
}
