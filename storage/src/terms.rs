//! What the index knows of a row, and how a reader asks for it.
//!
//! The index names blocks of rows that *may* match; the reader then looks at the rows. So a term may
//! say less than a predicate (a truncated value, a token for a phrase), never more.

use crate::ids::TraceId;

/// The fields of a segment's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// 16 bytes.
    TraceId,
    /// Attribute keys with their scope: `span.http.method`, `resource.k`, `scope.k`, `event.k`, `link.k`, `log.k`.
    Key,
    /// `key\0value`, the key without its scope, the value as [`crate::attrs::text_of`] gives it;
    /// each element of an array too. Columns are here under the names of [`intrinsic`].
    Tag,
    /// `service\0kind number\0span name`.
    Operation,
    /// Tokens of log bodies, see [`crate::text`].
    Word,
}

/// Tag keys of columns. The colon keeps them apart from attribute keys.
pub mod intrinsic {
    pub const SERVICE: &str = ":service";
    pub const NAME: &str = ":name";
    pub const KIND: &str = ":kind"; // number
    pub const STATUS: &str = ":status"; // number
    pub const ROLE: &str = ":role";
    pub const PEER: &str = ":peer";
    pub const PROTOCOL: &str = ":protocol";
    pub const OPERATION: &str = ":operation";
    pub const OUTCOME: &str = ":outcome";
    pub const SEVERITY: &str = ":severity"; // trace, debug, info, warn, error, fatal, unset
    pub const EVENT_NAME: &str = ":event";
    pub const SPAN_ID: &str = ":span_id"; // logs only, hex
    pub const METRIC: &str = ":metric";
}

/// A row (block) may match only where this holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Prune {
    /// Nothing is known: read everything.
    All,
    Term(Field, Vec<u8>),
    /// Some word of the text contains this (lower-cased).
    WordContaining(String),
    Every(Vec<Prune>),
    Any(Vec<Prune>),
}

/// Longest value kept in a tag term, in bytes; what is longer is cut, on both sides alike.
pub const MAX_TAG_BYTES: usize = 256;

impl Prune {
    pub fn trace(id: TraceId) -> Self {
        Self::Term(Field::TraceId, id.0.to_vec())
    }

    /// `key` is an attribute key without scope, or a name of [`intrinsic`].
    pub fn tag(key: &str, value: &str) -> Self {
        Self::Term(Field::Tag, tag_term(key, value))
    }

    /// `scope` is `span`, `resource`, `scope`, `event`, `link` or `log`.
    pub fn key(scope: &str, key: &str) -> Self {
        Self::Term(Field::Key, key_term(scope, key))
    }

    pub fn word(word: &str) -> Self {
        Self::Term(Field::Word, word.as_bytes().to_vec())
    }
}

/// Longest key kept in a term, bytes.
pub const MAX_KEY_BYTES: usize = 1024;

/// The term of one tag, as indexed and as asked for.
pub fn tag_term(key: &str, value: &str) -> Vec<u8> {
    let mut term = Vec::with_capacity(key.len() + 1 + value.len().min(MAX_TAG_BYTES));
    push_tag_term(&mut term, key, value);
    term
}

pub(crate) fn push_tag_term(term: &mut Vec<u8>, key: &str, value: &str) {
    term.extend_from_slice(cut(key, MAX_KEY_BYTES).as_bytes());
    term.push(0);
    term.extend_from_slice(cut(value, MAX_TAG_BYTES).as_bytes());
}

/// The term of an attribute key with its scope: `scope.key`.
pub fn key_term(scope: &str, key: &str) -> Vec<u8> {
    let mut term = Vec::with_capacity(scope.len() + 1 + key.len());
    push_key_term(&mut term, scope, key);
    term
}

pub(crate) fn push_key_term(term: &mut Vec<u8>, scope: &str, key: &str) {
    term.extend_from_slice(scope.as_bytes());
    term.push(b'.');
    term.extend_from_slice(cut(key, MAX_KEY_BYTES).as_bytes());
}

/// The term of a span operation: `service\0kind number\0span name`.
pub fn operation_term(service: &str, kind: i32, name: &str) -> Vec<u8> {
    format!("{}\0{kind}\0{}", cut(service, MAX_KEY_BYTES), cut(name, MAX_KEY_BYTES)).into_bytes()
}

fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// Name of an OTLP severity number (logs data model, "Displaying Severity").
pub fn severity_name(number: i32) -> &'static str {
    match number {
        1..=4 => "trace",
        5..=8 => "debug",
        9..=12 => "info",
        13..=16 => "warn",
        17..=20 => "error",
        21..=24 => "fatal",
        _ => "unset",
    }
}
