//! Walks the call graph once for each trace and writes down what every service would have sent.

use proto::otlp::make::{int, text};
use proto::otlp::messages::common::v1::KeyValue;
use proto::otlp::messages::logs::v1::LogRecord;
use proto::otlp::messages::trace::v1::span::{Event, Link, SpanKind};
use proto::otlp::messages::trace::v1::status::StatusCode;
use proto::otlp::messages::trace::v1::{Span, Status};
use rand::Rng;
use rand::rngs::SmallRng;

use super::attributes::{self, Described};
use super::facts::Facts;
use super::marks::{Mark, Marks};
use super::scenario::FLOWS;
use super::shape::{Effect, Entry, Fault, Language, Latency, Operation, Outside, Place, Query, Step, Topic, When};
use super::stack::stack;
use super::story::{Instance, Story};

mod calls;
mod logs;

/// Everything that came of one request to the shop.
#[derive(Default)]
pub(super) struct Trace {
    pub(super) spans: Vec<Made<Span>>,
    pub(super) logs: Vec<Made<LogRecord>>,
    /// 1, and one for each message that was handled in a trace of its own.
    pub(super) traces: u64,
    /// The last end of a span, ns since the epoch.
    pub(super) end_ns: u64,
}

/// A row, and who sends it.
pub(super) struct Made<T> {
    pub(super) by: Instance,
    /// Instrumentation library; see [`attributes::scope`].
    pub(super) library: &'static str,
    pub(super) row: T,
}

/// Makes trace `number` of the story, the same every time.
pub(super) fn trace(story: &Story, number: u64, start_ns: u64) -> Trace {
    let mut dice = story.dice(number);
    let facts = Facts::new(&mut dice);
    let trace_id = dice.random::<u128>().max(1);
    let flow = flow(story.marks, &mut dice);
    let mut walk = Walk { story, dice, facts, trace_id, out: Trace { traces: 1, ..Trace::default() } };
    walk.operation(flow, &Cause::default(), start_ns);
    walk.out
}

fn flow(marks: Marks, dice: &mut SmallRng) -> &'static Operation {
    let flows = || FLOWS.iter().filter(|flow| marks.has(flow.mark));
    let all: u32 = flows().map(|flow| flow.weight).sum();
    let mut left = dice.random_range(0..all);
    let chosen = flows().find(|flow| match left.checked_sub(flow.weight) {
        Some(rest) => {
            left = rest;
            false
        }
        None => true,
    });
    chosen.expect("the throw is below the sum of the weights").operation
}

/// 99.5 of 100 times are ordinary; the others are this many times longer. The healthy shop has none of these.
const OUTLIER_SHARE: f64 = 0.005;
const OUTLIER_TIMES: std::ops::Range<f64> = 6.0..25.0;
/// How much of the spread is left in the healthy shop.
const CALM: f64 = 0.5;
/// One way through the network, ms.
const NETWORK: Latency = Latency { median: 0.28, sigma: 0.4 };
/// How long a message waits, ms.
const QUEUE: Latency = Latency { median: 18.0, sigma: 0.8 };
/// Between attempts, ms, doubled each time.
const BACKOFF: Latency = Latency { median: 40.0, sigma: 0.2 };

struct Walk<'a> {
    story: &'a Story,
    dice: SmallRng,
    facts: Facts,
    trace_id: u128,
    out: Trace,
}

/// Why an operation runs.
#[derive(Default)]
struct Cause {
    parent: Option<u64>,
    /// Trace and span, where the trace is not the producer's.
    link: Option<(u128, u64)>,
    topic: Option<&'static Topic>,
}

/// The span that now does something.
struct Here {
    operation: &'static Operation,
    by: Instance,
    span: u64,
}

/// When something was over, and how it went.
#[derive(Clone, Copy)]
struct Reply {
    end: u64,
    fault: Option<&'static Fault>,
}

/// A span about to be written.
struct Draft {
    id: u64,
    parent: Option<u64>,
    kind: SpanKind,
    start: u64,
    end: u64,
    /// Raised here, and not only passed on.
    raised: Option<&'static Fault>,
    /// Raised here or by who was asked.
    fault: Option<&'static Fault>,
}

impl Walk<'_> {
    /// How it went, and at which instance.
    fn operation(&mut self, operation: &'static Operation, cause: &Cause, start: u64) -> (Reply, Instance) {
        let number = self.dice.random_range(0..self.story.instances(operation.service));
        let by = self.story.instance(operation.service, number, start);
        let here = Here { operation, by, span: self.id() };
        let place = Place::In(operation);
        let slowness = self.story.slowness(place, start, &mut self.dice);
        let own = (self.took(operation.own) as f64 * slowness) as u64;
        let first = self.dice.random_range(0.3..0.7);
        let begun = start + (own as f64 * first) as u64;
        self.say(&here, When::Begins, start + own / 10);
        let raised =
            self.story.fault(place, start, &mut self.dice).or_else(|| self.story.trouble(by, start, &mut self.dice));
        let worked = match raised {
            Some(fault) => Reply { end: begun, fault: Some(fault) },
            None => self.steps(operation.steps, &here, begun),
        };
        let end = worked.end + (own as f64 * (1.0 - first)) as u64;
        match raised {
            Some(fault) => self.complain(&here, fault, end),
            None if worked.fault.is_none() => self.say(&here, When::Succeeds, end - (own / 20).min(end - worked.end)),
            None => {}
        }
        self.write_entry(&here, cause, start, Reply { end, fault: worked.fault }, raised);
        (Reply { end, fault: worked.fault }, by)
    }

    fn write_entry(&mut self, here: &Here, cause: &Cause, start: u64, reply: Reply, raised: Option<&'static Fault>) {
        let kind = match here.operation.entry {
            Entry::Message | Entry::Linked => SpanKind::Consumer,
            Entry::Job { .. } => SpanKind::Internal,
            _ => SpanKind::Server,
        };
        let mut described = attributes::entry(here.operation, here.by, reply.fault, &self.facts);
        described.attributes.extend(self.extras(here, start));
        if let Some(topic) = cause.topic {
            let (name, attributes) = self.message(topic, "process");
            described.name = name;
            described.attributes.extend(attributes);
            let group = text("messaging.consumer.group.name", here.by.service.name);
            described.attributes.push(group);
        }
        let draft =
            Draft { id: here.span, parent: cause.parent, kind, start, end: reply.end, raised, fault: reply.fault };
        let mut span = self.span(draft, &mut described, here);
        span.links.extend(cause.link.map(|(trace_id, span_id)| Link {
            trace_id: trace_id.to_be_bytes().to_vec(),
            span_id: span_id.to_be_bytes().to_vec(),
            ..Default::default()
        }));
        self.put(here.by, described.library, span);
    }

    /// What faults have the operation say beside its own: logs the lines, returns the attributes.
    fn extras(&mut self, here: &Here, start: u64) -> Vec<KeyValue> {
        let mut attributes = Vec::new();
        // A copy of the dice: an everyday, which has no such effects, throws none for them.
        let effects: Vec<_> = self.story.effects(Place::In(here.operation), start, &mut self.dice.clone()).collect();
        for effect in effects {
            match effect {
                Effect::Say(line) => self.say_line(here, line, start),
                Effect::Tell(key, value) => attributes.push(text(key, *value)),
                Effect::Slow(_) | Effect::Fail(_) => {}
            }
        }
        attributes
    }

    fn steps(&mut self, steps: &'static [Step], here: &Here, start: u64) -> Reply {
        let mut reply = Reply { end: start, fault: None };
        for step in steps {
            reply = self.step(step, here, reply.end);
            if reply.fault.is_some() {
                break;
            }
        }
        reply
    }

    fn step(&mut self, step: &'static Step, here: &Here, start: u64) -> Reply {
        match step {
            Step::Call(call) => self.call(call, here, start),
            Step::Ask(query) => self.ask(query, here, start),
            Step::Outside(outside) => self.outside(outside, here, start),
            Step::Publish(topic) => self.publish(topic, here, start),
            Step::Work(name, latency) => {
                let end = start + self.took(*latency);
                self.work(name, here, start, end);
                Reply { end, fault: None }
            }
            Step::Together(steps) => steps.iter().fold(Reply { end: start, fault: None }, |all, step| {
                let one = self.step(step, here, start);
                Reply { end: all.end.max(one.end), fault: all.fault.or(one.fault) }
            }),
            Step::Times(from, to, step) => {
                let times = self.dice.random_range(*from..=*to);
                (0..times).fold(Reply { end: start, fault: None }, |so_far, _| match so_far.fault {
                    None => self.step(step, here, so_far.end),
                    Some(_) => so_far,
                })
            }
            Step::Sometimes(share, step) if self.dice.random_bool(*share) => self.step(step, here, start),
            Step::With(marks, step) if self.story.marks.any(marks) => self.step(step, here, start),
            Step::Sometimes(..) | Step::With(..) => Reply { end: start, fault: None },
            Step::Either(marks, first, second) => {
                let step = if self.story.marks.any(marks) { first } else { second };
                self.step(step, here, start)
            }
        }
    }

    fn ask(&mut self, query: &'static Query, here: &Here, start: u64) -> Reply {
        let place = Place::At(query);
        let slowness = self.story.slowness(place, start, &mut self.dice);
        let end = start + (self.took(query.took) as f64 * slowness) as u64;
        let fault = self.story.fault(place, start, &mut self.dice);
        let described = attributes::query(query, fault);
        self.exit(described, here, start, Reply { end, fault })
    }

    fn outside(&mut self, outside: &'static Outside, here: &Here, start: u64) -> Reply {
        let place = Place::Outside(outside);
        let slowness = self.story.slowness(place, start, &mut self.dice);
        let end = start + (self.took(outside.took) as f64 * slowness) as u64;
        let fault = self.story.fault(place, start, &mut self.dice);
        let described = attributes::outside(outside, fault);
        self.exit(described, here, start, Reply { end, fault })
    }

    /// A client span whose other side sends nothing.
    fn exit(&mut self, mut described: Described, here: &Here, start: u64, reply: Reply) -> Reply {
        let id = self.id();
        if let Some(fault) = reply.fault {
            self.complain(here, fault, reply.end);
        }
        let draft = Draft {
            id,
            parent: Some(here.span),
            kind: SpanKind::Client,
            start,
            end: reply.end,
            raised: reply.fault,
            fault: reply.fault,
        };
        let span = self.span(draft, &mut described, here);
        self.put(here.by, described.library, span);
        reply
    }

    fn publish(&mut self, topic: &'static Topic, here: &Here, start: u64) -> Reply {
        let end = start + self.took(Latency { median: 1.3, sigma: 0.4 });
        let id = self.id();
        let (name, attributes) = self.message(topic, "send");
        let mut described = Described { name, library: "kafka", attributes, error: false };
        let draft =
            Draft { id, parent: Some(here.span), kind: SpanKind::Producer, start, end, raised: None, fault: None };
        let span = self.span(draft, &mut described, here);
        self.put(here.by, described.library, span);
        for consumer in topic.consumers {
            let slowness = self.story.slowness(Place::Queue(topic), end, &mut self.dice);
            let arrived = end + (self.took(QUEUE) as f64 * slowness) as u64;
            if matches!(consumer.entry, Entry::Linked) {
                let cause = Cause { parent: None, link: Some((self.trace_id, id)), topic: Some(topic) };
                let producers = std::mem::replace(&mut self.trace_id, self.dice.random::<u128>().max(1));
                self.out.traces += 1;
                self.operation(consumer, &cause, arrived);
                self.trace_id = producers;
            } else {
                let cause = Cause { parent: Some(id), link: None, topic: Some(topic) };
                self.operation(consumer, &cause, arrived);
            }
        }
        Reply { end, fault: None }
    }

    fn message(&mut self, topic: &Topic, verb: &str) -> (String, Vec<KeyValue>) {
        let partition = self.dice.random_range(0..6);
        // Offsets grow with time.
        let offset = self.out.end_ns.max(self.story.begin_ns) / 50_000_000 % 100_000_000;
        attributes::message(topic, verb, partition, offset)
    }

    fn work(&mut self, name: &str, here: &Here, start: u64, end: u64) {
        let id = self.id();
        let mut described =
            Described { name: name.to_owned(), library: "internal", attributes: Vec::new(), error: false };
        let draft =
            Draft { id, parent: Some(here.span), kind: SpanKind::Internal, start, end, raised: None, fault: None };
        let span = self.span(draft, &mut described, here);
        self.put(here.by, described.library, span);
    }

    fn span(&self, draft: Draft, described: &mut Described, here: &Here) -> Span {
        let mut attributes = std::mem::take(&mut described.attributes);
        if here.by.service.language == Language::Java {
            attributes.push(int("thread.id", (draft.id % 64 + 20) as i64));
        }
        if here.by.service.old_names {
            attributes::with_old_names(&mut attributes);
        }
        let mut span = Span {
            trace_id: self.trace_id.to_be_bytes().to_vec(),
            span_id: draft.id.to_be_bytes().to_vec(),
            parent_span_id: draft.parent.map(|id| id.to_be_bytes().to_vec()).unwrap_or_default(),
            name: std::mem::take(&mut described.name),
            kind: draft.kind.into(),
            // Sampled, by W3C trace context.
            flags: 1,
            start_time_unix_nano: draft.start,
            end_time_unix_nano: draft.end,
            attributes,
            ..Default::default()
        };
        if let Some(fault) = draft.fault.filter(|_| described.error) {
            span.attributes.push(text("error.type", fault.exception));
            let message = draft.raised.map(|fault| fault.message.to_owned()).unwrap_or_default();
            span.status = Some(Status { message, code: StatusCode::Error.into() });
        }
        span.events.extend(draft.raised.map(|fault| Event {
            time_unix_nano: draft.end.saturating_sub(20_000).max(draft.start),
            name: "exception".to_owned(),
            attributes: vec![
                text("exception.type", fault.exception),
                text("exception.message", fault.message),
                text("exception.stacktrace", stack(fault, here.operation)),
            ],
            ..Default::default()
        }));
        span
    }

    fn put(&mut self, by: Instance, library: &'static str, mut span: Span) {
        let ahead = self.story.clock_ahead_ns(by);
        span.start_time_unix_nano += ahead;
        span.end_time_unix_nano += ahead;
        span.events.iter_mut().for_each(|event| event.time_unix_nano += ahead);
        self.out.end_ns = self.out.end_ns.max(span.end_time_unix_nano);
        self.out.spans.push(Made { by, library, row: span });
    }

    fn id(&mut self) -> u64 {
        self.dice.random::<u64>().max(1)
    }

    /// A throw of the latency, ns.
    fn took(&mut self, latency: Latency) -> u64 {
        // Box and Muller: two even throws make a normal one.
        let (a, b): (f64, f64) = (self.dice.random::<f64>().max(f64::MIN_POSITIVE), self.dice.random());
        let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
        let healthy = self.story.marks.has(Mark::Healthy);
        let outlier = !healthy && self.dice.random_bool(OUTLIER_SHARE);
        let outlier = if outlier { self.dice.random_range(OUTLIER_TIMES) } else { 1.0 };
        let sigma = if healthy { latency.sigma * CALM } else { latency.sigma };
        (latency.median * (sigma * normal).exp() * outlier * 1e6) as u64
    }
}

#[cfg(test)]
mod tests;
