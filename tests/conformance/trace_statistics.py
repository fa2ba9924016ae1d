"""Sums over single traces as Jaeger's UI shows them: cases of ../shared/conformance through `clew replay` and the API.

    trace_statistics.py FOLDER
"""
import json
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.report import Report  # noqa: E402
from harness.server import Clew, binary  # noqa: E402

GROUPS = {'Service Name': 'service', 'Operation Name': 'operation'}
# Field of a case → how it is made of a row of the answer; durations in ms.
FIELDS = {
    'count': lambda row: row['count'],
    'total': lambda row: ms(row['total_ns']),
    'avg': lambda row: ms(row['total_ns'] / row['count']),
    'min': lambda row: ms(row['min_ns']),
    'max': lambda row: ms(row['max_ns']),
    'selfTotal': lambda row: ms(row['self_total_ns']),
    'selfAvg': lambda row: ms(row['self_total_ns'] / row['count']),
    'selfMin': lambda row: ms(row['self_min_ns']),
    'selfMax': lambda row: ms(row['self_max_ns']),
    'percent': lambda row: 100 * row['self_share'],
}
# The cases are rounded to two digits.
ROUNDED = 0.0051


def main():
    folder, report = Path(sys.argv[1]) / 'jaeger', Report('trace statistics')
    with Clew() as clew:
        for case in json.loads((folder / 'trace_statistics_cases.json').read_text())['cases']:
            report.case(f'{case["id"]} by {case["group_by"]}: {case["test"]}', check, clew, folder, case)
    report.finish()


def check(clew, folder, case):
    trace = json.loads((folder / case['file']).read_text())
    trace = trace['data'][0] if 'data' in trace else trace
    # Several files use one id.
    trace = json.loads(json.dumps(trace).replace(f'"traceID": "{trace["traceID"]}"', f'"traceID": "{secrets.token_hex(16)}"'))
    send(clew, trace)
    group = GROUPS.get(case['group_by'], case['group_by'])
    rows = clew.get(f'traces/{trace["traceID"]}/statistics', group_by=group)['rows']
    for wanted in case['rows']:
        assert any(agrees(wanted, row) for row in rows), (wanted, rows)


def agrees(wanted, row):
    return all(abs(FIELDS[field](row) - value) < ROUNDED for field, value in wanted.items())


def send(clew, trace):
    with tempfile.NamedTemporaryFile('w', suffix='.json') as file:
        json.dump({'data': [trace]}, file)
        file.flush()
        subprocess.run([binary(), 'replay', '--endpoint', clew.otlp_http, file.name], check=True, capture_output=True)


def ms(nanoseconds):
    return nanoseconds / 1e6


if __name__ == '__main__':
    main()
