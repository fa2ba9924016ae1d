//! What a cell counts, and its bytes in the store.
//!
//! ```text
//!  1 byte: kind of key │ fields in order; a text as length (u16, big-endian) and bytes, an enum as 1 byte
//! ```
//!
//! A kind's fields never change: another list of fields is another kind.

/// What a cell counts. While it is counted, `T` is a number for a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key<T = String> {
    /// Calls, by the minute in which the caller's span begins, or the callee's where that is all there is.
    Edge {
        source: Place<T>,
        target: Place<T>,
        /// The address or name that callers have for a `target` that answered: how refused calls to the
        /// same address find it. Empty where it is none, or nobody answered.
        alias: T,
        /// Empty where it is not known.
        protocol: T,
        /// Of the callee where it is stored, else of the caller's exit.
        operation: T,
        mode: Mode,
        /// `deployment.environment` of the callee where it is stored, else of the caller.
        environment: T,
    },
    /// Calls that a service answered, by the minute in which its span begins.
    Serve { service: T, environment: T, version: T, operation: T, protocol: T },
    /// Spans of an instance.
    Presence {
        service: T,
        namespace: T,
        environment: T,
        version: T,
        instance: T,
        /// `telemetry.sdk.language`.
        language: T,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place<T = String> {
    pub kind: PlaceKind,
    /// A service's name; `system://address/namespace`; `system:topic`; an address or name; empty for the
    /// user and the unknown.
    pub name: T,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum PlaceKind {
    Service = 0,
    Database = 1,
    Topic = 2,
    External = 3,
    /// Whoever begins traces.
    User = 4,
    /// A caller whose span is not stored.
    Unknown = 5,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Mode {
    /// The caller waits.
    Sync = 0,
    /// A message.
    Async = 1,
}

const EDGE: u8 = 1;
const SERVE: u8 = 2;
const PRESENCE: u8 = 3;

impl Place {
    pub fn new(kind: PlaceKind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }

    pub fn service(name: impl Into<String>) -> Self {
        Self::new(PlaceKind::Service, name)
    }

    /// Of its node in the graph.
    pub fn node_id(&self) -> String {
        crate::graph::peer::id(self.kind, &self.name)
    }
}

impl<T> Key<T> {
    /// `text` gives the text of a number.
    pub(crate) fn encode_with<'a>(&'a self, text: impl Fn(&'a T) -> &'a str) -> Vec<u8> {
        let mut out = Vec::new();
        let mut write_all = |head: &[u8], texts: &[&'a T]| {
            out.extend(head);
            texts.iter().for_each(|one| write(&mut out, text(one)));
        };
        match self {
            Key::Edge { source, target, alias, protocol, operation, mode, environment } => write_all(
                &[EDGE, source.kind as u8, target.kind as u8, *mode as u8],
                &[&source.name, &target.name, alias, protocol, operation, environment],
            ),
            Key::Serve { service, environment, version, operation, protocol } => {
                write_all(&[SERVE], &[service, environment, version, operation, protocol]);
            }
            Key::Presence { service, namespace, environment, version, instance, language } => {
                write_all(&[PRESENCE], &[service, namespace, environment, version, instance, language]);
            }
        }
        out
    }
}

impl Key {
    /// How the bytes of every presence begin.
    pub(crate) fn presences() -> Vec<u8> {
        vec![PRESENCE]
    }

    /// How the bytes of all begin that a service serves, in an environment or in any.
    pub(crate) fn served_by(service: &str, environment: Option<&str>) -> Vec<u8> {
        let mut keys = vec![SERVE];
        [Some(service), environment].into_iter().flatten().for_each(|text| write(&mut keys, text));
        keys
    }

    pub fn encode(&self) -> Vec<u8> {
        self.encode_with(String::as_str)
    }

    /// None for bytes of a kind that this version does not know, or that are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, mut rest) = bytes.split_first()?;
        let key = match *kind {
            EDGE => {
                let ([source, target, mode], texts) = rest.split_first_chunk()?;
                rest = texts;
                let (source, target) = (PlaceKind::of(*source)?, PlaceKind::of(*target)?);
                let mode = [Mode::Sync, Mode::Async].into_iter().find(|one| *one as u8 == *mode)?;
                let [source_name, target_name, alias, protocol, operation, environment] = read(&mut rest)?;
                let (source, target) = (Place::new(source, source_name), Place::new(target, target_name));
                Key::Edge { source, target, alias, protocol, operation, mode, environment }
            }
            SERVE => {
                let [service, environment, version, operation, protocol] = read(&mut rest)?;
                Key::Serve { service, environment, version, operation, protocol }
            }
            PRESENCE => {
                let [service, namespace, environment, version, instance, language] = read(&mut rest)?;
                Key::Presence { service, namespace, environment, version, instance, language }
            }
            _ => return None,
        };
        rest.is_empty().then_some(key)
    }
}

impl PlaceKind {
    const ALL: [PlaceKind; 6] = [
        PlaceKind::Service,
        PlaceKind::Database,
        PlaceKind::Topic,
        PlaceKind::External,
        PlaceKind::User,
        PlaceKind::Unknown,
    ];

    fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// Longest text of a key, bytes; what is longer is cut at a character.
const MOST_TEXT: usize = 1024;

fn write(out: &mut Vec<u8>, text: &str) {
    let text = &text[..text.floor_char_boundary(MOST_TEXT)];
    out.extend((text.len() as u16).to_be_bytes());
    out.extend(text.as_bytes());
}

fn read<const N: usize>(rest: &mut &[u8]) -> Option<[String; N]> {
    let mut texts = [const { String::new() }; N];
    for text in &mut texts {
        let (length, bytes) = rest.split_first_chunk()?;
        let (bytes, after) = bytes.split_at_checked(u16::from_be_bytes(*length).into())?;
        *text = std::str::from_utf8(bytes).ok()?.to_owned();
        *rest = after;
    }
    Some(texts)
}
