//! Services, their operations, and how the calls they serve go.

use std::collections::BTreeSet;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap, HashSet};
use storage::attrs;
use storage::ids::{SpanId, TraceId};
use storage::scan::ReadError;
use storage::schema::{Table, col};
use storage::store::Snapshot;
use storage::terms::{Field, MAX_KEY_BYTES, MAX_TAG_BYTES, Prune, intrinsic, operation_term};

use crate::engine::{Deadline, Engine, QueryError, Range};
use crate::graph::intern::{Name, NameColumn, Names};
use crate::graph::sketch::Sketch;
use crate::model::{Notes, Operation, Service};
use crate::rows::Columns;
use crate::rows::terms::{self, tell_of_cut};
use crate::traces::read::{Share, Wanted, each_chunk};

/// Most distinct names of one answer.
const MOST_NAMES: usize = 100_000;

const COLUMNS: &[&str] = &[
    col::TRACE_ID,
    col::SPAN_ID,
    col::NAME,
    col::KIND,
    col::START_TIME,
    col::DURATION,
    col::STATUS_CODE,
    col::ROLE,
    col::PROTOCOL,
    col::SERVICE_NAME,
    col::SERVICE_VERSION,
    col::SERVICE_INSTANCE,
    col::RESOURCE_ATTRIBUTES,
];

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

    /// Every service with spans that begin within the range, by name. Rates and durations are those of
    /// entry spans; equal spans count once.
    pub async fn services(&self, range: Range) -> Result<(Vec<Service>, Notes), QueryError> {
        self.run(move |snapshot, deadline| {
            let (mut notes, mut tally) = (Notes::over(snapshot, range), Tally::default());
            for share in Share::of_range(snapshot, range) {
                tally.seen.clear();
                let wanted = Wanted { columns: COLUMNS, prune: &Prune::All, range };
                each_chunk(snapshot, deadline, &wanted, &mut notes, |batch| {
                    tally.add(Columns::new(batch), range, share)?;
                    Ok(tally.names.check()?)
                })?;
            }
            Ok((tally.finish(&mut notes), notes))
        })
        .await
    }
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

/// Services in the making.
#[derive(Default)]
struct Tally {
    services: HashMap<Name, Sum>,
    names: Names,
    /// Spans of the current share, by ids and content.
    seen: HashSet<(TraceId, SpanId, u64)>,
    hasher: DefaultHashBuilder,
}

#[derive(Default)]
struct Sum {
    spans: u64,
    calls: u64,
    errors: u64,
    durations: Sketch,
    /// Hashes of kind and span name.
    operations: HashSet<u64>,
    instances: HashSet<Name>,
    versions: HashSet<Name>,
    languages: HashSet<Name>,
    protocols: HashSet<Name>,
}

impl Tally {
    fn add(&mut self, columns: Columns<'_>, range: Range, share: Share) -> Result<(), ReadError> {
        let traces = columns.ids::<16>(col::TRACE_ID)?;
        let spans = columns.ids::<8>(col::SPAN_ID)?;
        let (kinds, statuses) = (columns.i32s(col::KIND)?, columns.i32s(col::STATUS_CODE)?);
        let (starts, durations) = (columns.times(col::START_TIME)?, columns.i64s(col::DURATION)?);
        let (span_names, roles) = (columns.strings(col::NAME)?, columns.strings(col::ROLE)?);
        let mut services = NameColumn::new(columns.strings(col::SERVICE_NAME)?);
        let mut versions = NameColumn::new(columns.strings(col::SERVICE_VERSION)?);
        let mut instances = NameColumn::new(columns.strings(col::SERVICE_INSTANCE)?);
        let mut protocols = NameColumn::new(columns.strings(col::PROTOCOL)?);
        let mut resources = NameColumn::new(columns.strings(col::RESOURCE_ATTRIBUTES)?);
        for row in (0..columns.rows()).filter(|&row| range.contains(starts[row])) {
            let (Some(trace), Some(span)) = (traces.get(row).map(TraceId), spans.get(row).map(SpanId)) else {
                continue;
            };
            if !share.contains(trace) {
                continue;
            }
            let service = services.get(row, &mut self.names);
            let operation = self.hasher.hash_one((kinds[row], span_names.text(row)));
            let content = (operation, service, starts[row], durations[row], statuses[row]);
            if !self.seen.insert((trace, span, self.hasher.hash_one(content))) {
                continue;
            }
            let names = &mut self.names;
            let sum = self.services.entry(service).or_default();
            sum.spans += 1;
            if sum.operations.len() < MOST_NAMES {
                sum.operations.insert(operation);
            }
            sum.versions.insert(versions.get(row, names));
            sum.instances.insert(instances.get(row, names));
            sum.languages.insert(resources.get_with(row, |text| names.intern(language(text).as_deref())));
            if roles.text(row) == "entry" {
                sum.calls += 1;
                sum.errors += u64::from(statuses[row] == 2);
                sum.durations.add(durations[row].max(0) as u64);
                sum.protocols.insert(protocols.get(row, names));
            }
        }
        Ok(())
    }

    fn finish(self, notes: &mut Notes) -> Vec<Service> {
        let names = &self.names;
        let mut services: Vec<Service> = self.services.iter().map(|(&name, sum)| sum.service(name, names)).collect();
        services.sort_by(|a, b| a.name.cmp(&b.name));
        for service in services.iter().filter(|service| service.operations >= MOST_NAMES as u64) {
            notes.warnings.push(format!("{} has {MOST_NAMES} operations or more", service.name));
        }
        services
    }
}

impl Sum {
    fn service(&self, name: Name, names: &Names) -> Service {
        let texts = |found: &HashSet<Name>| {
            let texts: BTreeSet<&str> = found.iter().filter_map(|&name| names.get(name)).collect();
            texts.into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let quantiles = self.durations.quantiles();
        Service {
            name: names.text(name).to_owned(),
            span_count: self.spans,
            calls: self.calls,
            errors: self.errors,
            p50: quantiles.map_or(0, |q| q.p50),
            p95: quantiles.map_or(0, |q| q.p95),
            p99: quantiles.map_or(0, |q| q.p99),
            operations: self.operations.len() as u64,
            instances: self.instances.iter().filter(|&&name| name != Name::NONE).count() as u64,
            versions: texts(&self.versions),
            languages: texts(&self.languages),
            protocols: texts(&self.protocols),
        }
    }
}

/// `telemetry.sdk.language` of a resource.
pub(crate) fn language(resource: Option<&str>) -> Option<String> {
    attrs::find(resource?, "telemetry.sdk.language").map(|raw| attrs::text_of(raw).into_owned())
}
