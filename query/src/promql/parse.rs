//! Tokens to the tree, with its types checked.

use regex::RegexBuilder;

use super::ast::{Aggregation, Expr, Function, Grouping, Is, Matcher, Op, Selector};
use super::lex::{Token, bad, tokens};
use crate::engine::QueryError;

/// Deepest nesting, so that no walk over a tree can overflow.
const MAX_DEPTH: usize = 64;
/// They nest to the left, as deep as there are many.
const MAX_OPERATORS: usize = 256;
/// Of a compiled pattern, bytes.
const MAX_PATTERN: usize = 1 << 20;

pub(super) fn parse(text: &str) -> Result<Expr, QueryError> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, end: text.len(), depth: 0, operators: 0 };
    let expr = parser.binary(0)?;
    if parser.at < parser.tokens.len() {
        return Err(parser.unexpected("the end of the query or an operator"));
    }
    Ok(expr)
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    end: usize,
    depth: usize,
    operators: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn place(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |(_, place)| *place)
    }

    fn word(&self) -> Option<String> {
        match self.peek() {
            Some(Token::Word(word)) => Some(word.to_ascii_lowercase()),
            _ => None,
        }
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Token::Sign(found)) if *found == sign)
    }

    fn eat(&mut self, sign: &str) -> bool {
        let is = self.is(sign);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, sign: &str) -> Result<(), QueryError> {
        if self.eat(sign) { Ok(()) } else { Err(self.unexpected(&format!("{sign:?}"))) }
    }

    fn unexpected(&self, wanted: &str) -> QueryError {
        let found = match self.peek() {
            None => "the end of the query".to_owned(),
            Some(Token::Word(word)) => format!("{word:?}"),
            Some(Token::Sign(sign)) => format!("{sign:?}"),
            Some(Token::Text(_)) => "a string".to_owned(),
            Some(Token::Number(_)) => "a number".to_owned(),
            Some(Token::Duration(_)) => "a duration".to_owned(),
        };
        bad(format!("parse error: unexpected {found}, expected {wanted}"), self.place())
    }

    fn unsupported(&self, what: &str) -> QueryError {
        bad(format!("{what} is not supported here"), self.place())
    }

    /// Operators of at least this strength, from the left; `^` from the right.
    fn binary(&mut self, least: u8) -> Result<Expr, QueryError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(bad("the query is nested too deeply", self.place()));
        }
        let mut left = self.unary()?;
        while let Some((op, strength)) = self.operator().filter(|(_, strength)| *strength >= least) {
            self.operators += 1;
            if self.operators > MAX_OPERATORS {
                return Err(bad("the query has too many operators", self.place()));
            }
            let place = self.place();
            self.at += 1;
            let as_bool = self.word().as_deref() == Some("bool");
            self.at += usize::from(as_bool);
            if as_bool && !op.is_comparison() {
                return Err(bad("bool modifier can only be used on comparison operators", place));
            }
            let matching = self.matching()?;
            let right = self.binary(if op == Op::Pow { strength } else { strength + 1 })?;
            check_operands(op, as_bool, &left, &right, place)?;
            left = Expr::Binary { op, as_bool, matching, left: Box::new(left), right: Box::new(right) };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn operator(&self) -> Option<(Op, u8)> {
        Some(match self.peek()? {
            Token::Sign(sign) => match *sign {
                "==" => (Op::Equal, 3),
                "!=" => (Op::NotEqual, 3),
                ">" => (Op::Greater, 3),
                "<" => (Op::Less, 3),
                ">=" => (Op::GreaterEqual, 3),
                "<=" => (Op::LessEqual, 3),
                "+" => (Op::Add, 4),
                "-" => (Op::Sub, 4),
                "*" => (Op::Mul, 5),
                "/" => (Op::Div, 5),
                "%" => (Op::Mod, 5),
                "^" => (Op::Pow, 7),
                _ => return None,
            },
            Token::Word(word) => match word.to_ascii_lowercase().as_str() {
                "or" => (Op::Or, 1),
                "and" => (Op::And, 2),
                "unless" => (Op::Unless, 2),
                _ => return None,
            },
            _ => return None,
        })
    }

    fn matching(&mut self) -> Result<Grouping, QueryError> {
        let matching = match self.word().as_deref() {
            Some(word @ ("on" | "ignoring")) => {
                let without = word == "ignoring";
                self.at += 1;
                Grouping { without, labels: self.names()? }
            }
            _ => Grouping { without: true, labels: Vec::new() },
        };
        match self.word().as_deref() {
            Some(word @ ("group_left" | "group_right")) => Err(self.unsupported(&format!("{word}()"))),
            _ => Ok(matching),
        }
    }

    fn unary(&mut self) -> Result<Expr, QueryError> {
        if self.eat("+") {
            return self.binary(6);
        }
        if self.eat("-") {
            let place = self.place();
            let of = self.binary(6)?;
            check_vector_or_number(&of, place)?;
            return Ok(Expr::Negative(Box::new(of)));
        }
        let primary = self.primary()?;
        if self.is("[") || self.is("@") || self.word().as_deref() == Some("offset") {
            let what = if self.is("[") { "a subquery" } else { "a modifier of what is no selector" };
            return Err(self.unsupported(what));
        }
        Ok(primary)
    }

    fn primary(&mut self) -> Result<Expr, QueryError> {
        match self.peek().cloned() {
            Some(Token::Number(number)) => {
                self.at += 1;
                Ok(Expr::Number(number))
            }
            Some(Token::Sign("(")) => {
                self.at += 1;
                let inner = self.binary(0)?;
                self.expect(")")?;
                Ok(inner)
            }
            Some(Token::Sign("{")) => self.selector(None),
            Some(Token::Word(word)) => self.named(word),
            Some(Token::Text(_)) => Err(self.unsupported("a string")),
            _ => Err(self.unexpected("an expression")),
        }
    }

    /// What begins with a word: a number, an aggregation, a function or a metric.
    fn named(&mut self, word: String) -> Result<Expr, QueryError> {
        let place = self.place();
        self.at += 1;
        let lower = word.to_ascii_lowercase();
        if let "inf" | "nan" = lower.as_str() {
            return Ok(Expr::Number(if lower == "inf" { f64::INFINITY } else { f64::NAN }));
        }
        let grouped = self.is("(") || matches!(self.word().as_deref(), Some("by" | "without"));
        if let Some(by) = aggregation(&lower).filter(|_| grouped) {
            return self.aggregate(by, place);
        }
        if self.is("(") {
            return self.call(&lower, place);
        }
        self.selector(Some(word))
    }

    fn aggregate(&mut self, by: Aggregation, place: usize) -> Result<Expr, QueryError> {
        let mut grouping = self.grouping()?;
        self.expect("(")?;
        let mut of = self.binary(0)?;
        let mut parameter = None;
        if matches!(by, Aggregation::Topk | Aggregation::Bottomk) {
            if !of.is_scalar() {
                return Err(bad("topk and bottomk take a number first", place));
            }
            self.expect(",")?;
            parameter = Some(Box::new(of));
            of = self.binary(0)?;
        }
        self.expect(")")?;
        check_vector(&of, place)?;
        if grouping.is_none() {
            grouping = self.grouping()?;
        }
        let grouping = grouping.unwrap_or(Grouping { without: false, labels: Vec::new() });
        Ok(Expr::Aggregate { by, parameter, grouping, of: Box::new(of) })
    }

    fn grouping(&mut self) -> Result<Option<Grouping>, QueryError> {
        let without = match self.word().as_deref() {
            Some("by") => false,
            Some("without") => true,
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(Grouping { without, labels: self.names()? }))
    }

    /// `(a, b)`.
    fn names(&mut self) -> Result<Vec<String>, QueryError> {
        self.expect("(")?;
        let mut names = Vec::new();
        while !self.eat(")") {
            let Some(Token::Word(name)) = self.peek().cloned() else { return Err(self.unexpected("a label's name")) };
            self.at += 1;
            names.push(name);
            if !self.is(")") {
                self.expect(",")?;
            }
        }
        Ok(names)
    }

    fn call(&mut self, name: &str, place: usize) -> Result<Expr, QueryError> {
        let function = match name {
            "rate" => Function::Rate,
            "increase" => Function::Increase,
            "irate" => Function::Irate,
            "histogram_quantile" => Function::HistogramQuantile,
            _ => return Err(bad(format!("function {name}() is not supported here"), place)),
        };
        self.expect("(")?;
        let mut args = Vec::new();
        while !self.eat(")") {
            args.push(self.binary(0)?);
            if !self.is(")") {
                self.expect(",")?;
            }
        }
        let fits = match (function, args.as_slice()) {
            (Function::HistogramQuantile, [quantile, of]) => {
                check_vector(of, place)?;
                quantile.is_scalar()
            }
            (Function::HistogramQuantile, _) => false,
            (_, [Expr::Selector(selector)]) => selector.range.is_some(),
            _ => false,
        };
        match fits {
            true => Ok(Expr::Call { function, args }),
            false if function == Function::HistogramQuantile => {
                Err(bad("histogram_quantile takes a number and a vector", place))
            }
            false => Err(bad(format!("{name} takes a selector with a range, such as m[5m]"), place)),
        }
    }

    fn selector(&mut self, name: Option<String>) -> Result<Expr, QueryError> {
        let place = self.place();
        let mut matchers: Vec<Matcher> = Vec::new();
        matchers.extend(name.map(|name| Matcher { label: "__name__".to_owned(), is: Is::Equal(name) }));
        if self.eat("{") {
            while !self.eat("}") {
                matchers.push(self.matcher()?);
                if !self.is("}") {
                    self.expect(",")?;
                }
            }
        }
        if matchers.iter().all(|matcher| matcher.accepts("")) {
            return Err(bad("vector selector must contain at least one non-empty matcher", place));
        }
        let mut selector = Selector { matchers, range: None, offset: 0 };
        if self.eat("[") {
            let range = self.duration()?;
            if self.is(":") {
                return Err(self.unsupported("a subquery"));
            }
            self.expect("]")?;
            selector.range = Some(range).filter(|ms| *ms > 0);
            if selector.range.is_none() {
                return Err(bad("duration must be greater than 0", place));
            }
        }
        if self.is("@") {
            return Err(self.unsupported("the modifier @"));
        }
        if self.word().as_deref() == Some("offset") {
            self.at += 1;
            let is_ahead = self.eat("-");
            let offset = self.duration()?;
            selector.offset = if is_ahead { -offset } else { offset };
        }
        Ok(Expr::Selector(selector))
    }

    fn duration(&mut self) -> Result<i64, QueryError> {
        match self.peek() {
            Some(Token::Duration(ms)) => {
                let ms = *ms;
                self.at += 1;
                Ok(ms)
            }
            _ => Err(self.unexpected("a duration")),
        }
    }

    fn matcher(&mut self) -> Result<Matcher, QueryError> {
        let Some(Token::Word(label)) = self.peek().cloned() else { return Err(self.unexpected("a label's name")) };
        self.at += 1;
        let Some(Token::Sign(sign @ ("=" | "!=" | "=~" | "!~"))) = self.peek().cloned() else {
            return Err(self.unexpected("=, !=, =~ or !~"));
        };
        self.at += 1;
        let place = self.place();
        let Some(Token::Text(value)) = self.peek().cloned() else { return Err(self.unexpected("a string")) };
        self.at += 1;
        let pattern = || {
            let anchored = format!("^(?s:{value})$");
            RegexBuilder::new(&anchored).size_limit(MAX_PATTERN).build().map_err(|error| bad(error.to_string(), place))
        };
        let is = match sign {
            "=" => Is::Equal(value),
            "!=" => Is::NotEqual(value),
            "=~" => Is::Matches(pattern()?),
            _ => Is::NotMatches(pattern()?),
        };
        Ok(Matcher { label, is })
    }
}

fn aggregation(word: &str) -> Option<Aggregation> {
    Some(match word {
        "sum" => Aggregation::Sum,
        "avg" => Aggregation::Avg,
        "min" => Aggregation::Min,
        "max" => Aggregation::Max,
        "count" => Aggregation::Count,
        "topk" => Aggregation::Topk,
        "bottomk" => Aggregation::Bottomk,
        _ => return None,
    })
}

fn is_range(expr: &Expr) -> bool {
    matches!(expr, Expr::Selector(selector) if selector.range.is_some())
}

fn check_vector_or_number(expr: &Expr, place: usize) -> Result<(), QueryError> {
    if is_range(expr) {
        Err(bad("a selector with a range stands only in rate, increase and irate", place))
    } else {
        Ok(())
    }
}

fn check_vector(expr: &Expr, place: usize) -> Result<(), QueryError> {
    check_vector_or_number(expr, place)?;
    if expr.is_scalar() { Err(bad("expected type instant vector, got scalar", place)) } else { Ok(()) }
}

fn check_operands(op: Op, as_bool: bool, left: &Expr, right: &Expr, place: usize) -> Result<(), QueryError> {
    check_vector_or_number(left, place)?;
    check_vector_or_number(right, place)?;
    let scalars = [left, right].iter().filter(|side| side.is_scalar()).count();
    if op.is_set() && scalars > 0 {
        return Err(bad("set operators are not allowed with a number", place));
    }
    if op.is_comparison() && scalars == 2 && !as_bool {
        return Err(bad("comparisons between scalars must use BOOL modifier", place));
    }
    Ok(())
}
