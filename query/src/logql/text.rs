//! Whether a body holds words or a phrase, and which words of the index say that it can.

use storage::terms::Prune;
use storage::text::{LONG_WORD, MAX_WORD_BYTES, for_each_word, is_cjk};

use crate::filter::prune::{any, every};

/// A test of a body, in any case of letters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TextTest {
    /// It occurs as it stands.
    Phrase(String),
    /// All of these occur, in any order.
    Words(Vec<Word>),
}

/// Lower-cased.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Word {
    /// A whole word.
    Whole(String),
    /// The beginning of a word.
    Prefix(String),
    /// A run of Chinese, Japanese or Korean: as it stands.
    Run(String),
}

impl TextTest {
    pub(crate) fn phrase(text: &str) -> Self {
        Self::Phrase(lower(text))
    }

    /// Words of one term; `prefix`: the last one only begins a word. A term without letters or digits
    /// is a phrase.
    pub(crate) fn words(term: &str, prefix: bool) -> Self {
        let mut words = Vec::new();
        let mut last = 0;
        for (from, run) in runs(term) {
            last = from + run.len();
            let cjk = run.chars().next().is_some_and(is_cjk);
            words.push(if cjk { Word::Run(lower(run)) } else { Word::Whole(lower(run)) });
        }
        if prefix
            && last == term.len()
            && let Some(word) = words.last_mut()
            && let Word::Whole(text) = word
        {
            *word = Word::Prefix(std::mem::take(text));
        }
        if words.is_empty() { Self::phrase(term) } else { Self::Words(words) }
    }

    pub(crate) fn holds(&self, body: &str) -> bool {
        if body.is_ascii() {
            return self.holds_in(&body.to_ascii_lowercase(), true);
        }
        self.holds_in(&lower(body), false) && self.words_hold(body)
    }

    /// In a lower-cased body. Words of ASCII are decided; others are only looked for.
    fn holds_in(&self, body: &str, ascii: bool) -> bool {
        match self {
            Self::Phrase(phrase) => body.contains(phrase.as_str()),
            Self::Words(words) => words.iter().all(|word| match word {
                Word::Run(run) => body.contains(run.as_str()),
                Word::Whole(word) if ascii => occurs(body, word, true),
                Word::Prefix(word) if ascii => occurs(body, word, false),
                Word::Whole(word) | Word::Prefix(word) => body.contains(word.as_str()),
            }),
        }
    }

    /// Decides words in a body as sent, cut into words as the index does.
    fn words_hold(&self, body: &str) -> bool {
        let Self::Words(words) = self else { return true };
        let mut missing: Vec<&Word> = words.iter().filter(|word| !matches!(word, Word::Run(_))).collect();
        if missing.is_empty() {
            return true;
        }
        for (_, run) in runs(body) {
            let run = lower(run);
            missing.retain(|word| match word {
                Word::Whole(word) => run != *word,
                Word::Prefix(word) => !run.starts_with(word.as_str()),
                Word::Run(_) => false,
            });
            if missing.is_empty() {
                return true;
            }
        }
        false
    }

    /// Blocks in which it can hold.
    pub(crate) fn prune(&self) -> Prune {
        match self {
            Self::Phrase(phrase) => phrase_prune(phrase),
            Self::Words(words) => every(words.iter().map(|word| match word {
                Word::Whole(word) => whole_prune(word),
                Word::Prefix(word) => containing(word),
                Word::Run(run) => run_prune(run),
            })),
        }
    }
}

/// Character by character, as the index does.
fn lower(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.chars().flat_map(char::to_lowercase).collect() }
}

/// Runs of letters and digits, Chinese apart from Latin, with their positions.
fn runs(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let from = at + text[at..].find(char::is_alphanumeric)?;
        let rest = &text[from..];
        let cjk = rest.chars().next().is_some_and(is_cjk);
        let length = rest.find(|c: char| !c.is_alphanumeric() || is_cjk(c) != cjk).unwrap_or(rest.len());
        at = from + length;
        Some((from, &rest[..length]))
    })
}

/// Whether a word of an ASCII body is, or begins with, `word`.
fn occurs(body: &str, word: &str, whole: bool) -> bool {
    let bytes = body.as_bytes();
    let is_of_word = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
    body.match_indices(word).any(|(at, _)| {
        let begins = at == 0 || !is_of_word(at - 1);
        begins && (!whole || !is_of_word(at + word.len()))
    })
}

/// One character whose lower case is two, which the index cuts elsewhere than we would.
fn is_irregular(text: &str) -> bool {
    text.contains(['\u{130}', '\u{307}'])
}

fn whole_prune(word: &str) -> Prune {
    if is_irregular(word) {
        return Prune::All;
    }
    let mut terms = Vec::new();
    for_each_word(word, |word| terms.push(Prune::word(word)));
    every(terms.into_iter())
}

/// Blocks with a word that contains this, or one too long to be kept whole.
fn containing(part: &str) -> Prune {
    if is_irregular(part) {
        return Prune::All;
    }
    let shown = &part[..part.floor_char_boundary(MAX_WORD_BYTES)];
    any([Prune::WordContaining(shown.to_owned()), Prune::word(LONG_WORD)].into_iter())
}

/// Each pair of neighbours is a word of the index; one character alone is part of one.
fn run_prune(run: &str) -> Prune {
    let starts: Vec<usize> = run.char_indices().map(|(at, _)| at).chain([run.len()]).collect();
    match starts.len() {
        0..=2 => Prune::WordContaining(run.to_owned()),
        _ => every(starts.windows(3).map(|pair| Prune::word(&run[pair[0]..pair[2]]))),
    }
}

/// Words that the phrase shows whole must be there. Where it shows none, parts of words must.
fn phrase_prune(phrase: &str) -> Prune {
    if is_irregular(phrase) {
        return Prune::All;
    }
    let runs: Vec<(usize, &str)> = runs(phrase).collect();
    let is_run = |run: &str| run.chars().next().is_some_and(is_cjk);
    let whole = runs.iter().filter_map(|(from, run)| {
        let inside = *from > 0 && from + run.len() < phrase.len();
        match is_run(run) {
            true if run.chars().count() > 1 => Some(run_prune(run)),
            false if inside => Some(whole_prune(run)),
            _ => None,
        }
    });
    match every(whole) {
        Prune::All => every(runs.iter().map(|(_, run)| if is_run(run) { run_prune(run) } else { containing(run) })),
        whole => whole,
    }
}
