"""What a client knows of its requests, kept outside of the server and its disk, and the traffic that fills it.

Every request is acknowledged, refused, or of unknown fate. Acknowledged must be there exactly once,
unknown whole once or not at all, refused not at all.
"""
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from . import http, otlp
from .server import eventually
from .threads import Threads

SPANS, RECORDS = 20, 5
ACKED, REFUSED, UNKNOWN = 'acknowledged', 'refused', 'unknown'


class Sent:
    """One request: the spans, or the log records, of a trace that no other request of its kind has."""

    def __init__(self, signal, trace, document):
        self.signal, self.trace, self.document, self.fate = signal, trace, document, UNKNOWN

    @property
    def rows(self):
        return SPANS if self.signal == 'traces' else RECORDS


class Ledger:
    def __init__(self):
        self.requests, self.retried, self.refusals = [], 0, 0
        # Status to the body and the Retry-After of the last one.
        self.refusals_by_status = {}

    def of(self, fate):
        return [sent for sent in self.requests if sent.fate == fate]

    def send(self, clew, sent, timeout=10):
        """Sends a request and notes its fate; the answer, or None."""
        try:
            answer = http.post(f'{clew.otlp_http}/v1/{sent.signal}', sent.document, timeout=timeout)
        except OSError as error:
            # A connection that was refused carried nothing.
            sent.fate = REFUSED if 'Connection refused' in str(error) else UNKNOWN
            return None
        if answer.status == 200:
            sent.fate = ACKED
        else:
            sent.fate = REFUSED
            self.refusals += 1
            self.refusals_by_status[answer.status] = (answer.body[:300], answer.headers.get('Retry-After'))
        return answer

    def settle(self, clew):
        """Sends again what has no acknowledgement, as an exporter does. It must then count once."""
        for sent in self.requests:
            if sent.fate != ACKED:
                answer = self.send(clew, sent)
                assert answer is not None and answer.status == 200, f'sent again: {answer and (answer.status, answer.body)}'
                self.retried += 1

    def verify(self, clew, since=0):
        """Compares the server with what is known of the requests from number `since` on."""
        requests = self.requests[since:]
        with ThreadPoolExecutor(8) as pool:
            wrong = list(filter(None, pool.map(lambda sent: wrong_with(clew, sent), requests)))
        assert not wrong, f'{len(wrong)} of {len(requests)} requests: {wrong[:3]}'

    def totals(self, clew):
        """Once all are settled: nothing is there besides."""
        assert all(sent.fate == ACKED for sent in self.requests), 'not settled'
        spans = sum(sent.rows for sent in self.requests if sent.signal == 'traces')
        logs = sum(sent.rows for sent in self.requests if sent.signal == 'logs')

        def check():
            status = clew.get('status')
            assert status['spans'] == spans, f'{status["spans"]} spans where {spans} were sent'
            assert status['logs'] == logs, f'{status["logs"]} log records where {logs} were sent'
        eventually(check)

    def __str__(self):
        return f'{len(self.of(ACKED))} requests acknowledged ({self.retried} at a second try), {self.refusals} refused'


def wrong_with(clew, sent):
    if sent.signal == 'traces':
        answer = http.get(f'{clew.http}/api/v1/traces/{sent.trace}').expect(200, 404)
        found = [span['span_id'] for span in answer.json()['spans']] if answer.status == 200 else []
    else:
        answer = http.get(f'{clew.http}/api/v1/traces/{sent.trace}/logs', {'limit': 100}).expect(200, 404)
        found = [log['body']['value'] for log in answer.json()['logs']] if answer.status == 200 else []
    what = f'{sent.trace}: {len(found)} of {sent.rows} rows ({sent.signal})'
    if len(found) != len(set(found)):
        return f'{what}, some doubled'
    allowed = {ACKED: (sent.rows,), UNKNOWN: (0, sent.rows), REFUSED: (0,)}[sent.fate]
    return None if len(found) in allowed else f'{what}, though {sent.fate}'


def requests(chance, service='ledger', age_s=0):
    """The two requests of a new trace."""
    trace, now = otlp.trace_id(), time.time_ns() - int(age_s * otlp.SECOND)
    padding = 'x' * chance.choice([0, 100, 5000])
    spans = [otlp.span(trace, f'op-{i}', now + i, attributes=otlp.attributes({'i': i, 'pad': padding})) for i in range(SPANS)]
    records = [otlp.record(f'line {i}', now + i, traceId=trace) for i in range(RECORDS)]
    return [Sent('traces', trace, otlp.traces(spans, service)), Sent('logs', trace, otlp.logs(records, service))]


class Load(Threads):
    """Clients that send as fast as they are answered, and flushes beside them, so that faults fall into
    writing segments and committing them too. They end with the context, or with the server."""

    def __init__(self, clew, ledger, seed, workers=4, flush_every_s=0.3, timeout=10, pause_s=0):
        super().__init__()
        self.clew, self.ledger, self.timeout, self.pause_s = clew, ledger, timeout, pause_s
        self.since = len(ledger.requests)
        seeds = random.Random(seed)
        self.threads = [threading.Thread(target=self._send, args=(random.Random(seeds.random()),)) for _ in range(workers)]
        if flush_every_s:
            self.threads.append(threading.Thread(target=self._flush, args=(flush_every_s,)))

    def acked(self):
        return sum(sent.fate == ACKED for sent in self.ledger.requests[self.since:])

    def _send(self, chance):
        while not self.stopped.is_set():
            for sent in requests(chance):
                self.ledger.requests.append(sent)
                answer = self.ledger.send(self.clew, sent, self.timeout)
                if answer is None and (sent.fate == REFUSED or self.clew.process.poll() is not None):
                    return
            self.stopped.wait(self.pause_s)

    def _flush(self, every_s):
        while not self.stopped.wait(every_s):
            try:
                http.post(f'{self.clew.http}/api/v1/flush', b'', timeout=30)
            except OSError:
                if self.clew.process.poll() is not None:
                    return
