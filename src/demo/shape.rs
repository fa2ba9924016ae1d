//! The words in which the scenario is written: services, operations, steps, faults, incidents.
//!
//! The tables refer to each other by reference, so that the compiler finds what does not exist. What is not
//! part of every run says to which [`Mark`] it belongs.

use super::marks::Mark;

/// A service and how it is built and run.
pub(super) struct Service {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    pub(super) language: Language,
    pub(super) instances: u32,
    /// Port that its own HTTP or RPC server listens on.
    pub(super) port: u16,
    /// Its instrumentation still writes the names of attributes of before 2024.
    pub(super) old_names: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Java,
    Go,
    Node,
    Python,
    DotNet,
    Rust,
}

/// Something a service does, and what it does for it, in order.
pub(super) struct Operation {
    pub(super) service: &'static Service,
    pub(super) entry: Entry,
    /// The service's own work, before and after the steps.
    pub(super) own: Latency,
    pub(super) steps: &'static [Step],
    pub(super) says: &'static [Line],
}

/// How an operation is reached.
pub(super) enum Entry {
    Http {
        method: &'static str,
        route: &'static str,
    },
    /// HTTP through Spring Cloud Gateway.
    Gateway {
        method: &'static str,
        route: &'static str,
        id: &'static str,
    },
    Grpc {
        service: &'static str,
        method: &'static str,
    },
    Dubbo {
        interface: &'static str,
        method: &'static str,
    },
    /// One message; the trace of its producer goes on.
    Message,
    /// One message, in a trace of its own that links to the producer's.
    Linked,
    /// Started by a clock.
    Job {
        name: &'static str,
    },
}

/// Milliseconds: log-normal around a median.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latency {
    pub(super) median: f64,
    pub(super) sigma: f64,
}

pub(super) const fn ms(median: f64) -> Latency {
    Latency { median, sigma: 0.35 }
}

pub(super) enum Step {
    Call(Call),
    Ask(&'static Query),
    /// Sends a message; its consumers work later.
    Publish(&'static Topic),
    /// A part of the own work that has a span.
    Work(&'static str, Latency),
    /// Asks someone outside, who sends no telemetry.
    Outside(&'static Outside),
    /// At the same time; the longest decides.
    Together(&'static [Step]),
    /// One after the other, so many times: what N+1 looks like.
    Times(u32, u32, &'static Step),
    /// With a chance of so much.
    Sometimes(f64, &'static Step),
    /// Only in runs with one of these marks.
    With(&'static [Mark], &'static Step),
    /// In runs with one of these marks the first, in others the second.
    Either(&'static [Mark], &'static Step, &'static Step),
}

/// A call to an operation of another service.
pub(super) struct Call {
    pub(super) to: &'static Operation,
    pub(super) attempts: u32,
    /// The caller gives up after so many ms.
    pub(super) timeout: f64,
    pub(super) otherwise: Otherwise,
}

/// What becomes of a call that failed for good.
#[derive(Clone, Copy)]
pub(super) enum Otherwise {
    /// The caller fails too.
    Fail,
    /// The caller answers with something less, by a span of this name.
    Fallback(&'static str),
}

pub(super) const fn call(to: &'static Operation) -> Step {
    Step::Call(Call { to, attempts: 1, timeout: 3_000.0, otherwise: Otherwise::Fail })
}

pub(super) const fn retried(to: &'static Operation, attempts: u32, timeout: f64) -> Step {
    Step::Call(Call { to, attempts, timeout, otherwise: Otherwise::Fail })
}

pub(super) const fn or_fallback(to: &'static Operation, timeout: f64, name: &'static str) -> Step {
    Step::Call(Call { to, attempts: 1, timeout, otherwise: Otherwise::Fallback(name) })
}

/// A question to a database, cache or search engine.
pub(super) struct Query {
    pub(super) store: &'static Store,
    pub(super) verb: &'static str,
    pub(super) collection: &'static str,
    pub(super) text: &'static str,
    pub(super) took: Latency,
}

pub(super) struct Store {
    pub(super) system: &'static str,
    pub(super) host: &'static str,
    pub(super) port: u16,
    pub(super) namespace: &'static str,
}

pub(super) struct Topic {
    pub(super) name: &'static str,
    pub(super) consumers: &'static [&'static Operation],
}

pub(super) struct Outside {
    pub(super) host: &'static str,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) took: Latency,
}

/// A line that an operation logs.
pub(super) struct Line {
    pub(super) when: When,
    pub(super) level: Level,
    /// `{order}` and its kin are filled in; see [`super::facts`].
    pub(super) text: &'static str,
    /// Share of the times it could be logged.
    pub(super) share: f64,
    /// The body is a map with these facts in it, and not a text.
    pub(super) fields: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Begins,
    Succeeds,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

pub(super) const fn says(when: When, level: Level, text: &'static str) -> Line {
    Line { when, level, text, share: 1.0, fields: &[] }
}

/// A way to fail, and what it looks like on every wire.
#[derive(Debug)]
pub(super) struct Fault {
    /// As the language of the service that raises it writes types.
    pub(super) exception: &'static str,
    pub(super) message: &'static str,
    pub(super) http: u16,
    pub(super) grpc: u16,
    pub(super) level: Level,
    /// What the log says; one of these.
    pub(super) says: &'static [&'static str],
    /// Whether it helps to try again.
    pub(super) passing: bool,
}

/// Something that goes wrong for a while. To add one by name is to add a line to the table.
pub(super) struct Incident {
    pub(super) name: &'static str,
    /// Seconds after the beginning of every [`PERIOD_S`].
    pub(super) from: u64,
    pub(super) seconds: u64,
    pub(super) place: Place,
    /// Share of the visits that it meets.
    pub(super) share: f64,
    pub(super) effect: Effect,
}

/// A part of a fault that `--fault` asks for.
pub(super) struct Injection {
    pub(super) mark: Mark,
    /// How much of the story is over when it begins; it then lasts.
    pub(super) since: f64,
    /// Only in the first [`BURST_S`] of every [`BURST_EVERY_S`].
    pub(super) bursts: bool,
    pub(super) place: Place,
    /// Share of the visits that it meets.
    pub(super) share: f64,
    pub(super) effect: Effect,
}

pub(super) const BURST_S: u64 = 20;
pub(super) const BURST_EVERY_S: u64 = 60;

/// Incidents come back after so many seconds.
pub(super) const PERIOD_S: u64 = 900;

#[derive(Clone, Copy)]
pub(super) enum Place {
    /// In the service, whoever asks.
    In(&'static Operation),
    /// At the caller, before the call leaves it.
    Before(&'static Operation),
    At(&'static Query),
    Outside(&'static Outside),
    /// On the way from the producer to its consumers.
    Queue(&'static Topic),
}

/// The same line of the table, not an equal one.
impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::In(a), Self::In(b)) | (Self::Before(a), Self::Before(b)) => std::ptr::eq(*a, *b),
            (Self::At(a), Self::At(b)) => std::ptr::eq(*a, *b),
            (Self::Outside(a), Self::Outside(b)) => std::ptr::eq(*a, *b),
            (Self::Queue(a), Self::Queue(b)) => std::ptr::eq(*a, *b),
            _ => false,
        }
    }
}

pub(super) enum Effect {
    /// So many times slower.
    Slow(f64),
    Fail(&'static Fault),
    /// The operation logs a line more.
    Say(&'static Line),
    /// The operation's span has an attribute more.
    Tell(&'static str, &'static str),
}

/// A new version of a service, rolled out instance by instance.
pub(super) struct Release {
    pub(super) mark: Mark,
    pub(super) service: &'static Service,
    pub(super) version: &'static str,
    /// How much of the story is over when the first instance gets it.
    pub(super) at: f64,
    pub(super) seconds_between_instances: u64,
    pub(super) trouble: Option<Trouble>,
}

/// What new instances get wrong.
pub(super) struct Trouble {
    pub(super) fault: &'static Fault,
    pub(super) share: f64,
    /// So long after the release; `None` is for good.
    pub(super) seconds: Option<u64>,
}

/// A way into the shop, and how often it is taken.
pub(super) struct Flow {
    pub(super) mark: Mark,
    pub(super) weight: u32,
    pub(super) operation: &'static Operation,
}
