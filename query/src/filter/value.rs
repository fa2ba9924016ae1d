//! Values of fields and literals, their arithmetic and comparison.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

use storage::attrs;

use super::Truth;
use crate::traceql::ast::{ArithmeticOp, CompareOp, Pattern, Static};

/// A value of one row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Val<'a> {
    /// Missing, or an attribute without a value.
    Nil,
    /// It takes the whole trace to know.
    Unknown,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// ns
    Duration(i64),
    Text(Cow<'a, str>),
    Status(i32),
    Kind(i32),
    /// An array attribute.
    List(Vec<Val<'a>>),
    /// Values of several events or links: one is enough.
    Each(Vec<Val<'a>>),
    /// Bytes or a map: there, but equal to nothing.
    Other,
}

impl<'a> Val<'a> {
    /// Of the raw text of an attribute.
    pub(crate) fn from_raw(raw: &'a str) -> Self {
        match raw.as_bytes() {
            [b'"', ..] => Val::Text(attrs::text_of(raw)),
            [b'[', ..] => Val::List(attrs::items(raw).map(Val::of_item).collect()),
            [b'{', ..] => match attrs::parse_value(raw) {
                Ok(attrs::Value::Double(value)) => Val::Float(value),
                _ => Val::Other,
            },
            b"true" => Val::Bool(true),
            b"false" => Val::Bool(false),
            b"null" => Val::Nil,
            _ => raw.parse().map(Val::Int).or_else(|_| raw.parse().map(Val::Float)).unwrap_or(Val::Other),
        }
    }

    /// Arrays inside arrays are equal to nothing: the index knows elements of the outer one only.
    fn of_item(raw: &'a str) -> Self {
        if raw.starts_with('[') { Val::Other } else { Val::from_raw(raw) }
    }

    pub(crate) fn text(text: &'a str) -> Self {
        Val::Text(Cow::Borrowed(text))
    }

    pub(crate) fn of(literal: &'a Static) -> Self {
        match literal {
            Static::Nil => Val::Nil,
            Static::Bool(value) => Val::Bool(*value),
            Static::Int(value) => Val::Int(*value),
            Static::Float(value) => Val::Float(*value),
            Static::Duration(value) => Val::Duration(*value),
            Static::String(value) => Val::text(value),
            Static::Status(code) => Val::Status(*code),
            Static::Kind(kind) => Val::Kind(*kind),
        }
    }

    /// Several values of one field; those that are missing do not count.
    pub(crate) fn each(values: impl Iterator<Item = Val<'a>>) -> Self {
        let values: Vec<_> = values.filter(|value| *value != Val::Nil).collect();
        if values.is_empty() { Val::Nil } else { Val::Each(values) }
    }

    /// Nearest double of a number.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Val::Int(value) | Val::Duration(value) => Some(*value as f64),
            Val::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// Whether it holds as a condition.
    pub(crate) fn truth(&self) -> Truth {
        match self {
            Val::Bool(value) => Truth::from(*value),
            Val::Unknown => Truth::Maybe,
            Val::Each(values) => Truth::any(values.iter().map(Val::truth)),
            _ => Truth::No,
        }
    }
}

/// A value that groups rows: equal ones are one group, and so is what is not a number.
#[derive(Clone, Debug)]
pub(crate) struct Key<'a>(pub(crate) Val<'a>);

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        same_key(&self.0, &other.0)
    }
}

impl Eq for Key<'_> {}

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_key(&self.0, state);
    }
}

fn same_key(a: &Val<'_>, b: &Val<'_>) -> bool {
    match (a, b) {
        (Val::Float(a), Val::Float(b)) => bits(*a) == bits(*b),
        (Val::List(a), Val::List(b)) | (Val::Each(a), Val::Each(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_key(a, b))
        }
        (a, b) => a == b,
    }
}

fn hash_key(value: &Val<'_>, state: &mut impl Hasher) {
    std::mem::discriminant(value).hash(state);
    match value {
        Val::Nil | Val::Unknown | Val::Other => {}
        Val::Bool(value) => value.hash(state),
        Val::Int(value) | Val::Duration(value) => value.hash(state),
        Val::Float(value) => bits(*value).hash(state),
        Val::Text(text) => text.hash(state),
        Val::Status(number) | Val::Kind(number) => number.hash(state),
        Val::List(values) | Val::Each(values) => {
            values.len().hash(state);
            values.iter().for_each(|value| hash_key(value, state));
        }
    }
}

/// One pattern for both zeros, and one for all that is not a number.
fn bits(value: f64) -> u64 {
    match value {
        0.0 => 0,
        value if value.is_nan() => f64::NAN.to_bits(),
        value => value.to_bits(),
    }
}

impl From<Truth> for Val<'_> {
    fn from(truth: Truth) -> Self {
        match truth {
            Truth::No => Val::Bool(false),
            Truth::Maybe => Val::Unknown,
            Truth::Yes => Val::Bool(true),
        }
    }
}

pub(crate) fn compare(op: CompareOp, left: &Val<'_>, right: &Val<'_>) -> Truth {
    match (left, right) {
        (Val::Nil, _) | (_, Val::Nil) => Truth::No,
        (Val::Unknown, _) | (_, Val::Unknown) => Truth::Maybe,
        (Val::Each(values), other) => Truth::any(values.iter().map(|value| compare(op, value, other))),
        (other, Val::Each(values)) => Truth::any(values.iter().map(|value| compare(op, other, value))),
        (Val::List(_), Val::List(_)) => Truth::No,
        (Val::List(values), other) => over_list(op == CompareOp::NotEqual, values, |value| compare(op, value, other)),
        (other, Val::List(values)) => over_list(op == CompareOp::NotEqual, values, |value| compare(op, other, value)),
        (Val::Text(left), Val::Text(right)) => op.holds(left.as_ref().cmp(right.as_ref())).into(),
        (Val::Bool(left), Val::Bool(right)) => same(op, left == right),
        (Val::Status(left), Val::Status(right)) | (Val::Kind(left), Val::Kind(right)) => same(op, left == right),
        (Val::Int(left) | Val::Duration(left), Val::Int(right) | Val::Duration(right)) => {
            op.holds(left.cmp(right)).into()
        }
        _ => match (left.number(), right.number()) {
            (Some(left), Some(right)) => match left.partial_cmp(&right) {
                Some(order) => op.holds(order).into(),
                None => (op == CompareOp::NotEqual).into(),
            },
            _ => Truth::No,
        },
    }
}

pub(crate) fn matches(value: &Val<'_>, pattern: &Pattern, negated: bool) -> Truth {
    match value {
        Val::Text(text) => (pattern.is_match(text) != negated).into(),
        Val::Unknown => Truth::Maybe,
        Val::List(values) => over_list(negated, values, |value| matches(value, pattern, negated)),
        Val::Each(values) => Truth::any(values.iter().map(|value| matches(value, pattern, negated))),
        _ => Truth::No,
    }
}

fn over_list<'a, 'b>(all: bool, values: &'a [Val<'b>], holds: impl Fn(&'a Val<'b>) -> Truth) -> Truth {
    if values.is_empty() {
        return Truth::No;
    }
    let truths = values.iter().map(holds);
    if all { Truth::all(truths) } else { Truth::any(truths) }
}

/// Booleans and enumerations have no order.
fn same(op: CompareOp, equal: bool) -> Truth {
    match op {
        CompareOp::Equal => equal.into(),
        CompareOp::NotEqual => (!equal).into(),
        _ => Truth::No,
    }
}

/// Numbers only; anything else, and a whole number divided by zero, is nothing. Two ints give an int
/// (rounded to zero, as in TraceQL) unless it does not fit.
pub(crate) fn arithmetic<'a>(op: ArithmeticOp, left: &Val<'a>, right: &Val<'a>) -> Val<'a> {
    if *left == Val::Unknown || *right == Val::Unknown {
        return Val::Unknown;
    }
    if let (Val::Int(left), Val::Int(right)) = (left, right) {
        if *right == 0 && matches!(op, ArithmeticOp::Divide | ArithmeticOp::Modulo) {
            return Val::Nil;
        }
        let exact = match op {
            ArithmeticOp::Add => left.checked_add(*right),
            ArithmeticOp::Subtract => left.checked_sub(*right),
            ArithmeticOp::Multiply => left.checked_mul(*right),
            ArithmeticOp::Divide => left.checked_div(*right),
            ArithmeticOp::Modulo => left.checked_rem(*right),
            ArithmeticOp::Power => u32::try_from(*right).ok().and_then(|right| left.checked_pow(right)),
        };
        if let Some(exact) = exact {
            return Val::Int(exact);
        }
    }
    let (Some(left), Some(right)) = (left.number(), right.number()) else { return Val::Nil };
    Val::Float(match op {
        ArithmeticOp::Add => left + right,
        ArithmeticOp::Subtract => left - right,
        ArithmeticOp::Multiply => left * right,
        ArithmeticOp::Divide => left / right,
        ArithmeticOp::Modulo => left % right,
        ArithmeticOp::Power => left.powf(right),
    })
}

pub(crate) fn negate(value: Val<'_>) -> Val<'_> {
    match value {
        Val::Int(value) => value.checked_neg().map_or(Val::Float(-(value as f64)), Val::Int),
        Val::Duration(value) => Val::Duration(value.wrapping_neg()),
        Val::Float(value) => Val::Float(-value),
        Val::Unknown => Val::Unknown,
        _ => Val::Nil,
    }
}

/// A value asked for as text, as people type it: it equals text that reads so, and numbers of that value.
#[derive(Clone, Debug)]
pub(crate) struct Loose {
    text: String,
    number: Option<f64>,
}

impl Loose {
    pub(crate) fn new(text: &str) -> Self {
        // `inf` and `nan` are words here, not numbers.
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        Self { text: text.to_owned(), number }
    }

    /// Whether the raw text of an attribute, or an element of it, reads so.
    pub(crate) fn is(&self, raw: &str) -> bool {
        match raw.as_bytes().first() {
            Some(b'"') => attrs::text_of(raw) == self.text,
            Some(b'[') => raw == self.text || attrs::items(raw).any(|item| !item.starts_with('[') && self.is(item)),
            Some(b'{') => raw == self.text,
            Some(b'n') => false,
            _ => raw == self.text || (self.number.is_some() && self.same_number(raw)),
        }
    }

    /// A double reads in many ways; a whole number, in one.
    fn same_number(&self, raw: &str) -> bool {
        raw.contains(['.', 'e', 'E']) && raw.parse::<f64>().ok() == self.number
    }
}

/// All texts under which the index may hold a number that equals this one; None: too many to name.
pub(crate) fn spellings(number: f64) -> Option<Vec<String>> {
    /// Doubles below this stand for one whole number each.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number == 0.0 {
        return Some(["0", "0.0", "-0.0"].map(str::to_owned).to_vec());
    }
    if number.is_nan() || number.abs() >= EXACT {
        return None;
    }
    let mut spellings = vec![format!("{number:?}")];
    if number.fract() == 0.0 {
        spellings.push(format!("{}", number as i64));
    }
    Some(spellings)
}
