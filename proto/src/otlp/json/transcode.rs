//! JSON in, protobuf out, guided by a [`Shape`]; no tree in between.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::JsonError;
use super::number::{Double, Enumeration, Integer};
use super::shape::{Field, Kind, Shape};

pub(super) fn transcode(shape: &'static Shape, body: &[u8]) -> Result<Vec<u8>, JsonError> {
    let mut output = Output::default();
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = ObjectSeed { shape, output: &mut output }.deserialize(&mut json).and_then(|()| json.end());
    match read {
        Ok(()) => Ok(output.bytes),
        Err(error) => Err(JsonError { path: output.path(), message: error.to_string() }),
    }
}

/// The protobuf so far, and the place in the JSON. After an error the place is left where it was.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    place: Vec<Step>,
}

enum Step {
    Field(&'static str),
    Index(usize),
}

impl Output {
    fn path(&self) -> String {
        let mut path = String::new();
        for step in &self.place {
            match step {
                Step::Field(name) if path.is_empty() => path.push_str(name),
                Step::Field(name) => path.extend([".", name]),
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }

    /// Writes what `write` writes as a length-delimited value: the length is put in front afterwards.
    fn delimited<E>(&mut self, write: impl FnOnce(&mut Self) -> Result<(), E>) -> Result<(), E> {
        let start = self.bytes.len();
        self.bytes.push(0);
        write(self)?;
        let length = (self.bytes.len() - start - 1) as u64;
        let mut prefix = Vec::new();
        match u8::try_from(length) {
            Ok(short) if short < 0x80 => self.bytes[start] = short,
            _ => {
                prefix.reserve(encoded_len_varint(length));
                encode_varint(length, &mut prefix);
                self.bytes.splice(start..=start, prefix);
            }
        }
        Ok(())
    }

    fn put_delimited(&mut self, bytes: &[u8]) {
        encode_varint(bytes.len() as u64, &mut self.bytes);
        self.bytes.extend_from_slice(bytes);
    }
}

/// A JSON object that is the message `shape`: writes its fields, without a length.
struct ObjectSeed<'o> {
    shape: &'static Shape,
    output: &'o mut Output,
}

impl<'de> DeserializeSeed<'de> for ObjectSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ObjectSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut seen, mut oneof) = (0_u32, None);
        while let Some(found) = map.next_key_seed(KeySeed(self.shape))? {
            let Some(index) = found else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let field = &self.shape.fields[index];
            self.output.place.push(Step::Field(field.name));
            if seen & (1 << index) != 0 {
                return Err(de::Error::custom("the key is there twice"));
            }
            seen |= 1 << index;
            let set = map.next_value_seed(FieldSeed { field, output: self.output })?;
            if let (true, true, Some(other)) = (set, field.oneof, oneof) {
                return Err(de::Error::custom(format_args!("{other} is set too, only one of them may be")));
            }
            if set && field.oneof {
                oneof = Some(field.name);
            }
            self.output.place.pop();
        }
        Ok(())
    }
}

/// A key of an object: the index of its field, `None` if it is unknown.
struct KeySeed(&'static Shape);

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        let fields = self.0.fields;
        Ok(fields.iter().position(|field| field.name == key).or_else(|| {
            key.contains('_').then(|| fields.iter().position(|field| is_snake_case_of(key, field.name))).flatten()
        }))
    }
}

fn is_snake_case_of(key: &str, camel: &str) -> bool {
    let mut rest = key.bytes();
    camel.bytes().all(|byte| match byte {
        b'A'..=b'Z' => rest.next() == Some(b'_') && rest.next() == Some(byte.to_ascii_lowercase()),
        _ => rest.next() == Some(byte),
    }) && rest.next().is_none()
}

/// The value of a field, which may be `null`; tells whether it was set.
struct FieldSeed<'o> {
    field: &'static Field,
    output: &'o mut Output,
}

impl<'de> DeserializeSeed<'de> for FieldSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for FieldSeed<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_none<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        let Self { field, output } = self;
        match (field.repeated, is_packable(field.kind)) {
            (false, _) => {
                encode_key(field.number, wire_type(field.kind), &mut output.bytes);
                ValueSeed { kind: field.kind, output }.deserialize(deserializer)?;
            }
            (true, false) => ListSeed { field, keyed: true, output }.deserialize(deserializer)?,
            (true, true) => {
                encode_key(field.number, WireType::LengthDelimited, &mut output.bytes);
                output.delimited(|output| ListSeed { field, keyed: false, output }.deserialize(deserializer))?;
            }
        }
        Ok(true)
    }
}

fn is_packable(kind: Kind) -> bool {
    wire_type(kind) != WireType::LengthDelimited
}

fn wire_type(kind: Kind) -> WireType {
    match kind {
        Kind::String | Kind::Bytes | Kind::Id | Kind::Message(_) => WireType::LengthDelimited,
        Kind::Bool | Kind::Int32 | Kind::Uint32 | Kind::Sint32 | Kind::Int64 | Kind::Uint64 | Kind::Enum(..) => {
            WireType::Varint
        }
        Kind::Fixed32 => WireType::ThirtyTwoBit,
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Time | Kind::Double => WireType::SixtyFourBit,
    }
}

/// A JSON array: a key and a value for each element, or values only (packed).
struct ListSeed<'o> {
    field: &'static Field,
    keyed: bool,
    output: &'o mut Output,
}

impl<'de> DeserializeSeed<'de> for ListSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ListSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { field, keyed, output } = self;
        for index in 0.. {
            let end = output.bytes.len();
            output.place.push(Step::Index(index));
            if keyed {
                encode_key(field.number, wire_type(field.kind), &mut output.bytes);
            }
            if seq.next_element_seed(ValueSeed { kind: field.kind, output })?.is_none() {
                output.bytes.truncate(end);
                output.place.pop();
                break;
            }
            output.place.pop();
        }
        Ok(())
    }
}

/// One value, written without its key.
struct ValueSeed<'o> {
    kind: Kind,
    output: &'o mut Output,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { kind, output } = self;
        match kind {
            Kind::String | Kind::Bytes | Kind::Id => return deserializer.deserialize_str(TextVisitor { kind, output }),
            Kind::Message(shape) => {
                return output.delimited(|output| ObjectSeed { shape, output }.deserialize(deserializer));
            }
            Kind::Double => {
                let value = deserializer.deserialize_any(Double)?;
                output.bytes.extend_from_slice(&value.to_le_bytes());
            }
            Kind::Bool => output.bytes.push(<bool as de::Deserialize>::deserialize(deserializer)?.into()),
            Kind::Enum(prefix, names) => {
                let value = deserializer.deserialize_any(Enumeration { prefix, names })?;
                encode_varint(value as u64, &mut output.bytes);
            }
            _ => {
                let (min, max) = bounds(kind);
                write_integer(kind, deserializer.deserialize_any(Integer { min, max })?, &mut output.bytes);
            }
        }
        Ok(())
    }
}

fn bounds(kind: Kind) -> (i128, i128) {
    match kind {
        Kind::Int32 | Kind::Sint32 => (i32::MIN.into(), i32::MAX.into()),
        Kind::Uint32 | Kind::Fixed32 => (0, u32::MAX.into()),
        Kind::Uint64 | Kind::Fixed64 => (0, u64::MAX.into()),
        Kind::Time => (i64::MIN.into(), u64::MAX.into()),
        _ => (i64::MIN.into(), i64::MAX.into()),
    }
}

/// `value` is within the bounds of `kind`, so that no cast here loses a bit.
fn write_integer(kind: Kind, value: i128, output: &mut Vec<u8>) {
    match kind {
        Kind::Fixed32 => output.extend_from_slice(&(value as u32).to_le_bytes()),
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Time => output.extend_from_slice(&(value as u64).to_le_bytes()),
        Kind::Sint32 => {
            let value = value as i32;
            encode_varint(u64::from(((value << 1) ^ (value >> 31)) as u32), output);
        }
        _ => encode_varint(value as u64, output),
    }
}

/// A JSON string that becomes a length-delimited value.
struct TextVisitor<'o> {
    kind: Kind,
    output: &'o mut Output,
}

impl Visitor<'_> for TextVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Id => "a string of hex digits",
            Kind::Bytes => "a base64 string",
            _ => "a string",
        })
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        match self.kind {
            Kind::Id => {
                let id =
                    hex::decode(text).map_err(|error| E::custom(format_args!("{text:?} is not a hex id: {error}")))?;
                self.output.put_delimited(&id);
            }
            Kind::Bytes => {
                let bytes = decode_base64(text).map_err(|error| E::custom(format_args!("not base64: {error}")))?;
                self.output.put_delimited(&bytes);
            }
            _ => self.output.put_delimited(text.as_bytes()),
        }
        Ok(())
    }
}

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

fn decode_base64(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    if text.contains(['-', '_']) { URL_SAFE.decode(text) } else { STANDARD.decode(text) }
}
