//! What the index may skip for an expression.
//!
//! Each rule errs on the side of reading: a row that satisfies the expression lies in a block that
//! satisfies the derived [`Prune`]. So a negation prunes nothing, and a number is asked for in every
//! way in which an equal value can be written.

use storage::ids::TraceId;
use storage::terms::{Prune, intrinsic};

use super::value::spellings;
use crate::traceql::ast::*;

/// Blocks in which some span can satisfy `expr`.
pub fn of_span(expr: &Expr) -> Prune {
    match expr {
        Expr::All(parts) => every(parts.iter().map(of_span)),
        Expr::Any(parts) => any(parts.iter().map(of_span)),
        Expr::Field(Field { parent: false, name: Name::Attribute(_, key) }) => Prune::tag(key, "true"),
        Expr::Compare(op, left, right) => {
            match (&**left, &**right) {
                (Expr::Literal(Static::Nil), field) | (field, Expr::Literal(Static::Nil)) => {
                    if *op == CompareOp::NotEqual { operand(field) } else { Prune::All }
                }
                (Expr::Field(field), Expr::Literal(value)) | (Expr::Literal(value), Expr::Field(field))
                    if *op == CompareOp::Equal && !field.parent =>
                {
                    equal(&field.name, value)
                }
                (left, right) => every([left, right].into_iter().map(operand)),
            }
        }
        Expr::Matches { value, .. } => operand(value),
        Expr::Tag { key, value } => loosely(key, value),
        Expr::TagCompare { key, .. } | Expr::TagMatches { key, .. } | Expr::TagExists(key) => {
            exists(&["span", "resource", "scope", "event", "link"], key)
        }
        _ => Prune::All,
    }
}

/// Blocks in which some attribute `key` of any scope reads as `value`.
pub fn loosely(key: &str, value: &str) -> Prune {
    let as_text = Prune::tag(key, value);
    match value.parse::<f64>() {
        Ok(number) if number.is_finite() => match spellings(number) {
            Some(spellings) => any([as_text].into_iter().chain(spellings.iter().map(|text| Prune::tag(key, text)))),
            None => Prune::All,
        },
        // An array or a map as a whole: the index knows their elements.
        _ if value.starts_with(['[', '{']) => Prune::All,
        _ => as_text,
    }
}

/// Blocks in which an attribute `key` is there in one of these scopes.
pub fn exists(scopes: &[&str], key: &str) -> Prune {
    any(scopes.iter().map(|scope| Prune::key(scope, key)))
}

/// All of these; what excludes nothing is left out.
pub fn every(parts: impl Iterator<Item = Prune>) -> Prune {
    let mut parts: Vec<Prune> = parts.filter(|part| *part != Prune::All).collect();
    match parts.len() {
        0 => Prune::All,
        1 => parts.swap_remove(0),
        _ => Prune::Every(parts),
    }
}

/// Any of these; one that excludes nothing makes the whole so.
pub fn any(parts: impl Iterator<Item = Prune>) -> Prune {
    let mut distinct: Vec<Prune> = Vec::new();
    for part in parts {
        if part == Prune::All || distinct.len() > MOST_TERMS {
            return Prune::All;
        }
        if !distinct.contains(&part) {
            distinct.push(part);
        }
    }
    match distinct.len() {
        0 => Prune::All,
        1 => distinct.swap_remove(0),
        _ => Prune::Any(distinct),
    }
}

/// More alternatives than this are dearer to look up than to read.
const MOST_TERMS: usize = 256;

fn equal(name: &Name, value: &Static) -> Prune {
    match name {
        Name::Intrinsic(name) => intrinsic_equal(*name, value),
        Name::Attribute(_, key) => match value {
            Static::String(text) => Prune::tag(key, text),
            Static::Bool(value) => Prune::tag(key, if *value { "true" } else { "false" }),
            Static::Int(value) | Static::Duration(value) => whole(key, *value),
            Static::Float(value) => {
                let spelled = |spellings: Vec<String>| any(spellings.iter().map(|text| Prune::tag(key, text)));
                spellings(*value).map_or(Prune::All, spelled)
            }
            // No attribute is of these types; nil asks for those that are missing.
            Static::Nil | Static::Status(_) | Static::Kind(_) => Prune::All,
        },
    }
}

/// An int equals itself, and the double nearest to it.
fn whole(key: &str, value: i64) -> Prune {
    let nearest = value as f64;
    let texts = spellings(nearest).unwrap_or_else(|| vec![value.to_string(), format!("{nearest:?}")]);
    any(texts.iter().map(|text| Prune::tag(key, text)))
}

fn intrinsic_equal(name: Intrinsic, value: &Static) -> Prune {
    let key = match name {
        Intrinsic::Service => intrinsic::SERVICE,
        Intrinsic::Name => intrinsic::NAME,
        Intrinsic::Kind => intrinsic::KIND,
        Intrinsic::Status => intrinsic::STATUS,
        Intrinsic::Role => intrinsic::ROLE,
        Intrinsic::Peer => intrinsic::PEER,
        Intrinsic::Protocol => intrinsic::PROTOCOL,
        Intrinsic::Operation => intrinsic::OPERATION,
        Intrinsic::Outcome => intrinsic::OUTCOME,
        Intrinsic::EventName => intrinsic::EVENT_NAME,
        Intrinsic::TraceId => return trace(value),
        _ => return Prune::All,
    };
    match value {
        // A missing column reads as the empty text, and has no term.
        Static::String(text) if !text.is_empty() => Prune::tag(key, text),
        Static::Status(number) | Static::Kind(number) => Prune::tag(key, &number.to_string()),
        _ => Prune::All,
    }
}

fn trace(value: &Static) -> Prune {
    match value {
        Static::String(text) => text.parse::<TraceId>().map_or(Prune::All, Prune::trace),
        _ => Prune::All,
    }
}

/// A comparison holds only where the attributes that it computes with are there.
fn operand(expr: &Expr) -> Prune {
    match expr {
        Expr::Field(Field { parent: false, name: Name::Attribute(scope, key) }) => {
            let scopes: &[&str] = match scope {
                Scope::Unscoped => &["span", "resource"],
                Scope::Span => &["span"],
                Scope::Resource => &["resource"],
                Scope::Event => &["event"],
                Scope::Link => &["link"],
                Scope::Instrumentation => &["scope"],
            };
            exists(scopes, key)
        }
        Expr::Negate(inner) => operand(inner),
        Expr::Arithmetic(_, left, right) => every([left, right].into_iter().map(|side| operand(side))),
        _ => Prune::All,
    }
}
