//! Whether a body holds words or a phrase, and which words of the index say that it can.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::ops::Bound;

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

/// The body of one record. What tests need of it is made once, by the first that asks.
pub(crate) struct Body<'a> {
    sent: &'a str,
    /// Lower-cased, and whether it is ASCII.
    lower: OnceCell<(String, bool)>,
    /// Lower-cased, cut as the index does.
    words: OnceCell<BTreeSet<String>>,
}

impl<'a> Body<'a> {
    pub(crate) fn new(sent: &'a str) -> Self {
        Self { sent, lower: OnceCell::new(), words: OnceCell::new() }
    }

    pub(crate) fn sent(&self) -> &'a str {
        self.sent
    }

    fn lower(&self) -> (&str, bool) {
        let (text, ascii) = self.lower.get_or_init(|| (lower(self.sent), self.sent.is_ascii()));
        (text, *ascii)
    }

    fn words(&self) -> &BTreeSet<String> {
        self.words.get_or_init(|| runs(self.sent).map(|(_, run)| lower(run)).collect())
    }

    fn has_word_with(&self, prefix: &str) -> bool {
        let mut from = self.words().range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        from.next().is_some_and(|word| word.starts_with(prefix))
    }
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

impl Word {
    fn text(&self) -> &str {
        match self {
            Self::Whole(text) | Self::Prefix(text) | Self::Run(text) => text,
        }
    }
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

    pub(crate) fn holds(&self, body: &Body<'_>) -> bool {
        let (text, ascii) = body.lower();
        match self {
            Self::Phrase(phrase) => text.contains(phrase.as_str()),
            Self::Words(words) if ascii => words.iter().all(|word| match word {
                Word::Run(run) => text.contains(run.as_str()),
                Word::Whole(word) => occurs(text, word, true),
                Word::Prefix(word) => occurs(text, word, false),
            }),
            // Looking for the letters is quicker than cutting the body into words, and rules most bodies out.
            Self::Words(words) => {
                words.iter().all(|word| text.contains(word.text()))
                    && words.iter().all(|word| match word {
                        Word::Run(_) => true,
                        Word::Whole(word) => body.words().contains(word),
                        Word::Prefix(word) => body.has_word_with(word),
                    })
            }
        }
    }

    /// How many questions it asks of a body.
    pub(crate) fn conditions(&self) -> usize {
        match self {
            Self::Phrase(_) => 1,
            Self::Words(words) => words.len(),
        }
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

/// Most words of one phrase that are looked for in the index: more would hardly exclude another block.
const MOST_PRUNING: usize = 64;

/// Each pair of neighbours is a word of the index; one character alone is part of one.
fn run_prune(run: &str) -> Prune {
    let starts: Vec<usize> = run.char_indices().map(|(at, _)| at).chain([run.len()]).collect();
    match starts.len() {
        0..=2 => Prune::WordContaining(run.to_owned()),
        _ => every(starts.windows(3).take(MOST_PRUNING).map(|pair| Prune::word(&run[pair[0]..pair[2]]))),
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
    match every(whole.take(MOST_PRUNING)) {
        Prune::All => every(
            runs.iter().take(MOST_PRUNING).map(|(_, run)| if is_run(run) { run_prune(run) } else { containing(run) }),
        ),
        whole => whole,
    }
}
