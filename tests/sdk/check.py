"""Unmodified OpenTelemetry SDKs send to a fresh Clew; what each says it sent is read back and compared.

    check.py CACHE [LANGUAGE…]

CACHE is the folder where tests/run built the programs. A program prints one JSON object: `resource`
(some attributes), `spans`, `logs`; attributes are key to [type, value] in the words of docs/api.md.
"""
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from harness.report import Report  # noqa: E402
from harness.server import Clew, eventually  # noqa: E402

LIMIT_S = 120
GRPC, PROTOBUF, JSON = 'grpc', 'http/protobuf', 'http/json'


def programs(cache):
    """Language to its command and the protocols that its SDK has exporters for."""
    jars = f'{cache}/java/classes:{cache}/java/lib/*'
    return {
        'python': ([f'{cache}/venv/bin/python', str(HERE / 'python/emit.py')], [GRPC, PROTOBUF, JSON]),
        'node': (['node', str(HERE / 'node/emit.mjs')], [GRPC, PROTOBUF, JSON]),
        'go': ([f'{cache}/go-sdk'], [GRPC, PROTOBUF]),
        'java': (['java', '-Dfile.encoding=UTF-8', '-Dstdout.encoding=UTF-8', '-cp', jars, 'Emit'], [GRPC, PROTOBUF]),
    }


def main():
    cache, languages = sys.argv[1], sys.argv[2:]
    report = Report('sdk')
    with Clew() as clew:
        for language, (command, protocols) in programs(cache).items():
            for protocol in protocols:
                if not languages or language in languages:
                    report.case(f'{language} {protocol}', emit_and_compare, clew, command, f'{language}-{protocol}', protocol)
        for protocol in (GRPC, PROTOBUF):
            if not languages or 'agent' in languages:
                report.case(f'java agent {protocol}', agent, clew, cache, protocol)
    report.finish()


# --- a program of ours that uses an SDK ----------------------------------------------------------

def emit_and_compare(clew, command, service, protocol):
    sent = json.loads(run(clew, command, service, protocol, {'OTEL_RESOURCE_ATTRIBUTES': 'resource.text=7'}))
    resource = {**sent['resource'], 'service.name': ['string', service]}
    assert len(sent['spans']) == 3 and len(sent['logs']) == 3, 'the program must send three spans and three records'
    for trace_id in {span['trace_id'] for span in sent['spans']}:
        expected = [span for span in sent['spans'] if span['trace_id'] == trace_id]
        eventually(lambda: compare_trace(clew.get(f'traces/{trace_id}'), expected, resource))
    eventually(lambda: compare_logs(clew.get('logs', q=f'service:"{service}"', order='asc'), sent['logs'], resource))


def run(clew, command, service, protocol, more=None):
    """What the program printed; an assertion error if it reported that an export failed."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith('OTEL_')}
    environment.update(more or {}, OTEL_SERVICE_NAME=service, OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
                       OTEL_EXPORTER_OTLP_ENDPOINT=clew.otlp_grpc if protocol == GRPC else clew.otlp_http)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding='utf-8', timeout=LIMIT_S)
    assert done.returncode == 0, f'exit code {done.returncode}: {(done.stderr or done.stdout)[-1500:]}'
    return done.stdout


def compare_trace(trace, expected, resource):
    """`trace` as the API gives it; every span that was expected, no other."""
    found = {span['span_id']: span for span in trace['spans']}
    same('span ids', sorted(found), sorted(span['span_id'] for span in expected))
    for want in expected:
        span = found[want['span_id']]
        where = f'span {want["name"]}: '
        for field in ('name', 'kind', 'parent_span_id', 'status', 'status_message', 'duration_ns'):
            same(where + field, span[field], want[field])
        same(where + 'start_ns', span['start_ns'], str(want['start_ns']))
        same(where + 'trace_state', span['trace_state'].replace(' ', ''), want['trace_state'])
        same(where + 'attributes', typed(span['attributes']), want['attributes'])
        same(where + 'events', [{**plain(event, 'name'), 'time_ns': event['time_ns']} for event in span['events']],
             [{**event, 'time_ns': str(event['time_ns'])} for event in want['events']])
        same(where + 'links', [plain(link, 'trace_id', 'span_id') for link in span['links']], want['links'])
        same(where + 'scope', plain(trace['scopes'][span['scope']], 'name', 'version', 'schema_url'), want['scope'])
        contains(where + 'resource', typed(trace['resources'][span['resource']]['attributes']), resource)
        for count in ('dropped_attributes', 'dropped_events', 'dropped_links'):
            same(where + count, span[count], 0)


def compare_logs(answer, expected, resource):
    """The three records of a service, oldest first."""
    same('number of log records', len(answer['logs']), len(expected))
    for record, want in zip(answer['logs'], expected):
        where = f'log record {want["body"][0]}: '
        same(where + 'time_ns', record['time_ns'], str(want['time_ns']))
        for field in ('severity_number', 'severity_text', 'event_name', 'trace_id', 'span_id'):
            same(where + field, record[field], want[field])
        same(where + 'body', value(record['body']), want['body'])
        same(where + 'attributes', typed(record['attributes']), want['attributes'])
        same(where + 'scope', (record['scope']['name'], record['scope']['version']), ('shop', '1.2.3'))
        contains(where + 'resource', typed(record['resource']['attributes']), resource)


def plain(thing, *fields):
    return {**{field: thing[field] for field in fields}, 'attributes': typed(thing['attributes'])}


def typed(attributes):
    """Attribute list of the API to key: [type, value]; a key that repeats is wrong here."""
    keys = [attribute['key'] for attribute in attributes]
    assert len(keys) == len(set(keys)), f'an attribute repeats: {keys}'
    return {attribute['key']: value(attribute) for attribute in attributes}


def value(v):
    if v['type'] == 'array':
        return ['array', [value(item) for item in v['value']]]
    if v['type'] == 'map':
        return ['map', typed(v['value'])]
    return [v['type'], v['value']]


def same(what, found, expected):
    # JSON text keeps 1 and true apart, which Python's == does not; 1.0 and 1 are one double.
    assert text(found) == text(expected), f'{what}: found {text(found)}, expected {text(expected)}'


def text(thing):
    return json.dumps(whole_as_int(thing), sort_keys=True, ensure_ascii=False)


def whole_as_int(thing):
    if isinstance(thing, float) and thing.is_integer():
        return int(thing)
    if isinstance(thing, (list, tuple)):
        return [whole_as_int(item) for item in thing]
    if isinstance(thing, dict):
        return {key: whole_as_int(item) for key, item in thing.items()}
    return thing


def contains(what, found, expected):
    same(what, {key: found.get(key) for key in expected}, expected)


# --- a service that the Java agent instruments ---------------------------------------------------

def agent(clew, cache, protocol):
    """GET /hello calls GET /stock; GET /broken answers 500. Each call is a client and a server span."""
    service, start = f'agent-{protocol}', time.time_ns()
    printed = run(clew, ['java', f'-javaagent:{cache}/java/agent.jar', '-cp', f'{cache}/java/classes', 'Shop'], service, protocol,
                  {'OTEL_JAVAAGENT_LOGGING': 'application', 'OTEL_METRIC_EXPORT_INTERVAL': '500'})
    same('what the service answered', printed.split('\n')[:2], ['hello, 17', '500'])

    def check():
        answer = clew.get('traces', q=f'service:"{service}"', **{'from': start, 'limit': 10})
        same('spans per trace', sorted(trace['span_count'] for trace in answer['traces']), [2, 4])
        traces = {trace['span_count']: clew.get(f'traces/{trace["trace_id"]}') for trace in answer['traces']}
        hello, broken = traces[4]['spans'], traces[2]['spans']
        same('kinds', sorted(span['kind'] for span in hello), ['client', 'client', 'server', 'server'])
        by_id = {span['span_id']: span for span in hello}
        for span in hello:
            parent = by_id.get(span['parent_span_id'])
            if span['kind'] == 'server':
                assert parent and parent['kind'] == 'client', f'{span["name"]} must be called by a client span'
        attributes = [typed(span['attributes']) for span in broken]
        same('status codes', [one['http.response.status_code'] for one in attributes], [['int', '500']] * 2)
        same('status of spans', [span['status'] for span in broken], ['error', 'error'])
        contains('resource', typed(traces[4]['resources'][0]['attributes']), {
            'telemetry.sdk.language': ['string', 'java'], 'telemetry.distro.name': ['string', 'opentelemetry-java-instrumentation']})
        logs = clew.get('logs', q=f'service:"{service}" 订单', **{'from': start})['logs']
        same('log lines', sorted(log['body']['value'] for log in logs), ['订单 /broken', '订单 /hello', '订单 /stock'])
        ids = {span['span_id'] for trace in traces.values() for span in trace['spans'] if span['kind'] == 'server'}
        assert {log['span_id'] for log in logs} == ids, 'each line belongs to its server span'

    eventually(check, 10)


if __name__ == '__main__':
    main()
