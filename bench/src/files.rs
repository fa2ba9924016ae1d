//! The file of requests: encoded and compressed once, so that sending costs the replayer next to nothing.
//!
//! ```text
//! requests.bin   "CLEWREQ1" │ request │ request │ …
//! request        length u32 │ rows u32 │ body, as HTTP carries it      (numbers little-endian)
//! ```

use std::fs::File;
use std::io::{BufReader, BufWriter, Error, ErrorKind, Read, Result, Write};
use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub(crate) const FILE: &str = "requests.bin";
const MAGIC: &[u8; 8] = b"CLEWREQ1";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// Its name in `Content-Encoding` and `grpc-encoding`.
    pub(crate) fn encoding(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// At the levels that exporters use.
    fn compress(self, body: &[u8]) -> Result<Vec<u8>> {
        match self {
            Self::None => Ok(body.to_vec()),
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(body)?;
                encoder.finish()
            }
            Self::Zstd => zstd::bulk::compress(body, 3),
        }
    }
}

/// One export request as it is sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) body: Bytes,
    pub(crate) rows: u32,
}

pub(crate) struct Writer {
    file: BufWriter<File>,
    compression: Compression,
    pub(crate) requests: u64,
    pub(crate) encoded_bytes: u64,
    pub(crate) sent_bytes: u64,
}

impl Writer {
    pub(crate) fn create(dir: &Path, compression: Compression) -> Result<Self> {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(dir.join(FILE))?);
        file.write_all(MAGIC)?;
        Ok(Self { file, compression, requests: 0, encoded_bytes: 0, sent_bytes: 0 })
    }

    pub(crate) fn push(&mut self, encoded: &[u8], rows: u32) -> Result<()> {
        let body = self.compression.compress(encoded)?;
        let length = u32::try_from(body.len()).map_err(|_| Error::other("a request of more than 4 GiB"))?;
        self.file.write_all(&length.to_le_bytes())?;
        self.file.write_all(&rows.to_le_bytes())?;
        self.file.write_all(&body)?;
        self.requests += 1;
        self.encoded_bytes += encoded.len() as u64;
        self.sent_bytes += body.len() as u64;
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<Self> {
        self.file.flush()?;
        Ok(self)
    }
}

/// Requests in the order in which they are to be sent.
pub(crate) struct Reader {
    file: BufReader<File>,
}

impl Reader {
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let mut file = BufReader::with_capacity(1 << 20, File::open(dir.join(FILE))?);
        let mut magic = [0; 8];
        file.read_exact(&mut magic)?;
        if &magic != MAGIC {
            return Err(Error::new(ErrorKind::InvalidData, "this is no file of requests"));
        }
        Ok(Self { file })
    }
}

impl Iterator for Reader {
    type Item = Result<Request>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut length = [0; 4];
        if let Err(error) = self.file.read_exact(&mut length) {
            return (error.kind() != ErrorKind::UnexpectedEof).then_some(Err(error));
        }
        let mut read = || {
            let mut rows = [0; 4];
            self.file.read_exact(&mut rows)?;
            let mut body = vec![0; u32::from_le_bytes(length) as usize];
            self.file.read_exact(&mut body)?;
            Ok(Request { body: body.into(), rows: u32::from_le_bytes(rows) })
        };
        Some(read())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_back_as_they_were_put() {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let dir = tempfile::tempdir().expect("a directory");
            let mut writer = Writer::create(dir.path(), compression).expect("a file");
            let bodies = [b"first".repeat(100), Vec::new(), b"third".to_vec()];
            bodies.iter().zip(1..).for_each(|(body, rows)| writer.push(body, rows).expect("written"));
            let writer = writer.finish().expect("written");
            assert_eq!((writer.requests, writer.encoded_bytes), (3, 505));
            let read: Vec<Request> = Reader::open(dir.path()).expect("a file").map(|r| r.expect("whole")).collect();
            assert_eq!(read.iter().map(|request| request.rows).collect::<Vec<_>>(), [1, 2, 3]);
            for (request, body) in read.iter().zip(&bodies) {
                assert_eq!(&unpacked(&request.body, compression), body);
            }
        }
    }

    fn unpacked(body: &[u8], compression: Compression) -> Vec<u8> {
        let mut out = Vec::new();
        match compression {
            Compression::None => out.extend(body),
            Compression::Gzip => drop(flate2::read::GzDecoder::new(body).read_to_end(&mut out).expect("gzip")),
            Compression::Zstd => out = zstd::decode_all(body).expect("zstd"),
        }
        out
    }

    #[test]
    fn a_cut_file_is_an_error() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut writer = Writer::create(dir.path(), Compression::None).expect("a file");
        writer.push(b"body", 1).expect("written");
        drop(writer.finish().expect("written"));
        let path = dir.path().join(FILE);
        let whole = std::fs::read(&path).expect("a file");
        std::fs::write(&path, &whole[..whole.len() - 1]).expect("written");
        assert!(Reader::open(dir.path()).expect("a file").next().expect("one").is_err());
        std::fs::write(&path, b"something else").expect("written");
        assert!(Reader::open(dir.path()).is_err());
    }
}
