//! Times at the beginning of log lines, in the forms that are common.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime};

/// Ns since the epoch; 0 for a clock before it.
pub(super) fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Forms with a zone.
const ZONED: &[&str] = &["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %z", "%d/%b/%Y:%H:%M:%S %z"];

/// Forms without, which are taken for UTC.
const LOCAL: &[&str] = &[
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M:%S%.f",
    "%d/%b/%Y:%H:%M:%S",
    "%a %b %d %H:%M:%S%.f %Y",
    "%Y%m%d-%H:%M:%S%.f",
    "%Y%m%d %H:%M:%S%.f",
];

/// Forms without a year: the latest that is not in the future (syslog, Android).
const YEARLESS: &[&str] = &["%b %d %H:%M:%S", "%m-%d %H:%M:%S%.f"];

/// How far from the beginning of a line a time may stand: behind a bracket, or an address and a user
/// (web servers' logs).
const BRACKET_WITHIN: usize = 80;

/// The time that a line begins with, ns since the epoch.
pub(super) fn recognise(line: &str, now_ns: u64) -> Option<u64> {
    let start = line.trim_start_matches([' ', '[', '<', '-', '(']);
    at_start(start, now_ns).or_else(|| {
        let bracket = line[..line.floor_char_boundary(BRACKET_WITHIN)].find('[')?;
        at_start(&line[bracket + 1..], now_ns)
    })
}

fn at_start(text: &str, now_ns: u64) -> Option<u64> {
    // Java writes milliseconds behind a comma, some others behind a colon.
    let head = &text[..text.floor_char_boundary(40)];
    let dotted = with_dot(head);
    let zoned = ZONED.iter().find_map(|form| DateTime::parse_and_remainder(&dotted, form).ok());
    if let Some((time, _)) = zoned {
        return time.timestamp_nanos_opt()?.try_into().ok();
    }
    let local = LOCAL.iter().find_map(|form| NaiveDateTime::parse_and_remainder(&dotted, form).ok());
    if let Some((time, _)) = local {
        return nanos(time);
    }
    yearless(&dotted, now_ns).or_else(|| epoch(head))
}

/// `12:00:00,123` as `12:00:00.123`; in `2000:12:00:00` nothing is a fraction.
fn with_dot(head: &str) -> String {
    let mut text: Vec<char> = head.chars().collect();
    let is_clock = |clock: &[char]| {
        clock.iter().enumerate().all(|(at, c)| if at % 3 == 2 { *c == ':' } else { c.is_ascii_digit() })
    };
    let fraction = (CLOCK..text.len().saturating_sub(1)).find(|at| {
        let start = at - CLOCK;
        let apart = start == 0 || !matches!(text[start - 1], ':' | '0'..='9');
        apart && is_clock(&text[start..*at]) && matches!(text[*at], ',' | ':') && text[at + 1].is_ascii_digit()
    });
    if let Some(at) = fraction {
        text[at] = '.';
    }
    text.into_iter().collect()
}

/// Length of `12:00:00`.
const CLOCK: usize = 8;

fn yearless(head: &str, now_ns: u64) -> Option<u64> {
    let now = DateTime::from_timestamp_nanos(i64::try_from(now_ns).ok()?).naive_utc();
    let with_year = |year: i32| {
        let dated = format!("{year} {head}");
        YEARLESS.iter().find_map(|form| {
            let (time, _) = NaiveDateTime::parse_and_remainder(&dated, &format!("%Y {form}")).ok()?;
            Some(time)
        })
    };
    // A day of grace for clocks and zones ahead.
    let latest = now.date().succ_opt().unwrap_or(NaiveDate::MAX);
    let time = with_year(now.year()).filter(|time| time.date() <= latest).or_else(|| with_year(now.year() - 1))?;
    nanos(time)
}

/// Seconds, or milliseconds, since the epoch, of this century.
fn epoch(head: &str) -> Option<u64> {
    let digits = &head[..head.find(|c: char| !c.is_ascii_digit()).unwrap_or(head.len())];
    let number: u64 = digits.parse().ok()?;
    match digits.len() {
        10 => number.checked_mul(1_000_000_000),
        13 => number.checked_mul(1_000_000),
        _ => None,
    }
}

fn nanos(time: NaiveDateTime) -> Option<u64> {
    time.and_utc().timestamp_nanos_opt()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-06-15T12:00:00Z
    const NOW: u64 = 1_718_452_800_000_000_000;

    #[test]
    fn common_forms_are_recognised() {
        let cases = [
            ("2024-01-02T03:04:05.5Z x", "2024-01-02T03:04:05.5Z"),
            ("2024-01-02T03:04:05+08:00 x", "2024-01-01T19:04:05Z"),
            ("2015-07-29 17:41:44,747 - INFO", "2015-07-29T17:41:44.747Z"),
            ("2016-09-28 04:30:30, Info  CBS", "2016-09-28T04:30:30Z"),
            ("2024/01/02 03:04:05 [warn]", "2024-01-02T03:04:05Z"),
            ("[Sun Dec 04 04:47:44 2005] [notice]", "2005-12-04T04:47:44Z"),
            (r#"1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "GET /""#, "2000-10-10T20:55:36Z"),
            ("20171223-22:15:29:606|Step_LSC|30002312", "2017-12-23T22:15:29.606Z"),
            ("Jun 14 15:16:01 combo sshd", "2024-06-14T15:16:01Z"),
            ("Dec 10 06:55:46 LabSZ sshd", "2023-12-10T06:55:46Z"),
            ("03-17 16:13:38.811  1702  2395 D WindowManager", "2024-03-17T16:13:38.811Z"),
            ("- 1131566461 2005.11.09 dn228", "2005-11-09T20:01:01Z"),
            ("1718452800123 x", "2024-06-15T12:00:00.123Z"),
        ];
        for (line, expected) in cases {
            let expected = DateTime::parse_from_rfc3339(expected).expect("a time").timestamp_nanos_opt();
            assert_eq!(recognise(line, NOW).map(|time| time as i64), expected, "{line}");
        }
    }

    #[test]
    fn other_beginnings_are_no_times() {
        for line in ["", "订单创建成功", "12345 x", "2024 was a year", "[main] INFO", "99999999999999999999"] {
            assert_eq!(recognise(line, NOW), None, "{line}");
        }
    }
}
