//! The rules that spans are read by: the user's own, then those of the table, made ready for use.

use std::borrow::Cow;

use super::table::names::SPAN_NAMES;
use super::table::outcomes::TEXTS;
use super::{Outcome, Role};

/// What the name of a span says where a framework says it nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRule {
    /// A part of the name of the instrumentation scope; empty for any.
    pub scope: Cow<'static, str>,
    /// How the span's name begins.
    pub prefix: Cow<'static, str>,
    pub protocol: Cow<'static, str>,
    /// For spans whose kind says neither.
    pub side: Side,
    pub rest: Rest,
}

/// Which side of a call the spans of a name are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Exit,
    Entry,
    /// The name is used on both sides: under a parent that is known to be local it is an exit.
    ByParent,
    Unsaid,
}

/// What follows the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// `Service.Method`; the service may have dots.
    DottedMethod,
    /// `group_package.Service.method(types)`.
    MotanMethod,
    Topic,
    Opaque,
}

/// What an error text says: exception and error types, their messages, the status message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextRule {
    /// Looked for as written, upper and lower case told apart.
    pub text: Cow<'static, str>,
    /// Only as a whole word, so that `FlowException` is not found in `WorkFlowException`.
    pub whole_word: bool,
    pub outcome: Outcome,
}

/// A rule that can say nothing, or says it of too much.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    #[error("the text `{0}` is too short: it would be found in nearly every message")]
    ShortText(String),
    #[error("a rule for names of spans needs a prefix")]
    NoPrefix,
    #[error("the rule for spans that begin with `{0}` names no protocol")]
    NoProtocol(String),
    #[error("there are {0} rules for texts, more than the {MAX_TEXTS} that are looked up")]
    TooMany(usize),
}

/// Rules for texts, the table's own included.
pub const MAX_TEXTS: usize = 4096;

/// Bytes of the shortest text of a rule: two of them choose the bucket.
const SHORTEST_TEXT: usize = 2;

const BUCKETS: usize = 1024;

/// Made once, at the start: names by their first byte and texts by their first two, so that more rules
/// cost a span no more time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// By the first byte of their prefix: of two that begin unlike, no span has both.
    names: Vec<NameRule>,
    /// Where the names of each first byte begin, and where the last ones end.
    name_bounds: Vec<usize>,
    texts: Vec<TextRule>,
    /// Numbers of text rules, bucket by bucket, ascending in each.
    by_bucket: Vec<u16>,
    /// Where each bucket begins, and where the last one ends.
    bounds: Vec<usize>,
}

impl Default for Rules {
    fn default() -> Self {
        Self::sorted(SPAN_NAMES.to_vec(), TEXTS.to_vec())
    }
}

impl Rules {
    /// Rules of the user, which come before those of the table.
    pub fn with(mut names: Vec<NameRule>, mut texts: Vec<TextRule>) -> Result<Self, BadRule> {
        for rule in &names {
            if rule.prefix.is_empty() {
                return Err(BadRule::NoPrefix);
            }
            if rule.protocol.is_empty() {
                return Err(BadRule::NoProtocol(rule.prefix.clone().into_owned()));
            }
        }
        if let Some(short) = texts.iter().find(|rule| rule.text.trim().len() < SHORTEST_TEXT) {
            return Err(BadRule::ShortText(short.text.clone().into_owned()));
        }
        names.extend_from_slice(SPAN_NAMES);
        texts.extend_from_slice(TEXTS);
        if texts.len() > MAX_TEXTS {
            return Err(BadRule::TooMany(texts.len()));
        }
        Ok(Self::sorted(names, texts))
    }

    /// `texts` are at most [`MAX_TEXTS`], none shorter than [`SHORTEST_TEXT`]. Sorting is stable: in each
    /// bucket the order of the rules remains.
    fn sorted(mut names: Vec<NameRule>, texts: Vec<TextRule>) -> Self {
        let first_byte = |rule: &NameRule| usize::from(rule.prefix.bytes().next().unwrap_or_default());
        names.sort_by_key(first_byte);
        let name_bounds = bounds(256, names.iter().map(first_byte));
        let bucket_of = |rule: &TextRule| match *rule.text.as_bytes() {
            [first, second, ..] => bucket(first, second),
            _ => 0,
        };
        let mut by_bucket: Vec<u16> = (0..texts.len() as u16).collect();
        by_bucket.sort_by_key(|&rule| bucket_of(&texts[usize::from(rule)]));
        let bounds = bounds(BUCKETS, texts.iter().map(bucket_of));
        Self { names, name_bounds, texts, by_bucket, bounds }
    }

    pub(super) fn name(&self, span: &str, scope: &str) -> Option<&NameRule> {
        let first = usize::from(*span.as_bytes().first()?);
        let rules = &self.names[self.name_bounds[first]..self.name_bounds[first + 1]];
        rules.iter().find(|rule| span.starts_with(&*rule.prefix) && scope.contains(&*rule.scope))
    }

    /// The first rule, in their order, that is found in any of the texts.
    pub(super) fn outcome<'t>(&self, texts: impl Iterator<Item = &'t str>) -> Option<Outcome> {
        let found = texts.fold(self.texts.len(), |best, text| self.first_in(text, best));
        self.texts.get(found).map(|rule| rule.outcome)
    }

    /// The number of the first rule before `best` that is found in the text, else `best`.
    fn first_in(&self, text: &str, mut best: usize) -> usize {
        for (at, pair) in text.as_bytes().windows(2).enumerate() {
            let bucket = bucket(pair[0], pair[1]);
            for &rule in &self.by_bucket[self.bounds[bucket]..self.bounds[bucket + 1]] {
                let number = usize::from(rule);
                if number >= best {
                    break;
                }
                if self.texts[number].is_at(text, at) {
                    best = number;
                }
            }
        }
        best
    }
}

/// Where each of `buckets` begins when its members stand in a row, and where the last one ends.
fn bounds(buckets: usize, members: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut bounds = vec![0; buckets + 1];
    members.for_each(|bucket| bounds[bucket + 1] += 1);
    for at in 1..bounds.len() {
        bounds[at] += bounds[at - 1];
    }
    bounds
}

const fn bucket(first: u8, second: u8) -> usize {
    (first as usize * 37 + second as usize) % BUCKETS
}

impl TextRule {
    fn is_at(&self, text: &str, at: usize) -> bool {
        let end = at + self.text.len();
        let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
        text.as_bytes()[at..].starts_with(self.text.as_bytes())
            && !(self.whole_word && (text[..at].ends_with(part_of_word) || text[end..].starts_with(part_of_word)))
    }
}

impl NameRule {
    /// What follows the prefix.
    pub(super) fn rest<'s>(&self, span: &'s str) -> Option<&'s str> {
        span.strip_prefix(&*self.prefix).filter(|rest| !rest.is_empty())
    }

    /// Service and method, where the name has them.
    pub(super) fn method<'s>(&self, span: &'s str) -> Option<(&'s str, &'s str)> {
        let rest = self.rest(span)?;
        let (service, method) = match self.rest {
            // gRPC writes the slashes of `/package.Service/Method` as dots, the leading one too
            Rest::DottedMethod => rest.trim_start_matches('.').rsplit_once('.')?,
            Rest::MotanMethod => {
                let (path, method) = rest.split('(').next()?.rsplit_once('.')?;
                // The group may have underscores, the package has none as a rule.
                (path.rsplit_once('_').map_or(path, |(_, service)| service), method)
            }
            Rest::Topic | Rest::Opaque => return None,
        };
        (!service.is_empty() && !method.is_empty()).then_some((service, method))
    }
}

impl Side {
    pub(super) fn role(self) -> Option<Role> {
        match self {
            Side::Exit => Some(Role::Exit),
            Side::Entry => Some(Role::Entry),
            Side::ByParent | Side::Unsaid => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &'static str, whole_word: bool, outcome: Outcome) -> TextRule {
        TextRule { text: text.into(), whole_word, outcome }
    }

    fn found(rules: &Rules, texts: &[&str]) -> Option<Outcome> {
        rules.outcome(texts.iter().copied())
    }

    #[test]
    fn every_text_of_the_table_finds_itself_or_an_earlier_one() {
        let rules = Rules::default();
        for (number, rule) in TEXTS.iter().enumerate() {
            assert!(rule.text.len() >= SHORTEST_TEXT);
            let within = format!("before: {} (after)", rule.text);
            let first = rules.first_in(&within, TEXTS.len());
            assert!(first <= number, "{} is not found", rule.text);
            let plain = |other: &TextRule| within.contains(&*other.text);
            assert!(plain(&TEXTS[first]), "{} is not in {within}", TEXTS[first].text);
        }
    }

    #[test]
    fn no_rule_of_the_table_hides_a_later_one() {
        for (number, rule) in TEXTS.iter().enumerate() {
            let hides = |earlier: &&TextRule| rule.text.contains(&*earlier.text) && !earlier.whole_word;
            let hidden = TEXTS[..number].iter().find(hides);
            assert_eq!(hidden, None, "nothing can reach the rule for {}", rule.text);
        }
        for (number, rule) in SPAN_NAMES.iter().enumerate() {
            let hides = |earlier: &&NameRule| rule.prefix.starts_with(&*earlier.prefix) && earlier.scope.is_empty();
            assert_eq!(SPAN_NAMES[..number].iter().find(hides), None, "nothing can reach {}", rule.prefix);
        }
    }

    #[test]
    fn the_order_of_rules_decides_not_that_of_texts() {
        let rules = Rules::default();
        assert_eq!(found(&rules, &["timed out", "short-circuited and failed"]), Some(Outcome::BreakerOpen));
        assert_eq!(found(&rules, &["short-circuited and failed", "timed out"]), Some(Outcome::BreakerOpen));
        assert_eq!(found(&rules, &["", "x", "nothing of the kind"]), None);
    }

    #[test]
    fn words_end_where_letters_do() {
        let rules = Rules::with(Vec::new(), vec![text("限流", true, Outcome::Limited)]).expect("rules");
        for (said, outcome) in [
            ("限流", Some(Outcome::Limited)),
            ("库存: 限流!", Some(Outcome::Limited)),
            ("已限流", None),
            ("限流中", None),
            ("已限流, 限流", Some(Outcome::Limited)),
        ] {
            assert_eq!(found(&rules, &[said]), outcome, "{said}");
        }
    }

    #[test]
    fn the_user_comes_first() {
        let ours = NameRule {
            scope: "acme".into(),
            prefix: "rpcx.client.".into(),
            protocol: "acme".into(),
            side: Side::Exit,
            rest: Rest::Opaque,
        };
        let rules = Rules::with(vec![ours], vec![text("timed out", false, Outcome::Shed)]).expect("rules");
        assert_eq!(found(&rules, &["the read timed out"]), Some(Outcome::Shed));
        let protocol = |scope| rules.name("rpcx.client.A.B", scope).map(|rule| &*rule.protocol);
        assert_eq!((protocol("the acme library"), protocol("")), (Some("acme"), Some("rpcx")));
    }

    #[test]
    fn rules_that_say_nothing_are_refused() {
        let with_text = |said| Rules::with(Vec::new(), vec![text(said, false, Outcome::Shed)]).err();
        for short in ["", "x", " \t "] {
            assert_eq!(with_text(short), Some(BadRule::ShortText(short.to_owned())));
        }
        assert_eq!(with_text("限"), None);
        let name = |prefix: &'static str, protocol: &'static str| NameRule {
            scope: "".into(),
            prefix: prefix.into(),
            protocol: protocol.into(),
            side: Side::Unsaid,
            rest: Rest::Opaque,
        };
        assert_eq!(Rules::with(vec![name("", "p")], Vec::new()).err(), Some(BadRule::NoPrefix));
        assert_eq!(Rules::with(vec![name("a.", "")], Vec::new()).err(), Some(BadRule::NoProtocol("a.".into())));
        let many = vec![text("some text", false, Outcome::Shed); MAX_TEXTS];
        assert_eq!(Rules::with(Vec::new(), many).err(), Some(BadRule::TooMany(MAX_TEXTS + TEXTS.len())));
    }
}
