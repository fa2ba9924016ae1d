//! Values as the catalogue spells them: bounds of columns, and instants.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::columns::Kind;

/// A least or greatest value of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// Any integer column, signed or not.
    Integer(i128),
    #[serde(with = "bits")]
    Float(f64),
    /// ns since the epoch.
    Time(i64),
    Text(String),
    Boolean(bool),
}

/// Floats in JSON, which has no infinity.
mod bits {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        value.to_bits().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        u64::deserialize(deserializer).map(f64::from_bits)
    }
}

impl Value {
    pub(super) fn lesser(self, other: Self) -> Self {
        if self.is_less(&other) { self } else { other }
    }

    pub(super) fn greater(self, other: Self) -> Self {
        if self.is_less(&other) { other } else { self }
    }

    /// Values of one column are of one kind, and floats are no NaN.
    fn is_less(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Integer(a), Value::Integer(b)) => a < b,
            (Value::Float(a), Value::Float(b)) => a.total_cmp(b) == Ordering::Less,
            (Value::Time(a), Value::Time(b)) => a < b,
            (Value::Text(a), Value::Text(b)) => a < b,
            (Value::Boolean(a), Value::Boolean(b)) => !a & b,
            _ => false,
        }
    }
}

/// Text past this many bytes is cut: statistics are to skip files, not to hold bodies.
const TEXT_BYTES: usize = 64;

/// DuckDB reads no TIMESTAMP_NS text before this day's start, and takes the greatest number for
/// infinity (seen in 1.5.5). A bound that it cannot read would make it skip files that match.
const FIRST_TIME: i64 = -9_223_286_400_000_000_000; // 1677-09-22
const LAST_TIME: i64 = i64::MAX - 1;

/// Bounds as text; None where they cannot be told in a way that DuckDB reads. Both or neither:
/// it takes half a pair of numbers for an empty range.
pub(super) fn bounds(kind: Kind, least: &Value, greatest: &Value) -> Option<(String, String)> {
    let pair = match (kind, least, greatest) {
        (Kind::Integer, Value::Integer(least), Value::Integer(greatest)) => (least.to_string(), greatest.to_string()),
        (Kind::Float, Value::Float(least), Value::Float(greatest)) if !least.is_nan() && !greatest.is_nan() => {
            (format!("{least:?}"), format!("{greatest:?}"))
        }
        (Kind::Time, Value::Time(least), Value::Time(greatest)) if *least >= FIRST_TIME && *greatest <= LAST_TIME => {
            (instant(*least), instant(*greatest))
        }
        (Kind::Text, Value::Text(least), Value::Text(greatest)) => {
            (text_below(least).to_owned(), text_above(greatest)?)
        }
        (Kind::Boolean, Value::Boolean(least), Value::Boolean(greatest)) => {
            (u8::from(*least).to_string(), u8::from(*greatest).to_string())
        }
        _ => return None,
    };
    Some(pair)
}

/// Order of two bounds; None where one does not read as a value of its kind.
pub(super) fn compare(kind: Kind, left: &str, right: &str) -> Option<Ordering> {
    match kind {
        Kind::Integer => Some(left.parse::<i128>().ok()?.cmp(&right.parse().ok()?)),
        Kind::Float => left.parse::<f64>().ok()?.partial_cmp(&right.parse().ok()?),
        // The years have four digits and a fraction only ever adds digits at the end.
        Kind::Time | Kind::Text => Some(left.cmp(right)),
        Kind::Boolean => Some(boolean(left)?.cmp(&boolean(right)?)),
        Kind::Opaque => None,
    }
}

/// `2026-11-22 15:20:27.927536000`, UTC.
pub(super) fn instant(ns: i64) -> String {
    let (seconds, fraction) = (ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{fraction:09}")
}

/// Time of a snapshot as DuckLake writes it: microseconds and the offset of UTC.
pub(super) fn snapshot_time(ns: i64) -> String {
    let mut text = instant(ns);
    text.truncate(text.len() - 3);
    text + "+00"
}

/// Reads what [`snapshot_time`] or DuckDB wrote (fraction and offset of any length); ns.
pub(super) fn parse_snapshot_time(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once([' ', 'T'])?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let days = days(date.next()??, date.next()??, date.next()??);
    let offset_at = rest.find(['+', '-', 'Z']).unwrap_or(rest.len());
    let (clock, offset) = rest.split_at(offset_at);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut clock = clock.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let seconds = days * 86_400 + clock.next()?? * 3600 + clock.next()?? * 60 + clock.next()?? - parse_offset(offset)?;
    let fraction: i64 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(fraction)
}

/// Seconds east of UTC, of `+08`, `-03:30`, `Z` or nothing.
fn parse_offset(text: &str) -> Option<i64> {
    let digits = text.trim_start_matches(['+', '-', 'Z']);
    if digits.is_empty() {
        return Some(0);
    }
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
    let seconds = hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60;
    Some(if text.starts_with('-') { -seconds } else { seconds })
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "0" | "false" => Some(false),
        "1" | "true" => Some(true),
        _ => None,
    }
}

/// Bounds of which no text is long; None where none lies above.
pub(super) fn shortened(bounds: &(Value, Value)) -> Option<(Value, Value)> {
    match bounds {
        (Value::Text(least), Value::Text(greatest)) => {
            Some((Value::Text(text_below(least).to_owned()), Value::Text(text_above(greatest)?)))
        }
        other => Some(other.clone()),
    }
}

/// The start of a text: not greater than it. Cut before a NUL too, where SQLite's readers stop.
fn text_below(text: &str) -> &str {
    let text = text.split('\0').next().unwrap_or("");
    let mut end = text.len().min(TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A short text that is not less than the given one, which may be any continuation of its start.
fn text_above(text: &str) -> Option<String> {
    let start = text_below(text);
    if start.len() == text.len() {
        return Some(text.to_owned());
    }
    let mut above = start.to_owned();
    while let Some(last) = above.pop() {
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            above.push(next);
            return Some(above);
        }
    }
    None
}

/// Proleptic Gregorian date of a day since the epoch (Hinnant, "chrono-compatible low-level date
/// algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`civil`].
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn instants_read_as_duckdb_writes_them() {
        assert_eq!(instant(1_700_000_000_123_456_789), "2023-11-14 22:13:20.123456789");
        assert_eq!(instant(-1), "1969-12-31 23:59:59.999999999");
        assert_eq!(instant(FIRST_TIME), "1677-09-22 00:00:00.000000000");
        assert_eq!(instant(LAST_TIME), "2262-04-11 23:47:16.854775806");
        assert_eq!(snapshot_time(1_700_000_000_123_456_789), "2023-11-14 22:13:20.123456+00");
        let at = |text| parse_snapshot_time(text).expect("reads");
        assert_eq!(at("2023-11-14 22:13:20.1234+00"), 1_700_000_000_123_400_000);
        assert_eq!(at("2023-11-15 06:13:20+08"), 1_700_000_000_000_000_000);
        assert_eq!(at("2023-11-14 18:43:20-03:30"), 1_700_000_000_000_000_000);
        assert_eq!(parse_snapshot_time("yesterday"), None);
    }

    #[test]
    fn bounds_that_duckdb_could_not_read_are_left_out() {
        let time = |least, greatest| bounds(Kind::Time, &Value::Time(least), &Value::Time(greatest));
        assert!(time(0, LAST_TIME).is_some());
        assert_eq!(time(0, i64::MAX), None);
        assert_eq!(time(FIRST_TIME - 1, 0), None);
        assert_eq!(bounds(Kind::Float, &Value::Float(f64::NAN), &Value::Float(1.0)), None);
        assert_eq!(bounds(Kind::Text, &Value::Integer(1), &Value::Integer(2)), None);
        let all = "\u{10ffff}".repeat(40);
        assert_eq!(bounds(Kind::Text, &Value::Text("a".into()), &Value::Text(all)), None);
    }

    proptest! {
        #[test]
        fn text_bounds_enclose(least in any::<String>(), tail in any::<String>()) {
            let long = format!("{}{tail}", least.repeat(9));
            for text in [&least, &long] {
                prop_assert!(text_below(text) <= text.as_str());
                prop_assert!(text_below(text).len() <= TEXT_BYTES);
                if let Some(above) = text_above(text) {
                    prop_assert!(above.as_str() >= text.as_str());
                    prop_assert!(above.len() <= TEXT_BYTES + 4 && !above.contains('\0'));
                }
            }
        }

        #[test]
        fn times_keep_their_order_and_value(left in FIRST_TIME..LAST_TIME, right in FIRST_TIME..LAST_TIME) {
            prop_assert_eq!(compare(Kind::Time, &instant(left), &instant(right)), Some(left.cmp(&right)));
            let cut = left.div_euclid(1000) * 1000;
            prop_assert_eq!(parse_snapshot_time(&snapshot_time(left)), Some(cut));
        }
    }
}
