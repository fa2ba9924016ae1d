//! Decompression while a body arrives, bounded at every block.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress};
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, InBuffer, Operation, OutBuffer};

use super::admission::Share;
use super::refusal::Refusal;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Deflate,
    Zstd,
}

/// What is offered in `Accept-Encoding` and `grpc-accept-encoding`.
pub(super) const ACCEPTED: &str = "gzip, zstd, deflate, identity";

impl Encoding {
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Zstd => "zstd",
        }
    }
}

/// Largest window of a zstd frame, as a power of two: RFC 8878 §3.1.1.1.2 asks decoders for 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Bytes decompressed at a time.
const BLOCK: usize = 64 << 10;

/// Takes a body piece by piece and holds what it decompresses to.
pub(super) struct Inflate {
    encoding: Encoding,
    codec: Codec,
}

enum Codec {
    Identity(Bounded),
    Gzip(Box<MultiGzDecoder<Bounded>>),
    Deflate(Box<Deflate>),
    Zstd(Box<Zstd>),
}

impl Inflate {
    /// At most `limit` bytes come out, and no more than `share` can be given.
    pub(super) fn new(encoding: Encoding, limit: usize, share: Share) -> Result<Self, Refusal> {
        let out = Bounded { bytes: Vec::new(), limit, share, refused: None };
        let codec = match encoding {
            Encoding::Identity => Codec::Identity(out),
            Encoding::Gzip => Codec::Gzip(Box::new(MultiGzDecoder::new(out))),
            Encoding::Deflate => Codec::Deflate(Box::new(Deflate::new(out))),
            Encoding::Zstd => Codec::Zstd(Box::new(Zstd::new(out).map_err(|error| bad(encoding, &error))?)),
        };
        Ok(Self { encoding, codec })
    }

    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        let result = match &mut self.codec {
            Codec::Identity(out) => out.write_all(piece),
            Codec::Gzip(decoder) => decoder.write_all(piece),
            Codec::Deflate(decoder) => decoder.push(piece),
            Codec::Zstd(decoder) => decoder.push(piece),
        };
        result.map_err(|error| self.refusal(&error))
    }

    /// Bytes decompressed so far.
    pub(super) fn len(&self) -> usize {
        self.out().bytes.len()
    }

    /// All bytes, if the compressed stream is whole.
    pub(super) fn finish(mut self) -> Result<(Vec<u8>, Share), Refusal> {
        let whole = match &mut self.codec {
            Codec::Identity(_) => Ok(()),
            Codec::Gzip(decoder) => decoder.try_finish(),
            Codec::Deflate(decoder) => decoder.finish(),
            Codec::Zstd(decoder) => decoder.finish(),
        };
        whole.map_err(|error| self.refusal(&error))?;
        let out = match self.codec {
            Codec::Identity(out) => out,
            Codec::Gzip(decoder) => decoder.finish().map_err(|error| bad(self.encoding, &error))?,
            Codec::Deflate(decoder) => decoder.out,
            Codec::Zstd(decoder) => decoder.out,
        };
        Ok((out.bytes, out.share))
    }

    fn refusal(&self, error: &io::Error) -> Refusal {
        self.out().refused.clone().unwrap_or_else(|| bad(self.encoding, error))
    }

    fn out(&self) -> &Bounded {
        match &self.codec {
            Codec::Identity(out) => out,
            Codec::Gzip(decoder) => decoder.get_ref(),
            Codec::Deflate(decoder) => &decoder.out,
            Codec::Zstd(decoder) => &decoder.out,
        }
    }
}

fn bad(encoding: Encoding, error: &io::Error) -> Refusal {
    Refusal::Bad(format!("{}: {error}", encoding.name()))
}

/// A buffer that takes no more than it may; why it refused is kept, as an [`io::Error`] cannot say it.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
    share: Share,
    refused: Option<Refusal>,
}

impl Write for Bounded {
    fn write(&mut self, block: &[u8]) -> io::Result<usize> {
        let length = self.bytes.len() + block.len();
        let admitted =
            if length > self.limit { Err(Refusal::too_large(self.limit)) } else { self.share.grow_to(length) };
        if let Err(refusal) = admitted {
            self.refused = Some(refusal);
            return Err(io::Error::other("refused"));
        }
        self.bytes.extend_from_slice(block);
        Ok(block.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// HTTP's `deflate`, which is zlib (RFC 9110 §8.4.1.2), block by block; flate2's own writer takes a stream that is
/// cut off for a whole one.
struct Deflate {
    decoder: Decompress,
    out: Bounded,
    block: Vec<u8>,
    ended: bool,
}

impl Deflate {
    fn new(out: Bounded) -> Self {
        Self { decoder: Decompress::new(true), out, block: vec![0; BLOCK], ended: false }
    }

    fn push(&mut self, mut piece: &[u8]) -> io::Result<()> {
        loop {
            if self.ended {
                return if piece.is_empty() {
                    Ok(())
                } else {
                    Err(io::Error::other("more bytes behind the stream's end"))
                };
            }
            let (taken, given) = (self.decoder.total_in(), self.decoder.total_out());
            let status = self.decoder.decompress(piece, &mut self.block, FlushDecompress::None)?;
            let taken = (self.decoder.total_in() - taken) as usize; // at most a piece
            let given = (self.decoder.total_out() - given) as usize; // at most a block
            self.out.write_all(&self.block[..given])?;
            piece = &piece[taken..];
            self.ended = status == flate2::Status::StreamEnd;
            if !self.ended && given < self.block.len() {
                // Room was left, so everything was taken.
                return if piece.is_empty() { Ok(()) } else { Err(io::Error::other("the stream does not go on")) };
            }
        }
    }

    fn finish(&self) -> io::Result<()> {
        if self.ended { Ok(()) } else { Err(io::Error::new(io::ErrorKind::UnexpectedEof, "incomplete stream")) }
    }
}

/// zstd block by block; the crate's own writer does not tell whether the last frame is whole.
struct Zstd {
    decoder: ZstdDecoder<'static>,
    out: Bounded,
    block: Vec<u8>,
    /// 0 when a frame has just ended (`ZSTD_decompressStream`).
    expected: usize,
}

impl Zstd {
    fn new(out: Bounded) -> io::Result<Self> {
        let mut decoder = ZstdDecoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG))?;
        Ok(Self { decoder, out, block: vec![0; BLOCK], expected: 1 })
    }

    fn push(&mut self, piece: &[u8]) -> io::Result<()> {
        let mut input = InBuffer::around(piece);
        loop {
            let mut output = OutBuffer::around(self.block.as_mut_slice());
            self.expected = self.decoder.run(&mut input, &mut output)?;
            let written = output.pos();
            self.out.write_all(&self.block[..written])?;
            if input.pos() == piece.len() && written < self.block.len() {
                return Ok(());
            }
        }
    }

    fn finish(&self) -> io::Result<()> {
        if self.expected == 0 { Ok(()) } else { Err(io::Error::new(io::ErrorKind::UnexpectedEof, "incomplete frame")) }
    }
}
