"""What frameworks emit, and what Clew makes of it: each fixture is sent to a real server, then its spans' normalised
columns and the service graph are compared with what the fixture expects.

    frameworks.py            all fixtures
    frameworks.py --table    the table of docs/governance.md

A fixture is written by us in the shape of what the framework's instrumentation sends; `facts` says where that was read,
`unsaid` what the framework does not tell. Times count from zero: the hour of each document is its own.
"""
import copy
import json
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from harness import http  # noqa: E402
from harness.report import Report  # noqa: E402
from harness.server import Clew, eventually  # noqa: E402

DOCS = HERE.parent.parent / 'docs' / 'governance.md'
MUST_BE_THERE = {'dubbo', 'motan', 'rpcx', 'grpc', 'thrift', 'go-micro', 'kitex', 'go-zero', 'envoy', 'spring-cloud-gateway',
                 'resilience4j', 'sentinel', 'hystrix', 'spring-boot'}
COLUMNS = ('role', 'protocol', 'peer', 'operation', 'outcome')
# The graph looks an hour to both sides of what it is asked for.
APART_NS = 3 * 3600 * 10**9
LASTS_NS = 1800 * 10**9

# docs/governance.md shows the same.
OWN_RULES = '''
[[outcome]]
text = "库存服务限流"
outcome = "limited"

[[span-name]]
prefix = "acme.call."
protocol = "acme"
side = "exit"
rest = "dotted-method"
'''


def main():
    fixtures = {path.stem: json.loads(path.read_text()) for path in sorted((HERE / 'fixtures').glob('*.json'))}
    if sys.argv[1:] == ['--table']:
        print(table(fixtures))
        return
    report = Report('frameworks')
    report.case('every framework has a fixture, and each joins a caller with a callee', complete, fixtures)
    report.case('docs/governance.md shows what the fixtures show', documented, fixtures)
    with Clew() as clew:
        now = time.time_ns()
        documents = [(name, document) for name, fixture in fixtures.items() for document in fixture['documents']]
        hours = [now - (number + 1) * APART_NS for number in range(len(documents))]
        for (name, document), hour in zip(documents, hours):
            report.case(f'{name}: sent: {document["what"]}', send, clew, document, hour)
        for (name, document), hour in zip(documents, hours):
            report.case(f'{name}: spans: {document["what"]}', spans_mean, clew, document)
            report.case(f'{name}: graph: {document["what"]}', graph_shows, clew, document, hour)
        clew.flush()
        for (name, document), hour in zip(documents, hours):
            report.case(f'{name}: from segments: {document["what"]}', both, clew, document, hour)
        report.case('after a crash the log is read by the same rules', after_a_crash, clew, documents, hours)
    report.case('rules of the user\'s own come first', own_rules)
    report.finish()


# --- what is sent, and what must come of it ------------------------------------------------------

def send(clew, document, hour):
    answer = http.post(f'{clew.otlp_http}/v1/traces', at_hour(document['otlp'], hour)).expect(200).json()
    assert not answer.get('partialSuccess'), answer


def at_hour(otlp, hour):
    """The document with its times counted from `hour`, ns since the epoch."""
    otlp = copy.deepcopy(otlp)
    for span in spans_of(otlp):
        for timed, keys in ((span, ('startTimeUnixNano', 'endTimeUnixNano')), *((event, ('timeUnixNano',)) for event in span.get('events', []))):
            for key in keys:
                timed[key] = str(hour + int(timed[key]))
    return otlp


def spans_of(otlp):
    for resource in otlp['resourceSpans']:
        for scope in resource['scopeSpans']:
            yield from scope['spans']


def spans_mean(clew, document):
    expected = {span['span']: {key: span[key] for key in COLUMNS} for span in document['spans']}
    assert set(expected) == {span['spanId'] for span in spans_of(document['otlp'])}, 'the fixture expects nothing of some span'
    stored = eventually(lambda: stored_spans(clew, document, len(expected)))
    what = {span['span']: span['what'] for span in document['spans']}
    wrong = [f'{what[span]}: {difference(expected[span], stored.get(span, {}))}' for span in expected if stored.get(span) != expected[span]]
    assert not wrong, '\n            '.join(['', *wrong])


def stored_spans(clew, document, count):
    first = document['spans'][0]['span'][:8]
    query = f"SELECT hex(span_id), {', '.join(COLUMNS)} FROM spans WHERE hex(span_id) LIKE '{first}%'"
    answer = http.post(f'{clew.http}/api/v1/sql', {'query': query}).expect(200).json()
    rows = {row[0]: dict(zip(COLUMNS, row[1:])) for row in answer['rows']}
    assert len(rows) == count == len(answer['rows']), f'{len(answer["rows"])} of {count} spans'
    return rows


def difference(expected, found):
    return ', '.join(f'{key} is {found.get(key)!r}, expected {expected[key]!r}' for key in COLUMNS if expected[key] != found.get(key))


def graph_shows(clew, document, hour):
    graph = clew.get('graph', **{'from': hour, 'to': hour + LASTS_NS})
    # Whose callers or callees nobody knows is not what a fixture is about.
    edges = [edge for edge in graph['edges'] if ':unknown' not in (edge['source'], edge['target'])]
    found = {(edge['source'], edge['target'], edge['protocol']): (edge['calls'], edge['outcomes']) for edge in edges}
    expected = {(edge['source'], edge['target'], edge['protocol']): (edge['calls'], edge['outcomes']) for edge in document['edges']}
    assert found == expected, f'\n            found    {sorted(found.items())}\n            expected {sorted(expected.items())}'


def both(clew, document, hour):
    spans_mean(clew, document)
    graph_shows(clew, document, hour)


def after_a_crash(clew, documents, hours):
    """Sent anew with other ids, so that they are only in the log when the server dies."""
    resent = []
    for (_, document), hour in zip(documents, hours):
        text = json.dumps(document)
        for span in document['spans']:
            text = text.replace(f'"{span["span"]}"', f'"f{span["span"][1:]}"')
        resent.append(json.loads(text))
        send(clew, resent[-1], hour)
    clew.kill()
    clew.start()
    for document in resent:
        spans_mean(clew, document)


def own_rules():
    ours = {'traceId': 'ac' * 16, 'spanId': 'ac' * 8, 'name': 'acme.call.Stock.reserve', 'startTimeUnixNano': '0',
            'endTimeUnixNano': '1000000', 'status': {'code': 2, 'message': 'timeout: 库存服务限流'}}
    meant = {'what': 'an in-house framework', 'span': 'ac' * 8, 'role': 'exit', 'protocol': 'acme', 'peer': 'acme:Stock',
             'operation': 'Stock/reserve', 'outcome': 'limited'}
    document = {'otlp': {'resourceSpans': [{'scopeSpans': [{'spans': [ours]}]}]}, 'spans': [meant]}
    with tempfile.NamedTemporaryFile('w', suffix='.toml', encoding='utf-8') as config:
        config.write(OWN_RULES)
        config.flush()
        with Clew('--config', config.name) as clew:
            send(clew, document, time.time_ns())
            spans_mean(clew, document)


# --- what the fixtures cover ---------------------------------------------------------------------

def complete(fixtures):
    assert MUST_BE_THERE <= set(fixtures), f'there is none of {MUST_BE_THERE - set(fixtures)}'
    for name, fixture in fixtures.items():
        assert fixture['facts'], f'{name} does not say where its facts are from'
        for document in fixture['documents']:
            services = {attribute['value']['stringValue'] for resource in document['otlp']['resourceSpans']
                        for attribute in resource['resource']['attributes'] if attribute['key'] == 'service.name'}
            spans = {span['span'] for span in document['spans']}
            assert len(spans) == len(document['spans']), f'{name}: a span is expected twice'
            joined = [edge for edge in document['edges'] if {edge['source'], edge['target']} <= services]
            assert joined or len(services) == 1, f'{name}: {document["what"]}: no caller and callee'


def documented(fixtures):
    text = DOCS.read_text()
    assert table(fixtures) in text, 'the table differs: put there what `frameworks.py --table` prints'
    assert OWN_RULES in text, 'the rules of the user\'s own differ'


def table(fixtures):
    lines = ['| Framework | Protocol | Seen beside `ok` | What it does not say |', '|---|---|---|---|']
    for fixture in fixtures.values():
        spans = [span for document in fixture['documents'] for span in document['spans']]
        protocols = sorted({span['protocol'] for span in spans} - {None})
        outcomes = sorted({span['outcome'] for span in spans} - {'ok'})
        lines.append(f'| {fixture["framework"]} | {", ".join(protocols)} | {", ".join(outcomes)} | {fixture.get("unsaid", "")} |')
    return '\n'.join(lines)


if __name__ == '__main__':
    main()
