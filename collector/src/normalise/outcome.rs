//! How a span ended: the first rule that speaks decides, the most telling evidence first.

use super::rules::Rules;
use super::table::outcomes::{ENVOY_FLAGS, HTTP_CODES, LET_THROUGH, NAME_SUFFIXES, RPC_CODES};
use super::{Facts, Outcome, Slot, Subject};

const STATUS_OK: i32 = 1;
pub const STATUS_ERROR: i32 = 2;

/// Bytes of a text that are looked at: messages say what happened before they show a stack.
const TEXT_BYTES: usize = 4096;

/// What a framework says of itself (Hystrix tags, Envoy flags) stands above the name of the span, which
/// speaks for spans that did not fail; then come exceptions and messages, protocol codes, the span's status.
/// An explicit status OK silences exceptions: the application has handled them.
pub(super) fn outcome(span: &Subject<'_>, facts: &Facts<'_>, rules: &Rules) -> Outcome {
    let error = span.status_code == STATUS_ERROR;
    let named = || if error { None } else { from_name(span.name) };
    if !error && facts.is_empty() && facts.exceptions().is_empty() {
        return named().unwrap_or(Outcome::Ok);
    }
    from_tags(span, facts)
        .or_else(named)
        .or_else(|| if span.status_code == STATUS_OK { None } else { from_texts(span, facts, rules) })
        .or_else(|| from_codes(facts))
        .unwrap_or(if error || is_error(span, facts) { Outcome::Error } else { Outcome::Ok })
}

fn from_tags(span: &Subject<'_>, facts: &Facts<'_>) -> Option<Outcome> {
    if facts.is_true(Slot::CircuitOpen) && !span.name.ends_with(LET_THROUGH) {
        return Some(Outcome::BreakerOpen);
    }
    let flags = facts.text(Slot::ResponseFlags)?;
    ENVOY_FLAGS.iter().find(|(flag, _)| flags.split(',').any(|sent| sent.trim() == *flag)).map(|(_, outcome)| *outcome)
}

fn from_name(name: &str) -> Option<Outcome> {
    NAME_SUFFIXES.iter().find(|(suffix, _)| name.ends_with(suffix)).map(|(_, outcome)| *outcome)
}

fn from_texts(span: &Subject<'_>, facts: &Facts<'_>, rules: &Rules) -> Option<Outcome> {
    let message = (span.status_code == STATUS_ERROR).then_some(span.status_message);
    let exception = if facts.has(Slot::Url) { facts.text(Slot::PlainException) } else { None };
    let said =
        [facts.text(Slot::ErrorType), facts.text(Slot::ErrorMessage), facts.text(Slot::Error), exception, message];
    let texts = said.into_iter().flatten().chain(facts.exceptions().iter().copied());
    rules.outcome(texts.map(head))
}

fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES)]
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
        let status = facts.http_status()?;
        HTTP_CODES.iter().find(|(code, _)| *code == status).map(|(_, outcome)| *outcome)
    })
}

/// Whether the span failed although its status does not say so: a tag or an event says it, or the status
/// is unset beside an HTTP 5xx.
fn is_error(span: &Subject<'_>, facts: &Facts<'_>) -> bool {
    span.status_code != STATUS_OK
        && (facts.say_failed() || facts.http_status().is_some_and(|code| (500..600).contains(&code)))
}
