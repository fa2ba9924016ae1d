//! How a span ended: the first rule that speaks decides, the most telling evidence first.

use super::table::{ENVOY_FLAGS, HTTP_CODES, NAME_SUFFIXES, RPC_CODES, TEXTS, Text};
use super::{Facts, Outcome, Slot, Subject};

const STATUS_OK: i32 = 1;
const STATUS_ERROR: i32 = 2;

/// Bytes of a text that are looked at: messages say what happened before they show a stack.
const TEXT_BYTES: usize = 4096;

/// What a framework says of itself (Hystrix tags, Envoy flags) stands above exceptions and messages,
/// those above protocol codes, those above the span's status. An explicit status OK silences exceptions:
/// the application has handled them.
pub(super) fn outcome(span: &Subject<'_>, facts: &Facts<'_>) -> Outcome {
    if let Some((_, outcome)) = NAME_SUFFIXES.iter().find(|(suffix, _)| span.name.ends_with(suffix)) {
        return *outcome;
    }
    let error = span.status_code == STATUS_ERROR;
    if !error && facts.is_empty() && facts.exceptions().is_empty() {
        return Outcome::Ok;
    }
    from_tags(facts)
        .or_else(|| if span.status_code == STATUS_OK { None } else { from_texts(span, facts) })
        .or_else(|| from_codes(facts))
        .unwrap_or(if error || is_error(span, facts) { Outcome::Error } else { Outcome::Ok })
}

fn from_tags(facts: &Facts<'_>) -> Option<Outcome> {
    if facts.is_true(Slot::CircuitOpen) {
        return Some(Outcome::BreakerOpen);
    }
    let flags = facts.text(Slot::ResponseFlags)?;
    ENVOY_FLAGS.iter().find(|(flag, _)| flags.split(',').any(|sent| sent.trim() == *flag)).map(|(_, outcome)| *outcome)
}

fn from_texts(span: &Subject<'_>, facts: &Facts<'_>) -> Option<Outcome> {
    let message = if span.status_code == STATUS_ERROR { span.status_message } else { "" };
    let said = [facts.text(Slot::ErrorType), facts.text(Slot::ErrorMessage), facts.text(Slot::Error), Some(message)];
    let texts = said.into_iter().flatten().chain(facts.exceptions().iter().copied());
    let texts: Vec<&str> = texts.filter(|text| !text.is_empty()).map(head).collect();
    if texts.is_empty() {
        return None;
    }
    TEXTS.iter().find(|rule| texts.iter().any(|text| rule.text.is_in(text))).map(|rule| rule.outcome)
}

fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES)]
}

impl Text {
    fn is_in(&self, text: &str) -> bool {
        match self {
            Text::Phrase(phrase) => text.contains(phrase),
            Text::Word(word) => text.match_indices(word).any(|(at, _)| {
                let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
                !text[..at].ends_with(part_of_word) && !text[at + word.len()..].starts_with(part_of_word)
            }),
        }
    }
}

fn from_codes(facts: &Facts<'_>) -> Option<Outcome> {
    let rpc = facts.get(Slot::RpcStatus).and_then(|_| {
        let number = facts.int(Slot::RpcStatus);
        let name = facts.text(Slot::RpcStatus);
        RPC_CODES
            .iter()
            .find(|(code, known, _)| number == Some(*code) || name.is_some_and(|name| name.eq_ignore_ascii_case(known)))
            .map(|(_, _, outcome)| *outcome)
    });
    rpc.or_else(|| {
        let status = facts.int(Slot::HttpStatus)?;
        HTTP_CODES.iter().find(|(code, _)| *code == status).map(|(_, outcome)| *outcome)
    })
}

/// Whether the span failed although its status does not say so: OpenTracing's `error` tag, or an HTTP
/// 5xx where the status is unset.
fn is_error(span: &Subject<'_>, facts: &Facts<'_>) -> bool {
    span.status_code != STATUS_OK
        && (facts.is_true(Slot::Error) || facts.int(Slot::HttpStatus).is_some_and(|code| (500..600).contains(&code)))
}
