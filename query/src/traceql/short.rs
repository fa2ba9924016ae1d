//! The short form: `service:cart operation:"GET /" duration>200ms error !http.status_code=200 "free text"`.
//!
//! Terms are joined by "and"; each is about the same span. A key that names no column is an attribute
//! of any scope, compared as text.

use super::ast::{CompareOp, Expr, Field, Intrinsic, Name, Pattern, Scope, Static};
use super::jaeger::{all_of, field, kind, status, tag};
use super::{bad, lex};
use crate::QueryError;

/// Terms of one query: far more than people type.
const MAX_TERMS: usize = 256;

pub(super) fn parse(text: &str) -> Result<Expr, QueryError> {
    let mut reader = Reader { text, at: 0 };
    let mut all = Vec::new();
    while let Some(term) = reader.term()? {
        if all.len() == MAX_TERMS {
            return Err(bad(reader.at, format!("a query may have at most {MAX_TERMS} terms")));
        }
        all.push(term);
    }
    Ok(all_of(all))
}

#[derive(Clone, Copy, PartialEq)]
enum Op {
    Compare(CompareOp),
    Matches,
    NotMatches,
}

/// Longest first.
const OPERATORS: &[(&str, Op)] = &[
    ("!=", Op::Compare(CompareOp::NotEqual)),
    (">=", Op::Compare(CompareOp::GreaterEqual)),
    ("<=", Op::Compare(CompareOp::LessEqual)),
    ("=~", Op::Matches),
    ("!~", Op::NotMatches),
    (":", Op::Compare(CompareOp::Equal)),
    ("=", Op::Compare(CompareOp::Equal)),
    (">", Op::Compare(CompareOp::Greater)),
    ("<", Op::Compare(CompareOp::Less)),
    ("~", Op::Matches),
];

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn term(&mut self) -> Result<Option<Expr>, QueryError> {
        self.at += self.rest().len() - self.rest().trim_start().len();
        if self.rest().is_empty() {
            return Ok(None);
        }
        let negated = self.rest().starts_with(['!', '-']);
        self.at += usize::from(negated);
        let from = self.at;
        let (key, quoted) = self.piece(|c| matches!(c, ':' | '=' | '!' | '<' | '>' | '~'))?;
        if key.is_empty() {
            return Err(bad(from, "a word or a condition is missing"));
        }
        let expr = match OPERATORS.iter().find(|(symbol, _)| self.rest().starts_with(symbol)) {
            None if key == "error" && !quoted => tag("error", "true"),
            None => Expr::NameContains(key.to_lowercase()),
            Some((symbol, op)) => {
                self.at += symbol.len();
                let at = self.at;
                let (value, value_quoted) = self.piece(|_| false)?;
                if value.is_empty() && !value_quoted {
                    return Err(bad(at, "a value is missing"));
                }
                condition(&key, *op, &value, value_quoted).map_err(|message| bad(at, message))?
            }
        };
        Ok(Some(if negated { Expr::Not(Box::new(expr)) } else { expr }))
    }

    /// Text in quotes, or up to white space or an end; and whether it was in quotes.
    fn piece(&mut self, ends: impl Fn(char) -> bool) -> Result<(String, bool), QueryError> {
        let from = self.at;
        let Some(rest) = self.rest().strip_prefix('"') else {
            let length = self.rest().find(|c: char| c.is_whitespace() || ends(c)).unwrap_or(self.rest().len());
            self.at += length;
            return Ok((self.text[from..self.at].to_owned(), false));
        };
        let mut text = String::new();
        let mut chars = rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at = from + 1 + at + 1;
                    return Ok((text, true));
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                    Some((_, other)) => text.extend(['\\', other]),
                    None => break,
                },
                c => text.push(c),
            }
        }
        Err(bad(from, "the quotation mark is not closed"))
    }
}

fn condition(key: &str, op: Op, value: &str, quoted: bool) -> Result<Expr, String> {
    let text = |what: Intrinsic| column(what, op, Static::String(value.to_owned()));
    let word = |what: Intrinsic, number: Option<i32>, literal: fn(i32) -> Static| {
        column(what, op, literal(number.ok_or_else(|| format!("`{value}` is no {key}"))?))
    };
    match key {
        "service" => text(Intrinsic::Service),
        "name" => text(Intrinsic::Name),
        "operation" => match op {
            Op::Compare(CompareOp::NotEqual) | Op::NotMatches => {
                Ok(Expr::All(vec![text(Intrinsic::Name)?, text(Intrinsic::Operation)?]))
            }
            _ => Ok(Expr::Any(vec![text(Intrinsic::Name)?, text(Intrinsic::Operation)?])),
        },
        "role" => text(Intrinsic::Role),
        "peer" => text(Intrinsic::Peer),
        "protocol" => text(Intrinsic::Protocol),
        "outcome" => text(Intrinsic::Outcome),
        "trace_id" => text(Intrinsic::TraceId),
        "span_id" => text(Intrinsic::SpanId),
        "kind" => word(Intrinsic::Kind, kind(value), Static::Kind),
        "status" => word(Intrinsic::Status, status(value), Static::Status),
        "duration" => {
            let ns = lex::duration(value).ok_or("a duration has a unit, such as 200ms or 1.5s")?;
            column(Intrinsic::Duration, op, Static::Duration(ns))
        }
        _ => attribute(key, op, value, quoted),
    }
}

fn column(what: Intrinsic, op: Op, value: Static) -> Result<Expr, String> {
    match (op, value) {
        (Op::Compare(op), value) => {
            let ordered = matches!(value, Static::String(_) | Static::Duration(_));
            if !ordered && !matches!(op, CompareOp::Equal | CompareOp::NotEqual) {
                return Err("these values have no order".to_owned());
            }
            Ok(Expr::compare(what, op, value))
        }
        (Op::Matches | Op::NotMatches, Static::String(source)) => {
            let pattern = Pattern::part(&source).map_err(|error| error.to_string())?;
            Ok(Expr::Matches { value: Box::new(field(what)), pattern, negated: op == Op::NotMatches })
        }
        _ => Err("only text matches a regular expression".to_owned()),
    }
}

fn attribute(key: &str, op: Op, value: &str, quoted: bool) -> Result<Expr, String> {
    let (scope, name) = scoped(key);
    if scope != Scope::Unscoped {
        return scoped_attribute(scope, name, op, value, quoted);
    }
    let exists = || Expr::TagExists(key.to_owned());
    let matches = || -> Result<Expr, String> {
        let pattern = Pattern::part(value).map_err(|error| error.to_string())?;
        Ok(Expr::TagMatches { key: key.to_owned(), pattern })
    };
    Ok(match op {
        Op::Compare(CompareOp::Equal) if value == "*" && !quoted => exists(),
        Op::Compare(CompareOp::Equal) => tag(key, value),
        Op::Compare(CompareOp::NotEqual) => Expr::All(vec![exists(), Expr::Not(Box::new(tag(key, value)))]),
        Op::Compare(op) => Expr::TagCompare { key: key.to_owned(), op, value: literal(value, quoted) },
        Op::Matches => matches()?,
        Op::NotMatches => Expr::All(vec![exists(), Expr::Not(Box::new(matches()?))]),
    })
}

fn scoped_attribute(scope: Scope, name: &str, op: Op, value: &str, quoted: bool) -> Result<Expr, String> {
    let field = || Box::new(Expr::Field(Field { parent: false, name: Name::Attribute(scope, name.to_owned()) }));
    let compare = |op, value| Expr::Compare(op, field(), Box::new(Expr::Literal(value)));
    let as_text = || Static::String(value.to_owned());
    Ok(match (op, literal(value, quoted)) {
        (Op::Compare(CompareOp::Equal), _) if value == "*" && !quoted => compare(CompareOp::NotEqual, Static::Nil),
        (Op::Compare(op), Static::String(_)) => compare(op, as_text()),
        (Op::Compare(op), typed) => Expr::Any(vec![compare(op, typed), compare(op, as_text())]),
        (op, _) => {
            let pattern = Pattern::part(value).map_err(|error| error.to_string())?;
            Expr::Matches { value: field(), pattern, negated: op == Op::NotMatches }
        }
    })
}

fn scoped(key: &str) -> (Scope, &str) {
    let prefixes = [
        ("span.", Scope::Span),
        ("resource.", Scope::Resource),
        ("event.", Scope::Event),
        ("link.", Scope::Link),
        ("instrumentation.", Scope::Instrumentation),
    ];
    // Tags that are really named so.
    if matches!(key, "span.kind" | "span.status") {
        return (Scope::Unscoped, key);
    }
    prefixes
        .into_iter()
        .find_map(|(prefix, scope)| Some((scope, key.strip_prefix(prefix).filter(|name| !name.is_empty())?)))
        .unwrap_or((Scope::Unscoped, key))
}

/// What a bare value says: a number, a boolean, a duration, or else text.
pub(crate) fn literal(value: &str, quoted: bool) -> Static {
    let number = || {
        let float = || value.parse().ok().filter(|value: &f64| value.is_finite()).map(Static::Float);
        let duration = || lex::duration(value).map(Static::Duration);
        value.parse().ok().map(Static::Int).or_else(float).or_else(duration)
    };
    match value {
        _ if quoted => Static::String(value.to_owned()),
        "true" => Static::Bool(true),
        "false" => Static::Bool(false),
        _ => number().unwrap_or_else(|| Static::String(value.to_owned())),
    }
}
