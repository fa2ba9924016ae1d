//! The columns that normalisation adds to a span: role, peer, protocol, operation, outcome.

use arrow::array::ArrayRef;
use proto::otlp::view::{AnyValue, Span, Text};

use super::dictionary::{DictionaryColumn, Interner};
use crate::normalise::{Fact, Facts, Name, Normaliser, REMOTE_PARENT, Rules, STATUS_ERROR, Subject};

const COLUMNS: usize = 5;

/// Bytes of what a span says up to which its meaning is remembered, and how many meanings are.
const MAX_SAID: usize = 512;
const MAX_KNOWN: usize = 4096;

/// After so many spans it shows whether a request repeats itself; one that does not is read span by span.
const TRIAL: usize = 256;

/// A scope's name, and its key in the column of scope names.
#[derive(Clone, Copy)]
pub(super) struct ScopeName<'s> {
    pub name: &'s str,
    pub key: i32,
}

/// The columns under construction. Most spans of a request say what others have said: their meaning is
/// remembered by all that it depends on, and five numbers are written.
pub(super) struct Meanings<'a> {
    columns: [DictionaryColumn; COLUMNS],
    normaliser: Normaliser<'a>,
    facts: Facts<'a>,
    /// Attributes of the current span that rules ask for.
    sent: Vec<(Name, Sent<'a>)>,
    /// What the meaning of the current span depends on.
    said: Vec<u8>,
    known: Interner,
    /// By the key of what was said.
    keys: Vec<[i32; COLUMNS]>,
    asked: usize,
    found: usize,
}

/// The value of an attribute that rules can read.
#[derive(Clone, Copy)]
enum Sent<'a> {
    Text(Text<'a>),
    Int(i64),
    Bool(bool),
}

impl<'a> Meanings<'a> {
    pub(super) fn with_capacity(rows: usize, rules: &'a Rules) -> Self {
        Self {
            columns: std::array::from_fn(|_| DictionaryColumn::with_capacity(rows)),
            normaliser: Normaliser::new(rules),
            facts: Facts::default(),
            sent: Vec::new(),
            said: Vec::new(),
            known: Interner::default(),
            keys: Vec::new(),
            asked: 0,
            found: 0,
        }
    }

    /// The next span begins.
    pub(super) fn begin(&mut self) {
        self.facts.clear();
        self.sent.clear();
    }

    /// Takes an attribute of the current span.
    #[inline]
    pub(super) fn attribute(&mut self, key: Text<'a>, value: &AnyValue<'a>) {
        if let Some(name) = Name::of(key.bytes())
            && let Some(value) = sent(value)
        {
            self.sent.push((name, value));
        }
    }

    /// For the events of the current span.
    pub(super) fn facts(&mut self) -> &mut Facts<'a> {
        &mut self.facts
    }

    /// Adds the row of the current span; `name` is the key of its name among those of the request.
    pub(super) fn push(&mut self, span: &Span<'a>, name: i32, has_parent: bool, scope: ScopeName<'_>) {
        match self.recognise(span, name, has_parent, scope.key) {
            Ok(known) => {
                self.found += 1;
                for (column, key) in self.columns.iter_mut().zip(self.keys[known as usize]) {
                    column.push_key(key);
                }
            }
            Err(hash) => {
                let keys = self.read(span, has_parent, scope.name);
                if let Some(hash) = hash.filter(|_| self.known.len() < MAX_KNOWN) {
                    self.known.insert(hash, &self.said);
                    self.keys.push(keys);
                }
            }
        }
    }

    pub(super) fn finish(self) -> [ArrayRef; COLUMNS] {
        self.columns.map(DictionaryColumn::finish)
    }

    /// The key of a span that said the same; else the hash to remember this one by, if it should be.
    fn recognise(&mut self, span: &Span<'_>, name: i32, has_parent: bool, scope: i32) -> Result<i32, Option<u64>> {
        if !self.facts.exceptions().is_empty() || (self.asked >= TRIAL && self.found < self.asked / 4) {
            return Err(None);
        }
        self.asked += 1;
        self.said.clear();
        let flags = (span.flags & REMOTE_PARENT) as i32 | i32::from(has_parent);
        let numbers = [name, scope, span.kind, flags, span.status.code].map(i32::to_le_bytes);
        self.said.extend_from_slice(numbers.as_flattened());
        if span.status.code == STATUS_ERROR {
            say(&mut self.said, span.status.message);
        }
        for (name, value) in &self.sent {
            self.said.push(name.number());
            match value {
                Sent::Text(text) => say(&mut self.said, *text),
                // No text is so long that its length begins like these.
                Sent::Int(number) => {
                    self.said.extend_from_slice(&(i128::from(*number) << 32 | 0xffff_ffff).to_le_bytes())
                }
                Sent::Bool(yes) => self.said.extend_from_slice(&[0xfe, 0xff, 0xff, 0xff, u8::from(*yes)]),
            }
            if self.said.len() > MAX_SAID {
                break;
            }
        }
        if self.said.len() > MAX_SAID { Err(None) } else { self.known.known(&self.said).map_err(Some) }
    }

    fn read(&mut self, span: &Span<'a>, has_parent: bool, scope: &str) -> [i32; COLUMNS] {
        for (name, value) in &self.sent {
            let fact = match value {
                Sent::Text(text) => text.as_str().ok().map(Fact::Text),
                Sent::Int(number) => Some(Fact::Int(*number)),
                Sent::Bool(yes) => Some(Fact::Bool(*yes)),
            };
            fact.into_iter().for_each(|fact| self.facts.attribute(*name, fact));
        }
        let (name, status_message) = (span.name.to_lossy(), span.status.message.to_lossy());
        let subject = Subject {
            name: &name,
            kind: span.kind,
            flags: span.flags,
            has_parent,
            status_code: span.status.code,
            status_message: &status_message,
            scope,
        };
        let meaning = self.normaliser.read(&subject, &self.facts);
        let [role, peer, protocol, operation, outcome] = &mut self.columns;
        [
            role.push(meaning.role.name()),
            peer.push_optional(meaning.peer.unwrap_or_default()),
            protocol.push_optional(meaning.protocol.unwrap_or_default()),
            operation.push(meaning.operation),
            outcome.push(meaning.outcome.name()),
        ]
    }
}

/// A text with its length before it, so that texts in a row cannot run into each other.
fn say(said: &mut Vec<u8>, text: Text<'_>) {
    said.extend_from_slice(&(text.bytes().len() as u32).to_le_bytes());
    said.extend_from_slice(&text.bytes()[..text.bytes().len().min(MAX_SAID + 1)]); // longer ones are not remembered
}

fn sent<'a>(value: &AnyValue<'a>) -> Option<Sent<'a>> {
    match value {
        AnyValue::String(text) => Some(Sent::Text(*text)),
        AnyValue::Int(number) => Some(Sent::Int(*number)),
        AnyValue::Bool(yes) => Some(Sent::Bool(*yes)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::Int32Type;
    use proptest::prelude::*;
    use proto::otlp::view::Status;

    use super::*;

    const NAMES: [&str; 7] =
        ["GET /", "rpcx.client.Arith.Mul", "Motan_g_a.B.c(d)", "Sent.a.B.C", "redis", "cart.fallback", ""];
    const SCOPES: [&str; 4] = ["", "grpc-1.6", "go-zero", "kitex-contrib"];
    const MESSAGES: [&str; 3] = ["", "timed out", "context canceled"];
    const ATTRIBUTES: [&str; 6] = ["db.system", "server.address", "http.status_code", "peer.service", "error", "other"];

    #[derive(Clone, Debug)]
    struct Case {
        name: usize,
        scope: usize,
        kind: i32,
        flags: u32,
        has_parent: bool,
        code: i32,
        message: usize,
        attributes: Vec<(usize, AnyValue<'static>)>,
    }

    prop_compose! {
        fn case()(
            (name, scope, message) in (0..NAMES.len(), 0..SCOPES.len(), 0..MESSAGES.len()),
            kind in 0..6i32,
            flags in prop_oneof![Just(0), Just(0x100), Just(0x300), Just(1)],
            has_parent in any::<bool>(),
            code in 0..3i32,
            attributes in proptest::collection::vec((0..ATTRIBUTES.len(), value()), 0..3),
        ) -> Case {
            Case { name, scope, kind, flags, has_parent, code, message, attributes }
        }
    }

    fn value() -> impl Strategy<Value = AnyValue<'static>> {
        const LONG: [u8; MAX_SAID + 7] = [b'x'; MAX_SAID + 7];
        const OTHER: [u8; MAX_SAID + 7] = {
            let mut other = LONG;
            other[MAX_SAID + 6] = b'y';
            other
        };
        let text = |bytes: &'static [u8]| Just(AnyValue::String(bytes.into()));
        prop_oneof![
            1 => text(b"a"),
            1 => text(b"mysql"),
            1 => text(b"\xff"),
            1 => text(&LONG),
            1 => text(&OTHER),
            1 => (499..501i64).prop_map(AnyValue::Int),
            4 => any::<bool>().prop_map(AnyValue::Bool),
            1 => Just(AnyValue::Double(1.0)),
        ]
    }

    /// Spans that differ from the first in a field or two.
    fn cases() -> impl Strategy<Value = Vec<Case>> {
        let change = (case(), proptest::array::uniform8(proptest::bool::weighted(0.15)));
        (case(), proptest::collection::vec(change, 1..40)).prop_map(|(first, changes)| {
            let changed = |(other, fields): (Case, [bool; 8])| Case {
                name: if fields[0] { other.name } else { first.name },
                scope: if fields[1] { other.scope } else { first.scope },
                kind: if fields[2] { other.kind } else { first.kind },
                flags: if fields[3] { other.flags } else { first.flags },
                has_parent: if fields[4] { other.has_parent } else { first.has_parent },
                code: if fields[5] { other.code } else { first.code },
                message: if fields[6] { other.message } else { first.message },
                attributes: if fields[7] { other.attributes } else { first.attributes.clone() },
            };
            changes.into_iter().map(changed).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

        /// What is remembered is what each span by itself would give.
        #[test]
        fn spans_mean_together_what_each_means_by_itself(cases in cases()) {
            let rules = Rules::default();
            let mut together = Meanings::with_capacity(cases.len(), &rules);
            let mut alone: Vec<[Option<String>; COLUMNS]> = Vec::new();
            for case in &cases {
                let span = Span {
                    name: NAMES[case.name].as_bytes().into(),
                    kind: case.kind,
                    flags: case.flags,
                    status: Status { code: case.code, message: MESSAGES[case.message].as_bytes().into() },
                    ..Span::default()
                };
                let scope = ScopeName { name: SCOPES[case.scope], key: case.scope as i32 };
                let mut single = Meanings::with_capacity(1, &rules);
                for meanings in [&mut together, &mut single] {
                    meanings.begin();
                    for (key, value) in &case.attributes {
                        meanings.attribute(ATTRIBUTES[*key].as_bytes().into(), value);
                    }
                    meanings.push(&span, case.name as i32, case.has_parent, scope);
                }
                alone.push(single.finish().map(|column| texts(&column).remove(0)));
            }
            for (at, column) in together.finish().iter().enumerate() {
                prop_assert_eq!(texts(column), alone.iter().map(|row| row[at].clone()).collect::<Vec<_>>());
            }
        }
    }

    fn texts(column: &ArrayRef) -> Vec<Option<String>> {
        let column = column.as_dictionary::<Int32Type>().downcast_dict::<arrow::array::StringArray>().expect("texts");
        column.into_iter().map(|text| text.map(str::to_owned)).collect()
    }
}
