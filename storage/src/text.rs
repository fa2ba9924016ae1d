//! How text becomes words: the same for the index and for the reader who checks a hit.
//!
//! A run of letters and digits is a word, lower-cased; every other character separates. Chinese,
//! Japanese and Korean runs have no spaces, so each pair of neighbours is a word, and the last
//! character of a run one more: `数据库` gives `数据`, `据库`, `库`. Then any part of a sentence of
//! two characters or more is found through its pairs, and a single one as the beginning of a word.

/// Longest word kept, bytes of UTF-8. A longer one is cut, and [`LONG_WORD`] is added for it.
pub const MAX_WORD_BYTES: usize = 96;

/// Stands in a block that holds a cut word: what is asked for may lie in the part cut off.
pub const LONG_WORD: &str = "\u{1}long";

/// Calls `word` with every word of `text`, in order. A cut word comes cut, then as [`LONG_WORD`].
pub fn for_each_word(text: &str, mut word: impl FnMut(&str)) {
    let mut lowered = String::new();
    let mut rest = text;
    while let Some(from) = rest.find(char::is_alphanumeric) {
        rest = &rest[from..];
        let cjk = rest.chars().next().is_some_and(is_cjk);
        let end = rest.find(|c: char| !c.is_alphanumeric() || is_cjk(c) != cjk).unwrap_or(rest.len());
        let run = &rest[..end];
        rest = &rest[end..];
        if cjk {
            pairs(run, &mut word);
            continue;
        }
        lowered.clear();
        lowered.extend(run.chars().flat_map(char::to_lowercase));
        if lowered.len() <= MAX_WORD_BYTES {
            word(&lowered);
        } else {
            word(&lowered[..lowered.floor_char_boundary(MAX_WORD_BYTES)]);
            word(LONG_WORD);
        }
    }
}

/// The words of `text`, in order.
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for_each_word(text, |word| words.push(word.to_owned()));
    words
}

/// Characters of scripts written without spaces (Unicode blocks of Han, kana and Hangul).
pub fn is_cjk(c: char) -> bool {
    matches!(u32::from(c),
        0x2E80..=0x2FDF | 0x3005..=0x3007 | 0x3040..=0x30FF | 0x3100..=0x312F | 0x31A0..=0x31BF | 0x31F0..=0x31FF
        | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xA960..=0xA97F | 0xAC00..=0xD7FF | 0xF900..=0xFAFF
        | 0x1100..=0x11FF | 0x20000..=0x323AF)
}

fn pairs(run: &str, word: &mut impl FnMut(&str)) {
    let mut starts = run.char_indices().map(|(at, _)| at).peekable();
    while let Some(at) = starts.next() {
        let end = starts.peek().map_or(run.len(), |next| next + run[*next..].chars().next().map_or(0, char::len_utf8));
        word(&run[at..end]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin_words_are_runs_in_lower_case() {
        assert_eq!(words("WARN 10.10.34.11: Blk_1 Größe"), ["warn", "10", "10", "34", "11", "blk", "1", "größe"]);
        assert!(words(" ,;— ").is_empty());
    }

    #[test]
    fn chinese_is_found_inside_a_sentence() {
        assert_eq!(
            words("正在创建ODPS临时表成功"),
            ["正在", "在创", "创建", "建", "odps", "临时", "时表", "表成", "成功", "功"]
        );
        assert_eq!(words("库"), ["库"]);
    }

    #[test]
    fn a_long_word_is_cut_and_marked() {
        let long = "é".repeat(80);
        assert_eq!(words(&long), ["é".repeat(48).as_str(), LONG_WORD]);
    }
}
