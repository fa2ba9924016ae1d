"""Tail rules over a real server: errors, the slowest and a share stay, by whole traces, with their logs.

The rules judge after seconds here, and the sweep runs every second (a switch of tests, storage/src/fault.rs).
"""
import time

from harness import http, otlp
from harness.report import Report
from harness.server import Clew, eventually

AFTER_S = 8
TRACES = 300
RULES = f'''
[[retain]]
service = "health"
after = "{AFTER_S}s"
drop = true

[[retain]]
after = "{AFTER_S}s"
keep = {{ errors = true, slowest = "2%", sample = "5%" }}
'''


def main():
    report = Report('retention')
    with Clew() as clew:
        clew.kill()
        config = clew.root / 'clew.toml'
        config.write_text(RULES)
        clew.options = ('--config', str(config))
        clew.start(faults='sweep=1')
        sent = send(clew)
        report.case('nothing that is young is touched', whole, clew, sent)
        time.sleep(AFTER_S)
        young = send(clew)
        report.case('what came of age is thinned by whole traces', thinned, clew, sent)
        report.case('what is younger is all there', whole, clew, young, True)
        report.case('logs stay with their traces', logs, clew, sent)
        report.case('answers over thinned data say so', noted, clew)
        before = left(clew, sent)
        report.case('a restart changes nothing', restarted, clew, sent, before)
    report.finish()


class Sent:
    """Trace ids by kind; each trace has a root in one request and a child in a later one, and a log record."""

    def __init__(self):
        self.plain, self.slow, self.error, self.health = [], [], [], []

    def all(self):
        return self.plain + self.slow + self.error + self.health


def send(clew):
    sent, now = Sent(), time.time_ns()
    kinds = ['plain'] * TRACES + ['slow'] * 6 + ['error'] * 10 + ['health'] * 20
    roots, children, records, health = [], [], [], []
    for number, kind in enumerate(kinds):
        trace = otlp.trace_id()
        getattr(sent, kind).append(trace)
        long = 10**9 if kind == 'slow' else 10**6
        root = otlp.span(trace, 'op', now + number, now + number + long)
        status = {'status': {'code': 2}} if kind == 'error' else {}
        child = otlp.span(trace, 'child', now + number, parentSpanId=root['spanId'], **status)
        (health if kind == 'health' else roots).append(root)
        children.append(child)
        records.append(otlp.record(f'line {number}', now + number, traceId=trace))
    for service, spans in (('shop', roots), ('health', health), ('back', children)):
        http.post(f'{clew.otlp_http}/v1/traces', otlp.traces(spans, service)).expect(200)
        clew.flush()
    http.post(f'{clew.otlp_http}/v1/logs', otlp.logs(records, 'shop')).expect(200)
    clew.flush()
    return sent


def spans_of(clew, trace):
    answer = http.get(f'{clew.http}/api/v1/traces/{trace}').expect(200, 404)
    return len(answer.json()['spans']) if answer.status == 200 else 0


def left(clew, sent):
    return {trace: spans_of(clew, trace) for trace in sent.all()}


def whole(clew, sent, later=False):
    torn = [trace for trace, count in left(clew, sent).items() if count != 2]
    assert not torn, f'{len(torn)} of {len(sent.all())} traces are not whole' + (' though young' if later else '')


def thinned(clew, sent):
    def check():
        found = left(clew, sent)
        assert set(found.values()) <= {0, 2}, 'a trace is torn'
        assert all(found[trace] == 2 for trace in sent.error), 'an error is lost'
        assert all(found[trace] == 2 for trace in sent.slow), 'a slow trace is lost'
        assert not any(found[trace] for trace in sent.health), 'health checks are still there'
        kept = sum(found[trace] == 2 for trace in sent.plain)
        assert 0 < kept < TRACES * 0.15, f'{kept} of {TRACES} plain traces are there, of which 5% were to stay'
    eventually(check, limit_s=20)


def logs(clew, sent):
    def check():
        for trace, count in left(clew, sent).items():
            found = len(clew.get(f'traces/{trace}/logs')['logs'])
            if trace in sent.health:
                continue  # by the record's own service, which another rule covers
            assert found == (1 if count else 0), f'{trace}: {count} spans, {found} log records'
    eventually(check, limit_s=10)


def noted(clew):
    warnings = clew.get('traces', **{'from': 'now-1h'})['notes']['warnings']
    assert any('retention' in warning for warning in warnings), warnings
    fresh = clew.get('traces', **{'from': 'now-1s'})['notes']['warnings']
    assert not fresh, fresh


def restarted(clew, sent, before):
    assert clew.stop() == 0
    clew.start(faults='sweep=1')
    time.sleep(2)
    assert left(clew, sent) == before


if __name__ == '__main__':
    main()
