// Answers /api/v1 as docs/api.md says, from the seeded shop. For developing without a server; never part of dist.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Plugin } from 'vite';
import type { LogRecord, Skeleton, TraceSummary } from '../src/api/types';
import { links, origins, skew, statistics } from './chain.ts';
import { matchLog, matchTrace } from './filter.ts';
import { graph, operations } from './figures.ts';
import { decide, findingList, findings, NOTHING, withHistory } from './findings.ts';
import { compare, inventory, serviceDetail } from './governance.ts';
import { hugeGraph, hugeServices } from './huge.ts';
import { RULES } from './rules.ts';
import { makeShop, random, severityOf, type Shop, type ShopTrace } from './shop.ts';

const CSP = "default-src 'self'";
const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];

export function mockApi(): Plugin {
  let shop: Shop | null = null;
  const handler = (request: IncomingMessage, response: ServerResponse, next: () => void): void => {
    const url = new URL(request.url ?? '/', 'http://mock');
    // Only what is built is served under the policy; the dev server itself needs inline scripts.
    response.setHeader('content-security-policy', CSP);
    if (!url.pathname.startsWith('/api/v1')) return next();
    shop ??= makeShop(7, Date.now(), 60, 900);
    const delay = Number(process.env['MOCK_DELAY_MS'] ?? 30);
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      setTimeout(() => answer(url, request, response, process.env['MOCK_EMPTY'] ? EMPTY : shop!, body), delay);
    });
  };
  return {
    name: 'mock-api',
    configureServer: (server) =>
      void server.middlewares.use((request, response, next) => {
        if (request.url?.startsWith('/api/v1')) handler(request, response, next);
        else next();
      }),
    configurePreviewServer: (server) => void server.middlewares.use(handler),
  };
}

const EMPTY: Shop = { traces: [], logs: [] };

type Reply = unknown;
class Failure extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly position?: number,
  ) {
    super(message);
  }
}

const TENANTS = ['default', 'acme'];

function answer(url: URL, request: IncomingMessage, response: ServerResponse, shop: Shop, body: string): void {
  const path = url.pathname.slice('/api/v1'.length);
  try {
    if (path === '/logs/tail') return tail(url, request, response, shop);
    send(response, 200, route(path, url.searchParams, shop, body));
  } catch (error) {
    const failure = error instanceof Failure ? error : new Failure(500, 'internal', String(error));
    send(response, failure.status, {
      error: { code: failure.code, message: failure.message, ...(failure.position === undefined ? {} : { position: failure.position }) },
    });
  }
}

function send(response: ServerResponse, status: number, body: Reply): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function route(path: string, query: URLSearchParams, shop: Shop, body: string): Reply {
  const q = query.get('q') ?? '';
  if (q.includes('(((')) throw new Failure(400, 'bad_request', 'expected a term after "("', q.indexOf('(((') + 1);
  const range = bounds(query);
  const within = (ns: bigint): boolean => ns >= range.from && ns < range.to;
  const inRange = (): ShopTrace[] => shop.traces.filter((trace) => within(trace.spans[0]!.start));
  const parts = path.split('/').slice(1).map(decodeURIComponent);
  switch (parts[0]) {
    case 'traces': {
      if (parts.length === 1)
        return traceList(
          inRange().filter((trace) => matchTrace(trace, q)),
          query,
        );
      const trace = shop.traces.find((candidate) => candidate.id === parts[1]);
      if (!trace) throw new Failure(404, 'not_found', `no trace ${parts[1]}`);
      if (parts[2] === 'spans')
        return { spans: trace.spans.filter((span) => span.span_id === parts[3]).map(({ start: _s, end: _e, ...span }) => span) };
      if (parts[2] === 'logs')
        return {
          logs: shop.logs.filter((log) => log.trace_id === parts[1]).reverse(),
          next: null,
          notes: { warnings: [], rows_read: 12, maybe_incomplete: false },
        };
      if (parts[2] === 'statistics') return statistics(trace, skeleton(trace), query.get('group_by') ?? 'service');
      if (parts[2] === 'links') return links(trace, shop);
      if (parts[2] === 'skew') return skew(trace);
      return skeleton(trace);
    }
    case 'logs': {
      if (parts[1] === 'histogram')
        return histogram(
          shop.logs.filter((log) => within(BigInt(log.time_ns)) && matchLog(log, q)),
          range,
          Number(query.get('buckets') ?? 60),
        );
      if (parts[2] === 'context') return context(shop.logs, parts[1] ?? '', query);
      return logList(
        shop.logs.filter((log) => within(BigInt(log.time_ns)) && matchLog(log, q)),
        query,
      );
    }
    case 'services': {
      const inEnv = query.get('env') === 'staging' ? inRange().filter((_, index) => index % 9 === 0) : inRange();
      if (query.get('env') === 'huge') return hugeServices();
      if (parts[2] === 'operations') return operations(inEnv, parts[1] ?? '');
      if (parts[2] === 'releases') return compare(query);
      if (parts.length === 1) return inventory(inEnv, range);
      const detail = serviceDetail(
        inEnv,
        shop.logs.filter((log) => within(BigInt(log.time_ns))),
        parts[1] ?? '',
        range,
        query.get('step'),
      );
      if (!detail) throw new Failure(404, 'not_found', `no spans of service ${parts[1]} in the window`);
      return detail;
    }
    case 'graph':
      return query.get('env') === 'huge' ? hugeGraph() : graph(inRange(), range, query.get('operations') === 'true');
    case 'findings': {
      if (parts[1] === 'rules') return { rules: RULES };
      const known = findings(shop);
      if (parts.length === 1) return shop.traces.length === 0 ? NOTHING : findingList(known, query);
      const finding = known.find((item) => item.id === parts[1]);
      if (!finding) throw new Failure(404, 'not_found', `no finding ${parts[1]}`);
      if (parts[2] === 'accept' || parts[2] === 'reopen') decide(finding, parts[2], body);
      return withHistory(finding);
    }
    case 'tags':
      return parts.length === 1 ? tagKeys(shop, query) : tagValues(shop, parts[1] ?? '', query);
    case 'tenants':
      return { tenants: TENANTS.map((id) => ({ id, default: id === 'default' })), current: query.get('tenant') ?? 'default' };
    case 'status':
      return {
        version: '0.1.0-mock',
        data_dir: './clew-data',
        spans: 48_211,
        logs: shop.logs.length,
        metrics: 0,
        segments: 3,
        bytes: 9_120_331,
        buffer_rows: 812,
        wal_bytes: 120_000,
        otlp_grpc: '127.0.0.1:4317',
        otlp_http: '127.0.0.1:4318',
      };
    case 'sql':
      return {
        columns: [
          { name: 'service', type: 'Utf8' },
          { name: 'n', type: 'Int64' },
          { name: 'p95_ms', type: 'Float64' },
        ],
        rows: [
          ['gateway', 1201, 88.2],
          ['cart', 640, 12.1],
          ['order', 322, null],
        ],
        row_count: 3,
        truncated: false,
        elapsed_ms: 14,
      };
    default:
      throw new Failure(404, 'not_found', `no route ${path}`);
  }
}

function bounds(query: URLSearchParams): { from: bigint; to: bigint } {
  const read = (text: string | null, fallback: bigint): bigint =>
    text && /^\d+$/.test(text) ? BigInt(text) : text && !Number.isNaN(Date.parse(text)) ? BigInt(Date.parse(text)) * 1_000_000n : fallback;
  const now = BigInt(Date.now()) * 1_000_000n;
  return { from: read(query.get('from'), now - 3_600_000_000_000n), to: read(query.get('to'), now) };
}

function page<T>(items: T[], query: URLSearchParams, fallback: number): { items: T[]; next: string | null } {
  const limit = Number(query.get('limit') ?? fallback);
  const start = Number(query.get('cursor') ?? 0);
  return { items: items.slice(start, start + limit), next: start + limit < items.length ? String(start + limit) : null };
}

function traceList(traces: ShopTrace[], query: URLSearchParams): Reply {
  const { items, next } = page(traces, query, 20);
  return {
    traces: items.map(summary),
    next,
    notes: {
      warnings: query.get('q')?.includes('http.') ? ['2 of 3 segments have no index for http.route; they were read whole'] : [],
      rows_read: traces.length * 14,
      maybe_incomplete: false,
    },
  };
}

function summary(trace: ShopTrace): TraceSummary {
  const root = trace.spans[0]!;
  const ids = new Set(trace.spans.map((span) => span.span_id));
  const counts = new Map<string, { span_count: number; error_count: number }>();
  let end = root.end;
  for (const span of trace.spans) {
    const entry = counts.get(span.service) ?? { span_count: 0, error_count: 0 };
    entry.span_count += 1;
    if (span.status === 'error') entry.error_count += 1;
    counts.set(span.service, entry);
    if (span.end > end) end = span.end;
  }
  return {
    trace_id: trace.id,
    root_service: root.service,
    root_name: root.name,
    root_kind: root.kind,
    start_ns: String(root.start),
    duration_ns: Number(end - root.start),
    span_count: trace.spans.length,
    error_count: trace.spans.filter((span) => span.status === 'error').length,
    orphan_count: trace.spans.filter((span) => span.parent_span_id !== null && !ids.has(span.parent_span_id)).length,
    services: [...counts].map(([name, entry]) => ({ name, ...entry })).sort((a, b) => b.span_count - a.span_count),
    matched: 1,
    matched_spans: [root.span_id],
  };
}

function skeleton(trace: ShopTrace): Skeleton {
  const spans = trace.spans;
  const index = new Map(spans.map((span, position) => [span.span_id, position]));
  const children: number[][] = spans.map(() => []);
  const tops: number[] = [];
  const orphans = new Set<number>();
  spans.forEach((span, position) => {
    const parent = span.parent_span_id === null ? undefined : index.get(span.parent_span_id);
    if (parent === undefined) {
      tops.push(position);
      if (span.parent_span_id !== null) orphans.add(position);
    } else children[parent]!.push(position);
  });
  const byStart = (a: number, b: number): number => (spans[a]!.start < spans[b]!.start ? -1 : 1);
  const result: Skeleton = {
    trace_id: trace.id,
    t0: '',
    duration_ns: 0,
    services: [],
    names: [],
    id: [],
    parent: [],
    depth: [],
    start: [],
    dur: [],
    self: [],
    svc: [],
    name: [],
    kind: [],
    status: [],
    outcome: [],
    outcomes: [],
    orphan: [],
    roots: [],
    critical_path: [],
    missing: [],
    error_origins: [],
    last_arrival_ns: '',
    notes: { warnings: [], maybe_incomplete: trace.id.startsWith('0') },
  };
  const t0 = spans.reduce((least, span) => (span.start < least ? span.start : least), spans[0]!.start);
  const last = spans.reduce((most, span) => (span.end > most ? span.end : most), spans[0]!.end);
  result.t0 = String(t0);
  result.duration_ns = Number(last - t0);
  const intern = (table: string[], text: string): number => {
    const found = table.indexOf(text);
    return found >= 0 ? found : table.push(text) - 1;
  };
  const stack = tops
    .sort(byStart)
    .reverse()
    .map((position) => ({ position, depth: 0, parent: -1 }));
  while (stack.length > 0) {
    const { position, depth, parent } = stack.pop()!;
    const span = spans[position]!;
    const row = result.id.push(span.span_id) - 1;
    result.parent.push(parent);
    result.depth.push(depth);
    result.start.push(Number(span.start - t0));
    result.dur.push(span.duration_ns);
    const covered = children[position]!.reduce((sum, child) => sum + spans[child]!.duration_ns, 0);
    result.self.push(Math.max(0, span.duration_ns - covered));
    result.svc.push(intern(result.services, span.service));
    result.name.push(intern(result.names, span.name));
    result.kind.push(Math.max(0, KINDS.indexOf(span.kind)));
    result.status.push(span.status === 'error' ? 2 : 0);
    result.outcome.push(intern(result.outcomes, span.outcome));
    if (parent < 0) result.roots.push(row);
    if (orphans.has(position)) {
      result.orphan.push(row);
      const known = result.missing.find(({ id }) => id === span.parent_span_id);
      if (known) known.children.push(row);
      else result.missing.push({ id: span.parent_span_id!, children: [row] });
    }
    for (const child of children[position]!.sort(byStart).reverse()) stack.push({ position: child, depth: depth + 1, parent: row });
  }
  result.error_origins = origins(trace, result);
  result.last_arrival_ns = String(last + 900_000_000n);
  // Not the real algorithm: the latest-ending child at each level.
  let row = 0;
  for (;;) {
    const below = result.parent.map((parent, child) => (parent === row ? child : -1)).filter((child) => child >= 0);
    const next = below.sort((a, b) => result.start[b]! + result.dur[b]! - (result.start[a]! + result.dur[a]!))[0];
    const [from, to] = [result.start[row]!, result.start[row]! + result.dur[row]!];
    if (next === undefined) {
      result.critical_path.push({ row, start: from, end: to });
      break;
    }
    result.critical_path.push({ row, start: from, end: result.start[next]! });
    const end = Math.min(to, result.start[next]! + result.dur[next]!);
    if (end < to) result.critical_path.push({ row, start: end, end: to });
    row = next;
  }
  return result;
}

function logList(logs: LogRecord[], query: URLSearchParams): Reply {
  const { items, next } = page(query.get('order') === 'asc' ? [...logs].reverse() : logs, query, 100);
  return { logs: items, next, notes: { warnings: [], rows_read: logs.length, maybe_incomplete: false } };
}

function histogram(logs: LogRecord[], range: { from: bigint; to: bigint }, buckets: number): Reply {
  const step = (range.to - range.from) / BigInt(buckets) + 1n;
  const series = new Map<string, number[]>();
  for (const log of logs) {
    const counts = series.get(log.severity) ?? Array.from({ length: buckets }, () => 0);
    counts[Number((BigInt(log.time_ns) - range.from) / step)]! += 1;
    series.set(log.severity, counts);
  }
  return {
    from_ns: String(range.from),
    step_ns: Number(step),
    series: [...series].map(([severity, counts]) => ({ severity, counts })),
    total: logs.length,
    notes: {},
  };
}

function context(logs: LogRecord[], id: string, query: URLSearchParams): Reply {
  const log = logs.find((candidate) => candidate.id === id);
  if (!log) throw new Failure(404, 'not_found', `no log ${id}`);
  const near = logs.filter((candidate) => candidate.service === log.service).reverse();
  const at = near.indexOf(log);
  return {
    before: near.slice(Math.max(0, at - Number(query.get('before') ?? 10)), at),
    log,
    after: near.slice(at + 1, at + 1 + Number(query.get('after') ?? 10)),
  };
}

function tagKeys(shop: Shop, query: URLSearchParams): Reply {
  const keys = new Map<string, string>();
  const items =
    query.get('table') === 'logs' ? shop.logs.slice(0, 300) : shop.traces.slice(5, 100).flatMap((trace) => trace.spans.slice(0, 40));
  for (const item of items) {
    for (const attribute of item.attributes) keys.set(attribute.key, query.get('table') === 'logs' ? 'log' : 'span');
    for (const attribute of item.resource.attributes) keys.set(attribute.key, 'resource');
  }
  return { tags: [...keys].sort().map(([key, scope]) => ({ scope, key })) };
}

function tagValues(shop: Shop, key: string, query: URLSearchParams): Reply {
  const values = new Set<string>();
  const items = query.get('table') === 'logs' ? shop.logs : shop.traces.slice(0, 200).flatMap((trace) => trace.spans.slice(0, 40));
  for (const item of items) {
    for (const attribute of [...item.attributes, ...item.resource.attributes])
      if (attribute.key === key && attribute.type === 'string') values.add(attribute.value);
  }
  const prefix = query.get('prefix') ?? '';
  const all = [...values].filter((value) => value.startsWith(prefix)).sort();
  return { values: all.slice(0, 100), more: all.length > 100 };
}

function tail(url: URL, request: IncomingMessage, response: ServerResponse, shop: Shop): void {
  const q = url.searchParams.get('q') ?? '';
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  const rand = random(Date.now() & 0xffff);
  const timer = setInterval(
    () => {
      const pattern = shop.logs[Math.floor(rand() * shop.logs.length)];
      if (!pattern || !matchLog(pattern, q)) return;
      const now = String(BigInt(Date.now()) * 1_000_000n);
      const log: LogRecord = {
        ...pattern,
        id: Math.floor(rand() * 1e15).toString(16),
        time_ns: now,
        observed_time_ns: now,
        severity: severityOf(pattern.severity_number),
      };
      response.write(`event: log\ndata: ${JSON.stringify(log)}\n\n`);
    },
    Number(process.env['MOCK_TAIL_MS'] ?? 120),
  );
  request.on('close', () => clearInterval(timer));
}
