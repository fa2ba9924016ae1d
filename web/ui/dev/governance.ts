// The inventory, one service in detail and two releases side by side, counted from the seeded shop.

import type { Comparison, ServiceDetail } from '../src/api/governance';
import type { Exemplar, LogRecord, Quantiles, Service, ServiceList } from '../src/api/types';
import { attribute, graph, layerOf, minutes, quantiles, services } from './figures.ts';
import type { ShopSpan, ShopTrace } from './shop.ts';

interface Range {
  from: bigint;
  to: bigint;
}

const MYSQL_USERS = ['order', 'inventory'];

export function inventory(traces: ShopTrace[], range: Range): ServiceList {
  const list = services(traces, range);
  const spans = new Map<string, ShopSpan[]>();
  for (const trace of traces) {
    for (const span of trace.spans) {
      const known = spans.get(span.service);
      if (known) known.push(span);
      else spans.set(span.service, [span]);
    }
  }
  return { ...list, services: list.services.map((service) => enrich(service, spans.get(service.id) ?? [])) };
}

function enrich(service: Service, spans: ShopSpan[]): Service {
  const entries = spans.filter((span) => span.role === 'entry');
  const outcomes = count(entries.filter((span) => span.outcome !== 'ok').map((span) => span.outcome));
  const shared = MYSQL_USERS.includes(service.id)
    ? [{ database: ':database:mysql/stock', with: MYSQL_USERS.filter((id) => id !== service.id) }]
    : [];
  return {
    ...service,
    layer: service.id.startsWith('svc-') ? null : layerOf(service.id),
    layer_source: service.id === 'gateway' ? 'file' : 'inferred',
    environments: ['production', 'staging', 'huge'],
    namespaces: ['shop'],
    outcomes,
    logs: { count: spans.length, errors: service.errors },
    autonomy: {
      own_db: [
        ...new Set(spans.filter((span) => span.role === 'exit' && span.peer?.includes('/')).map((span) => `:database:${span.peer}`)),
      ].filter((database) => !shared.some((item) => item.database === database)),
      shared_db: shared,
      lockstep_with: service.id === 'cart' ? ['order'] : [],
      instances_at_once: service.id === 'auth' ? 1 : service.instances,
    },
    coverage: { paired: service.id === 'recommend' ? 0.62 : service.calls === 0 ? null : 0.984, orphans: 0.004 },
    findings: FOUND[service.id] ?? { critical: 0, warning: 0, info: 0 },
  };
}

const FOUND: Record<string, { critical: number; warning: number; info: number }> = {
  gateway: { critical: 0, warning: 1, info: 1 },
  order: { critical: 2, warning: 2, info: 0 },
  inventory: { critical: 1, warning: 0, info: 0 },
  payment: { critical: 1, warning: 2, info: 0 },
  catalogue: { critical: 0, warning: 1, info: 0 },
  auth: { critical: 0, warning: 0, info: 1 },
};

const count = (names: string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
};

export function serviceDetail(
  traces: ShopTrace[],
  logs: LogRecord[],
  id: string,
  range: Range,
  stepText: string | null,
): ServiceDetail | null {
  const spans = traces.flatMap((trace) => trace.spans.filter((span) => span.service === id).map((span) => ({ span, trace })));
  const own = inventory(traces, range).services.find((service) => service.id === id);
  if (!own) return null;
  const window = minutes(range);
  const from = BigInt(window.from_ns);
  const step = BigInt(Number.parseInt(stepText ?? '60', 10) * 1e9);
  const steps = Number((BigInt(window.to_ns) - from) / step);
  const at = (span: ShopSpan): number => Math.min(steps - 1, Math.max(0, Number((span.start - from) / step)));
  const zeros = (): number[] => Array.from({ length: steps }, () => 0);
  const entries = spans.filter(({ span }) => span.role === 'entry');
  const [calls, errors, all] = [zeros(), zeros(), zeros()];
  const durations: number[][] = Array.from({ length: steps }, () => []);
  const outcomes: Record<string, number[]> = {};
  for (const { span } of spans) all[at(span)]! += 1;
  for (const { span } of entries) {
    calls[at(span)]! += 1;
    if (span.status === 'error') errors[at(span)]! += 1;
    durations[at(span)]!.push(span.duration_ns);
    if (span.outcome !== 'ok') (outcomes[span.outcome] ??= zeros())[at(span)]! += 1;
  }
  const slices = durations.map((values) => (values.length === 0 ? null : quantiles(values)));
  const pick = (name: keyof Quantiles): (number | null)[] => slices.map((slice) => slice?.[name] ?? null);
  const edges = graph(traces, range).edges;
  const life = lives(id, spans, steps, at, range);
  return {
    service: own,
    window,
    step_ns: Number(step),
    series: {
      from_ns: window.from_ns,
      calls,
      errors,
      outcomes,
      spans: all,
      p50_ns: pick('p50_ns'),
      p95_ns: pick('p95_ns'),
      p99_ns: pick('p99_ns'),
      instances: calls.map((_, index) => life.instances.filter((instance) => (instance.series[index] ?? 0) > 0).length),
    },
    operations: operationFigures(entries),
    upstream: edges.filter((edge) => edge.target === id),
    downstream: edges.filter((edge) => edge.source === id),
    ...life,
    exceptions: exceptions(spans),
    log_patterns: patterns(logs.filter((log) => log.service === id)),
    notes: {},
  };
}

type Found = { span: ShopSpan; trace: ShopTrace };

function operationFigures(entries: Found[]): ServiceDetail['operations'] {
  const groups = new Map<string, Found[]>();
  for (const found of entries) groups.set(found.span.operation, [...(groups.get(found.span.operation) ?? []), found]);
  return [...groups].map(([name, group]) => ({
    name,
    protocol: group[0]!.span.protocol,
    calls: group.length,
    errors: group.filter(({ span }) => span.status === 'error').length,
    latency: quantiles(group.map(({ span }) => span.duration_ns)),
    outcomes: count(group.filter(({ span }) => span.outcome !== 'ok').map(({ span }) => span.outcome)),
    exemplars: [...group]
      .sort((a, b) => Number(b.span.status === 'error') - Number(a.span.status === 'error') || b.span.duration_ns - a.span.duration_ns)
      .slice(0, 5)
      .map(({ span, trace }): Exemplar => {
        const error = span.status === 'error';
        return { trace_id: trace.id, span_id: span.span_id, time_ns: span.start_ns, duration_ns: span.duration_ns, error };
      }),
  }));
}

/** The order service was released half way, one pod after the other; the others ran on. */
function lives(
  id: string,
  spans: Found[],
  steps: number,
  at: (span: ShopSpan) => number,
  range: Range,
): Pick<ServiceDetail, 'instances' | 'releases'> {
  const instances = new Map<string, ServiceDetail['instances'][number]>();
  const releases = new Map<string, ServiceDetail['releases'][number]>();
  const released = id === 'order' || id === 'cart';
  const zeros = (): number[] => Array.from({ length: steps }, () => 0);
  for (const { span } of [...spans].sort((a, b) => (a.span.start < b.span.start ? -1 : 1))) {
    const name = attribute(span, 'service.instance.id')[0] ?? `${id}-1`;
    const place = Number(span.start - range.from) / Number(range.to - range.from);
    const isNew = released && place > (name.endsWith('1') ? 0.55 : 0.62);
    const version = isNew ? '2.5.0' : (attribute(span, 'service.version')[0] ?? '1.0.0');
    const instance = `${id}-${isNew ? '7c9f' : '5d84'}-${name.slice(-1)}`;
    const base = { first_ns: span.start_ns, last_ns: span.start_ns };
    const seen = instances.get(instance) ?? { instance, version, ...base, spans: 0, gone: released && !isNew, series: zeros() };
    const release = releases.get(version) ?? { version, ...base, series: zeros() };
    seen.spans += 1;
    seen.last_ns = span.start_ns;
    release.last_ns = span.start_ns;
    seen.series[at(span)]! += 1;
    release.series[at(span)]! += 1;
    instances.set(instance, seen);
    releases.set(version, release);
  }
  return { instances: [...instances.values()], releases: [...releases.values()] };
}

function exceptions(spans: Found[]): ServiceDetail['exceptions'] {
  const groups = new Map<string, ServiceDetail['exceptions'][number]>();
  for (const { span, trace } of spans) {
    for (const event of span.events) {
      const value = (key: string): string => String(event.attributes.find((item) => item.key === key)?.value ?? '');
      const [type, message] = [value('exception.type'), value('exception.message')];
      const key = `${type} ${message}`;
      const known = groups.get(key) ?? {
        type,
        message,
        count: 0,
        last_ns: event.time_ns,
        exemplar: { trace_id: trace.id, span_id: span.span_id },
      };
      known.count += 1;
      groups.set(key, known);
    }
  }
  return [...groups.values()];
}

function patterns(logs: LogRecord[]): ServiceDetail['log_patterns'] {
  const groups = new Map<string, ServiceDetail['log_patterns'][number]>();
  for (const log of logs) {
    const pattern = String(log.body.value)
      .replace(/\d+(?:\.\d+)?/g, '<*>')
      .replace(/\s+/g, ' ');
    const key = `${log.severity} ${pattern}`;
    const known = groups.get(key) ?? { pattern, severity: log.severity, count: 0, last_ns: log.time_ns, example_id: log.id };
    known.count += 1;
    groups.set(key, known);
  }
  return [...groups.values()].sort((a, b) => b.count - a.count).slice(0, 20);
}

export function compare(query: URLSearchParams): Comparison {
  const q = (p95: number): Quantiles => ({ p50_ns: p95 * 0.4, p95_ns: p95, p99_ns: p95 * 1.6 });
  const side = (calls: number, errors: number, p95: number) => ({ calls, errors, error_ratio: errors / calls, latency: q(p95) });
  return {
    mode: 'side_by_side',
    base: { version: query.get('base') || '2.4.0', ...side(8120, 41, 182e6) },
    head: { version: query.get('head') || '2.5.0', ...side(6904, 311, 247e6) },
    operations: [
      { name: 'shop.order.Api/place', base: side(3120, 31, 240e6), head: side(2700, 298, 371e6), verdict: 'worse' },
      { name: 'shop.order.Api/get', base: side(5000, 10, 21e6), head: side(4190, 13, 20.4e6), verdict: 'same' },
      { name: 'shop.order.Api/cancel', base: null, head: side(14, 0, 33e6), verdict: 'unknown' },
    ],
    new_exceptions: [{ type: 'java.lang.IllegalStateException', count: 262 }],
    new_log_patterns: [{ pattern: 'coupon service not configured, order <*> without discount', count: 271 }],
    edges_added: [{ target: 'coupon', protocol: 'grpc' }],
    edges_removed: [],
    verdict: 'worse',
    reasons: [
      'error share 0.50 % → 4.50 % (95 % intervals do not overlap)',
      'p95 at equal mix of operations 1.36×',
      'a new exception type, 262 times',
    ],
    notes: {},
  };
}
