"""OTLP/JSON requests, made by hand: what is sent here does not depend on any SDK."""
import os

SECOND = 10**9


def value(v):
    """AnyValue of a Python value."""
    if isinstance(v, bool):
        return {'boolValue': v}
    if isinstance(v, int):
        return {'intValue': str(v)}
    if isinstance(v, float):
        return {'doubleValue': v}
    if isinstance(v, list):
        return {'arrayValue': {'values': [value(item) for item in v]}}
    if isinstance(v, dict):
        return {'kvlistValue': {'values': attributes(v)}}
    return {'stringValue': v}


def attributes(pairs):
    return [{'key': key, 'value': value(v)} for key, v in pairs.items()]


def trace_id():
    return os.urandom(16).hex()


def span_id():
    return os.urandom(8).hex()


def span(trace, name='op', start=0, end=None, **fields):
    """A span of kind server; other fields by their OTLP name."""
    return {'traceId': trace, 'spanId': span_id(), 'name': name, 'kind': 2, 'startTimeUnixNano': str(start),
            'endTimeUnixNano': str(start + 1000 if end is None else end), **fields}


def traces(spans, service='test', **resource):
    scope_spans = [{'scope': {'name': 'tests'}, 'spans': spans}]
    return {'resourceSpans': [{'resource': {'attributes': attributes({'service.name': service, **resource})},
                               'scopeSpans': scope_spans}]}


def record(body, time, **fields):
    return {'timeUnixNano': str(time), 'severityNumber': 9, 'body': value(body), **fields}


def logs(records, service='test'):
    return {'resourceLogs': [{'resource': {'attributes': attributes({'service.name': service})},
                              'scopeLogs': [{'scope': {'name': 'tests'}, 'logRecords': records}]}]}
