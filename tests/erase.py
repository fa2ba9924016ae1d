"""Verified deletion over a real server: what was erased is in no byte of the data directory.

    erase.py [KILLS]

Secrets are unique words in attribute values, log bodies and service names. Files are searched for them raw;
Parquet and index pages are compressed, so besides that it is checked that no file is left that was there
before, DuckDB reads every Parquet file, and the server is asked in every way that showed the secret before.
"""
import os
import random
import sys
import threading
import time
import urllib.parse

import duckdb

from harness import http, otlp
from harness.report import Report
from harness.server import Clew, eventually

NEIGHBOURS = 30


def main():
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    report = Report('erase')
    with Clew() as clew:
        report.case('a dry run counts and erases nothing', dry_run, clew)
        report.case('a trace goes with its logs, from everywhere', by_trace, clew)
        report.case('an attribute goes, whatever its type and scope', by_attribute, clew)
        report.case('a service name goes, and its statistics', by_service, clew)
        report.case('what arrives while it runs stays', in_flight, clew)
        report.case('what may erase too much is refused', refused, clew)
        report.case('neighbours are all there after a restart', after_restart, clew)
    report.case('from segments that compaction has merged', merged)
    report.case('from log files that are used again', recycled)
    for number in range(1, kills + 1):
        report.case(f'kill -9 in the middle, {number}: the same call does the rest', killed, number)
    for point in ('erase.before-commit', 'erase.after-commit', 'erase.before-delete', 'erase.before-scrub'):
        report.case(f'killed at {point}', killed_at, point)
    report.finish()


class Shop:
    """Spans and logs with a secret, among neighbours without."""

    def __init__(self, clew, flush=True, rounds=3, service='shop'):
        self.clew, self.service = clew, service
        self.secret = 'secret' + os.urandom(8).hex()
        self.trace, self.neighbours = otlp.trace_id(), []
        for _ in range(rounds):
            spans, records, now = [], [], time.time_ns()
            for number in range(NEIGHBOURS):
                trace = otlp.trace_id()
                self.neighbours.append(trace)
                spans.append(otlp.span(trace, f'op-{number % 5}', now + number, attributes=otlp.attributes({'n': number})))
                records.append(otlp.record(f'neighbour {number}', now + number, traceId=trace))
            own = otlp.attributes({'user': self.secret, 'tags': ['a', self.secret]})
            event = {'timeUnixNano': str(now), 'name': 'e', 'attributes': otlp.attributes({'mail': self.secret})}
            spans.append(otlp.span(self.trace, 'pay ' + self.secret, now, attributes=own, events=[event]))
            records.append(otlp.record(f'paid by {self.secret}', now, traceId=self.trace, attributes=own))
            post(clew, 'traces', otlp.traces(spans, service))
            post(clew, 'logs', otlp.logs(records, service))
            if flush:
                clew.flush()

    def check_gone(self):
        assert not held(self.clew, self.secret), f'{held(self.clew, self.secret)} hold the secret'
        self.check_answers()

    def check_answers(self):
        clew = self.clew
        assert http.get(f'{clew.http}/api/v1/traces/{self.trace}').status == 404
        found = clew.get('logs', q=self.secret, **{'from': 'now-1h'})
        assert not found['logs'], found
        values = clew.get('tags/user/values', **{'from': 'now-1h'})['values']
        assert self.secret not in values
        rows = http.post(f'{clew.http}/api/v1/sql', {'query':
            f"SELECT count(*) FROM spans WHERE attributes LIKE '%{self.secret}%' OR name LIKE '%{self.secret}%'"})
        assert rows.expect(200).json()['rows'] == [[0]], rows.body

    def check_neighbours(self):
        for trace in self.neighbours:
            answer = http.get(f'{self.clew.http}/api/v1/traces/{trace}').expect(200).json()
            assert len(answer['spans']) == 1, trace
            logs = self.clew.get(f'traces/{trace}/logs')['logs']
            assert len(logs) == 1, f'{trace}: {len(logs)} log records'


def post(clew, signal, document):
    http.post(f'{clew.otlp_http}/v1/{signal}', document).expect(200)


def erase(clew, *pairs, status=200, **named):
    query = urllib.parse.urlencode([*pairs, *named.items()])
    request = http.urllib.request.Request(f'{clew.http}/api/v1/data?{query}', method='DELETE')
    return http.send(request, timeout=120).expect(status).json()


def files(clew):
    return {os.path.join(folder, name) for folder, _, names in os.walk(clew.data) for name in names}


def held(clew, secret):
    """Files of the data directory with the secret: raw, or in a Parquet file."""
    found = []
    for path in files(clew):
        try:
            with open(path, 'rb') as file:
                if secret.encode() in file.read():
                    found.append(path)
        except FileNotFoundError:
            continue  # a flush or a sweep goes on meanwhile
        if path.endswith('.parquet'):
            text = ' || '.join(f"coalesce({name}::varchar, '')" for name in text_columns(path))
            hits = duckdb.sql(f"SELECT count(*) FROM read_parquet('{path}') WHERE ({text}) LIKE '%{secret}%'").fetchone()[0]
            if hits:
                found.append(path)
    return found


def text_columns(path):
    return [f'"{name}"' for name, kind, *_ in duckdb.sql(f"DESCRIBE SELECT * FROM read_parquet('{path}')").fetchall()
            if kind == 'VARCHAR']


def dry_run(clew):
    shop = Shop(clew)
    before = held(clew, shop.secret)
    assert before, 'the test would pass without the deletion: no file holds the secret'
    counted = erase(clew, trace_id=shop.trace, dry_run='true')
    assert (counted['spans'], counted['logs'], counted['verified']) == (3, 3, False), counted
    assert held(clew, shop.secret), 'a dry run erased'
    shop.check_neighbours()


def by_trace(clew):
    shop = Shop(clew)
    Shop.check_neighbours(shop)
    late = Shop(clew, flush=False)
    parquet = {path for path in held(clew, shop.secret) if path.endswith('.parquet')}
    indexes = {path[:-len('parquet')] + 'index' for path in parquet}
    logs = {path for path in held(clew, shop.secret) if '/wal/' in path}
    assert parquet and logs, (parquet, logs)
    erased = erase(clew, ('trace_id', shop.trace), ('trace_id', late.trace))
    assert (erased['spans'], erased['logs'], erased['verified']) == (6, 6, True), erased
    assert erased['segments_rewritten'] and erased['files_deleted'] and erased['wal_files'], erased
    left = files(clew) & (parquet | indexes | logs)
    assert not left, f'{left} are still there'
    for one in (shop, late):
        one.check_gone()
        one.check_neighbours()
    again = erase(clew, ('trace_id', shop.trace), ('trace_id', late.trace))
    assert (again['spans'], again['segments_rewritten'], again['verified']) == (0, 0, True), again


def by_attribute(clew):
    shop = Shop(clew)
    for number in (4711, 2.5, True):
        trace, now = otlp.trace_id(), time.time_ns()
        post(clew, 'traces', otlp.traces([otlp.span(trace, 'typed', now, attributes=otlp.attributes({'value': number}))]))
        clew.flush()
        text = {4711: '4711', 2.5: '2.5', True: 'true'}[number]
        assert erase(clew, attribute='value', value=text)['spans'] == 1, number
        assert http.get(f'{clew.http}/api/v1/traces/{trace}').status == 404
    assert erase(clew, attribute='resource.user', value=shop.secret)['spans'] == 0
    erased = erase(clew, attribute='user', value=shop.secret)
    assert (erased['spans'], erased['logs'], erased['verified']) == (3, 3, True), erased
    shop.check_gone()
    shop.check_neighbours()


def by_service(clew):
    service = 'service' + os.urandom(8).hex()
    shop = Shop(clew, service=service)
    assert service in [one['id'] for one in clew.get('services')['services']]
    assert held(clew, service)
    erased = erase(clew, attribute='resource.service.name', value=service)
    assert erased['verified'] and erased['spans'] == 3 * (NEIGHBOURS + 1), erased
    assert not held(clew, service), held(clew, service)
    assert not held(clew, shop.secret), held(clew, shop.secret)
    assert service not in [one['id'] for one in clew.get('services')['services']]


def merged():
    """Small flushes until compaction has removed some: their files wait for ten minutes, with the secret in them."""
    with Clew() as clew:
        clew.kill()
        clew.start(faults='sweep=1')
        shop = Shop(clew, rounds=12)
        eventually(lambda: settled(clew), limit_s=20)
        assert len(parquet(clew)) > clew.get('status')['segments'], 'the merged files are gone before their time'
        erased = erase(clew, trace_id=shop.trace)
        assert (erased['spans'], erased['logs'], erased['verified']) == (12, 12, True), erased
        assert len(parquet(clew)) == clew.get('status')['segments'], 'files that no answer needs'
        shop.check_gone()
        shop.check_neighbours()


def recycled():
    """Log files of 128 KiB: a spare one, and one in use behind what was written to it, still hold what was there
    in their life before."""
    with Clew() as clew:
        clew.kill()
        clew.start(faults='wal-segment=131072')
        shop = Shop(clew)
        for _ in range(30):
            Shop(clew, rounds=1)
        logs = [path for path in held(clew, shop.secret) if '/wal/' in path]
        assert logs, 'no log file holds the secret any more: the test would show nothing'
        assert erase(clew, trace_id=shop.trace)['verified']
        shop.check_gone()
        shop.check_neighbours()


def parquet(clew):
    return [path for path in files(clew) if path.endswith('.parquet')]


def settled(clew):
    assert clew.get('status')['segments'] < 16, clew.get('status')


def in_flight(clew):
    """Neighbours are sent all the time; every one that was acknowledged stays."""
    shop, sent, stop = Shop(clew), [], threading.Event()

    def load():
        while not stop.is_set():
            trace = otlp.trace_id()
            post(clew, 'traces', otlp.traces([otlp.span(trace, 'meanwhile', time.time_ns())]))
            sent.append(trace)

    sender = threading.Thread(target=load)
    sender.start()
    try:
        time.sleep(0.2)
        for _ in range(3):
            assert erase(clew, attribute='user', value=shop.secret)['verified']
    finally:
        stop.set()
        sender.join()
    assert len(sent) > 10, 'hardly anything was sent'
    for trace in sent:
        http.get(f'{clew.http}/api/v1/traces/{trace}').expect(200)
    shop.check_gone()
    shop.check_neighbours()


def refused(clew):
    for pairs in ((), (('trace_id', 'xyz'),), (('attribute', 'k'),), (('trace_id', '1'), ('form', '5'))):
        erase(clew, *pairs, status=400)
    url = f'{clew.http}/api/v1/data?trace_id=1'
    foreign = http.urllib.request.Request(url, method='DELETE', headers={'Origin': 'http://evil.example'})
    http.send(foreign, 30).expect(403)
    rebound = http.urllib.request.Request(url, method='DELETE', headers={'Host': 'evil.example'})
    http.send(rebound, 30).expect(403)
    http.get(url).expect(405)


def after_restart(clew):
    shop = Shop(clew, flush=False)
    assert erase(clew, trace_id=shop.trace)['spans'] == 3
    clew.kill()
    clew.start()
    shop.check_gone()
    shop.check_neighbours()
    # What a killed server had logged is not lost for what was erased beside it.
    assert clew.stop() == 0
    clew.start()
    shop.check_gone()
    shop.check_neighbours()


def killed(number):
    chance = random.Random(number)
    with Clew() as clew:
        shop = Shop(clew)
        rest = Shop(clew, flush=False)
        def call():
            try:
                erase(clew, ('trace_id', shop.trace), ('trace_id', rest.trace))
            except (OSError, AssertionError):
                pass  # killed while it ran
        caller = threading.Thread(target=call)
        caller.start()
        time.sleep(chance.uniform(0.01, 0.25))
        clew.kill()
        caller.join()
        clew.start()
        finish(clew, shop, rest)


def killed_at(point):
    """At a failpoint (storage/src/fault.rs)."""
    with Clew() as clew:
        shop, rest = Shop(clew), Shop(clew, flush=False)
        clew.kill()
        clew.start(faults=f'{point}=crash')
        try:
            erase(clew, ('trace_id', shop.trace), ('trace_id', rest.trace))
        except OSError:
            pass
        assert clew.process.wait(10) == -9, 'it was not killed'
        clew.start()
        finish(clew, shop, rest)


def finish(clew, shop, rest):
    """After a crash the store is whole; the call made again erases what is left."""
    for one in (shop, rest):
        one.check_neighbours()
    erased = erase(clew, ('trace_id', shop.trace), ('trace_id', rest.trace))
    assert erased['verified'], erased
    for one in (shop, rest):
        one.check_gone()
        one.check_neighbours()


if __name__ == '__main__':
    main()
