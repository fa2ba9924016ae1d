"""kill -9 under load, again and again: what was acknowledged is there once, what was not at most once.

    kill9.py [ROUNDS [SEED]]

The ledger is in this process, outside of the server and its disk. Requests without an answer are sent
again after the restart, as an exporter does, and must then count once.
"""
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from harness import http, otlp
from harness.report import Report
from harness.server import Clew, eventually

WORKERS, SPANS, RECORDS = 4, 20, 5
READY_LIMIT_S = 5


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(10**6)
    print(f'  seed {seed}')
    chance, ledger, report = random.Random(seed), Ledger(), Report('kill9')
    with Clew() as clew:
        for number in range(1, rounds + 1):
            report.case(f'round {number}', one_round, clew, ledger, chance)
        report.case(f'all {len(ledger.acked)} acknowledged requests at the end', verify, clew, ledger.acked)
        report.case('totals', totals, clew, ledger)
        report.case('clew stops on SIGTERM with 0', stops, clew)
        clew.start()
        report.case('and after a clean restart', totals, clew, ledger)
    print(f'  {len(ledger.acked)} requests acknowledged ({ledger.retried} at a second try), {ledger.refused} refused')
    report.finish()


class Ledger:
    """Requests by fate. A request is a trace id, under which spans and log records go."""

    def __init__(self):
        self.acked, self.refused, self.retried = [], 0, 0
        # Sent without an answer: trace id to what was sent.
        self.unknown = {}


def one_round(clew, ledger, chance):
    before, stop = len(ledger.acked), threading.Event()
    seeds = [chance.random() for _ in range(WORKERS)]
    workers = [threading.Thread(target=load, args=(clew, ledger, stop, random.Random(seed))) for seed in seeds]
    workers.append(threading.Thread(target=flushes, args=(clew, stop)))
    for worker in workers:
        worker.start()
    time.sleep(chance.uniform(0.1, 1.2))
    clew.kill()
    stop.set()
    for worker in workers:
        worker.join()
    start = time.monotonic()
    clew.start()
    took = time.monotonic() - start
    assert took < READY_LIMIT_S, f'ready after {took:.1f} s'
    assert len(ledger.acked) > before, 'nothing was acknowledged before the kill'
    verify(clew, ledger.acked[before:], list(ledger.unknown))
    for trace in list(ledger.unknown):
        for signal, document in ledger.unknown.pop(trace):
            http.post(f'{clew.otlp_http}/v1/{signal}', document).expect(200)
        ledger.acked.append(trace)
        ledger.retried += 1


def load(clew, ledger, stop, chance):
    """Spans, then log records of the same trace; acknowledged when both are."""
    while not stop.is_set():
        trace, now = otlp.trace_id(), time.time_ns()
        padding = 'x' * chance.choice([0, 100, 5000])
        spans = [otlp.span(trace, f'op-{i}', now + i, attributes=otlp.attributes({'i': i, 'pad': padding})) for i in range(SPANS)]
        records = [otlp.record(f'line {i}', now + i, traceId=trace) for i in range(RECORDS)]
        requests = [('traces', otlp.traces(spans, 'kill9')), ('logs', otlp.logs(records, 'kill9'))]
        try:
            statuses = [http.post(f'{clew.otlp_http}/v1/{signal}', document, timeout=10).status for signal, document in requests]
        except OSError:
            ledger.unknown[trace] = requests
            continue
        if statuses == [200, 200]:
            ledger.acked.append(trace)
        else:
            # Half of it may be there: an exporter would send it again.
            ledger.refused += 1
            ledger.unknown[trace] = requests


def flushes(clew, stop):
    """So that kills fall into writing segments and committing them too."""
    while not stop.is_set():
        try:
            http.post(f'{clew.http}/api/v1/flush', b'', timeout=10)
        except OSError:
            return
        stop.wait(0.3)


def verify(clew, acked, unknown=()):
    with ThreadPoolExecutor(8) as pool:
        wrong = list(filter(None, pool.map(lambda trace: wrong_with(clew, trace, True), acked)))
        wrong += filter(None, pool.map(lambda trace: wrong_with(clew, trace, False), unknown))
    assert not wrong, f'{len(wrong)} of {len(acked)} acknowledged and {len(unknown)} unknown requests: {wrong[:3]}'


def wrong_with(clew, trace, acknowledged):
    answer = http.get(f'{clew.http}/api/v1/traces/{trace}')
    if answer.status not in (200, 404):
        return f'{trace}: status {answer.status}'
    spans = [span['span_id'] for span in answer.json()['spans']] if answer.status == 200 else []
    answer = http.get(f'{clew.http}/api/v1/traces/{trace}/logs', {'limit': 100}).expect(200, 404)
    logs = [log['body']['value'] for log in answer.json()['logs']] if answer.status == 200 else []
    for name, found, size in (('spans', spans, SPANS), ('log records', logs, RECORDS)):
        if len(found) != len(set(found)):
            return f'{trace}: {name} doubled'
        if acknowledged and len(found) != size:
            return f'{trace}: {len(found)} of {size} {name}, though acknowledged'
    return None


def totals(clew, ledger):
    """By now every request has been acknowledged: nothing is there besides."""
    def check():
        status, requests = clew.get('status'), len(ledger.acked)
        assert status['spans'] == requests * SPANS, f'{status["spans"]} spans of {requests} requests'
        assert status['logs'] == requests * RECORDS, f'{status["logs"]} log records of {requests} requests'
    eventually(check)


def stops(clew):
    code = clew.stop()
    assert code == 0, f'exit code {code}'


if __name__ == '__main__':
    main()
