//! What the texts of many records have in common: the text without its numbers, ids and quoted parts.

/// Longest part of a text that is looked at, bytes: the first line tells what it is about.
const MOST_TEXT: usize = 1024;
const UUID: usize = 36;
/// Shortest run of hex digits that is taken for an id.
const HEX: usize = 8;

/// `order 17 of "Li" took 1.5ms` as `order <n> of "<*>" took <n>ms`. Texts of other scripts stay as they are.
pub(crate) fn pattern(text: &str) -> String {
    let line = text.trim_start().lines().next().unwrap_or_default();
    let mut rest = &line[..line.floor_char_boundary(MOST_TEXT)];
    let mut out = String::with_capacity(rest.len());
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '"' | '\'' | '`' if opens(&out) => quoted(rest, first, &mut out),
            _ if first.is_ascii_alphanumeric() => word(rest, &mut out),
            _ => {
                out.push(first);
                &rest[first.len_utf8()..]
            }
        };
    }
    out.truncate(out.trim_end().len());
    out
}

/// An apostrophe within a word opens nothing, nor does what follows a part that was taken out.
fn opens(before: &str) -> bool {
    before.chars().next_back().is_none_or(|last| !last.is_alphanumeric() && last != '>')
}

fn quoted<'a>(text: &'a str, quote: char, out: &mut String) -> &'a str {
    out.push(quote);
    let inner = &text[1..];
    match inner.find(quote) {
        Some(end) => {
            out.push_str(if end == 0 { "" } else { "<*>" });
            out.push(quote);
            &inner[end + 1..]
        }
        None => inner,
    }
}

/// A run of letters and digits, and what a number goes on with.
fn word<'a>(text: &'a str, out: &mut String) -> &'a str {
    if let Some(after) = after_uuid(text) {
        out.push_str("<uuid>");
        return after;
    }
    let length = text.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let (run, after) = text.split_at(length);
    let digits = run.bytes().filter(u8::is_ascii_digit).count();
    if digits == run.len() {
        out.push_str("<n>");
        return after_number(after);
    }
    let hex = |run: &str| run.bytes().all(|byte| byte.is_ascii_hexdigit());
    let prefixed = run.strip_prefix("0x").is_some_and(|rest| !rest.is_empty() && hex(rest));
    if prefixed || (digits > 0 && run.len() >= HEX && hex(run)) {
        out.push_str("<hex>");
    } else if run.len() >= HEX && switches(run) >= 2 {
        out.push_str("<id>");
    } else {
        letters(run, out);
    }
    // `1.5s` and `3ms` alike: the number was masked up to its unit.
    after
}

/// The letters of a run; each of its numbers as one.
fn letters(run: &str, out: &mut String) {
    let mut in_number = false;
    for letter in run.chars() {
        match letter.is_ascii_digit() {
            true if in_number => {}
            true => out.push_str("<n>"),
            false => out.push(letter),
        }
        in_number = letter.is_ascii_digit();
    }
}

/// How often letters and digits take turns.
fn switches(run: &str) -> usize {
    let bytes = run.as_bytes();
    bytes.windows(2).filter(|two| two[0].is_ascii_digit() != two[1].is_ascii_digit()).count()
}

/// `:8080`, `.5` and `-01-02` belong to the number before them.
fn after_number(mut text: &str) -> &str {
    loop {
        let Some(rest) = text.strip_prefix(['.', ',', ':', '-', '/']) else { return text };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return text;
        }
        text = &rest[digits..];
    }
}

fn after_uuid(text: &str) -> Option<&str> {
    let (uuid, after) = text.split_at_checked(UUID)?;
    let fits = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    let ends = !after.starts_with(|next: char| next.is_ascii_alphanumeric());
    (ends && uuid.bytes().enumerate().all(fits)).then_some(after)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_changes_is_taken_out() {
        for (text, expected) in [
            ("order 17 of \"Li\" took 1.5ms", "order <n> of \"<*>\" took <n>ms"),
            ("user 3f2504e0-4f89-11d3-9a0c-0305e82c3301 left", "user <uuid> left"),
            ("trace 0af7651916cd43dd8448eb211c80319c", "trace <hex>"),
            ("at 0x7ffe", "at <hex>"),
            ("2024-01-02 03:04:05.123 10.0.0.1:8080 down", "<n> <n> <n> down"),
            ("key k8s1a2b3c4 of v2", "key <id> of v<n>"),
            ("took 1500000ms", "took <n>ms"),
            ("库存不足: 商品 1234 剩余 0 件", "库存不足: 商品 <n> 剩余 <n> 件"),
            ("can't read 'a b' and `c`", "can't read '<*>' and `<*>`"),
            ("deadbeef decade", "deadbeef decade"),
            ("first line 1\n  at com.acme.Foo(Foo.java:12)", "first line <n>"),
            ("an open \"quote", "an open \"quote"),
            ("empty \"\"", "empty \"\""),
            ("", ""),
        ] {
            assert_eq!(pattern(text), expected, "{text}");
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let cut = pattern(&"库".repeat(2000));
        assert_eq!(cut, "库".repeat(MOST_TEXT / 3));
    }

    proptest! {
        #[test]
        fn a_pattern_has_no_digits_and_is_its_own(text in "[a-f0-9x:., '\"`/<>库\u{e9}-]{0,60}|.{0,40}") {
            let once = pattern(&text);
            prop_assert!(!once.bytes().any(|byte| byte.is_ascii_digit()), "{once}");
            prop_assert_eq!(pattern(&once), once);
        }

        #[test]
        fn numbers_do_not_matter(a in any::<u32>(), b in any::<u32>()) {
            let text = |n: u32| format!("took {n}ms for item {n}, {n} left");
            prop_assert_eq!(pattern(&text(a)), pattern(&text(b)));
        }
    }
}
