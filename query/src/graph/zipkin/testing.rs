//! Sides of calls in short.

use storage::ids::{SpanId, TraceId};

use crate::graph::intern::{Name, Names};
use crate::graph::sides::Side;

/// A span by number; empty names are none.
pub(in crate::graph) fn side(
    names: &mut Names,
    id: u64,
    parent: Option<u64>,
    kind: i32,
    service: &str,
    remote: &str,
) -> Side {
    let number = |number: u64| SpanId(number.to_be_bytes());
    let mut name = |text: &str| names.intern(Some(text).filter(|text| !text.is_empty()));
    let (service, remote) = (name(service), name(remote));
    Side {
        trace: TraceId([1; 16]),
        start: 1,
        id: number(id),
        end: 2,
        parent: parent.map(number),
        kind,
        status: 0,
        service,
        name: Name::NONE,
        remote,
        peer: Name::NONE,
        database: Name::NONE,
        shared: false,
        error: false,
    }
}
