// A seeded shop: the traces, logs and figures that the development server answers with. Never part of dist.

import type { Attribute, LogRecord, Span, SpanLink } from '../src/api/types';
import { FLOWS, int, rpc, type Step, sql, str } from './flows.ts';

export interface ShopSpan extends Span {
  start: bigint;
  end: bigint;
}
export interface ShopTrace {
  id: string;
  spans: ShopSpan[];
}
export interface Shop {
  traces: ShopTrace[];
  logs: LogRecord[];
}

/** An instance whose clock is behind the others', ns. */
export const SLOW_CLOCK = { instance: 'payment-2', behind: 45_000_000n };

export type Random = () => number;

/** Mulberry32. */
export function random(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}

const hex = (rand: Random, bytes: number): string =>
  Array.from({ length: bytes }, () =>
    Math.floor(rand() * 256)
      .toString(16)
      .padStart(2, '0'),
  ).join('');

const LANGUAGES: Record<string, string> = {
  gateway: 'go',
  cart: 'java',
  payment: 'java',
  catalogue: 'python',
  frontend: 'nodejs',
  recommend: 'python',
};

export function makeShop(seed: number, nowMs: number, spanMinutes: number, traceCount: number): Shop {
  const rand = random(seed);
  const traces: ShopTrace[] = [];
  const logs: LogRecord[] = [];
  const weights = FLOWS.reduce((sum, [weight]) => sum + weight, 0);
  for (let index = 0; index < traceCount; index += 1) {
    let pick = rand() * weights;
    const flow = FLOWS.find(([weight]) => (pick -= weight) < 0)?.[1] ?? FLOWS[0]![1];
    const at = BigInt(Math.floor(nowMs - 4000 - rand() * spanMinutes * 60_000)) * 1_000_000n + BigInt(Math.floor(rand() * 1e6));
    const trace: ShopTrace = { id: hex(rand, 16), spans: [] };
    grow(flow, null, at, trace, rand, logs);
    if (index % 37 === 5) trace.spans.splice(1, 2);
    for (const span of trace.spans) setBack(span);
    const before = traces.at(-1)?.spans[0];
    if (before && index % 9 === 4) trace.spans[0]!.links.push(linkTo(traces.at(-1)!.id, before.span_id));
    traces.push(trace);
  }
  traces.push(bigTrace(rand, nowMs, 50_000));
  traces.push(stressTrace(rand, nowMs));
  traces.sort((a, b) => (a.spans[0]!.start < b.spans[0]!.start ? 1 : -1));
  logs.sort((a, b) => (BigInt(a.time_ns) < BigInt(b.time_ns) ? 1 : -1));
  return { traces, logs };
}

function setBack(span: ShopSpan): void {
  if (!span.resource.attributes.some(({ value }) => value === SLOW_CLOCK.instance)) return;
  span.start -= SLOW_CLOCK.behind;
  span.end -= SLOW_CLOCK.behind;
  span.start_ns = String(span.start);
}

function linkTo(trace_id: string, span_id: string): SpanLink {
  return { trace_id, span_id, trace_state: '', attributes: [str('why', 'batch')], dropped_attributes: 0, flags: 1 };
}

function grow(
  step: Step,
  parent: ShopSpan | null,
  start: bigint,
  trace: ShopTrace,
  rand: Random,
  logs: LogRecord[],
): { end: bigint; failed: boolean } {
  const jitter = Math.exp((rand() + rand() + rand() - 1.5) * 1.1);
  const failed = rand() < (step.failRate ?? 0.002);
  const slow = failed && step.outcome === 'timeout' ? 18 : 1;
  const own = Math.max(0.05, step.ms * jitter * slow);
  const span = makeSpan(step, parent, start, trace, rand);
  trace.spans.push(span);
  const children = step.children ?? [];
  let cursor = start + ms((own * 0.4) / (children.length + 1));
  let childFailed = false;
  let asyncEnd = 0n;
  for (const child of children) {
    const result = grow(child, span, child.after ? cursor + ms(30 * jitter) : cursor, trace, rand, logs);
    childFailed ||= result.failed && child.role !== 'internal';
    if (child.after) asyncEnd = result.end;
    else cursor = result.end + ms((own * 0.4) / (children.length + 1));
  }
  span.end = cursor + ms(own * (children.length === 0 ? 1 : 0.3));
  finish(span, step, failed, childFailed && rand() < 0.85, rand);
  chatter(span, trace, failed, rand, logs);
  void asyncEnd;
  return { end: span.end, failed: span.status === 'error' };
}

function makeSpan(step: Step, parent: ShopSpan | null, start: bigint, trace: ShopTrace, rand: Random): ShopSpan {
  void trace;
  const instance = Math.floor(rand() * 2) + 1;
  const version = step.service === 'order' ? '2.4.0' : '1.9.2';
  return {
    span_id: hex(rand, 8),
    parent_span_id: parent?.span_id ?? null,
    name: step.name,
    kind: step.kind,
    service: step.service,
    start,
    end: start,
    start_ns: String(start),
    duration_ns: 0,
    status: 'unset',
    status_message: '',
    role: step.role,
    peer: step.peer ?? null,
    protocol: step.protocol ?? null,
    operation: step.name,
    outcome: 'ok',
    trace_state: '',
    flags: 257,
    attributes: [...(step.attributes ?? []), str('thread.name', `worker-${Math.floor(rand() * 8)}`)],
    dropped_attributes: 0,
    events: [],
    dropped_events: 0,
    links: [],
    dropped_links: 0,
    resource: {
      attributes: [
        str('service.name', step.service),
        str('service.version', version),
        str('service.instance.id', `${step.service}-${instance}`),
        str('deployment.environment.name', 'production'),
        str('telemetry.sdk.language', LANGUAGES[step.service] ?? 'go'),
        int('process.pid', 4000 + instance),
        { key: 'k8s.pod.labels', type: 'map', value: [str('app', step.service), { key: 'canary', type: 'bool', value: false }] },
      ],
      schema_url: 'https://opentelemetry.io/schemas/1.37.0',
      dropped_attributes: 0,
    },
    scope: {
      name: step.protocol === 'dubbo' ? 'io.opentelemetry.apache-dubbo-2.7' : `otel.${step.protocol ?? 'app'}`,
      version: '2.21.0',
      attributes: [],
      schema_url: '',
      dropped_attributes: 0,
    },
  };
}

function finish(span: ShopSpan, step: Step, failed: boolean, childFailed: boolean, rand: Random): void {
  span.duration_ns = Number(span.end - span.start);
  if (!failed && !childFailed) return;
  span.status = 'error';
  span.outcome = failed ? (step.outcome ?? (rand() < 0.2 ? 'limited' : 'error')) : 'error';
  span.status_message = failed ? (span.outcome === 'timeout' ? 'deadline exceeded after 3s' : 'upstream answered 503') : 'call failed';
  for (const attribute of span.attributes)
    if (attribute.key === 'http.response.status_code') attribute.value = span.outcome === 'timeout' ? '504' : '503';
  if (failed) {
    span.events.push({
      time_ns: String(span.end - 1000n),
      name: 'exception',
      dropped_attributes: 0,
      attributes: [
        str('exception.type', 'java.net.SocketTimeoutException'),
        str('exception.message', span.status_message),
        str(
          'exception.stacktrace',
          'java.net.SocketTimeoutException: Read timed out\n\tat java.base/sun.nio.ch.NioSocketImpl.timedRead(NioSocketImpl.java:288)\n\tat shop.payment.BankClient.charge(BankClient.java:71)\n\tat shop.payment.Service.charge(Service.java:38)',
        ),
      ],
    });
  }
}

function chatter(span: ShopSpan, trace: ShopTrace, failed: boolean, rand: Random, logs: LogRecord[]): void {
  const write = (number: number, text: string, extra: Attribute[] = []): void => {
    const time = span.start + BigInt(Math.floor(span.duration_ns * rand()));
    logs.push({
      id: hex(rand, 8),
      time_ns: String(time),
      time_inferred: false,
      observed_time_ns: String(time + 80_000n),
      severity: severityOf(number),
      severity_number: number,
      severity_text: severityOf(number).toUpperCase(),
      service: span.service,
      body: { type: 'string', value: text },
      trace_id: trace.id,
      span_id: span.span_id,
      flags: 1,
      event_name: '',
      attributes: [str('logger.name', `shop.${span.service}.Handler`), ...extra],
      dropped_attributes: 0,
      resource: span.resource,
      scope: { name: `shop.${span.service}`, version: '', attributes: [] },
    });
  };
  if (failed)
    write(17, `${span.name} failed: ${span.status_message}`, [
      str('exception.type', 'SocketTimeoutException'),
      str('exception.message', span.status_message),
    ]);
  if (span.role !== 'entry') return;
  if (rand() < 0.5) write(9, `${span.name} answered in ${(span.duration_ns / 1e6).toFixed(1)} ms`);
  if (rand() < 0.25) write(5, `cache lookup key=user:${Math.floor(rand() * 9000)} hit=${rand() < 0.8}`);
  if (rand() < 0.12) write(13, `连接池接近上限:已用 ${40 + Math.floor(rand() * 10)}/50,等待 ${Math.floor(rand() * 90)} 毫秒`);
  if (rand() < 0.08) write(9, `订单 ${Math.floor(rand() * 1e6)} 支付成功,金额 ${(rand() * 900).toFixed(2)} 元`);
  if (rand() < 0.03) write(1, 'enter handler\n  headers: 14\n  body: 2.1 KiB');
}

export function severityOf(number: number): string {
  return ['unspecified', 'trace', 'debug', 'info', 'warn', 'error', 'fatal'][Math.min(6, Math.ceil(number / 4))] ?? 'unset';
}

const ms = (value: number): bigint => BigInt(Math.max(1, Math.round(value * 1e6)));

/** A batch job of many spans under few parents: what the waterfall must scroll without a pause. */
function bigTrace(rand: Random, nowMs: number, spans: number): ShopTrace {
  const start = BigInt(Math.floor(nowMs - 9 * 60_000)) * 1_000_000n;
  const trace: ShopTrace = { id: hex(rand, 16), spans: [] };
  const root = makeSpan({ service: 'batch', name: 'nightly reindex', kind: 'internal', role: 'internal', ms: 1 }, null, start, trace, rand);
  root.end = start + 95_000_000_000n;
  root.duration_ns = 95e9;
  trace.spans.push(root);
  let page = root;
  for (let index = 1; index < spans; index += 1) {
    const fresh = index % 200 === 1;
    const step: Step = fresh
      ? { service: 'batch', name: `page ${Math.floor(index / 200)}`, kind: 'internal', role: 'internal', ms: 1 }
      : index % 3 === 0
        ? rpc('batch', 'catalogue', 'shop.Catalogue/Index', 1)
        : sql('batch', 'postgresql', 'catalogue', 'SELECT * FROM product WHERE id = $1', 1);
    const at = start + BigInt(Math.floor((index / spans) * 94e9));
    const span = makeSpan(step, fresh ? root : page, at, trace, rand);
    span.duration_ns = fresh ? 370e6 : Math.floor(2e5 + rand() * 4e6);
    span.end = at + BigInt(span.duration_ns);
    if (!fresh && rand() < 0.001) span.status = 'error';
    if (fresh) page = span;
    trace.spans.push(span);
  }
  return trace;
}

/** Deep, skewed, with two roots, an orphan and hostile names. */
function stressTrace(rand: Random, nowMs: number): ShopTrace {
  const trace: ShopTrace = { id: hex(rand, 16), spans: [] };
  let at = BigInt(Math.floor(nowMs - 60_000)) * 1_000_000n;
  let parent: ShopSpan | null = null;
  for (let depth = 0; depth < 60; depth += 1) {
    const name = depth === 3 ? '<img src=x onerror="window.__pwned=1"><script>window.__pwned=1</script>' : `frame ${depth}`;
    const span: ShopSpan = makeSpan(
      { service: `svc-${depth % 15}`, name, kind: 'internal', role: 'internal', ms: 1 },
      parent,
      at,
      trace,
      rand,
    );
    span.duration_ns = 5e8 - depth * 8e6;
    span.end = at + BigInt(span.duration_ns);
    if (depth === 3)
      span.attributes.push(
        str('evil', '"><svg onload="window.__pwned=1">'),
        { key: 'nan', type: 'double', value: 'NaN' },
        { key: 'blob', type: 'bytes', value: 'AAEC' },
        { key: 'none', type: 'empty', value: null },
      );
    if (depth === 40) span.parent_span_id = 'dead00000000beef';
    if (depth === 20) span.links.push(linkTo(hex(rand, 16), hex(rand, 8)));
    trace.spans.push(span);
    parent = depth === 50 ? null : span;
    at += 3_000_000n;
  }
  return trace;
}
