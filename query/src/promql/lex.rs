//! Text to tokens.

use crate::engine::QueryError;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name or a keyword.
    Word(String),
    Text(String),
    Number(f64),
    /// ms.
    Duration(i64),
    Sign(&'static str),
}

/// Longest query text, bytes.
const MOST_TEXT: usize = 16 << 10;

/// Longest first.
const SIGNS: [&str; 24] = [
    "=~", "!~", "!=", "==", ">=", "<=", "(", ")", "{", "}", "[", "]", ",", "=", "+", "-", "*", "/", "%", "^", ">", "<",
    ":", "@",
];

pub(super) fn bad(message: impl Into<String>, position: usize) -> QueryError {
    QueryError::Bad { message: message.into(), position: Some(position) }
}

/// Tokens with their places, in bytes.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, QueryError> {
    if text.len() > MOST_TEXT {
        return Err(QueryError::bad(format!("the query is longer than {MOST_TEXT} bytes")));
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = match first {
            _ if first.is_whitespace() => first.len_utf8(),
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' | '\'' | '`' => {
                let (value, length) =
                    quoted(rest, first).ok_or_else(|| bad("a string is not closed or not valid", at))?;
                tokens.push((Token::Text(value), at));
                length
            }
            '0'..='9' | '.' => {
                let (token, length) = number(rest).ok_or_else(|| bad("this is no number and no duration", at))?;
                tokens.push((token, at));
                length
            }
            _ if first.is_ascii_alphabetic() || first == '_' => {
                let length =
                    rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
                tokens.push((Token::Word(rest[..length].to_owned()), at));
                length
            }
            _ => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
                let sign = sign.ok_or_else(|| bad(format!("unexpected character {first:?}"), at))?;
                tokens.push((Token::Sign(sign), at));
                sign.len()
            }
        };
        at += length;
    }
    Ok(tokens)
}

/// A string and its length with quotes.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let (mut value, mut chars) = (String::new(), text.char_indices().skip(1));
    while let Some((at, c)) = chars.next() {
        match c {
            _ if c == quote => return Some((value, at + c.len_utf8())),
            '\\' if quote != '`' => value.push(match chars.next()?.1 {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other @ ('\\' | '"' | '\'') => other,
                _ => return None,
            }),
            '\n' if quote != '`' => return None,
            _ => value.push(c),
        }
    }
    None
}

/// A number, or a duration such as `1h30m`.
fn number(text: &str) -> Option<(Token, usize)> {
    let word = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).unwrap_or(text.len());
    if let Some(ms) = duration(&text[..word]) {
        return Some((Token::Duration(ms), word));
    }
    // The sign of an exponent belongs to the number.
    let exponent = text[..word].ends_with(['e', 'E']) && text[word..].starts_with(['+', '-']);
    let more = text[word..].get(1..).map_or(0, |rest| rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
    let length = if exponent { word + 1 + more } else { word };
    let is_plain = text[..length].bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    let number = if is_plain { text[..length].parse().ok()? } else { return None };
    Some((Token::Number(number), length))
}

/// ms.
pub(super) fn duration(text: &str) -> Option<i64> {
    let (mut rest, mut sum) = (text, 0i64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|length| *length > 0)?;
        let unit = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |length| digits + length);
        let ms = match &rest[digits..unit] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            "y" => 365 * 86_400_000,
            _ => return None,
        };
        sum = sum.checked_add(rest[..digits].parse::<i64>().ok()?.checked_mul(ms)?)?;
        rest = &rest[unit..];
    }
    (!text.is_empty()).then_some(sum)
}
