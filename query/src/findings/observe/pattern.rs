//! Log bodies without what changes from record to record.

/// Bytes of a pattern; what is longer is cut.
const MOST_BYTES: usize = 200;

/// The text with numbers, ids and quoted words replaced by `<*>`.
pub(super) fn pattern(body: &str) -> String {
    let mut out = String::new();
    let mut rest = body.lines().next().unwrap_or_default();
    while let Some(first) = rest.chars().next() {
        if out.len() >= MOST_BYTES {
            out.push('…');
            break;
        }
        let length = token(rest);
        let word = &rest[..length.max(first.len_utf8())];
        if length > 0 && is_variable(word) {
            if !out.ends_with("<*>") {
                out.push_str("<*>");
            }
        } else {
            out.push_str(word);
        }
        rest = &rest[word.len()..];
    }
    out
}

/// Bytes of the word that the text begins with; a quoted text is one.
fn token(text: &str) -> usize {
    let first = text.as_bytes()[0];
    if matches!(first, b'"' | b'\'')
        && let Some(end) = text[1..].find(first as char)
        && end <= 64
    {
        return end + 2;
    }
    text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':'))).unwrap_or(text.len())
}

/// Numbers, addresses, and ids: whatever holds a digit, but for short names such as `utf8` or `v2`.
fn is_variable(word: &str) -> bool {
    if word.starts_with(['"', '\'']) {
        return true;
    }
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    let number = word.starts_with(|first: char| first.is_ascii_digit());
    digits > 0 && (number || digits > letters || digits >= 4 || word.len() >= 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_left_out() {
        for (one, other) in [
            ("call timed out after 3021 ms", "call timed out after 17 ms"),
            ("order 81723 of user 'alice' failed", "order 9 of user 'bob' failed"),
            ("库存不足，商品 sku-00172", "库存不足，商品 sku-99110"),
            ("connect to 10.0.0.7:3306 refused", "connect to 10.0.1.9:3306 refused"),
            ("trace 0af7651916cd43dd8448eb211c80319c", "trace 4bf92f3577b34da6a3ce929d0e0e4736"),
        ] {
            assert_eq!(pattern(one), pattern(other));
        }
        assert_ne!(pattern("connection refused"), pattern("connection reset"));
        assert_eq!(pattern("utf8 in v2"), "utf8 in v2");
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_a_bounded_pattern(text in ".{0,400}") {
            proptest::prop_assert!(pattern(&text).len() <= MOST_BYTES + 400);
        }
    }
}
