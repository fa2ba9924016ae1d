"""A start with a long log: it listens at once, says that it replays, takes nothing meanwhile, and stops when asked.

    start.py [MIB]
"""
import os
import sys
import time

from harness import http, otlp
from harness.report import Report
from harness.server import Clew

# From the opened catalogue to the line of addresses; the rest is for a machine that is busy with other tests.
LISTENING_LIMIT_MS = 50
RETRY = 'Retry-After'


def main():
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 192
    report = Report('start')
    # Nothing is flushed, so that all of it is in the log.
    with Clew() as clew:
        clew.stop()
        clew.start('flush-bytes=100000000000,flush-age=100000')
        rows = fill(clew, size << 20)
        clew.kill()
        report.case('it listens at once and replays behind', listens, clew, size)
        report.case('a stop while it replays is clean', stops, clew)
        report.case('a kill while it replays, and all is there once', all_there, clew, rows, size)
    report.finish()


def fill(clew, size):
    """Sends requests of 256 KiB and more until the log holds so many bytes; the number of spans."""
    sent = rows = 0
    while sent < size:
        now = time.time_ns()
        spans = [otlp.span(otlp.trace_id(), f'op-{i}', now + i, attributes=otlp.attributes({'pad': os.urandom(400).hex(), 'i': i}))
                 for i in range(400)]
        http.post(f'{clew.otlp_http}/v1/traces', otlp.traces(spans, 'start')).expect(200)
        rows += len(spans)
        sent += len(spans) * 900
    return rows


def listens(clew, size):
    begun = time.monotonic()
    clew.start(wait=False)
    listening = time.monotonic() - begun
    ready = http.get(f'{clew.http}/readyz', timeout=5)
    assert ready.status == 503 and b'replay' in ready.body, (ready.status, ready.body)
    http.get(f'{clew.http}/healthz').expect(200)
    refused = http.post(f'{clew.otlp_http}/v1/traces', otlp.traces([otlp.span(otlp.trace_id())])).expect(503)
    assert int(refused.headers[RETRY]) >= 1, refused.headers
    answer = clew.get('traces', limit=1)
    assert any('replay' in warning for warning in answer['notes']['warnings']), answer['notes']
    took = opened_to_listening(clew)
    assert took <= LISTENING_LIMIT_MS, f'{took} ms from the catalogue to the line'
    clew.wait_ready()
    print(f'    {took} ms from the catalogue to listening ({1000 * listening:.0f} ms of the process), '
          f'ready after {time.monotonic() - begun:.2f} s for about {size} MiB')
    assert not clew.get('traces', limit=1)['notes']['warnings']
    clew.kill()


def opened_to_listening(clew):
    """As the server's log tells it, ms."""
    lines = [line for line in clew.log.read_text().splitlines() if 'clew is listening' in line]
    return float(lines[-1].split('since_catalog_ms=')[1].split()[0])


def stops(clew):
    clew.start(wait=False)
    http.get(f'{clew.http}/readyz', timeout=5).expect(503)
    begun = time.monotonic()
    code = clew.stop()
    assert code == 0, f'exit code {code}: {clew.log_tail()}'
    assert time.monotonic() - begun < 5, 'it did not stop within 5 s'


def all_there(clew, rows, size):
    clew.start(wait=False)
    time.sleep(0.3)
    clew.kill()
    begun = time.monotonic()
    clew.start()
    print(f'    replay of about {size} MiB: {size / (time.monotonic() - begun):.0f} MiB/s, {clew.rss_bytes() >> 20} MiB of memory')
    counted = http.post(f'{clew.http}/api/v1/sql', {'query': 'SELECT count(*), count(DISTINCT trace_id) FROM spans'})
    assert counted.expect(200).json()['rows'] == [[rows, rows]], (counted.json(), rows)


if __name__ == '__main__':
    main()
