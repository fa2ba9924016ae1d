"""Tenants over a real server: each sees its own data by every way in and out, whatever happens to the others.

Three tenants send the same trace id; each has a word that stands in everything of it, and must stand in no answer
to another.
"""
import json
import os
import select
import socket
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from harness import http, otlp
from harness.report import Report
from harness.server import Clew, binary, eventually

CONFIG = '''
[tenants.acme]
retention = "1h"

[tenants.umbrella]
retention = "forever"
'''
# With the tenant of requests that name none.
TENANTS = (None, 'acme', 'umbrella')
TRACE = otlp.trace_id()
WORDS = {tenant: f'word{tenant or "default"}' for tenant in TENANTS}
HEADER = 'X-Scope-OrgID'
# Age is looked at every second.
FAULTS = 'sweep=1'


def main():
    report = Report('tenants')
    report.case('what cannot be declared is refused at the start', wrong_config)
    with Clew() as clew:
        clew.kill()
        declare(clew, CONFIG)
        clew.start(FAULTS)
        report.case('all send the same trace id', send_all, clew)
        for tenant in TENANTS:
            report.case(f'every API answers {tenant} with its own alone', own_alone, clew, tenant)
        report.case('the tail shows its own alone', tail, clew)
        report.case('gRPC', grpc, clew)
        report.case('Zipkin', zipkin, clew)
        report.case('every route × no header, declared, undeclared, malformed', matrix, clew)
        report.case('who is not declared is refused for good, and counted', undeclared, clew)
        report.case('header and parameter must agree', conflict, clew)
        report.case('tenants, and what each takes', usage, clew)
        report.case('one tenant in the way of the others', budget, clew)
        report.case('erasing in one leaves the others', erase, clew)
        report.case('age is by tenant', retention, clew)
        for how in ('stopped', 'killed'):
            report.case(f'{how} and started again', again, clew, how)
        report.case('demo and replay', demo, clew)
        report.case('a backup has all of them, and check looks at each', backup, clew)
        report.case('a tenant that is declared no more, and again', taken_away, clew)
        report.case('damage is told of the tenant that it is in', damaged, clew)
    report.case('segments elsewhere: beside each other, so that no sweep takes another\'s', elsewhere)
    report.finish()


def declare(clew, text):
    (clew.root / 'clew.toml').write_text(text)
    clew.options = ('--config', str(clew.root / 'clew.toml'))


def named(tenant):
    return {HEADER: tenant} if tenant else {}


def wrong_config():
    for text, options, says in (('[tenants.default]', [], 'name none'), ('[tenants."../x"]', [], 'no id of a tenant'),
                                (f'[tenants.{"x" * 60}]', ['--catalog', 'postgres://h/db'], 'too long for a schema'),
                                ('[tenants.a]', ['--store', 's3://bucket'], 's3://bucket/prefix')):
        clew = Clew()
        config = clew.root / 'clew.toml'
        config.write_text(text)
        done = subprocess.run([binary(), '--data-dir', clew.data, '--config', config, *options], capture_output=True, text=True, timeout=20)
        assert done.returncode == 2 and says in done.stderr, f'{text}: {done.returncode} {done.stderr}'
        assert not clew.data.exists(), 'something was made'
        clew.__exit__()


def send(clew, tenant, word=None, age_s=0):
    """A trace of two services and a log record; the word is in names, values and bodies."""
    word, now = word or WORDS[tenant], time.time_ns() - age_s * otlp.SECOND
    own = otlp.attributes({'key' + word: word, 'whose': word})
    root = otlp.span(TRACE, 'op-' + word, now, now + 2 * 10**6, attributes=own, kind=3)
    child = otlp.span(TRACE, 'child-' + word, now, now + 10**6, attributes=own, parentSpanId=root['spanId'])
    documents = (('traces', otlp.traces([root], 'front-' + word)), ('traces', otlp.traces([child], 'back-' + word)),
                 ('logs', otlp.logs([otlp.record('line ' + word, now, traceId=TRACE, attributes=own)], 'back-' + word)))
    for signal, document in documents:
        http.post(f'{clew.otlp_http}/v1/{signal}', document, headers=named(tenant)).expect(200)


def send_all(clew):
    for tenant in TENANTS:
        send(clew, tenant)


def questions():
    """Path, parameters and body of questions whose answers have the word of their tenant."""
    hour = {'from': 'now-1h'}
    now = int(time.time())
    micros = {'start': (now - 3600) * 10**6, 'end': (now + 60) * 10**6}
    sql = {'query': "SELECT name, service_name, attributes FROM spans"}
    return (
        ('/api/v1/traces', hour, None),
        (f'/api/v1/traces/{TRACE}', {}, None),
        (f'/api/v1/traces/{TRACE}', {'view': 'skeleton'}, None),
        (f'/api/v1/traces/{TRACE}/logs', {}, None),
        (f'/api/v1/traces/{TRACE}/statistics', {'group_by': 'service'}, None),
        ('/api/v1/logs', hour, None),
        ('/api/v1/services', hour, None),
        ('/api/v1/graph', {'from': 'now-1h', 'to': str((now + 60) * otlp.SECOND)}, None),
        ('/api/v1/tags', {'table': 'spans', **hour}, None),
        ('/api/v1/tags/whose/values', {'table': 'spans', **hour}, None),
        ('/api/v1/tags/whose/values', {'table': 'logs', **hour}, None),
        ('/api/v1/usage', {}, None),
        ('/api/v1/sql', {}, sql),
        ('/jaeger/api/services', {}, None),
        (f'/jaeger/api/traces/{TRACE}', {}, None),
        (f'/api/traces/{TRACE}', {}, None),
        ('/jaeger/api/v3/services', {}, None),
        (f'/jaeger/api/v3/traces/{TRACE}', {}, None),
        ('/jaeger/api/dependencies', {'endTs': now * 1000 + 60_000, 'lookback': 3_600_000}, None),
        ('/zipkin/api/v2/services', {}, None),
        (f'/zipkin/api/v2/trace/{TRACE}', {}, None),
        ('/prometheus/api/v1/label/service/values', {'start': now - 3600, 'end': now + 60}, None),
        ('/prometheus/api/v1/query', {'query': 'increase(traces_spanmetrics_calls_total[1h])', 'time': now + 60}, None),
    )


def ask(clew, path, parameters, body, tenant=None, **options):
    if body is None:
        return http.get(clew.http + path, parameters, **options, headers=named(tenant))
    query = '?' + urllib.parse.urlencode(parameters) if parameters else ''
    return http.post(clew.http + path + query, body, headers=named(tenant))


def own_alone(clew, tenant):
    def check():
        for path, parameters, body in questions():
            ways = [(parameters, tenant)]
            if tenant:
                ways.append(({**parameters, 'tenant': tenant}, None))
            for given, header in ways:
                answer = ask(clew, path, given, body, header).expect(200).body.decode()
                assert WORDS[tenant] in answer, f'{path} has not its own: {answer[:300]}'
                strange = [word for whose, word in WORDS.items() if whose != tenant and word in answer]
                assert not strange, f'{path} tells {tenant} of {strange}: {answer[:300]}'
        assert spans_of(clew, tenant) == 2, 'spans of the shared id'
    # Whole minutes are counted, and counts of the running one are seen with the next snapshot.
    eventually(check, limit_s=10)


def spans_of(clew, tenant):
    """How many spans the shared trace has for this tenant."""
    answer = http.get(f'{clew.http}/api/v1/traces/{TRACE}', headers=named(tenant)).expect(200, 404)
    return len(answer.json()['spans']) if answer.status == 200 else 0


def tail(clew):
    address = urllib.parse.urlparse(clew.http)
    with socket.create_connection((address.hostname, address.port), timeout=10) as stream:
        stream.sendall(f'GET /api/v1/logs/tail?tenant=acme HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n'.encode())
        seen = stream.recv(4096)
        assert b' 200 ' in seen, seen
        for tenant in (None, 'umbrella', 'acme'):
            record = otlp.record('tailed ' + WORDS[tenant], time.time_ns())
            http.post(f'{clew.otlp_http}/v1/logs', otlp.logs([record]), headers=named(tenant)).expect(200)
        while WORDS['acme'].encode() not in seen:
            more = stream.recv(4096)
            assert more, seen
            seen += more
        assert not any(WORDS[other].encode() in seen for other in (None, 'umbrella')), seen


def exporter(clew, tenant):
    return OTLPSpanExporter(endpoint=clew.otlp_grpc, insecure=True, timeout=5, headers={HEADER.lower(): tenant})


def export(clew, tenant, service):
    provider = TracerProvider(resource=Resource.create({'service.name': service}))
    span = provider.get_tracer('tests').start_span('over-grpc')
    span.end()
    return exporter(clew, tenant).export([span])


def services(clew, tenant):
    answer = http.get(f'{clew.http}/api/v1/services', {'from': 'now-1h'}, headers=named(tenant)).expect(200)
    return {service['id'] for service in answer.json()['services']}


def grpc(clew):
    assert export(clew, 'acme', 'grpc-acme') is SpanExportResult.SUCCESS
    begun = time.monotonic()
    assert export(clew, 'nobody', 'grpc-nobody') is SpanExportResult.FAILURE
    assert time.monotonic() - begun < 4, 'the exporter retries what is refused for good'

    def check():
        assert 'grpc-acme' in services(clew, 'acme')
    eventually(check)
    for other in (None, 'umbrella'):
        assert not {'grpc-acme', 'grpc-nobody'} & services(clew, other)


def zipkin(clew):
    span = {'traceId': otlp.trace_id(), 'id': otlp.span_id(), 'name': 'get', 'kind': 'SERVER', 'timestamp': time.time_ns() // 1000,
            'duration': 9, 'localEndpoint': {'serviceName': 'zipkin-umbrella'}}
    spans = f'{clew.http}/zipkin/api/v2/spans'
    http.post(spans, [span], headers=named('umbrella')).expect(202)
    http.post(f'{spans}?tenant=umbrella', [{**span, 'id': otlp.span_id()}]).expect(202)
    http.post(spans, [span], headers=named('nobody')).expect(403)
    eventually(lambda: check_in(services(clew, 'umbrella'), 'zipkin-umbrella'))
    assert not any('zipkin-umbrella' in services(clew, other) for other in (None, 'acme'))


def check_in(names, name):
    assert name in names, names


def matrix(clew):
    document = http.get(f'{clew.http}/openapi.json').expect(200).json()
    routes = [(method.upper(), path) for path, methods in document['paths'].items() for method in methods]
    assert len(routes) > 25, routes
    filled = {'trace_id': TRACE, 'span_id': '00000000000000aa', 'log_id': '0', 'service': 'x', 'key': 'whose', 'finding_id': '0' * 16}
    bodies = {'/api/v1/sql': {'query': 'SELECT 1'}, '/api/v1/findings/{finding_id}/accept': {'by': 'tests'}}
    for method, path in routes:
        address = clew.http + path.format(**filled)
        if path == '/api/v1/data':
            address += f'?dry_run=true&trace_id={otlp.trace_id()}'
        for tenant in (None, 'default', 'acme', 'umbrella', 'nobody', 'ACME', '../acme', 'acme|umbrella', ''):
            headers = {} if tenant is None else {HEADER: tenant}
            if path == '/api/v1/logs/tail' and tenant in (None, 'default', 'acme', 'umbrella'):
                continue  # an answer without an end, see `tail`
            answer = requested(method, address, bodies.get(path), headers)
            if tenant in (None, 'default', 'acme', 'umbrella'):
                assert answer.status < 500 and answer.status != 403, f'{method} {path} {tenant}: {answer.status} {answer.body[:200]}'
                continue
            error = answer.expect(403).json()['error']
            assert error['code'] == 'forbidden' and 'tenant' in error['message'], f'{method} {path} {tenant}: {error}'


def requested(method, address, body, headers):
    data = None if method == 'GET' else json.dumps(body or {}).encode()
    headers = {'Content-Type': 'application/json', **headers}
    return http.send(http.urllib.request.Request(address, data, headers, method=method), timeout=60)


def undeclared(clew):
    before = refused(clew)
    for tenant, says in (('nobody', '[tenants.nobody]'), ('..', 'no id of a tenant'), ('', 'no id of a tenant')):
        document = otlp.traces([otlp.span(otlp.trace_id(), start=time.time_ns())], 'never')
        answer = http.post(f'{clew.otlp_http}/v1/traces', document, headers={HEADER: tenant}).expect(403)
        assert says in answer.json()['message'] and 'Retry-After' not in answer.headers, answer.body
    assert refused(clew) == before + 3
    assert not any('never' in services(clew, tenant) for tenant in TENANTS)
    assert sorted(os.listdir(clew.data / 'tenants')) == ['acme', 'umbrella'], 'a header has made a directory'


def refused(clew):
    return metric(clew, 'clew_otlp_refused_bad_total')


def metric(clew, name):
    text = http.get(f'{clew.http}/metrics').expect(200).body.decode()
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + ' '))


def conflict(clew):
    status = f'{clew.http}/api/v1/status'
    http.get(status, {'tenant': 'acme'}, headers=named('umbrella')).expect(400)
    http.get(f'{status}?tenant=acme&tenant=umbrella').expect(400)
    assert http.get(status, {'tenant': 'acme'}, headers=named('acme')).expect(200).json()['data_dir'].endswith('/tenants/acme')
    page = {'Accept': 'text/html', HEADER: 'nobody'}
    assert b'<html' in http.get(f'{clew.http}/traces', headers=page).expect(200).body, 'the page tells, by what the API says'


def flush_all(clew):
    for tenant in TENANTS:
        http.post(f'{clew.http}/api/v1/flush', b'', headers=named(tenant)).expect(200)


def usage(clew):
    flush_all(clew)
    everyone = ['default', 'acme', 'umbrella']
    listed = clew.get('tenants', tenant='acme')
    assert [one['id'] for one in listed['tenants']] == everyone and listed['current'] == 'acme', listed
    told = clew.get('tenants/usage')['tenants']
    assert [one['tenant'] for one in told] == everyone and all(one['segment_bytes'] and one['wal_bytes'] for one in told), told
    bound = http.get(f'{clew.http}/api/v1/tenants', headers=named('acme')).expect(200).json()
    assert [one['id'] for one in bound['tenants']] == ['acme'], 'a tenant is told of others'
    text = http.get(f'{clew.http}/metrics').expect(200).body.decode()
    assert all(f'clew_wal_bytes{{tenant="{name}"}}' in text for name in everyone), text
    disk = ', '.join(f'{one["tenant"]} {one["total_bytes"] / 2**20:.1f} MiB' for one in told)
    print(f'    disk: {disk}; memory {clew.rss_bytes() >> 20} MiB')


def budget(clew):
    """Bodies of acme that do not end hold all that it may have of the memory for requests."""
    held = []
    try:
        for size in (32 << 20, 8 << 20, 1 << 20, 128 << 10, 64 << 10, 64 << 10):
            while (stream := unfinished(clew, 'acme', size)) is not None:
                held.append(stream)
                assert len(held) < 200, 'there is no bound'
        document = otlp.traces([otlp.span(otlp.trace_id(), start=time.time_ns())], 'beside')
        post = lambda tenant: http.post(f'{clew.otlp_http}/v1/traces', document, headers=named(tenant))
        assert post('acme').expect(503).headers['Retry-After'], 'its part is not used up'
        for other in (None, 'umbrella'):
            post(other).expect(200)
    finally:
        for stream in held:
            stream.close()
    eventually(lambda: post('acme').expect(200))


def unfinished(clew, tenant, size):
    """A request that lacks its last byte; None where it is refused for now."""
    address = urllib.parse.urlparse(clew.otlp_http)
    stream = socket.create_connection((address.hostname, address.port), timeout=10)
    stream.sendall(f'POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n{HEADER}: {tenant}\r\n'
                   f'Content-Length: {size}\r\n\r\n'.encode())
    try:
        stream.sendall(bytes(size - 1))
    except OSError:
        pass  # refused before all was sent
    # A refusal comes half a second later: the server reads on for that long, so that its answer is read.
    if not select.select([stream], [], [], 1)[0]:
        return stream
    try:
        answer = stream.recv(4096)
    except OSError:
        answer = b' 503 '
    stream.close()
    assert b' 503 ' in answer, answer
    return None


def erase(clew):
    before = spans_of(clew, 'acme'), spans_of(clew, None)
    assert all(before), before
    done = http.send(http.urllib.request.Request(f'{clew.http}/api/v1/data?trace_id={TRACE}', headers=named('umbrella'), method='DELETE'), 60)
    assert done.expect(200).json()['verified'] and done.json()['spans'] == 2, done.body
    assert spans_of(clew, 'umbrella') == 0
    assert (spans_of(clew, 'acme'), spans_of(clew, None)) == before
    send(clew, 'umbrella')
    assert spans_of(clew, 'umbrella') == 2


def retention(clew):
    """Two hours old: too old for acme, which keeps an hour. Whole segments go, so they are in some of their own."""
    flush_all(clew)
    for tenant in TENANTS:
        send(clew, tenant, word='old' + WORDS[tenant], age_s=7200)
    flush_all(clew)
    find = lambda tenant: http.get(f'{clew.http}/api/v1/logs', {'q': f'"line old{WORDS[tenant]}"', 'from': 'now-3h'},
                                   headers=named(tenant)).expect(200).json()['logs']

    def check():
        assert not find('acme'), 'it is still there'
    eventually(check, limit_s=15)
    assert find(None) and find('umbrella')
    assert spans_of(clew, 'acme') == 2, 'what is young went too'


def again(clew, how):
    before = {tenant: (spans_of(clew, tenant), services(clew, tenant)) for tenant in TENANTS}
    extra = otlp.trace_id()
    for tenant in TENANTS:
        spans = [otlp.span(extra, 'late', time.time_ns())]
        http.post(f'{clew.otlp_http}/v1/traces', otlp.traces(spans, f'{how}-{WORDS[tenant]}'), headers=named(tenant)).expect(200)
    if how == 'killed':
        clew.kill()
    else:
        assert clew.stop() == 0
    clew.start(FAULTS)
    for tenant in TENANTS:
        count, names = spans_of(clew, tenant), services(clew, tenant)
        assert count == before[tenant][0] and names == before[tenant][1] | {f'{how}-{WORDS[tenant]}'}, (tenant, count, names)


def demo(clew):
    done = run(['demo', '--endpoint', clew.otlp_http, '--tenant', 'umbrella', '--history', 'none', '--duration', '1s'])
    assert done.returncode == 0, done.stderr
    eventually(lambda: check_in(services(clew, 'umbrella'), 'api-gateway'))
    assert not any('api-gateway' in services(clew, other) for other in (None, 'acme'))
    lines = clew.root / 'lines.log'
    lines.write_text('replayed line\n')
    done = run(['replay', lines, '--endpoint', clew.otlp_http, '--tenant', 'acme', '--service', 'replayed'])
    assert done.returncode == 0, done.stderr
    for command in (['demo', '--duration', '1s'], ['replay', lines]):
        done = run([*command, '--endpoint', clew.otlp_http, '--tenant', 'nobody'])
        assert done.returncode == 1 and 'nobody' in done.stderr and 'declared' in done.stderr, done.stderr


def run(arguments):
    environment = {key: value for key, value in os.environ.items() if not key.startswith('CLEW_')}
    return subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=120, env=environment)


def backup(clew):
    to = clew.root / 'copy'
    done = run(['backup', '--data-dir', clew.data, '--to', to])
    assert done.returncode == 0, done.stderr
    expected = {tenant: (spans_of(clew, tenant), services(clew, tenant)) for tenant in TENANTS}
    done = run(['check', '--data-dir', to])
    assert done.returncode == 0 and 'tenant acme:' in done.stdout and 'tenant umbrella:' in done.stdout, done.stdout + done.stderr
    assert f'{to} is whole' in done.stdout and f'{to}/tenants/acme is whole' in done.stdout, done.stdout
    with Clew(*clew.options, data=to) as copy:
        found = {tenant: (spans_of(copy, tenant), services(copy, tenant)) for tenant in TENANTS}
    assert found == expected, (found, expected)


def taken_away(clew):
    spans = spans_of(clew, 'umbrella')
    assert clew.stop() == 0
    declare(clew, '[tenants.acme]\n')
    clew.start()
    http.get(f'{clew.http}/api/v1/status', headers=named('umbrella')).expect(403)
    assert 'umbrella' in clew.log_tail() and 'not declared' in clew.log_tail()
    assert spans_of(clew, 'acme') == 2
    assert clew.stop() == 0
    declare(clew, CONFIG)
    clew.start()
    assert spans and spans_of(clew, 'umbrella') == spans


def damaged(clew):
    flush_all(clew)
    assert clew.stop() == 0
    file = next(Path(clew.data / 'tenants/umbrella/lake').rglob('*.parquet'))
    with open(file, 'r+b') as opened:
        opened.seek(100)
        byte = opened.read(1)
        opened.seek(100)
        opened.write(bytes([byte[0] ^ 1]))
    done = run(['check', '--data-dir', clew.data])
    assert done.returncode == 1 and 'tenants/umbrella is damaged' in done.stderr, done.stdout + done.stderr
    assert f'{clew.data} is whole' in done.stdout and 'tenants/acme is whole' in done.stdout, done.stdout
    done = run(['backup', '--data-dir', clew.data, '--to', clew.root / 'damaged'])
    assert done.returncode == 1 and 'tenants/umbrella' in done.stderr and not (clew.root / 'damaged').exists(), done.stderr


def elsewhere():
    with Clew() as clew:
        clew.kill()
        store = f'file://{clew.root}/lake'
        declare(clew, CONFIG)
        clew.options += ('--store', store)
        clew.start('sweep=1,grace=1')
        send_all(clew)
        flush_all(clew)
        time.sleep(4)  # some sweeps
        for tenant in TENANTS:
            assert spans_of(clew, tenant) == 2, tenant
            place = clew.root / (f'lake-tenants/{tenant}' if tenant else 'lake')
            assert len(list(place.rglob('*.parquet'))) >= 2, place
        assert clew.stop() == 0
        done = run(['check', '--data-dir', clew.data, '--store', store])
        assert done.returncode == 0 and done.stdout.count(' is whole') == 3, done.stdout + done.stderr
        to = clew.root / 'copy'
        done = run(['backup', '--data-dir', clew.data, '--store', store, '--to', to])
        assert done.returncode == 0, done.stderr
        clew.options = clew.options[:2]
        with Clew(*clew.options, data=to) as copy:
            assert [spans_of(copy, tenant) for tenant in TENANTS] == [2, 2, 2]


if __name__ == '__main__':
    sys.exit(main())
