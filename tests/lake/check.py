"""DuckDB, the independent judge: it attaches the live store as a DuckLake and finds what the API finds."""
import datetime
import os
import re
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
# The second half of the traces is an hour later and in a segment of its own.
HOUR = 3600 * otlp.SECOND
BASE = 1_767_225_600 * otlp.SECOND  # 2026-01-01

# An empty database for the catalogue, instead of SQLite.
POSTGRES = os.environ.get('CLEW_TEST_POSTGRES')

TYPES = {
    'spans': {'trace_id': 'BLOB', 'start_time': 'TIMESTAMP_NS', 'duration': 'BIGINT', 'kind': 'INTEGER',
              'service_name': 'VARCHAR', 'attributes': 'VARCHAR', 'flags': 'UINTEGER'},
    'logs': {'time': 'TIMESTAMP_NS', 'trace_id': 'BLOB', 'severity_number': 'INTEGER', 'row_id': 'UBIGINT',
             'time_inferred': 'BOOLEAN'},
    'metrics': {'value': 'DOUBLE', 'count': 'UBIGINT', 'time': 'TIMESTAMP_NS', 'is_monotonic': 'BOOLEAN'},
    'spans_readable': {'trace_id': 'VARCHAR', 'parent_span_id': 'VARCHAR', 'start_time': 'TIMESTAMP_NS',
                       'end_time': 'TIMESTAMP_NS', 'duration_ns': 'BIGINT', 'attributes': 'JSON', 'events': 'JSON'},
    'logs_readable': {'time': 'TIMESTAMP_NS', 'trace_id': 'VARCHAR', 'attributes': 'JSON'},
    'edges': {'minute': 'TIMESTAMP', 'source': 'VARCHAR', 'target': 'VARCHAR', 'calls': 'BIGINT', 'errors': 'BIGINT'},
}


def main():
    for extension in ('sqlite_scanner', 'postgres_scanner', 'ducklake'):
        import_extension(extension)
    report = Report('lake on PostgreSQL' if POSTGRES else 'lake')
    with Clew(environment={'CLEW_CATALOG': POSTGRES} if POSTGRES else {}) as clew:
        report.case('data is taken and written to segments', fill, clew)
        # While the server runs and writes on.
        report.case('counts agree with the API', counts, clew)
        report.case('columns have their types', types, clew)
        report.case('columns hold what was sent', columns, clew)
        report.case('views give hex ids, UTC times and JSON', readable, clew)
        report.case('edges are those of the service map', edges, clew)
        report.case('statistics prune files', prunes, clew)
        report.case('times at the ends of their range do no harm', odd_times, clew)
        report.case('a snapshot of before is still readable', time_travel, clew)
        report.case('maintenance functions read it', maintenance, clew)
        report.case('what they do does no harm', harmless, clew)
        report.case('a view that a user replaced or dropped stays so', views_of_users, clew)
        assert clew.stop() == 0
        report.case('the lake outlives the server', lambda: attached(clew).execute('SELECT count(*) FROM lake.spans').fetchone())
    report.finish()


def fill(clew):
    for half in range(2):
        for i in range(half * TRACES // 2, (half + 1) * TRACES // 2):
            post(clew, trace(BASE + half * HOUR + i, i))
        clew.flush()
    records = [otlp.record(f'订单 {n}', BASE + n, traceId=f'{n + 1:032x}', attributes=otlp.attributes({'n': n})) for n in range(LOGS)]
    http.post(f'{clew.otlp_http}/v1/logs', otlp.logs(records)).expect(200)
    clew.flush()
    status = eventually(lambda: clew.get('status'))
    assert (status['spans'], status['logs']) == (TRACES * SPANS, LOGS), status


def post(clew, document):
    http.post(f'{clew.otlp_http}/v1/traces', document).expect(200)


def trace(start, number):
    """A service calls the next one; every tenth call fails."""
    ids = [f'{number + 1:08x}{n:08x}' for n in range(SPANS)]
    failed = {'status': {'code': 2}} if number % 10 == 0 else {}

    def span(n, parent, kind, **fields):
        attributes = otlp.attributes({'n': n, 'whole': 1.0, 'text': 'a "b" 订单'})
        return otlp.span(f'{number + 1:032x}', f'op-{n}', start + n, start + n + 1000 + n, spanId=ids[n], kind=kind,
                         attributes=attributes, **({'parentSpanId': ids[parent]} if parent is not None else {}), **fields)

    caller = [span(0, None, 2), span(1, 0, 3)]
    callee = [span(2, 1, 2, **failed)] + [span(n, 2, 1) for n in range(3, SPANS)]
    requests = otlp.traces(caller, f'service-{number % 4}')
    requests['resourceSpans'] += otlp.traces(callee, f'service-{number % 4 + 4}')['resourceSpans']
    return requests


def counts(clew):
    status, lake = clew.get('status'), attached(clew)
    for table in ('spans', 'logs'):
        by_sql = http.post(f'{clew.http}/api/v1/sql', {'query': f'SELECT count(*) FROM {table}'}).expect(200).json()
        by_duckdb = one(lake, f'SELECT count(*) FROM lake.{table}')
        assert by_duckdb == status[table] == int(by_sql['rows'][0][0]), (table, by_duckdb, status[table], by_sql)


def types(clew):
    lake = attached(clew)
    for table, expected in TYPES.items():
        found = dict(lake.execute(f'SELECT column_name, column_type FROM (DESCRIBE lake.{table})').fetchall())
        wrong = {name: found.get(name) for name, kind in expected.items() if found.get(name) != kind}
        assert not wrong, (table, wrong)


def columns(clew):
    lake = attached(clew)
    services = lake.execute('SELECT service_name, count(*) FROM lake.spans GROUP BY 1 ORDER BY 1').fetchall()
    assert services == [(f'service-{i}', TRACES * (2 if i < 4 else SPANS - 2) // 4) for i in range(8)], services
    names = lake.execute('SELECT count(DISTINCT name), count(DISTINCT trace_id) FROM lake.spans').fetchone()
    assert names == (SPANS, TRACES), names


def readable(clew):
    lake = attached(clew)
    row = lake.execute("SELECT trace_id, span_id, parent_span_id, epoch_ns(start_time), epoch_ns(end_time), duration_ns, kind, status, "
                       "attributes->>'text', (attributes->'n')::INTEGER, typeof(attributes) FROM lake.spans_readable "
                       "WHERE trace_id = '0000000000000000000000000000000b' AND name = 'op-2'").fetchall()
    assert row == [('0' * 31 + 'b', '0000000b00000002', '0000000b00000001', BASE + 12, BASE + 12 + 1002, 1002, 'server', 'error',
                    'a "b" 订单', 2, 'JSON')], row
    assert one(lake, "SELECT parent_span_id FROM lake.spans_readable WHERE name = 'op-0' LIMIT 1") is None
    log = lake.execute("SELECT trace_id, epoch_ns(time), body, attributes->>'n' FROM lake.logs_readable WHERE body LIKE '% 7'").fetchall()
    assert log == [(f'{8:032x}', BASE + 7, '订单 7', '7')], log
    # The time is UTC whatever the zone of the session.
    lake.execute("SET TimeZone = 'Asia/Shanghai'")
    first = one(lake, "SELECT min(start_time)::VARCHAR FROM lake.spans_readable")
    assert first == '2026-01-01 00:00:00', first


def edges(clew):
    graph = clew.get('graph', **{'from': '2025-12-31T00:00:00Z', 'to': '2026-01-02T00:00:00Z', 'layer': 'app'})
    known = {(edge['source'], edge['target'], edge['protocol']): (edge['calls'], edge['errors'])
             for edge in graph['edges'] if not edge['source'].startswith(':') and not edge['target'].startswith(':')}
    rows = attached(clew).execute('SELECT source, target, protocol, sum(calls)::BIGINT, sum(errors)::BIGINT FROM lake.edges GROUP BY ALL')
    found = {tuple(row[:3]): tuple(row[3:]) for row in rows.fetchall()}
    assert found == known and sum(calls for calls, _ in known.values()) == TRACES, (found, known)


def odd_times(clew):
    """Of spans that end after the last time DuckDB knows, or begin before its first, it knows no end."""
    odd = 'f' * 32
    ends = [(2**64 - 1, 5), (2**63 - 2, 2**63 + 10), (0, 2**64 - 1), (2**63, 2**63 + 1)]
    post(clew, otlp.traces([otlp.span(odd, f'odd-{i}', start, end) for i, (start, end) in enumerate(ends)], 'odd'))
    clew.flush()
    lake = attached(clew)
    rows = lake.execute(f"SELECT name, end_time::VARCHAR FROM lake.spans_readable WHERE trace_id = '{odd}'").fetchall()
    assert len(rows) == len(ends), rows
    assert one(lake, 'SELECT count(*) FROM lake.edges') > 0
    assert files_read(lake, "SELECT sum(length(name)) FROM lake.spans WHERE service_name = 'odd'") == 1
    assert one(lake, 'SELECT count(*) FROM lake.spans_readable') == TRACES * SPANS + len(ends)


def prunes(clew):
    """Files read, as the profile of the query tells."""
    lake = attached(clew)
    later = datetime.datetime.fromtimestamp((BASE + HOUR) / 1e9 - 1, datetime.timezone.utc).strftime('%Y-%m-%d %H:%M:%S')
    for table, column in (('spans', 'start_time'), ('spans_readable', 'start_time')):
        all_files = files_read(lake, f'SELECT sum(length(name)) FROM lake.{table}')
        some = files_read(lake, f"SELECT sum(length(name)) FROM lake.{table} WHERE {column} BETWEEN '{later}' AND '2026-02-01'")
        assert (all_files, some) == (2, 1), (table, all_files, some)
    rows = one(lake, f"SELECT count(*) FROM lake.spans WHERE start_time BETWEEN '{later}' AND '2026-02-01'")
    assert rows == TRACES // 2 * SPANS, rows


def files_read(lake, query):
    profile = lake.execute(f'EXPLAIN ANALYZE {query}').fetchall()[0][1]
    found = re.findall(r'Total Files Read:\s*(\d+)', profile)
    assert found, f'the profile tells of no files: {profile}'
    return sum(map(int, found))


def time_travel(clew):
    lake = attached(clew)
    before, rows = one(lake, "SELECT max(snapshot_id) FROM ducklake_snapshots('lake')"), one(lake, 'SELECT count(*) FROM lake.spans')
    # Snapshots are told apart by microseconds.
    time.sleep(0.01)
    moment = datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%d %H:%M:%S.%f')
    post(clew, otlp.traces([otlp.span(otlp.trace_id(), start=BASE)]))
    clew.flush()
    assert one(attached(clew), 'SELECT count(*) FROM lake.spans') == rows + 1
    for at in (f'VERSION => {before}', f"TIMESTAMP => TIMESTAMPTZ '{moment}+00'"):
        then = one(attached(clew), f'SELECT count(*) FROM lake.spans AT ({at})')
        assert then == rows, (at, then, rows)
    path = f"ATTACH '{catalogue(clew)}' AS old (READ_ONLY, SNAPSHOT_VERSION {before})"
    lake.execute(path)
    assert one(lake, 'SELECT count(*) FROM old.spans_readable') == rows
    inserted = one(lake, f"SELECT count(*) FROM ducklake_table_insertions('lake', 'main', 'spans', {before + 1}, {before + 1})")
    assert inserted == 1, inserted


def maintenance(clew):
    lake = attached(clew)
    segments = clew.get('status')['segments']
    files = sum(one(lake, f"SELECT count(*) FROM ducklake_list_files('lake', '{table}')") for table in ('spans', 'logs', 'metrics'))
    assert files == segments, (files, segments)
    listed = one(lake, "SELECT data_file FROM ducklake_list_files('lake', 'logs')")
    assert one(lake, f"SELECT count(*) FROM read_parquet('{listed}')") == LOGS
    info = dict(lake.execute("SELECT table_name, file_count FROM ducklake_table_info('lake')").fetchall())
    assert sum(info.values()) == segments, info
    on_disk = sum(path.stat().st_size for path in clew.data.rglob('*.parquet'))
    told = one(lake, "SELECT sum(file_size_bytes) FROM ducklake_table_info('lake')")
    assert told == on_disk, (told, on_disk)
    first, last = lake.execute("SELECT min(snapshot_id), max(snapshot_id) FROM ducklake_snapshots('lake')").fetchone()
    assert first == 0 and last >= 4, (first, last)
    assert one(lake, "FROM ducklake_current_snapshot('lake')") == last
    assert one(lake, "SELECT value FROM ducklake_options('lake') WHERE option_name = 'created_by'").startswith('Clew')


def harmless(clew):
    """The functions that change something, on the lake of a running server."""
    lake = attached(clew, '')
    rows, files = one(lake, 'SELECT count(*) FROM lake.spans'), stored(clew)
    for call in ("ducklake_expire_snapshots('lake', dry_run => true, older_than => now())",
                 "ducklake_cleanup_old_files('lake', dry_run => true, cleanup_all => true)",
                 "ducklake_delete_orphaned_files('lake', dry_run => true, cleanup_all => true)"):
        lake.execute(f'SELECT count(*) FROM {call}')
    assert one(lake, "SELECT count(*) FROM ducklake_delete_orphaned_files('lake', dry_run => true, cleanup_all => true)") == 0
    assert stored(clew) == files
    for call in ('ducklake_flush_inlined_data', 'ducklake_merge_adjacent_files', 'ducklake_rewrite_data_files'):
        lake.execute(f"CALL {call}('lake')")
    lake.execute('CHECKPOINT lake')
    lake.execute("CALL ducklake_expire_snapshots('lake', older_than => now())")
    lake.execute("CALL ducklake_delete_orphaned_files('lake', cleanup_all => true)")
    lake.close()
    assert stored(clew) == files, set(stored(clew)) ^ set(files)
    # Ours goes on.
    post(clew, otlp.traces([otlp.span(otlp.trace_id(), start=BASE)]))
    clew.flush()
    assert one(attached(clew), 'SELECT count(*) FROM lake.spans') == rows + 1 == clew.get('status')['spans']


def stored(clew):
    return sorted(str(path.relative_to(clew.data)) for path in (clew.data / 'lake').rglob('*') if path.is_file())


def views_of_users(clew):
    lake = attached(clew, '')
    lake.execute("CREATE OR REPLACE VIEW lake.edges AS SELECT 'mine' AS whose")
    lake.execute('DROP VIEW lake.logs_readable')
    lake.close()
    assert clew.stop() == 0
    clew.start()
    lake = attached(clew)
    assert one(lake, 'SELECT whose FROM lake.edges') == 'mine'
    views = [name for name, in lake.execute("SELECT view_name FROM duckdb_views() WHERE database_name = 'lake' ORDER BY 1").fetchall()]
    assert views == ['edges', 'spans_readable'], views


def one(lake, query):
    return lake.execute(query).fetchone()[0]


def catalogue(clew):
    return f'ducklake:postgres:{POSTGRES}' if POSTGRES else f'ducklake:sqlite:{clew.data}/catalog.db'


def attached(clew, options='(READ_ONLY)'):
    lake = duckdb.connect()
    lake.execute(f"ATTACH '{catalogue(clew)}' AS lake {options}")
    return lake


if __name__ == '__main__':
    main()
