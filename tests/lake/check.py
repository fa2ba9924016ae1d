"""DuckDB, the independent judge: it attaches the data directory as a DuckLake and counts what the API counts."""
import sys
import time
from pathlib import Path

import duckdb
from duckdb_extensions import import_extension

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness import http, otlp  # noqa: E402
from harness.report import Report  # noqa: E402
from harness.server import Clew, eventually  # noqa: E402

TRACES, SPANS, LOGS = 40, 25, 30


def main():
    for extension in ('sqlite_scanner', 'ducklake'):
        import_extension(extension)
    report = Report('lake')
    with Clew() as clew:
        now = time.time_ns()
        report.case('data is taken and written to segments', fill, clew, now)
        # While the server runs and writes on.
        report.case('counts agree with the API', counts, clew)
        report.case('columns hold what was sent', columns, clew, now)
        report.case('a snapshot of before is still readable', time_travel, clew, now)
        clew.stop()
        report.case('the lake outlives the server', lambda: attached(clew).execute('SELECT count(*) FROM lake.spans').fetchone())
    report.finish()


def fill(clew, now):
    for i in range(TRACES):
        trace = otlp.trace_id()
        spans = [otlp.span(trace, f'op-{n}', now + n, attributes=otlp.attributes({'n': n, 'whole': 1.0})) for n in range(SPANS)]
        http.post(f'{clew.otlp_http}/v1/traces', otlp.traces(spans, f'service-{i % 4}')).expect(200)
    records = [otlp.record(f'订单 {n}', now + n) for n in range(LOGS)]
    http.post(f'{clew.otlp_http}/v1/logs', otlp.logs(records)).expect(200)
    clew.flush()
    status = eventually(lambda: clew.get('status'))
    assert (status['spans'], status['logs']) == (TRACES * SPANS, LOGS), status


def counts(clew):
    status, lake = clew.get('status'), attached(clew)
    for table in ('spans', 'logs'):
        by_sql = http.post(f'{clew.http}/api/v1/sql', {'query': f'SELECT count(*) FROM {table}'}).expect(200).json()
        by_duckdb = lake.execute(f'SELECT count(*) FROM lake.{table}').fetchone()[0]
        assert by_duckdb == status[table] == int(by_sql['rows'][0][0]), (table, by_duckdb, status[table], by_sql)


def columns(clew, now):
    lake = attached(clew)
    services = lake.execute('SELECT service_name, count(*) FROM lake.spans GROUP BY 1 ORDER BY 1').fetchall()
    assert services == [(f'service-{i}', TRACES * SPANS // 4) for i in range(4)], services
    names = lake.execute('SELECT count(DISTINCT name), count(DISTINCT trace_id) FROM lake.spans').fetchone()
    assert names == (SPANS, TRACES), names


def time_travel(clew, now):
    lake = attached(clew)
    before = lake.execute("SELECT max(snapshot_id) FROM ducklake_snapshots('lake')").fetchone()[0]
    http.post(f'{clew.otlp_http}/v1/traces', otlp.traces([otlp.span(otlp.trace_id(), start=now)])).expect(200)
    clew.flush()
    rows = attached(clew).execute('SELECT count(*) FROM lake.spans').fetchone()[0]
    assert rows == TRACES * SPANS + 1, rows
    rows = attached(clew).execute(f'SELECT count(*) FROM lake.spans AT (VERSION => {before})').fetchone()[0]
    assert rows == TRACES * SPANS, rows


def attached(clew):
    lake = duckdb.connect()
    lake.execute(f"ATTACH 'ducklake:sqlite:{clew.data}/catalog.db' AS lake (READ_ONLY)")
    return lake


if __name__ == '__main__':
    main()
