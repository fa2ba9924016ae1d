//! The sides of calls, trace by trace, with what other products' rules look at.

use std::borrow::Cow;

use storage::attrs::{entries, text_of};
use storage::ids::{SpanId, TraceId};
use storage::scan::ReadError;
use storage::schema::col;
use storage::store::Snapshot;
use storage::terms::Prune;

use crate::engine::{Deadline, QueryError, Range};
use crate::model::Notes;
use crate::rows::Columns;
use crate::traces::read::{self, ByTrace, Share, Wanted, each_chunk};

use super::intern::{Name, NameColumn, Names};

/// The other side of a call is looked for this far outside the asked range, ns.
const MARGIN: i64 = 3600 * 1_000_000_000;

const COLUMNS: &[&str] = &[
    col::TRACE_ID,
    col::SPAN_ID,
    col::PARENT_SPAN_ID,
    col::NAME,
    col::KIND,
    col::START_TIME,
    col::DURATION,
    col::STATUS_CODE,
    col::SERVICE_NAME,
    col::ATTRIBUTES,
];

/// A span as the rules of Zipkin and Tempo see it. Equal ones are one span that was sent twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Side {
    pub(crate) trace: TraceId,
    /// ns since the epoch.
    pub(crate) start: u64,
    pub(crate) id: SpanId,
    pub(crate) end: u64,
    pub(crate) parent: Option<SpanId>,
    /// OTLP SpanKind.
    pub(crate) kind: i32,
    /// OTLP StatusCode.
    pub(crate) status: i32,
    pub(crate) service: Name,
    pub(crate) name: Name,
    /// Who answers or calls, by Zipkin's mapping of OTLP.
    pub(crate) remote: Name,
    /// The first of Tempo's peer attributes.
    pub(crate) peer: Name,
    /// What Tempo calls the database that the span asks.
    pub(crate) database: Name,
    /// Zipkin: a server's span that has its client's id.
    pub(crate) shared: bool,
    /// The tag `error` is there.
    pub(crate) error: bool,
}

impl Side {
    pub(crate) fn duration(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

/// Hands the spans of each trace to `take`, an hour on both sides of the range included.
pub(crate) fn each_trace(
    snapshot: &Snapshot,
    deadline: &Deadline,
    range: Range,
    names: &mut Names,
    notes: &mut Notes,
    take: impl FnMut(&[Side], &mut Names) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let wide = Range { from: range.from.saturating_sub(MARGIN), to: range.to.saturating_add(MARGIN) };
    let by = ByTrace {
        collect: |columns: Columns<'_>, share: Share, sides: &mut Vec<Side>, names: &mut Names| {
            collect(columns, sides, names, |trace| share.contains(trace), wide)?;
            Ok(names.check()?)
        },
        // Numbers of names depend on what was read first; ties between unequal spans of one id are that rare
        // that their order may.
        settle: |sides: &mut Vec<Side>, _: &Names| {
            sides.sort_unstable();
            sides.dedup();
        },
        trace_of: |side: &Side| side.trace,
    };
    read::each_trace(snapshot, deadline, (COLUMNS, wide), notes, names, by, take)
}

/// Hands every span of the range to `take`, in no order; one that was sent twice may come twice.
pub(crate) fn each_side(
    snapshot: &Snapshot,
    deadline: &Deadline,
    range: Range,
    names: &mut Names,
    notes: &mut Notes,
    mut take: impl FnMut(&Side),
) -> Result<(), QueryError> {
    let wanted = Wanted { columns: COLUMNS, prune: &Prune::All, range };
    let mut sides = Vec::new();
    each_chunk(snapshot, deadline, &wanted, notes, |batch| {
        collect(Columns::new(batch), &mut sides, names, |_| true, range)?;
        sides.drain(..).for_each(|side| take(&side));
        Ok(names.check()?)
    })
}

fn collect(
    columns: Columns<'_>,
    sides: &mut Vec<Side>,
    names: &mut Names,
    ours: impl Fn(TraceId) -> bool,
    range: Range,
) -> Result<(), ReadError> {
    let traces = columns.ids::<16>(col::TRACE_ID)?;
    let spans = columns.ids::<8>(col::SPAN_ID)?;
    let parents = columns.ids::<8>(col::PARENT_SPAN_ID)?;
    let (starts, durations) = (columns.times(col::START_TIME)?, columns.i64s(col::DURATION)?);
    let (kinds, statuses) = (columns.i32s(col::KIND)?, columns.i32s(col::STATUS_CODE)?);
    let mut services = NameColumn::new(columns.strings(col::SERVICE_NAME)?);
    let mut operations = NameColumn::new(columns.strings(col::NAME)?);
    let attributes = columns.strings(col::ATTRIBUTES)?;
    for row in (0..columns.rows()).filter(|&row| range.contains(starts[row])) {
        let (Some(trace), Some(id)) = (traces.get(row).map(TraceId), spans.get(row)) else { continue };
        if !ours(trace) {
            continue;
        }
        let start = starts[row] as u64;
        let told = Told::read(attributes.text(row));
        let mut name = |text: Option<Cow<'_, str>>| names.intern(text.as_deref());
        let (remote, peer, database) = (name(told.remote(kinds[row])), name(told.peer()), name(told.database()));
        sides.push(Side {
            trace,
            start,
            id: SpanId(id),
            end: start.wrapping_add(durations[row] as u64),
            parent: parents.get(row).map(SpanId),
            kind: kinds[row],
            status: statuses[row],
            service: services.get(row, names),
            name: operations.get(row, names),
            remote,
            peer,
            database,
            shared: told.shared,
            error: told.error,
        });
    }
    Ok(())
}

/// Attributes that name the other side, by their place in [`KEYS`].
#[derive(Default)]
struct Told<'a> {
    values: [Option<Cow<'a, str>>; KEYS.len()],
    shared: bool,
    error: bool,
}

const KEYS: [&str; 8] = [
    "peer.service",
    "db.name",
    "db.system",
    "db.system.name",
    "db.namespace",
    "server.address",
    "network.peer.address",
    "network.peer.port",
];
const PEER_SERVICE: usize = 0;
const DB_NAME: usize = 1;
const DB_SYSTEM: usize = 2;
const DB_SYSTEM_NAME: usize = 3;
const DB_NAMESPACE: usize = 4;
const SERVER: usize = 5;
const PEER_ADDRESS: usize = 6;
const PEER_PORT: usize = 7;

impl<'a> Told<'a> {
    fn read(attributes: &'a str) -> Self {
        let mut told = Self::default();
        for (key, raw) in entries(attributes) {
            match &*key {
                "error" => told.error |= raw != "false",
                "zipkin.shared" => told.shared |= raw == "true",
                key => {
                    if let Some(at) = KEYS.iter().position(|known| *known == key) {
                        told.values[at] = Some(text_of(raw)).filter(|text| !text.is_empty());
                    }
                }
            }
        }
        told
    }

    fn first(&self, keys: &[usize]) -> Option<Cow<'a, str>> {
        keys.iter().find_map(|&key| self.values[key].clone())
    }

    /// OpenTelemetry's order for Zipkin's remote endpoint. `server.address` of a server is its own.
    fn remote(&self, kind: i32) -> Option<Cow<'a, str>> {
        let calls = matches!(kind, 3 | 4);
        self.first(if calls { &[PEER_SERVICE, SERVER, DB_NAMESPACE, DB_NAME] } else { &[PEER_SERVICE] })
    }

    fn peer(&self) -> Option<Cow<'a, str>> {
        self.first(&[PEER_SERVICE, DB_NAME, DB_SYSTEM, DB_SYSTEM_NAME])
    }

    fn database(&self) -> Option<Cow<'a, str>> {
        let name = self.first(&[DB_NAMESPACE, DB_NAME, DB_SYSTEM, DB_SYSTEM_NAME])?;
        if let Some(host) = self.first(&[PEER_SERVICE, SERVER]) {
            return Some(host);
        }
        match (&self.values[PEER_ADDRESS], &self.values[PEER_PORT]) {
            (Some(host), Some(port)) => Some(Cow::Owned(format!("{host}:{port}"))),
            (Some(host), None) => Some(host.clone()),
            _ => Some(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_called_by_its_host_where_that_is_known() {
        for (attributes, database) in [
            (r#"{"db.system":"mysql"}"#, Some("mysql")),
            (r#"{"db.system.name":"b","db.system":"a"}"#, Some("a")),
            (r#"{"db.namespace":"n","db.name":"m","net.peer.name":"x"}"#, Some("n")),
            (r#"{"db.system":"a","server.address":"h","server.port":1}"#, Some("h")),
            (r#"{"db.system":"a","network.peer.address":"h","network.peer.port":"5432"}"#, Some("h:5432")),
            (r#"{"db.system":"a","network.peer.address":"h","network.peer.port":5432}"#, Some("h:5432")),
            (r#"{"db.system":"a","peer.service":"p","network.peer.address":"h"}"#, Some("p")),
            (r#"{"server.address":"h"}"#, None),
        ] {
            assert_eq!(Told::read(attributes).database().as_deref(), database, "{attributes}");
        }
    }

    #[test]
    fn a_server_does_not_call_its_own_address_remote() {
        let told = Told::read(r#"{"server.address":"h","error":"","zipkin.shared":true}"#);
        assert_eq!((told.remote(2), told.remote(3).as_deref()), (None, Some("h")));
        assert!(told.error && told.shared);
        assert!(!Told::read(r#"{"error":false}"#).error);
    }
}
