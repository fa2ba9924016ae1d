//! What the signals share: attributes and their values, resources, scopes, text.

use std::borrow::Cow;

use super::View;
use super::repeated::Repeated;
use super::wire::{Malformed, Message};

/// Text as sent: protobuf says UTF-8, senders do not always keep to it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Text<'a>(&'a [u8]);

/// A string field holds bytes that are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("text is not UTF-8")]
pub struct InvalidUtf8;

impl<'a> Text<'a> {
    /// The text; checks it every time it is called.
    #[inline]
    pub fn as_str(&self) -> Result<&'a str, InvalidUtf8> {
        if self.0.is_empty() {
            return Ok("");
        }
        simdutf8::basic::from_utf8(self.0).map_err(|_| InvalidUtf8)
    }

    /// The bytes as sent, for a receiver that repairs or refuses what is not UTF-8.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.0
    }

    /// The text with each bad sequence replaced by U+FFFD; borrowed where there is none.
    #[inline]
    pub fn to_lossy(&self) -> Cow<'a, str> {
        match self.as_str() {
            Ok(text) => Cow::Borrowed(text),
            Err(InvalidUtf8) => String::from_utf8_lossy(self.0),
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> From<&'a [u8]> for Text<'a> {
    #[inline]
    fn from(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_lossy().fmt(f)
    }
}

/// An element of `repeated string`.
impl<'a> View<'a> for Text<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        self.0 = message.bytes();
        Ok(())
    }
}

/// An attribute.
#[derive(Clone, Debug, Default)]
pub struct KeyValue<'a> {
    pub key: Text<'a>,
    /// [`AnyValue::Empty`] also where the value is missing.
    pub value: AnyValue<'a>,
    /// Not 0: the key is in a string table of the profiles signal, which other signals do not have.
    pub key_strindex: i32,
}

impl<'a> View<'a> for KeyValue<'a> {
    #[inline(always)]
    fn parse(message: Message<'a>) -> Result<Self, Malformed> {
        match short_pair(message.bytes()) {
            Some((key, value)) => Ok(Self { key: Text(key), value, key_strindex: 0 }),
            None => any_pair(message),
        }
    }

    #[inline]
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.key = Text(field.bytes()?),
                2 => self.value.merge(field.message()?)?,
                3 => self.key_strindex = field.int32()?,
                _ => {}
            }
        }
        Ok(())
    }
}

#[inline(never)]
fn any_pair(message: Message<'_>) -> Result<KeyValue<'_>, Malformed> {
    let mut pair = KeyValue::default();
    pair.merge(message)?;
    Ok(pair)
}

/// What most attributes are, read in one look: a key and a text, a small number or a boolean, as every encoder
/// writes them, shorter than 128 bytes. None for whatever else may be well-formed.
///
/// ```text
/// 0a ‖ length ‖ key ‖ 12 ‖ length ‖ 0a ‖ length ‖ text      or 18 ‖ varint      or 10 ‖ boolean
/// ```
#[inline(always)]
fn short_pair(bytes: &[u8]) -> Option<(&[u8], AnyValue<'_>)> {
    let [0x0a, key_length @ ..0x80, rest @ ..] = bytes else { return None };
    let (key, rest) = rest.split_at_checked(usize::from(*key_length))?;
    let [0x12, length @ ..0x80, value @ ..] = rest else { return None };
    if usize::from(*length) != value.len() {
        return None;
    }
    let value = match value {
        [0x0a, length, text @ ..] if usize::from(*length) == text.len() => AnyValue::String(Text(text)),
        [0x18, low @ ..0x80] => AnyValue::Int(i64::from(*low)),
        [0x18, low @ 0x80..=0xff, high @ ..0x80] => AnyValue::Int(i64::from(low & 0x7f) | i64::from(*high) << 7),
        [0x10, yes @ ..0x80] => AnyValue::Bool(*yes != 0),
        _ => return None,
    };
    Some((key, value))
}

/// The value of an attribute or the body of a log record. Elements of lists are parsed one level at a time.
#[derive(Clone, Debug, Default)]
pub enum AnyValue<'a> {
    #[default]
    Empty,
    String(Text<'a>),
    Bool(bool),
    Int(i64),
    Double(f64),
    Array(Repeated<'a, AnyValue<'a>>),
    KvList(Repeated<'a, KeyValue<'a>>),
    Bytes(&'a [u8]),
    /// An index into a string table of the profiles signal: to be treated as empty and counted
    /// (common.proto, `string_value_strindex`).
    StringIndex(i32),
}

impl<'a> View<'a> for AnyValue<'a> {
    #[inline]
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => *self = Self::String(Text(field.bytes()?)),
                2 => *self = Self::Bool(field.bool()?),
                3 => *self = Self::Int(field.varint()? as i64),
                4 => *self = Self::Double(field.double()?),
                5 => self.merge_array(field.message()?)?,
                6 => self.merge_kvlist(field.message()?)?,
                7 => *self = Self::Bytes(field.bytes()?),
                8 => *self = Self::StringIndex(field.int32()?),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A value is broken, or nested deeper than its reader allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotWithin {
    #[error("a value is nested deeper than {0} levels")]
    TooDeep(usize),
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl<'a> AnyValue<'a> {
    /// Reads the whole value and tells whether its lists nest at most `limit` levels; a scalar has none.
    pub fn check_depth(&self, limit: usize) -> Result<(), NotWithin> {
        self.check(limit, limit)
    }

    fn check(&self, left: usize, limit: usize) -> Result<(), NotWithin> {
        let below = || left.checked_sub(1).ok_or(NotWithin::TooDeep(limit));
        match self {
            Self::Array(values) => {
                let below = below()?;
                values.iter().try_for_each(|value| value?.check(below, limit))
            }
            Self::KvList(pairs) => {
                let below = below()?;
                pairs.iter().try_for_each(|pair| pair?.value.check(below, limit))
            }
            _ => Ok(()),
        }
    }

    fn merge_array(&mut self, list: Message<'a>) -> Result<(), Malformed> {
        if !matches!(self, Self::Array(_)) {
            *self = Self::Array(Repeated::default());
        }
        let Self::Array(values) = self else { return Ok(()) };
        merge_list(values, list)
    }

    fn merge_kvlist(&mut self, list: Message<'a>) -> Result<(), Malformed> {
        if !matches!(self, Self::KvList(_)) {
            *self = Self::KvList(Repeated::default());
        }
        let Self::KvList(pairs) = self else { return Ok(()) };
        merge_list(pairs, list)
    }
}

/// `ArrayValue` and `KeyValueList`: messages whose only field is `repeated … values = 1`.
fn merge_list<'a, T: View<'a>>(values: &mut Repeated<'a, T>, list: Message<'a>) -> Result<(), Malformed> {
    let mut fields = list.fields();
    while let Some(field) = fields.next()? {
        if field.number == 1 {
            values.add(list, &field)?;
        }
    }
    Ok(())
}

/// Who sent the telemetry.
#[derive(Clone, Debug, Default)]
pub struct Resource<'a> {
    pub attributes: Repeated<'a, KeyValue<'a>>,
    pub dropped_attributes_count: u32,
    pub entity_refs: Repeated<'a, EntityRef<'a>>,
}

impl<'a> View<'a> for Resource<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.attributes.add_run(message, &field, &mut fields)?,
                2 => self.dropped_attributes_count = field.uint32()?,
                3 => self.entity_refs.add(message, &field)?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Which of a resource's attributes name an entity.
#[derive(Clone, Debug, Default)]
pub struct EntityRef<'a> {
    pub schema_url: Text<'a>,
    pub kind: Text<'a>,
    pub id_keys: Repeated<'a, Text<'a>>,
    pub description_keys: Repeated<'a, Text<'a>>,
}

impl<'a> View<'a> for EntityRef<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.schema_url = Text(field.bytes()?),
                2 => self.kind = Text(field.bytes()?),
                3 => self.id_keys.add(message, &field)?,
                4 => self.description_keys.add(message, &field)?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// The instrumentation scope.
#[derive(Clone, Debug, Default)]
pub struct Scope<'a> {
    pub name: Text<'a>,
    pub version: Text<'a>,
    pub attributes: Repeated<'a, KeyValue<'a>>,
    pub dropped_attributes_count: u32,
}

impl<'a> View<'a> for Scope<'a> {
    fn merge(&mut self, message: Message<'a>) -> Result<(), Malformed> {
        let mut fields = message.fields();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.name = Text(field.bytes()?),
                2 => self.version = Text(field.bytes()?),
                3 => self.attributes.add_run(message, &field, &mut fields)?,
                4 => self.dropped_attributes_count = field.uint32()?,
                _ => {}
            }
        }
        Ok(())
    }
}
