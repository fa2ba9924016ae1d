//! What must not stand in telemetry: tokens, keys, card numbers, passwords. That it was there is kept, not what.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use storage::attrs;
use storage::ids::{SpanId, TraceId};
use storage::scan::ReadError;
use storage::schema::col;

use super::{Family, Window};
use crate::engine::Range;
use crate::rows::Columns;

static JWT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"));
static PEM: LazyLock<Regex> = LazyLock::new(|| pattern(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"));
static AWS: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"));
static CARD: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\b(?:4\d{3}|5[1-5]\d{2}|62\d{2}|3[47]\d{2})[ -]?\d{4,6}[ -]?\d{4,5}(?:[ -]?\d{4})?\b"));
static PASSWORD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)\b(?:password|passwd|pwd|secret_key|api_key|apikey|access_token)["']?\s*[:=]\s*["']?([^\s"',;&}\]]{4,})"#,
    )
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern that is written here and tried by the tests")
}

/// Keys of attributes whose values nobody should send.
const KEYS: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "secret",
    "api_key",
    "apikey",
    "access_token",
    "authorization",
    "http.request.header.authorization",
    "http.request.header.cookie",
    "private_key",
];

/// Values that say that something was taken out.
const REDACTED: &[&str] =
    &["", "null", "none", "?", "true", "false", "redacted", "<redacted>", "[redacted]", "filtered", "[filtered]"];

/// Looks through the attributes of the spans that begin within the range.
pub(super) fn of_spans(
    columns: Columns<'_>,
    ours: &impl Fn(TraceId) -> bool,
    range: Range,
    window: &mut Window,
) -> Result<(), ReadError> {
    let (traces, spans) = (columns.ids::<16>(col::TRACE_ID)?, columns.ids::<8>(col::SPAN_ID)?);
    let (starts, services) = (columns.times(col::START_TIME)?, columns.strings(col::SERVICE_NAME)?);
    let attributes = columns.strings(col::ATTRIBUTES)?;
    for row in (0..columns.rows()).filter(|&row| range.contains(starts[row])) {
        let Some(trace) = traces.get(row).map(TraceId).filter(|trace| ours(*trace)) else { continue };
        let place = Some((trace, spans.get(row).map(SpanId)));
        of_attributes(services.text(row), attributes.text(row), place, window);
    }
    Ok(())
}

/// Where it was found.
type Place = Option<(TraceId, Option<SpanId>)>;

pub(super) fn of_record(service: &str, body: &str, attributes: &str, place: Place, window: &mut Window) {
    of_text(service, "log body", body, place, window);
    let password = PASSWORD.captures(body).and_then(|found| found.get(1));
    if password.is_some_and(|value| !is_masked(value.as_str())) {
        tell(service, "password", "log body", place, window);
    }
    of_attributes(service, attributes, place, window);
}

fn of_attributes(service: &str, attributes: &str, place: Place, window: &mut Window) {
    if attributes.len() <= 2 {
        return;
    }
    let suspicious = looks_suspicious(attributes);
    for (key, raw) in attrs::entries(attributes) {
        let named = KEYS.iter().any(|known| key.eq_ignore_ascii_case(known) || ends_with_word(&key, known));
        if !named && !suspicious {
            continue;
        }
        let value = attrs::text_of(raw);
        if named && !is_masked(&value) {
            tell(service, "password", &key, place, window);
        } else {
            of_text(service, &key, &value, place, window);
        }
    }
}

/// `user.password` ends with the word `password`; `password_reset` does not.
fn ends_with_word(key: &str, word: &str) -> bool {
    let Some(at) = key.len().checked_sub(word.len() + 1) else { return false };
    key.is_char_boundary(at) && matches!(key.as_bytes()[at], b'.' | b'_') && key[at + 1..].eq_ignore_ascii_case(word)
}

/// A cheap look before the patterns.
fn looks_suspicious(text: &str) -> bool {
    text.contains("eyJ")
        || text.contains("AKIA")
        || text.contains("ASIA")
        || text.contains("PRIVATE KEY")
        || has_long_number(text)
}

fn has_long_number(text: &str) -> bool {
    let mut run = 0;
    text.bytes().any(|byte| {
        run = match byte {
            b'0'..=b'9' => run + 1,
            b' ' | b'-' if run > 0 => run,
            _ => 0,
        };
        run >= 13
    })
}

fn of_text(service: &str, place_name: &str, text: &str, place: Place, window: &mut Window) {
    if !looks_suspicious(text) {
        return;
    }
    for (kind, pattern) in [("jwt", &JWT), ("private key", &PEM), ("aws key", &AWS)] {
        if pattern.is_match(text) {
            tell(service, kind, place_name, place, window);
        }
    }
    for found in CARD.find_iter(text) {
        let digits: Vec<u8> = found.as_str().bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect();
        if !has_card_length(&digits) {
            continue;
        }
        // Other numbers pass the check digit one time in ten: the rule wants most of them to.
        let seen = window.seen(Family::Secret, &[service, "card", place_name]);
        seen.of += 1;
        if luhn(&digits) {
            match place {
                Some((trace, span)) => seen.hit(1, trace, span),
                None => seen.hits += 1,
            }
        }
    }
}

fn tell(service: &str, kind: &str, place_name: &str, place: Place, window: &mut Window) {
    let seen = window.seen(Family::Secret, &[service, kind, place_name]);
    seen.of += 1;
    match place {
        Some((trace, span)) => seen.hit(1, trace, span),
        None => seen.hits += 1,
    }
}

fn is_masked(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    REDACTED.contains(&lower.as_str()) || value.bytes().filter(|byte| *byte == b'*').count() * 2 >= value.len()
}

/// As the networks give them out: American Express 15, UnionPay 16 to 19, others 16.
fn has_card_length(digits: &[u8]) -> bool {
    match digits {
        [3, ..] => digits.len() == 15,
        [6, 2, ..] => (16..=19).contains(&digits.len()),
        _ => digits.len() == 16,
    }
}

fn luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, &digit)| u32::from(if at % 2 == 1 { doubled(digit) } else { digit }))
        .sum();
    digits.iter().any(|digit| *digit != 0) && sum.is_multiple_of(10)
}

/// A text in which no secret stands any more.
pub(super) fn masked(text: &str) -> Cow<'_, str> {
    let mut out = Cow::Borrowed(text);
    for (pattern, mask) in
        [(&JWT, "<jwt>"), (&PEM, "<private key>"), (&AWS, "<aws key>"), (&PASSWORD, "password=<masked>")]
    {
        if pattern.is_match(&out) {
            out = Cow::Owned(pattern.replace_all(&out, mask).into_owned());
        }
    }
    if has_long_number(&out) {
        out = Cow::Owned(CARD.replace_all(&out, "<number>").into_owned());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str, attributes: &str) -> Vec<(String, String, u64)> {
        let mut window = Window::default();
        of_record("pay", body, attributes, None, &mut window);
        let mut found: Vec<_> = window
            .family(Family::Secret)
            .map(|(key, seen)| (key[1].to_owned(), key[2].to_owned(), seen.hits))
            .collect();
        found.sort();
        found
    }

    #[test]
    fn secrets_are_found_and_none_is_kept() {
        let jwt = "token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P";
        assert_eq!(found(jwt, "{}"), [("jwt".to_owned(), "log body".to_owned(), 1)]);
        assert_eq!(masked(jwt), "token <jwt>");
        assert_eq!(found("key AKIAIOSFODNN7EXAMPLE", "{}")[0].0, "aws key");
        assert_eq!(found("-----BEGIN RSA PRIVATE KEY-----", "{}")[0].0, "private key");
        assert_eq!(found("card 4111 1111 1111 1111 refused", "{}"), [("card".to_owned(), "log body".to_owned(), 1)]);
        assert_eq!(found("", r#"{"user.password":"hunter22"}"#)[0].1, "user.password");
        assert_eq!(found("login password=hunter22 ok", "{}")[0].0, "password");
        assert_eq!(masked("login password=hunter22 ok"), "login password=<masked> ok");
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        for (body, attributes) in [
            ("order 4111111111111112 shipped", "{}"),
            ("password reset for alice", r#"{"password_reset":"yes"}"#),
            ("", r#"{"db.password":"***","authorization":"[REDACTED]"}"#),
            ("at 1700000000000000000 ns, trace 0af7651916cd43dd8448eb211c80319c", "{}"),
        ] {
            assert!(found(body, attributes).iter().all(|(.., hits)| *hits == 0), "{body} {attributes}");
        }
    }

    #[test]
    fn check_digits() {
        let digits = |text: &str| text.bytes().map(|byte| byte - b'0').collect::<Vec<_>>();
        assert!(luhn(&digits("4111111111111111")) && luhn(&digits("378282246310005")));
        assert!(!luhn(&digits("4111111111111112")) && !luhn(&digits("0000000000000000")));
    }
}
