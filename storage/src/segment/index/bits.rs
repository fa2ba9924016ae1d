//! Numbers in as few bits as their size calls for: Golomb-Rice and Elias gamma codes.
//!
//! Golomb-Rice with parameter k: the quotient of 2^k in unary (zeros, then a one), the rest in k bits.
//! Near the entropy for gaps between things that fall at random (S. Golomb, "Run-length encodings",
//! 1966; R. Rice, 1979). Bits fill bytes from the lowest.

#[derive(Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Not yet in `bytes`, fewer than 8.
    begun: u64,
    bits: u32,
}

impl BitWriter {
    /// Bytes so far, a begun one included.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() + usize::from(self.bits > 0)
    }

    /// The lowest `count` bits of `value`; at most 56.
    pub(super) fn bits(&mut self, value: u64, count: u32) {
        debug_assert!(count <= MOST_BITS && (count == 64 || value >> count == 0));
        self.begun |= value << self.bits;
        self.bits += count;
        while self.bits >= 8 {
            self.bytes.push(self.begun as u8);
            self.begun >>= 8;
            self.bits -= 8;
        }
    }

    pub(super) fn rice(&mut self, value: u64, k: u32) {
        let mut zeros = value >> k;
        while zeros >= u64::from(MOST_BITS) {
            self.bits(0, MOST_BITS);
            zeros -= u64::from(MOST_BITS);
        }
        self.bits(0, zeros as u32);
        self.bits(1, 1);
        self.bits(value & ((1 << k) - 1), k);
    }

    /// From 1.
    pub(super) fn gamma(&mut self, value: u32) {
        let length = value.max(1).ilog2();
        self.bits(0, length);
        self.bits(1, 1);
        self.bits(u64::from(value) & ((1 << length) - 1), length);
    }

    /// Ends the byte, and takes all.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        if self.bits > 0 {
            self.bytes.push(self.begun as u8);
        }
        (self.begun, self.bits) = (0, 0);
        std::mem::take(&mut self.bytes)
    }
}

/// Most bits that are written or read at once: a begun byte and these fit a word.
pub(super) const MOST_BITS: u32 = 56;

/// Reads what [`BitWriter`] wrote. Past the end it gives None.
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// Read from `bytes`, not yet taken.
    word: u64,
    bits: u32,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, word: 0, bits: 0 }
    }

    /// Fills the word as far as whole bytes fit.
    fn fill(&mut self) {
        while self.bits <= MOST_BITS {
            let Some((byte, rest)) = self.bytes.split_first() else { return };
            self.word |= u64::from(*byte) << self.bits;
            self.bits += 8;
            self.bytes = rest;
        }
    }

    pub(super) fn bits(&mut self, count: u32) -> Option<u64> {
        if self.bits < count {
            self.fill();
        }
        self.bits = self.bits.checked_sub(count)?;
        let value = self.word & ((1 << count) - 1);
        self.word >>= count;
        Some(value)
    }

    /// Zeros up to the next one, which is taken too.
    fn unary(&mut self) -> Option<u64> {
        let mut zeros = 0;
        loop {
            if self.word != 0 {
                let run = self.word.trailing_zeros();
                self.word = self.word >> run >> 1;
                self.bits -= run + 1;
                return Some(zeros + u64::from(run));
            }
            zeros += u64::from(self.bits);
            self.bits = 0;
            self.fill();
            if self.bits == 0 {
                return None;
            }
        }
    }

    pub(super) fn rice(&mut self, k: u32) -> Option<u64> {
        let high = self.unary()?;
        Some(high.checked_shl(k)? | self.bits(k)?)
    }

    pub(super) fn gamma(&mut self) -> Option<u32> {
        let length = u32::try_from(self.unary()?).ok().filter(|length| *length < 32)?;
        Some(1 << length | self.bits(length)? as u32)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Code {
        Bits(u64, u32),
        Rice(u64, u32),
        Gamma(u32),
    }

    fn code() -> impl Strategy<Value = Code> {
        prop_oneof![
            (any::<u64>(), 0..=MOST_BITS).prop_map(|(value, count)| Code::Bits(value & ((1 << count) - 1), count)),
            (0u64..5_000, 0u32..20).prop_map(|(value, k)| Code::Rice(value, k)),
            (any::<u32>(), 0u32..32).prop_map(|(value, shift)| Code::Gamma((value >> shift).max(1))),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(codes in prop::collection::vec(code(), 0..200)) {
            let mut writer = BitWriter::default();
            for code in &codes {
                match *code {
                    Code::Bits(value, count) => writer.bits(value, count),
                    Code::Rice(value, k) => writer.rice(value, k),
                    Code::Gamma(value) => writer.gamma(value),
                }
            }
            let bytes = writer.finish();
            let mut reader = BitReader::new(&bytes);
            for code in &codes {
                match *code {
                    Code::Bits(value, count) => prop_assert_eq!(reader.bits(count), Some(value)),
                    Code::Rice(value, k) => prop_assert_eq!(reader.rice(k), Some(value)),
                    Code::Gamma(value) => prop_assert_eq!(reader.gamma(), Some(value)),
                }
            }
        }

        #[test]
        fn garbage_ends(bytes in prop::collection::vec(any::<u8>(), 0..100), k in 0u32..40) {
            let mut reader = BitReader::new(&bytes);
            let mut read = 0;
            while reader.rice(k).is_some() && reader.gamma().is_some() {
                read += 1;
            }
            prop_assert!(read <= 8 * bytes.len());
        }
    }
}
