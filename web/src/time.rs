//! Points in time as people type them: RFC 3339, ns since the epoch, `now`, `now-1h`.

use std::fmt;

use chrono::DateTime;
use query::Range;
use serde::de::{Deserialize, Deserializer, Error};

/// A moment that is fixed, or counts back from the moment of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// ns since the epoch.
    At(i64),
    /// ns before now.
    Ago(i64),
}

/// Range where neither end is given: the last hour.
const DEFAULT_SPAN: i64 = 3_600_000_000_000;

impl Moment {
    /// ns since the epoch; `now` likewise.
    pub(crate) fn resolve(self, now: i64) -> i64 {
        match self {
            Moment::At(time) => time,
            Moment::Ago(distance) => now.saturating_sub(distance),
        }
    }
}

/// The half-open range that `from` and `to` name. An end that is missing lies an hour from the other,
/// or is now; the error says what is wrong.
pub(crate) fn range(from: Option<Moment>, to: Option<Moment>, now: i64) -> Result<Range, String> {
    let to_ns = to.map_or(now, |to| to.resolve(now));
    let from_ns = from.map_or_else(|| to_ns.saturating_sub(DEFAULT_SPAN), |from| from.resolve(now));
    if from_ns >= to_ns {
        return Err("`from` must be before `to`".to_owned());
    }
    Ok(Range { from: from_ns, to: to_ns })
}

/// A day, ns.
const DAY: i64 = 86_400_000_000_000;

/// A range that includes its end, as those of Jaeger and Zipkin do.
pub(crate) fn closed(from: i64, to: i64) -> Range {
    Range { from, to: to.saturating_add(1) }
}

/// What `endTs` and `lookback`, as ns, ask for in Jaeger and in Zipkin: a day until now where they are absent.
pub(crate) fn looking_back(end: Option<i64>, lookback: Option<i64>, now: i64) -> Range {
    let end = end.unwrap_or(now);
    closed(end.saturating_sub(lookback.unwrap_or(DAY)), end)
}

/// What was typed is not a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadMoment {
    #[error("`{0}` is not a time: use RFC 3339, ns since the epoch, `now` or `now-1h` (units s m h d w)")]
    Form(String),
    #[error("`{0}` is outside of the years 1678 to 2262")]
    Far(String),
}

impl std::str::FromStr for Moment {
    type Err = BadMoment;

    fn from_str(text: &str) -> Result<Self, BadMoment> {
        let shown = || text.chars().take(80).collect::<String>();
        if let Some(rest) = text.strip_prefix("now") {
            return ago(rest).map(Moment::Ago).ok_or_else(|| BadMoment::Form(shown()));
        }
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().map(Moment::At).map_err(|_| BadMoment::Far(shown()));
        }
        rfc3339(text)
    }
}

/// ns since the epoch.
fn rfc3339(text: &str) -> Result<Moment, BadMoment> {
    let shown = || text.chars().take(80).collect::<String>();
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| BadMoment::Form(shown()))?;
    time.timestamp_nanos_opt().map(Moment::At).ok_or_else(|| BadMoment::Far(shown()))
}

/// ns of ``, `-90s`, `-1h`.
fn ago(text: &str) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    let text = text.strip_prefix('-')?;
    let unit = text.chars().next_back()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    let count = &text[..text.len() - 1];
    if !count.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    count.parse::<i64>().ok()?.checked_mul(seconds * 1_000_000_000)
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::At(time) => write!(f, "{time}"),
            Moment::Ago(distance) => write!(f, "now-{}s", distance / 1_000_000_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_look_back_include_their_end() {
        assert_eq!(looking_back(Some(50), Some(20), 99), Range { from: 30, to: 51 });
        assert_eq!(looking_back(None, None, 2 * DAY), Range { from: DAY, to: 2 * DAY + 1 });
        assert_eq!(looking_back(Some(i64::MAX), Some(1), 0).to, i64::MAX);
        assert_eq!(looking_back(Some(-2), Some(i64::MAX), 0).from, i64::MIN);
    }

    fn moment(text: &str) -> Result<Moment, BadMoment> {
        text.parse()
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(moment("1700000000123456789"), Ok(Moment::At(1_700_000_000_123_456_789)));
        assert_eq!(moment("-5"), Ok(Moment::At(-5)));
        assert_eq!(moment("2023-11-14T22:13:20.123456789Z"), Ok(Moment::At(1_700_000_000_123_456_789)));
        assert_eq!(moment("2023-11-15T06:13:20+08:00"), Ok(Moment::At(1_700_000_000_000_000_000)));
        assert_eq!(moment("now"), Ok(Moment::Ago(0)));
        assert_eq!(moment("now-90s"), Ok(Moment::Ago(90_000_000_000)));
        assert_eq!(moment("now-2w"), Ok(Moment::Ago(1_209_600_000_000_000)));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in [
            "",
            "-",
            "yesterday",
            "now-",
            "now-h",
            "now-1",
            "now-1y",
            "now+1h",
            "now--1h",
            "now-1小",
            "2023-11-14",
            "2023-13-14T22:13:20Z",
            "1e18",
            "0x10",
            "NaN",
            "now-99999999999999999999s",
            "now-9999999999w",
        ] {
            assert_eq!(moment(bad), Err(BadMoment::Form(bad.to_owned())), "{bad}");
        }
        for far in ["9999-01-01T00:00:00Z", "1600-01-01T00:00:00Z", "18446744073709551615"] {
            assert_eq!(moment(far), Err(BadMoment::Far(far.to_owned())), "{far}");
        }
    }

    #[test]
    fn a_range_defaults_to_an_hour() {
        let (now, hour) = (1_700_000_000_000_000_000, DEFAULT_SPAN);
        assert_eq!(range(None, None, now), Ok(Range { from: now - hour, to: now }));
        assert_eq!(range(None, Some(Moment::At(hour)), now), Ok(Range { from: 0, to: hour }));
        assert_eq!(range(Some(Moment::Ago(5)), None, now), Ok(Range { from: now - 5, to: now }));
        assert!(range(Some(Moment::At(7)), Some(Moment::At(7)), now).is_err());
        assert!(range(Some(Moment::At(now + 1)), None, now).is_err());
    }
}
