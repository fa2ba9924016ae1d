//! The protobuf wire format: keys, varints, fixed-width numbers, length-delimited fields, groups.

/// Deepest nesting of groups that is skipped; groups are gone from OTLP and every current encoder.
const MAX_GROUP_DEPTH: usize = 32;

/// The bytes of one message and where they begin in the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Message<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Message<'a> {
    /// A message that is not embedded in another.
    #[inline]
    pub fn root(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// The encoded message.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Offset in bytes of the first byte from the start of the request.
    #[inline]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The part from `start` to `end`, both offsets in the request; empty if they are not inside.
    #[inline]
    pub(super) fn slice(&self, start: usize, end: usize) -> Self {
        let range = start.wrapping_sub(self.offset)..end.wrapping_sub(self.offset);
        Self { bytes: self.bytes.get(range).unwrap_or_default(), offset: start }
    }

    #[inline]
    pub(super) fn fields(self) -> Fields<'a> {
        Fields { message: self, at: 0 }
    }
}

/// Bytes that are not the protobuf message they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed protobuf at byte {offset}: {fault}")]
pub struct Malformed {
    /// Offset in bytes from the start of the request.
    pub offset: usize,
    pub fault: Fault,
}

/// What is wrong with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the message ends inside a field")]
    Truncated,
    #[error("a varint is longer than 64 bits")]
    LongVarint,
    #[error("a field has number 0 or one above 2^29-1")]
    FieldNumber,
    #[error("wire type {0} does not exist")]
    WireType(u8),
    #[error("field {field} has wire type {found}, expected {expected}")]
    Mismatch { field: u32, expected: Encoding, found: Encoding },
    #[error("a group ends that did not begin, or the other way round")]
    UnbalancedGroup,
    #[error("groups are nested deeper than {MAX_GROUP_DEPTH}")]
    DeepGroup,
    #[error("the length of packed numbers in field {field} is not a multiple of their size")]
    PackedLength { field: u32 },
    #[error("one message comes in more than {} pieces", super::repeated::MAX_PIECES)]
    ManyPieces,
}

/// How a value is encoded. One byte, so that a [`Malformed`] in a `Result` costs the hot path little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Varint,
    Fixed64,
    Fixed32,
    Delimited,
    Group,
}

impl std::fmt::Display for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Varint => "varint",
            Self::Fixed64 => "64-bit",
            Self::Fixed32 => "32-bit",
            Self::Delimited => "length-delimited",
            Self::Group => "group",
        })
    }
}

/// One field: its number, its value, and its place in the request.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) number: u32,
    /// Offset of the key in the request.
    pub(super) start: usize,
    /// Offset of the first byte behind the value.
    pub(super) end: usize,
    value: Raw<'a>,
}

#[derive(Clone, Copy)]
enum Raw<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Delimited(Message<'a>),
    Group,
}

impl<'a> Field<'a> {
    #[inline(always)]
    pub(super) fn varint(&self) -> Result<u64, Malformed> {
        if let Raw::Varint(value) = self.value { Ok(value) } else { Err(self.mismatch(Encoding::Varint)) }
    }

    /// `int32` and enumerations: the low 32 bits, as every protobuf decoder takes them.
    #[inline(always)]
    pub(super) fn int32(&self) -> Result<i32, Malformed> {
        Ok(self.varint()? as i32)
    }

    #[inline(always)]
    pub(super) fn uint32(&self) -> Result<u32, Malformed> {
        Ok(self.varint()? as u32)
    }

    /// `sint32`: zigzag.
    #[inline(always)]
    pub(super) fn sint32(&self) -> Result<i32, Malformed> {
        let raw = self.uint32()?;
        Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
    }

    #[inline(always)]
    pub(super) fn bool(&self) -> Result<bool, Malformed> {
        Ok(self.varint()? != 0)
    }

    #[inline(always)]
    pub(super) fn fixed64(&self) -> Result<u64, Malformed> {
        if let Raw::Fixed64(value) = self.value { Ok(value) } else { Err(self.mismatch(Encoding::Fixed64)) }
    }

    #[inline(always)]
    pub(super) fn double(&self) -> Result<f64, Malformed> {
        Ok(f64::from_bits(self.fixed64()?))
    }

    #[inline(always)]
    pub(super) fn fixed32(&self) -> Result<u32, Malformed> {
        if let Raw::Fixed32(value) = self.value { Ok(value) } else { Err(self.mismatch(Encoding::Fixed32)) }
    }

    #[inline(always)]
    pub(super) fn message(&self) -> Result<Message<'a>, Malformed> {
        if let Raw::Delimited(message) = self.value { Ok(message) } else { Err(self.mismatch(Encoding::Delimited)) }
    }

    #[inline(always)]
    pub(super) fn bytes(&self) -> Result<&'a [u8], Malformed> {
        Ok(self.message()?.bytes)
    }

    /// The packed form of a repeated number, or `None` for a single element.
    #[inline(always)]
    pub(super) fn packed(&self) -> Option<Message<'a>> {
        if let Raw::Delimited(message) = self.value { Some(message) } else { None }
    }

    #[cold]
    fn mismatch(&self, expected: Encoding) -> Malformed {
        let found = match self.value {
            Raw::Varint(_) => Encoding::Varint,
            Raw::Fixed64(_) => Encoding::Fixed64,
            Raw::Fixed32(_) => Encoding::Fixed32,
            Raw::Delimited(_) => Encoding::Delimited,
            Raw::Group => Encoding::Group,
        };
        Malformed { offset: self.start, fault: Fault::Mismatch { field: self.number, expected, found } }
    }
}

/// The fields of a message, in the order sent.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    message: Message<'a>,
    at: usize,
}

impl<'a> Fields<'a> {
    /// The next field, `None` at the end of the message.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Result<Option<Field<'a>>, Malformed> {
        if self.at >= self.message.bytes.len() {
            return Ok(None);
        }
        let start = self.message.offset + self.at;
        let (number, wire_type) = self.key()?;
        let value = match wire_type {
            0 => Raw::Varint(self.varint()?),
            1 => Raw::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => Raw::Delimited(self.delimited()?),
            3 => {
                self.skip_group(number)?;
                Raw::Group
            }
            5 => Raw::Fixed32(u32::from_le_bytes(self.array()?)),
            4 => return Err(Malformed { offset: start, fault: Fault::UnbalancedGroup }),
            other => return Err(Malformed { offset: start, fault: Fault::WireType(other) }),
        };
        Ok(Some(Field { number, start, end: self.message.offset + self.at, value }))
    }

    /// The next message where it is in a field of this number, below 16, and shorter than 16 KiB, as nearly all
    /// are; `None`, and nothing is read, for whatever else there is.
    #[inline]
    pub(super) fn next_short(&mut self, number: u32) -> Option<Message<'a>> {
        let (head, length, rest) = match self.message.bytes.get(self.at..)? {
            [key @ ..0x80, length @ ..0x80, rest @ ..] if u32::from(*key) == number << 3 | 2 => {
                (2, usize::from(*length), rest)
            }
            [key @ ..0x80, low, high @ ..0x80, rest @ ..] if u32::from(*key) == number << 3 | 2 => {
                (3, usize::from(low & 0x7f) | usize::from(*high) << 7, rest)
            }
            _ => return None,
        };
        let bytes = rest.get(..length)?;
        let offset = self.message.offset + self.at + head;
        self.at += head + length;
        Some(Message { bytes, offset })
    }

    /// Reads on over messages that follow in the same field as `field`, which was read last: `field` up to the end
    /// of the last of them, and how many it is then. More of them may follow.
    #[inline]
    pub(super) fn run(&mut self, field: &Field<'a>) -> (Field<'a>, usize) {
        let mut count = 1;
        while self.next_short(field.number).is_some() {
            count += 1;
        }
        (Field { end: self.message.offset + self.at, ..*field }, count)
    }

    /// The next varint of packed numbers, `None` at the end.
    #[inline(always)]
    pub(super) fn next_varint(&mut self) -> Result<Option<u64>, Malformed> {
        if self.at >= self.message.bytes.len() { Ok(None) } else { self.varint().map(Some) }
    }

    /// The next number of packed `fixed64` or `double`, `None` at the end.
    #[inline(always)]
    pub(super) fn next_fixed64(&mut self) -> Result<Option<u64>, Malformed> {
        if self.at >= self.message.bytes.len() { Ok(None) } else { Ok(Some(u64::from_le_bytes(self.array()?))) }
    }

    #[inline(always)]
    fn key(&mut self) -> Result<(u32, u8), Malformed> {
        let start = self.at;
        let key = self.varint()?;
        let number = key >> 3;
        if number == 0 || key > u64::from(u32::MAX) {
            return Err(self.fault_at(start, Fault::FieldNumber));
        }
        Ok((number as u32, (key & 7) as u8))
    }

    #[inline(always)]
    fn varint(&mut self) -> Result<u64, Malformed> {
        match self.message.bytes.get(self.at..) {
            Some([byte @ ..0x80, ..]) => {
                self.at += 1;
                Ok(u64::from(*byte))
            }
            Some([low, high @ ..0x80, ..]) => {
                self.at += 2;
                Ok(u64::from(low & 0x7f) | u64::from(*high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let start = self.at;
        let rest = self.message.bytes.get(start..).unwrap_or_default();
        let mut value = 0;
        for (index, &byte) in rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                // The tenth byte has room for one bit only.
                if index == 9 && byte > 1 {
                    break;
                }
                self.at += index + 1;
                return Ok(value);
            }
        }
        Err(self.fault_at(start, if rest.len() < 10 { Fault::Truncated } else { Fault::LongVarint }))
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        match self.message.bytes.get(self.at..).and_then(|rest| rest.first_chunk()) {
            Some(array) => {
                self.at += N;
                Ok(*array)
            }
            None => Err(self.fault_at(self.at, Fault::Truncated)),
        }
    }

    #[inline(always)]
    fn delimited(&mut self) -> Result<Message<'a>, Malformed> {
        let start = self.at;
        let length = self.varint()?;
        let rest = self.message.bytes.get(self.at..).unwrap_or_default();
        match usize::try_from(length).ok().and_then(|length| rest.get(..length)) {
            Some(bytes) => {
                let offset = self.message.offset + self.at;
                self.at += bytes.len();
                Ok(Message { bytes, offset })
            }
            None => Err(self.fault_at(start, Fault::Truncated)),
        }
    }

    /// Skips to the end of the group `number`, whose start key has been read. Does not recurse.
    #[cold]
    fn skip_group(&mut self, number: u32) -> Result<(), Malformed> {
        let mut open = [0; MAX_GROUP_DEPTH];
        open[0] = number;
        let mut depth = 1;
        while depth > 0 {
            let start = self.at;
            let (number, wire_type) = self.key()?;
            match wire_type {
                0 => drop(self.varint()?),
                1 => drop(self.array::<8>()?),
                2 => drop(self.delimited()?),
                3 if depth == MAX_GROUP_DEPTH => return Err(self.fault_at(start, Fault::DeepGroup)),
                3 => {
                    open[depth] = number;
                    depth += 1;
                }
                4 if open[depth - 1] == number => depth -= 1,
                4 => return Err(self.fault_at(start, Fault::UnbalancedGroup)),
                5 => drop(self.array::<4>()?),
                other => return Err(self.fault_at(start, Fault::WireType(other))),
            }
        }
        Ok(())
    }

    #[cold]
    fn fault_at(&self, at: usize, fault: Fault) -> Malformed {
        Malformed { offset: self.message.offset + at, fault }
    }
}
