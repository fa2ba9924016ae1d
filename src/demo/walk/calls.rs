//! Calls between services: attempts, timeouts, fallbacks, and what gets lost on the way.

use proto::otlp::messages::trace::v1::span::SpanKind;
use rand::Rng;

use super::super::attributes;
use super::super::marks::Mark;
use super::super::scenario::{
    CALLS_ARRIVE_WITH_ANOTHER_PARENT, GO_TIMEOUT, JAVA_TIMEOUT, LOST_ANSWER, NODE_TIMEOUT, PYTHON_TIMEOUT,
};
use super::super::shape::{Call, Fault, Language, Latency, Otherwise, Place};
use super::super::story::{Instance, ZONES};
use super::{BACKOFF, Cause, Draft, Here, NETWORK, Reply, Walk};

/// Of the answers between the zones that a partition is between.
const LOST_SHARE: f64 = 0.3;

impl Walk<'_> {
    /// A call with its attempts, and what the caller does when the last has failed.
    pub(super) fn call(&mut self, call: &'static Call, here: &Here, start: u64) -> Reply {
        let mut reply = self.attempt(call, here, start, 1);
        for attempt in 2..=call.attempts {
            let Some(fault) = reply.fault.filter(|fault| fault.passing) else { break };
            self.say_retry(here, call, fault, attempt, reply.end);
            let pause = self.took(BACKOFF) << (attempt - 2).min(8);
            reply = self.attempt(call, here, reply.end + pause, attempt);
        }
        match (reply.fault, call.otherwise) {
            (Some(fault), Otherwise::Fallback(name)) => {
                let end = reply.end + self.took(Latency { median: 0.4, sigma: 0.3 });
                self.work(name, here, reply.end, end);
                self.say_fallback(here, call, fault, end);
                Reply { end, fault: None }
            }
            _ => reply,
        }
    }

    fn attempt(&mut self, call: &'static Call, here: &Here, start: u64, attempt: u32) -> Reply {
        let span = self.id();
        let before = self.story.fault(Place::Before(call.to), start, &mut self.dice);
        let (reply, raised) = match before {
            Some(fault) => (Reply { end: start + self.took(NETWORK), fault: Some(fault) }, Some(fault)),
            None => self.ask_service(call, here, start, span),
        };
        let mut described = attributes::exit(call.to, reply.fault, attempt, &self.facts);
        if raised.is_some() {
            // Nothing came back that could have had a status.
            described.attributes.retain(|attribute| !attribute.key.ends_with("status_code"));
            described.error = true;
        }
        if let Some(fault) = raised {
            self.complain_of_call(here, fault, span, start, reply.end);
        }
        let draft = Draft {
            id: span,
            parent: Some(here.span),
            kind: SpanKind::Client,
            start,
            end: reply.end,
            raised,
            fault: reply.fault,
        };
        let span = self.span(draft, &mut described, here);
        self.put(here.by, described.library, span);
        reply
    }

    /// What the caller sees of the operation, and what it raises itself.
    fn ask_service(
        &mut self,
        call: &'static Call,
        here: &Here,
        start: u64,
        span: u64,
    ) -> (Reply, Option<&'static Fault>) {
        let parent = self.parent_at_callee(call, here, span);
        let sent = start + self.took(NETWORK);
        let (answer, by) = self.operation(call.to, &Cause { parent: Some(parent), ..Cause::default() }, sent);
        let end = answer.end + self.took(NETWORK);
        let patience = start + (call.timeout * 1e6) as u64;
        if end > patience {
            // The other side works on: its span ends after this one.
            let fault = timeout(here.by.service.language);
            (Reply { end: patience, fault: Some(fault) }, Some(fault))
        } else if self.is_answer_lost(here.by, by) {
            (Reply { end, fault: Some(&LOST_ANSWER) }, Some(&LOST_ANSWER))
        } else {
            (Reply { end, fault: answer.fault }, None)
        }
    }

    /// The parent that arrives with the call; of [`Mark::LostContext`] another than was sent.
    fn parent_at_callee(&mut self, call: &Call, here: &Here, span: u64) -> u64 {
        let (service, to) = CALLS_ARRIVE_WITH_ANOTHER_PARENT;
        let lost = self.story.marks.has(Mark::LostContext)
            && std::ptr::eq(here.by.service, service)
            && std::ptr::eq(call.to, to);
        if lost { self.id() } else { span }
    }

    /// Of [`Mark::ZonePartition`]: some of what the second zone answers to the first.
    fn is_answer_lost(&mut self, caller: Instance, callee: Instance) -> bool {
        self.story.marks.has(Mark::ZonePartition)
            && (caller.zone(), callee.zone()) == (ZONES[0], ZONES[1])
            && self.dice.random_bool(LOST_SHARE)
    }
}

fn timeout(language: Language) -> &'static Fault {
    match language {
        Language::Java => &JAVA_TIMEOUT,
        Language::Go | Language::Rust => &GO_TIMEOUT,
        Language::Node => &NODE_TIMEOUT,
        Language::Python | Language::DotNet => &PYTHON_TIMEOUT,
    }
}
