"""Segments that were put together unread: what lies in their runs is found, by us and by DuckDB."""
import sys
from pathlib import Path

import duckdb
from duckdb_extensions import import_extension

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness import http, otlp  # noqa: E402
from harness.report import Report  # noqa: E402
from harness.server import Clew, eventually  # noqa: E402

# Rows of a flush, no whole number of blocks; a segment of fewer than 32,768 rows would be written anew.
FLUSHES, ROWS, REQUEST = 8, 33_000, 5_500
START = 1_767_225_600 * otlp.SECOND  # 2026-01-01
RANGE = {'from': '2026-01-01T00:00:00Z', 'to': '2026-01-02T00:00:00Z'}
# Seconds between two looks at what is to be merged.
OFTEN = 'sweep=1'
TABLES = ('spans', 'logs')


def main():
    for extension in ('sqlite_scanner', 'ducklake'):
        import_extension(extension)
    report = Report('runs')
    with Clew() as clew:
        clew.kill()
        clew.start(OFTEN)
        report.case('segments of many rows become one', fill, clew)
        report.case('DuckDB reads every row, in groups as they were', judged, clew)
        report.case('traces, attributes and words of every run are found', found, clew)
        report.case('the newest come first', newest, clew)
        clew.kill()
        clew.start(OFTEN)
        report.case('all of it after a restart', found, clew)
        assert clew.stop() == 0
    report.finish()


def trace_of(number):
    return f'{number // 10 + 1:032x}'


def fill(clew):
    for flush in range(FLUSHES):
        for first in range(flush * ROWS, (flush + 1) * ROWS, REQUEST):
            numbers = range(first, first + REQUEST)
            spans = [otlp.span(trace_of(n), f'op-{n % 7}', START + n * 1000, spanId=f'{n + 1:016x}',
                               attributes=otlp.attributes({'number': n, 'part': flush})) for n in numbers]
            http.post(f'{clew.otlp_http}/v1/traces', otlp.traces(spans, f'service-{flush}')).expect(200)
            records = [otlp.record(f'record {n} 订单', START + n * 1000) for n in numbers]
            http.post(f'{clew.otlp_http}/v1/logs', otlp.logs(records, f'service-{flush}')).expect(200)
        clew.flush()
    eventually(lambda: merged(clew), 30)


def merged(clew):
    left = [len(files(clew, table)) for table in TABLES]
    assert left == [1, 1], left


def lake(clew):
    lake = duckdb.connect()
    lake.execute(f"ATTACH 'ducklake:sqlite:{clew.data}/catalog.db' AS lake (READ_ONLY)")
    return lake


def files(clew, table):
    return [name for name, in lake(clew).execute(f"SELECT data_file FROM ducklake_list_files('lake', '{table}')").fetchall()]


def judged(clew):
    rows = FLUSHES * ROWS
    of_spans = lake(clew).execute('SELECT count(*), count(DISTINCT span_id), min(epoch_ns(start_time)), max(epoch_ns(start_time)), '
                                  "sum((attributes->>'number')::BIGINT)::BIGINT FROM lake.spans").fetchone()
    assert of_spans == (rows, rows, START, START + (rows - 1) * 1000, rows * (rows - 1) // 2), of_spans
    of_logs = lake(clew).execute('SELECT count(*), count(DISTINCT body), count(DISTINCT row_id) FROM lake.logs').fetchone()
    assert of_logs == (rows, rows, rows), of_logs
    of_services = lake(clew).execute('SELECT service_name, count(*) FROM lake.spans GROUP BY 1 ORDER BY 1').fetchall()
    assert of_services == [(f'service-{flush}', ROWS) for flush in range(FLUSHES)], of_services
    for table in TABLES:
        groups = duckdb.sql('SELECT DISTINCT row_group_id, row_group_num_rows '
                            f"FROM parquet_metadata('{files(clew, table)[0]}') ORDER BY 1").fetchall()
        assert groups == [(flush, ROWS) for flush in range(FLUSHES)], (table, groups)


def found(clew):
    for flush in range(FLUSHES):
        # The last block of a run is short.
        for number in (flush * ROWS, (flush + 1) * ROWS - 1):
            spans = clew.get(f'traces/{trace_of(number)}')['spans']
            assert f'{number + 1:016x}' in [span['span_id'] for span in spans] and len(spans) == 10, (number, spans)
            traces = [trace['trace_id'] for trace in clew.get('traces', **RANGE, q=f'number={number}')['traces']]
            assert traces == [trace_of(number)], (number, traces)
            logs = bodies(clew, q=f'"record {number}"')
            assert logs == [f'record {number} 订单'], (number, logs)


def newest(clew):
    last = FLUSHES * ROWS - 1
    traces = [trace['trace_id'] for trace in clew.get('traces', **RANGE, limit=20)['traces']]
    assert traces == [trace_of(last - 10 * n) for n in range(20)], traces
    logs = bodies(clew, limit=50)
    assert logs == [f'record {last - n} 订单' for n in range(50)], logs


def bodies(clew, **parameters):
    return [log['body']['value'] for log in clew.get('logs', **RANGE, **parameters)['logs']]


if __name__ == '__main__':
    main()
