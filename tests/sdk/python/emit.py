"""Sends one trace, three log records and two metrics with the Python SDK; prints what must be found."""
import json
import logging
import os
import sys
import time

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

PROTOCOL = os.environ['OTEL_EXPORTER_OTLP_PROTOCOL']
if PROTOCOL == 'grpc':
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
elif PROTOCOL == 'http/protobuf':
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
else:
    from opentelemetry.exporter.otlp.json.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.json.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter

# Key, type as the API names it, value as the API writes it, value as the SDK takes it.
ATTRIBUTES = [
    ('s', 'string', '线索 "quoted" \n', '线索 "quoted" \n'),
    ('empty', 'string', '', ''),
    ('b', 'bool', True, True),
    ('i', 'int', '-9007199254740993', -9007199254740993),
    ('d', 'double', 1.0, 1.0),
    ('strings', 'array', [['string', 'a'], ['string', '']], ['a', '']),
    ('ints', 'array', [['int', '1'], ['int', '-2']], [1, -2]),
    ('doubles', 'array', [['double', 0.5], ['double', 2.0]], [0.5, 2.0]),
    ('bools', 'array', [['bool', True], ['bool', False]], [True, False]),
]
# Log attributes take any value.
LOG_ATTRIBUTES = ATTRIBUTES + [
    ('bytes', 'bytes', 'AP+A', b'\x00\xff\x80'),
    ('map', 'map', {'nested': ['map', {'n': ['int', '5']}]}, {'nested': {'n': 5}}),
]


class Failures(logging.Handler):
    """Exporters report what went wrong by logging it."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.seen = []

    def emit(self, record):
        self.seen.append(record.getMessage())


def native(table):
    return {key: value for key, _, _, value in table}


def expected(table):
    return {key: [type_, value] for key, type_, value, _ in table}


def main():
    failures = Failures()
    logging.getLogger().addHandler(failures)
    resource = Resource.create({'service.name': os.environ['OTEL_SERVICE_NAME'], 'resource.int': 7})
    found = {'resource': {'resource.int': ['int', '7'], 'telemetry.sdk.language': ['string', 'python']}}
    found['spans'], context = traces(resource)
    found['logs'] = logs(resource, context)
    metrics(resource)
    if failures.seen:
        sys.exit(f'the SDK reported: {failures.seen}')
    print(json.dumps(found))


def traces(resource):
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracer = provider.get_tracer('shop', '1.2.3', 'https://example.com/schema', {'scope.attribute': 'x'})
    scope = {'name': 'shop', 'version': '1.2.3', 'schema_url': 'https://example.com/schema',
             'attributes': {'scope.attribute': ['string', 'x']}}
    now = time.time_ns()
    root = tracer.start_span('GET /订单', kind=SpanKind.SERVER, attributes=native(ATTRIBUTES), start_time=now)
    child = tracer.start_span('query', trace.set_span_in_context(root), SpanKind.CLIENT, start_time=now + 1001)
    child.add_event('cache.miss', {'key': 'k', 'size': 3}, now + 1500)
    child.set_status(Status(StatusCode.ERROR, 'no such row'))
    child.end(now + 2002)
    root.set_status(Status(StatusCode.OK))
    root.end(now + 5005)
    # A parent elsewhere, with a trace state; a link to the root.
    remote = SpanContext(0x0af7651916cd43dd8448eb211c80319c ^ now, 0xb7ad6b7169203331, True, TraceFlags(1),
                         TraceState([('vendor', 'a1'), ('other', '2')]))
    linked = tracer.start_span('consume', trace.set_span_in_context(NonRecordingSpan(remote)), SpanKind.CONSUMER,
                               links=[Link(root.get_span_context(), {'why': 'batch', 'n': 1})], start_time=now)
    linked.end(now + 1)
    flushed(provider)
    ids = root.get_span_context()
    return [
        span(root, None, kind='server', name='GET /订单', start_ns=now, duration_ns=5005, status='ok', scope=scope,
             attributes=expected(ATTRIBUTES)),
        span(child, root.get_span_context(), kind='client', name='query', start_ns=now + 1001, duration_ns=1001,
             status='error', status_message='no such row', scope=scope, attributes={},
             events=[{'name': 'cache.miss', 'time_ns': now + 1500,
                      'attributes': {'key': ['string', 'k'], 'size': ['int', '3']}}]),
        span(linked, remote, kind='consumer', name='consume', start_ns=now, duration_ns=1, status='unset', scope=scope,
             attributes={}, trace_state='vendor=a1,other=2',
             links=[{'trace_id': f'{ids.trace_id:032x}', 'span_id': f'{ids.span_id:016x}',
                     'attributes': {'why': ['string', 'batch'], 'n': ['int', '1']}}]),
    ], ids


def span(span, parent, **fields):
    context = span.get_span_context()
    return {'trace_id': f'{context.trace_id:032x}', 'span_id': f'{context.span_id:016x}',
            'parent_span_id': parent and f'{parent.span_id:016x}', 'events': [], 'links': [], 'trace_state': '',
            'status_message': '', **fields}


def logs(resource, context):
    provider = LoggerProvider(resource=resource)
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    logger = provider.get_logger('shop', '1.2.3')
    now = time.time_ns()
    inside = trace.set_span_in_context(NonRecordingSpan(context))
    logger.emit(LogRecord(timestamp=now, context=inside, severity_text='WARN', severity_number=SeverityNumber.WARN,
                          body='订单 17 不存在', attributes=native(LOG_ATTRIBUTES)))
    body = {'order': 17, 'items': ['a', 2, False, None], 'paid': 1.5}
    logger.emit(LogRecord(timestamp=now + 1, severity_number=SeverityNumber.INFO, body=body, event_name='order.placed'))
    logger.emit(LogRecord(timestamp=now + 2, severity_number=SeverityNumber.ERROR, body=b'\x00\xff'))
    flushed(provider)
    ids = {'trace_id': f'{context.trace_id:032x}', 'span_id': f'{context.span_id:016x}'}
    items = ['array', [['string', 'a'], ['int', '2'], ['bool', False], ['empty', None]]]
    return [
        {'time_ns': now, 'severity_number': 13, 'severity_text': 'WARN', 'body': ['string', '订单 17 不存在'],
         'attributes': expected(LOG_ATTRIBUTES), 'event_name': '', **ids},
        {'time_ns': now + 1, 'severity_number': 9, 'severity_text': '', 'attributes': {}, 'event_name': 'order.placed',
         'body': ['map', {'order': ['int', '17'], 'items': items, 'paid': ['double', 1.5]}],
         'trace_id': None, 'span_id': None},
        {'time_ns': now + 2, 'severity_number': 17, 'severity_text': '', 'body': ['bytes', 'AP8='], 'attributes': {},
         'event_name': '', 'trace_id': None, 'span_id': None},
    ]


def metrics(resource):
    provider = MeterProvider(resource=resource, metric_readers=[PeriodicExportingMetricReader(OTLPMetricExporter())])
    meter = provider.get_meter('shop')
    meter.create_counter('orders').add(3, {'kind': 'a'})
    meter.create_histogram('latency', 'ms').record(12.5)
    flushed(provider)


def flushed(provider):
    if not provider.force_flush(10_000):
        sys.exit(f'{type(provider).__name__} could not export')
    provider.shutdown()


main()
