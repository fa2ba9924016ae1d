//! Reads the log records of a minute: patterns of errors, what breakers say, secrets.

use storage::ids::{SpanId, TraceId};
use storage::scan::{Read, ReadError};
use storage::schema::{Table, col};
use storage::store::Snapshot;
use storage::terms::Prune;

use super::pattern::pattern;
use super::{Family, Window, secrets};
use crate::engine::{Deadline, QueryError, Range};
use crate::model::Notes;
use crate::rows::{Columns, scan};

const COLUMNS: &[&str] =
    &[col::TIME, col::TRACE_ID, col::SPAN_ID, col::SEVERITY_NUMBER, col::BODY, col::ATTRIBUTES, col::SERVICE_NAME];

/// OTLP `SeverityNumber` of ERROR and of FATAL.
const ERROR: i32 = 17;
const FATAL: i32 = 21;

pub(super) fn read(
    snapshot: &Snapshot,
    deadline: &Deadline,
    range: Range,
    notes: &mut Notes,
    window: &mut Window,
) -> Result<(), QueryError> {
    let read = Read { columns: COLUMNS, prune: &Prune::All, from: range.from, to: range.to };
    for source in snapshot.sources(Table::Logs, range.from, range.to) {
        scan::each_chunk(&source, &read, deadline, notes, |chunk| {
            Ok(records(Columns::new(&chunk.batch), range, window)?)
        })?;
    }
    Ok(())
}

fn records(columns: Columns<'_>, range: Range, window: &mut Window) -> Result<(), ReadError> {
    let (times, severities) = (columns.times(col::TIME)?, columns.i32s(col::SEVERITY_NUMBER)?);
    let (bodies, services) = (columns.strings(col::BODY)?, columns.strings(col::SERVICE_NAME)?);
    let attributes = columns.strings(col::ATTRIBUTES)?;
    let (traces, spans) = (columns.ids::<16>(col::TRACE_ID)?, columns.ids::<8>(col::SPAN_ID)?);
    for row in (0..columns.rows()).filter(|&row| range.contains(times[row])) {
        window.logs += 1;
        let (service, body) = (services.text(row), bodies.text(row));
        let place = traces.get(row).map(|trace| (TraceId(trace), spans.get(row).map(SpanId)));
        if severities[row] >= ERROR {
            let severity = if severities[row] >= FATAL { "fatal" } else { "error" };
            // What is secret in the text must not become a part of its pattern.
            let text = secrets::masked(body);
            let seen = window.seen(Family::Pattern, &[service, severity, &pattern(&text)]);
            seen.of += 1;
            match place {
                Some((trace, span)) => seen.hit(1, trace, span),
                None => seen.hits += 1,
            }
        }
        if speaks_of_open_breaker(body) {
            window.seen(Family::BreakerLog, &[service]).hits += 1;
        }
        secrets::of_record(service, body, attributes.text(row), place, window);
    }
    Ok(())
}

fn speaks_of_open_breaker(body: &str) -> bool {
    body.contains("CLOSED to OPEN")
        || (body.contains("熔断") && (body.contains("打开") || body.contains("开启")))
        || (body.contains("ircuit") && body.contains("open") && !body.contains("half"))
}
