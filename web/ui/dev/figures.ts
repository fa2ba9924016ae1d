// Services and the service graph of the seeded shop.

import type { Graph, GraphEdge, GraphNode, Layer, Minutes, OperationList, Quantiles, ServiceList } from '../src/api/types';
import type { ShopSpan, ShopTrace } from './shop.ts';

export function quantiles(durations: number[]): Quantiles {
  const sorted = durations.sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50_ns: at(0.5), p95_ns: at(0.95), p99_ns: at(0.99) };
}

export const attribute = (span: ShopSpan, key: string): string[] =>
  span.resource.attributes.filter((item) => item.key === key && item.type === 'string').map((item) => String(item.value));

export function services(traces: ShopTrace[], range: { from: bigint; to: bigint }): ServiceList {
  const seconds = Number(range.to - range.from) / 1e9;
  const groups = new Map<string, ShopSpan[]>();
  for (const trace of traces) {
    for (const span of trace.spans) {
      const group = groups.get(span.service);
      if (group) group.push(span);
      else groups.set(span.service, [span]);
    }
  }
  return {
    services: [...groups]
      .map(([id, spans]) => {
        const entries = spans.filter((span) => span.role === 'entry');
        const errors = entries.filter((span) => span.status === 'error').length;
        const distinct = (values: string[]): string[] => [...new Set(values)].sort();
        return {
          id,
          span_count: spans.length,
          calls: entries.length,
          errors,
          rate: entries.length / seconds,
          error_ratio: entries.length ? errors / entries.length : 0,
          ...(entries.length ? quantiles(entries.map((span) => span.duration_ns)) : { p50_ns: 0, p95_ns: 0, p99_ns: 0 }),
          operations: new Set(spans.map((span) => span.name)).size,
          instances: distinct(spans.flatMap((span) => attribute(span, 'service.instance.id'))).length,
          versions: distinct(spans.flatMap((span) => attribute(span, 'service.version'))),
          languages: distinct(spans.flatMap((span) => attribute(span, 'telemetry.sdk.language'))),
          protocols: distinct(spans.flatMap((span) => (span.protocol ? [span.protocol] : []))),
        };
      })
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
    notes: {},
  };
}

export function operations(traces: ShopTrace[], service: string): OperationList {
  const seen = new Map<string, string>();
  for (const trace of traces) for (const span of trace.spans) if (span.service === service) seen.set(span.name, span.kind);
  return {
    operations: [...seen]
      .sort()
      .slice(0, 200)
      .map(([name, kind]) => ({ name, kind })),
  };
}

export function graph(traces: ShopTrace[], range: { from: bigint; to: bigint }, byOperation = false): Graph {
  const nodes = new Map<string, GraphNode>();
  const edges = new Map<string, { edge: GraphEdge & { paired: number }; client: number[]; server: number[] }>();
  const node = (id: string, name: string, kind: GraphNode['kind']): GraphNode => {
    const found = nodes.get(id) ?? { id, name, kind, calls: 0, errors: 0, layer: kind === 'service' ? layerOf(id) : null };
    nodes.set(id, found);
    return found;
  };
  const add = (source: string, target: string, span: ShopSpan, trace: ShopTrace, server: boolean, client?: ShopSpan): void => {
    const operation = byOperation ? span.operation : null;
    const key = `${source} ${target} ${span.protocol} ${operation}`;
    const isAsync = [source, target].some((id) => id.startsWith(':topic:'));
    const identity = server || isAsync ? 'paired' : target.includes('bank') ? 'inferred' : 'virtual';
    const entry = edges.get(key) ?? {
      edge: {
        source,
        target,
        protocol: span.protocol,
        operation,
        calls: 0,
        errors: 0,
        client: null,
        server: null,
        outcomes: {},
        exemplars: [],
        mode: isAsync ? ('async' as const) : ('sync' as const),
        identity: identity as 'paired' | 'inferred' | 'virtual',
        lag: isAsync && source.startsWith(':topic:') ? { p50_ns: 31e6, p95_ns: 88e6, p99_ns: 140e6 } : null,
        paired: 0,
      },
      client: [],
      server: [],
    };
    entry.edge.calls += 1;
    if (server) entry.edge.paired += 1;
    if (span.outcome !== 'ok') entry.edge.outcomes[span.outcome] = (entry.edge.outcomes[span.outcome] ?? 0) + 1;
    if (span.status === 'error') {
      entry.edge.errors += 1;
      if (entry.edge.exemplars.length < 5) entry.edge.exemplars.push({ trace_id: trace.id, span_id: span.span_id });
    }
    (server ? entry.server : entry.client).push(span.duration_ns);
    if (client) entry.client.push(client.duration_ns);
    edges.set(key, entry);
  };
  for (const trace of traces.filter((candidate) => candidate.spans.length < 1000 && candidate.spans[0]!.service === 'gateway')) {
    const byId = new Map(trace.spans.map((span) => [span.span_id, span]));
    for (const span of trace.spans) {
      const own = node(span.service, span.service, 'service');
      if (span.role === 'entry') {
        own.calls += 1;
        if (span.status === 'error') own.errors += 1;
        const parent = span.parent_span_id ? byId.get(span.parent_span_id) : undefined;
        if (!span.parent_span_id) {
          node(':user', 'user', 'user').calls += 1;
          add(':user', span.service, span, trace, true);
        } else if (parent && span.kind !== 'consumer') add(parent.service, span.service, span, trace, true, parent);
        else if (parent?.peer) add(`:topic:${parent.peer}`, span.service, span, trace, true);
      }
      if (span.role !== 'exit' || !span.peer) continue;
      const kind =
        span.kind === 'producer'
          ? 'topic'
          : span.attributes.some((item) => item.key === 'db.system.name')
            ? 'database'
            : span.peer.includes('.')
              ? 'external'
              : null;
      if (kind === null) continue;
      const peer = node(`:${kind}:${span.peer}`, span.peer, kind);
      peer.calls += 1;
      if (span.status === 'error') peer.errors += 1;
      add(span.service, peer.id, span, trace, false);
    }
  }
  return {
    nodes: [...nodes.values()],
    edges: [...edges.values()].map(({ edge, client, server }) => ({
      ...edge,
      client: client.length ? quantiles(client) : null,
      server: server.length ? quantiles(server) : null,
    })),
    window: minutes(range),
    exactness: { unpaired: 41, orphans: 23, as_of_ns: String(BigInt(Date.now()) * 1_000_000n) },
    notes: {},
  };
}

const MINUTE = 60_000_000_000n;

/** The whole minutes inside of a range. */
export function minutes(range: { from: bigint; to: bigint }): Minutes {
  return { from_ns: String(((range.from + MINUTE - 1n) / MINUTE) * MINUTE), to_ns: String((range.to / MINUTE) * MINUTE) };
}

export function layerOf(service: string): Layer {
  if (service === 'gateway') return 'gateway';
  if (service === 'order') return 'aggregate';
  if (service === 'auth' || service === 'notify') return 'platform';
  return service === 'batch' || service.startsWith('svc-') ? 'other' : 'basic';
}
