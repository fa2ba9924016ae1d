"""Bad input to the receivers: a clear error or a partial success, bounded memory, neighbours kept."""
import gzip
import io
import json
import socket
import struct
import time
import urllib.parse

from harness import http, otlp
from harness.report import Report
from harness.server import Clew, eventually

PROTOBUF = 'application/x-protobuf'
# Beside what the server needs anyway (reliability.md, goal 10).
MEMORY_LIMIT = 512 << 20
NOW = time.time_ns()


def main():
    report = Report('badinput')
    with Clew() as clew:
        http.post(f'{clew.otlp_http}/v1/traces', otlp.traces([otlp.span(otlp.trace_id(), start=NOW)])).expect(200)
        for cases in (bodies, headers, values, ids_and_times, bombs, slow):
            cases(report, clew)
            report.case(f'after {cases.__name__}: the server lives and takes data', alive, clew)
    report.finish()


# --- bodies that are no request ------------------------------------------------------------------

def bodies(report, clew):
    good = trace_protobuf()
    refused = {
        'garbage': b'\xff\xfe\xfd garbage', 'cut protobuf': good[:-3], 'group wire type': b'\x0b\x0c',
        'length past the end': b'\x0a\xff\xff\xff\xff\x0f', 'endless varint': b'\x0a' + b'\xff' * 20,
        'field number 0': b'\x02\x00', 'gzip inside without saying so': gzip.compress(good),
    }
    for name, body in refused.items():
        report.case(f'protobuf: {name}', expect_status, clew, body, PROTOBUF, 400)
    for name, body in {
        'empty': b'', 'not JSON': b'{', 'a list': b'[]', 'a number': b'17', 'NaN': b'{"resourceSpans":[{"x":NaN}]}',
        'wrong type': b'{"resourceSpans":17}', 'invalid UTF-8': b'{"resourceSpans":[{"schemaUrl":"\xff"}]}',
        'depth 100,000': b'{"resourceSpans":' + b'[' * 100_000,
    }.items():
        report.case(f'JSON: {name}', expect_status, clew, body, 'application/json', 400)
    report.case('an empty protobuf request is a request', expect_status, clew, b'', PROTOBUF, 200)
    report.case('the error of a protobuf request is protobuf', error_type, clew, PROTOBUF, b'\xff')
    report.case('the error of a JSON request is JSON', error_type, clew, 'application/json', b'{')


def headers(report, clew):
    for name, body, content_type, more, status in (
        ('unknown content type', b'hello', 'text/plain', {}, 415),
        ('unknown encoding', b'{}', 'application/json', {'Content-Encoding': 'br'}, 415),
        ('not gzip', b'{}', 'application/json', {'Content-Encoding': 'gzip'}, 400),
        ('not zstd', b'{}', 'application/json', {'Content-Encoding': 'zstd'}, 400),
        ('cut gzip', gzip.compress(b'{"resourceSpans":[]}')[:-6], 'application/json', {'Content-Encoding': 'gzip'}, 400),
    ):
        report.case(f'header: {name}', expect_status, clew, body, content_type, status, more)
    report.case('GET is not allowed', lambda: http.get(f'{clew.otlp_http}/v1/traces').expect(405))
    report.case('an unknown path', lambda: http.post(f'{clew.otlp_http}/v1/nothing', b'{}').expect(404))


# --- requests with bad parts: neighbours are kept ------------------------------------------------

def values(report, clew):
    deep = {'stringValue': 'x'}
    for _ in range(200):
        deep = {'arrayValue': {'values': [deep]}}
    for name, attributes in {
        'nested 200 deep': [{'key': 'deep', 'value': deep}],
        '100,000 attributes': [{'key': f'k{i}', 'value': {'intValue': str(i)}} for i in range(100_000)],
        'a string of 3 MB': [{'key': 'big', 'value': {'stringValue': 'x' * 3_000_000}}],
        'NUL and markup': [{'key': 'a\x00b', 'value': {'stringValue': '<script>\x00</script>'}}],
        'an empty key, twice': [{'key': '', 'value': {}}, {'key': '', 'value': {'stringValue': 'second'}}],
        'int as number, too large': [{'key': 'i', 'value': {'intValue': 2**63 - 1}}],
        'doubles of every kind': [{'key': k, 'value': {'doubleValue': k}} for k in ('NaN', 'Infinity', '-Infinity')],
    }.items():
        report.case(f'value: {name}', neighbour_kept, clew, {'attributes': attributes})
    report.case('100,000 service names', many_services, clew)


def ids_and_times(report, clew):
    for name, fields in {
        'trace id of 8 bytes': {'traceId': 'ab' * 8}, 'trace id of 17 bytes': {'traceId': 'ab' * 17},
        'trace id missing': {'traceId': ''}, 'trace id of zeros': {'traceId': '0' * 32},
        'span id of 4 bytes': {'spanId': 'ab' * 4}, 'span id missing': {'spanId': ''}, 'span id of zeros': {'spanId': '0' * 16},
        'parent of zeros': {'parentSpanId': '0' * 16}, 'parent is itself': {'spanId': 'aa' * 8, 'parentSpanId': 'aa' * 8},
        'time 0': {'startTimeUnixNano': '0', 'endTimeUnixNano': '0'},
        'time of 2^64-1': {'startTimeUnixNano': str(2**64 - 1), 'endTimeUnixNano': str(2**64 - 1)},
        'ten years ago': {'startTimeUnixNano': str(NOW - 315 * 10**15), 'endTimeUnixNano': str(NOW - 315 * 10**15 + 5)},
        'in ten years': {'startTimeUnixNano': str(NOW + 315 * 10**15), 'endTimeUnixNano': str(NOW + 315 * 10**15 + 5)},
        'end before start': {'startTimeUnixNano': str(NOW), 'endTimeUnixNano': str(NOW - 10**9)},
        'kind 99': {'kind': 99}, 'an unknown field': {'somethingNew': {'a': [1]}}, 'snake_case': {'trace_state': 'a=1'},
    }.items():
        report.case(f'span: {name}', neighbour_kept, clew, fields)
    report.case('two parents in a circle', circle, clew)


def neighbour_kept(clew, fields):
    """A span with these fields between two good ones: they are stored, it may be rejected, with a reason."""
    trace = otlp.trace_id()
    good = [otlp.span(trace, f'good-{i}', NOW) for i in range(2)]
    bad = {**otlp.span(trace, 'bad', NOW), **fields}
    document = otlp.traces([good[0], bad, good[1]])
    answer = http.post(f'{clew.otlp_http}/v1/traces', document, timeout=60)
    if answer.status == 400:
        # A JSON document with a wrong field may be refused whole (nothing of it is stored), if it says why.
        assert answer.json().get('message'), answer.body[:300]
        return
    partial = answer.expect(200).json().get('partialSuccess') or {}
    if int(partial.get('rejectedSpans', 0)):
        assert partial.get('errorMessage'), 'a rejection without a reason'
    found = eventually(lambda: {span['name'] for span in clew.get(f'traces/{trace}')['spans']})
    assert {'good-0', 'good-1'} <= found, f'found {found}'


def circle(clew):
    trace = otlp.trace_id()
    a, b, c = (otlp.span(trace, name, NOW) for name in 'abc')
    a['parentSpanId'], b['parentSpanId'], c['parentSpanId'] = b['spanId'], c['spanId'], a['spanId']
    http.post(f'{clew.otlp_http}/v1/traces', otlp.traces([a, b, c])).expect(200)
    trace = eventually(lambda: clew.get(f'traces/{trace}'))
    assert len(trace['spans']) == 3, 'every span of a circle is shown'


def many_services(clew):
    resources = [otlp.traces([otlp.span(otlp.trace_id(), start=NOW)], f'service-{i}')['resourceSpans'][0] for i in range(100_000)]
    for at in range(0, len(resources), 10_000):
        http.post(f'{clew.otlp_http}/v1/traces', {'resourceSpans': resources[at:at + 10_000]}, timeout=120).expect(200)
    assert clew.rss_bytes() < MEMORY_LIMIT * 2, f'{clew.rss_bytes() >> 20} MiB'


# --- bombs, slow clients -------------------------------------------------------------------------

def bombs(report, clew):
    gigabyte = io.BytesIO()
    with gzip.GzipFile(fileobj=gigabyte, mode='wb') as bomb:
        for _ in range(1024):
            bomb.write(bytes(1 << 20))
    bomb = gigabyte.getvalue()
    report.case(f'gzip bomb: {len(bomb)} bytes hold 1 GiB', bounded, clew, bomb, {'Content-Encoding': 'gzip'})
    report.case('gzip in gzip', bounded, clew, gzip.compress(bomb), {'Content-Encoding': 'gzip'})
    report.case('300 MB as they are', bounded, clew, bytes(300 << 20), {})


def bounded(clew, body, more):
    before = clew.rss_bytes()
    try:
        http.post(f'{clew.otlp_http}/v1/traces', body, PROTOBUF, more, timeout=120).expect(400, 413)
    except OSError:
        # The server may close while a body that is too large is still coming.
        assert len(body) > 1 << 20, 'no answer'
    grown = clew.rss_bytes() - before
    assert grown < MEMORY_LIMIT, f'memory grew by {grown >> 20} MiB'


def slow(report, clew):
    report.case('200 connections that say nothing', many_idle, clew)
    report.case('a body that never ends', half_a_body, clew)


def many_idle(clew):
    host, port = address(clew)
    connections = [socket.create_connection((host, port), timeout=5) for _ in range(200)]
    try:
        for connection in connections:
            connection.sendall(b'POST /v1/traces HTTP/1.1\r\n')
        alive(clew)
    finally:
        for connection in connections:
            connection.close()


def half_a_body(clew):
    with socket.create_connection(address(clew), timeout=5) as connection:
        connection.sendall(b'POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{')
        alive(clew)


def address(clew):
    parts = urllib.parse.urlsplit(clew.otlp_http)
    return parts.hostname, parts.port


# --- shared --------------------------------------------------------------------------------------

def alive(clew):
    trace = otlp.trace_id()
    http.post(f'{clew.otlp_http}/v1/traces', otlp.traces([otlp.span(trace, start=NOW)])).expect(200)
    eventually(lambda: clew.get(f'traces/{trace}'))


def expect_status(clew, body, content_type, status, more=None):
    """The status, and unless 200 a reason in words."""
    answer = http.post(f'{clew.otlp_http}/v1/traces', body, content_type, more).expect(status)
    if status >= 400:
        assert len(answer.body) > 4, 'an error without a reason'


def error_type(clew, content_type, body):
    """OTLP specification: the body of an error is a Status in the request's content type."""
    answer = http.post(f'{clew.otlp_http}/v1/traces', body, content_type).expect(400)
    assert answer.headers['Content-Type'].split(';')[0] == content_type, answer.headers['Content-Type']
    if content_type == 'application/json':
        assert json.loads(answer.body)['message'], answer.body


def trace_protobuf():
    """ExportTraceServiceRequest with one span, written by hand."""
    span = field(1, bytes(range(1, 17))) + field(2, bytes(range(1, 9))) + field(5, b'op') + b'\x39' + struct.pack('<Q', NOW)
    return field(1, field(2, field(2, span)))


def field(number, content):
    """A length-delimited field of less than 128 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


if __name__ == '__main__':
    main()
