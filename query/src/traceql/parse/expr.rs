//! Conditions inside braces, checked for types as they are built.

use super::{Parser, precedence};
use crate::QueryError;
use crate::traceql::ast::*;
use crate::traceql::lex::Token;
use crate::traceql::{MAX_DEPTH, bad};

/// An expression, what it can be, and how deep its tree is.
pub(super) struct Typed {
    pub(super) expr: Expr,
    kind: Kind,
    depth: usize,
}

/// Types of TraceQL; ints, floats and durations compare with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An attribute: known when it is read.
    Unknown,
    Nil,
    Bool,
    Number,
    Text,
    Status,
    /// Of a span: server, client and so on.
    Role,
}

impl Typed {
    pub(super) fn is_number(&self) -> bool {
        matches!(self.kind, Kind::Number | Kind::Unknown)
    }

    fn is_bool(&self) -> bool {
        matches!(self.kind, Kind::Bool | Kind::Unknown)
    }

    fn leaf(expr: Expr, kind: Kind) -> Self {
        Self { expr, kind, depth: 1 }
    }
}

impl Parser {
    /// What follows `{`, to the closing brace; empty braces take every span.
    pub(super) fn filter(&mut self, depth: usize) -> Result<Expr, QueryError> {
        if self.eat(&Token::Close) {
            return Ok(Expr::TRUE);
        }
        let at = self.position();
        let typed = self.expr(0, depth + 1)?;
        self.expect(Token::Close, "`}` or an operator")?;
        if !typed.is_bool() {
            return Err(bad(at, "the condition in braces is neither true nor false"));
        }
        Ok(typed.expr)
    }

    pub(super) fn expr(&mut self, least: u8, depth: usize) -> Result<Typed, QueryError> {
        self.nest(depth)?;
        let mut left = self.unary(depth)?;
        let mut joined = None;
        loop {
            let (operator, at) = (self.peek().clone(), self.position());
            let precedence = if operator == Token::Matches { Some(2) } else { precedence(&operator) };
            let Some(precedence) = precedence.filter(|precedence| *precedence >= least) else { return Ok(left) };
            self.next();
            let power = operator == Token::Arithmetic(ArithmeticOp::Power);
            let right = self.expr(if power { precedence } else { precedence + 1 }, depth + 1)?;
            let same = joined.as_ref() == Some(&operator);
            left = join(&operator, left, right, same, at)?;
            if left.depth > MAX_DEPTH {
                return Err(bad(at, "the query is nested too deep"));
            }
            joined = Some(operator);
        }
    }

    fn unary(&mut self, depth: usize) -> Result<Typed, QueryError> {
        let at = self.position();
        match self.peek().clone() {
            Token::Not => {
                self.next();
                let inner = self.expr(4, depth + 1)?;
                if !inner.is_bool() {
                    return Err(bad(at, "`!` takes a condition"));
                }
                Ok(Typed { depth: inner.depth + 1, expr: Expr::Not(Box::new(inner.expr)), kind: Kind::Bool })
            }
            Token::Arithmetic(ArithmeticOp::Subtract) => {
                self.next();
                let inner = self.expr(4, depth + 1)?;
                if !inner.is_number() {
                    return Err(bad(at, "`-` takes a number"));
                }
                let expr = match inner.expr {
                    Expr::Literal(number) => Expr::Literal(negated(number)),
                    expr => Expr::Negate(Box::new(expr)),
                };
                Ok(Typed { expr, kind: Kind::Number, depth: inner.depth + 1 })
            }
            Token::OpenParen => {
                self.next();
                let inner = self.expr(0, depth + 1)?;
                self.expect(Token::CloseParen, "`)` or an operator")?;
                Ok(inner)
            }
            Token::Literal(literal) => {
                self.next();
                let kind = kind_of(&literal);
                Ok(Typed::leaf(Expr::Literal(literal), kind))
            }
            Token::Field(field) => {
                self.next();
                let kind = match &field.name {
                    Name::Attribute(..) => Kind::Unknown,
                    Name::Intrinsic(intrinsic) => kind_of_intrinsic(*intrinsic),
                };
                Ok(Typed::leaf(Expr::Field(field), kind))
            }
            _ => Err(self.unexpected("a condition")),
        }
    }
}

fn join(operator: &Token, left: Typed, right: Typed, same: bool, at: usize) -> Result<Typed, QueryError> {
    let depth = left.depth.max(right.depth) + 1;
    match operator {
        Token::And | Token::Or => {
            if !left.is_bool() || !right.is_bool() {
                return Err(bad(at, "both sides must be conditions"));
            }
            let and = *operator == Token::And;
            let (parts, depth) = match left.expr {
                Expr::All(parts) if same && and => (parts, left.depth.max(right.depth + 1)),
                Expr::Any(parts) if same && !and => (parts, left.depth.max(right.depth + 1)),
                left => (vec![left], depth),
            };
            let mut parts = parts;
            parts.push(right.expr);
            Ok(Typed { expr: if and { Expr::All(parts) } else { Expr::Any(parts) }, kind: Kind::Bool, depth })
        }
        Token::Compare(op) => {
            check_compare(*op, &left, &right, at)?;
            let expr = Expr::Compare(*op, Box::new(left.expr), Box::new(right.expr));
            Ok(Typed { expr, kind: Kind::Bool, depth })
        }
        Token::Matches | Token::NotTilde => {
            let Expr::Literal(Static::String(source)) = right.expr else {
                return Err(bad(at, "a regular expression stands in quotes"));
            };
            if !matches!(left.kind, Kind::Text | Kind::Unknown) {
                return Err(bad(at, "only text matches a regular expression"));
            }
            let pattern = Pattern::whole(&source).map_err(|error| bad(at, error.to_string()))?;
            let negated = *operator == Token::NotTilde;
            Ok(Typed { expr: Expr::Matches { value: Box::new(left.expr), pattern, negated }, kind: Kind::Bool, depth })
        }
        Token::Arithmetic(op) => {
            if !left.is_number() || !right.is_number() {
                return Err(bad(at, "both sides must be numbers"));
            }
            let expr = Expr::Arithmetic(*op, Box::new(left.expr), Box::new(right.expr));
            Ok(Typed { expr, kind: Kind::Number, depth })
        }
        _ => Err(bad(at, "this operator joins spansets, not conditions")),
    }
}

fn check_compare(op: CompareOp, left: &Typed, right: &Typed, at: usize) -> Result<(), QueryError> {
    let equality = matches!(op, CompareOp::Equal | CompareOp::NotEqual);
    if left.kind == Kind::Nil || right.kind == Kind::Nil {
        let other = if left.kind == Kind::Nil { right } else { left };
        let comparable = match &other.expr {
            Expr::Literal(literal) => *literal == Static::Nil,
            Expr::Field(field) => op == CompareOp::NotEqual || !always_there(field),
            _ => false,
        };
        return if equality && comparable { Ok(()) } else { Err(bad(at, "this cannot be compared with nil")) };
    }
    let [left, right] = [left.kind, right.kind];
    if left != right && left != Kind::Unknown && right != Kind::Unknown {
        return Err(bad(at, "values of different types are never equal"));
    }
    let ordered = [left, right].iter().all(|kind| matches!(kind, Kind::Number | Kind::Text | Kind::Unknown));
    if !equality && !ordered {
        return Err(bad(at, "these values have no order"));
    }
    Ok(())
}

/// Tempo refuses `= nil` for what every span has.
fn always_there(field: &Field) -> bool {
    match &field.name {
        Name::Intrinsic(_) => true,
        Name::Attribute(scope, key) => *scope == Scope::Resource && key == "service.name",
    }
}

fn kind_of(literal: &Static) -> Kind {
    match literal {
        Static::Nil => Kind::Nil,
        Static::Bool(_) => Kind::Bool,
        Static::Int(_) | Static::Float(_) | Static::Duration(_) => Kind::Number,
        Static::String(_) => Kind::Text,
        Static::Status(_) => Kind::Status,
        Static::Kind(_) => Kind::Role,
    }
}

fn kind_of_intrinsic(intrinsic: Intrinsic) -> Kind {
    use Intrinsic as I;
    match intrinsic {
        I::Duration | I::TraceDuration | I::EventTime | I::ChildCount => Kind::Number,
        I::NestedSetLeft | I::NestedSetRight | I::NestedSetParent => Kind::Number,
        I::Kind => Kind::Role,
        I::Status => Kind::Status,
        _ => Kind::Text,
    }
}

pub(super) fn negated(number: Static) -> Static {
    match number {
        Static::Int(value) => Static::Int(value.wrapping_neg()),
        Static::Float(value) => Static::Float(-value),
        Static::Duration(value) => Static::Duration(value.wrapping_neg()),
        other => other,
    }
}

/// Numbers outside braces; durations take no part in arithmetic there, as in Tempo.
pub(super) fn fold_numbers(op: ArithmeticOp, left: &Static, right: &Static) -> Option<Static> {
    let float = |value: &Static| match value {
        Static::Int(value) => Some(*value as f64),
        Static::Float(value) => Some(*value),
        _ => None,
    };
    let (left, right) = (float(left)?, float(right)?);
    let value = match op {
        ArithmeticOp::Add => left + right,
        ArithmeticOp::Subtract => left - right,
        ArithmeticOp::Multiply => left * right,
        ArithmeticOp::Divide => left / right,
        ArithmeticOp::Modulo => left % right,
        ArithmeticOp::Power => left.powf(right),
    };
    value.is_finite().then_some(Static::Float(value))
}
