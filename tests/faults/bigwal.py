"""A log that no segment holds: how long a start takes, and how much memory. First as much as the defaults
let in while flushes fail (then requests are refused), which must be ready in 5 s; then 1 GiB, which takes
a setting of tests to make, and whose time is told.

    bigwal.py [MIB]
"""
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness import http
from harness.protobuf import TraceRequest
from harness.report import Report
from harness.server import Clew, eventually

# The large one must become segments while it is read, or it would not fit in memory: at the pace of a flush.
READY_LIMIT_S, LARGE_LIMIT_S, RSS_LIMIT_BYTES = 5, 60, 1 << 30
# Rows in memory take more than their requests: this much of memory must be there to make the log.
NEEDED_PER_BYTE = 5
SPANS = 2000


def main():
    mib, report = int(sys.argv[1]) if len(sys.argv) > 1 else 1024, Report('bigwal')
    available = available_bytes()
    if available < NEEDED_PER_BYTE * mib << 20:
        report.skip(f'{mib} MiB of log', f'making it needs {NEEDED_PER_BYTE * mib} MiB of memory, there are {available >> 20}')
        report.finish()
    for title, wanted, settings, limit in (('as much as is let in', mib << 20, '', READY_LIMIT_S),
                                           (f'{mib} MiB', mib << 20, f'flush-bytes={1 << 40},', LARGE_LIMIT_S)):
        with Clew() as clew:
            made = {}
            report.case(f'{title}: made', lambda: made.update(make(clew, wanted, settings)))
            report.case(f'ready within {limit} s, with at most {RSS_LIMIT_BYTES >> 20} MiB', starts, clew, made, limit)
            report.case('everything is there', whole, clew, made)
            clew.kill()
    report.finish()


def available_bytes():
    with open('/proc/meminfo', encoding='ascii') as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith('MemAvailable'))


def make(clew, wanted, settings):
    """Flushes fail, so that only the log has the rows, until so many bytes are sent or one is refused."""
    clew.kill()
    clew.start(f'flush.frozen=error,{settings}flush-age=86400')
    request = TraceRequest(SPANS, 'bigwal', time.time_ns() - 3600 * 10**9)
    number = wanted // len(request.template) + 1
    some, refused = [], threading.Event()

    def send(_):
        if not refused.is_set():
            body, traces = request.new()
            answer = http.post(f'{clew.otlp_http}/v1/traces', body, 'application/x-protobuf', timeout=60).expect(200, 503)
            if answer.status == 200:
                some.append(traces[0])
            else:
                refused.set()
    start = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(number)))
    took, spans, size = time.monotonic() - start, len(some) * SPANS, len(some) * len(request.template)
    print(f'          {spans} spans in {len(some)} requests, {size >> 20} MiB, in {took:.1f} s')
    clew.kill()
    return {'spans': spans, 'bytes': size, 'traces': some[::max(1, len(some) // 50)]}


def starts(clew, made, limit):
    start = time.monotonic()
    clew.start()
    ready = time.monotonic() - start
    listening = clew.listening_after_s
    at_ready = peak_bytes(clew)
    eventually(lambda: all_there(clew, made), 120)
    replayed, peak = time.monotonic() - start, peak_bytes(clew)
    print(f'          listening after {listening:.2f} s, ready after {ready:.2f} s ({at_ready >> 20} MiB), '
          f'all rows after {replayed:.2f} s: {made["bytes"] / replayed / 1e6:.0f} MB/s, peak of memory {peak >> 20} MiB')
    assert ready < limit, f'ready after {ready:.1f} s'
    assert peak < RSS_LIMIT_BYTES, f'{peak >> 20} MiB'


def all_there(clew, made):
    found = clew.get('status')['spans']
    assert found == made['spans'], f'{found} spans of {made["spans"]}'


def peak_bytes(clew):
    with open(f'/proc/{clew.process.pid}/status', encoding='ascii') as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith('VmHWM'))


def whole(clew, made):
    all_there(clew, made)
    for trace in made['traces']:
        spans = clew.get(f'traces/{trace}')['spans']
        assert len(spans) == 10, f'{trace}: {len(spans)} of 10 spans'


if __name__ == '__main__':
    main()
