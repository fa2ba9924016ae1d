// Sends one trace, three log records and two metrics with the Node SDK; prints what must be found.
import { context, createTraceState, diag, metrics, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags } from '@opentelemetry/api';
import { logs, SeverityNumber } from '@opentelemetry/api-logs';
import { NodeSDK, resources } from '@opentelemetry/sdk-node';

// Key, type as the API names it, value as the API writes it, value as the SDK takes it. JavaScript has one
// type of number: whole ones are sent as int.
const attributes = [
  ['s', 'string', '线索 "quoted" \n', '线索 "quoted" \n'],
  ['empty', 'string', '', ''],
  ['b', 'bool', true, true],
  ['i', 'int', '-42', -42],
  ['d', 'double', 0.1, 0.1],
  ['strings', 'array', [['string', 'a'], ['string', '']], ['a', '']],
  ['ints', 'array', [['int', '1'], ['int', '-2']], [1, -2]],
  ['doubles', 'array', [['double', 0.5], ['double', 2.5]], [0.5, 2.5]],
  ['bools', 'array', [['bool', true], ['bool', false]], [true, false]],
];
// Log attributes take any value.
const logAttributes = [
  ...attributes,
  ['bytes', 'bytes', 'AP+A', new Uint8Array([0, 255, 128])],
  ['map', 'map', { nested: ['map', { n: ['int', '5'] }] }, { nested: { n: 5 } }],
];
const native = (table) => Object.fromEntries(table.map(([key, , , value]) => [key, value]));
const expected = (table) => Object.fromEntries(table.map(([key, type, value]) => [key, [type, value]]));

const failures = [];
const fail = (...message) => failures.push(message.map(String).join(' '));
const ignore = () => {};
diag.setLogger({ error: fail, warn: fail, info: ignore, debug: ignore, verbose: ignore });

// Exporters of all three signals come from OTEL_ variables, as in a user's program.
const sdk = new NodeSDK({
  autoDetectResources: false,
  resource: resources.resourceFromAttributes({ 'service.name': process.env.OTEL_SERVICE_NAME, 'resource.int': 7 }),
});
sdk.start();
const spans = sendTraces();
const records = sendLogs(spans[0]);
const meter = metrics.getMeter('shop');
meter.createCounter('orders').add(3, { kind: 'a' });
meter.createHistogram('latency').record(12.5);
await sdk.shutdown().catch(fail);
if (failures.length > 0) {
  console.error('the SDK reported:', failures);
  process.exit(1);
}
console.log(JSON.stringify({ resource: { 'resource.int': ['int', '7'] }, spans, logs: records }));

function sendTraces() {
  const tracer = trace.getTracer('shop', '1.2.3');
  // Seconds and nanoseconds: a JavaScript number cannot hold ns since the epoch.
  const second = Math.floor(Date.now() / 1000);
  const at = (ns) => [second, ns];
  const ns = (nanos) => `${second}${String(nanos).padStart(9, '0')}`;
  const start = { startTime: at(111), attributes: native(attributes) };

  const root = tracer.startSpan('GET /订单', { kind: SpanKind.SERVER, ...start }, ROOT_CONTEXT);
  const inside = trace.setSpan(ROOT_CONTEXT, root);
  const child = tracer.startSpan('query', { kind: SpanKind.CLIENT, startTime: at(1112) }, inside);
  child.addEvent('cache.miss', { key: 'k', size: 3 }, at(1500));
  child.setStatus({ code: SpanStatusCode.ERROR, message: 'no such row' });
  child.end(at(2113));
  root.setStatus({ code: SpanStatusCode.OK });
  root.end(at(5116));

  // A parent elsewhere, with a trace state; a link to the root.
  const remote = {
    traceId: root.spanContext().traceId.replace(/^./, (digit) => (digit === '1' ? '2' : '1')), spanId: 'b7ad6b7169203331', isRemote: true,
    traceFlags: TraceFlags.SAMPLED, traceState: createTraceState('vendor=a1,other=2'),
  };
  const links = [{ context: root.spanContext(), attributes: { why: 'batch', n: 1 } }];
  const linked = tracer.startSpan('consume', { kind: SpanKind.CONSUMER, startTime: at(111), links }, trace.setSpanContext(context.active(), remote));
  linked.end(at(112));

  // This SDK does not send the schema URL of a tracer.
  const scope = { name: 'shop', version: '1.2.3', schema_url: '', attributes: {} };
  const span = (one, parent, fields) => ({
    trace_id: one.spanContext().traceId, span_id: one.spanContext().spanId, parent_span_id: parent, events: [], links: [],
    trace_state: '', status_message: '', attributes: {}, scope, ...fields,
  });
  const { traceId, spanId } = root.spanContext();
  return [
    span(root, null, { kind: 'server', name: 'GET /订单', start_ns: ns(111), duration_ns: 5005, status: 'ok', attributes: expected(attributes) }),
    span(child, spanId, {
      kind: 'client', name: 'query', start_ns: ns(1112), duration_ns: 1001, status: 'error', status_message: 'no such row',
      events: [{ name: 'cache.miss', time_ns: ns(1500), attributes: { key: ['string', 'k'], size: ['int', '3'] } }],
    }),
    span(linked, remote.spanId, {
      kind: 'consumer', name: 'consume', start_ns: ns(111), duration_ns: 1, status: 'unset', trace_state: 'vendor=a1,other=2',
      links: [{ trace_id: traceId, span_id: spanId, attributes: { why: ['string', 'batch'], n: ['int', '1'] } }],
    }),
  ];
}

function sendLogs({ trace_id, span_id }) {
  const logger = logs.getLogger('shop', '1.2.3');
  const second = Math.floor(Date.now() / 1000);
  const ns = (nanos) => `${second}${String(nanos).padStart(9, '0')}`;
  const inside = trace.setSpanContext(ROOT_CONTEXT, { traceId: trace_id, spanId: span_id, traceFlags: TraceFlags.SAMPLED });
  logger.emit({ timestamp: [second, 1], context: inside, severityNumber: SeverityNumber.WARN, severityText: 'WARN', body: '订单 17 不存在', attributes: native(logAttributes) });
  logger.emit({
    timestamp: [second, 2], context: ROOT_CONTEXT, severityNumber: SeverityNumber.INFO, eventName: 'order.placed',
    body: { order: 17, items: ['a', 2, false, null], paid: 1.5 },
  });
  logger.emit({ timestamp: [second, 3], context: ROOT_CONTEXT, severityNumber: SeverityNumber.ERROR, body: new Uint8Array([0, 255]) });
  const none = { severity_text: '', attributes: {}, event_name: '', trace_id: null, span_id: null };
  const items = ['array', [['string', 'a'], ['int', '2'], ['bool', false], ['empty', null]]];
  return [
    { ...none, time_ns: ns(1), severity_number: 13, severity_text: 'WARN', body: ['string', '订单 17 不存在'], attributes: expected(logAttributes), trace_id, span_id },
    { ...none, time_ns: ns(2), severity_number: 9, event_name: 'order.placed', body: ['map', { order: ['int', '17'], items, paid: ['double', 1.5] }] },
    { ...none, time_ns: ns(3), severity_number: 17, body: ['bytes', 'AP8='] },
  ];
}
