//! TraceQL text as tokens with byte positions.

use super::ast::{
    ArithmeticOp, CompareOp, Field, Intrinsic, Name, Relation, RelationKind, RelationMode, Scope, Static,
};
use super::bad;
use crate::QueryError;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Open,
    Close,
    OpenParen,
    CloseParen,
    Comma,
    Pipe,
    And,
    Or,
    Not,
    /// `>` and `<` between spansets mean child and parent.
    Compare(CompareOp),
    /// `=~`
    Matches,
    /// `!~`: does not match, or between spansets: is no sibling.
    NotTilde,
    Relation(Relation),
    Arithmetic(ArithmeticOp),
    Literal(Static),
    Field(Field),
    /// A word that is no literal and no field: a function or a keyword.
    Word(String),
    End,
}

/// All tokens, the last one being [`Token::End`].
pub(super) fn lex(text: &str) -> Result<Vec<(usize, Token)>, QueryError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.at += lexer.rest().len() - lexer.rest().trim_start().len();
        let from = lexer.at;
        let token = lexer.token()?;
        let end = token == Token::End;
        tokens.push((from, token));
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

/// Longest first.
const SYMBOLS: &[(&str, Token)] = {
    use ArithmeticOp::*;
    use CompareOp::*;
    use RelationKind::*;
    use RelationMode::{Both, Not, Right};
    const fn relation(mode: RelationMode, kind: RelationKind) -> Token {
        Token::Relation(Relation { kind, mode })
    }
    &[
        ("!>>", relation(Not, Descendant)),
        ("!<<", relation(Not, Ancestor)),
        ("&>>", relation(Both, Descendant)),
        ("&<<", relation(Both, Ancestor)),
        ("&&", Token::And),
        ("||", Token::Or),
        ("=~", Token::Matches),
        ("!=", Token::Compare(NotEqual)),
        (">=", Token::Compare(GreaterEqual)),
        ("<=", Token::Compare(LessEqual)),
        (">>", relation(Right, Descendant)),
        ("<<", relation(Right, Ancestor)),
        ("!>", relation(Not, Child)),
        ("!<", relation(Not, Parent)),
        ("!~", Token::NotTilde),
        ("&>", relation(Both, Child)),
        ("&<", relation(Both, Parent)),
        ("&~", relation(Both, Sibling)),
        ("~", relation(Right, Sibling)),
        ("{", Token::Open),
        ("}", Token::Close),
        ("(", Token::OpenParen),
        (")", Token::CloseParen),
        (",", Token::Comma),
        ("|", Token::Pipe),
        ("!", Token::Not),
        ("=", Token::Compare(Equal)),
        (">", Token::Compare(Greater)),
        ("<", Token::Compare(Less)),
        ("+", Token::Arithmetic(Add)),
        ("-", Token::Arithmetic(Subtract)),
        ("*", Token::Arithmetic(Multiply)),
        ("/", Token::Arithmetic(Divide)),
        ("%", Token::Arithmetic(Modulo)),
        ("^", Token::Arithmetic(Power)),
    ]
};

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn token(&mut self) -> Result<Token, QueryError> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(Token::End) };
        let digit_next = rest[first.len_utf8()..].starts_with(|c: char| c.is_ascii_digit());
        match first {
            '"' | '`' => self.quoted().map(Static::String).map(Token::Literal),
            '0'..='9' => self.number(),
            '.' if digit_next => self.number(),
            '.' => {
                self.at += 1;
                self.attribute(false, Scope::Unscoped)
            }
            'a'..='z' | 'A'..='Z' | '_' => self.word(),
            _ => {
                let (symbol, token) = SYMBOLS
                    .iter()
                    .find(|(symbol, _)| rest.starts_with(symbol))
                    .ok_or_else(|| bad(self.at, format!("unexpected character {first:?}")))?;
                self.at += symbol.len();
                Ok(token.clone())
            }
        }
    }

    fn word(&mut self) -> Result<Token, QueryError> {
        let rest = self.rest();
        let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))).unwrap_or(rest.len());
        let word = rest[..length].to_owned();
        self.at += length;
        if self.rest().starts_with('.') {
            let dot = self.at;
            self.at += 1;
            if word == "parent" {
                return self.of_parent();
            }
            let scope = scope(&word).ok_or_else(|| bad(dot, format!("`{word}` is no scope of attributes")))?;
            return self.attribute(false, scope);
        }
        Ok(match literal(&word) {
            Some(literal) => Token::Literal(literal),
            None => match Intrinsic::parse(&word) {
                Some(intrinsic) => Token::Field(Field { parent: false, name: Name::Intrinsic(intrinsic) }),
                None => Token::Word(word),
            },
        })
    }

    /// What follows `parent.`: a scope, an intrinsic, or an attribute.
    fn of_parent(&mut self) -> Result<Token, QueryError> {
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != ':').unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        if let (Some(intrinsic), false) = (Intrinsic::parse(word), after.starts_with(is_of_name)) {
            self.at += length;
            return Ok(Token::Field(Field { parent: true, name: Name::Intrinsic(intrinsic) }));
        }
        match scope(word) {
            Some(scope) if after.starts_with('.') => {
                self.at += length + 1;
                self.attribute(true, scope)
            }
            _ => self.attribute(true, Scope::Unscoped),
        }
    }

    /// An attribute name: any characters but white space and operators, and quoted parts.
    fn attribute(&mut self, parent: bool, scope: Scope) -> Result<Token, QueryError> {
        let from = self.at;
        let mut key = String::new();
        while let Some(c) = self.rest().chars().next() {
            if c == '"' {
                key.push_str(&self.quoted()?);
            } else if is_of_name(c) {
                key.push(c);
                self.at += c.len_utf8();
            } else {
                break;
            }
        }
        if key.is_empty() {
            return Err(bad(from, "the name of an attribute is missing"));
        }
        Ok(Token::Field(Field { parent, name: Name::Attribute(scope, key) }))
    }

    /// `"…"` with escapes as in Go, or `` `…` `` as it stands.
    fn quoted(&mut self) -> Result<String, QueryError> {
        let from = self.at;
        let open = || bad(from, "the text is not closed");
        let rest = &self.text[from..];
        if let Some(raw) = rest.strip_prefix('`') {
            let length = raw.find('`').ok_or_else(open)?;
            self.at += length + 2;
            return Ok(raw[..length].to_owned());
        }
        let mut text = String::new();
        let mut chars = rest[1..].char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at = from + 1 + at + 1;
                    return Ok(text);
                }
                '\\' => {
                    let (_, escaped) = chars.next().ok_or_else(open)?;
                    let broken = || bad(from + 1 + at, "a broken escape");
                    match escaped {
                        'n' => text.push('\n'),
                        't' => text.push('\t'),
                        'r' => text.push('\r'),
                        '"' | '\\' | '\'' | '`' => text.push(escaped),
                        'x' => text.push(hex(&mut chars, 2).ok_or_else(broken)?),
                        'u' => text.push(hex(&mut chars, 4).ok_or_else(broken)?),
                        // `\.` and `\d` of regular expressions stay as they are.
                        other => text.extend(['\\', other]),
                    }
                }
                c => text.push(c),
            }
        }
        Err(open())
    }

    /// `1`, `1.5`, `.5`, `2.`, `1e3`, or durations such as `1h2m` and `1.5ms`.
    fn number(&mut self) -> Result<Token, QueryError> {
        let from = self.at;
        let rest = &self.text[from..];
        let length = digits(rest);
        let length = length + exponent(&rest[length..]);
        if rest[length..].starts_with(char::is_alphabetic) {
            let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '.')).unwrap_or(rest.len());
            let text = &rest[..length];
            self.at += length;
            let ns = duration(text).ok_or_else(|| bad(from, format!("`{text}` is no duration")))?;
            return Ok(Token::Literal(Static::Duration(ns)));
        }
        let number = &rest[..length];
        self.at += length;
        let value = if number.contains(['.', 'e', 'E']) {
            number.parse().ok().filter(|value: &f64| value.is_finite()).map(Static::Float)
        } else {
            number.parse().ok().map(Static::Int)
        };
        value.map(Token::Literal).ok_or_else(|| bad(from, format!("`{number}` is no number")))
    }
}

/// A duration in ns: numbers with units h, m, s, ms, us, µs, ns; also d for days.
pub(super) fn duration(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total = 0f64;
    let mut exact = Some(0i64);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = rest.split_at(digits(rest));
        let (unit, after) = after.split_at(after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len()));
        let ns: i64 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * ns as f64;
        exact = match number.parse::<i64>() {
            Ok(number) => exact.and_then(|sum| sum.checked_add(number.checked_mul(ns)?)),
            Err(_) => None,
        };
        rest = after;
    }
    let rounded = total.round();
    exact.or_else(|| (rounded.abs() < i64::MAX as f64).then_some(rounded as i64))
}

/// Length of digits with at most one point.
fn digits(text: &str) -> usize {
    let mut point = false;
    let end = |c: char| !(c.is_ascii_digit() || (c == '.' && !std::mem::replace(&mut point, true)));
    text.find(end).unwrap_or(text.len())
}

/// Length of `e10`, `E-3`.
fn exponent(text: &str) -> usize {
    let Some(rest) = text.strip_prefix(['e', 'E']) else { return 0 };
    let unsigned = rest.strip_prefix(['+', '-']).unwrap_or(rest);
    let count = unsigned.find(|c: char| !c.is_ascii_digit()).unwrap_or(unsigned.len());
    if count == 0 { 0 } else { text.len() - unsigned.len() + count }
}

fn hex(chars: &mut std::str::CharIndices<'_>, count: usize) -> Option<char> {
    let mut code = 0;
    for _ in 0..count {
        code = code * 16 + chars.next()?.1.to_digit(16)?;
    }
    char::from_u32(code)
}

/// Whether a character may stand in the name of an attribute without quotes.
fn is_of_name(c: char) -> bool {
    !c.is_whitespace()
        && !matches!(c, '{' | '}' | '(' | ')' | '=' | '~' | '!' | '<' | '>' | '&' | '|' | '^' | ',' | '"' | '`')
}

fn scope(word: &str) -> Option<Scope> {
    Some(match word {
        "span" => Scope::Span,
        "resource" => Scope::Resource,
        "event" => Scope::Event,
        "link" => Scope::Link,
        "instrumentation" => Scope::Instrumentation,
        _ => return None,
    })
}

fn literal(word: &str) -> Option<Static> {
    Some(match word {
        "nil" => Static::Nil,
        "true" => Static::Bool(true),
        "false" => Static::Bool(false),
        "unset" => Static::Status(0),
        "ok" => Static::Status(1),
        "error" => Static::Status(2),
        "unspecified" => Static::Kind(0),
        "internal" => Static::Kind(1),
        "server" => Static::Kind(2),
        "client" => Static::Kind(3),
        "producer" => Static::Kind(4),
        "consumer" => Static::Kind(5),
        _ => return None,
    })
}
