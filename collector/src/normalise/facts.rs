//! The few attributes of one span that normalisation looks at, collected while all are written.

use super::table::attributes::{EXCEPTION_TEXTS, FAILURE_EVENTS, NAMES};

/// What an attribute says, whatever its name was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Slot {
    RpcStatus,
    RpcSystem,
    RpcService,
    RpcMethod,
    HttpStatus,
    HttpMethod,
    HttpRoute,
    Url,
    PeerService,
    PeerHost,
    PeerPort,
    PeerIp,
    PeerIpPort,
    UpstreamCluster,
    RouteUri,
    DbSystem,
    DbNamespace,
    DbOperation,
    DbCollection,
    DbSummary,
    DbQuery,
    MessagingSystem,
    MessagingDestination,
    MessagingTemporary,
    MessagingOperation,
    SpanKind,
    Error,
    ErrorType,
    ErrorMessage,
    ResponseFlags,
    CircuitOpen,
    PlainMethod,
    PlainStatus,
    PlainUri,
    PlainException,
}

const SLOTS: usize = Slot::PlainException as usize + 1;

/// A value that rules can read; other kinds of value say nothing here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fact<'a> {
    Text(&'a str),
    Int(i64),
    Bool(bool),
}

/// Exceptions looked at: a span with more of them has said enough.
const MAX_TEXTS: usize = 8;

/// Facts of one span; reused for the next after [`Facts::clear`].
pub struct Facts<'a> {
    present: u64,
    ranks: [u8; SLOTS],
    values: [Fact<'a>; SLOTS],
    exceptions: Vec<&'a str>,
    failed: bool,
}

impl Default for Facts<'_> {
    fn default() -> Self {
        Self {
            present: 0,
            ranks: [0; SLOTS],
            values: [Fact::Bool(false); SLOTS],
            exceptions: Vec::new(),
            failed: false,
        }
    }
}

impl<'a> Facts<'a> {
    pub fn clear(&mut self) {
        self.present = 0;
        self.exceptions.clear();
        self.failed = false;
    }

    /// Takes an attribute of the span; of several names for one thing the newest is kept.
    pub fn attribute(&mut self, name: Name, value: Fact<'a>) {
        let Entry { slot, rank, .. } = INDEX[usize::from(name.0)];
        if value == Fact::Text("") || (self.has(slot) && self.ranks[slot as usize] <= rank) {
            return;
        }
        self.present |= 1 << slot as u64;
        self.ranks[slot as usize] = rank;
        self.values[slot as usize] = value;
    }

    /// Takes the name of one of the span's events: some frameworks write there what went wrong.
    pub fn event(&mut self, name: &'a str) {
        if FAILURE_EVENTS.iter().any(|failure| name.starts_with(failure)) {
            self.failed = true;
            if self.exceptions.len() < MAX_TEXTS {
                self.exceptions.push(name);
            }
        }
    }

    /// Takes an attribute of one of the span's events.
    pub fn event_attribute(&mut self, key: &[u8], value: Fact<'a>) {
        if let Fact::Text(text) = value
            && self.exceptions.len() < MAX_TEXTS
            && EXCEPTION_TEXTS.iter().any(|known| known.as_bytes() == key)
        {
            self.exceptions.push(text);
        }
    }

    pub(super) fn has(&self, slot: Slot) -> bool {
        self.present & (1 << slot as u64) != 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.present == 0
    }

    pub(super) fn get(&self, slot: Slot) -> Option<Fact<'a>> {
        self.has(slot).then(|| self.values[slot as usize])
    }

    pub(super) fn text(&self, slot: Slot) -> Option<&'a str> {
        match self.get(slot)? {
            Fact::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number, also where it was sent as text.
    pub(super) fn int(&self, slot: Slot) -> Option<i64> {
        match self.get(slot)? {
            Fact::Int(number) => Some(number),
            Fact::Text(text) => text.trim().parse().ok(),
            Fact::Bool(_) => None,
        }
    }

    /// OpenTracing bridges send booleans as text.
    pub(super) fn is_true(&self, slot: Slot) -> bool {
        matches!(self.get(slot), Some(Fact::Bool(true) | Fact::Text("true")))
    }

    /// What the span's events say went wrong.
    pub fn exceptions(&self) -> &[&'a str] {
        &self.exceptions
    }

    /// The first of two slots that has a text; the second only counts beside a URL.
    pub(super) fn http_text(&self, slot: Slot, plain: Slot) -> Option<&'a str> {
        self.text(slot).or_else(|| if self.has(Slot::Url) { self.text(plain) } else { None })
    }

    pub(super) fn http_status(&self) -> Option<i64> {
        self.int(Slot::HttpStatus).or_else(|| if self.has(Slot::Url) { self.int(Slot::PlainStatus) } else { None })
    }

    /// Whether the span says that it failed, other than by its status: OpenTracing's `error` tag, which
    /// Zipkin fills with a message, or an event.
    pub(super) fn say_failed(&self) -> bool {
        self.failed
            || match self.get(Slot::Error) {
                Some(Fact::Bool(failed)) => failed,
                Some(Fact::Text(message)) => message != "false",
                Some(Fact::Int(_)) | None => false,
            }
    }
}

/// The name of an attribute that rules ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name(u8);

impl Name {
    /// None where nobody asks for attributes of this name.
    #[inline]
    pub fn of(key: &[u8]) -> Option<Self> {
        let mut at = place(key);
        loop {
            let entry = &INDEX[at];
            if entry.name.is_empty() {
                return None;
            }
            if entry.name.as_bytes() == key {
                return Some(Self(at as u8));
            }
            at = (at + 1) % INDEX_SIZE;
        }
    }

    /// Tells names apart.
    pub fn number(self) -> u8 {
        self.0
    }
}

/// An open-addressed table over [`NAMES`], filled at compile time: most keys of a span are nobody's
/// concern and must be told so within a few nanoseconds.
static INDEX: [Entry; INDEX_SIZE] = build();

const INDEX_SIZE: usize = 256;

#[derive(Clone, Copy)]
struct Entry {
    name: &'static str,
    slot: Slot,
    rank: u8,
}

const fn build() -> [Entry; INDEX_SIZE] {
    let mut index = [Entry { name: "", slot: Slot::Error, rank: 0 }; INDEX_SIZE];
    let mut slot = 0;
    while slot < NAMES.len() {
        let (meaning, names) = NAMES[slot];
        let mut rank = 0;
        while rank < names.len() {
            let mut at = place(names[rank].as_bytes());
            while !index[at].name.is_empty() {
                at = (at + 1) % INDEX_SIZE;
            }
            index[at] = Entry { name: names[rank], slot: meaning, rank: rank as u8 };
            rank += 1;
        }
        slot += 1;
    }
    index
}

const fn place(key: &[u8]) -> usize {
    let length = key.len();
    if length == 0 {
        return 0;
    }
    let mix =
        length * 131 + key[length - 1] as usize * 31 + key[length / 2] as usize * 17 + key[length / 4] as usize * 7;
    (mix + key[0] as usize) % INDEX_SIZE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_is_found_and_no_other() {
        for (slot, names) in NAMES {
            for (rank, name) in names.iter().enumerate() {
                let found = Name::of(name.as_bytes()).map(|name| INDEX[usize::from(name.number())]);
                assert_eq!(found.map(|entry| (entry.slot, entry.rank)), Some((*slot, rank as u8)), "{name}");
            }
        }
        for stranger in ["", "k", "rpc", "http.status_codes", "net.peer.nam", "db.system.nam"] {
            assert_eq!(Name::of(stranger.as_bytes()), None, "{stranger}");
        }
    }

    #[test]
    fn probes_stay_short() {
        let mut run = 0;
        for entry in INDEX.iter().chain(&INDEX) {
            run = if entry.name.is_empty() { 0 } else { run + 1 };
            assert!(run <= 12, "the hash of keys clusters");
        }
    }

    #[test]
    fn the_newest_name_wins_in_any_order() {
        for order in
            [["http.status_code", "http.response.status_code"], ["http.response.status_code", "http.status_code"]]
        {
            let mut facts = Facts::default();
            for key in order {
                let status = Fact::Int(if key == "http.status_code" { 500 } else { 200 });
                facts.attribute(Name::of(key.as_bytes()).expect(key), status);
            }
            assert_eq!(facts.int(Slot::HttpStatus), Some(200));
        }
    }
}
