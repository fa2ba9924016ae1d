//! The tree as TraceQL text, which parses to the same tree. The short form's own conditions, which
//! TraceQL lacks, print in the short form's words.

use std::fmt::{Display, Formatter, Result, Write};

use super::*;

/// Words of OTLP StatusCode, by number.
pub const STATUS: [&str; 3] = ["unset", "ok", "error"];

/// Words of OTLP SpanKind, by number.
pub const KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];

impl Display for Spanset {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Filter(expr) if *expr == Expr::TRUE => f.write_str("{ }"),
            Self::Filter(expr) => write!(f, "{{ {expr} }}"),
            Self::And(parts) => joined(f, parts, " && ", |f, part| write!(f, "({part})")),
            Self::Or(parts) => joined(f, parts, " || ", |f, part| write!(f, "({part})")),
            Self::Related(relation, left, right) => write!(f, "({left}) {relation} ({right})"),
            Self::Pipeline(stages) => joined(f, stages, " | ", |f, stage| stage.fmt(f)),
        }
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Spanset(spanset @ Spanset::Pipeline(_)) => write!(f, "({spanset})"),
            Self::Spanset(spanset) => spanset.fmt(f),
            Self::Scalar(left, op, right) => write!(f, "{left} {op} {right}"),
            Self::By(expr) => write!(f, "by({expr})"),
            Self::Select(fields) => {
                f.write_str("select(")?;
                joined(f, fields, ", ", |f, field| field.fmt(f))?;
                f.write_char(')')
            }
            Self::Coalesce => f.write_str("coalesce()"),
        }
    }
}

impl Display for Scalar {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Literal(value) => value.fmt(f),
            Self::Count => f.write_str("count()"),
            Self::Aggregate(aggregate, expr) => write!(f, "{}({expr})", aggregate.name()),
            Self::Arithmetic(op, left, right) => write!(f, "({left} {op} {right})"),
            Self::Pipeline(stages, scalar) => {
                f.write_char('(')?;
                joined(f, stages, " | ", |f, stage| stage.fmt(f))?;
                write!(f, " | {scalar})")
            }
        }
    }
}

impl Aggregate {
    pub fn name(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Max => "max",
            Self::Avg => "avg",
            Self::Sum => "sum",
        }
    }
}

impl Display for Relation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self.mode {
            RelationMode::Right => "",
            RelationMode::Not => "!",
            RelationMode::Both => "&",
        })?;
        f.write_str(match self.kind {
            RelationKind::Child => ">",
            RelationKind::Descendant => ">>",
            RelationKind::Parent => "<",
            RelationKind::Ancestor => "<<",
            RelationKind::Sibling => "~",
        })
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Literal(value) => value.fmt(f),
            Self::Field(field) => field.fmt(f),
            Self::Not(inner) => write!(f, "!({inner})"),
            Self::Negate(inner) => write!(f, "-({inner})"),
            Self::Arithmetic(op, left, right) => write!(f, "({left}) {op} ({right})"),
            Self::Compare(op, left, right) => write!(f, "({left}) {op} ({right})"),
            Self::Matches { value, pattern, negated } => {
                let op = if *negated { "!~" } else { "=~" };
                write!(f, "({value}) {op} ")?;
                quoted(f, pattern.source())
            }
            Self::All(parts) => joined(f, parts, " && ", |f, part| write!(f, "({part})")),
            Self::Any(parts) => joined(f, parts, " || ", |f, part| write!(f, "({part})")),
            Self::Tag { key, value } => {
                write!(f, "{key}=")?;
                quoted(f, value)
            }
            Self::TagCompare { key, op, value } => write!(f, "{key}{op}{value}"),
            Self::TagMatches { key, pattern } => {
                write!(f, "{key}~")?;
                quoted(f, pattern.source())
            }
            Self::TagExists(key) => write!(f, "{key}:*"),
            Self::NameContains(text) => quoted(f, text),
        }
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.parent {
            f.write_str("parent.")?;
        }
        let (scope, key) = match &self.name {
            Name::Intrinsic(intrinsic) => return f.write_str(intrinsic.name()),
            Name::Attribute(scope, key) => (scope, key),
        };
        f.write_str(match scope {
            Scope::Unscoped if self.parent => "",
            Scope::Unscoped => ".",
            Scope::Span => "span.",
            Scope::Resource => "resource.",
            Scope::Event => "event.",
            Scope::Link => "link.",
            Scope::Instrumentation => "instrumentation.",
        })?;
        let plain = key.starts_with(char::is_alphabetic)
            && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/'));
        // After `parent.` a bare word could be read as an intrinsic or a scope.
        if plain && !self.parent { f.write_str(key) } else { quoted(f, key) }
    }
}

impl Display for Static {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::String(value) => quoted(f, value),
            Self::Duration(ns) => write!(f, "{ns}ns"),
            Self::Status(code) => f.write_str(STATUS.get(*code as usize).unwrap_or(&"unset")),
            Self::Kind(kind) => f.write_str(KINDS.get(*kind as usize).unwrap_or(&"unspecified")),
        }
    }
}

impl Display for CompareOp {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
        })
    }
}

impl Display for ArithmeticOp {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Power => "^",
        })
    }
}

fn joined<T>(f: &mut Formatter<'_>, parts: &[T], by: &str, print: impl Fn(&mut Formatter<'_>, &T) -> Result) -> Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(by)?;
        }
        print(f, part)?;
    }
    Ok(())
}

fn quoted(f: &mut Formatter<'_>, text: &str) -> Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}
