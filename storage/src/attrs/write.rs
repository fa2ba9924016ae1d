//! Writing typed JSON text, value by value, without intermediate structs.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{Attributes, Event, Link, Value};

/// Where JSON is written: a text, or the bytes of a column, which Arrow checks once as a whole.
pub trait Out {
    fn put(&mut self, text: &str);

    /// As [`Self::put`], for bytes that are ASCII.
    fn put_ascii(&mut self, text: &[u8]);

    /// As [`Self::put_ascii`], for one byte.
    fn put_byte(&mut self, byte: u8);
}

impl Out for String {
    fn put(&mut self, text: &str) {
        self.push_str(text);
    }

    fn put_ascii(&mut self, text: &[u8]) {
        self.extend(text.iter().map(|byte| char::from(*byte)));
    }

    fn put_byte(&mut self, byte: u8) {
        self.push(char::from(byte));
    }
}

impl Out for Vec<u8> {
    #[inline]
    fn put(&mut self, text: &str) {
        self.extend_from_slice(text.as_bytes());
    }

    #[inline]
    fn put_ascii(&mut self, text: &[u8]) {
        self.extend_from_slice(text);
    }

    #[inline]
    fn put_byte(&mut self, byte: u8) {
        self.push(byte);
    }
}

pub fn push_null(out: &mut impl Out) {
    out.put("null");
}

pub fn push_bool(out: &mut impl Out, value: bool) {
    out.put(if value { "true" } else { "false" });
}

pub fn push_int(out: &mut impl Out, value: impl Into<i128>) {
    let value = value.into();
    let Ok(mut rest) = u64::try_from(value.unsigned_abs()) else {
        return out.put(&value.to_string());
    };
    let mut digits = [b'-'; 21];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.put_ascii(&digits[at - usize::from(value < 0)..]);
}

pub fn push_double(out: &mut impl Out, value: f64) {
    if value.is_finite() {
        // Debug always writes a point or an exponent, and reads back to the same bits.
        fmt::write(&mut Formatted(out), format_args!("{value:?}")).expect("it takes every write");
    } else if value.is_nan() {
        out.put(r#"{"$double":"NaN"}"#);
    } else if value > 0.0 {
        out.put(r#"{"$double":"Infinity"}"#);
    } else {
        out.put(r#"{"$double":"-Infinity"}"#);
    }
}

struct Formatted<'o, O>(&'o mut O);

impl<O: Out> fmt::Write for Formatted<'_, O> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.put(text);
        Ok(())
    }
}

pub fn push_bytes(out: &mut impl Out, value: &[u8]) {
    out.put(r#"{"$bytes":""#);
    out.put(&BASE64.encode(value));
    out.put("\"}");
}

/// A JSON string (RFC 8259 §7). Text without quotes, backslashes and controls is copied in one piece.
pub fn push_string(out: &mut impl Out, value: &str) {
    out.put_byte(b'"');
    let mut rest = value;
    while let Some(at) = first_escaped(rest.as_bytes()) {
        out.put(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.put("\\\""),
            b'\\' => out.put("\\\\"),
            b'\n' => out.put("\\n"),
            b'\r' => out.put("\\r"),
            b'\t' => out.put("\\t"),
            control => out.put(&format!("\\u{control:04x}")),
        }
        rest = &rest[at + 1..];
    }
    out.put(rest);
    out.put_byte(b'"');
}

/// Writes a JSON string of bytes that need no look at their encoding: ASCII without anything to escape. False,
/// and nothing is written, where they are anything else.
#[inline]
pub fn push_plain(out: &mut Vec<u8>, text: &[u8]) -> bool {
    let plain = is_plain(text);
    if plain {
        out.reserve(text.len() + 2);
        out.push(b'"');
        out.extend_from_slice(text);
        out.push(b'"');
    }
    plain
}

/// One in each byte of a word.
const ONES: u64 = u64::MAX / 255;
/// The high bit of each byte.
const HIGH: u64 = ONES << 7;

/// The high bit of bytes that JSON escapes. Above the first of them others may be marked too: subtraction
/// borrows from there.
#[inline]
fn escaped(word: u64) -> u64 {
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (control | zero(word ^ (ONES * b'"' as u64)) | zero(word ^ (ONES * b'\\' as u64))) & HIGH
}

pub(super) fn first_escaped(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let marks = escaped(u64::from_le_bytes(*word));
        if marks != 0 {
            return Some(8 * number + marks.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|byte| matches!(byte, ..0x20 | b'"' | b'\\'))?;
    Some(8 * words.len() + at)
}

/// Whether all bytes are ASCII that JSON does not escape. Eight at a time; the last eight overlap.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let marks = |word: u64| escaped(word) | word & HIGH;
    let eight = |word: &[u8; 8]| marks(u64::from_le_bytes(*word));
    if let Some(last) = bytes.last_chunk::<8>() {
        return bytes.as_chunks::<8>().0.iter().fold(eight(last), |found, word| found | eight(word)) == 0;
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        return marks(u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32) == 0;
    }
    bytes.iter().all(|byte| matches!(byte, 0x20..0x80) && !matches!(byte, b'"' | b'\\'))
}

/// Writes `{"k":v,…}`: after each `key`, push exactly one value to `out`.
pub struct MapWriter {
    empty: bool,
}

impl MapWriter {
    pub fn begin(out: &mut impl Out) -> Self {
        out.put_byte(b'{');
        Self { empty: true }
    }

    #[inline]
    pub fn key(&mut self, out: &mut impl Out, key: &str) {
        self.key_by(out, |out| push_string(out, key));
    }

    /// As [`Self::key`]; `write` writes the key as a JSON string.
    #[inline]
    pub fn key_by<O: Out>(&mut self, out: &mut O, write: impl FnOnce(&mut O)) {
        if !std::mem::replace(&mut self.empty, false) {
            out.put_byte(b',');
        }
        write(out);
        out.put_byte(b':');
    }

    pub fn end(self, out: &mut impl Out) {
        out.put_byte(b'}');
    }
}

/// Writes `[v,…]`: after each `item`, push exactly one value to `out`.
pub struct ListWriter {
    empty: bool,
}

impl ListWriter {
    pub fn begin(out: &mut impl Out) -> Self {
        out.put_byte(b'[');
        Self { empty: true }
    }

    pub fn item(&mut self, out: &mut impl Out) {
        if !std::mem::replace(&mut self.empty, false) {
            out.put_byte(b',');
        }
    }

    pub fn end(self, out: &mut impl Out) {
        out.put_byte(b']');
    }
}

/// The attributes of a row.
pub fn write_object(out: &mut impl Out, attributes: &[(String, Value)]) {
    let mut map = MapWriter::begin(out);
    for (key, value) in attributes {
        map.key(out, key);
        push_value(out, value);
    }
    map.end(out);
}

pub fn push_value(out: &mut impl Out, value: &Value) {
    match value {
        Value::Null => push_null(out),
        Value::Bool(value) => push_bool(out, *value),
        Value::Int(value) => push_int(out, *value),
        Value::Double(value) => push_double(out, *value),
        Value::String(value) => push_string(out, value),
        Value::Bytes(value) => push_bytes(out, value),
        Value::Array(values) => {
            let mut list = ListWriter::begin(out);
            for value in values {
                list.item(out);
                push_value(out, value);
            }
            list.end(out);
        }
        Value::Map(pairs) => push_map(out, pairs),
    }
}

fn push_map(out: &mut impl Out, pairs: &Attributes) {
    if !needs_pairs(pairs.iter().map(|(key, _)| key.as_str())) {
        return write_object(out, pairs);
    }
    out.put(r#"{"$kvlist":"#);
    let mut list = ListWriter::begin(out);
    for (key, value) in pairs {
        list.item(out);
        out.put_byte(b'[');
        push_string(out, key);
        out.put_byte(b',');
        push_value(out, value);
        out.put_byte(b']');
    }
    list.end(out);
    out.put_byte(b'}');
}

/// Whether a nested kvlist with these keys must be written as pairs, not as an object.
fn needs_pairs<'a>(keys: impl Iterator<Item = &'a str>) -> bool {
    let mut seen = hashbrown::HashSet::new();
    keys.enumerate().any(|(at, key)| (at == 0 && key.starts_with('$')) || !seen.insert(key))
}

/// The `events` column: `[{"time":ns,"name":…,"attributes":{…},"dropped":n},…]`, `dropped` only where not 0.
pub fn write_events(out: &mut impl Out, events: &[Event]) {
    let mut list = ListWriter::begin(out);
    for event in events {
        list.item(out);
        let mut map = MapWriter::begin(out);
        map.key(out, "time");
        push_int(out, event.time);
        map.key(out, "name");
        push_string(out, &event.name);
        map.key(out, "attributes");
        write_object(out, &event.attributes);
        if event.dropped_attributes != 0 {
            map.key(out, "dropped");
            push_int(out, event.dropped_attributes);
        }
        map.end(out);
    }
    list.end(out);
}

/// The `links` column: `[{"trace_id":hex,"span_id":hex,"trace_state":…,"attributes":{…},"dropped":n,"flags":n},…]`;
/// `trace_state`, `dropped` and `flags` only where set.
pub fn write_links(out: &mut impl Out, links: &[Link]) {
    let mut list = ListWriter::begin(out);
    for link in links {
        list.item(out);
        let mut map = MapWriter::begin(out);
        map.key(out, "trace_id");
        push_string(out, &hex::encode(&link.trace_id));
        map.key(out, "span_id");
        push_string(out, &hex::encode(&link.span_id));
        if !link.trace_state.is_empty() {
            map.key(out, "trace_state");
            push_string(out, &link.trace_state);
        }
        map.key(out, "attributes");
        write_object(out, &link.attributes);
        if link.dropped_attributes != 0 {
            map.key(out, "dropped");
            push_int(out, link.dropped_attributes);
        }
        if link.flags != 0 {
            map.key(out, "flags");
            push_int(out, link.flags);
        }
        map.end(out);
    }
    list.end(out);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Short alphabets, so that special bytes stand at every place of a word.
        #[test]
        fn strings_read_back(text in "[a\\x7f\"\\\\\n\x00\x1f 限]{0,40}") {
            let (mut string, mut bytes) = (String::new(), Vec::new());
            push_string(&mut string, &text);
            push_string(&mut bytes, &text);
            prop_assert_eq!(string.as_bytes(), &bytes);
            prop_assert_eq!(&serde_json::from_str::<String>(&string).expect("JSON"), &text);
        }

        #[test]
        fn plain_is_what_is_written_as_it_stands(bytes in proptest::collection::vec(
            prop_oneof![9 => 0x20..0x7fu8, 1 => any::<u8>()], 0..40))
        {
            let mut out = Vec::new();
            let escaped = |byte: &u8| !byte.is_ascii() || *byte < 0x20 || *byte == b'"' || *byte == b'\\';
            let plain = !bytes.iter().any(escaped);
            prop_assert_eq!(push_plain(&mut out, &bytes), plain);
            prop_assert_eq!(out, if plain { [b"\"", &bytes[..], b"\""].concat() } else { Vec::new() });
        }

        #[test]
        fn integers_are_written_as_std_does(value in any::<i128>(), short in any::<i64>()) {
            for value in [value, short.into(), (short >> 40).into(), u64::MAX.into(), i64::MIN.into(), 0] {
                let mut out = String::new();
                push_int(&mut out, value);
                prop_assert_eq!(out, value.to_string());
            }
        }
    }
}
