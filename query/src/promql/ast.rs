//! The syntax tree.

use regex::Regex;

use super::Labels;

#[derive(Clone, Debug)]
pub enum Expr {
    Number(f64),
    Selector(Selector),
    Negative(Box<Expr>),
    Call { function: Function, args: Vec<Expr> },
    Aggregate { by: Aggregation, parameter: Option<Box<Expr>>, grouping: Grouping, of: Box<Expr> },
    Binary { op: Op, as_bool: bool, matching: Matching, left: Box<Expr>, right: Box<Expr> },
}

/// Which series, over which time.
#[derive(Clone, Debug)]
pub struct Selector {
    pub(super) matchers: Vec<Matcher>,
    /// ms.
    pub(super) range: Option<i64>,
    /// ms.
    pub(super) offset: i64,
}

#[derive(Clone, Debug)]
pub(super) struct Matcher {
    pub(super) label: String,
    pub(super) is: Is,
}

#[derive(Clone, Debug)]
pub(super) enum Is {
    Equal(String),
    NotEqual(String),
    Matches(Regex),
    NotMatches(Regex),
}

impl Matcher {
    pub(super) fn accepts(&self, value: &str) -> bool {
        match &self.is {
            Is::Equal(text) => text == value,
            Is::NotEqual(text) => text != value,
            Is::Matches(pattern) => pattern.is_match(value),
            Is::NotMatches(pattern) => !pattern.is_match(value),
        }
    }
}

impl Selector {
    /// A label that is absent is empty.
    pub(super) fn matches(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|matcher| matcher.accepts(labels.get(&matcher.label).map_or("", String::as_str)))
    }

    /// Whether a metric of this name may be selected.
    pub(super) fn may_be(&self, name: &str) -> bool {
        self.matchers.iter().filter(|matcher| matcher.label == "__name__").all(|matcher| matcher.accepts(name))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Rate,
    Increase,
    Irate,
    HistogramQuantile,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregation {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Topk,
    Bottomk,
}

/// `by` these labels, or `without` them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    pub(super) without: bool,
    pub(super) labels: Vec<String>,
}

impl Grouping {
    /// The labels that stay.
    pub(super) fn of(&self, labels: &Labels) -> Labels {
        let stays = |key: &String| match self.without {
            true => key != "__name__" && !self.labels.contains(key),
            false => self.labels.contains(key),
        };
        labels.iter().filter(|(key, _)| stays(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

/// `on` these labels; by default all but the metric's name.
pub(super) type Matching = Grouping;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    And,
    Or,
    Unless,
}

impl Op {
    pub(super) fn is_comparison(self) -> bool {
        matches!(self, Self::Equal | Self::NotEqual | Self::Greater | Self::Less | Self::GreaterEqual | Self::LessEqual)
    }

    pub(super) fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }

    /// Of a comparison: 1 or 0.
    pub(super) fn apply(self, left: f64, right: f64) -> f64 {
        let truth = |is: bool| f64::from(u8::from(is));
        match self {
            Self::Add => left + right,
            Self::Sub => left - right,
            Self::Mul => left * right,
            Self::Div => left / right,
            Self::Mod => left % right,
            Self::Pow => left.powf(right),
            Self::Equal => truth(left == right),
            Self::NotEqual => truth(left != right),
            Self::Greater => truth(left > right),
            Self::Less => truth(left < right),
            Self::GreaterEqual => truth(left >= right),
            Self::LessEqual => truth(left <= right),
            // Sets are taken of vectors, not of numbers.
            Self::And | Self::Or | Self::Unless => f64::NAN,
        }
    }
}

impl Expr {
    /// Everything that is read from the store.
    pub(super) fn selectors(&self) -> Vec<&Selector> {
        match self {
            Self::Number(_) => Vec::new(),
            Self::Selector(selector) => vec![selector],
            Self::Negative(of) => of.selectors(),
            Self::Call { args, .. } => args.iter().flat_map(Self::selectors).collect(),
            Self::Aggregate { parameter, of, .. } => {
                parameter.iter().flat_map(|parameter| parameter.selectors()).chain(of.selectors()).collect()
            }
            Self::Binary { left, right, .. } => left.selectors().into_iter().chain(right.selectors()).collect(),
        }
    }

    /// Whether it is one number and no vector.
    pub fn is_scalar(&self) -> bool {
        match self {
            Self::Number(_) => true,
            Self::Negative(of) => of.is_scalar(),
            Self::Binary { left, right, .. } => left.is_scalar() && right.is_scalar(),
            Self::Selector(_) | Self::Call { .. } | Self::Aggregate { .. } => false,
        }
    }
}
