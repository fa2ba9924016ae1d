//! Ids of traces, spans and log records, as bytes inside and hex at the glass.

use std::fmt;
use std::str::FromStr;

/// 16 bytes, never all zero for a stored span (W3C Trace Context §3.2.2.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(pub [u8; 16]);

/// 8 bytes, never all zero for a stored span (W3C Trace Context §3.2.2.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(pub [u8; 8]);

/// Names one log record for ever: `(WAL sequence << 24) | row within the request`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub u64);

/// The text is not an id: not hex, empty, or too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a hex id of at most {1} digits")]
pub struct BadId(pub String, pub usize);

impl RowId {
    pub const ROWS_PER_REQUEST: u64 = 1 << 24;

    /// Requests of a chapter. Where several processes write, the catalogue gives each its chapters.
    pub const CHAPTER: u64 = 1 << 24;

    /// So many chapters are in one lake.
    pub const CHAPTERS: u64 = 1 << 16;

    pub fn new(sequence: u64, row: u64) -> Self {
        debug_assert!(row < Self::ROWS_PER_REQUEST);
        Self(sequence * Self::ROWS_PER_REQUEST + row)
    }
}

/// Short ids are padded with zeros on the left, as 64-bit trace ids of older tracers need.
fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], BadId> {
    let bad = || BadId(text.chars().take(80).collect(), N * 2);
    if text.is_empty() || text.len() > N * 2 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(bad());
    }
    let mut id = [0; N];
    hex::decode_to_slice(format!("{text:0>width$}", width = N * 2), &mut id).map_err(|_| bad())?;
    Ok(id)
}

macro_rules! hex_id {
    ($name:ident, $len:literal) => {
        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                parse_hex::<$len>(text).map(Self)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl TryFrom<&[u8]> for $name {
            type Error = std::array::TryFromSliceError;
            fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
                bytes.try_into().map(Self)
            }
        }
    };
}
hex_id!(TraceId, 16);
hex_id!(SpanId, 8);

impl FromStr for RowId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        parse_hex::<8>(text).map(|bytes| Self(u64::from_be_bytes(bytes)))
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ids_are_padded_and_bad_ones_refused() {
        let id: TraceId = "123456aBC".parse().expect("nine digits");
        assert_eq!(id.to_string(), "00000000000000000000000123456abc");
        assert!("".parse::<TraceId>().is_err());
        assert!("xyz".parse::<SpanId>().is_err());
        assert!("0123456789abcdef0".parse::<SpanId>().is_err());
    }

    #[test]
    fn row_ids_sort_by_request_then_row() {
        assert!(RowId::new(1, 5) < RowId::new(2, 0));
        let id = RowId::new(7, 9);
        assert_eq!(id.to_string().parse::<RowId>(), Ok(id));
    }
}
