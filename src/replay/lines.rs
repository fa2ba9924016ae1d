//! Plain log lines: each line a record, with the severity and time that it seems to have.

use std::io::{BufRead, Read};
use std::path::Path;

use proto::Message;
use proto::otlp::make::{any, text};
use proto::otlp::messages::collector::logs::v1::ExportLogsServiceRequest;
use proto::otlp::messages::common::v1::any_value::Value;
use proto::otlp::messages::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use proto::otlp::messages::resource::v1::Resource;
use proto::rpc::Signal;

use super::batch::{Batch, Problem, Put};
use super::time;

/// Lines and bytes after which a request is sent.
const BATCH_LINES: usize = 2_000;
const BATCH_BYTES: usize = 4 << 20;
/// A longer line is no line: something else is in the file.
const MAX_LINE_BYTES: u64 = 8 << 20;

pub(super) fn read(
    path: &Path,
    service: Option<&str>,
    file: &mut impl BufRead,
    put: &mut Put<'_>,
) -> Result<(), Problem> {
    let resource = resource(path, service);
    let now = time::now_ns();
    let mut line = Vec::new();
    let mut number = 0;
    let mut batch = Lines { first: 1, ..Lines::default() };
    loop {
        line.clear();
        number += 1;
        let broken = |error: std::io::Error| Problem::at(path, number, error);
        let read = file.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line).map_err(broken)?;
        if read as u64 == MAX_LINE_BYTES && !line.ends_with(b"\n") {
            return Err(Problem::at(path, number, format!("a line is longer than {MAX_LINE_BYTES} bytes")));
        }
        if read > 0 {
            batch.push(&line, number, now);
        }
        if read == 0 || batch.records.len() >= BATCH_LINES || batch.bytes >= BATCH_BYTES {
            let full = std::mem::replace(&mut batch, Lines { first: number + 1, ..Lines::default() });
            if !full.is_empty() && !put(full.finish(&resource)) || read == 0 {
                return Ok(());
            }
        }
    }
}

fn resource(path: &Path, service: Option<&str>) -> Resource {
    let lossy =
        |name: Option<&std::ffi::OsStr>| name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = service.map_or_else(|| lossy(path.file_stem()), str::to_owned);
    let attributes = vec![text("service.name", name), text("log.file.name", lossy(path.file_name()))];
    Resource { attributes, ..Default::default() }
}

/// The lines of a request.
#[derive(Default)]
struct Lines {
    first: u64,
    records: Vec<LogRecord>,
    bytes: usize,
    notices: Vec<String>,
}

impl Lines {
    /// Empty lines are no records.
    fn push(&mut self, line: &[u8], number: u64, now_ns: u64) {
        let line = line.trim_ascii_end();
        if line.is_empty() {
            return;
        }
        match std::str::from_utf8(line) {
            Ok(line) => self.records.push(record(line, now_ns)),
            Err(error) => self.notices.push(format!("line {number} is not UTF-8: {error}")),
        }
        self.bytes += line.len();
    }

    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.notices.is_empty()
    }

    fn finish(self, resource: &Resource) -> Batch {
        let rows = self.records.len() as u64;
        let scope_logs = vec![ScopeLogs { log_records: self.records, ..Default::default() }];
        let group = ResourceLogs { resource: Some(resource.clone()), scope_logs, ..Default::default() };
        let request = ExportLogsServiceRequest { resource_logs: vec![group] }.encode_to_vec();
        Batch { signal: Signal::Logs, request, rows, rejected: self.notices, line: self.first }
    }
}

fn record(line: &str, now_ns: u64) -> LogRecord {
    let (severity_number, severity_text) = severity(line).unwrap_or((0, ""));
    LogRecord {
        time_unix_nano: time::recognise(line, now_ns).unwrap_or(now_ns),
        observed_time_unix_nano: now_ns,
        severity_number,
        severity_text: severity_text.to_owned(),
        body: Some(any(Value::StringValue(line.to_owned()))),
        ..Default::default()
    }
}

/// Names of levels and their OTLP severity numbers.
const LEVELS: &[(&str, i32)] = &[
    ("TRACE", 1),
    ("VERBOSE", 1),
    ("DEBUG", 5),
    ("DBG", 5),
    ("INFO", 9),
    ("INFORMATION", 9),
    ("NOTICE", 10),
    ("WARN", 13),
    ("WARNING", 13),
    ("ERROR", 17),
    ("ERR", 17),
    ("SEVERE", 17),
    ("CRITICAL", 18),
    ("CRIT", 18),
    ("ALERT", 19),
    ("PANIC", 21),
    ("FATAL", 21),
    ("EMERG", 21),
    ("EMERGENCY", 21),
];

/// Bytes in front of a line in which its level is looked for.
const LEVEL_WITHIN: usize = 256;

/// The first word that names a level and is set as one: in capitals, or capitalised or small where a
/// bracket, `level=`, or the like is around it. `error` in a sentence is no level.
fn severity(line: &str) -> Option<(i32, &'static str)> {
    let head = &line[..line.floor_char_boundary(LEVEL_WITHIN)];
    let mut at = 0;
    for word in head.split(|c: char| !c.is_ascii_alphabetic()) {
        let (before, after) = (&head[..at], &head[at + word.len()..]);
        at += word.len() + after.chars().next().map_or(0, char::len_utf8);
        let Some((name, number)) = LEVELS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)) else { continue };
        let capitals = word.bytes().all(|byte| byte.is_ascii_uppercase());
        let marked = before.ends_with(['[', '<', '=', '|'])
            || before.ends_with("level\":\"")
            || before.ends_with("level\": \"")
            || after.starts_with([']', '|', '>'])
            // `Info    CBS`, `error: cannot`
            || (word.starts_with(|c: char| c.is_ascii_uppercase()) && after.starts_with("  "))
            || (before.trim_end().is_empty() && after.starts_with(':'));
        if capitals || marked {
            return Some((*number, name));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_found_where_they_are_levels() {
        let cases = [
            ("2015-07-29 17:41:44,747 - INFO  [QuorumPeer] - Notification", Some(9)),
            ("2015-07-29 19:04:29,071 - WARN  [SendWorker] - ERROR later", Some(13)),
            ("[Sun Dec 04 04:47:44 2005] [error] mod_jk child", Some(17)),
            ("2016-09-28 04:30:30, Info                  CBS    Loaded", Some(9)),
            ("time=2024-01-01 level=warning msg=x", Some(13)),
            (r#"{"level":"debug","msg":"x"}"#, Some(5)),
            ("error: cannot open", Some(17)),
            ("订单 ERROR 支付超时", Some(17)),
            ("sshd: an error was seen", None),
            ("the information desk", None),
            ("", None),
        ];
        for (line, expected) in cases {
            assert_eq!(severity(line).map(|(number, _)| number), expected, "{line}");
        }
    }

    fn batches(text: &[u8]) -> (Vec<Batch>, Result<(), Problem>) {
        let mut batches = Vec::new();
        let outcome = read(Path::new("shop.log"), None, &mut &*text, &mut |batch| {
            batches.push(batch);
            true
        });
        (batches, outcome)
    }

    #[test]
    fn every_line_is_a_record_and_bad_text_is_told() {
        let (batches, outcome) = batches("2024-01-02T03:04:05Z INFO 订单创建成功\r\n\nERROR x\n\n".as_bytes());
        assert_eq!(outcome, Ok(()));
        assert_eq!((batches.len(), batches[0].rows, batches[0].line), (1, 2, 1));
        let request = ExportLogsServiceRequest::decode(&*batches[0].request).expect("valid");
        let group = &request.resource_logs[0];
        let name = text("service.name", "shop");
        assert!(group.resource.as_ref().is_some_and(|resource| resource.attributes.contains(&name)));
        let record = &group.scope_logs[0].log_records[0];
        assert_eq!(record.time_unix_nano, 1_704_164_645_000_000_000);
        assert_eq!(record.body, Some(any(Value::StringValue("2024-01-02T03:04:05Z INFO 订单创建成功".to_owned()))));

        let (batches, _) = self::batches(b"fine\n\xff\xfe\n");
        assert_eq!((batches[0].rows, batches[0].rejected.len()), (1, 1));
        assert!(batches[0].rejected[0].starts_with("line 2 is not UTF-8"));
    }

    #[test]
    fn many_lines_are_many_requests() {
        let (batches, _) = batches("x\n".repeat(BATCH_LINES + 1).as_bytes());
        let shape: Vec<_> = batches.iter().map(|batch| (batch.rows, batch.line)).collect();
        assert_eq!(shape, [(BATCH_LINES as u64, 1), (1, BATCH_LINES as u64 + 1)]);
    }
}
