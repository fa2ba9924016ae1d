//! What only the rows of a service say: exceptions, texts of logs, whom each version calls. The newest
//! rows are read, up to a bound; where there are more, the notes say so.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};
use storage::attrs;
use storage::ids::{RowId, SpanId, TraceId};
use storage::scan::Read;
use storage::schema::{Table, col};
use storage::store::Snapshot;
use storage::terms::{Prune, intrinsic};

use super::model::{Exception, LogCount, LogPattern};
use super::patterns::pattern;
use crate::engine::{Deadline, QueryError, Range};
use crate::graph::intern::Names;
use crate::graph::parts;
use crate::graph::{NAMELESS, calls::Part};
use crate::model::Notes;
use crate::rows::scan::{self, Halt};
use crate::rows::{Columns, damaged};

/// Most rows of a table that one answer looks at.
pub const MOST_ROWS: u64 = 500_000;
/// The same of the counts of logs, which read three narrow columns.
pub const MOST_COUNTED: u64 = 20_000_000;
/// Most bytes of text that one answer takes patterns of.
const MOST_TEXT: usize = 64 << 20;
/// Most kinds of exceptions, and most patterns, that are told apart.
const MOST_KINDS: usize = 5_000;
/// Longest message that is shown, bytes.
const MOST_MESSAGE: usize = 1024;

/// Whose rows.
#[derive(Clone, Debug)]
pub(crate) struct Whose<'a> {
    pub(crate) service: &'a str,
    pub(crate) environment: Option<&'a str>,
    pub(crate) range: Range,
}

/// An exception as a span's event or a log record tells it.
pub(crate) struct Raised<'a> {
    pub(crate) version: &'a str,
    /// ns.
    pub(crate) time: i64,
    pub(crate) kind: &'a str,
    pub(crate) message: &'a str,
    pub(crate) at: Option<(TraceId, SpanId)>,
}

/// A log record.
pub(crate) struct Logged<'a> {
    pub(crate) version: &'a str,
    pub(crate) time: i64,
    pub(crate) severity: i32,
    pub(crate) body: &'a str,
    pub(crate) id: RowId,
}

impl Whose<'_> {
    /// A service without a name is called [`NAMELESS`], and has none in the index.
    fn prune(&self) -> Prune {
        match self.service {
            NAMELESS => Prune::All,
            name => Prune::tag(intrinsic::SERVICE, name),
        }
    }

    fn owns(&self, service: &str, environment: &str) -> bool {
        let name = if service.is_empty() { NAMELESS } else { service };
        name == self.service && self.environment.is_none_or(|wanted| wanted == environment)
    }
}

/// Exceptions that were put onto spans: each span once. Whether all were read.
pub(crate) fn raised(
    snapshot: &Snapshot,
    deadline: &Deadline,
    whose: &Whose<'_>,
    notes: &mut Notes,
    mut take: impl FnMut(Raised<'_>),
) -> Result<bool, QueryError> {
    const COLUMNS: [&str; 7] = [
        col::TRACE_ID,
        col::SPAN_ID,
        col::START_TIME,
        col::SERVICE_NAME,
        col::SERVICE_VERSION,
        col::ENVIRONMENT,
        col::EVENTS,
    ];
    let told = ["exception.type", "exception.message"].map(|key| Prune::key("event", key));
    let prune = Prune::Every(vec![whose.prune(), Prune::Any(told.into())]);
    let mut seen = HashSet::new();
    newest(snapshot, deadline, Table::Spans, (&COLUMNS, &prune, whose.range), notes, |columns| {
        let (services, versions) = (columns.strings(col::SERVICE_NAME)?, columns.strings(col::SERVICE_VERSION)?);
        let (environments, events) = (columns.strings(col::ENVIRONMENT)?, columns.strings(col::EVENTS)?);
        let (traces, spans) = (columns.ids::<16>(col::TRACE_ID)?, columns.ids::<8>(col::SPAN_ID)?);
        let starts = columns.times(col::START_TIME)?;
        for row in (0..columns.rows()).filter(|&row| whose.range.contains(starts[row])) {
            let Some(text) = events.get(row).filter(|_| whose.owns(services.text(row), environments.text(row))) else {
                continue;
            };
            let at = traces.get(row).zip(spans.get(row)).map(|(trace, span)| (TraceId(trace), SpanId(span)));
            // Equal spans that were sent twice tell the same.
            if !text.contains("exception.") || !seen.insert((at, starts[row])) {
                continue;
            }
            let events = attrs::parse_events(text).map_err(|error| damaged(error.to_string()))?;
            for event in events {
                let get = |key: &str| match event.attributes.iter().find(|(known, _)| known == key) {
                    Some((_, attrs::Value::String(text))) => text.as_str(),
                    _ => "",
                };
                let (kind, message) = (get("exception.type"), get("exception.message"));
                if !kind.is_empty() || !message.is_empty() {
                    take(Raised { version: versions.text(row), time: event.time as i64, kind, message, at });
                }
            }
        }
        Ok(())
    })
}

/// Log records, and the exceptions that they tell of. Whether all were read.
pub(crate) fn logged(
    snapshot: &Snapshot,
    deadline: &Deadline,
    whose: &Whose<'_>,
    notes: &mut Notes,
    mut take: impl FnMut(Logged<'_>, Option<Raised<'_>>),
) -> Result<bool, QueryError> {
    const COLUMNS: [&str; 10] = [
        col::ROW_ID,
        col::TIME,
        col::SERVICE_NAME,
        col::SERVICE_VERSION,
        col::ENVIRONMENT,
        col::SEVERITY_NUMBER,
        col::BODY,
        col::ATTRIBUTES,
        col::TRACE_ID,
        col::SPAN_ID,
    ];
    let (prune, mut text) = (whose.prune(), 0);
    let mut full = false;
    let whole = newest(snapshot, deadline, Table::Logs, (&COLUMNS, &prune, whose.range), notes, |columns| {
        let (services, versions) = (columns.strings(col::SERVICE_NAME)?, columns.strings(col::SERVICE_VERSION)?);
        let (environments, bodies) = (columns.strings(col::ENVIRONMENT)?, columns.strings(col::BODY)?);
        let (traces, spans) = (columns.ids::<16>(col::TRACE_ID)?, columns.ids::<8>(col::SPAN_ID)?);
        let (times, ids) = (columns.times(col::TIME)?, columns.u64s(col::ROW_ID)?);
        let (severities, attributes) = (columns.i32s(col::SEVERITY_NUMBER)?, columns.strings(col::ATTRIBUTES)?);
        for row in (0..columns.rows()).filter(|&row| whose.range.contains(times[row])) {
            if !whose.owns(services.text(row), environments.text(row)) {
                continue;
            }
            let (version, time, body) = (versions.text(row), times[row], bodies.text(row));
            text += body.len().min(MOST_MESSAGE);
            if text > MOST_TEXT {
                full = true;
                return Err(Halt::Enough);
            }
            let get = |key| attrs::find(attributes.text(row), key).map(attrs::text_of).unwrap_or_default();
            let (kind, message) = (get("exception.type"), get("exception.message"));
            let at = traces.get(row).zip(spans.get(row)).map(|(trace, span)| (TraceId(trace), SpanId(span)));
            let raised = (!kind.is_empty() || !message.is_empty()).then(|| Raised {
                version,
                time,
                kind: &kind,
                message: &message,
                at,
            });
            take(Logged { version, time, severity: severities[row], body, id: RowId(ids[row]) }, raised);
        }
        Ok(())
    })?;
    if full {
        notes.warnings.push(format!("the texts of the newest {} MiB of logs were read, not of all", MOST_TEXT >> 20));
    }
    Ok(whole && !full)
}

/// Exits of the service, as the graph sees them. Whether all were read.
pub(crate) fn exits(
    snapshot: &Snapshot,
    deadline: &Deadline,
    whose: &Whose<'_>,
    notes: &mut Notes,
    mut take: impl FnMut(&Part, &Names),
) -> Result<bool, QueryError> {
    let (mut names, mut found) = (Names::default(), Vec::new());
    let prune = whose.prune();
    newest(snapshot, deadline, Table::Spans, (parts::COLUMNS, &prune, whose.range), notes, |columns| {
        parts::collect(columns, &mut found, &mut names, |_| true, whose.range)?;
        names.check()?;
        for part in found.drain(..) {
            if whose.owns(names.text(part.service), names.text(part.environment)) {
                take(&part, &names);
            }
        }
        Ok(())
    })
}

/// Logs of each service; of the newest [`MOST_COUNTED`] records.
pub(crate) fn log_counts(
    snapshot: &Snapshot,
    deadline: &Deadline,
    range: Range,
    environment: Option<&str>,
    notes: &mut Notes,
) -> Result<HashMap<String, LogCount>, QueryError> {
    const COLUMNS: [&str; 4] = [col::TIME, col::SERVICE_NAME, col::ENVIRONMENT, col::SEVERITY_NUMBER];
    let mut counts: HashMap<String, LogCount> = HashMap::new();
    let (mut rows, mut whole) = (0, true);
    let read = Read { columns: &COLUMNS, prune: &Prune::All, from: range.from, to: range.to };
    for source in snapshot.sources(Table::Logs, range.from, range.to) {
        if rows + source.row_count() > MOST_COUNTED {
            whole = false;
            break;
        }
        rows += source.row_count();
        scan::each_chunk(&source, &read, deadline, notes, |chunk| {
            let columns = Columns::new(&chunk.batch);
            let (times, severities) = (columns.times(col::TIME)?, columns.i32s(col::SEVERITY_NUMBER)?);
            let (services, environments) = (columns.strings(col::SERVICE_NAME)?, columns.strings(col::ENVIRONMENT)?);
            for row in (0..columns.rows()).filter(|&row| range.contains(times[row])) {
                if environment.is_some_and(|wanted| wanted != environments.text(row)) {
                    continue;
                }
                let name = Some(services.text(row)).filter(|name| !name.is_empty()).unwrap_or(NAMELESS);
                let count = counts.entry_ref(name).or_default();
                count.records += 1;
                count.errors += u64::from(severities[row] >= ERROR);
            }
            Ok(())
        })?;
    }
    if !whole {
        notes.warnings.push(format!("logs are counted in the newest segments only: there are over {MOST_COUNTED}"));
    }
    Ok(counts)
}

/// OTLP `SeverityNumber`: error.
pub(crate) const ERROR: i32 = 17;

/// Hands out the chunks of a table, the newest sources first, until enough rows have been read. Whether
/// these were all.
fn newest(
    snapshot: &Snapshot,
    deadline: &Deadline,
    table: Table,
    (columns, prune, range): (&[&str], &Prune, Range),
    notes: &mut Notes,
    mut take: impl FnMut(Columns<'_>) -> Result<(), Halt>,
) -> Result<bool, QueryError> {
    let read = Read { columns, prune, from: range.from, to: range.to };
    let (mut rows, mut cut) = (0, false);
    for source in snapshot.sources(table, range.from, range.to) {
        scan::each_chunk(&source, &read, deadline, notes, |chunk| {
            if rows >= MOST_ROWS {
                cut = true;
                return Err(Halt::Enough);
            }
            rows += chunk.batch.num_rows() as u64;
            take(Columns::new(&chunk.batch))
        })?;
        if cut {
            break;
        }
    }
    if cut {
        notes.warnings.push(format!("of the {} of this service only the newest {rows} were read", table.name()));
    }
    Ok(!cut)
}

/// Exceptions by type and by what their messages have in common.
#[derive(Default)]
pub(crate) struct Exceptions {
    kinds: BTreeMap<(String, String), Exception>,
    /// Of spans: a log record of the same span tells the same again.
    told: HashSet<(TraceId, SpanId, String)>,
    pub(crate) dropped: u64,
}

impl Exceptions {
    pub(crate) fn of_span(&mut self, raised: &Raised<'_>) {
        if let Some((trace, span)) = raised.at {
            self.told.insert((trace, span, raised.kind.to_owned()));
        }
        self.add(raised);
    }

    /// Whether no span has told of it.
    pub(crate) fn is_new(&self, raised: &Raised<'_>) -> bool {
        let told = |(trace, span)| self.told.contains(&(trace, span, raised.kind.to_owned()));
        !raised.at.is_some_and(told)
    }

    pub(crate) fn add(&mut self, raised: &Raised<'_>) {
        let key = (raised.kind.to_owned(), pattern(raised.message));
        if self.kinds.len() >= MOST_KINDS && !self.kinds.contains_key(&key) {
            self.dropped += 1;
            return;
        }
        let known = self.kinds.entry(key).or_insert_with(|| Exception {
            kind: raised.kind.to_owned(),
            message: String::new(),
            count: 0,
            last: 0,
            exemplar: None,
        });
        known.count += 1;
        if known.count == 1 || raised.time as u64 >= known.last {
            known.last = raised.time as u64;
            known.message = raised.message[..raised.message.floor_char_boundary(MOST_MESSAGE)].to_owned();
            known.exemplar = raised.at.or(known.exemplar);
        }
    }

    /// The most frequent first.
    pub(crate) fn finish(self, notes: &mut Notes) -> Vec<Exception> {
        if self.dropped > 0 {
            notes
                .warnings
                .push(format!("{} exceptions are of more than {MOST_KINDS} kinds, and not told", self.dropped));
        }
        let mut found: Vec<Exception> = self.kinds.into_values().collect();
        found.sort_by_key(|exception| std::cmp::Reverse((exception.count, exception.last)));
        found
    }
}

/// Texts of logs by pattern and severity.
#[derive(Default)]
pub(crate) struct Patterns {
    known: BTreeMap<(String, i32), LogPattern>,
    dropped: u64,
}

impl Patterns {
    pub(crate) fn add(&mut self, log: &Logged<'_>) {
        let key = (pattern(log.body), log.severity);
        if self.known.len() >= MOST_KINDS && !self.known.contains_key(&key) {
            self.dropped += 1;
            return;
        }
        let known = self.known.entry(key).or_insert_with_key(|(pattern, severity)| LogPattern {
            pattern: pattern.clone(),
            severity: *severity,
            count: 0,
            last: log.time as u64,
            example: log.id,
        });
        known.count += 1;
        if log.time as u64 >= known.last {
            (known.last, known.example) = (log.time as u64, log.id);
        }
    }

    /// The severest first, then the most frequent.
    pub(crate) fn finish(self, notes: &mut Notes) -> Vec<LogPattern> {
        if self.dropped > 0 {
            notes
                .warnings
                .push(format!("{} records are of more than {MOST_KINDS} patterns, and not told", self.dropped));
        }
        let class = |severity: i32| (severity.clamp(0, 24) + 3) / 4;
        let mut found: Vec<LogPattern> = self.known.into_values().collect();
        found.sort_by_key(|pattern| std::cmp::Reverse((class(pattern.severity), pattern.count)));
        found
    }
}
