"""1 GiB of log that no segment holds: how long a start takes, and how much memory.

    bigwal.py [MIB]
"""
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness import http
from harness.protobuf import TraceRequest
from harness.report import Report
from harness.server import Clew, eventually

READY_LIMIT_S, RSS_LIMIT_BYTES = 5, 1 << 30
# Rows in memory take more than their requests: this much of memory must be there to make the log.
NEEDED_PER_BYTE = 5
SPANS = 2000


def main():
    mib, report = int(sys.argv[1]) if len(sys.argv) > 1 else 1024, Report('bigwal')
    available = available_bytes()
    if available < NEEDED_PER_BYTE * mib << 20:
        report.skip(f'{mib} MiB of log', f'making it needs {NEEDED_PER_BYTE * mib} MiB of memory, there are {available >> 20}')
        report.finish()
    with Clew() as clew:
        made = {}
        report.case(f'{mib} MiB of log are made', lambda: made.update(make(clew, mib << 20)))
        report.case(f'ready within {READY_LIMIT_S} s, with at most {RSS_LIMIT_BYTES >> 20} MiB', starts, clew, made)
        report.case('everything is there', whole, clew, made)
        clew.kill()
    report.finish()


def available_bytes():
    with open('/proc/meminfo', encoding='ascii') as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith('MemAvailable'))


def make(clew, wanted):
    """Flushes fail and the buffer takes all, so that only the log has the rows; then the server is killed."""
    clew.kill()
    clew.start(f'flush.frozen=error,flush-bytes={1 << 40},flush-age=86400')
    request = TraceRequest(SPANS, 'bigwal', time.time_ns() - 3600 * 10**9)
    number = wanted // len(request.template) + 1
    some = []

    def send(_):
        body, traces = request.new()
        http.post(f'{clew.otlp_http}/v1/traces', body, 'application/x-protobuf', timeout=60).expect(200)
        some.append(traces[0])
    start = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(number)))
    took = time.monotonic() - start
    print(f'          {number * SPANS} spans in {number} requests, {number * len(request.template) >> 20} MiB, in {took:.1f} s')
    clew.kill()
    return {'spans': number * SPANS, 'bytes': number * len(request.template), 'traces': some[::max(1, len(some) // 50)]}


def starts(clew, made):
    start = time.monotonic()
    clew.start()
    ready = time.monotonic() - start
    listening = clew.listening_after_s
    at_ready = peak_bytes(clew)
    eventually(lambda: all_there(clew, made), 120)
    replayed, peak = time.monotonic() - start, peak_bytes(clew)
    print(f'          listening after {listening:.2f} s, ready after {ready:.2f} s ({at_ready >> 20} MiB), '
          f'all rows after {replayed:.2f} s: {made["bytes"] / replayed / 1e6:.0f} MB/s, peak of memory {peak >> 20} MiB')
    assert ready < READY_LIMIT_S, f'ready after {ready:.1f} s'
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
