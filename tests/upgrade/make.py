"""Makes the fixture of a format: a small data directory and the answers that its binary gave.

    make.py BINARY NAME      writes tests/upgrade/NAME.tar.xz

Run it once, with the last binary that writes the format, before the format changes; commit the file and never
make it again. It holds two generations of segments, an exact duplicate, odd values of every type, and requests
that are in the log only, where a kill -9 left them.
"""
import io
import json
import os
import random
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from harness import http, otlp  # noqa: E402
from harness.server import Clew  # noqa: E402

START = 1_767_225_600 * otlp.SECOND  # 2026-01-01
SERVICES = ('gateway', 'cart', '支付')
LARGEST = 200 << 10

# What the answers are of. Times and ids are fixed, so that every binary is asked the same.
RANGE = {'from': '2025-12-31T00:00:00Z', 'to': '2026-01-02T00:00:00Z'}
QUESTIONS = [
    ('traces', {**RANGE, 'limit': 100}),
    ('traces', {**RANGE, 'q': 'service:cart error', 'limit': 100}),
    ('traces', {**RANGE, 'q': '{ span.n > 5 && name = "charge" }', 'limit': 100}),
    ('logs', {**RANGE, 'limit': 200}),
    ('logs', {**RANGE, 'q': '库存', 'limit': 200}),
    ('logs', {**RANGE, 'q': 'severity>=error service:支付', 'limit': 200}),
    ('logs/histogram', {**RANGE, 'buckets': 6}),
    ('services', RANGE),
    ('services/cart/operations', RANGE),
    ('graph', RANGE),
    ('tags', RANGE),
    ('tags/double/values', RANGE),
]
STATEMENTS = [
    # SQL sees the duplicate until compaction takes it: what is asked must not depend on that.
    'SELECT count(DISTINCT hex(span_id)), count(DISTINCT hex(trace_id)), min(start_time), max(start_time) FROM spans',
    'SELECT service_name, kind, outcome, count(DISTINCT hex(span_id)) FROM spans GROUP BY 1, 2, 3 ORDER BY 1, 2, 3',
    'SELECT DISTINCT hex(trace_id), hex(span_id), duration, attributes, events, links FROM spans ORDER BY 1, 2 LIMIT 20',
    'SELECT severity_text, count(*), min(time), min(row_id), max(row_id) FROM logs GROUP BY 1 ORDER BY 1',
    'SELECT metric_name, metric_type, value, value_int, count, sum, distribution FROM metrics ORDER BY 1, time',
]


def main():
    binary, name = sys.argv[1:]
    os.environ['CLEW_BIN'] = str(Path(binary).resolve())
    target = HERE / f'{name}.tar.xz'
    with Clew() as clew:
        fill(clew)
        answers = ask(clew)
        clew.kill()
        pack(clew.data, answers, target)
    size = target.stat().st_size
    assert size < LARGEST, f'{size} bytes are too many for a repository'
    print(f'{target.name}: {size} bytes, {len(answers)} answers')


def fill(clew):
    chance = random.Random(1)
    for generation in range(2):
        for number in range(6):
            send(clew, 'traces', trace(chance, generation * 10 + number))
        send(clew, 'logs', logs(chance, generation))
        if generation == 0:
            send(clew, 'metrics', metrics())
        clew.flush()
    # The same spans in another request, which only the content tells apart: another trace goes with them.
    first = random.Random(1)
    again, other = trace(first, 0), trace(chance, 30)
    send(clew, 'traces', {'resourceSpans': again['resourceSpans'] + other['resourceSpans']})
    clew.flush()
    for number in range(40, 44):
        send(clew, 'traces', trace(chance, number))
    send(clew, 'logs', logs(chance, 2))


def send(clew, signal, document):
    http.post(f'{clew.otlp_http}/v1/{signal}', document).expect(200)


def trace(chance, number):
    """gateway calls cart, which calls payment; every type of value, and values at the ends of their ranges."""
    ids, start = f'{chance.getrandbits(128):032x}', START + number * 60 * otlp.SECOND
    spans = [f'{chance.getrandbits(64):016x}' for _ in range(5)]
    values = {'n': number, 'least': -2**63, 'double': number + 0.5, 'whole': 3.0, 'yes': number % 2 == 0,
              'text': 'a "quoted" 订单\n\t' + 'x' * number, 'list': [1, 'two', 3.0, [True]], 'map': {'k': 'v', '$': 1}}
    attributes = otlp.attributes(values) + [{'key': 'bytes', 'value': {'bytesValue': 'AAEC/w=='}}, {'key': 'none', 'value': {}}]

    def span(i, parent, name, kind, **fields):
        fields = {'spanId': spans[i], 'kind': kind, 'attributes': attributes, **fields}
        if parent is not None:
            fields['parentSpanId'] = spans[parent]
        return otlp.span(ids, name, start + i * 1_000_001, start + i * 1_000_001 + 9_000_000 // (i + 1), **fields)

    failed = {'status': {'code': 2, 'message': 'no stock'}} if number % 3 == 0 else {}
    event = {'timeUnixNano': str(start + 5), 'name': 'exception', 'attributes': otlp.attributes({'exception.type': 'E'})}
    link = {'traceId': ids[::-1], 'spanId': spans[0], 'traceState': 'a=b', 'flags': 1}
    return {'resourceSpans': [
        resource('gateway', [span(0, None, 'GET /cart', 2, traceState='k=v', flags=257), span(1, 0, 'GET', 3)]),
        resource('cart', [span(2, 1, 'load', 2, **failed), span(3, 2, 'charge', 3, events=[event], links=[link])]),
        resource('支付', [span(4, 3, 'charge', 2, droppedAttributesCount=7)]),
    ]}


def resource(service, spans):
    attributes = otlp.attributes({'service.name': service, 'service.version': '1.2', 'service.instance.id': f'{service}-0'})
    scope = {'name': 'fixture', 'version': '3', 'attributes': otlp.attributes({'s': 1})}
    return {'resource': {'attributes': attributes}, 'scopeSpans': [{'scope': scope, 'spans': spans}]}


def logs(chance, generation):
    bodies = ['库存不足 out of stock', 'retry 1 of 3', {'structured': ['body', 1, 2.0]}, 'x' * 300, '']
    records = []
    for number in range(10):
        time = START + generation * 600 * otlp.SECOND + number * otlp.SECOND
        severity = [5, 9, 13, 17][number % 4]
        text = {5: 'DEBUG', 9: 'INFO', 13: 'WARN', 17: 'ERROR'}[severity]
        fields = {'severityNumber': severity, 'severityText': text, 'observedTimeUnixNano': str(time + 1),
                  'attributes': otlp.attributes({'n': number, 'double': 0.25}), 'traceId': f'{chance.getrandbits(128):032x}'}
        records.append(otlp.record(bodies[number % len(bodies)], time if number else 0, **fields))
    return otlp.logs(records, SERVICES[generation % 3])


def metrics():
    point = {'timeUnixNano': str(START), 'startTimeUnixNano': str(START - otlp.SECOND)}
    kinds = [
        {'name': 'queue', 'unit': '1', 'gauge': {'dataPoints': [{**point, 'asDouble': 1.5}]}},
        {'name': 'requests', 'sum': {'aggregationTemporality': 2, 'isMonotonic': True, 'dataPoints': [{**point, 'asInt': '7'}]}},
        {'name': 'latency', 'histogram': {'aggregationTemporality': 1, 'dataPoints': [
            {**point, 'count': '3', 'sum': 6.0, 'bucketCounts': ['1', '2'], 'explicitBounds': [2.0]}]}},
    ]
    scope = {'scope': {'name': 'fixture'}, 'metrics': kinds}
    return {'resourceMetrics': [{'resource': {'attributes': otlp.attributes({'service.name': 'cart'})}, 'scopeMetrics': [scope]}]}


def ask(clew):
    """[method, path, parameters, answer] of every question; traces that a search finds are asked for one by one."""
    asked = [['GET', path, parameters, clew.get(path, **parameters)] for path, parameters in QUESTIONS]
    for summary in asked[0][3]['traces']:
        path = f'traces/{summary["trace_id"]}'
        asked.append(['GET', path, {}, clew.get(path)])
    for statement in STATEMENTS:
        answer = http.post(f'{clew.http}/api/v1/sql', {'query': statement}).expect(200).json()
        asked.append(['POST', 'sql', {'query': statement}, {'rows': answer['rows']}])
    return asked


def pack(directory, answers, target):
    """Spare log files hold nothing."""
    text = json.dumps(answers, ensure_ascii=False).encode()
    entry = tarfile.TarInfo('answers.json')
    entry.size = len(text)
    with tarfile.open(target, 'w:xz', preset=9) as archive:
        archive.add(directory, 'data', filter=lambda file: None if file.name.endswith(('.spare', '.tmp')) else file)
        archive.addfile(entry, io.BytesIO(text))


if __name__ == '__main__':
    main()
