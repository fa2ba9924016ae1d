//! Services: which there are, how they do, whom they need, and what a release changed.
//!
//! ```text
//!  cells of whole minutes ──View──▶ by service ──▶ inventory, series, operations, autonomy, layers, releases
//!  rows of one service, bounded ──records──▶ exceptions, texts of logs, whom each version calls
//! ```
//!
//! Names for menus come from the index alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use storage::attrs;
use storage::rollup::{Minute, NANOS_PER_MINUTE, minute_of};
use storage::schema::Table;
use storage::store::Snapshot;
use storage::terms::{Field, MAX_KEY_BYTES, MAX_TAG_BYTES, intrinsic, operation_term};

use crate::engine::{Deadline, Engine, QueryError, Range};
use crate::graph::calls::Role;
use crate::model::{Notes, Operation};
use crate::rollup::{Cells, PlaceKind, place_of_peer};
use crate::rows::terms::{self, tell_of_cut};

pub mod autonomy;
mod cells;
pub mod inventory;
pub mod layers;
pub mod model;
mod patterns;
pub mod records;
pub mod releases;
pub mod series;
pub mod stats;
#[cfg(test)]
mod stored_tests;
#[cfg(test)]
mod testing;
mod view;

use cells::{Scoped, Whom};
use layers::Layer;
use model::{Comparison, Inventory, ServiceDetail};
use records::{Exceptions, Patterns, Whose};
use releases::{Events, Sides};
use series::Steps;
use view::View;

/// Most distinct names of one answer.
const MOST_NAMES: usize = 100_000;

/// Most entries of each list of one service, and most instances or versions that have a series.
const MOST_LISTED: usize = 1000;
const MOST_SERIES: usize = 200;

/// Which services, and when.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Whole minutes that it touches count.
    pub range: Range,
    /// Only what runs in this `deployment.environment`.
    pub environment: Option<String>,
    /// Layers that the configuration file gives.
    pub layers: Arc<BTreeMap<String, Layer>>,
}

impl Scope {
    pub fn of(range: Range) -> Self {
        Self { range, environment: None, layers: Arc::default() }
    }
}

impl Engine {
    /// Names of services that sent spans, from the index: those of whole segments that meet the range.
    pub async fn service_names(&self, range: Range) -> Result<(Vec<String>, Notes), QueryError> {
        self.run(move |snapshot, deadline| {
            let mut notes = Notes::of(snapshot);
            let prefix = [intrinsic::SERVICE.as_bytes(), b"\0"].concat();
            let terms = names(snapshot, deadline, Field::Tag, &prefix, range, &mut notes)?;
            let names = terms.iter().map(|term| lossy(&term[prefix.len()..])).filter(|name| !name.is_empty());
            let names: Vec<String> = names.collect();
            tell_of_cut(names.iter().map(String::as_str), MAX_TAG_BYTES, &mut notes);
            Ok((names, notes))
        })
        .await
    }

    /// Operations (span names) of a service with their OTLP span kinds, from the index as above.
    pub async fn operations(
        &self,
        service: String,
        kind: Option<i32>,
        range: Range,
    ) -> Result<(Vec<Operation>, Notes), QueryError> {
        self.run(move |snapshot, deadline| {
            let mut notes = Notes::of(snapshot);
            let mut prefix = operation_term(&service, kind.unwrap_or_default(), "");
            let skip = prefix.iter().position(|&byte| byte == 0).map_or(prefix.len(), |at| at + 1);
            if kind.is_none() {
                prefix.truncate(skip);
            }
            let terms = names(snapshot, deadline, Field::Operation, &prefix, range, &mut notes)?;
            let operations: BTreeSet<Operation> = terms
                .iter()
                .filter_map(|term| {
                    let rest = lossy(&term[skip..]);
                    let (kind, name) = rest.split_once('\0')?;
                    Some(Operation { service: service.clone(), name: name.to_owned(), kind: kind.parse().ok()? })
                })
                .collect();
            let cut = operations.iter().map(|operation| operation.name.as_str()).chain([service.as_str()]);
            tell_of_cut(cut, MAX_KEY_BYTES, &mut notes);
            Ok((operations.into_iter().collect(), notes))
        })
        .await
    }

    /// Every service with spans in the minutes of the range, by name.
    pub async fn services(&self, scope: Scope) -> Result<Inventory, QueryError> {
        let Scoped { cells, mut notes, .. } = self.scoped_cells(&scope, Whom::All).await?;
        let found = self.finding_counts().await?;
        self.run(move |snapshot, deadline| {
            let mut services = inventory::inventory(&View::new(&cells), &cells.minutes, &scope.layers);
            let (range, environment) = (whole(&cells), scope.environment.as_deref());
            let counts = records::log_counts(snapshot, deadline, range, environment, &mut notes)?;
            for service in &mut services {
                service.logs = counts.get(&service.name).copied().unwrap_or_default();
                service.findings = found.as_ref().map(|found| found.get(&service.name).copied().unwrap_or_default());
                bound(&mut service.instances, "instances", &service.name, &mut notes);
                bound(&mut service.versions, "versions", &service.name, &mut notes);
            }
            Ok(Inventory { services, minutes: cells.minutes, notes })
        })
        .await
    }

    /// One service in detail; None where it has no spans in the minutes of the range. `step` is in
    /// minutes; where it is not given, it is as short as [`series::MOST_STEPS`] allow.
    pub async fn service(
        &self,
        name: String,
        scope: Scope,
        step: Option<u64>,
    ) -> Result<Option<ServiceDetail>, QueryError> {
        Steps::new(&crate::rollup::minutes(scope.range), step)?;
        let scoped = self.scoped_cells(&scope, Whom::Service(name.clone())).await?;
        let found = self.finding_counts().await?;
        self.run(move |snapshot, deadline| {
            let mut told = detail(snapshot, deadline, &name, &scope, scoped, step)?;
            if let Some(told) = &mut told {
                told.service.findings = found.map(|found| found.get(&name).copied().unwrap_or_default());
            }
            Ok(told)
        })
        .await
    }

    /// Two versions of a service beside each other, the two newest where none are named; None where the
    /// service has no spans in the minutes of the range. Fails where there are no two versions.
    pub async fn compare_releases(
        &self,
        name: String,
        scope: Scope,
        base: Option<String>,
        head: Option<String>,
    ) -> Result<Option<(Comparison, Notes)>, QueryError> {
        let Scoped { cells, mut notes, .. } = self.scoped_cells(&scope, Whom::Versions(name.clone())).await?;
        self.run(move |snapshot, deadline| {
            let view = View::new(&cells);
            let Some(of) = view.services.get(name.as_str()) else { return Ok(None) };
            let (base, head) = releases::pick(&name, of, base, head)?;
            let sides = releases::sides(of, base, head);
            let whose = Whose { service: &name, environment: scope.environment.as_deref(), range: whole(&cells) };
            let events = events(snapshot, deadline, &whose, &sides, &view, &mut notes)?;
            let mut told = releases::compare(sides, events);
            bound(&mut told.operations, "operations", &name, &mut notes);
            bound(&mut told.findings.new_exceptions, "new kinds of exceptions", &name, &mut notes);
            bound(&mut told.findings.new_log_patterns, "new log patterns", &name, &mut notes);
            bound(&mut told.findings.edges_added, "new callees", &name, &mut notes);
            bound(&mut told.findings.edges_removed, "callees no more", &name, &mut notes);
            Ok(Some((told, notes)))
        })
        .await
    }
}

/// The minutes of the cells, ns.
fn whole(cells: &Cells) -> Range {
    let ns = |minute: Minute| minute.saturating_mul(NANOS_PER_MINUTE);
    Range { from: ns(cells.minutes.start), to: ns(cells.minutes.end) }
}

/// Cuts a list, and says so.
fn bound<T>(list: &mut Vec<T>, what: &str, service: &str, notes: &mut Notes) {
    if list.len() > MOST_LISTED {
        notes.warnings.push(format!("{service} has {} {what}; {MOST_LISTED} are told", list.len()));
        list.truncate(MOST_LISTED);
    }
}

fn detail(
    snapshot: &Snapshot,
    deadline: &Deadline,
    name: &str,
    scope: &Scope,
    Scoped { cells, served, mut notes }: Scoped,
    step: Option<u64>,
) -> Result<Option<ServiceDetail>, QueryError> {
    let (view, steps) = (View::new(&cells), Steps::new(&cells.minutes, step)?);
    let Some(of) = view.services.get(name) else { return Ok(None) };
    let mut service = inventory::describe(&view, &cells.minutes, &scope.layers)(name, of);
    let whose = Whose { service: name, environment: scope.environment.as_deref(), range: whole(&cells) };
    let (mut exceptions, mut patterns) = (Exceptions::default(), Patterns::default());
    records::raised(snapshot, deadline, &whose, &mut notes, |raised| exceptions.of_span(&raised))?;
    records::logged(snapshot, deadline, &whose, &mut notes, |log, raised| {
        service.logs.records += 1;
        service.logs.errors += u64::from(log.severity >= records::ERROR);
        patterns.add(&log);
        if let Some(raised) = raised.filter(|raised| exceptions.is_new(raised)) {
            exceptions.add(&raised);
        }
    })?;
    let mut detail = ServiceDetail {
        minutes: cells.minutes.clone(),
        series: series::red(of, &served, &steps),
        operations: series::operations(of),
        upstream: series::dependencies(&of.into),
        downstream: series::dependencies(&of.out),
        instances: series::instances(of, &steps, &service.instances, MOST_SERIES, &mut notes),
        releases: series::releases(of, &steps, &service.versions, MOST_SERIES, &mut notes),
        exceptions: exceptions.finish(&mut notes),
        log_patterns: patterns.finish(&mut notes),
        service,
        notes: Notes::default(),
    };
    bound(&mut detail.service.instances, "instances", name, &mut notes);
    bound(&mut detail.service.versions, "versions", name, &mut notes);
    bound(&mut detail.operations, "operations", name, &mut notes);
    bound(&mut detail.upstream, "callers", name, &mut notes);
    bound(&mut detail.downstream, "callees", name, &mut notes);
    bound(&mut detail.exceptions, "kinds of exceptions", name, &mut notes);
    bound(&mut detail.log_patterns, "log patterns", name, &mut notes);
    detail.notes = notes;
    Ok(Some(detail))
}

/// What the rows of both versions say, in the minutes that are compared.
fn events(
    snapshot: &Snapshot,
    deadline: &Deadline,
    whose: &Whose<'_>,
    sides: &Sides,
    view: &View<'_>,
    notes: &mut Notes,
) -> Result<Events, QueryError> {
    let mut events = Events::default();
    let side = |version: &str, time: i64| {
        let within = sides.minutes.as_ref().is_none_or(|minutes| minutes.contains(&minute_of(time)));
        [&sides.base.0, &sides.head.0].into_iter().position(|name| within && name == version)
    };
    let (mut told, mut full) = (Exceptions::default(), false);
    let exceptions = &mut events.exceptions;
    let spans = records::raised(snapshot, deadline, whose, notes, |raised| {
        if let Some(side) = side(raised.version, raised.time) {
            told.of_span(&raised);
            full |= !add(exceptions, releases::kind(raised.kind), side);
        }
    })?;
    let patterns = &mut events.patterns;
    let logs = records::logged(snapshot, deadline, whose, notes, |log, raised| {
        let Some(side) = side(log.version, log.time) else { return };
        full |= !add(patterns, patterns::pattern(log.body), side);
        if let Some(raised) = raised.filter(|raised| told.is_new(raised)) {
            full |= !add(exceptions, releases::kind(raised.kind), side);
        }
    })?;
    let edges = &mut events.edges;
    let exits = records::exits(snapshot, deadline, whose, notes, |exit, names| {
        let side = side(names.text(exit.version), exit.node.start as i64);
        let (Some(side), Role::Exit) = (side, exit.role) else { return };
        let Some(place) = place_of_peer(exit, names) else { return };
        let name = names.text(place.name);
        let service = (place.kind == PlaceKind::External).then(|| view.places.service(name)).flatten();
        let place = service.map_or((place.kind, name.to_owned()), |service| (PlaceKind::Service, service.to_owned()));
        let key = (place, names.text(exit.protocol).to_owned());
        full |= !add(edges, key, side);
    })?;
    if full {
        notes.warnings.push(format!("only the first {MOST_NAMES} kinds of exceptions, texts and callees are compared"));
    }
    events.cut = full || !(spans && logs && exits);
    Ok(events)
}

/// Counts one more of a kind; false where there is no room for another kind.
fn add<K: Ord>(kinds: &mut BTreeMap<K, [u64; 2]>, kind: K, side: usize) -> bool {
    let room = kinds.len() < MOST_NAMES || kinds.contains_key(&kind);
    if room {
        kinds.entry(kind).or_default()[side] += 1;
    }
    room
}

/// The first [`MOST_NAMES`] terms, and whether there are more.
fn names(
    snapshot: &Snapshot,
    deadline: &Deadline,
    field: Field,
    prefix: &[u8],
    range: Range,
    notes: &mut Notes,
) -> Result<BTreeSet<Vec<u8>>, QueryError> {
    let wanted = terms::Wanted { table: Table::Spans, field, prefix, range, limit: MOST_NAMES + 1 };
    let mut found = terms::terms(snapshot, deadline, &wanted, notes)?;
    if found.len() > MOST_NAMES {
        found.pop_last();
        notes.warnings.push(format!("only the first {MOST_NAMES} names are told"));
    }
    Ok(found)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `telemetry.sdk.language` of a resource.
pub(crate) fn language(resource: Option<&str>) -> Option<String> {
    attrs::find(resource?, "telemetry.sdk.language").map(|raw| attrs::text_of(raw).into_owned())
}
