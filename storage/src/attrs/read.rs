//! Reading typed JSON text: find one key without parsing the rest, or parse it all.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::write::first_escaped;
use super::{Attributes, Event, Link, MAX_DEPTH, Value};

/// The text is not what [`super::write_object`] and its kin write: the file is damaged or foreign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed attribute text at byte {0}")]
pub struct Malformed(pub usize);

/// The raw text of the first value of `key` in an object; parse it with [`parse_value`].
pub fn find<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    entries(object).find_map(|(found, raw)| (found == key).then_some(raw))
}

/// Top-level keys of an object with the raw text of their values. Ends early where the text is malformed.
pub fn entries(object: &str) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
    let mut cursor = Cursor::new(object);
    let mut open = cursor.eat(b'{');
    std::iter::from_fn(move || {
        if !open || cursor.peek() == Some(b'}') {
            return None;
        }
        let entry = cursor.string().ok().and_then(|key| {
            let from = cursor.expect(b':').ok()?;
            cursor.skip_value(0).ok()?;
            Some((key, &object[from..cursor.at]))
        });
        open = entry.is_some() && cursor.eat(b',');
        entry
    })
}

/// Raw texts of the items of a list. Ends early where the text is malformed.
pub fn items(list: &str) -> impl Iterator<Item = &str> {
    let mut cursor = Cursor::new(list);
    let mut open = cursor.eat(b'[');
    std::iter::from_fn(move || {
        if !open || cursor.peek() == Some(b']') {
            return None;
        }
        let from = cursor.at;
        let item = cursor.skip_value(0).ok().map(|()| &list[from..cursor.at]);
        open = item.is_some() && cursor.eat(b',');
        item
    })
}

/// A value from its raw text.
pub fn parse_value(raw: &str) -> Result<Value, Malformed> {
    let mut cursor = Cursor::new(raw);
    let value = cursor.value(0)?;
    cursor.end()?;
    Ok(value)
}

/// All attributes of a row.
pub fn parse_object(object: &str) -> Result<Attributes, Malformed> {
    let mut cursor = Cursor::new(object);
    let pairs = cursor.pairs(0)?;
    cursor.end()?;
    Ok(pairs)
}

pub fn parse_events(text: &str) -> Result<Vec<Event>, Malformed> {
    objects(text, |fields| {
        let mut event = Event { time: 0, name: String::new(), attributes: Vec::new(), dropped_attributes: 0 };
        for (key, raw) in fields {
            match &*key {
                "time" => event.time = number(raw)?,
                "name" => event.name = string(raw)?,
                "attributes" => event.attributes = parse_object(raw)?,
                "dropped" => event.dropped_attributes = number(raw)?,
                _ => {}
            }
        }
        Ok(event)
    })
}

pub fn parse_links(text: &str) -> Result<Vec<Link>, Malformed> {
    objects(text, |fields| {
        let mut link = Link {
            trace_id: Vec::new(),
            span_id: Vec::new(),
            trace_state: String::new(),
            attributes: Vec::new(),
            dropped_attributes: 0,
            flags: 0,
        };
        for (key, raw) in fields {
            match &*key {
                "trace_id" => link.trace_id = hex::decode(string(raw)?).map_err(|_| Malformed(0))?,
                "span_id" => link.span_id = hex::decode(string(raw)?).map_err(|_| Malformed(0))?,
                "trace_state" => link.trace_state = string(raw)?,
                "attributes" => link.attributes = parse_object(raw)?,
                "dropped" => link.dropped_attributes = number(raw)?,
                "flags" => link.flags = number(raw)?,
                _ => {}
            }
        }
        Ok(link)
    })
}

/// How a value reads as text: strings bare, numbers and booleans as written, the rest as their text.
/// This is the form that tag searches, tag values and the index share.
pub fn text_of(raw: &str) -> Cow<'_, str> {
    match raw.as_bytes() {
        [b'"', inner @ .., b'"'] if first_escaped(inner).is_none() => Cow::Borrowed(&raw[1..raw.len() - 1]),
        [b'"', ..] => Cursor::new(raw).string().unwrap_or(Cow::Borrowed(raw)),
        _ => Cow::Borrowed(raw),
    }
}

fn objects<T>(
    text: &str,
    mut read: impl FnMut(Vec<(Cow<'_, str>, &str)>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let mut cursor = Cursor::new(text);
    let mut items = Vec::new();
    cursor.expect(b'[')?;
    while !cursor.eat(b']') {
        let from = cursor.at;
        cursor.skip_value(0)?;
        items.push(read(entries(&text[from..cursor.at]).collect())?);
        if !cursor.eat(b',') && cursor.peek() != Some(b']') {
            return Err(Malformed(cursor.at));
        }
    }
    cursor.end()?;
    Ok(items)
}

fn number<T: std::str::FromStr>(raw: &str) -> Result<T, Malformed> {
    raw.parse().map_err(|_| Malformed(0))
}

fn string(raw: &str) -> Result<String, Malformed> {
    Cursor::new(raw).string().map(Cow::into_owned)
}

/// A position in text without white space between tokens, as the writer makes it.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// Position after `byte`.
    fn expect(&mut self, byte: u8) -> Result<usize, Malformed> {
        if self.eat(byte) { Ok(self.at) } else { Err(Malformed(self.at)) }
    }

    fn end(&self) -> Result<(), Malformed> {
        if self.at == self.text.len() { Ok(()) } else { Err(Malformed(self.at)) }
    }

    /// The text between quotes, still escaped; whether it holds a backslash.
    fn quoted(&mut self) -> Result<(&'a str, bool), Malformed> {
        let from = self.expect(b'"')?;
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        let mut at = from;
        loop {
            at += first_escaped(&bytes[at..]).ok_or(Malformed(at))?;
            match bytes[at] {
                b'"' => {
                    self.at = at + 1;
                    return Ok((&self.text[from..at], escaped));
                }
                b'\\' => {
                    escaped = true;
                    at = (at + 2).min(bytes.len());
                }
                // The writer escapes controls; another's text is taken as it is.
                _ => at += 1,
            }
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let from = self.at;
        let (inner, escaped) = self.quoted()?;
        if !escaped {
            return Ok(Cow::Borrowed(inner));
        }
        serde_json::from_str::<String>(&self.text[from..self.at]).map(Cow::Owned).map_err(|_| Malformed(from))
    }

    fn skip_value(&mut self, depth: usize) -> Result<(), Malformed> {
        if depth > 2 * MAX_DEPTH + 4 {
            return Err(Malformed(self.at));
        }
        match self.peek() {
            Some(b'"') => self.quoted().map(drop),
            Some(open @ (b'{' | b'[')) => {
                let close = if open == b'{' { b'}' } else { b']' };
                self.at += 1;
                while !self.eat(close) {
                    if open == b'{' {
                        self.quoted()?;
                        self.expect(b':')?;
                    }
                    self.skip_value(depth + 1)?;
                    if !self.eat(b',') && self.peek() != Some(close) {
                        return Err(Malformed(self.at));
                    }
                }
                Ok(())
            }
            Some(_) => {
                let rest = &self.text.as_bytes()[self.at..];
                let length = rest.iter().position(|b| matches!(b, b',' | b'}' | b']')).unwrap_or(rest.len());
                self.at += length;
                if length == 0 { Err(Malformed(self.at)) } else { Ok(()) }
            }
            None => Err(Malformed(self.at)),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, Malformed> {
        if depth > 2 * MAX_DEPTH + 4 {
            return Err(Malformed(self.at));
        }
        match self.peek() {
            Some(b'"') => Ok(Value::String(self.string()?.into_owned())),
            Some(b'[') => {
                self.at += 1;
                let mut values = Vec::new();
                while !self.eat(b']') {
                    values.push(self.value(depth + 1)?);
                    if !self.eat(b',') && self.peek() != Some(b']') {
                        return Err(Malformed(self.at));
                    }
                }
                Ok(Value::Array(values))
            }
            Some(b'{') => {
                let from = self.at;
                let pairs = self.pairs(depth)?;
                unwrap(pairs).ok_or(Malformed(from))
            }
            _ => {
                let from = self.at;
                self.skip_value(depth)?;
                literal(&self.text[from..self.at]).ok_or(Malformed(from))
            }
        }
    }

    fn pairs(&mut self, depth: usize) -> Result<Attributes, Malformed> {
        self.expect(b'{')?;
        let mut pairs = Vec::new();
        while !self.eat(b'}') {
            let key = self.string()?.into_owned();
            self.expect(b':')?;
            pairs.push((key, self.value(depth + 1)?));
            if !self.eat(b',') && self.peek() != Some(b'}') {
                return Err(Malformed(self.at));
            }
        }
        Ok(pairs)
    }
}

fn literal(text: &str) -> Option<Value> {
    match text {
        "null" => Some(Value::Null),
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        _ if text.contains(['.', 'e', 'E']) => text.parse().ok().map(Value::Double),
        _ => text.parse().ok().map(Value::Int),
    }
}

/// A nested object is a kvlist unless its first key is one of the writer's own.
fn unwrap(mut pairs: Attributes) -> Option<Value> {
    match pairs.first() {
        Some((key, _)) if key.starts_with('$') && pairs.len() == 1 => {}
        _ => return Some(Value::Map(pairs)),
    }
    match pairs.pop()? {
        (key, Value::String(text)) if key == "$bytes" => BASE64.decode(text).ok().map(Value::Bytes),
        (key, Value::String(text)) if key == "$double" => match &*text {
            "NaN" => Some(Value::Double(f64::NAN)),
            "Infinity" => Some(Value::Double(f64::INFINITY)),
            "-Infinity" => Some(Value::Double(f64::NEG_INFINITY)),
            _ => None,
        },
        (key, Value::Array(pairs)) if key == "$kvlist" => pairs
            .into_iter()
            .map(|pair| match pair {
                Value::Array(mut pair) if pair.len() == 2 => match (pair.swap_remove(0), pair.pop()?) {
                    (Value::String(key), value) => Some((key, value)),
                    _ => None,
                },
                _ => None,
            })
            .collect::<Option<_>>()
            .map(Value::Map),
        _ => None,
    }
}
