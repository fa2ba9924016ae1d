//! Cells as bytes: what the catalogue keeps of a rollup.
//!
//! ```text
//!  1 byte: version, 1 │ zstd of the body │ CRC-32 of all before, little-endian
//!
//!  body   keys    count, then each: length, bytes                        numbers are LEB128 varints,
//!         minutes count, then each: minute since the one before (zigzag), signed ones zigzag
//!                 cells count, then each: number of its key,
//!                   slots count, then each: slot since the one before, count (zigzag)
//!                   exemplars count, then each: 1 byte fine, duration, 16 bytes trace, 8 bytes span
//! ```

use std::cmp::Reverse;

use hashbrown::HashMap;

use super::{Cell, Counts, Exemplar, Key, MOST_EXEMPLARS, Rollup};
use crate::ids::{SpanId, TraceId};

const VERSION: u8 = 1;
const LEVEL: i32 = 3;
/// A body is no larger, whatever its bytes say.
const MOST_BYTES: usize = 1 << 30;

/// Bytes that are no rollup, or of a version that is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("counts that cannot be read: {0}")]
pub struct Unreadable(pub(crate) &'static str);

pub fn encode(rollup: &Rollup) -> Vec<u8> {
    let mut body = Vec::new();
    let mut numbers: HashMap<&Key, u64> = HashMap::new();
    let mut keys = Vec::new();
    for (_, key, _) in rollup.cells() {
        numbers.entry(key).or_insert_with(|| {
            keys.push(key);
            keys.len() as u64 - 1
        });
    }
    put(&mut body, keys.len() as u64);
    for key in keys {
        put(&mut body, key.len() as u64);
        body.extend_from_slice(key);
    }
    put(&mut body, rollup.cells.len() as u64);
    let mut before = 0i64;
    for (minute, cells) in &rollup.cells {
        put(&mut body, zigzag(minute.wrapping_sub(before)));
        before = *minute;
        put(&mut body, cells.len() as u64);
        for (key, cell) in cells {
            put(&mut body, numbers[key]);
            put_cell(&mut body, cell);
        }
    }
    let mut out = vec![VERSION];
    let packed = zstd::bulk::compress(&body, LEVEL).expect("zstd takes any bytes at a level that it has");
    out.extend_from_slice(&packed);
    out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
    out
}

pub fn decode(bytes: &[u8]) -> Result<Rollup, Unreadable> {
    let (rest, crc) = bytes.split_last_chunk::<4>().ok_or(Unreadable("too short"))?;
    if crc32fast::hash(rest) != u32::from_le_bytes(*crc) {
        return Err(Unreadable("the checksum does not match"));
    }
    let (version, packed) = rest.split_first().ok_or(Unreadable("too short"))?;
    if *version != VERSION {
        return Err(Unreadable("of another version"));
    }
    let room = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten().ok_or(Unreadable("not compressed"))?;
    let room = usize::try_from(room).ok().filter(|room| *room <= MOST_BYTES).ok_or(Unreadable("too large"))?;
    let body = zstd::bulk::decompress(packed, room).map_err(|_| Unreadable("not compressed"))?;
    read_body(&mut Reader(&body)).ok_or(Unreadable("not in the form of a rollup"))
}

fn put_cell(body: &mut Vec<u8>, cell: &Cell) {
    put(body, cell.counts.0.len() as u64);
    let mut before = 0;
    for (slot, count) in &cell.counts.0 {
        put(body, u64::from(slot - before));
        before = *slot;
        put(body, zigzag(*count));
    }
    put(body, cell.exemplars.len() as u64);
    for exemplar in &cell.exemplars {
        body.push(u8::from(exemplar.fine));
        put(body, exemplar.duration.0);
        body.extend_from_slice(&exemplar.trace.0);
        body.extend_from_slice(&exemplar.span.0);
    }
}

fn read_body(reader: &mut Reader<'_>) -> Option<Rollup> {
    let mut keys: Vec<Key> = Vec::new();
    for _ in 0..reader.number()? {
        let length = usize::try_from(reader.number()?).ok()?;
        keys.push(reader.bytes(length)?.into());
    }
    let (mut rollup, mut minute) = (Rollup::default(), 0i64);
    for _ in 0..reader.number()? {
        minute = minute.wrapping_add(unzigzag(reader.number()?));
        let cells = rollup.cells.entry(minute).or_default();
        for _ in 0..reader.number()? {
            let key = keys.get(usize::try_from(reader.number()?).ok()?)?.clone();
            cells.insert(key, read_cell(reader)?);
        }
    }
    reader.0.is_empty().then_some(rollup)
}

fn read_cell(reader: &mut Reader<'_>) -> Option<Cell> {
    let (slots, mut slot) = (reader.number()?, 0u16);
    // Each takes two bytes at least, whatever their number says.
    let mut counts = Vec::with_capacity(usize::try_from(slots).ok()?.min(reader.0.len() / 2));
    for number in 0..slots {
        let step = u16::try_from(reader.number()?).ok().filter(|step| number == 0 || *step > 0)?;
        slot = slot.checked_add(step)?;
        let count = unzigzag(reader.number()?);
        if count != 0 {
            counts.push((slot, count));
        }
    }
    let mut cell = Cell { counts: Counts(counts), exemplars: Vec::new() };
    let exemplars = reader.number()?;
    if exemplars > MOST_EXEMPLARS as u64 {
        return None;
    }
    for _ in 0..exemplars {
        let fine = reader.bytes(1)? != [0];
        let duration = Reverse(reader.number()?);
        let trace = TraceId(reader.bytes(16)?.try_into().ok()?);
        let span = SpanId(reader.bytes(8)?.try_into().ok()?);
        cell.exemplify(Exemplar { fine, duration, trace, span });
    }
    Some(cell)
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.bytes(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exemplar() -> impl Strategy<Value = Exemplar> {
        (any::<bool>(), any::<u64>(), any::<[u8; 16]>(), any::<[u8; 8]>()).prop_map(|(fine, duration, trace, span)| {
            Exemplar { fine, duration: Reverse(duration), trace: TraceId(trace), span: SpanId(span) }
        })
    }

    fn rollup() -> impl Strategy<Value = Rollup> {
        let slots = proptest::collection::vec((any::<u16>(), any::<i64>()), 0..6);
        let cell = (any::<i64>(), "[a-d]{0,2}", slots, proptest::collection::vec(exemplar(), 0..5));
        proptest::collection::vec(cell, 0..20).prop_map(|cells| {
            let mut rollup = Rollup::default();
            for (minute, key, slots, exemplars) in cells {
                let cell = rollup.cell(minute, key.as_bytes());
                slots.into_iter().for_each(|(slot, count)| cell.counts.add(slot, count / 2));
                exemplars.into_iter().for_each(|exemplar| cell.exemplify(exemplar));
            }
            rollup
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(rollup in rollup()) {
            prop_assert_eq!(decode(&encode(&rollup)), Ok(rollup));
        }

        #[test]
        fn garbage_is_an_error(
            rollup in rollup(),
            at in any::<proptest::sample::Index>(),
            bit in 0u8..8,
            cut in any::<proptest::sample::Index>(),
        ) {
            let bytes = encode(&rollup);
            prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
            let mut flipped = bytes;
            let at = at.index(flipped.len());
            flipped[at] ^= 1 << bit;
            prop_assert!(decode(&flipped).is_err());
        }

        #[test]
        fn no_body_is_too_strange(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_body(&mut Reader(&body));
        }
    }
}
