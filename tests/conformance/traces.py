"""Real traces of ../shared/conformance with the counts of their facts files, through the public API.

    traces.py FOLDER

The data stays in FOLDER: part of it comes under licences that forbid copying it.
"""
import json
import re
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness import http  # noqa: E402
from harness.report import Report  # noqa: E402
from harness.server import Clew, eventually  # noqa: E402

NEZHA = ('onlineboutique_0822_0519', 'trainticket_0129_0934_0935')


def main():
    folder, report = Path(sys.argv[1]) / 'traces', Report('real traces')
    for name in NEZHA:
        with Clew() as clew:
            facts = json.loads((folder / 'nezha' / f'{name}.facts.json').read_text())
            report.case(f'{name}: sent', send, clew, folder / 'nezha', f'{name}.traces.otlp.jsonl', f'{name}.logs.otlp.jsonl')
            nezha(report, clew, name, facts)
            # The same from segments instead of the live buffer.
            clew.flush()
            nezha(report, clew, f'{name} after a flush', facts)
    with Clew() as clew:
        facts = json.loads((folder / 'otel-demo' / 'facts.json').read_text())
        report.case('otel-demo: sent', send, clew, folder / 'otel-demo', 'traces.jsonl', 'logs.jsonl')
        otel_demo(report, clew, facts)
    with Clew() as clew:
        otel_gui(report, clew, folder / 'otel-gui')
    report.finish()


def send(clew, folder, traces, logs):
    for signal, name in (('traces', traces), ('logs', logs)):
        for line in (folder / name).read_bytes().splitlines():
            answer = http.post(f'{clew.otlp_http}/v1/{signal}', line).expect(200).json()
            assert not answer.get('partialSuccess', {}).get('errorMessage'), answer


def nezha(report, clew, name, facts):
    window = {'from': facts['start_min'], 'to': facts['end_max'] + 1}
    report.case(f'{name}: {facts["spans"]} spans, {facts["logs"]} log records', totals, clew, facts['spans'], facts['logs'])
    report.case(f'{name}: {facts["traces"]} traces found by search', trace_count, clew, window, facts['traces'])
    spans = {service: one['spans'] for service, one in facts['services'].items()}
    report.case(f'{name}: spans of {len(spans)} services', services, clew, window, spans)
    operations = {service: one['operations'] for service, one in facts['services'].items()}
    report.case(f'{name}: operations of services', operation_counts, clew, window, operations)


def otel_demo(report, clew, facts):
    window = {'from': facts['time_ns'][0], 'to': facts['time_ns'][1] + 1}
    report.case(f'otel-demo: {facts["spans"]} spans', totals, clew, facts['spans'], facts['log_records'])
    report.case(f'otel-demo: {facts["traces"]} traces found by search', trace_count, clew, window, facts['traces'])
    report.case('otel-demo: spans of services', services, clew, window, facts['spans_by_service'])
    for service, operations in facts['operations'].items():
        report.case(f'otel-demo: operations of {service}', operation_list, clew, window, service, operations)
    for service, count in facts['traces_by_service'].items():
        report.case(f'otel-demo: {count} traces of {service}', trace_count, clew, window, count, f'service:"{service}"')
    report.case('otel-demo: spans without their parent', orphans, clew, window, facts['spans_with_missing_parent'])


def totals(clew, spans, logs):
    def check():
        status = clew.get('status')
        assert (status['spans'], status['logs']) == (spans, logs), f'{status["spans"]} spans, {status["logs"]} logs'
    eventually(check)


def pages(clew, window, q=''):
    """All summaries of a search, page by page."""
    cursor, found = None, []
    while True:
        page = clew.get('traces', q=q, limit=50, **window, **({'cursor': cursor} if cursor else {}))
        found += page['traces']
        cursor = page['next']
        if not cursor:
            return found


def trace_count(clew, window, expected, q=''):
    found = [trace['trace_id'] for trace in pages(clew, window, q)]
    assert len(found) == len(set(found)), 'a trace is on two pages'
    assert len(found) == expected, f'found {len(found)}'


def services(clew, window, expected):
    found = {service['id']: service['span_count'] for service in clew.get('services', **window)['services']}
    assert found == expected, f'found {found}'
    by_trace = Counter()
    for trace in pages(clew, window):
        by_trace.update({service['name']: service['span_count'] for service in trace['services']})
    assert by_trace == Counter(expected), f'summaries say {dict(by_trace)}'


def operation_counts(clew, window, expected):
    found = {service: len({operation['name'] for operation in operations(clew, window, service)}) for service in expected}
    assert found == expected, f'found {found}'


def operation_list(clew, window, service, expected):
    kinds = ('unspecified', 'internal', 'server', 'client', 'producer', 'consumer')
    found = {(operation['name'], operation['kind']) for operation in operations(clew, window, service)}
    want = {(operation['name'], kinds[operation['kind']]) for operation in expected}
    assert found == want, f'missing {want - found}, besides {found - want}'


def operations(clew, window, service):
    return clew.get(f'services/{service}/operations', **window)['operations']


def orphans(clew, window, expected):
    found = sum(trace['orphan_count'] for trace in pages(clew, window))
    assert found == expected, f'found {found}'


def otel_gui(report, clew, folder):
    """Parts of one trace sent one after the other: late root, links, logs. Some files are no OTLP on purpose."""
    for path in sorted(folder.glob('*.json')):
        document = json.loads(path.read_bytes())
        if is_otlp(document):
            report.case(f'otel-gui: {path.name} is taken', take, clew, document)
        else:
            report.case(f'otel-gui: {path.name} is refused with a reason', refuse, clew, document)
    for name in ('sample-trace-late-root', 'sample-trace-ecommerce', 'sample-trace-orphan-span'):
        parts = [json.loads(path.read_bytes()) for path in sorted(folder.glob(f'{name}*.json'))]
        report.case(f'otel-gui: {name} ends up whole', whole, clew, parts)


def is_otlp(document):
    """One export request whose ids are hex, as the OTLP specification wants them."""
    if not isinstance(document, dict):
        return False
    ids = re.findall(r'"(?:traceId|spanId|parentSpanId)": "([^"]*)"', json.dumps(document))
    return all(re.fullmatch('([0-9a-fA-F]{2})*', one) for one in ids)


def take(clew, document):
    http.post(f'{clew.otlp_http}/v1/{signal(document)}', document).expect(200)


def refuse(clew, document):
    message = http.post(f'{clew.otlp_http}/v1/{signal(document)}', document).expect(400).json()['message']
    assert 'hex' in message or 'expected an object' in message, message


def signal(document):
    return 'logs' if 'resourceLogs' in document else 'traces'


def whole(clew, parts):
    spans = [span for part in parts for resource in part['resourceSpans'] for scope in resource['scopeSpans'] for span in scope['spans']]
    assert spans, 'the parts hold no span'
    for trace_id in {span['traceId'].lower() for span in spans}:
        want = {span['spanId'].lower() for span in spans if span['traceId'].lower() == trace_id}
        found = {span['span_id'] for span in eventually(lambda: clew.get(f'traces/{trace_id}'))['spans']}
        assert want <= found, f'{trace_id}: missing {want - found}'


if __name__ == '__main__':
    main()
