"""Ten times what it can take, in a memory cgroup of 1 GiB (version 1) with half of a core: memory holds,
what is accepted is answered in time, the rest is refused as retryable, and the rate of what is stored stays.

    overload.py [SECONDS]
"""
import http.client
import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.protobuf import TraceRequest
from harness.report import Report
from harness.server import Clew, eventually

MEMORY, CORES = 1 << 30, 0.5
RSS_SHARE, P99_LIMIT_S, GOODPUT_SHARE = 0.8, 0.25, 0.9
SPANS = 100
# Clients that keep the server just busy, and ten times as many.
FEW, MANY = 4, 200


def main():
    seconds, report = int(sys.argv[1]) if len(sys.argv) > 1 else 60, Report('overload')
    group = Group()
    if reason := group.why_not():
        report.skip('overload', reason)
        report.finish()
    with group, Clew() as clew:
        group.add(clew.process.pid)
        sent, peak, over = set(), Run(), Run()
        report.case(f'{FEW} clients', load, clew, group, FEW, seconds / 2, peak, sent)
        report.case(f'{MANY} clients', load, clew, group, MANY, seconds, over, sent)
        print(f'  {FEW} clients: {peak}\n  {MANY} clients: {over}; peak of memory {group.peak >> 20} MiB')
        report.case('memory', holds, 'bytes', group.peak, MEMORY * RSS_SHARE)
        report.case('accepted requests are answered in time (p99)', holds, 's', over.p99(), P99_LIMIT_S)
        report.case('goodput', holds, 'requests/s less', peak.rate() * GOODPUT_SHARE, over.rate())
        report.case('refusals are retryable', retryable, over)
        report.case('what was accepted is there', there, clew, sent)
        clew.kill()
    report.finish()


class Group:
    """A cgroup of version 1 for memory, and one for processor time."""

    def __init__(self):
        name = f'clew-overload-{os.getpid()}'
        self.memory, self.cpu = (Path(f'/sys/fs/cgroup/{kind}/{name}') for kind in ('memory', 'cpu'))
        self.peak = 0

    def why_not(self):
        if os.geteuid() != 0:
            return 'cgroups need root'
        for group in (self.memory, self.cpu):
            if not (group.parent / 'cgroup.procs').exists():
                return f'there is no cgroup of version 1 at {group.parent}'
        return None

    def __enter__(self):
        self.memory.mkdir()
        self.cpu.mkdir()
        (self.memory / 'memory.limit_in_bytes').write_text(str(MEMORY))
        (self.cpu / 'cpu.cfs_period_us').write_text('20000')
        (self.cpu / 'cpu.cfs_quota_us').write_text(str(int(20000 * CORES)))
        return self

    def __exit__(self, *_):
        for group in (self.memory, self.cpu):
            eventually(lambda group=group: left(group))

    def add(self, pid):
        for group in (self.memory, self.cpu):
            (group / 'cgroup.procs').write_text(str(pid))

    def watch(self):
        """Notes the memory in use. The page cache does not count: it gives way."""
        stat = dict(line.split() for line in (self.memory / 'memory.stat').read_text().splitlines())
        self.peak = max(self.peak, int(stat['total_rss']))


def left(group):
    try:
        group.rmdir()
    except OSError as error:
        raise AssertionError(str(error)) from error


class Run:
    def __init__(self):
        self.statuses, self.times, self.without_retry, self.seconds = Counter(), [], 0, 1

    def rate(self):
        return self.statuses[200] / self.seconds

    def p99(self):
        times = sorted(self.times)
        return times[len(times) * 99 // 100] if times else float('inf')

    def __str__(self):
        return f'{self.rate():.0f} stored/s, p99 {self.p99() * 1000:.0f} ms, answers {dict(self.statuses)}'


def load(clew, group, clients, seconds, run, sent):
    request = TraceRequest(SPANS, 'overload', time.time_ns() - 60 * 10**9)
    stop, lock = threading.Event(), threading.Lock()

    def client():
        host = clew.otlp_http.removeprefix('http://')
        connection = http.client.HTTPConnection(host, timeout=60)
        while not stop.is_set():
            body, traces = request.new()
            start = time.monotonic()
            try:
                connection.request('POST', '/v1/traces', body, {'Content-Type': 'application/x-protobuf'})
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                with lock:
                    run.statuses['none'] += 1
                continue
            took = time.monotonic() - start
            with lock:
                run.statuses[answer.status] += 1
                if answer.status == 200:
                    run.times.append(took)
                    sent.add(traces[0])
                elif not answer.headers.get('Retry-After'):
                    run.without_retry += 1
    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.2)
        assert clew.process.poll() is None, f'the server died ({clew.process.poll()})'
        group.watch()
    stop.set()
    for thread in threads:
        thread.join()
    run.seconds = seconds


def holds(unit, found, limit):
    assert found <= limit, f'{found:.3f} {unit}, at most {limit:.3f}'


def retryable(run):
    refused = {status: number for status, number in run.statuses.items() if status != 200}
    assert set(refused) <= {429, 503}, refused
    assert run.without_retry == 0, f'{run.without_retry} without Retry-After'


def there(clew, sent):
    for trace in list(sent)[::max(1, len(sent) // 200)]:
        spans = clew.get(f'traces/{trace}')['spans']
        assert len(spans) == 10, f'{trace}: {len(spans)} of 10 spans'


if __name__ == '__main__':
    main()
