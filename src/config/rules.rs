//! What a user adds to the rules that say what spans mean.

use collector::normalise::{NameRule, Outcome, Rest, Rules, Side, TextRule};
use serde::Deserialize;
use serde::de::Error;

/// `[[outcome]]`: what an error text says of how a call ended.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct OutcomeRule {
    text: String,
    /// Not as a part of a longer word.
    #[serde(default)]
    whole_word: bool,
    #[serde(deserialize_with = "outcome")]
    outcome: Outcome,
}

/// `[[span-name]]`: what the beginning of a span's name says.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct SpanNameRule {
    prefix: String,
    protocol: String,
    /// A part of the name of the instrumentation scope.
    #[serde(default)]
    scope: String,
    #[serde(default)]
    side: NamedSide,
    #[serde(default)]
    rest: NamedRest,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum NamedSide {
    Exit,
    Entry,
    ByParent,
    #[default]
    Unsaid,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum NamedRest {
    DottedMethod,
    Topic,
    #[default]
    Opaque,
}

/// The user's rules before those that are built in; or what is wrong with one of them.
pub(super) fn rules(names: &[SpanNameRule], outcomes: &[OutcomeRule]) -> Result<Rules, String> {
    let names = names.iter().map(SpanNameRule::rule).collect();
    let texts = outcomes.iter().map(OutcomeRule::rule).collect();
    Rules::with(names, texts).map_err(|error| error.to_string())
}

impl OutcomeRule {
    fn rule(&self) -> TextRule {
        TextRule { text: self.text.clone().into(), whole_word: self.whole_word, outcome: self.outcome }
    }
}

impl SpanNameRule {
    fn rule(&self) -> NameRule {
        NameRule {
            scope: self.scope.clone().into(),
            prefix: self.prefix.clone().into(),
            protocol: self.protocol.clone().into(),
            side: match self.side {
                NamedSide::Exit => Side::Exit,
                NamedSide::Entry => Side::Entry,
                NamedSide::ByParent => Side::ByParent,
                NamedSide::Unsaid => Side::Unsaid,
            },
            rest: match self.rest {
                NamedRest::DottedMethod => Rest::DottedMethod,
                NamedRest::Topic => Rest::Topic,
                NamedRest::Opaque => Rest::Opaque,
            },
        }
    }
}

fn outcome<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Outcome, D::Error> {
    let name = String::deserialize(deserializer)?;
    Outcome::ALL.into_iter().find(|outcome| outcome.name() == name).ok_or_else(|| {
        let known = Outcome::ALL.map(Outcome::name).join(", ");
        D::Error::custom(format!("`{name}` is no outcome; there are {known}"))
    })
}
