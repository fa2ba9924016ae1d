//! Numbers, flags and durations as Jaeger reads them: Go's syntax, and Go's words for what is wrong.

/// `time.ParseDuration`: `1h2m`, `1.5s`, `200ms`, `10us`, `5ns`; ns.
pub(crate) fn duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quoted(text));
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len()));
        let (unit, after) = after.split_at(after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len()));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(invalid());
        }
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {}", quoted(text)));
        }
        let scale =
            unit_ns(unit).ok_or_else(|| format!("time: unknown unit {} in duration {}", quoted(unit), quoted(text)))?;
        total += scaled(whole, fraction, scale).ok_or_else(invalid)?;
        rest = after;
        if total > i128::from(i64::MAX) {
            return Err(invalid());
        }
    }
    i64::try_from(if negative { -total } else { total }).map_err(|_| invalid())
}

fn unit_ns(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// `whole.fraction` times `scale`; digits below a nanosecond are cut.
fn scaled(whole: &str, fraction: &str, scale: i128) -> Option<i128> {
    let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i64>().ok().map(i128::from) };
    let kept = &fraction[..fraction.len().min(18)];
    let below = digits(kept)? * scale / 10_i128.pow(kept.len() as u32);
    Some(digits(whole)? * scale + below)
}

/// `strconv.ParseInt(text, 10, 64)`.
pub(crate) fn int(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let reason = if is_number { "value out of range" } else { "invalid syntax" };
        format!("strconv.ParseInt: parsing {}: {reason}", quoted(text))
    })
}

/// `strconv.ParseBool`.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {}: invalid syntax", quoted(text))),
    }
}

/// `strconv.Quote`, near enough, of at most 100 characters.
pub(crate) fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(100).collect();
    format!("\"{}\"", shown.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, ns) in [
            ("0", 0),
            ("5ns", 5),
            ("4500ns", 4_500),
            ("10us", 10_000),
            ("10µs", 10_000),
            ("1.5s", 1_500_000_000),
            ("1h2m3s", 3_723_000_000_000),
            (".5ms", 500_000),
            ("1.s", 1_000_000_000),
            ("-1m", -60_000_000_000),
            ("1.0000000000000000000001s", 1_000_000_000),
        ] {
            assert_eq!(duration(text), Ok(ns), "{text}");
        }
        for (text, error) in [
            ("30", "time: missing unit in duration \"30\""),
            ("", "time: invalid duration \"\""),
            ("s", "time: invalid duration \"s\""),
            ("1.2.3s", "time: invalid duration \"1.2.3s\""),
            ("NaN", "time: invalid duration \"NaN\""),
            ("3x", "time: unknown unit \"x\" in duration \"3x\""),
            ("9999999h", "time: invalid duration \"9999999h\""),
            ("99999999999999999999s", "time: invalid duration \"99999999999999999999s\""),
        ] {
            assert_eq!(duration(text), Err(error.to_owned()), "{text}");
        }
    }

    #[test]
    fn numbers_and_flags_are_refused_in_the_words_of_go() {
        assert_eq!(int("-7"), Ok(-7));
        assert_eq!(int("string"), Err("strconv.ParseInt: parsing \"string\": invalid syntax".to_owned()));
        assert_eq!(
            int("9223372036854775808"),
            Err("strconv.ParseInt: parsing \"9223372036854775808\": value out of range".to_owned())
        );
        assert_eq!(boolean("T"), Ok(true));
        assert_eq!(boolean("foobar"), Err("strconv.ParseBool: parsing \"foobar\": invalid syntax".to_owned()));
    }
}
