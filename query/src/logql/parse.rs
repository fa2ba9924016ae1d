//! Log query text to tree.

use super::{AttributeTest, LogExpr, LogScope, SeverityTest, TextOp, TextTest};
use crate::QueryError;
use crate::filter::value::Loose;
use crate::traceql::ast::{CompareOp, Pattern};
use crate::traceql::{MAX_DEPTH, MAX_TEXT, bad, literal};

/// Most questions that one query asks of a row: each word of a term is one.
const MOST_CONDITIONS: usize = 300;

pub(super) fn parse(text: &str) -> Result<LogExpr, QueryError> {
    if text.len() > MAX_TEXT {
        return Err(bad(MAX_TEXT, format!("a query may have at most {MAX_TEXT} bytes")));
    }
    let mut parser = Parser { text, at: 0, conditions: 0 };
    if parser.skip_space().is_empty() {
        return Ok(LogExpr::All(Vec::new()));
    }
    let expr = parser.any(0)?;
    match parser.skip_space() {
        "" => Ok(expr),
        _ => Err(bad(parser.at, "a closing parenthesis without an opening one")),
    }
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

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// Of what is parsed so far.
    conditions: usize,
}

/// Text of a term, and whether it stood in quotes.
struct Piece {
    text: String,
    quoted: bool,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) -> &'a str {
        self.at += self.rest().len() - self.rest().trim_start().len();
        self.rest()
    }

    /// A keyword in capitals, on its own.
    fn keyword(&mut self, word: &str) -> bool {
        let there = self.skip_space().strip_prefix(word);
        let there =
            there.is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || c == '('));
        self.at += if there { word.len() } else { 0 };
        there
    }

    fn any(&mut self, depth: usize) -> Result<LogExpr, QueryError> {
        let mut parts = vec![self.all(depth)?];
        while self.keyword("OR") {
            parts.push(self.all(depth)?);
        }
        Ok(one_or(parts, LogExpr::Any))
    }

    fn all(&mut self, depth: usize) -> Result<LogExpr, QueryError> {
        let mut parts = vec![self.term(depth)?];
        loop {
            let joined = self.keyword("AND");
            let here = self.at;
            let ends = self.skip_space().is_empty() || self.rest().starts_with(')') || self.keyword("OR");
            if ends {
                self.at = here;
                return if joined {
                    Err(bad(here, "a condition is missing after AND"))
                } else {
                    Ok(one_or(parts, LogExpr::All))
                };
            }
            parts.push(self.term(depth)?);
        }
    }

    fn term(&mut self, depth: usize) -> Result<LogExpr, QueryError> {
        if depth > MAX_DEPTH {
            return Err(bad(self.at, "the query is nested too deep"));
        }
        if self.keyword("NOT") {
            return Ok(LogExpr::Not(Box::new(self.term(depth + 1)?)));
        }
        let from = self.at;
        if self.keyword("OR") || self.keyword("AND") {
            return Err(bad(from, "a condition is missing before this word"));
        }
        match self.rest().bytes().next() {
            None => Err(bad(self.at, "a condition is missing")),
            Some(b')') => Err(bad(self.at, "a condition is missing before the parenthesis")),
            Some(b'-' | b'!') => {
                self.at += 1;
                if self.rest().starts_with(char::is_whitespace) {
                    return Err(bad(self.at, "a condition is missing after the sign"));
                }
                Ok(LogExpr::Not(Box::new(self.term(depth + 1)?)))
            }
            Some(b'(') => {
                let open = self.at;
                self.at += 1;
                let inner = self.any(depth + 1)?;
                if !self.skip_space().starts_with(')') {
                    return Err(bad(open, "the parenthesis is not closed"));
                }
                self.at += 1;
                Ok(inner)
            }
            Some(_) => self.counted(),
        }
    }

    fn counted(&mut self) -> Result<LogExpr, QueryError> {
        let from = self.at;
        let condition = self.condition()?;
        self.conditions += condition.conditions();
        if self.conditions > MOST_CONDITIONS {
            return Err(bad(from, format!("a query may have at most {MOST_CONDITIONS} words and conditions")));
        }
        Ok(condition)
    }

    fn condition(&mut self) -> Result<LogExpr, QueryError> {
        let from = self.at;
        let first = self.piece(|c| matches!(c, ':' | '=' | '!' | '<' | '>' | '~'))?;
        let operator = OPERATORS.iter().find(|(symbol, _)| self.rest().starts_with(symbol));
        let Some((symbol, op)) = operator else { return text(&first, from) };
        if first.text.is_empty() {
            return Err(bad(from, "the name of a field is missing"));
        }
        self.at += symbol.len();
        let at = self.at;
        let value = self.piece(|_| false)?;
        if value.text.is_empty() && !value.quoted {
            return Err(bad(at, "a value is missing"));
        }
        field(&first.text, *op, &value).map_err(|message| bad(at, message))
    }

    /// Text in quotes, or up to white space, an end, or a parenthesis that it did not open.
    fn piece(&mut self, ends: impl Fn(char) -> bool) -> Result<Piece, QueryError> {
        let from = self.at;
        let Some(rest) = self.rest().strip_prefix('"') else {
            let mut open = 0usize;
            let length = self.rest().find(|c: char| match c {
                '(' => {
                    open += 1;
                    false
                }
                ')' if open > 0 => {
                    open -= 1;
                    false
                }
                c => c == ')' || c.is_whitespace() || ends(c),
            });
            self.at += length.unwrap_or(self.rest().len());
            return Ok(Piece { text: self.text[from..self.at].to_owned(), quoted: false });
        };
        let mut text = String::new();
        let mut chars = rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at = from + 1 + at + 1;
                    return Ok(Piece { text, quoted: true });
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, other)) => text.extend(['\\', other]),
                    None => break,
                },
                c => text.push(c),
            }
        }
        Err(bad(from, "the quotation mark is not closed"))
    }
}

fn one_or(mut parts: Vec<LogExpr>, list: fn(Vec<LogExpr>) -> LogExpr) -> LogExpr {
    if parts.len() == 1 { parts.swap_remove(0) } else { list(parts) }
}

fn text(piece: &Piece, at: usize) -> Result<LogExpr, QueryError> {
    match piece.text.as_str() {
        "" => Err(bad(at, "a word is missing")),
        "*" if !piece.quoted => Ok(LogExpr::All(Vec::new())),
        text if piece.quoted => Ok(LogExpr::Text(TextTest::phrase(text))),
        text => Ok(LogExpr::Text(match text.strip_suffix('*') {
            Some(prefix) => TextTest::words(prefix, true),
            None => TextTest::words(text, false),
        })),
    }
}

fn field(key: &str, op: Op, value: &Piece) -> Result<LogExpr, String> {
    let anything = value.text == "*" && !value.quoted && op == Op::Compare(CompareOp::Equal);
    match key {
        // What is missing reads as the empty text, or as severity 0.
        "service" if anything => Ok(not(LogExpr::Service(TextOp::Is(String::new())))),
        "service" => text_field(op, &value.text, LogExpr::Service),
        "event" | "event_name" if anything => Ok(not(LogExpr::EventName(TextOp::Is(String::new())))),
        "event" | "event_name" => text_field(op, &value.text, LogExpr::EventName),
        "severity" | "level" if anything => Ok(not(LogExpr::Severity(SeverityTest { from: 0, to: 0 }))),
        "severity" | "level" => severity(op, &value.text),
        "trace_id" if anything => Ok(LogExpr::HasTrace),
        "trace_id" => id(op, &value.text, LogExpr::Trace),
        "span_id" if anything => Ok(LogExpr::HasSpan),
        "span_id" => id(op, &value.text, LogExpr::Span),
        "body" => body(op, value),
        _ => attribute(key, op, value, anything),
    }
}

fn text_field(op: Op, value: &str, field: fn(TextOp) -> LogExpr) -> Result<LogExpr, String> {
    let matches = || Pattern::part(value).map(TextOp::Matches).map_err(|error| error.to_string());
    match op {
        Op::Compare(CompareOp::Equal) => Ok(field(TextOp::Is(value.to_owned()))),
        Op::Compare(CompareOp::NotEqual) => Ok(not(field(TextOp::Is(value.to_owned())))),
        Op::Matches => Ok(field(matches()?)),
        Op::NotMatches => Ok(not(field(matches()?))),
        Op::Compare(_) => Err("this field has no order".to_owned()),
    }
}

fn id<T: std::str::FromStr<Err: std::fmt::Display>>(
    op: Op,
    value: &str,
    field: fn(T) -> LogExpr,
) -> Result<LogExpr, String> {
    let id = value.parse().map_err(|error: T::Err| error.to_string())?;
    match op {
        Op::Compare(CompareOp::Equal) => Ok(field(id)),
        Op::Compare(CompareOp::NotEqual) => Ok(not(field(id))),
        _ => Err("an id is equal or not".to_owned()),
    }
}

fn body(op: Op, value: &Piece) -> Result<LogExpr, String> {
    let matches = || Pattern::part(&value.text).map(LogExpr::BodyMatches).map_err(|error| error.to_string());
    let test = || text(value, 0).map_err(|error| error.to_string());
    match op {
        Op::Compare(CompareOp::Equal) => test(),
        Op::Compare(CompareOp::NotEqual) => test().map(not),
        Op::Matches => matches(),
        Op::NotMatches => matches().map(not),
        Op::Compare(_) => Err("a body has no order".to_owned()),
    }
}

fn severity(op: Op, value: &str) -> Result<LogExpr, String> {
    let (from, to) = severity_range(value).ok_or_else(|| format!("`{value}` is no severity"))?;
    let named = value.parse::<i32>().is_err();
    // Below the least and above the greatest name nothing has a severity.
    let (least, greatest) = if named { (1, 24) } else { (i32::MIN, i32::MAX) };
    let test = |from, to| Ok(LogExpr::Severity(SeverityTest { from, to }));
    match op {
        Op::Compare(CompareOp::Equal) => test(from, to),
        Op::Compare(CompareOp::NotEqual) => test(from, to).map(not),
        Op::Compare(CompareOp::GreaterEqual) => test(from, greatest),
        Op::Compare(CompareOp::Greater) => test(to.saturating_add(1), greatest),
        Op::Compare(CompareOp::LessEqual) => test(least, to),
        Op::Compare(CompareOp::Less) => test(least, from.saturating_sub(1)),
        Op::Matches | Op::NotMatches => Err("a severity matches no regular expression".to_owned()),
    }
}

/// Numbers of a severity name (logs data model, "Severity Fields"), or a number itself.
fn severity_range(value: &str) -> Option<(i32, i32)> {
    Some(match value.to_ascii_lowercase().as_str() {
        "unset" | "unspecified" => (0, 0),
        "trace" => (1, 4),
        "debug" => (5, 8),
        "info" => (9, 12),
        "warn" | "warning" => (13, 16),
        "error" | "err" => (17, 20),
        "fatal" | "critical" => (21, 24),
        number => number.parse().map(|number| (number, number)).ok()?,
    })
}

fn attribute(key: &str, op: Op, value: &Piece, anything: bool) -> Result<LogExpr, String> {
    let exists = || AttributeTest::Exists;
    let is = || AttributeTest::Is(Loose::new(&value.text), value.text.clone());
    let matches = || Pattern::part(&value.text).map(AttributeTest::Matches).map_err(|error| error.to_string());
    let (test, differs) = match op {
        _ if anything => (exists(), None),
        Op::Compare(CompareOp::Equal) => (is(), None),
        Op::Compare(CompareOp::NotEqual) => (exists(), Some(is())),
        Op::Compare(op) => (AttributeTest::Compare(op, literal(&value.text, value.quoted)), None),
        Op::Matches => (matches()?, None),
        Op::NotMatches => (exists(), Some(matches()?)),
    };
    let found = scoped(key, test);
    Ok(match differs {
        Some(test) => LogExpr::All(vec![found, not(scoped(key, test))]),
        None => found,
    })
}

/// `resource.k` is `k` of the resource, or an attribute that is really named so.
fn scoped(key: &str, test: AttributeTest) -> LogExpr {
    let whole = LogExpr::Attribute { scope: None, key: key.to_owned(), test: test.clone() };
    let prefixes = [("log.", LogScope::Log), ("resource.", LogScope::Resource), ("scope.", LogScope::Scope)];
    let scoped = prefixes
        .into_iter()
        .find_map(|(prefix, scope)| Some((scope, key.strip_prefix(prefix).filter(|key| !key.is_empty())?)));
    match scoped {
        Some((scope, key)) => {
            LogExpr::Any(vec![LogExpr::Attribute { scope: Some(scope), key: key.to_owned(), test }, whole])
        }
        None => whole,
    }
}

fn not(expr: LogExpr) -> LogExpr {
    LogExpr::Not(Box::new(expr))
}
