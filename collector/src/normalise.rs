//! What a span means, told once at ingest: its role, peer, protocol, operation and outcome.
//!
//! Frameworks say the same thing under many names; [`table`] lists the names and the rules as data,
//! [`rules`] makes them ready together with those of the user, [`facts`] collects the few attributes they
//! speak of, and the rest reads them. A span that carries none of them costs a few comparisons.

mod facts;
mod outcome;
mod peer;
mod rules;
mod table;

pub use facts::{Fact, Facts, Name, Slot};
pub use outcome::STATUS_ERROR;
pub use rules::{BadRule, MAX_TEXTS, NameRule, Rest, Rules, Side, TextRule};

/// Which side of a call a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Something came in from another service.
    Entry,
    /// Something went out to another service, a database or a topic.
    Exit,
    Internal,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::Entry => "entry",
            Role::Exit => "exit",
            Role::Internal => "internal",
        }
    }
}

/// How a span ended, in the words of fault tolerance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Ok,
    Error,
    Timeout,
    Cancelled,
    Limited,
    Shed,
    BreakerOpen,
    Bulkhead,
    Fallback,
    NoInstance,
    RetryExhausted,
    Denied,
}

impl Outcome {
    pub const ALL: [Outcome; 12] = [
        Outcome::Ok,
        Outcome::Error,
        Outcome::Timeout,
        Outcome::Cancelled,
        Outcome::Limited,
        Outcome::Shed,
        Outcome::BreakerOpen,
        Outcome::Bulkhead,
        Outcome::Fallback,
        Outcome::NoInstance,
        Outcome::RetryExhausted,
        Outcome::Denied,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Error => "error",
            Outcome::Timeout => "timeout",
            Outcome::Cancelled => "cancelled",
            Outcome::Limited => "limited",
            Outcome::Shed => "shed",
            Outcome::BreakerOpen => "breaker_open",
            Outcome::Bulkhead => "bulkhead",
            Outcome::Fallback => "fallback",
            Outcome::NoInstance => "no_instance",
            Outcome::RetryExhausted => "retry_exhausted",
            Outcome::Denied => "denied",
        }
    }
}

/// What normalisation reads of a span beside its [`Facts`]. What a span means depends on nothing else: of the
/// flags on those for the parent, on the message only of a span that failed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    pub name: &'a str,
    /// OTLP `SpanKind`.
    pub kind: i32,
    /// OTLP span flags: bits 8 and 9 tell whether the parent is remote.
    pub flags: u32,
    pub has_parent: bool,
    /// OTLP `StatusCode`: 1 ok, 2 error.
    pub status_code: i32,
    pub status_message: &'a str,
    /// Name of the instrumentation scope.
    pub scope: &'a str,
}

/// What a span means. Texts are borrowed from the [`Normaliser`], the span and the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning<'n> {
    pub role: Role,
    /// Whom an exit called, or who called an entry where it says so:
    /// `mysql://host:port/namespace`, `kafka:topic`, a service's name, `host:port`.
    pub peer: Option<&'n str>,
    pub protocol: Option<&'n str>,
    /// Of low cardinality: `Service/Method`, `GET /route`, `mysql SELECT orders`, else the span's name.
    pub operation: &'n str,
    pub outcome: Outcome,
}

/// Reads spans by rules, with scratch space for the texts of one [`Meaning`].
pub struct Normaliser<'r> {
    rules: &'r Rules,
    peer: String,
    operation: String,
}

impl<'r> Normaliser<'r> {
    pub fn new(rules: &'r Rules) -> Self {
        Self { rules, peer: String::new(), operation: String::new() }
    }

    pub fn read<'n>(&'n mut self, span: &Subject<'n>, facts: &Facts<'n>) -> Meaning<'n>
    where
        'r: 'n,
    {
        let rule = self.rules.name(span.name, span.scope);
        let role = role(span, facts, rule);
        let protocol = peer::protocol(span, facts, rule);
        self.peer.clear();
        self.operation.clear();
        peer::write_peer(&mut self.peer, role, protocol, span, facts, rule);
        peer::write_operation(&mut self.operation, protocol, span, facts, rule);
        Meaning {
            role,
            peer: (!self.peer.is_empty()).then_some(&self.peer),
            protocol,
            operation: if self.operation.is_empty() { span.name } else { &self.operation },
            outcome: outcome::outcome(span, facts, self.rules),
        }
    }
}

/// OTLP `SpanKind`.
mod kind {
    pub(super) const SERVER: i32 = 2;
    pub(super) const CLIENT: i32 = 3;
    pub(super) const PRODUCER: i32 = 4;
    pub(super) const CONSUMER: i32 = 5;
}

/// OTLP `SpanFlags`: whether it is known that the parent is remote, and whether it is.
const PARENT_KNOWN: u32 = 0x100;
pub const REMOTE_PARENT: u32 = 0x100 | 0x200;

/// The kind decides; where it says neither, the name, an OpenTracing tag, the parent's side and the
/// peer are asked, in this order. What only the parent or a child of another service could tell
/// (Motan without flags) stays internal here and is joined by the service graph.
fn role(span: &Subject<'_>, facts: &Facts<'_>, rule: Option<&NameRule>) -> Role {
    match span.kind {
        kind::SERVER | kind::CONSUMER => return Role::Entry,
        kind::CLIENT | kind::PRODUCER => return Role::Exit,
        _ => {}
    }
    if let Some(role) = rule.and_then(|rule| rule.side.role()) {
        return role;
    }
    match facts.text(Slot::SpanKind) {
        Some("server" | "consumer" | "SERVER" | "CONSUMER") => return Role::Entry,
        Some("client" | "producer" | "CLIENT" | "PRODUCER") => return Role::Exit,
        _ => {}
    }
    if span.flags & REMOTE_PARENT == REMOTE_PARENT {
        return Role::Entry;
    }
    let local_parent = span.has_parent && span.flags & PARENT_KNOWN != 0;
    if local_parent && rule.is_some_and(|rule| rule.side == Side::ByParent) {
        return Role::Exit;
    }
    let named = [Slot::PeerService, Slot::PeerHost, Slot::DbSystem].iter().any(|slot| facts.has(*slot));
    if named || (facts.has(Slot::MessagingSystem) && facts.has(Slot::MessagingDestination)) {
        return Role::Exit;
    }
    Role::Internal
}

#[cfg(test)]
mod tests;
