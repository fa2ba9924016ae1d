//! Which format a file is in, by its first bytes.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use proto::rpc::Signal;

use super::batch::{Problem, Put};
use super::{json, lines, protobuf};

/// What `--as` may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// OTLP, Jaeger or Zipkin JSON; also several documents, such as one a line
    Json,
    /// OTLP protobuf: an export request for traces
    OtlpTraces,
    /// OTLP protobuf: an export request for logs
    OtlpLogs,
    /// OTLP protobuf: an export request for metrics
    OtlpMetrics,
    /// Log lines, each a record
    Lines,
}

/// Enough to see more than white space, and to fill the first record of most files.
const HEAD_BYTES: usize = 64 << 10;

/// Reads a whole file into batches, in order. Ends early, and well, when `put` wants no more.
pub(super) fn read_file(
    path: &Path,
    format: Option<Format>,
    service: Option<&str>,
    put: &mut Put<'_>,
) -> Result<(), Problem> {
    let broken = |error: std::io::Error| Problem::at(path, 0, error);
    let mut file = BufReader::with_capacity(HEAD_BYTES, File::open(path).map_err(broken)?);
    let guessed = match format {
        Some(format) => format,
        None => match guess(file.fill_buf().map_err(broken)?) {
            Some(format) => format,
            None => return protobuf::read(path, None, &mut file, put),
        },
    };
    match guessed {
        Format::Json => json::read(path, file, put),
        Format::OtlpTraces => protobuf::read(path, Some(Signal::Traces), &mut file, put),
        Format::OtlpLogs => protobuf::read(path, Some(Signal::Logs), &mut file, put),
        Format::OtlpMetrics => protobuf::read(path, Some(Signal::Metrics), &mut file, put),
        Format::Lines => lines::read(path, service, &mut file, put),
    }
}

/// JSON or lines; `None` for what is no text, which must be protobuf then.
///
/// An export request begins with the key of its field 1, which is also a newline: text may begin so too,
/// but not with the lengths and tags that follow, which are control characters.
fn guess(head: &[u8]) -> Option<Format> {
    let control = |byte: &u8| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x1b | 0x0c);
    if head.starts_with(b"\n") && head.iter().take(64).any(control) || head.contains(&0) {
        return None;
    }
    let mut significant = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start().iter();
    let json = match significant.next() {
        Some(b'{') => true,
        // Log lines begin with brackets as well: `[2024-…]`.
        Some(b'[') => matches!(significant.find(|byte| !byte.is_ascii_whitespace()), Some(b'{' | b'[' | b']')),
        _ => false,
    };
    Some(if json { Format::Json } else { Format::Lines })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_by_their_first_bytes() {
        for json in ["{\"a\":1}", " \n[{}]", "[ [{", "[]", "\u{feff}{}"] {
            assert_eq!(guess(json.as_bytes()), Some(Format::Json), "{json}");
        }
        for lines in ["[Sun Dec 04 04:47:44 2005] [notice]", "\nINFO x", "", "订单创建成功", "\u{1b}[31mred"] {
            assert_eq!(guess(lines.as_bytes()), Some(Format::Lines), "{lines}");
        }
        assert_eq!(guess(b"\x0a\x05\x0a\x03abc"), None);
        assert_eq!(guess(b"\x0a\xf1\x02\x0a\x12\x0a\x10"), None);
    }
}
