//! Attribute values as typed JSON text, straight from the views (the forms of [`storage::attrs`]).

use std::borrow::Cow;

use proto::otlp::view::{AnyValue, Event, KeyValue, Link, Malformed, NotWithin, Repeated, Text, View};
use storage::attrs::{
    ListWriter, MAX_DEPTH, MapWriter, push_bool, push_bytes, push_double, push_int, push_null, push_plain, push_string,
};

use crate::normalise::{Fact, Facts};

/// Text of one column of one request, in bytes: Arrow's offsets are 32 bits wide.
pub(super) const MAX_TEXT_BYTES: usize = 1 << 30;

/// JSON levels of one value. A kvlist written as pairs takes three for one of OTLP's; readers follow
/// `2 × MAX_DEPTH` levels and a few.
const MAX_JSON_DEPTH: usize = 2 * MAX_DEPTH;

/// Keys of a kvlist up to this number are compared one with another, more by hashing.
const FEW_KEYS: usize = 8;

/// Writes attribute values; counts values that mean nothing outside the profiles signal.
#[derive(Default)]
pub(super) struct Writer {
    references: usize,
}

impl Writer {
    /// References seen since the last call.
    pub(super) fn take_references(&mut self) -> usize {
        std::mem::take(&mut self.references)
    }

    /// The attributes of a row, a resource, a scope: one object in the order sent.
    /// `seen` is told of each key, its value and the text written for it.
    pub(super) fn attributes<'a>(
        &mut self,
        out: &mut Vec<u8>,
        attributes: &Repeated<'a, KeyValue<'a>>,
        mut seen: impl FnMut(Text<'a>, &AnyValue<'a>, &[u8]),
    ) -> Result<(), NotWithin> {
        let mut map = MapWriter::begin(out);
        let mut elements = attributes.iter();
        while let Some(message) = elements.next_message() {
            let pair = KeyValue::parse(message?)?;
            map.key_by(out, |out| push_text(out, pair.key));
            let from = out.len();
            match pair.value {
                AnyValue::String(text) => push_text(out, text),
                _ => self.value(out, &pair.value, Depth::default())?,
            }
            seen(pair.key, &pair.value, &out[from..]);
        }
        map.end(out);
        Ok(())
    }

    pub(super) fn body(&mut self, out: &mut Vec<u8>, value: &AnyValue<'_>) -> Result<(), NotWithin> {
        self.value(out, value, Depth::default())
    }

    /// The `events` column; nothing where there are none.
    pub(super) fn events<'a>(
        &mut self,
        out: &mut Vec<u8>,
        events: &Repeated<'a, Event<'a>>,
        facts: &mut Facts<'a>,
    ) -> Result<(), NotWithin> {
        if events.is_empty() {
            return Ok(());
        }
        let mut list = ListWriter::begin(out);
        for event in events {
            let event = event?;
            list.item(out);
            let mut map = MapWriter::begin(out);
            map.key(out, "time");
            push_int(out, event.time_unix_nano);
            map.key(out, "name");
            push_text(out, event.name);
            if let Ok(name) = event.name.as_str() {
                facts.event(name);
            }
            map.key(out, "attributes");
            self.attributes(out, &event.attributes, |key, value, _| {
                if let Some(fact) = fact(value) {
                    facts.event_attribute(key.bytes(), fact);
                }
            })?;
            optional_int(&mut map, out, "dropped", event.dropped_attributes_count);
            map.end(out);
        }
        list.end(out);
        Ok(())
    }

    /// The `links` column; nothing where there are none.
    pub(super) fn links(&mut self, out: &mut Vec<u8>, links: &Repeated<'_, Link<'_>>) -> Result<(), NotWithin> {
        if links.is_empty() {
            return Ok(());
        }
        let mut list = ListWriter::begin(out);
        for link in links {
            let link = link?;
            list.item(out);
            let mut map = MapWriter::begin(out);
            map.key(out, "trace_id");
            push_hex(out, link.trace_id);
            map.key(out, "span_id");
            push_hex(out, link.span_id);
            if !link.trace_state.is_empty() {
                map.key(out, "trace_state");
                push_text(out, link.trace_state);
            }
            map.key(out, "attributes");
            self.attributes(out, &link.attributes, |_, _, _| {})?;
            optional_int(&mut map, out, "dropped", link.dropped_attributes_count);
            optional_int(&mut map, out, "flags", link.flags);
            map.end(out);
        }
        list.end(out);
        Ok(())
    }

    fn value(&mut self, out: &mut Vec<u8>, value: &AnyValue<'_>, depth: Depth) -> Result<(), NotWithin> {
        match value {
            AnyValue::Empty => push_null(out),
            AnyValue::String(text) => push_text(out, *text),
            AnyValue::Bool(value) => push_bool(out, *value),
            AnyValue::Int(value) => push_int(out, *value),
            AnyValue::Double(value) => push_double(out, *value),
            AnyValue::Bytes(value) => push_bytes(out, value),
            AnyValue::StringIndex(_) => {
                self.references += 1;
                push_null(out);
            }
            AnyValue::Array(values) => {
                let depth = depth.below(1)?;
                let mut list = ListWriter::begin(out);
                for value in values {
                    list.item(out);
                    self.value(out, &value?, depth)?;
                }
                list.end(out);
            }
            AnyValue::KvList(pairs) if needs_pairs(pairs)? => self.pairs(out, pairs, depth.below(3)?)?,
            AnyValue::KvList(pairs) => {
                let depth = depth.below(1)?;
                let mut map = MapWriter::begin(out);
                for pair in pairs {
                    let pair = pair?;
                    map.key_by(out, |out| push_text(out, pair.key));
                    self.value(out, &pair.value, depth)?;
                }
                map.end(out);
            }
        }
        Ok(())
    }

    /// `{"$kvlist":[["k",v],…]}`
    fn pairs(&mut self, out: &mut Vec<u8>, pairs: &Repeated<'_, KeyValue<'_>>, depth: Depth) -> Result<(), NotWithin> {
        let mut map = MapWriter::begin(out);
        map.key(out, "$kvlist");
        let mut list = ListWriter::begin(out);
        for pair in pairs {
            let pair = pair?;
            list.item(out);
            let mut entry = ListWriter::begin(out);
            entry.item(out);
            push_text(out, pair.key);
            entry.item(out);
            self.value(out, &pair.value, depth)?;
            entry.end(out);
        }
        list.end(out);
        map.end(out);
        Ok(())
    }
}

/// What a rule of normalisation can read of a value.
fn fact<'a>(value: &AnyValue<'a>) -> Option<Fact<'a>> {
    match value {
        AnyValue::String(text) => text.as_str().ok().map(Fact::Text),
        AnyValue::Int(number) => Some(Fact::Int(*number)),
        AnyValue::Bool(yes) => Some(Fact::Bool(*yes)),
        _ => None,
    }
}

pub(super) fn optional_int(map: &mut MapWriter, out: &mut Vec<u8>, key: &str, value: u32) {
    if value != 0 {
        map.key(out, key);
        push_int(out, value);
    }
}

pub(super) fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    out.extend(bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
    out.push(b'"');
}

/// A text as a JSON string; bad sequences are replaced.
#[inline]
fn push_text(out: &mut Vec<u8>, text: Text<'_>) {
    if !push_plain(out, text.bytes()) {
        push_string(out, &text.to_lossy());
    }
}

/// A text as it stands; bad sequences are replaced.
pub(super) fn push_bare(out: &mut Vec<u8>, text: Text<'_>) {
    // Whole texts of ASCII are told faster than others are looked through.
    match text.bytes() {
        ascii if ascii.is_ascii() => out.extend_from_slice(ascii),
        _ => out.extend_from_slice(text.to_lossy().as_bytes()),
    }
}

/// Levels above a value: of OTLP lists, and of the JSON written for them.
#[derive(Clone, Copy, Default)]
struct Depth {
    lists: usize,
    json: usize,
}

impl Depth {
    fn below(self, json: usize) -> Result<Self, NotWithin> {
        let below = Self { lists: self.lists + 1, json: self.json + json };
        if below.lists > MAX_DEPTH || below.json >= MAX_JSON_DEPTH {
            return Err(NotWithin::TooDeep(MAX_DEPTH));
        }
        Ok(below)
    }
}

/// As in [`storage::attrs`]: an object cannot say that a key repeats, nor begin with a `$` of its own.
fn needs_pairs(pairs: &Repeated<'_, KeyValue<'_>>) -> Result<bool, Malformed> {
    let mut few: Vec<Cow<'_, str>> = Vec::new();
    let mut many = hashbrown::HashSet::new();
    for (at, pair) in pairs.iter().enumerate() {
        let key = Text::to_lossy(&pair?.key);
        if at == 0 && key.starts_with('$') {
            return Ok(true);
        }
        if pairs.len() > FEW_KEYS {
            if !many.insert(key) {
                return Ok(true);
            }
        } else if few.contains(&key) {
            return Ok(true);
        } else {
            few.push(key);
        }
    }
    Ok(false)
}
