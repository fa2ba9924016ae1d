//! The syntax tree of TraceQL.

mod print;

pub use print::{KINDS, STATUS};

use std::sync::Arc;

/// Which spans of a trace a query selects.
#[derive(Clone, Debug, PartialEq)]
pub enum Spanset {
    /// `{ expr }`
    Filter(Expr),
    /// `a && b`: spans of all operands, where none of them is empty.
    And(Vec<Spanset>),
    /// `a || b`: spans of all operands.
    Or(Vec<Spanset>),
    /// `a >> b` and its kin.
    Related(Relation, Box<Spanset>, Box<Spanset>),
    /// `a | b | …`
    Pipeline(Vec<Stage>),
}

/// How spans of the right side must stand to spans of the left side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relation {
    pub kind: RelationKind,
    pub mode: RelationMode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelationKind {
    /// `>`: the right is a child of the left.
    Child,
    /// `>>`
    Descendant,
    /// `<`: the right is the parent of the left.
    Parent,
    /// `<<`
    Ancestor,
    /// `~`
    Sibling,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelationMode {
    /// Spans of the right side that stand so to some span of the left.
    Right,
    /// `!`: spans of the right side that stand so to none.
    Not,
    /// `&`: spans of both sides that stand so.
    Both,
}

/// One step of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    Spanset(Spanset),
    /// `count() > 2`: keeps spansets for which it holds.
    Scalar(Box<Scalar>, CompareOp, Box<Scalar>),
    /// `by(expr)`: splits spansets by a value.
    By(Expr),
    /// `select(a, b)`: adds fields to the answer.
    Select(Vec<Field>),
    /// `coalesce()`: joins spansets again.
    Coalesce,
}

/// A number computed from a spanset.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    Literal(Static),
    Count,
    Aggregate(Aggregate, Expr),
    Arithmetic(ArithmeticOp, Box<Scalar>, Box<Scalar>),
    /// `({ … } | count())`
    Pipeline(Vec<Stage>, Box<Scalar>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    Min,
    Max,
    Avg,
    Sum,
}

/// Series over time.
#[derive(Clone, Debug, PartialEq)]
pub enum Metrics {
    /// Spans of `input`, counted or measured per step of time. Empty input: the stage before `|`, while parsing.
    Range {
        input: Vec<Stage>,
        function: MetricsFunction,
        by: Vec<Field>,
    },
    /// `| topk(n)`, `| bottomk(n)`. No input: the stage before `|`, while parsing.
    Rank {
        input: Option<Box<Metrics>>,
        top: bool,
        count: u64,
    },
    /// `> 10`: keeps the points for which it holds; durations in ns.
    Keep(Box<Metrics>, CompareOp, Static),
    Arithmetic(ArithmeticOp, Box<Metrics>, Box<Metrics>),
    Literal(Static),
}

#[derive(Clone, Debug, PartialEq)]
pub enum MetricsFunction {
    Rate,
    CountOverTime,
    MinOverTime(Field),
    MaxOverTime(Field),
    AvgOverTime(Field),
    SumOverTime(Field),
    HistogramOverTime(Field),
    QuantileOverTime(Field, Vec<f64>),
    /// `compare({ selection }, top, start, end)`; times in ns.
    Compare(Box<Spanset>, Vec<i64>),
}

/// A condition on, or a value of, one span.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Literal(Static),
    Field(Field),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    Arithmetic(ArithmeticOp, Box<Expr>, Box<Expr>),
    Compare(CompareOp, Box<Expr>, Box<Expr>),
    /// `=~` and, negated, `!~`.
    Matches {
        value: Box<Expr>,
        pattern: Pattern,
        negated: bool,
    },
    All(Vec<Expr>),
    Any(Vec<Expr>),
    /// Short form and Jaeger: an attribute of any scope reads as this text.
    Tag {
        key: String,
        value: String,
    },
    /// Short form: an attribute of any scope compares so with a literal.
    TagCompare {
        key: String,
        op: CompareOp,
        value: Static,
    },
    /// Short form: an attribute of any scope matches this pattern.
    TagMatches {
        key: String,
        pattern: Pattern,
    },
    /// Short form: an attribute of any scope exists.
    TagExists(String),
    /// Short form: the span name contains this text, lower-cased.
    NameContains(String),
}

impl Expr {
    pub const TRUE: Expr = Expr::Literal(Static::Bool(true));

    /// `field op literal`
    pub fn compare(intrinsic: Intrinsic, op: CompareOp, value: Static) -> Expr {
        let field = Field { parent: false, name: Name::Intrinsic(intrinsic) };
        Expr::Compare(op, Box::new(Expr::Field(field)), Box::new(Expr::Literal(value)))
    }

    /// Whether `wanted` holds for this expression or one inside it.
    pub fn any(&self, wanted: &mut impl FnMut(&Expr) -> bool) -> bool {
        wanted(self)
            || match self {
                Expr::Not(inner) | Expr::Negate(inner) | Expr::Matches { value: inner, .. } => inner.any(wanted),
                Expr::Arithmetic(_, left, right) | Expr::Compare(_, left, right) => {
                    left.any(wanted) || right.any(wanted)
                }
                Expr::All(parts) | Expr::Any(parts) => parts.iter().any(|part| part.any(wanted)),
                _ => false,
            }
    }
}

/// A value that stands in the query.
#[derive(Clone, Debug, PartialEq)]
pub enum Static {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    String(String),
    /// ns
    Duration(i64),
    /// OTLP StatusCode.
    Status(i32),
    /// OTLP SpanKind.
    Kind(i32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl CompareOp {
    pub fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterEqual => order.is_ge(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArithmeticOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
}

/// Something of a span, or of its parent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    pub parent: bool,
    pub name: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    Attribute(Scope, String),
    Intrinsic(Intrinsic),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `.key`: of the span, or else of its resource.
    Unscoped,
    Span,
    Resource,
    Event,
    Link,
    Instrumentation,
}

macro_rules! intrinsics {
    ($($variant:ident $first:literal $(| $other:literal)*;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Intrinsic {
            $($variant,)*
        }

        impl Intrinsic {
            pub const ALL: &[Intrinsic] = &[$(Intrinsic::$variant,)*];

            pub fn parse(name: &str) -> Option<Self> {
                match name {
                    $($first $(| $other)* => Some(Self::$variant),)*
                    _ => None,
                }
            }

            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $first,)*
                }
            }
        }
    };
}

intrinsics! {
    Duration "duration" | "span:duration";
    Name "name" | "span:name";
    Kind "kind" | "span:kind";
    Status "status" | "span:status";
    StatusMessage "statusMessage" | "span:statusMessage";
    SpanId "span:id";
    ParentId "span:parentID";
    ChildCount "span:childCount" | "childCount";
    TraceId "trace:id";
    TraceDuration "traceDuration" | "trace:duration";
    RootName "rootName" | "trace:rootName";
    RootService "rootServiceName" | "trace:rootService";
    NestedSetLeft "nestedSetLeft";
    NestedSetRight "nestedSetRight";
    NestedSetParent "nestedSetParent";
    EventName "event:name";
    EventTime "event:timeSinceStart";
    LinkTraceId "link:traceID";
    LinkSpanId "link:spanID";
    ScopeName "instrumentation:name";
    ScopeVersion "instrumentation:version";
    // Not of TraceQL: what Clew derives at ingest.
    Service "span:service";
    Role "span:role";
    Peer "span:peer";
    Protocol "span:protocol";
    Operation "span:operation";
    Outcome "span:outcome";
    TraceState "span:traceState";
}

impl Intrinsic {
    /// Whether its value takes the whole trace to know.
    pub fn of_trace(self) -> bool {
        use Intrinsic as I;
        matches!(
            self,
            I::ChildCount
                | I::TraceDuration
                | I::RootName
                | I::RootService
                | I::NestedSetLeft
                | I::NestedSetRight
                | I::NestedSetParent
        )
    }
}

/// A compiled regular expression.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: String,
    regex: Arc<regex::Regex>,
}

/// Bytes that one compiled pattern may take.
const PATTERN_BYTES: usize = 4 << 20;

impl Pattern {
    /// Matches the whole text, as in TraceQL.
    pub fn whole(source: &str) -> Result<Self, regex::Error> {
        // Built alone first: `a)|(b` must not close the group around it.
        Self::build(source, source)?;
        Self::build(source, &format!("^(?s:{source})$"))
    }

    /// Matches any part of the text.
    pub fn part(source: &str) -> Result<Self, regex::Error> {
        Self::build(source, source)
    }

    fn build(source: &str, full: &str) -> Result<Self, regex::Error> {
        let regex = regex::RegexBuilder::new(full).size_limit(PATTERN_BYTES).build()?;
        Ok(Self { source: source.to_owned(), regex: Arc::new(regex) })
    }

    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    pub fn source(&self) -> &str {
        &self.source
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.regex.as_str() == other.regex.as_str()
    }
}
